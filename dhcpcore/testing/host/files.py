"""`dhcpcore.contracts.FileStore` over a `MemoryHost`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dhcpcore.errors import AdapterError
from dhcpcore.testing.host.disk import DiskError, Inode
from dhcpcore.testing.host.memory import WRITE, MemoryHost


def _failed(action: str, path: str, error: Exception) -> AdapterError:
    return AdapterError(f"{action} {path}: {error}")


class MemoryFileStore:
    """Writes as a careful adapter does: a temporary file beside the old one, then a rename."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    def read(self, path: str) -> str | None:
        """The text, None when there is no such file."""
        with self._host.faults.call("files.read", path):
            data = self._host.disk.peek(path)
            return None if data is None else data.decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str) -> None:
        """Replace atomically."""
        disk = self._host.disk
        with self._host.faults.call("files.write", path) as within:
            try:
                inode = Inode(text.encode("utf-8", "surrogateescape"))
                directory, _, name = path.rpartition("/")
                disk.make_directory(directory)
                within("renaming")
                disk.link(f"{directory}/{name}", inode)
            except (DiskError, UnicodeEncodeError) as error:
                raise _failed("writing", path, error) from None
            self._host.did(WRITE, path)

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all in it, one name after the other."""
        with self._host.faults.call("files.remove", path) as within:
            try:
                self._remove(path, within)
            except DiskError as error:
                raise _failed("removing", path, error) from None

    def _remove(self, path: str, within: Callable[[str], None]) -> None:
        disk = self._host.disk
        if disk.is_directory(path):
            for name in disk.names(path):
                self._remove(f"{path.rstrip('/')}/{name}", within)
                within("removing the next name")
            disk.remove_directory(path)
        elif disk.unlink(path):
            self._host.did(WRITE, path)

    def list(self, directory: str) -> Sequence[str]:
        """Names in a directory, sorted."""
        with self._host.faults.call("files.list", directory):
            return self._host.disk.names(directory)
