"""An executor in the simulation's hands: which job runs when, and how far, is decided from outside.

A job is called, or, where it can be iterated over, taken from pause to pause: each time it yields the call that it is
about to make, or whose answer it has not looked at yet.  So jobs of different lanes are interleaved call by call, and a
call can take its time, or fail on its way, without any thread.  Knows nothing of what runs in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import count
from typing import Any

from attrs import define

Job = Callable[[], object]


@define(eq=False, kw_only=True)
class Running:
    """A job that has begun, or is about to.

    Attributes:
        scope: what it occupies, where it says so.
        pauses: what is left of it; None for one that can only be called.
        asked: the very call at which it pauses, None before the first.
        answered: whether its answer is there already: it was yielded before.
        not_before: until when its call takes (monotonic seconds).
    """

    lane: str
    scope: str | None
    job: Job
    pauses: Iterator[Any] | None
    answered: bool = False
    asked: object = None
    not_before: float = float("-inf")

    @property
    def call(self) -> str:
        """At which call it pauses, ``contract.method``; empty before the first."""
        return "" if self.asked is None else str(self.asked)


class Lanes:
    """Jobs by lane, each lane at most so many at a time.

    Args:
        sizes: of the lanes; one that is not named takes `default`.
        on_submit: told of each job.

    Attributes:
        running: what has begun, oldest first.
        submitted: how many jobs there were.
    """

    def __init__(
        self, sizes: Mapping[str, int], default: int = 4, on_submit: Callable[[object], None] | None = None
    ) -> None:
        self._on_submit = on_submit
        self._sizes = dict(sizes)
        self._default = default
        self._number = count()
        self._waiting: dict[str, list[tuple[int, int, Running]]] = {}
        self._scopes: set[str] = set()
        self.running: list[Running] = []
        self.submitted = 0

    def submit(self, lane: str, job: Job, *, rank: int = 0) -> None:
        """Carry `job` out some time; of those that wait in a lane, the lowest rank first, then the oldest.

        Raises:
            AssertionError: what it occupies is occupied already.
        """
        scope = getattr(job, "scope", None)
        if scope is not None:
            assert scope not in self._scopes, f"two jobs at a time in the scope {scope}"
            self._scopes.add(scope)
        self.submitted += 1
        if self._on_submit is not None:
            self._on_submit(job)
        pauses = iter(job) if hasattr(job, "__iter__") else None
        waiting = self._waiting.setdefault(lane, [])
        waiting.append((rank, next(self._number), Running(lane=lane, scope=scope, job=job, pauses=pauses)))
        if len(waiting) > 1:
            waiting.sort(key=lambda each: each[:2])
        self._fill(lane)

    def close(self, seconds: float) -> bool:
        """Drop everything; True: nothing runs any more."""
        self.drop()
        return True

    def drop(self) -> None:
        """The process that ran all this is dead."""
        for running in self.running:
            if running.pauses is not None and hasattr(running.pauses, "close"):
                running.pauses.close()
        self.running.clear()
        self._waiting.clear()
        self._scopes.clear()

    @property
    def idle(self) -> bool:
        """Whether there is no job at all."""
        return not self.running

    def ready(self, now: float) -> list[Running]:
        """What can go on now."""
        return [running for running in self.running if running.not_before <= now]

    def next_time(self) -> float | None:
        """When the first call that takes its time will be done."""
        return min((running.not_before for running in self.running), default=None)

    def advance(self, running: Running) -> bool:
        """Let one job go on to its next pause; whether it has ended."""
        if running.pauses is None:
            running.job()
        else:
            for call in running.pauses:
                running.answered, running.asked = call is running.asked, call
                return False
        self._end(running)
        return True

    def fail(self, prefix: str, error: Callable[[], Exception]) -> bool:
        """Let the calls fail at which jobs pause, where their names begin like this; whether a job has ended of it."""
        ended = False
        for running in [each for each in self.running if each.call.startswith(prefix)]:
            if isinstance(running.pauses, Generator):
                running.not_before = float("-inf")
                try:
                    running.answered, running.asked = False, running.pauses.throw(error())
                except StopIteration:
                    self._end(running)
                    ended = True
        return ended

    def _end(self, running: Running) -> None:
        self.running.remove(running)
        if running.scope is not None:
            self._scopes.discard(running.scope)
        self._fill(running.lane)

    def _fill(self, lane: str) -> None:
        waiting = self._waiting.get(lane)
        size = self._sizes.get(lane, self._default)
        while waiting and sum(1 for each in self.running if each.lane == lane) < size:
            self.running.append(waiting.pop(0)[2])
