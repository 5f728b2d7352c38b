"""The laws of `dhcpcore.contracts.Clock`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dhcpcore.contracts import Clock
from dhcpcore.testing.conformance.suite import Unsupported, ensure, ensure_equal

#: 2001-09-09 and 2286-11-20: what "seconds since the epoch" lies between, and milliseconds do not.
_EPOCH = (1e9, 1e10)


class ClockWorld(ABC):
    """A clock, and what makes time pass.

    Attributes:
        clock: the adapter.
        slack: seconds by which time may pass more than asked (a busy machine).
    """

    clock: Clock
    slack: float = 2.0

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let some time pass: sleep, or advance."""

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock on, or back, where that can be done without harm."""
        raise Unsupported("this world cannot set the wall clock")

    def true_wall(self) -> float:
        """The wall time, from elsewhere."""
        raise Unsupported("this world has no second clock")


class ClockConformance:
    """Held against a `ClockWorld`."""

    def test_fulfils_the_contract(self, world: ClockWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.clock, Clock), "the adapter is a Clock", type=type(world.clock))

    def test_tells_seconds_as_floats(self, world: ClockWorld) -> None:
        """Both clocks answer a float."""
        ensure_equal(type(world.clock.monotonic()), float, "monotonic() answers a float")
        ensure_equal(type(world.clock.wall()), float, "wall() answers a float")

    def test_monotonic_never_goes_back(self, world: ClockWorld) -> None:
        """Of two readings the later is not smaller."""
        last = world.clock.monotonic()
        for _ in range(200):
            now = world.clock.monotonic()
            ensure(now >= last, "monotonic() never goes back", before=last, after=now)
            last = now

    def test_monotonic_counts_seconds(self, world: ClockWorld) -> None:
        """When s seconds pass, the monotonic clock goes on by s."""
        before = world.clock.monotonic()
        world.pass_time(0.05)
        passed = world.clock.monotonic() - before
        ensure(0.045 <= passed <= 0.05 + world.slack, "monotonic() counts seconds", slept=0.05, passed=passed)

    def test_wall_counts_seconds(self, world: ClockWorld) -> None:
        """When s seconds pass, the wall clock goes on by s."""
        before = world.clock.wall()
        world.pass_time(0.05)
        passed = world.clock.wall() - before
        ensure(0.045 <= passed <= 0.05 + world.slack, "wall() counts seconds", slept=0.05, passed=passed)

    def test_wall_is_since_the_epoch(self, world: ClockWorld) -> None:
        """The wall clock counts from 1970-01-01T00:00:00Z."""
        now = world.clock.wall()
        ensure(_EPOCH[0] < now < _EPOCH[1], "wall() is seconds since the epoch", got=now)

    def test_wall_is_right(self, world: ClockWorld) -> None:
        """The wall clock agrees with another one."""
        true = world.true_wall()
        got = world.clock.wall()
        ensure(abs(got - true) <= world.slack, "wall() is the wall time", expected=true, got=got)

    def test_wall_follows_when_set(self, world: ClockWorld) -> None:
        """When the wall clock is set, the adapter tells the new time."""
        before = world.clock.wall()
        world.jump_wall(-3600.0)
        moved = world.clock.wall() - before
        ensure(abs(moved + 3600.0) <= world.slack, "wall() follows when the clock is set", set_by=-3600.0, moved=moved)

    def test_monotonic_ignores_the_wall(self, world: ClockWorld) -> None:
        """When the wall clock is set, the monotonic one does not move."""
        for jump in (-3600.0, 7200.0):
            before = world.clock.monotonic()
            world.jump_wall(jump)
            moved = world.clock.monotonic() - before
            ensure(0 <= moved <= world.slack, "monotonic() ignores the wall clock", set_by=jump, moved=moved)
