"""Writing the journal of a running agent: bounded files, on a thread of its own, never in the agent's way.

The loop puts each event with its states into a bounded queue, which costs a microsecond; the thread makes the lines,
compresses and writes them.  What is written survives the agent's death at once, the machine's after the kernel's own
time (nothing is synced).  Where the disk is full, or anything else fails, that is reported once, the agent goes on
without, and a minute later it is tried again, with a new checkpoint.  The same is done for events that came too fast.
"""

from __future__ import annotations

import contextlib
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from dhcpcore import AgentState, Event
from dhcpcore.contracts import Clock, Reporter
from dhcpcore.journal import Recorder, Why
from dhcpcore_adapters.journal.places import PART, next_path, prune

#: Events that wait to be written.
LONGEST_QUEUE: Final = 10_000
#: Seconds between a failure and the next try.
PAUSE: Final = 60.0
#: Seconds in which events gather before they are written: many small writes cost more than one.
_GATHER: Final = 0.05
_LEVEL: Final = 1
#: zlib's number for the gzip format (zlib.compressobj).
_GZIP: Final = 31


@frozen
class _Folded:
    event: Event
    before: AgentState
    after: AgentState


class JournalWriter:
    """Writes what is given to `record` into files below `directory`, until `close`.

    Args:
        size: compressed bytes of one file before another is begun; files: how many of that size are kept.
        queue: events that may wait; more are dropped, and the next checkpoint says how many.
        pause: seconds between a failure and the next try.
        write: writes to an open file (`os.write`).
    """

    def __init__(
        self,
        directory: str,
        *,
        size: int,
        files: int,
        clock: Clock,
        reporter: Reporter,
        queue: int = LONGEST_QUEUE,
        pause: float = PAUSE,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self._directory = directory
        self._size = size
        self._files = files
        self._clock = clock
        self._reporter = reporter
        self._longest = queue
        self._pause = pause
        self._write = write
        self._recorder = Recorder()
        self._file: _File | None = None
        self._why: Why = "start"
        self._missing = 0
        #: Events in the file that a reader may not find there yet; and those that are still to be written.
        self._unflushed = 0
        self._left = 0
        self._not_before: float | None = None
        # Shared with the loop, under the lock.
        self._lock = threading.Lock()
        self._queue: deque[_Folded] = deque()
        self._lost = 0
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def record(self, event: Event, before: AgentState, after: AgentState) -> None:
        """An event was folded; returns at once, and never raises."""
        with self._lock:
            if len(self._queue) >= self._longest:
                self._lost += 1
                return
            self._queue.append(_Folded(event, before, after))
        if not self._some.is_set():
            self._some.set()

    @property
    def waiting(self) -> int:
        """How many events are not yet being written."""
        return len(self._queue)

    def close(self, seconds: float = 1.0) -> bool:
        """Write what waits; whether that was done in time."""
        self._closing.set()
        self._some.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._closing.wait(_GATHER)
            self._some.clear()
            self._write_all()
        self._write_all()
        self._end_file()

    def _write_all(self) -> None:
        with self._lock:
            waiting, lost = self._queue, self._lost
            self._queue, self._lost = deque(), 0
        self._left = len(waiting)
        try:
            for one in waiting:
                self._write_one(one)
            if self._file is not None:
                self._file.flush()
                self._unflushed = 0
        except Exception as error:
            # Whatever it is, a bug of ours too, ends the journal's file, not the agent.
            self._give_up(error)
        if lost:
            # They came after those that waited. Who is told of outcomes later does not know their plans.
            self._begin_anew("gap", lost)

    def _write_one(self, one: _Folded) -> None:
        if self._file is None:
            if self._not_before is not None and self._clock.monotonic() < self._not_before:
                self._missing += 1
                self._left -= 1
                return
            self._open(one.before)
        assert self._file is not None
        self._file.add([self._recorder.event(one.event, one.after.seq)])
        self._unflushed += 1
        self._left -= 1
        if self._file.size > max(self._size, 2 * self._file.checkpoint_size):
            self._end_file()
            self._why = "continued"
            self._open(one.after)

    def _open(self, state: AgentState) -> None:
        now = self._clock.monotonic()
        wall = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds")
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        prune(self._directory, size=self._size, files=self._files)
        lines = self._recorder.checkpoint(state, at=now, why=self._why, wall=wall, lost=self._missing)
        self._file = _File(next_path(self._directory), lines, self._write)
        self._why, self._missing = "continued", 0
        if self._not_before is not None:
            self._not_before = None
            self._reporter.report("the journal is written again", directory=self._directory)

    def _end_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                self._missing += self._unflushed
                self._told(error)
            self._unflushed = 0

    def _give_up(self, error: Exception) -> None:
        if self._file is not None:
            self._file.abandon()
            self._file = None
        self._told(error)
        self._not_before = self._clock.monotonic() + self._pause
        lost, self._left, self._unflushed = self._unflushed + self._left, 0, 0
        self._begin_anew("gap", lost)

    def _told(self, error: Exception) -> None:
        if self._not_before is None:
            said = f"{error.strerror or error}" if isinstance(error, OSError) else error
            self._reporter.report(
                "the journal cannot be written; the agent goes on without", directory=self._directory, error=said
            )

    def _begin_anew(self, why: Why, missing: int) -> None:
        self._end_file()
        self._recorder = Recorder()
        self._why = why
        self._missing += missing


class _File:
    """One file, gzip, with its checkpoint; appended to in whole lines.

    Attributes:
        size: bytes written so far. checkpoint_size: those of the checkpoint.
    """

    def __init__(self, path: str, checkpoint: Iterator[str], write: Callable[[int, bytes], int]) -> None:
        self._write = write
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self.size = 0
        part = path + PART
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(part, flags, 0o600)
        try:
            self.add(checkpoint)
            self.flush()
            os.rename(part, path)
        except BaseException:
            self.abandon()
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        self.checkpoint_size = self.size

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._out(self._compressor.compress(line.encode("ascii") + b"\n"))

    def flush(self) -> None:
        """After it all that was added can be read, whatever becomes of this process."""
        self._out(self._compressor.flush(zlib.Z_SYNC_FLUSH))

    def close(self) -> None:
        try:
            self._out(self._compressor.flush(zlib.Z_FINISH))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave it as it is."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _out(self, data: bytes) -> None:
        left: Any = memoryview(data)
        while left:
            written = self._write(self._handle, left)
            self.size += written
            left = left[written:]
