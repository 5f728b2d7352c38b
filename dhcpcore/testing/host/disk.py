"""A disk in memory: directories, files, and inodes that outlive their names.

A process that has a file open keeps its inode: replacing the file by another does not change what that process reads
and writes, exactly the trap of dnsmasq's leases file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from posixpath import normpath, split
from typing import Final

from attrs import define, field

Entries = dict[str, "Inode | None"]
_ROOT: Final = "/"


@define(eq=False)
class Inode:
    """One file's contents and permission bits."""

    data: bytes = b""
    mode: int = 0o644


@lru_cache(maxsize=256)
def _place(path: str) -> tuple[str, str, str]:
    """A path in its normal form, the directory that it is in, and its name there."""
    path = normpath(path)
    return path, *split(path)


class DiskError(Exception):
    """An I/O error, by its errno's name (``ENOSPC``, ``EROFS``, ``EISDIR`` ...)."""


@define
class MemoryDisk:
    """Absolute paths to files. What is done here is done past every adapter.

    Attributes:
        fault: the errno's name that every change of the disk meets (``ENOSPC``, ``EROFS``), None when it is well.
        directory_mode: permission bits of new directories.
    """

    fault: str | None = None
    directory_mode: int = 0o755
    _directories: dict[str, Entries] = field(factory=lambda: {_ROOT: {}})

    def inode(self, path: str) -> Inode | None:
        """The file of this name now, None when there is none."""
        _, parent, name = _place(path)
        return self._directories.get(parent, {}).get(name)

    def peek(self, path: str) -> bytes | None:
        """A file's contents, None when there is none."""
        inode = self.inode(path)
        return None if inode is None else inode.data

    def open(self, path: str) -> Callable[[], bytes]:
        """Open for reading: the answer reads the inode that has this name now, whatever has it later.

        Raises:
            DiskError: ENOENT.
        """
        inode = self.inode(path)
        if inode is None:
            raise DiskError("ENOENT")
        return lambda: inode.data

    def poke(self, path: str, data: bytes) -> None:
        """Put contents into a file in place, as an editor without care does; makes what it needs."""
        inode = self.inode(path)
        if inode is None:
            self.link(path, Inode(data))
        else:
            inode.data = data

    def link(self, path: str, inode: Inode) -> None:
        """Give `inode` this name, taking it from whatever had it (rename(2)).

        Raises:
            DiskError: a fault of the disk, or the name is a directory's.
        """
        self._check()
        path, parent, name = _place(path)
        if path in self._directories:
            raise DiskError("EISDIR")
        self.make_directory(parent)
        self._directories[parent][name] = inode

    def make_directory(self, path: str) -> None:
        """A directory and those above it.

        Raises:
            DiskError: a fault of the disk, or a file is in the way.
        """
        path, parent, name = _place(path)
        if path in self._directories:
            return
        self._check()
        self.make_directory(parent)
        if self._directories[parent].get(name) is not None:
            raise DiskError("ENOTDIR")
        self._directories[parent][name] = None
        self._directories[path] = {}

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory of this name."""
        return _place(path)[0] in self._directories

    def unlink(self, path: str) -> bool:
        """Take the name from a file; whether there was one.

        Raises:
            DiskError: a fault of the disk, or it is a directory.
        """
        path, parent, name = _place(path)
        if path in self._directories:
            raise DiskError("EISDIR")
        if name not in self._directories.get(parent, {}):
            return False
        if self.fault != "ENOSPC":
            self._check()
        del self._directories[parent][name]
        return True

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            DiskError: a fault of the disk, or something is in it.
        """
        path, parent, name = _place(path)
        if self._directories.get(path):
            raise DiskError("ENOTEMPTY")
        if self.fault != "ENOSPC":
            self._check()
        if self._directories.pop(path, None) is not None:
            del self._directories[parent][name]

    def names(self, directory: str) -> list[str]:
        """Names in a directory, sorted; none when there is none."""
        return sorted(self._directories.get(_place(directory)[0], {}))

    def files(self, under: str = _ROOT) -> list[str]:
        """Paths of all files below a directory, sorted."""
        under = normpath(under)
        found = []
        for path, entries in self._directories.items():
            if path == under or path.startswith(under.rstrip("/") + "/"):
                found += [f"{path.rstrip('/')}/{name}" for name, inode in entries.items() if inode is not None]
        return sorted(found)

    def mode(self, path: str) -> int | None:
        """Permission bits of a file or directory, None when there is none."""
        inode = self.inode(path)
        if inode is not None:
            return inode.mode
        return self.directory_mode if self.is_directory(path) else None

    def wipe(self, path: str) -> None:
        """Remove a file, or a directory with all in it, past all faults."""
        fault, self.fault = self.fault, None
        for file in self.files(path):
            self.unlink(file)
        for directory in sorted((d for d in self._directories if _below(d, path)), reverse=True):
            self.remove_directory(directory)
        if self.inode(path) is not None:
            self.unlink(path)
        self.fault = fault

    def _check(self) -> None:
        if self.fault is not None:
            raise DiskError(self.fault)


def _below(directory: str, path: str) -> bool:
    path = normpath(path)
    return directory != _ROOT and (directory == path or directory.startswith(path.rstrip("/") + "/"))
