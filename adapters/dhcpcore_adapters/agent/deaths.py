"""What the death of a process means to the core: which instance or proxy has lost it.

Knows the watcher's callback and the outcomes that name processes; decides nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from dhcpcore import ActionSucceeded, AdapterError, Event, InstanceKey, ObservedProcess
from dhcpcore.actions import InstanceAction, StartProxy
from dhcpcore.contracts import Clock, ObservedHost, Reporter
from dhcpcore.events import InstanceStarted, ProcessDied, ProxyDied, ProxyStarted


class Watcher(Protocol):
    """Tells once when a watched process has died (`dhcpcore_adapters.process.DeathWatcher`)."""

    def watch(self, process: ObservedProcess) -> None:
        """Watch it; may raise `AdapterError`."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...


class OnDeath(Protocol):
    """What a watcher calls."""

    def __call__(self, process: ObservedProcess, exit_code: int | None = None, /) -> None:
        """It has ended; how, where that is known: a signal is below zero."""
        ...


class Deaths:
    """Watches every process that the agent hears of, and tells it of their ends.

    Args:
        make: from a callback to a watcher that calls it.
        ended_with: says what it means that a program ended with a status, and what to do.
        tell: takes the events.
    """

    def __init__(
        self,
        make: Callable[[OnDeath], Watcher],
        *,
        tell: Callable[[Event], None],
        clock: Clock,
        reporter: Reporter,
        ended_with: Callable[[str, int | None], str] = lambda program, code: "",
    ) -> None:
        self._ended_with = ended_with
        self._tell = tell
        self._clock = clock
        self._reporter = reporter
        self._lock = threading.Lock()
        #: proxy id to network id, for proxies that are watched.
        self._networks: dict[str, str] = {}
        self._watcher = make(self._died)

    def observe(self, event: ActionSucceeded) -> None:
        """An action succeeded: watch the processes that it started, or found."""
        for process, network_id in _processes(event):
            if process.program == "haproxy":
                with self._lock:
                    self._networks[process.owner] = network_id
            try:
                self._watcher.watch(process)
            except AdapterError as error:
                # The audit finds it dead sooner or later.
                self._reporter.report("a process cannot be watched", pid=process.pid, error=error)

    def close(self) -> None:
        """Tell of no further death."""
        self._watcher.close()

    def _died(self, process: ObservedProcess, exit_code: int | None = None, /) -> None:
        now = self._clock.monotonic()
        detail = self._ended_with(process.program, exit_code)
        # Whether it was to end is for the core to say; so this is no warning, and gives no advice.
        fields = {"program": process.program, "owner": process.owner, "pid": process.pid, "exit_code": exit_code}
        self._reporter.report("a process has ended", **fields)
        if process.program == "haproxy":
            with self._lock:
                network_id = self._networks.pop(process.owner, process.owner)
            self._tell(ProxyDied(network_id=network_id, pid=process.pid, exit_code=exit_code, detail=detail, at=now))
        else:
            segmentation, _, network_id = process.owner.rpartition("/")
            key = InstanceKey(network_id=network_id, segmentation=segmentation or None)
            self._tell(ProcessDied(key=key, pid=process.pid, exit_code=exit_code, detail=detail, at=now))


def _processes(event: ActionSucceeded) -> Iterator[tuple[ObservedProcess, str]]:
    """Processes that an outcome names, each with its network's id."""
    action, result = event.action, event.result
    match result:
        case InstanceStarted(pid=int(pid)) if isinstance(action, InstanceAction):
            owner = action.key.directory
            yield ObservedProcess(program="dnsmasq", owner=owner, pid=pid, argv=()), action.key.network_id
        case ProxyStarted(pid=int(pid)) if isinstance(action, StartProxy):
            owner = action.spec.proxy_id
            yield ObservedProcess(program="haproxy", owner=owner, pid=pid, argv=()), action.spec.network_id
        case ObservedHost():
            for instance in result.instances:
                if instance.process is not None:
                    yield instance.process, instance.key.network_id
            for proxy in result.proxies:
                if proxy.process is not None:
                    yield proxy.process, proxy.network_id
