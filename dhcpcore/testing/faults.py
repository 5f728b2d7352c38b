"""Faults on order: where a simulated adapter may fail, stop half way, or be the last thing its agent ever did.

Every call of an in-memory adapter passes numbered *points*: before it, after it, and one for each place inside where it
can be left half done.  A test arms a fault at a point: an `AdapterError`, or `SimulatedCrash`, which no `except
Exception` swallows.  Passing over all points of a run in turn is a systematic crash sweep.

Knows nothing of servers and hosts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
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


class _Call:
    """One adapter call: what `Faults.call` makes."""

    __slots__ = ("_faults", "_operation", "_subject")

    def __init__(self, faults: Faults, operation: str, subject: str) -> None:
        self._faults = faults
        self._operation = operation
        self._subject = subject

    def __enter__(self) -> Callable[[str], None]:
        self._faults.pass_point(self._operation, self._subject, "before")
        return self._within

    def _within(self, step: str) -> None:
        self._faults.pass_point(self._operation, self._subject, "within", step)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._faults.pass_point(self._operation, self._subject, "after")


@define
class Faults:
    """The faults of one simulated world, shared by its server and its hosts.

    Attributes:
        points: how many points were passed so far; struck: how many faults struck at one, crashes among them.
    """

    points: int = 0
    struck: int = 0
    _passed: deque[tuple[int, str, str, When, str]] = field(factory=lambda: deque(maxlen=200))
    _armed: list[ArmedFault] = field(factory=list)
    _crash_at: int | None = None

    @property
    def history(self) -> list[Point]:
        """The last points passed, oldest first."""
        return [
            Point(number=number, operation=operation, subject=subject, when=when, step=step)
            for number, operation, subject, when, step in self._passed
        ]

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
    def crash_ordered(self) -> bool:
        """Whether a crash is ordered and has not come yet."""
        return self._crash_at is not None

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        """The faults that may still strike."""
        return tuple(fault for fault in self._armed if fault.times != 0)

    def call(self, operation: str, subject: str = "") -> AbstractContextManager[Callable[[str], None]]:
        """Surround one adapter call; what it yields marks a place inside where the call can be left half done."""
        return _Call(self, operation, subject)

    def pass_point(self, operation: str, subject: str, when: When, step: str = "") -> None:
        """Pass a point of an adapter call.

        Raises:
            BaseException: what was ordered for it.
        """
        self.points += 1
        self._passed.append((self.points, operation, subject, when, step))
        if self._crash_at is None and not self._armed:
            return
        point = Point(number=self.points, operation=operation, subject=subject, when=when, step=step)
        if self._crash_at == self.points:
            self._crash_at = None
            self.struck += 1
            raise SimulatedCrash(str(point))
        for fault in self._armed:
            if fault.strikes(point):
                self.struck += 1
                raise fault.error()
