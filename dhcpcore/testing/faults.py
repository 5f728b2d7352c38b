"""Faults on order: where a simulated adapter may fail, stop half way, or be the last thing its agent ever did.

Every call of an in-memory adapter passes numbered *points*: before it, after it, and one for each place inside where it
can be left half done.  A test arms a fault at a point: an `AdapterError`, or `SimulatedCrash`, which no `except
Exception` swallows.  Passing over all points of a run in turn is a systematic crash sweep.

Knows nothing of servers and hosts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Literal

from attrs import define, field, frozen

from dhcpcore.errors import AdapterError

When = Literal["before", "within", "after"]


class SimulatedCrash(BaseException):
    """The agent was killed here (SIGKILL, power loss).  Not an `Exception`: nothing but the simulation may catch it."""


@frozen(kw_only=True)
class Point:
    """One place where an adapter call can fail.

    Attributes:
        number: how many points the run had passed, this one included.
        operation: e.g. ``files.write``, ``server.create_dhcp_port``; subject: the path, instance, namespace or id.
        step: what the half-done call was about to do; empty before and after.
    """

    number: int
    operation: str
    subject: str
    when: When
    step: str = ""

    def __str__(self) -> str:
        return f"#{self.number} {self.when} {self.operation}({self.subject})" + (f": {self.step}" if self.step else "")


@define(kw_only=True)
class ArmedFault:
    """A fault that waits for its point.

    Attributes:
        operation, subject: shell patterns (``files.*``).
        skip: how many matching points still pass unharmed; times: how many then fail, None for all until disarmed.
        fired: how often it has struck.
    """

    operation: str
    subject: str
    when: When
    error: Callable[[], BaseException]
    skip: int = 0
    times: int | None = 1
    fired: int = 0

    def strikes(self, point: Point) -> bool:
        """Whether `point` is hit; counts it."""
        if point.when != self.when or self.times == 0:
            return False
        if not (fnmatchcase(point.operation, self.operation) and fnmatchcase(point.subject, self.subject)):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.fired += 1
        return True


def _error(error: BaseException | Callable[[], BaseException] | None) -> Callable[[], BaseException]:
    if error is None:
        return lambda: AdapterError("simulated fault")
    if isinstance(error, BaseException):
        # A new one each time: a raised exception carries its traceback, and with it all that its frames hold.
        kind, arguments, attributes = type(error), error.args, dict(vars(error))

        def again() -> BaseException:
            made = kind(*arguments)
            vars(made).update(attributes)
            return made

        return again
    return error


@define
class Faults:
    """The faults of one simulated world, shared by its server and its hosts.

    Attributes:
        points: how many points were passed so far.
        history: the last points passed, oldest first.
    """

    points: int = 0
    history: deque[Point] = field(factory=lambda: deque(maxlen=200))
    _armed: list[ArmedFault] = field(factory=list)
    _crash_at: int | None = None

    def arm(
        self,
        operation: str = "*",
        *,
        error: BaseException | Callable[[], BaseException] | None = None,
        when: When = "before",
        subject: str = "*",
        skip: int = 0,
        times: int | None = 1,
    ) -> ArmedFault:
        """Make calls of `operation` fail.

        Args:
            operation, subject: shell patterns; see `Point`.
            error: what to raise, or a function that makes it; default: a retryable `AdapterError`.
            when: ``before`` (nothing done), ``within`` (half done) or ``after`` (done, but nobody hears of it).
            skip: let so many matching points pass first.
            times: how often; None until `disarm`.
        """
        fault = ArmedFault(operation=operation, subject=subject, when=when, error=_error(error), skip=skip, times=times)
        self._armed.append(fault)
        return fault

    def crash_at(self, point: int) -> None:
        """Raise `SimulatedCrash` at the point of this number, counted from the beginning of the world."""
        self._crash_at = point

    def disarm(self, fault: ArmedFault | None = None) -> None:
        """Take one fault back, or all of them."""
        if fault is None:
            self._armed.clear()
            self._crash_at = None
        elif fault in self._armed:
            self._armed.remove(fault)

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        """The faults that may still strike."""
        return tuple(fault for fault in self._armed if fault.times != 0)

    @contextmanager
    def call(self, operation: str, subject: str = "") -> Iterator[Callable[[str], None]]:
        """Surround one adapter call; what it yields marks a place inside where the call can be left half done."""
        self._pass(operation, subject, "before")
        yield lambda step: self._pass(operation, subject, "within", step)
        self._pass(operation, subject, "after")

    def _pass(self, operation: str, subject: str, when: When, step: str = "") -> None:
        self.points += 1
        point = Point(number=self.points, operation=operation, subject=subject, when=when, step=step)
        self.history.append(point)
        if self._crash_at == self.points:
            self._crash_at = None
            raise SimulatedCrash(str(point))
        for fault in self._armed:
            if fault.strikes(point):
                raise fault.error()
