"""The server as one agent calls it: `dhcpcore.contracts.ServerRpc` over a `MemoryServer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dhcpcore.contracts import Wire
from dhcpcore.testing.identity import dhcp_device_id
from dhcpcore.testing.server.refusals import Refusal

if TYPE_CHECKING:
    from dhcpcore.testing.server.memory import MemoryServer

#: What Neutron answers with null where the reason is that something has just been deleted (dhcp_rpc._port_action).
_SWALLOWED = ("NetworkNotFound", "SubnetNotFound", "InvalidInput", "InvalidIpForSubnet")
_RESERVED = "reserved_dhcp_port"


def _body(wire: Wire, name: str) -> dict[str, Any]:
    """The resource inside ``{name: {...}}``, or the resource itself."""
    inner = wire.get(name)
    return dict(inner if isinstance(inner, Mapping) else wire)


class MemoryServerRpc:
    """One agent's connection. Refusals of the server come as `AdapterError`, with the exception's name in front."""

    def __init__(self, server: MemoryServer, host: str) -> None:
        self._server = server
        self.host = host

    def get_active_networks_info(self) -> Sequence[Wire]:
        """The networks of this host's agent: none for an agent unknown or administratively down."""

        def answer() -> list[Any]:
            server = self._server
            agent = server.tables.agents.get(self.host)
            server.desk.schedule_for(self.host)
            if agent is None or not agent.admin_state_up:
                return []
            networks = server.tables.networks
            mine = [each for each in networks if self.host in server.desk.hosts_of(each)]
            return [server.describe(each, self.host) for each in mine if networks[each]["admin_state_up"]]

        networks: Sequence[Wire] = self._call("get_active_networks_info", answer)
        return networks

    def get_network_info(self, network_id: str) -> Wire | None:
        """One network, whoever serves it; None where there is none."""
        network: Wire | None = self._call(
            "get_network_info", lambda: self._server.describe(network_id, self.host), network_id
        )
        return network

    def create_dhcp_port(self, port: Wire) -> Wire | None:
        """A new DHCP port bound to this host; None where the network or a subnet has just gone."""

        def answer() -> Any:
            attributes = _body(port, "port")
            network_id = attributes.pop("network_id")
            attributes |= {"device_owner": "network:dhcp", "binding:host_id": self.host}
            try:
                return self._server.create_port(network_id, **attributes)
            except Refusal as refusal:
                if refusal.name in _SWALLOWED:
                    return None
                raise

        created: Wire | None = self._call("create_dhcp_port", answer, port)
        return created

    def update_dhcp_port(self, port_id: str, port: Wire) -> Wire | None:
        """Change a DHCP port that is reserved or this host's; None for any other.

        A segment's DHCP port counts as another's: its device_id has a suffix that Neutron does not expect here.
        """

        def answer() -> Any:
            attributes = _body(port, "port")
            network_id = attributes["network_id"]
            known = self._server.tables.ports.get(port_id)
            if known is None or known["device_id"] not in (_RESERVED, dhcp_device_id(self.host, network_id)):
                return None
            if self.host not in self._server.desk.hosts_of(network_id):
                raise Refusal("NetworkNotFound", f"Network {network_id} could not be found.")
            changes = {name: value for name, value in attributes.items() if name not in ("network_id", "id")}
            try:
                return self._server.update_port(port_id, **changes | {"binding:host_id": self.host})
            except Refusal as refusal:
                if refusal.name in _SWALLOWED:
                    return None
                raise

        updated: Wire | None = self._call("update_dhcp_port", answer, port_id, port)
        return updated

    def release_dhcp_port(self, network_id: str, device_id: str) -> None:
        """Delete every port of the network with this device_id."""

        def answer() -> None:
            for port in list(self._server.tables.ports_of(network_id)):
                if port["device_id"] == device_id:
                    self._server.delete_port(port["id"])

        self._call("release_dhcp_port", answer, network_id, device_id)

    def dhcp_ready_on_ports(self, port_ids: Sequence[str]) -> None:
        """These ports are served: they may turn ACTIVE."""

        def answer() -> None:
            self._server.ready_reports.append((self.host, tuple(port_ids)))
            for port_id in port_ids:
                self._server.port_is_ready(port_id)

        self._call("dhcp_ready_on_ports", answer, list(port_ids))

    def report_state(self, agent_state: Wire) -> str | None:
        """A heartbeat: ``new``, ``alive``, ``revived``, or None where the server skipped it."""
        status: str | None = self._call(
            "report_state",
            lambda: self._server.desk.report(self.host, _body(agent_state, "agent_state")),
            agent_state,
        )
        return status

    def _call(self, method: str, answer: Callable[[], Any], *arguments: Any) -> Any:
        server = self._server
        with server.faults.call(f"server.{method}", self.host):
            server.record(self.host, method, *arguments)
            try:
                result = answer()
            except Refusal as refusal:
                raise refusal.as_adapter_error() from None
        return server.answer(method, result)
