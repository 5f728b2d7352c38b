"""Deterministic simulation of whole agents: one server, one host, virtual time, and everything that may go wrong.

    simulate(make_agent, seed=1)

The agent under test is made by a parameter; `reference_agent` is one of our own.  See docs/simulation.md.
"""

from __future__ import annotations

from dhcpcore.testing.simulation.campaign import Campaign, run_campaign
from dhcpcore.testing.simulation.lanes import Lanes
from dhcpcore.testing.simulation.parts import MakeAgent, SimulatedParts, SteppedAgent, Watcher
from dhcpcore.testing.simulation.reference import ReferenceAgent, reference_agent
from dhcpcore.testing.simulation.story import BrokenLaw, simulate, wander
from dhcpcore.testing.simulation.tally import Tally
from dhcpcore.testing.simulation.troubles import HAPPENINGS
from dhcpcore.testing.simulation.upheavals import UPHEAVALS
from dhcpcore.testing.simulation.world import World

__all__ = [
    "HAPPENINGS",
    "UPHEAVALS",
    "BrokenLaw",
    "Campaign",
    "Lanes",
    "MakeAgent",
    "ReferenceAgent",
    "SimulatedParts",
    "SteppedAgent",
    "Tally",
    "Watcher",
    "World",
    "reference_agent",
    "run_campaign",
    "simulate",
    "wander",
]
