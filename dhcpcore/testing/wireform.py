"""Models in the form in which Neutron 29 sends them, with all the members an agent has no use for.

Written from recorded messages, apart from `dhcpcore.wire`: parsing what this module writes, and writing what that one
parses, each check the other.  Every call makes new dicts and lists; nothing is shared with anything.
"""

from __future__ import annotations

from typing import Any, Final

from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import Port

_CREATED: Final = "2026-01-01T00:00:00Z"
_PROJECT: Final = "9b1f0a2c3d4e5f60718293a4b5c6d7e8"

WireDict = dict[str, Any]
#: What needs no copy.
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def segment_form(segment: Segment, hosts: list[str] | None = None) -> WireDict:
    """A member of ``segments``; `hosts` are those mapped to it."""
    return {
        "id": segment.id,
        "network_id": segment.network_id,
        "name": segment.name,
        "network_type": segment.network_type,
        "physical_network": segment.physical_network,
        "segmentation_id": segment.segmentation_id,
        "is_dynamic": False,
        "segment_index": 0,
        "hosts": list(hosts or ()),
    }


def subnet_form(subnet: Subnet) -> WireDict:
    """A subnet, as network answers and subnet notifications carry it."""
    pool = subnet.range
    last = pool.num_addresses - (2 if pool.version == 4 and pool.num_addresses > 2 else 1)
    return {
        "id": subnet.id,
        "name": "",
        "project_id": _PROJECT,
        "network_id": subnet.network_id,
        "ip_version": subnet.ip_version,
        "subnetpool_id": subnet.subnetpool_id,
        "enable_dhcp": subnet.enable_dhcp,
        "ipv6_ra_mode": subnet.ipv6_ra_mode,
        "ipv6_address_mode": subnet.ipv6_address_mode,
        "standard_attr_id": 100,
        "gateway_ip": subnet.gateway_ip,
        "cidr": subnet.cidr,
        "allocation_pools": [{"start": str(pool[min(1, last)]), "end": str(pool[last])}],
        "host_routes": [{"destination": route.destination, "nexthop": route.nexthop} for route in subnet.host_routes],
        "dns_nameservers": list(subnet.dns_nameservers),
        "shared": False,
        "description": "",
        "router:external": False,
        "service_types": [],
        "tags": [],
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "revision_number": subnet.revision_number,
        "segment_id": subnet.segment_id,
        "tenant_id": _PROJECT,
    }


def port_form(port: Port) -> WireDict:
    """A port, as network answers and port notifications carry it."""
    form: WireDict = {
        "id": port.id,
        "name": "",
        "network_id": port.network_id,
        "project_id": _PROJECT,
        "mac_address": port.mac_address,
        "admin_state_up": port.admin_state_up,
        "status": port.status,
        "device_id": port.device_id,
        "device_owner": port.device_owner,
        "standard_attr_id": 200,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [
            {"opt_name": option.opt_name, "opt_value": option.opt_value, "ip_version": option.ip_version}
            for option in port.extra_dhcp_opts
        ],
        "security_groups": [],
        "description": "",
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:host_id": port.binding_host_id,
        "binding:vif_type": port.binding_vif_type,
        "binding:vif_details": {"connectivity": "l2", "port_filter": True} if port.is_bound else {},
        "tags": [],
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "revision_number": port.revision_number,
        "tenant_id": _PROJECT,
    }
    if port.dns_assignment is not None:
        form["dns_name"] = ""
        form["dns_domain"] = ""
        form["dns_assignment"] = [
            {"ip_address": name.ip_address, "hostname": name.hostname, "fqdn": name.fqdn}
            for name in port.dns_assignment
        ]
    return form


def network_form(network: Network) -> WireDict:
    """A network, as get_network_info and get_active_networks_info answer it."""
    form: WireDict = {
        "id": network.id,
        "project_id": network.project_id,
        "admin_state_up": network.admin_state_up,
        "subnets": [subnet_form(subnet) for subnet in network.subnets],
        "non_local_subnets": [subnet_form(subnet) for subnet in network.non_local_subnets],
        "ports": [port_form(port) for port in network.ports],
        "mtu": network.mtu,
    }
    if network.segments:
        form["segments"] = [segment_form(segment) for segment in network.segments]
    return form


def network_resource(
    network_id: str, *, subnet_ids: list[str] | None = None, project_id: str | None = None, number: int = 0
) -> WireDict:
    """The network itself, as network_update_end carries it and as other payloads embed it: no ports, subnets by id."""
    return {
        "id": network_id,
        "name": "",
        "tenant_id": project_id or _PROJECT,
        "project_id": project_id or _PROJECT,
        "admin_state_up": True,
        "mtu": 1450,
        "status": "ACTIVE",
        "subnets": list(subnet_ids or ()),
        "standard_attr_id": 300 + number,
        "shared": False,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": False,
        "qinq": None,
        "vlan_transparent": None,
        "description": "",
        "tags": [],
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "revision_number": 1,
        "provider:network_type": "vxlan",
        "provider:physical_network": None,
        "provider:segmentation_id": 1000 + number,
    }


def copied(value: Any) -> Any:
    """A copy of plain data (dicts, lists, scalars) that shares nothing mutable with it."""
    if isinstance(value, dict):
        return {key: member if type(member) in _SCALARS else copied(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [member if type(member) in _SCALARS else copied(member) for member in value]
    return value
