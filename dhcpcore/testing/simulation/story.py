"""One history from one seed: played, and where it breaks a law, told again as short as it can be made.

The seed draws a list of moments, each a happening and a seed of its own, so that leaving one out changes none of the
others.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from random import Random
from typing import Final

from attrs import frozen

from dhcpcore.testing.choices import Choices
from dhcpcore.testing.simulation.happenings import begin
from dhcpcore.testing.simulation.networks import Happening
from dhcpcore.testing.simulation.parts import MakeAgent
from dhcpcore.testing.simulation.quiet import check_converged, heal
from dhcpcore.testing.simulation.reference import reference_agent
from dhcpcore.testing.simulation.troubles import HAPPENINGS
from dhcpcore.testing.simulation.upheavals import UPHEAVALS
from dhcpcore.testing.simulation.world import World

LENGTH: Final = 50
_SEEDS: Final = 1 << 48
#: Histories of lower seeds have none: tests that need certain histories find them there, and go on finding them.
_WITH_UPHEAVALS: Final = 1000
#: Lines of a history that are told.
_LINES: Final = 120


class BrokenLaw(AssertionError):
    """A history broke a law; the message has its shortest form, and how to play it again.

    Attributes:
        seed: of the history; moments: those that are needed, by their position in it.
    """

    def __init__(self, message: str, seed: int, moments: tuple[int, ...]) -> None:
        super().__init__(message)
        self.seed = seed
        self.moments = moments


@frozen
class Moment:
    """Something that happens, and the seed of all that it draws."""

    happening: Happening
    seed: int


class DrawnChoices(Choices):
    """Choices from a seed, as `SeededChoices` and faster; another sequence of them."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def integer(self, low: int, high: int) -> int:
        """See `Choices.integer`."""
        return low + int(self._random() * (high - low + 1))


@frozen
class Failure:
    """What went wrong, and the world in which it did."""

    said: str
    log: tuple[str, ...]


def moments_of(seed: int, length: int, happenings: Sequence[Happening] | None = None) -> tuple[Moment, ...]:
    """The moments of a history.

    Args:
        happenings: what they are drawn from; None: everything, but upheavals only from seed `_WITH_UPHEAVALS` on.
    """
    draw = Random(seed)
    if happenings is None:
        happenings = (*HAPPENINGS, *UPHEAVALS) if seed >= _WITH_UPHEAVALS else HAPPENINGS
    return tuple(Moment(draw.choice(happenings), draw.randrange(_SEEDS)) for _ in range(length))


def play_moments(make_agent: MakeAgent, seed: int, moments: Sequence[Moment]) -> World:
    """One history: a beginning, the moments, the end of all trouble, and what must be so then.

    Raises:
        BrokenLaw: something was not as it must be (not shortened: see `simulate`).
    """
    world = World(DrawnChoices(seed), make_agent)
    try:
        begin(world)
        for moment in moments:
            world.choices = DrawnChoices(moment.seed)
            world.do(moment.happening)
        world.choices = DrawnChoices(seed + 1)
        check_converged(world, heal(world))
    except AssertionError as error:
        raise _Failed(Failure(str(error) or traceback.format_exc(limit=-3), tuple(world.log))) from error
    except Exception as error:
        # Of the agent: whatever leaves it is a bug.
        raise _Failed(Failure("".join(traceback.format_exception(error)), tuple(world.log))) from error
    world.end_life()
    world.tally.histories = 1
    world.tally.faults, world.tally.calls = world.faults.struck, world.faults.points
    world.tally.seconds = world.now - 1000.0
    return world


def wander(seed: int, length: int, make_agent: MakeAgent = reference_agent) -> World:
    """The world somewhere in the middle of a history: for laws that hold in any state."""
    world = World(DrawnChoices(seed), make_agent)
    begin(world)
    for moment in moments_of(seed, length):
        world.choices = DrawnChoices(moment.seed)
        world.do(moment.happening)
    return world


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.said)
        self.failure = failure


def simulate(
    make_agent: MakeAgent = reference_agent,
    *,
    seed: int,
    length: int = LENGTH,
    happenings: Sequence[Happening] | None = None,
    shrink_seconds: float = 20.0,
) -> World:
    """Play one history; the same seed plays the same one, whatever the machine, the time, or Python's hash seed.

    Args:
        make_agent: makes one life of the agent under test.
        length: how many things happen. happenings: what they are drawn from; None: see `moments_of`.
        shrink_seconds: how long a shorter history is looked for where this one breaks a law.

    Raises:
        BrokenLaw: it did.
    """
    moments = moments_of(seed, length, happenings)
    try:
        return play_moments(make_agent, seed, moments)
    except _Failed as failed:
        failure = failed.failure
    needed, failure = _shortened(make_agent, seed, moments, failure, time.monotonic() + shrink_seconds)
    story = "\n".join(failure.log[-_LINES:])
    name = f"{getattr(make_agent, '__module__', '?')}:{getattr(make_agent, '__qualname__', '?')}"
    again = f"python -m dhcpcore.testing.simulation --agent {name} --seed {seed} --length {length}"
    told = f"seed {seed}, {len(needed)} of its {length} moments are needed"
    moments_told = ", ".join(f"{position} {moments[position].happening.__name__}" for position in needed)
    message = f"{failure.said}\n-- {told}: {moments_told}\n-- what happened:\n{story}\n-- again:\n{again}"
    raise BrokenLaw(message, seed, needed)


def _shortened(
    make_agent: MakeAgent, seed: int, moments: Sequence[Moment], failure: Failure, until: float
) -> tuple[tuple[int, ...], Failure]:
    """The positions of moments without which nothing fails, found by leaving ever smaller pieces out."""
    needed = list(range(len(moments)))
    size = max(1, len(needed) // 2)
    while time.monotonic() < until:
        smaller = False
        start = 0
        while start < len(needed) and time.monotonic() < until:
            tried = needed[:start] + needed[start + size :]
            try:
                play_moments(make_agent, seed, [moments[position] for position in tried])
            except _Failed as failed:
                needed, failure, smaller = tried, failed.failure, True
            else:
                start += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return tuple(needed), failure
