"""Notifications to agents: one queue for each host, as Neutron routes and shapes them.

What is cast to a host waits for it, however long it is away; what is fanned out reaches only those who listen at the
time (an agent's fanout queue is its own process's).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, field, frozen

from dhcpcore.testing.wireform import WireDict, copied

#: neutron.api.rpc.agentnotifiers.dhcp_rpc_agent_api; a created port's is 5 for one agent and 6 for the others.
PRIORITIES: Final = {
    "network_create_end": 0,
    "network_update_end": 1,
    "network_delete_end": 2,
    "subnet_create_end": 3,
    "subnet_update_end": 3,
    "subnet_delete_end": 4,
    "port_create_end": 6,
    "port_update_end": 6,
    "port_delete_end": 6,
}
PRIORITY_PORT_CREATE_HIGH: Final = 5


@frozen(kw_only=True)
class Notification:
    """One message to one agent: a method's name and its ``payload`` argument."""

    host: str
    method: str
    payload: WireDict = field(hash=False)


@define
class Notices:
    """The queues. A test may take from a queue, drop, double or reorder what is in it."""

    queues: dict[str, deque[Notification]] = field(factory=dict)
    connected: set[str] = field(factory=set)
    sent: int = 0

    def queue(self, host: str) -> deque[Notification]:
        """What waits for one host's agent, oldest first."""
        return self.queues.setdefault(host, deque())

    def cast(self, host: str, method: str, payload: WireDict, *, priority: int | None = None) -> None:
        """Send to one host's agent; the payload is copied, and gets its priority."""
        whole = copied(payload)
        if (rank := PRIORITIES.get(method) if priority is None else priority) is not None:
            whole["priority"] = rank
        self.sent += 1
        self.queue(host).append(Notification(host=host, method=method, payload=whole))

    def fanout(self, method: str, payload: WireDict) -> None:
        """Send to every agent that listens now."""
        for host in sorted(self.connected):
            self.cast(host, method, payload)

    def take_all(self, host: str) -> list[Notification]:
        """Everything that waits for one host's agent; the queue is empty afterwards."""
        queue = self.queue(host)
        taken = list(queue)
        queue.clear()
        return taken
