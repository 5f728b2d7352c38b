"""Many histories: in several processes, until so many are played or the time is over, with a count of everything."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import time
from collections.abc import Iterator
from typing import Any, Final

from attrs import define, field

from dhcpcore.testing.simulation.parts import MakeAgent
from dhcpcore.testing.simulation.story import LENGTH, simulate
from dhcpcore.testing.simulation.tally import Tally

#: Histories that a worker plays between two looks at the clock.
_CHUNK: Final = 20


@define
class Campaign:
    """What came of it.

    Attributes:
        failures: what was said of each history that broke a law, by seed.
        wall_seconds: how long it took.
    """

    tally: Tally = field(factory=Tally)
    failures: dict[int, str] = field(factory=dict)
    wall_seconds: float = 0.0


def load_agent(name: str) -> MakeAgent:
    """The function ``package.module:name``.

    Raises:
        ValueError: there is none.
    """
    module, colon, function = name.partition(":")
    if not colon:
        raise ValueError(f"{name}: expected package.module:function")
    try:
        made: MakeAgent = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name}: {error}; is its directory in PYTHONPATH?") from None
    return made


def run_campaign(
    agent: str,
    *,
    first_seed: int,
    histories: int | None = None,
    seconds: float | None = None,
    length: int = LENGTH,
    workers: int = 2,
) -> Campaign:
    """Play histories of consecutive seeds, until one breaks a law.

    Args:
        agent: names a `MakeAgent`, as `load_agent` takes it.
        histories: how many at most; seconds: for how long at most; one of the two must be given.

    Raises:
        ValueError: neither is given, or there is no such agent.
    """
    if histories is None and seconds is None:
        raise ValueError("say how many histories, or for how many seconds")
    load_agent(agent)
    began = time.monotonic()
    until = float("inf") if seconds is None else began + seconds
    campaign = Campaign()

    def chunks() -> Iterator[tuple[str, int, int, int, float]]:
        seed, last = first_seed, None if histories is None else first_seed + histories
        while last is None or seed < last:
            size = _CHUNK if last is None else min(_CHUNK, last - seed)
            yield agent, seed, size, length, until
            seed += size

    # Workers are started anew: nothing of this process, its threads and locks say, comes along.
    with multiprocessing.get_context("spawn").Pool(workers, _prepare) as pool:
        waiting: list[Any] = []
        for chunk in chunks():
            waiting.append(pool.apply_async(_play, (chunk,)))
            while len(waiting) >= 2 * workers:
                _count(campaign, waiting.pop(0).get())
            if campaign.failures or time.monotonic() >= until:
                break
        for each in waiting:
            _count(campaign, each.get())
    campaign.wall_seconds = time.monotonic() - began
    return campaign


def _count(campaign: Campaign, played: tuple[Tally, dict[int, str]]) -> None:
    tally, failures = played
    campaign.tally.add(tally)
    campaign.failures.update(failures)


def quicken() -> None:
    """Let the garbage collector look rarely, and never at what is there now: a third of the time goes there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def _prepare() -> None:
    quicken()


def _play(chunk: tuple[str, int, int, int, float]) -> tuple[Tally, dict[int, str]]:
    agent, first, size, length, until = chunk
    make_agent = load_agent(agent)
    tally = Tally()
    for seed in range(first, first + size):
        if time.monotonic() >= until:
            break
        try:
            tally.add(simulate(make_agent, seed=seed, length=length).tally)
        except AssertionError as broken:
            return tally, {seed: str(broken)}
    return tally, {}
