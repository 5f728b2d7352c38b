"""What a server offers its DHCP agents, whatever transport carries it: calls one way, notifications the other.

Knows the names on the wire and no transport.  A server written against `Plugin` is reached by agents through
`in_process.InProcessTransport`, or over WebSocket through `endpoint.websocket_route`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

#: The calls, each with the names of its arguments: Neutron's (DhcpPluginApi, PluginReportStateAPI).  What is inside is
#: told in `dhcpcore.contracts.ServerRpc`; what Neutron sends beside them (host, time, enable_dhcp_filter) is not sent.
METHODS: Final[Mapping[str, frozenset[str]]] = {
    "get_active_networks_info": frozenset(),
    "get_network_info": frozenset({"network_id"}),
    "create_dhcp_port": frozenset({"port"}),
    "update_dhcp_port": frozenset({"port_id", "port"}),
    "release_dhcp_port": frozenset({"network_id", "device_id"}),
    "dhcp_ready_on_ports": frozenset({"port_ids"}),
    "report_state": frozenset({"agent_state"}),
}

#: Takes a notification's method (``port_update_end``, ...) and its payload.  May be called from any thread, returns
#: soon, never raises; the payload has been read when it returns.
Notify = Callable[[str, Mapping[str, Any]], None]


class RpcRefusal(Exception):
    """The server will not: agents are told so, by name.

    Attributes:
        name: as Neutron's exception classes are called, e.g. ``IpAddressGenerationFailure``.
        message: for people, one line.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message
        super().__init__(name, message)

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


@runtime_checkable
class Plugin(Protocol):
    """A server, as its agents' transports see it.  Both methods are called from several threads at once."""

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        """Carry out one call of one agent.

        Args:
            host: which agent calls.
            method: one of `METHODS`; arguments: by exactly the names told there, plain data.

        Returns:
            Plain data (dicts with texts for keys, lists, scalars), which nobody changes until it has been sent.

        Raises:
            RpcRefusal: the agent is told its name and message.  Any other exception is the server's own fault: the
                agent is told that there was one, and no more.
        """
        ...

    def subscribe(self, host: str, notify: Notify) -> Callable[[], None]:
        """From now on tell `notify` everything that the agent on this host is to hear, in order.

        Several subscriptions of one host may stand at a time: a connection that was lost may be noticed late.

        Returns:
            A function that ends it; called twice, it is harmless.
        """
        ...
