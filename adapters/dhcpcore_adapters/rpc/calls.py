"""`dhcpcore.contracts.ServerRpc` over one function that carries a call: names and arguments, as on the wire.

Knows the names of the wire; no transport.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dhcpcore.contracts import Wire

#: From a method and its arguments to the server's answer; raises `AdapterError` and nothing else.
Carry = Callable[[str, Mapping[str, Any]], Any]


class Calls:
    """The server's methods.

    Args:
        carry: sends one call and waits for its answer.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def get_active_networks_info(self) -> Sequence[Wire]:
        """All networks this agent is to serve, with all their subnets."""
        networks: Sequence[Wire] = self._carry("get_active_networks_info", {})
        return networks

    def get_network_info(self, network_id: str) -> Wire | None:
        """One network with all its subnets; None when there is none."""
        network: Wire | None = self._carry("get_network_info", {"network_id": network_id})
        return network

    def create_dhcp_port(self, port: Wire) -> Wire | None:
        """A new DHCP port, bound to this host; None when network or subnet vanished."""
        created: Wire | None = self._carry("create_dhcp_port", {"port": port})
        return created

    def update_dhcp_port(self, port_id: str, port: Wire) -> Wire | None:
        """The changed port; None when it is not ours."""
        updated: Wire | None = self._carry("update_dhcp_port", {"port_id": port_id, "port": port})
        return updated

    def release_dhcp_port(self, network_id: str, device_id: str) -> None:
        """Delete every port of the network with this device_id."""
        self._carry("release_dhcp_port", {"network_id": network_id, "device_id": device_id})

    def dhcp_ready_on_ports(self, port_ids: Sequence[str]) -> None:
        """Their reservations are served: the server may turn them ACTIVE."""
        self._carry("dhcp_ready_on_ports", {"port_ids": list(port_ids)})

    def report_state(self, agent_state: Wire) -> str | None:
        """Returns ``new``, ``alive``, ``revived`` or None."""
        status: str | None = self._carry("report_state", {"agent_state": agent_state})
        return status
