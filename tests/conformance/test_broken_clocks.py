"""The clock suite catches clocks that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from conformance.breaking import assert_caught
from dhcpcore.contracts import Clock
from dhcpcore.testing import MemoryClock
from dhcpcore.testing.conformance import ClockConformance, MemoryClockWorld


class Wrapped:
    def __init__(self, true: MemoryClock) -> None:
        self.true = true

    def monotonic(self) -> float:
        return self.true.monotonic()

    def wall(self) -> float:
        return self.true.wall()


class WallForMonotonic(Wrapped):
    def monotonic(self) -> float:
        return self.true.wall()


class MonotonicForWall(Wrapped):
    def wall(self) -> float:
        return self.true.monotonic()


class Milliseconds(Wrapped):
    def wall(self) -> float:
        return self.true.wall() * 1000


class MonotonicMilliseconds(Wrapped):
    def monotonic(self) -> float:
        return self.true.monotonic() * 1000


class WholeSeconds(Wrapped):
    def monotonic(self) -> float:
        return cast("float", int(self.true.monotonic()))


class Frozen(Wrapped):
    def __init__(self, true: MemoryClock) -> None:
        super().__init__(true)
        self.start = true.monotonic()

    def monotonic(self) -> float:
        return self.start


class OffsetTakenOnce(Wrapped):
    """wall() counts from the time of its making, so it never hears that the clock was set."""

    def __init__(self, true: MemoryClock) -> None:
        super().__init__(true)
        self.offset = true.wall() - true.monotonic()

    def wall(self) -> float:
        return self.true.monotonic() + self.offset


class GoesBack(Wrapped):
    def __init__(self, true: MemoryClock) -> None:
        super().__init__(true)
        self.readings = 0

    def monotonic(self) -> float:
        self.readings += 1
        return self.true.monotonic() - 0.001 * (self.readings % 7)


class WithoutWall:
    def __init__(self, true: MemoryClock) -> None:
        self.monotonic = true.monotonic


@pytest.mark.parametrize(
    "broken, law",
    [
        (WallForMonotonic, "test_monotonic_ignores_the_wall"),
        (MonotonicForWall, "test_wall_is_since_the_epoch"),
        (Milliseconds, "test_wall_is_since_the_epoch"),
        (MonotonicMilliseconds, "test_monotonic_counts_seconds"),
        (WholeSeconds, "test_tells_seconds_as_floats"),
        (Frozen, "test_monotonic_counts_seconds"),
        (OffsetTakenOnce, "test_wall_follows_when_set"),
        (GoesBack, "test_monotonic_never_goes_back"),
        (WithoutWall, "test_fulfils_the_contract"),
    ],
)
def test_is_caught(broken: Callable[[MemoryClock], Clock], law: str) -> None:
    assert_caught(ClockConformance, lambda: MemoryClockWorld(broken), law)
