"""JSON documents in, texts out: files named on the command line.  ``-`` is stdin.

Every failure is a `CommandError` that names the file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from dhcpcore_adapters.cli.errors import CommandError


def read_text(path: str) -> str:
    """The text of a file; bytes that are not UTF-8 come as surrogate escapes."""
    try:
        if path == "-":
            return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        return Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CommandError([f"{path}: cannot be read: {error.strerror}; check the path"]) from None


def read_json(path: str) -> Any:
    """The JSON document in a file."""
    text = read_text(path)
    try:
        return parse_json(text)
    except NotJson as error:
        raise CommandError([f"{path}: {error}; write it anew as JSON (RFC 8259) in UTF-8"]) from None


class NotJson(ValueError):
    """A text is no JSON document.

    Attributes:
        got: what was found, and where.
    """

    def __init__(self, got: str) -> None:
        self.got = got
        super().__init__(f"expected JSON, got {got}")


def parse_json(text: str) -> Any:
    """A JSON document.

    Raises:
        NotJson: it is none; Python's NaN and Infinity are none either.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}" if "\n" in text.rstrip("\n") else f"column {error.colno}"
        raise NotJson(f"something else at {where} ({error.msg})") from None
    except RecursionError:
        raise NotJson("more levels of nesting than can be read") from None
    except NotJson:
        raise
    except ValueError:  # of int(), see sys.set_int_max_str_digits
        raise NotJson("a number of too many digits") from None


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name}, which is no JSON number")


def write_text(path: Path, text: str) -> None:
    """Replace a file: whoever reads it meanwhile sees the old text or the new one. Makes the directories it needs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                os.fchmod(file.fileno(), 0o644)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandError([f"{path}: cannot be written: {error.strerror}; choose another --out"]) from None
    except UnicodeEncodeError:
        raise CommandError([f"{path}: cannot be written: its text has no UTF-8 form; correct the network"]) from None


def remove_file(path: Path) -> None:
    """Remove a file, if there is one."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError([f"{path}: cannot be removed: {error.strerror}; choose another --out"]) from None
