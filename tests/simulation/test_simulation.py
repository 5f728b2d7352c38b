"""The production agent in simulated histories: its loop, its jobs call by call, the fold, the plans and the recipes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dhcpcore.testing.simulation import BrokenLaw, SimulatedParts, SteppedAgent, reference_agent, simulate
from dhcpcore_adapters.agent import Agent
from simulation.real_loop import make_agent

SHARES = 6
# Of each share. A mutant may have been found by a late one only, so it is `make test` alone that plays fewer.
HISTORIES = 50 if os.environ.get("DHCPCORE_HYPOTHESIS_PROFILE") == "test" else 100
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("share", range(SHARES))
def test_the_laws_hold(share: int) -> None:
    """A fixed share of all histories: messages lost and overtaken, outages, restored backups, wrong and slow answers,
    calls that fail, the agent killed at any call, processes that die, damage: at every step the laws of `Laws` hold,
    and afterwards the host serves what the server wants, nothing leaks, and a restart does nothing."""
    for seed in range(share * 100, share * 100 + HISTORIES):
        simulate(make_agent, seed=seed, shrink_seconds=5.0)


def test_the_reference_agent_keeps_them_too() -> None:
    for seed in range(30):
        simulate(reference_agent, seed=seed, shrink_seconds=5.0)


_FINGERPRINT = """
from dhcpcore.testing.simulation import simulate
from simulation.real_loop import make_agent
for seed in range({first}, {first} + 4):
    print(repr(simulate(make_agent, seed=seed).fields()))
"""


def test_the_same_seed_gives_the_same_history_byte_for_byte() -> None:
    """Whatever the order of sets is: files, ports, deeds, points, words and counts are the same."""
    told = set()
    for hash_seed in ("0", "1", "4711"):
        path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        command = [sys.executable, "-c", _FINGERPRINT.format(first=700)]
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
        assert ran.stdout.count(b"\n") == 4
        told.add(hashlib.sha256(ran.stdout).hexdigest())
    assert len(told) == 1


class Forgetful(Agent):
    """An agent that takes no notice of a new connection."""

    def connected(self) -> None:
        pass


def forgetful(parts: SimulatedParts) -> SteppedAgent:
    agent = make_agent(parts)
    agent.__class__ = Forgetful
    return agent


def _first_broken() -> BrokenLaw:
    for seed in range(100):
        try:
            simulate(forgetful, seed=seed, shrink_seconds=60.0)
        except BrokenLaw as broken:
            return broken
    raise AssertionError("nothing was found in an agent that forgets")


def test_a_broken_law_is_told_with_the_shortest_history_and_how_to_play_it_again() -> None:
    broken = _first_broken()
    assert 0 <= len(broken.moments) < 10
    text = str(broken)
    assert "-- what happened:\n" in text
    again = re.search(r"^python -m dhcpcore\.testing\.simulation --agent (\S+) --seed (\d+) --length 50$", text, re.M)
    assert again is not None
    assert int(again[2]) == broken.seed
    with pytest.raises(BrokenLaw):
        simulate(forgetful, seed=broken.seed, shrink_seconds=0.0)


def test_the_program_plays_one_seed_and_many() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
    program = [sys.executable, "-m", "dhcpcore.testing.simulation", "--agent", "simulation.real_loop:make_agent"]
    one = subprocess.run([*program, "--seed", "3"], env=environment, stdout=subprocess.PIPE, text=True, timeout=60)
    assert one.returncode == 0
    assert "simulation: seed 3: 1 histories, 50 happenings" in one.stdout
    many = subprocess.run(
        [*program, "--histories", "6", "--first-seed", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert many.returncode == 0, many.stdout
    assert "simulation: 6 histories, 300 happenings" in many.stdout
