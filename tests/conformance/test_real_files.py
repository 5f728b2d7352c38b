"""The file store on the disk, held against the laws of the contract, and what is its own."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing.conformance import FileStoreConformance, FileStoreWorld
from dhcpcore_adapters.files import DiskFileStore
from support.waiting import in_time


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


def test_directories_above_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "dhcp").mkdir(mode=0o750)
    DiskFileStore().write(f"{tmp_path}/dhcp/net/host", "x")
    assert (tmp_path / "dhcp").stat().st_mode & 0o777 == 0o750


def test_everybody_gets_at_a_file_that_is_written(tmp_path: Path) -> None:
    """Law: whatever somebody made of the modes, dnsmasq reads what was written, as nobody too."""
    directory = tmp_path / "net"
    directory.mkdir()
    (directory / "opts").write_text("old")
    (directory / "opts").chmod(0o600)
    directory.chmod(0o2700)
    DiskFileStore().write(f"{directory}/opts", "new")
    assert (directory / "opts").stat().st_mode & 0o7777 == 0o644
    assert directory.stat().st_mode & 0o7777 == 0o2755


def test_a_directory_that_is_a_link_keeps_its_mode(tmp_path: Path) -> None:
    """Law: nothing outside is opened up by a link to it."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "net").symlink_to("private")
    DiskFileStore().write(f"{tmp_path}/net/host", "x")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


# -- what is no file


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def unix_socket(path: Path) -> None:
    # By way of a short name: a path of a socket has 107 bytes at most.
    with socket.socket(socket.AF_UNIX) as made, open_directory(path.parent) as directory:
        made.bind(f"/proc/self/fd/{directory}/{path.name}")


@contextmanager
def open_directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def device(path: Path) -> None:
    """/dev/zero, of which no end would ever be read."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


ODD = pytest.mark.parametrize("odd", [loop, unix_socket, os.mkfifo, device], ids=["loop", "socket", "fifo", "device"])


@ODD
def test_what_is_no_file_is_no_file(tmp_path: Path, odd: Callable[[Path], None]) -> None:
    """Law: it is read as none, at once; the next write takes its place, and a removal removes it."""
    store, path = DiskFileStore(), tmp_path / "opts"
    odd(path)
    assert in_time(lambda: store.read(str(path))) is None
    in_time(lambda: store.write(str(path), "text\n"))
    assert path.is_file()
    assert not path.is_symlink()
    assert store.read(str(path)) == "text\n"
    path.unlink()
    odd(path)
    in_time(lambda: store.remove(str(path)))
    assert os.listdir(tmp_path) == []


@ODD
def test_what_is_in_a_writes_way_goes(tmp_path: Path, odd: Callable[[Path], None]) -> None:
    """Law: the hidden file is ours, whatever it is; what it leads to, or is linked to, is not written to."""
    odd(tmp_path / ".host.new")
    in_time(lambda: DiskFileStore().write(f"{tmp_path}/host", "text\n"))
    assert (tmp_path / "host").read_text() == "text\n"
    assert os.listdir(tmp_path) == ["host"]


def test_a_hidden_file_that_is_linked_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".host.new").hardlink_to(tmp_path / "precious")
    DiskFileStore().write(f"{tmp_path}/host", "text\n")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_directory_in_a_writes_way_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / ".host.new").mkdir()
    (tmp_path / "host").write_text("old")
    with pytest.raises(AdapterError, match=r"replace /.*/\.host\.new: .* \(EISDIR\); a directory is where a file"):
        DiskFileStore().write(f"{tmp_path}/host", "x")
    assert (tmp_path / "host").read_text() == "old"


def test_a_directory_that_leads_to_itself(tmp_path: Path) -> None:
    """Law: nothing is in it; it cannot be written to, and why is told; a removal removes it."""
    store = DiskFileStore()
    loop(tmp_path / "net")
    assert store.list(f"{tmp_path}/net") == []
    assert store.read(f"{tmp_path}/net/host") is None
    with pytest.raises(AdapterError, match=r"net/host: .* \(ELOOP\); a symbolic link leads to itself: remove it"):
        store.write(f"{tmp_path}/net/host", "x")
    store.remove(f"{tmp_path}/net/host")
    store.remove(f"{tmp_path}/net")
    assert os.listdir(tmp_path) == []


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Law: 6 GB that are not even on the disk would be as many in memory; path, size and what to do are told."""
    path = tmp_path / "leases"
    path.write_text("1 02:00:00:00:00:01 10.0.0.5 * *\n" * 10)
    os.truncate(path, 6 << 30)
    with pytest.raises(AdapterError, match=r"/leases: it has 6442450944 bytes, .* 67108864 .*; move it away"):
        in_time(lambda: DiskFileStore().read(str(path)))
    DiskFileStore().write(str(path), "")
    assert DiskFileStore().read(str(path)) == ""
