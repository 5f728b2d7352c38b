"""Who carries chains of actions out: lanes of threads, or a test that decides itself what runs when.

Knows threads; knows nothing of what runs in them.  The lanes keep apart what must not wait for each other: the state
report waits for nothing, work on the host never waits for the server, and on the host a short piece of work (a reload)
overtakes the long queue of a first start.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final, Literal, Protocol

Lane = Literal["report", "server", "host"]
Job = Callable[[], object]

#: Calls to the server under way at once, beside the state report.
SERVER_THREADS: Final = 4


class Executor(Protocol):
    """Carries jobs out, those of one lane at most so many at a time."""

    def submit(self, lane: Lane, job: Job, *, rank: int = 0) -> None:
        """Carry `job` out soon, or at once; of those that wait, the lowest rank first, then the oldest."""
        ...

    def close(self, seconds: float) -> bool:
        """Begin nothing more; wait up to `seconds` for what runs. Whether all of it has ended."""
        ...


class ThreadExecutor:
    """Lanes of daemon threads, started as they are needed.

    Args:
        host_threads: how many networks are worked on at the same time.
        on_crash: told of an exception that a job let out; the agent then ends, visibly.
    """

    def __init__(self, *, host_threads: int, on_crash: Callable[[BaseException], None]) -> None:
        sizes: Mapping[Lane, int] = {"report": 1, "server": SERVER_THREADS, "host": host_threads}
        self._lanes = {name: _Pool(name, size, on_crash) for name, size in sizes.items()}

    def submit(self, lane: Lane, job: Job, *, rank: int = 0) -> None:
        """Queue it."""
        self._lanes[lane].submit(job, rank)

    def close(self, seconds: float) -> bool:
        """What runs may end; what waits is dropped: every action can be taken up again after a start."""
        until = time.monotonic() + seconds
        for pool in self._lanes.values():
            pool.close()
        return all(pool.join(until) for pool in self._lanes.values())


class _Pool:
    def __init__(self, name: str, size: int, on_crash: Callable[[BaseException], None]) -> None:
        self._name = name
        self._size = size
        self._on_crash = on_crash
        self._number = count()
        self._waiting: queue.PriorityQueue[tuple[int, int, Job | None]] = queue.PriorityQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._closed = False

    def submit(self, job: Job, rank: int) -> None:
        with self._lock:
            if self._closed:
                return
            self._busy += 1
            if self._busy > len(self._threads) and len(self._threads) < self._size:
                name = f"{self._name} {len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._waiting.put((rank, next(self._number), job))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._waiting.put((-1, next(self._number), None))

    def join(self, until: float) -> bool:
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                return False
        return True

    def _work(self) -> None:
        while True:
            _, _, job = self._waiting.get()
            if job is None:
                return
            try:
                job()
            except BaseException as error:
                self._on_crash(error)
            finally:
                with self._lock:
                    self._busy -= 1
