"""The production agent, as the simulation makes one: its loop, its jobs, and its watching of processes."""

from __future__ import annotations

from dhcpcore import ActionSucceeded, initial_state
from dhcpcore.testing.simulation import SimulatedParts
from dhcpcore_adapters.agent import Agent
from dhcpcore_adapters.agent.deaths import Deaths
from dhcpcore_adapters.agent.loop import Record
from dhcpcore_adapters.apply import Adapters


def make_agent(parts: SimulatedParts, record: Record | None = None) -> Agent:
    """One life of it."""
    adapters = Adapters(
        server=parts.server,
        heartbeat=parts.heartbeat,
        processes=parts.processes,
        namespaces=parts.namespaces,
        files=parts.files,
        clock=parts.clock,
        reporter=parts.reporter,
    )
    state = initial_state(parts.settings, parts.capabilities, at=parts.clock.monotonic())

    def observe(event: ActionSucceeded) -> None:
        deaths.observe(event)

    agent = Agent(state, adapters, parts.executor, jitter=parts.jitter, observe=observe, record=record)
    deaths = Deaths(parts.watcher, tell=agent.put, clock=parts.clock, reporter=parts.reporter)
    return agent
