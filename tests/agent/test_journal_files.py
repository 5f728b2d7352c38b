"""The journal on disk: bounded, private, readable whatever ended it, and never in the agent's way."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dhcpcore import Settings, SettingsError, events, fold_event, initial_state
from dhcpcore.journal import JournalError, replay
from dhcpcore.testing import MemoryClock, RecordingReporter
from dhcpcore_adapters.agent import AgentOptions
from dhcpcore_adapters.journal import JournalFiles, JournalWriter, Unreadable
from dhcpcore_adapters.journal.places import PART
from support.recorded import RecordedScript
from support.script import network, port

SECONDS = 10.0


def until(happened: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.005)


class Disk:
    """Writes as `os.write` does, until it is full, or held."""

    def __init__(self) -> None:
        self.full = False
        self.free = threading.Event()
        self.free.set()

    def write(self, handle: int, data: bytes) -> int:
        self.free.wait(SECONDS)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(handle, data)


class Ticking(MemoryClock):
    """A clock by which every look takes ten seconds."""

    def monotonic(self) -> float:
        self.advance(10.0)
        return super().monotonic()


def size_of(path: Path) -> int:
    """Of a file that may be removed at any moment, as the oldest are."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Kept:
    """A scripted agent whose events go to a journal on disk."""

    def __init__(
        self, directory: Path, *, size: int = 1 << 20, files: int = 4, clock: MemoryClock | None = None, **options: Any
    ) -> None:
        self.directory = directory
        self.script = RecordedScript(network(ports=(port(1),)))
        self.clock = MemoryClock() if clock is None else clock
        self.reporter = RecordingReporter()
        self.disk = Disk()
        self.writer = JournalWriter(
            str(directory),
            size=size,
            files=files,
            clock=self.clock,
            reporter=self.reporter,
            write=self.disk.write,
            **options,
        )
        self.state = self.script.state

    def tell(self, *many: events.Event) -> None:
        for event in many:
            before = self.state
            self.state = fold_event(event, before)
            self.writer.record(event, before, self.state)

    def live(self) -> None:
        """Start and serve."""
        self.script.settle()
        self.tell(*self.script.life.events[-(self.script.state.seq - self.state.seq) :])
        assert self.state == self.script.state

    def ports(self, count: int, first: int = 10) -> None:
        self.tell(*(events.PortCreated(port=port(number), at=5.0) for number in range(first, first + count)))

    def files(self) -> list[Path]:
        """Those that are begun: one whose checkpoint is being written has another name until then.

        None before the writer has begun: what waits for it no more may not be on the disk yet.
        """
        there = self.directory.iterdir() if self.directory.is_dir() else ()
        return sorted(path for path in there if not path.name.endswith(PART))

    def errors(self) -> list[str]:
        return [told.message for told in self.reporter.records]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "journal")
    yield made
    made.disk.free.set()
    assert made.writer.close(SECONDS)


class TestWriting:
    def test_what_was_folded_is_read_again(self, kept: Kept) -> None:
        kept.live()
        kept.ports(5)
        assert kept.writer.close(SECONDS)
        steps = list(replay(JournalFiles(str(kept.directory))))
        assert steps[-1].after == kept.state
        assert not any(step.differences for step in steps)
        assert kept.errors() == []

    def test_only_its_user_may_read_it(self, kept: Kept) -> None:
        kept.live()
        kept.writer.close(SECONDS)
        assert stat.S_IMODE(kept.directory.stat().st_mode) == 0o700
        assert [stat.S_IMODE(path.stat().st_mode) for path in kept.files()] == [0o600]

    def test_what_was_written_survives_without_an_end(self, kept: Kept) -> None:
        """Nobody closed it: the agent was killed, or runs on."""
        kept.live()
        kept.ports(3)

        def there() -> bool:
            return bool(kept.directory.is_dir() and kept.files() and _last(kept.files()[0]) == kept.state)

        until(there)
        with gzip.open(kept.files()[0]) as file, pytest.raises(EOFError):
            file.read()

    def test_a_killed_agent_leaves_half_a_line(self, kept: Kept) -> None:
        kept.live()
        kept.ports(40)
        kept.writer.close(SECONDS)
        (path,) = kept.files()
        whole = path.read_bytes()
        lines = len(list(JournalFiles(str(path))))
        for cut in range(0, len(whole), 97):
            path.write_bytes(whole[:cut])
            files = JournalFiles(str(path))
            found = list(files)
            assert len(found) <= lines
            if found:
                list(replay(found))
            text = len(gzip_prefix(whole[:cut]))
            assert bool(files.notes) == (text > 0 and not gzip_prefix(whole[:cut]).endswith(b"\n"))

    def test_files_are_begun_and_removed(self, tmp_path: Path) -> None:
        """Each begins with a checkpoint; all together stay below their bound; the newest stay."""
        kept = Kept(tmp_path / "journal", size=20_000, files=3)
        kept.live()
        for turn in range(30):
            words = [hashlib.sha512(f"{turn} {number}".encode()).hexdigest() for number in range(50)]
            kept.tell(*(events.PayloadRefused(message=word) for word in words))
            until(lambda: not kept.writer.waiting)
            total = sum(size_of(path) for path in kept.files())
            assert total < 3 * 20_000 + 20_000
        assert kept.writer.close(SECONDS)
        paths = kept.files()
        assert len(paths) > 1
        assert paths[0].name != "journal-00000001.jsonl.gz"
        steps = list(replay(JournalFiles(str(kept.directory))))
        assert steps[-1].after == kept.state
        assert not any(step.differences for step in steps)
        checkpoints = [step.checkpoint.checkpoint for step in steps if step.checkpoint is not None]
        assert checkpoints == ["continued"] * len(paths)
        for path in paths:
            next(iter(replay(JournalFiles(str(path)))))

    def test_every_life_has_a_file_and_many_short_ones_are_bounded(self, tmp_path: Path) -> None:
        for _ in range(40):
            kept = Kept(tmp_path / "journal", files=2)
            kept.tell(events.AgentKnown())
            assert kept.writer.close(SECONDS)
        names = [path.name for path in kept.files()]
        assert len(names) == 2 * 16 + 1
        assert names[-1] == "journal-00000040.jsonl.gz"
        starts = [step for step in replay(JournalFiles(str(kept.directory))) if step.checkpoint is not None]
        assert {step.checkpoint.checkpoint for step in starts if step.checkpoint is not None} == {"start"}


class TestTrouble:
    def test_a_full_disk_is_told_once_and_nothing_else_happens(self, tmp_path: Path) -> None:
        kept = Kept(tmp_path / "journal", pause=60.0)
        kept.live()
        until(lambda: kept.directory.is_dir() and kept.files() and _last(kept.files()[0]) == kept.state)
        kept.disk.full = True
        kept.ports(3)
        until(kept.errors)
        for turn in range(3):
            kept.ports(3, first=100 + turn * 10)
            kept.clock.advance(25)
            until(lambda: not kept.writer.waiting)
        kept.ports(3, first=150)  # it is tried again, in vain
        until(lambda: not kept.writer.waiting)
        time.sleep(0.1)
        assert kept.errors() == ["the journal cannot be written; the agent goes on without"]
        assert kept.reporter.records[0].fields["error"] == "No space left on device"
        kept.disk.full = False
        kept.clock.advance(60)
        kept.ports(2, first=200)
        until(lambda: len(kept.errors()) == 2)
        assert kept.errors()[1] == "the journal is written again"
        assert kept.writer.close(SECONDS)
        steps = list(replay(JournalFiles(str(kept.directory))))
        assert steps[-1].after == kept.state
        (gap,) = (s.checkpoint for s in steps if s.checkpoint is not None and s.checkpoint.checkpoint == "gap")
        assert gap.lost == 15

    def test_every_event_that_is_lost_is_counted_once(self, tmp_path: Path) -> None:
        """The pause ends amid a batch, and the next try fails: those before it were counted already."""
        kept = Kept(tmp_path / "journal", pause=60.0, clock=Ticking())
        kept.disk.full = True
        kept.ports(1)
        until(kept.errors)
        kept.ports(20, first=100)
        until(lambda: not kept.writer.waiting)
        time.sleep(0.2)
        kept.disk.full = False
        kept.clock.advance(600)
        kept.ports(2, first=200)
        assert kept.writer.close(SECONDS)
        steps = list(replay(JournalFiles(str(kept.directory))))
        (gap,) = (s.checkpoint for s in steps if s.checkpoint is not None and s.checkpoint.checkpoint == "gap")
        assert gap.lost == 21

    def test_a_disk_that_is_full_from_the_start_leaves_no_files(self, kept: Kept) -> None:
        kept.disk.full = True
        kept.live()
        until(kept.errors)
        assert list(kept.directory.iterdir()) == []

    def test_a_directory_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        kept = Kept(tmp_path / "file" / "journal")
        kept.live()
        until(kept.errors)
        assert kept.reporter.records[0].fields["error"] == "Not a directory"
        assert kept.writer.close(SECONDS)

    def test_a_disk_that_hangs_costs_events_not_time(self, tmp_path: Path) -> None:
        kept = Kept(tmp_path / "journal", queue=50)
        kept.live()
        until(lambda: kept.directory.is_dir() and kept.files() and _last(kept.files()[0]) == kept.state)
        kept.disk.free.clear()
        kept.ports(1)
        until(lambda: not kept.writer.waiting)
        kept.ports(500, first=100)
        assert kept.writer.waiting == 50
        kept.disk.free.set()
        until(lambda: not kept.writer.waiting)
        kept.ports(3, first=1000)
        assert kept.writer.close(SECONDS)
        steps = list(replay(JournalFiles(str(kept.directory))))
        assert steps[-1].after == kept.state
        (gap,) = (s.checkpoint for s in steps if s.checkpoint is not None and s.checkpoint.checkpoint == "gap")
        assert gap.lost == 450

    def test_what_cannot_be_written_is_a_gap(self, tmp_path: Path) -> None:
        kept = Kept(tmp_path / "journal", pause=0.0)
        kept.live()
        kept.tell(events.PayloadRefused(message=b"bytes"))  # type: ignore[arg-type]
        until(kept.errors)
        kept.ports(2)
        assert kept.writer.close(SECONDS)
        assert list(replay(JournalFiles(str(kept.directory))))[-1].after == kept.state


class TestReading:
    def test_plain_lines_can_be_read_too(self, tmp_path: Path) -> None:
        script = RecordedScript(network())
        script.settle()
        path = tmp_path / "lines"
        path.write_text("\n".join(script.life.lines) + "\n")
        files = JournalFiles(str(path))
        assert list(files) == script.life.lines
        assert files.notes == []
        assert files.where(3) == f"{path}: line 3"

    def test_lines_are_found_in_their_file(self, tmp_path: Path) -> None:
        for number, lines in ((1, b"a\nb\n"), (2, b"c\nd\ne\n")):
            (tmp_path / f"journal-{number:08}.jsonl.gz").write_bytes(gzip.compress(lines))
        files = JournalFiles(str(tmp_path))
        assert list(files) == ["a", "b", "c", "d", "e"]
        assert files.where(2).endswith("journal-00000001.jsonl.gz: line 2")
        assert files.where(4).endswith("journal-00000002.jsonl.gz: line 2")

    @pytest.mark.parametrize(
        "garbage", [b"\x1f\x8b\x08\x00garbage" * 20, gzip.compress(b"a\n" * 9999)[:20] + b"\xff" * 99]
    )
    def test_damaged_compression(self, tmp_path: Path, garbage: bytes) -> None:
        (tmp_path / "file").write_bytes(garbage)
        with pytest.raises(Unreadable, match=r"file: damaged: .*; begin with the next file"):
            list(JournalFiles(str(tmp_path / "file")))

    def test_other_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(bytes(range(256)) * 10 + b"\n")
        with pytest.raises(JournalError):
            list(replay(JournalFiles(str(tmp_path / "file"))))

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Unreadable, match=r"nothing: cannot be read: No such file or directory; check the path"):
            list(JournalFiles(str(tmp_path / "nothing")))
        with pytest.raises(Unreadable, match=r"no file journal-\*\.jsonl\.gz is in it"):
            JournalFiles(str(tmp_path))


class TestOptions:
    def test_there_is_none_unless_asked_for(self) -> None:
        assert AgentOptions.from_mapping({}).journal is None
        assert AgentOptions.from_mapping({"journal": ""}).journal is None

    def test_from_toml_and_ini(self) -> None:
        for size, files in ((1 << 21, 3), (str(1 << 21), " 3 ")):
            options = AgentOptions.from_mapping(
                {"journal": "$state_path/journal", "journal_size": size, "journal_files": files}
            )
            assert (options.journal_size, options.journal_files) == (1 << 21, 3)
            assert options.journal is not None
            assert options.place(options.journal, Settings(state_path="/s")) == "/s/journal"

    @pytest.mark.parametrize(
        "name, value",
        [("journal_size", 1000), ("journal_files", 1), ("journal_files", "many"), ("journal_files", True)],
    )
    def test_wrong_ones(self, name: str, value: object) -> None:
        with pytest.raises(SettingsError, match=f"dhcpcore.{name}: expected a whole number from"):
            AgentOptions.from_mapping({name: value})


def _last(path: Path) -> Any:
    """The state at the end of what can be read."""
    states = [step.after for step in replay(JournalFiles(str(path)))]
    return states[-1] if states else initial_state(Settings(host="nobody"))


def gzip_prefix(data: bytes) -> bytes:
    """What can be unpacked of a beginning."""
    return zlib.decompressobj(31).decompress(data)
