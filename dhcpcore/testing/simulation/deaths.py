"""Processes that end, and how the agent comes to know of it: through the watcher that it made, or else as an event.

Knows the host's processes and who watches them; lets none end but those of a doomed network, and knows no law.  What
has ended is told when the world tells, not when it happens: the agent may be busy, or killed, meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field

from dhcpcore.events import Event, ProcessDied, ProxyDied
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedProcess
from dhcpcore.state import AgentState
from dhcpcore.testing.host import MemoryHost
from dhcpcore.testing.host.kernel import Process
from dhcpcore.testing.simulation.parts import SteppedAgent, Watcher


@define
class _Watch:
    """The watcher of one life: pids that it watches."""

    callback: Callable[[ObservedProcess], None]
    deaths: Deaths
    pids: set[int] = field(factory=set)

    def watch(self, process: ObservedProcess) -> None:
        self.deaths.watch(self, process)

    def close(self) -> None:
        self.pids.clear()


class Deaths:
    """See the module's docstring.

    Attributes:
        doomed: the network whose processes do not live longer than until the agent is told of deaths next.
    """

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.doomed: str | None = None
        self._untold: deque[ObservedProcess] = deque()
        self._unseen: set[int] = set()
        self._watch: _Watch | None = None

    def __bool__(self) -> bool:
        """Whether watched processes have ended of which the agent is not told yet."""
        return bool(self._untold)

    def begin_life(self) -> None:
        """A new life of the agent: it has no watcher yet, and is told nothing of what was before."""
        self._watch = None
        self._untold.clear()

    def make_watcher(self, callback: Callable[[ObservedProcess], None]) -> Watcher:
        """The watcher of this life (see `SimulatedParts`)."""
        self._watch = _Watch(callback, self)
        return self._watch

    def watch(self, watch: _Watch, process: ObservedProcess) -> None:
        """A watcher is to watch a process; it may have ended before."""
        if process.pid in self._host.processes:
            watch.pids.add(process.pid)
        else:
            self._untold.append(process)

    def unseen(self, pid: int) -> None:
        """Nobody will notice when this process ends."""
        self._unseen.add(pid)

    def ended(self, process: Process) -> None:
        """A process has ended."""
        owner = self._host.owner(process)
        if process.pid in self._unseen:
            self._unseen.discard(process.pid)
        elif owner is not None and (self._watch is None or process.pid in self._watch.pids):
            self._untold.append(ObservedProcess(program=process.program, owner=owner, pid=process.pid, argv=()))
        if self._watch is not None:
            self._watch.pids.discard(process.pid)

    def tell(self, agent: SteppedAgent, now: float) -> bool:
        """Tell the agent of all that have ended; whether there were any."""
        if self.doomed is not None:
            self._kill_doomed(agent.state)
        any_told = bool(self._untold)
        while self._untold:
            process = self._untold.popleft()
            if self._watch is not None:
                self._watch.callback(process)
            else:
                agent.put(_event(process, agent.state, now))
        return any_told

    def _kill_doomed(self, state: AgentState) -> None:
        for pid, process in sorted(self._host.processes.items()):
            owner = self._host.owner(process)
            if owner is not None and self.doomed in (owner.rpartition("/")[2], proxy_network(state, owner)):
                self._host.kill(pid)


def proxy_network(state: AgentState, proxy_id: str) -> str:
    """The network that a metadata proxy serves, as far as the agent knows; else the id itself."""
    for record in state.networks.values():
        if record.proxy is not None and record.proxy.proxy_id == proxy_id:
            return record.id
    return proxy_id


def _event(process: ObservedProcess, state: AgentState, now: float) -> Event:
    if process.program == "dnsmasq":
        segmentation, _, network_id = process.owner.rpartition("/")
        key = InstanceKey(network_id=network_id, segmentation=segmentation or None)
        return ProcessDied(key=key, pid=process.pid, at=now)
    return ProxyDied(network_id=proxy_network(state, process.owner), pid=process.pid, at=now)
