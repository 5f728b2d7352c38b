"""What a simulated agent is made of, and what it must offer: the seam between the simulation and anybody's agent.

Knows the contracts; knows no agent.  A function from `SimulatedParts` to a `SteppedAgent` is all that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from attrs import frozen

from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, Reporter, ServerRpc
from dhcpcore.events import Event
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.observed import ObservedProcess
from dhcpcore.state import AgentState
from dhcpcore.testing.simulation.lanes import Lanes


@runtime_checkable
class SteppedAgent(Protocol):
    """One life of an agent, without a thread: it does something only when it is told to."""

    @property
    def state(self) -> AgentState:
        """What it knows now."""
        ...

    def put(self, event: Event) -> None:
        """Something happened; to be folded in the next step."""
        ...

    def notified(self, method: str, payload: Any) -> None:
        """A notification of the server has arrived."""
        ...

    def connected(self) -> None:
        """The connection to the server is there, again or for the first time."""
        ...

    def disconnected(self, reason: str) -> None:
        """The connection to the server is lost."""
        ...

    def step(self) -> float | None:
        """Take in what has arrived, plan once, submit the work; seconds until the next step, None: only for news."""
        ...


class Watcher(Protocol):
    """Tells once when a watched process has ended."""

    def watch(self, process: ObservedProcess) -> None:
        """Watch it."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...


@frozen(kw_only=True)
class SimulatedParts:
    """Everything outside that one life of an agent works with.

    Attributes:
        server: all calls but state reports; heartbeat: state reports.
        executor: takes jobs, as `Lanes.submit` tells.
        jitter: draws a number from 0 to 1.
        watcher: from a callback to a watcher that calls it with each watched process that has ended.  An agent that
            makes none is given the events `ProcessDied` and `ProxyDied` as the simulation makes them.
    """

    settings: Settings
    capabilities: HostCapabilities
    server: ServerRpc
    heartbeat: ServerRpc
    processes: ProcessControl
    namespaces: NamespaceControl
    files: FileStore
    clock: Clock
    reporter: Reporter
    executor: Lanes
    jitter: Callable[[], float]
    watcher: Callable[[Callable[[ObservedProcess], None]], Watcher]


MakeAgent = Callable[[SimulatedParts], SteppedAgent]
