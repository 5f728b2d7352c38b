"""The laws of `dhcpcore.contracts.FileStore`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from dhcpcore.contracts import FileStore
from dhcpcore.testing.conformance.suite import Unsupported, adapter_error, ensure, ensure_equal, no_error

_TEXTS: Final = (
    "fa:16:3e:00:00:01,host-10-0-0-5.openstacklocal,10.0.0.5\n",
    "",
    "no newline at the end",
    "\n\n",
    "carriage\r\nreturn\rs stay\n",
    "tab\tform\x0cfeed\x00null\x85next\u2028line\n",
    "café \U0001f480\n",
    "not UTF-8: \udc80\udcff\n",
    "line\n" * 50_000,
)


class FileStoreWorld(ABC):
    """A file store, and a way to its files past it.

    Attributes:
        store: the adapter.
        root: absolute path of an empty directory that the suite may fill.
    """

    store: FileStore
    root: str

    @abstractmethod
    def peek(self, path: str) -> bytes | None:
        """A file's contents; None when there is none."""

    @abstractmethod
    def poke(self, path: str, data: bytes) -> None:
        """Write a file in place, its directory being there or made."""

    @abstractmethod
    def open(self, path: str) -> Callable[[], bytes]:
        """Open a file now; the answer, called once, reads all of it through that descriptor and closes it."""

    @abstractmethod
    def names(self, directory: str) -> Sequence[str]:
        """All names in a directory, hidden and temporary ones too; none when there is no such directory."""

    @abstractmethod
    def mode(self, path: str) -> int | None:
        """Permission bits of a file or directory; None when there is none."""

    def full_disk(self) -> AbstractContextManager[object]:
        """While it is entered, nothing can be written below `root`."""
        raise Unsupported("this world cannot fill its disk")

    def symlink(self, path: str, target: str) -> None:
        """Make a symbolic link at `path`."""
        raise Unsupported("this world has no symbolic links")


class FileStoreConformance:
    """Held against a `FileStoreWorld`."""

    def test_fulfils_the_contract(self, world: FileStoreWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.store, FileStore), "the adapter is a FileStore", type=type(world.store))

    def test_writes_exactly_the_text(self, world: FileStoreWorld) -> None:
        """A file holds the text's UTF-8, surrogate escapes as the bytes they stand for, no character changed."""
        for number, text in enumerate(_TEXTS):
            path = f"{world.root}/file-{number}"
            with no_error(f"writing {text[:30]!r}"):
                world.store.write(path, text)
            ensure_equal(world.peek(path), text.encode("utf-8", "surrogateescape"), "the file holds exactly the text")

    def test_reads_what_it_wrote(self, world: FileStoreWorld) -> None:
        """read(write(text)) == text."""
        path = f"{world.root}/host"
        for text in _TEXTS:
            world.store.write(path, text)
            ensure_equal(world.store.read(path), text, "read() answers what write() was given")

    def test_reads_any_bytes(self, world: FileStoreWorld) -> None:
        """Any bytes on the disk can be read; those that are not UTF-8 come as surrogate escapes."""
        path = f"{world.root}/leases"
        for data in (b"\xff\xfe\x80", bytes(range(256)), b"\xed\xa0\x80", b""):
            world.poke(path, data)
            with no_error(f"reading {data[:10]!r}"):
                got = world.store.read(path)
            ensure_equal(got, data.decode("utf-8", "surrogateescape"), "bytes come as UTF-8 with surrogate escapes")

    def test_nothing_there(self, world: FileStoreWorld) -> None:
        """What is not there: read answers None, list nothing, remove does nothing; an empty file is there."""
        missing = f"{world.root}/missing"
        ensure_equal(world.store.read(missing), None, "read() of a missing file")
        ensure_equal(world.store.read(f"{missing}/deeper"), None, "read() below a missing directory")
        ensure_equal(list(world.store.list(missing)), [], "list() of a missing directory")
        with no_error("remove() of what is not there"):
            world.store.remove(missing)
        world.store.write(missing, "")
        ensure_equal(world.store.read(missing), "", "an empty file is a file")

    def test_replaces_atomically(self, world: FileStoreWorld) -> None:
        """Who opened the file before a write reads the whole old text; who opens it after, the whole new one."""
        path = f"{world.root}/opts"
        old, new = "old line\n" * 3000, "new line that is longer\n" * 3000
        world.store.write(path, old)
        reader = world.open(path)
        world.store.write(path, new)
        seen = reader()
        ensure(
            seen == old.encode(),
            "the old file was replaced, not overwritten: a reader sees the old text or the new one",
            read_through_old_descriptor=seen[:40],
        )
        ensure_equal(world.open(path)(), new.encode(), "a new reader sees the new text")

    def test_a_shorter_text_replaces_all(self, world: FileStoreWorld) -> None:
        """Nothing of a longer old text stays behind."""
        path = f"{world.root}/host"
        world.store.write(path, "x" * 1000)
        world.store.write(path, "y")
        ensure_equal(world.peek(path), b"y", "the new text is all there is")

    def test_leaves_nothing_beside(self, world: FileStoreWorld) -> None:
        """After writing, a directory holds the files written and no other name (dnsmasq reads directories)."""
        directory = f"{world.root}/net-1"
        for name in ("host", "opts", "addn_hosts"):
            for text in ("1", "2"):
                world.store.write(f"{directory}/{name}", text)
        ensure_equal(sorted(world.names(directory)), ["addn_hosts", "host", "opts"], "no temporary file is left")

    def test_makes_directories(self, world: FileStoreWorld) -> None:
        """Writing makes the directories it needs."""
        path = f"{world.root}/None/net-1/host"
        with no_error("writing into a directory that is not there yet"):
            world.store.write(path, "x")
        ensure_equal(world.peek(path), b"x", "the file is where it was told")

    def test_everybody_may_read(self, world: FileStoreWorld) -> None:
        """Files are 0644 in directories 0755: dnsmasq reads them after it has dropped its privileges."""
        path = f"{world.root}/net-1/host"
        world.store.write(path, "x")
        world.store.write(path, "y")
        ensure_equal(oct(world.mode(path) or 0), "0o644", "mode of a written file")
        ensure_equal(oct(world.mode(f"{world.root}/net-1") or 0), "0o755", "mode of a directory it made")

    def test_removes_a_file(self, world: FileStoreWorld) -> None:
        """Removing a file takes it and nothing else."""
        world.store.write(f"{world.root}/net-1/host", "x")
        world.store.write(f"{world.root}/net-1/host2", "x")
        for _ in range(2):
            world.store.remove(f"{world.root}/net-1/host")
        ensure_equal(sorted(world.names(f"{world.root}/net-1")), ["host2"], "one file went, the others stayed")

    def test_removes_a_directory(self, world: FileStoreWorld) -> None:
        """Removing a directory takes all in it, strangers' files too, and nothing beside it."""
        for path in ("net-1/host", "net-1/deep/er/file", "net-10/host", "net/host"):
            world.store.write(f"{world.root}/{path}", "x")
        world.poke(f"{world.root}/net-1/.dirty", b"")
        for _ in range(2):
            with no_error("remove() of a directory"):
                world.store.remove(f"{world.root}/net-1")
        ensure_equal(sorted(world.names(world.root)), ["net", "net-10"], "one directory went, the others stayed")
        ensure_equal(world.peek(f"{world.root}/net-10/host"), b"x", "what is beside it stayed whole")

    def test_removing_follows_no_link(self, world: FileStoreWorld) -> None:
        """A symbolic link in a removed directory goes; what it points to stays."""
        world.poke(f"{world.root}/precious/file", b"x")
        world.store.write(f"{world.root}/net-1/host", "x")
        world.symlink(f"{world.root}/net-1/link", f"{world.root}/precious")
        world.store.remove(f"{world.root}/net-1")
        ensure_equal(sorted(world.names(world.root)), ["precious"], "the directory with the link went")
        ensure_equal(world.peek(f"{world.root}/precious/file"), b"x", "what the link pointed to stayed")

    def test_lists_names_sorted(self, world: FileStoreWorld) -> None:
        """A listing has the names of files and directories in it, sorted, without what is deeper."""
        for path in ("b", "a", "c/deeper/file", "Z", ".hidden"):
            world.store.write(f"{world.root}/d/{path}", "x")
        got = list(world.store.list(f"{world.root}/d"))
        ensure_equal(got, [".hidden", "Z", "a", "b", "c"], "list() of a directory")
        ensure_equal(list(world.store.list(f"{world.root}/d/a")), [], "list() of what is a file")

    def test_remembers_nothing(self, world: FileStoreWorld) -> None:
        """What others change on the disk is seen at the next call."""
        path = f"{world.root}/d/host"
        world.store.write(path, "ours")
        world.store.read(path)
        world.poke(path, b"theirs")
        ensure_equal(world.store.read(path), "theirs", "read() answers what is on the disk now")
        world.poke(f"{world.root}/d/other", b"")
        ensure_equal(list(world.store.list(f"{world.root}/d")), ["host", "other"], "list() answers what is there now")
        world.store.write(path, "ours")
        ensure_equal(world.peek(path), b"ours", "the same text is written again where others changed it")

    def test_a_failed_write_changes_nothing(self, world: FileStoreWorld) -> None:
        """On a full disk write raises AdapterError: the old text stays, nothing lies beside it, later it works."""
        path = f"{world.root}/net-1/host"
        world.store.write(path, "old")
        with world.full_disk(), adapter_error("writing to a full disk"):
            world.store.write(path, "new" * 1000)
        ensure_equal(world.peek(path), b"old", "the old text stayed")
        ensure_equal(sorted(world.names(f"{world.root}/net-1")), ["host"], "no temporary file is left")
        world.store.write(path, "new")
        ensure_equal(world.peek(path), b"new", "afterwards it works again")

    def test_unencodable_text(self, world: FileStoreWorld) -> None:
        """A text that no bytes stand for (a lone high surrogate) is an AdapterError; the old file stays."""
        path = f"{world.root}/net-1/host"
        world.store.write(path, "old")
        with adapter_error("writing a lone surrogate"):
            world.store.write(path, "x\ud800")
        ensure_equal(world.peek(path), b"old", "the old text stayed")
        ensure_equal(sorted(world.names(f"{world.root}/net-1")), ["host"], "no temporary file is left")

    def test_a_directory_is_no_file(self, world: FileStoreWorld) -> None:
        """Writing where a directory is, or below a file, is an AdapterError."""
        world.store.write(f"{world.root}/net-1/host", "x")
        with adapter_error("writing where a directory is"):
            world.store.write(f"{world.root}/net-1", "x")
        with adapter_error("writing below a file"):
            world.store.write(f"{world.root}/net-1/host/deeper", "x")
        ensure_equal(world.peek(f"{world.root}/net-1/host"), b"x", "the file stayed whole")
