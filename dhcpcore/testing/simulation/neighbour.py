"""An agent on another host, at work beside the one that is looked at: whole, with a host of its own, and never broken.

It lives from one moment to the next: whenever it is looked after it does all that it can do at that time.  What it
serves is what the server gives it, while networks come to it and go; at the end that is judged as for the other.
"""

from __future__ import annotations

from typing import Final

from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.observed import ObservedProcess
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.faults import Faults, SimulatedCrash
from dhcpcore.testing.host import (
    MemoryFileStore,
    MemoryHost,
    MemoryNamespaceControl,
    MemoryProcessControl,
    leaks,
)
from dhcpcore.testing.reporter import RecordingReporter
from dhcpcore.testing.server import MemoryServer
from dhcpcore.testing.simulation.lanes import Lanes
from dhcpcore.testing.simulation.parts import MakeAgent, SimulatedParts, SteppedAgent
from dhcpcore.testing.wanted import Judge

OTHER_HOST: Final = "host-2"
#: Steps and jobs in which it must come to rest.
_TURNS: Final = 20_000


class _Watch:
    """Nothing ends there that was not to end."""

    def watch(self, process: ObservedProcess) -> None:
        pass

    def close(self) -> None:
        pass


class Neighbour:
    """See the module's docstring.

    Args:
        server: the one that both agents have; make_agent: makes a life of it.

    Attributes:
        name: its host's. host: what there is.
    """

    def __init__(self, server: MemoryServer, clock: MemoryClock, make_agent: MakeAgent) -> None:
        self.name = OTHER_HOST
        self.host = MemoryHost(clock, Faults())
        self._server, self._clock, self._make_agent = server, clock, make_agent
        self._settings = Settings(host=OTHER_HOST)
        self._lives()

    def _lives(self) -> None:
        rpc = self._server.agent(OTHER_HOST)
        self._executor = Lanes({})
        self._agent: SteppedAgent = self._make_agent(
            SimulatedParts(
                settings=self._settings,
                capabilities=HostCapabilities(),
                server=rpc,
                heartbeat=rpc,
                processes=MemoryProcessControl(self.host),
                namespaces=MemoryNamespaceControl(self.host),
                files=MemoryFileStore(self.host),
                clock=self._clock,
                reporter=RecordingReporter(limit=100),
                executor=self._executor,
                jitter=lambda: 0.5,
                watcher=lambda callback: _Watch(),
            )
        )
        self._news = True
        self._wake_at: float | None = None
        self.connected()

    def connected(self) -> None:
        """The server is there, again or for the first time: what was sent before may be lost."""
        self._agent.connected()
        self._news = True

    def disconnected(self, reason: str) -> None:
        """The server is gone; there are no calls under way."""
        self._agent.disconnected(reason)

    def end(self) -> None:
        """Its host is switched off."""
        self._executor.drop()
        self._server.disconnect(OTHER_HOST)

    @property
    def next_due(self) -> float | None:
        """When it wants to look again (monotonic seconds)."""
        return self._wake_at

    def settle(self, *, hears: bool) -> None:
        """Everything that it can do now.

        Args:
            hears: whether what the server has told it arrives.

        Raises:
            AssertionError: there is no end to it.
        """
        for _ in range(_TURNS):
            queue = self._server.notices.queue(OTHER_HOST)
            while hears and queue:
                notice = queue.popleft()
                self._agent.notified(notice.method, notice.payload)
                self._news = True
            try:
                if self._news or (self._wake_at is not None and self._wake_at <= self._clock.monotonic()):
                    self._news = False
                    due = self._agent.step()
                    self._wake_at = None if due is None else self._clock.monotonic() + due
                elif not self._executor.idle:
                    self._news = self._executor.advance(self._executor.running[0]) or self._news
                else:
                    return
            except SimulatedCrash:
                # One that was meant for the other agent met a call of this one's.
                self._executor.drop()
                self._lives()
        raise AssertionError(f"the agent on {OTHER_HOST} finds no end")

    def differences(self) -> list[str]:
        """Where its host is not as the server wants it, and what is left over there; one sentence each."""
        judge = Judge(self._server, self.host, self._settings, HostCapabilities())
        wanted = judge.wanted()
        found = [*judge.differences_from(*wanted), *leaks(self.host, *wanted)]
        return [f"on {OTHER_HOST}: {each}" for each in found]
