"""An executor in a test's hands: nothing runs until the test says so, and then in the test's own thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dhcpcore import DnsmasqCapabilities, HostCapabilities, Settings, initial_state
from dhcpcore.testing import (
    MemoryClock,
    MemoryHost,
    MemoryServer,
    RecordingReporter,
)
from dhcpcore_adapters.agent import Agent, Lane
from support.memory_adapters import memory_adapters

HOST: Final = "host-1"


class HandExecutor:
    """Jobs wait in `waiting`, as (lane, rank, job), until they are run."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Lane, int, Callable[[], object]]] = []

    def submit(self, lane: Lane, job: Callable[[], object], *, rank: int = 0) -> None:
        self.waiting.append((lane, rank, job))

    def close(self, seconds: float) -> bool:
        self.waiting.clear()
        return True

    def run(self, *lanes: Lane) -> int:
        """Run what waits in these lanes, or in all; how many jobs that were."""
        chosen = [each for each in self.waiting if not lanes or each[0] in lanes]
        self.waiting = [each for each in self.waiting if each not in chosen]
        for _, _, job in sorted(chosen, key=lambda each: each[1]):
            job()
        return len(chosen)


class Rig:
    """An agent over in-memory adapters, moved by hand."""

    def __init__(self, server: MemoryServer | None = None, **options: object) -> None:
        self.server = MemoryServer() if server is None else server
        assert isinstance(self.server.clock, MemoryClock)
        self.clock = self.server.clock
        self.host = MemoryHost(self.clock, self.server.faults)
        self.reporter = RecordingReporter()
        self.executor = HandExecutor()
        self.settings = Settings.from_mapping({"host": HOST, **options})
        self.adapters = memory_adapters(self.server, self.host, self.reporter, HOST)
        capabilities = HostCapabilities(dnsmasq=DnsmasqCapabilities(version=(2, 90)))
        state = initial_state(self.settings, capabilities, at=self.clock.monotonic())
        self.agent = Agent(state, self.adapters, self.executor, jitter=lambda: 0.0)

    def network(self, ports: int = 1) -> str:
        """A network on the server, scheduled to this agent, with bound ports; its id."""
        network_id: str = self.server.create_network()["id"]
        self.server.create_subnet(network_id, "10.0.0.0/24")
        self.server.desk.bind(network_id, HOST)
        for _ in range(ports):
            self.port(network_id)
        self.server.notices.take_all(HOST)
        return network_id

    def port(self, network_id: str) -> str:
        """A bound port; its id."""
        port_id: str = self.server.create_port(network_id, **{"binding:host_id": "compute-1"})["id"]
        return port_id

    def deliver(self) -> None:
        """All notifications that wait reach the agent."""
        for notice in self.server.notices.take_all(HOST):
            self.agent.notified(notice.method, notice.payload)

    def settle(self, rounds: int = 50) -> None:
        """Step and run until nothing is left to do."""
        for _ in range(rounds):
            self.deliver()
            self.agent.step()
            if not self.executor.run():
                return
        raise AssertionError(f"no end after {rounds} steps: {dict(self.agent.state.in_flight)}")
