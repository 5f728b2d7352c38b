"""Reading a journal's files: lines of text, and where each of them stood.

A file may end anywhere: its agent may have been killed, or be at work.  Half a line at a file's end is left out, and
noted.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Final

from dhcpcore import DhcpCoreError
from dhcpcore_adapters.journal.places import numbered

_CHUNK: Final = 1 << 20
_MAGIC: Final = b"\x1f\x8b"
#: zlib's number for the gzip format (zlib.decompressobj).
_GZIP: Final = 31
#: Longest line, in bytes: a full answer with a million ports has less.
_LONGEST: Final = 1 << 30


class Unreadable(DhcpCoreError):
    """A journal cannot be read; the message says why, and what to do next."""


class JournalFiles:
    """The lines of one journal, of a file or of all files of a directory, in order; iterated over once.

    Attributes:
        notes: what was left out, one sentence each; complete after the last line.
    """

    def __init__(self, path: str) -> None:
        """Raises `Unreadable` where there is none."""
        self.notes: list[str] = []
        try:
            self._paths = [*numbered(path).values()] if os.path.isdir(path) else [path]
        except OSError as error:
            raise _unreadable(path, error) from None
        if not self._paths:
            raise Unreadable(f"{path}: no file journal-*.jsonl.gz is in it; name the directory that the option has")
        #: Number of the first line of each file begun.
        self._begins: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        """Lines without their ends; raises `Unreadable`."""
        number = 1
        for path in self._paths:
            self._begins.append((number, path))
            for line in self._lines(path):
                yield line
                number += 1

    def where(self, line: int) -> str:
        """The file of a line, and the line's number in it."""
        first, path = [begun for begun in self._begins if begun[0] <= line][-1]
        return f"{path}: line {line - first + 1}"

    def _lines(self, path: str) -> Iterator[str]:
        rest: list[bytes] = []
        length = 0
        for data in self._bytes(path):
            head, *others = data.split(b"\n")
            rest.append(head)
            length += len(head)
            if length > _LONGEST:
                raise Unreadable(f"{path}: a line is longer than {_LONGEST} bytes; this is no journal")
            for other in others:
                yield b"".join(rest).decode("utf-8", "replace")
                rest, length = [other], len(other)
        if length:
            self.notes.append(f"{path}: the last line is cut off, and left out: its agent was killed, or is at work")

    def _bytes(self, path: str) -> Iterator[bytes]:
        try:
            with open(path, "rb") as file:
                first = file.read(_CHUNK)
                unpacker = zlib.decompressobj(_GZIP) if first.startswith(_MAGIC) else None
                while first:
                    if unpacker is None:
                        yield first
                    else:
                        yield unpacker.decompress(first, _CHUNK)
                        while unpacker.unconsumed_tail:
                            yield unpacker.decompress(unpacker.unconsumed_tail, _CHUNK)
                    if unpacker is not None and unpacker.eof:
                        if unpacker.unused_data or file.read(1):
                            self.notes.append(f"{path}: what follows the end of its gzip stream is left out")
                        return
                    first = file.read(_CHUNK)
        except OSError as error:
            raise _unreadable(path, error) from None
        except zlib.error as error:
            raise Unreadable(f"{path}: damaged: {error}; begin with the next file") from None


def _unreadable(path: str, error: OSError) -> Unreadable:
    return Unreadable(f"{path}: cannot be read: {error.strerror or error}; check the path, and whose file it is")
