"""The file store suite catches stores that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from conformance.breaking import assert_caught
from dhcpcore.contracts import FileStore
from dhcpcore.testing import MemoryFileStore, MemoryHost
from dhcpcore.testing.conformance import FileStoreConformance, MemoryFileStoreWorld
from dhcpcore.testing.host import DiskError, Inode


class Broken(MemoryFileStore):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.disk = host.disk


class OverwritesInPlace(Broken):
    def write(self, path: str, text: str) -> None:
        if self.disk.inode(path) is None:
            super().write(path, text)
        self.disk.poke(path, text.encode("utf-8", "surrogateescape"))


class OverwritesTheBeginning(Broken):
    def write(self, path: str, text: str) -> None:
        old = self.read(path) or ""
        super().write(path, text + old[len(text) :])


class LeavesItsTemporaryFile(Broken):
    def write(self, path: str, text: str) -> None:
        super().write(f"{path}.tmp", text)
        super().write(path, text)


class TranslatesLineEnds(Broken):
    def read(self, path: str) -> str | None:
        text = super().read(path)
        return None if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


class StrictUtf8(Broken):
    def read(self, path: str) -> str | None:
        data = self.disk.peek(path)
        return None if data is None else data.decode()


class EmptyForMissing(Broken):
    def read(self, path: str) -> str | None:
        return super().read(path) or ""


class RaisesForMissing(Broken):
    def remove(self, path: str) -> None:
        if self.disk.mode(path) is None:
            raise FileNotFoundError(path)
        super().remove(path)


class LeaksOsErrors(Broken):
    def write(self, path: str, text: str) -> None:
        directory, _, name = path.rpartition("/")
        self.disk.make_directory(directory)
        self.disk.link(f"{directory}/{name}", Inode(text.encode("utf-8", "surrogateescape")))


class PrivateFiles(Broken):
    def write(self, path: str, text: str) -> None:
        super().write(path, text)
        inode = self.disk.inode(path)
        assert inode is not None
        inode.mode = 0o600


class RemovesByPrefix(Broken):
    def remove(self, path: str) -> None:
        for file in self.disk.files():
            if file.startswith(path):
                super().remove(file)
        super().remove(path)


class RemovesOnlyItsOwnFiles(Broken):
    def remove(self, path: str) -> None:
        for name in ("host", "opts", "addn_hosts", "leases"):
            if self.disk.inode(f"{path}/{name}") is not None:
                super().remove(f"{path}/{name}")
        if not self.disk.names(path):
            super().remove(path)


class CachesTexts(Broken):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.cache: dict[str, str | None] = {}

    def read(self, path: str) -> str | None:
        return self.cache.setdefault(path, super().read(path))

    def write(self, path: str, text: str) -> None:
        self.cache[path] = text
        super().write(path, text)


class SkipsWhatItWroteBefore(Broken):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.last: dict[str, str] = {}

    def write(self, path: str, text: str) -> None:
        if self.last.get(path) != text:
            super().write(path, text)
        self.last[path] = text


class ListsUnsorted(Broken):
    def list(self, directory: str) -> Sequence[str]:
        return list(reversed(super().list(directory)))


class ListsHidden(Broken):
    def list(self, directory: str) -> Sequence[str]:
        return [name for name in super().list(directory) if not name.startswith(".")]


class RemovesBeforeItWrites(Broken):
    """Takes the old file away first: on a full disk nothing is left."""

    def write(self, path: str, text: str) -> None:
        with suppress(DiskError):
            self.disk.unlink(path)
        super().write(path, text)


@pytest.mark.parametrize(
    "broken, law",
    [
        (OverwritesInPlace, "test_replaces_atomically"),
        (OverwritesTheBeginning, "test_a_shorter_text_replaces_all"),
        (LeavesItsTemporaryFile, "test_leaves_nothing_beside"),
        (TranslatesLineEnds, "test_reads_what_it_wrote"),
        (StrictUtf8, "test_reads_any_bytes"),
        (EmptyForMissing, "test_nothing_there"),
        (RaisesForMissing, "test_nothing_there"),
        (LeaksOsErrors, "test_a_failed_write_changes_nothing"),
        (LeaksOsErrors, "test_unencodable_text"),
        (PrivateFiles, "test_everybody_may_read"),
        (RemovesByPrefix, "test_removes_a_file"),
        (RemovesOnlyItsOwnFiles, "test_removes_a_directory"),
        (CachesTexts, "test_remembers_nothing"),
        (SkipsWhatItWroteBefore, "test_remembers_nothing"),
        (ListsUnsorted, "test_lists_names_sorted"),
        (ListsHidden, "test_lists_names_sorted"),
        (RemovesBeforeItWrites, "test_a_failed_write_changes_nothing"),
    ],
)
def test_is_caught(broken: Callable[[MemoryHost], FileStore], law: str) -> None:
    assert_caught(FileStoreConformance, lambda: MemoryFileStoreWorld(broken), law)
