"""Simulate an agent.

python -m dhcpcore.testing.simulation [--agent package.module:function] --seed N
python -m dhcpcore.testing.simulation [--agent package.module:function] (--histories N | --seconds N)

One seed plays one history and prints it; else many are played, and what there was of everything is counted.
Exit status 0 when all laws held, 1 when one was broken, with the shortest history that breaks it.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from dhcpcore.testing.simulation.campaign import load_agent, run_campaign
from dhcpcore.testing.simulation.story import LENGTH, simulate


def main(argv: Sequence[str]) -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m dhcpcore.testing.simulation")
    parser.add_argument("--agent", default="dhcpcore.testing.simulation:reference_agent", metavar="MODULE:FUNCTION")
    parser.add_argument("--seed", type=int, help="play this one history, and print it")
    parser.add_argument("--first-seed", type=int, help="of many; default: a fresh one")
    parser.add_argument("--histories", type=int, help="how many")
    parser.add_argument("--seconds", type=float, help="for how long")
    parser.add_argument("--length", type=int, default=LENGTH, help=f"things that happen in each ({LENGTH})")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    asked = parser.parse_args(argv)
    try:
        make_agent = load_agent(asked.agent)
    except ValueError as error:
        parser.error(str(error))
    if asked.seed is not None:
        try:
            world = simulate(make_agent, seed=asked.seed, length=asked.length)
        except AssertionError as broken:
            print(broken)
            return 1
        print("\n".join(world.log))
        print(f"simulation: seed {asked.seed}: {world.tally}")
        return 0
    if asked.histories is None and asked.seconds is None:
        parser.error("say --seed, --histories or --seconds")
    first = secrets.randbelow(1 << 40) if asked.first_seed is None else asked.first_seed
    campaign = run_campaign(
        asked.agent,
        first_seed=first,
        histories=asked.histories,
        seconds=asked.seconds,
        length=asked.length,
        workers=asked.workers,
    )
    for said in campaign.failures.values():
        print(said)
    rate = campaign.tally.histories / campaign.wall_seconds
    print(f"simulation: {campaign.tally}")
    print(f"simulation: from seed {first}, {campaign.wall_seconds:.0f} s, {rate:.1f} histories a second")
    if campaign.failures:
        print("simulation: FAILED")
    elif not campaign.tally.histories:
        print("simulation: FAILED, nothing was played: the time was too short to begin")
    return 1 if campaign.failures or not campaign.tally.histories else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
