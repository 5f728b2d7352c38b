"""A Neutron server in memory, for several agents.

Its operator's side is a small Neutron API (create, update and delete networks, subnets, ports and segments; agents and
their networks); its agents' side is `MemoryServer.agent(host)`, which fulfils `dhcpcore.contracts.ServerRpc`.  What
Neutron would tell the agents waits in `MemoryServer.notices`.  Knobs make it misbehave: `faults` fails or loses calls,
`garble` answers something else, `restore` brings back an old backup.

Everything is deterministic: ids and MAC addresses are counted, time is the given clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen

from dhcpcore.contracts import Clock
from dhcpcore.model.network import Network
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.faults import Faults
from dhcpcore.testing.identity import counted_mac, counted_uuid
from dhcpcore.testing.server.agents import AgentDesk
from dhcpcore.testing.server.allocation import allocate, is_auto_address
from dhcpcore.testing.server.dhcp_rpc import MemoryServerRpc
from dhcpcore.testing.server.notices import PRIORITY_PORT_CREATE_HIGH, Notices
from dhcpcore.testing.server.refusals import Refusal
from dhcpcore.testing.server.rows import port_row, segment_row, subnet_row
from dhcpcore.testing.server.tables import Tables
from dhcpcore.testing.wireform import WireDict, copied, network_form, network_resource

#: device_owner of ports that never wait for DHCP (neutron ml2 NO_PBLOCKS_TYPES, but for ports of nobody yet).
_UNPROVISIONED = (
    "network:dhcp",
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_ha_interface",
    "network:router_gateway",
    "network:router_centralized_snat",
    "network:floatingip_agent_gateway",
    "network:floatingip",
)
#: Ports that go with their subnet (neutron AUTO_DELETE_PORT_OWNERS).
_AUTO_DELETED = ("network:dhcp", "network:distributed")
#: Changes that a DHCP agent hears of (dhcp_rpc_agent_api._notification_is_needed).
_NOTIFIED = ("fixed_ips", "mac_address", "extra_dhcp_opts", "dns_name", "dns_assignment", "dns_domain")


@frozen(kw_only=True)
class ServerCall:
    """A call that reached the server: the method and its arguments, as copies."""

    host: str
    method: str
    arguments: tuple[Any, ...]


class MemoryServer:
    """The server. See the module's docstring.

    Attributes:
        tables: its database; notices: queues of notifications; desk: agents and scheduling, with their options.
        faults: where its calls may fail, as operation ``server.<method>`` with the host as subject.
        calls: every call that reached it, oldest first; ready_reports: (host, port ids) of every dhcp_ready_on_ports.
        revise_subnets: False as with Neutron's defaults: subnets keep revision_number 0.
        dns_domain: in which domain ports get names (extension dns-integration); None: they get none.
    """

    def __init__(self, clock: Clock | None = None, faults: Faults | None = None) -> None:
        self.clock: Clock = MemoryClock() if clock is None else clock
        self.faults = Faults() if faults is None else faults
        self.tables = Tables()
        self.notices = Notices()
        self.desk = AgentDesk(self.tables, self.notices, self.clock)
        self.calls: list[ServerCall] = []
        self.ready_reports: list[tuple[str, tuple[str, ...]]] = []
        self.revise_subnets = False
        self.dns_domain: str | None = None
        self._garblers: dict[str, Callable[[Any], Any]] = {}

    # -- the agents' side ---------------------------------------------------------------------------------------------

    def agent(self, host: str) -> MemoryServerRpc:
        """The server as the agent on `host` calls it; from now on that host hears fanouts too."""
        self.notices.connected.add(host)
        return MemoryServerRpc(self, host)

    def disconnect(self, host: str) -> None:
        """The host's agent is gone: fanouts are not kept for it; casts are."""
        self.notices.connected.discard(host)

    def record(self, host: str, method: str, *arguments: Any) -> None:
        """Remember a call."""
        self.calls.append(ServerCall(host=host, method=method, arguments=tuple(copied(each) for each in arguments)))

    def garble(self, method: str, change: Callable[[Any], Any] | None) -> None:
        """Answer `change(answer)` to every call of `method`, or the truth again with None."""
        if change is None:
            self._garblers.pop(method, None)
        else:
            self._garblers[method] = change

    def answer(self, method: str, answer: Any) -> Any:
        """The answer to a call, garbled where that was asked for."""
        change = self._garblers.get(method)
        return answer if change is None else change(answer)

    def describe(self, network_id: str, host: str) -> WireDict | None:
        """A network as its agents are told of it, a copy: all subnets, with DHCP or not; None where there is none."""
        network = self.tables.networks.get(network_id)
        if network is None:
            return None
        local = subnets = self.tables.subnets_of(network_id)
        elsewhere: list[WireDict] = []
        segments: list[WireDict] = []
        if any(subnet["segment_id"] for subnet in subnets):
            segments = self.tables.segments_of(network_id)
            reachable = {segment["id"] for segment in segments if host in segment["hosts"]}
            placed = [subnet for subnet in subnets if subnet["segment_id"]]
            local = [subnet for subnet in placed if subnet["segment_id"] in reachable]
            elsewhere = [subnet for subnet in placed if subnet["segment_id"] not in reachable]
        described = {
            "id": network_id,
            "project_id": network["project_id"],
            "admin_state_up": network["admin_state_up"],
            "subnets": local,
            "non_local_subnets": elsewhere,
            "ports": self.tables.ports_of(network_id),
            "mtu": network["mtu"],
        }
        if segments:
            described["segments"] = segments
        return self._copy(described)

    # -- set-up, backup -----------------------------------------------------------------------------------------------

    def load(self, network: Network | Mapping[str, Any], hosts: Iterable[str] = ()) -> str:
        """Put a whole network into the database without a word, served by the agents on `hosts`; returns its id.

        Segments that the network calls local (by its subnets) are mapped to `hosts`.
        """
        form = network_form(network) if isinstance(network, Network) else copied(dict(network))
        network_id: str = form["id"]
        tables = self.tables
        row = network_resource(network_id, project_id=form.get("project_id"))
        row["project_id"], row["tenant_id"] = form.get("project_id"), form.get("project_id")
        row["admin_state_up"], row["mtu"] = form.get("admin_state_up", True), form.get("mtu")
        tables.networks[network_id] = row
        local = {subnet.get("segment_id") for subnet in form.get("subnets") or ()}
        for segment in form.get("segments") or ():
            segment["hosts"] = list(hosts) if segment["id"] in local else []
            tables.segments[segment["id"]] = segment
            tables.network_segments[network_id][segment["id"]] = None
        for subnet in (*(form.get("subnets") or ()), *(form.get("non_local_subnets") or ())):
            tables.subnets[subnet["id"]] = subnet
            tables.network_subnets[network_id][subnet["id"]] = None
        row["subnets"] = sorted(tables.network_subnets[network_id])
        for port in form.get("ports") or ():
            tables.add_port(port)
            if port["status"] != "ACTIVE" and self._waits_for_dhcp(port):
                tables.awaiting_dhcp.add(port["id"])
        for host in hosts:
            self.desk.bind(network_id, host)
        return network_id

    def backup(self) -> Tables:
        """Everything the server knows now."""
        return self.tables.copy()

    def restore(self, backup: Tables) -> None:
        """Back to `backup`, old revision numbers and all; nobody is told."""
        serial = self.tables.serial
        self.tables = self.desk.tables = backup.copy()
        # Ids are random in a real server: none that was given out since comes again for something else.
        self.tables.serial = serial

    # -- networks and segments ----------------------------------------------------------------------------------------

    def create_network(self, **attributes: Any) -> WireDict:
        """A new network; agents hear of it when it gets a subnet or port."""
        number = self.tables.next_serial()
        network_id = attributes.pop("id", None) or counted_uuid("network", number)
        row = network_resource(network_id, number=number) | attributes
        self.tables.networks[network_id] = row
        return self._copy(row)

    def update_network(self, network_id: str, **attributes: Any) -> WireDict:
        """Change attributes of the network itself."""
        row = self._network(network_id)
        row.update(attributes)
        row["revision_number"] += 1
        self._tell(network_id, "network_update_end", {"network": row})
        return self._copy(row)

    def delete_network(self, network_id: str) -> None:
        """Delete a network with its agents' ports and its subnets; every agent hears of the network itself."""
        self._network(network_id)
        for port in list(self.tables.ports_of(network_id)):
            if port["device_owner"] not in _AUTO_DELETED:
                raise Refusal("NetworkInUse", f"Unable to complete operation on network {network_id}.")
        for port in list(self.tables.ports_of(network_id)):
            self.delete_port(port["id"])
        for subnet in self.tables.subnets_of(network_id):
            self.delete_subnet(subnet["id"])
        for segment in self.tables.segments_of(network_id):
            del self.tables.segments[segment["id"]]
        self.tables.network_segments.pop(network_id, None)
        del self.tables.networks[network_id]
        self.tables.bindings.pop(network_id, None)
        self.notices.fanout("network_delete_end", {"network_id": network_id})

    def create_segment(self, network_id: str, *, hosts: Iterable[str] = (), **attributes: Any) -> WireDict:
        """A layer-2 segment of a network, mapped to `hosts`."""
        self._network(network_id)
        segment_id = attributes.pop("id", None) or counted_uuid("segment", self.tables.next_serial())
        row = segment_row(segment_id, network_id, list(hosts)) | attributes
        self.tables.segments[segment_id] = row
        self.tables.network_segments[network_id][segment_id] = None
        return self._copy(row)

    # -- subnets ------------------------------------------------------------------------------------------------------

    def create_subnet(self, network_id: str, cidr: str, **attributes: Any) -> WireDict:
        """A new subnet, by default with DHCP and a gateway on its first address; finds the network an agent."""
        network = self._network(network_id)
        subnet_id = attributes.pop("id", None) or counted_uuid("subnet", self.tables.next_serial())
        row = subnet_row(subnet_id, network, cidr) | attributes
        self.tables.subnets[row["id"]] = row
        self.tables.network_subnets[network_id][row["id"]] = None
        network["subnets"] = sorted(self.tables.network_subnets[network_id])
        self.desk.schedule(network_id)
        self._tell(network_id, "subnet_create_end", {"subnet": row | {"network": network}}, segment=row["segment_id"])
        return self._copy(row)

    def update_subnet(self, subnet_id: str, **attributes: Any) -> WireDict:
        """Change a subnet."""
        row = self._subnet(subnet_id)
        row.update(attributes)
        row["revision_number"] += int(self.revise_subnets)
        self._tell(row["network_id"], "subnet_update_end", {"subnet": row}, segment=row["segment_id"])
        return self._copy(row)

    def delete_subnet(self, subnet_id: str) -> None:
        """Delete a subnet that only agents' ports and self-made addresses use; those ports lose that address."""
        row = self._subnet(subnet_id)
        network_id = row["network_id"]
        users = [
            port
            for port in self.tables.ports_of(network_id)
            if any(fixed_ip["subnet_id"] == subnet_id for fixed_ip in port["fixed_ips"])
        ]
        if any(port["device_owner"] not in _AUTO_DELETED and not is_auto_address(row) for port in users):
            raise Refusal("SubnetInUse", f"Unable to complete operation on subnet {subnet_id}: in use.")
        for port in users:
            kept = [fixed_ip for fixed_ip in port["fixed_ips"] if fixed_ip["subnet_id"] != subnet_id]
            self._change_port(port, {"fixed_ips": kept})
        del self.tables.subnets[subnet_id]
        del self.tables.network_subnets[network_id][subnet_id]
        self.tables.networks[network_id]["subnets"] = sorted(self.tables.network_subnets[network_id])
        self._tell(network_id, "subnet_delete_end", {"subnet_id": subnet_id, "network_id": network_id})

    # -- ports --------------------------------------------------------------------------------------------------------

    def create_port(self, network_id: str, **attributes: Any) -> WireDict:
        """A new port.

        Args:
            fixed_ips: as Neutron takes them; absent: one IPv4 and one IPv6 address.
            attributes: any others, in wire form.
        """
        network = self._network(network_id)
        number = self.tables.next_serial()
        mac: str = attributes.pop("mac_address", None) or counted_mac(number)
        owner = attributes.get("device_owner", "")
        fixed_ips = allocate(self.tables, network_id, attributes.pop("fixed_ips", None), mac=mac, owner=owner)
        port_id = attributes.pop("id", None) or counted_uuid("port", number)
        row = port_row(port_id, network, mac, fixed_ips, attributes.get("binding:host_id", "")) | attributes
        if self.dns_domain is not None:
            row.setdefault("dns_name", "")
            row.setdefault("dns_assignment", self._names(row, self.dns_domain))
        if row["id"] in self.tables.ports:
            raise Refusal("PortInUse", f"Port {row['id']} exists.")
        self.tables.add_port(row)
        if row["device_id"] != "reserved_dhcp_port":
            self.desk.schedule(network_id)
        if self._waits_for_dhcp(row):
            self.tables.awaiting_dhcp.add(row["id"])
        listeners = self.desk.listeners(network_id)
        for host in listeners:
            priority = PRIORITY_PORT_CREATE_HIGH if host == listeners[-1] else None
            payload = {"port": row | {"network": network}}
            self.notices.cast(host, "port_create_end", payload, priority=priority)
        self._settle(row)
        return self._copy(row)

    def update_port(self, port_id: str, **attributes: Any) -> WireDict:
        """Change a port; `fixed_ips` as for a new one."""
        row = self._port(port_id)
        if "fixed_ips" in attributes:
            own = [fixed_ip["ip_address"] for fixed_ip in row["fixed_ips"]]
            attributes["fixed_ips"] = allocate(
                self.tables,
                row["network_id"],
                attributes["fixed_ips"],
                mac=str(attributes.get("mac_address", row["mac_address"])),
                owner=row["device_owner"],
                own=own,
            )
        if "binding:host_id" in attributes:
            bound = bool(attributes["binding:host_id"])
            attributes.setdefault("binding:vif_type", "ovs" if bound else "unbound")
        self._change_port(row, attributes)
        return self._copy(row)

    def delete_port(self, port_id: str) -> None:
        """Delete a port."""
        self._port(port_id)
        row = self.tables.drop_port(port_id)
        payload = {"port_id": port_id, "network_id": row["network_id"], "fixed_ips": row["fixed_ips"]}
        self._tell(row["network_id"], "port_delete_end", payload)

    def port_is_ready(self, port_id: str) -> None:
        """An agent has reported that it serves the port; an unknown one is nobody's fault."""
        self.tables.awaiting_dhcp.discard(port_id)
        if port_id in self.tables.ports:
            self._settle(self.tables.ports[port_id])

    # -- inside -------------------------------------------------------------------------------------------------------

    def _change_port(self, row: WireDict, attributes: Mapping[str, Any]) -> None:
        before = {name: row.get(name) for name in _NOTIFIED}
        moved = any(name in attributes and attributes[name] != row[name] for name in ("fixed_ips", "mac_address"))
        if "fixed_ips" in attributes:
            self.tables.set_fixed_ips(row, copied(attributes["fixed_ips"]))
            if row.get("dns_assignment") is not None and "dns_assignment" not in attributes:
                row["dns_assignment"] = self._names(row, self.dns_domain or "openstacklocal")
        row.update({name: copied(value) for name, value in attributes.items() if name != "fixed_ips"})
        row["revision_number"] += 1
        if moved and self._waits_for_dhcp(row):
            self.tables.awaiting_dhcp.add(row["id"])
        self._settle(row)
        if any(row.get(name) != before[name] for name in _NOTIFIED):
            self._tell(row["network_id"], "port_update_end", {"port": row})

    def _waits_for_dhcp(self, port: WireDict) -> bool:
        if port["device_owner"] in _UNPROVISIONED or not self.desk.hosts_of(port["network_id"]):
            return False
        subnets = (self.tables.subnets.get(fixed_ip["subnet_id"]) for fixed_ip in port["fixed_ips"])
        return any(subnet is not None and subnet["enable_dhcp"] for subnet in subnets)

    def _names(self, port: WireDict, domain: str) -> list[dict[str, str]]:
        names = []
        for fixed_ip in port["fixed_ips"]:
            address = fixed_ip["ip_address"]
            name = port.get("dns_name") or "host-" + address.replace(".", "-").replace(":", "-")
            names.append({"ip_address": address, "hostname": name, "fqdn": f"{name}.{domain}."})
        return names

    def _settle(self, port: WireDict) -> None:
        bound = port["binding:host_id"] and port["binding:vif_type"] not in (None, "", "unbound", "binding_failed")
        status = "ACTIVE" if bound and port["id"] not in self.tables.awaiting_dhcp else port["status"]
        if not bound:
            status = "DOWN"
        if status != port["status"]:
            port["status"] = status
            port["revision_number"] += 1

    def _tell(self, network_id: str, method: str, payload: WireDict, *, segment: str | None = None) -> None:
        listeners = self.desk.listeners(network_id)
        if segment is not None:
            mapped = self.tables.segments.get(segment, {}).get("hosts", [])
            listeners = [host for host in listeners if host in mapped]
        for host in listeners:
            self.notices.cast(host, method, payload)

    def _copy(self, row: WireDict) -> WireDict:
        copy: WireDict = copied(row)
        return copy

    def _network(self, network_id: str) -> WireDict:
        if network_id not in self.tables.networks:
            raise Refusal("NetworkNotFound", f"Network {network_id} could not be found.")
        return self.tables.networks[network_id]

    def _subnet(self, subnet_id: str) -> WireDict:
        if subnet_id not in self.tables.subnets:
            raise Refusal("SubnetNotFound", f"Subnet {subnet_id} could not be found.")
        return self.tables.subnets[subnet_id]

    def _port(self, port_id: str) -> WireDict:
        if port_id not in self.tables.ports:
            raise Refusal("PortNotFound", f"Port {port_id} could not be found.")
        return self.tables.ports[port_id]
