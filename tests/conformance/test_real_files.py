"""The file store on the disk, held against the laws of the contract, and what is its own."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing.conformance import FileStoreConformance, FileStoreWorld
from dhcpcore_adapters.files import DiskFileStore


class DiskWorld(FileStoreWorld):
    def __init__(self, root: Path, *, durable: bool) -> None:
        self.root = str(root)
        self.store = DiskFileStore(durable=durable)

    def peek(self, path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    def poke(self, path: str, data: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    def open(self, path: str) -> Callable[[], bytes]:
        file = Path(path).open("rb")  # noqa: SIM115 - opened now, read and closed later

        def read() -> bytes:
            with file:
                return file.read()

        return read

    def names(self, directory: str) -> Sequence[str]:
        return os.listdir(directory) if os.path.isdir(directory) else []

    def mode(self, path: str) -> int | None:
        return Path(path).stat().st_mode & 0o7777 if Path(path).exists() else None

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        # Python ignores SIGXFSZ, so write(2) fails with EFBIG, as a full disk makes it fail with ENOSPC.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def symlink(self, path: str, target: str) -> None:
        os.symlink(target, path)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class TestDiskFileStore(FileStoreConformance):
    @pytest.fixture(params=[(False, 0o022), (False, 0o077), (True, 0o000)], ids=str)
    def world(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DiskWorld]:
        durable, mask = request.param
        root = tmp_path / "root"
        root.mkdir()
        with umask(mask):
            yield DiskWorld(root, durable=durable)


def test_a_half_written_file_of_a_killed_writer_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".host.new").write_text("half of some longer te")
    DiskFileStore().write(f"{tmp_path}/host", "whole\n")
    assert (tmp_path / "host").read_text() == "whole\n"
    assert os.listdir(tmp_path) == ["host"]


def test_an_error_names_path_cause_and_remedy(tmp_path: Path) -> None:
    store = DiskFileStore()
    (tmp_path / "file").write_text("x")
    with pytest.raises(AdapterError, match="file/host: Not a directory \\(ENOTDIR\\); a file is where"):
        store.write(f"{tmp_path}/file/host", "x")
    (tmp_path / "host" / "deeper").mkdir(parents=True)
    with pytest.raises(AdapterError, match="host: Is a directory \\(EISDIR\\); a directory is where a file belongs"):
        store.write(f"{tmp_path}/host", "x")
    assert sorted(os.listdir(tmp_path)) == ["file", "host"]


def test_a_path_that_cannot_be_is_an_adapter_error(tmp_path: Path) -> None:
    store = DiskFileStore()
    for call in (store.read, store.remove, store.list, lambda path: store.write(path, "x")):
        with pytest.raises(AdapterError):
            call(f"{tmp_path}/nul\0")


def test_a_directory_is_read_as_no_file(tmp_path: Path) -> None:
    assert DiskFileStore().read(str(tmp_path)) is None


def test_directories_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "dhcp").mkdir(mode=0o750)
    DiskFileStore().write(f"{tmp_path}/dhcp/net/host", "x")
    assert (tmp_path / "dhcp").stat().st_mode & 0o777 == 0o750
