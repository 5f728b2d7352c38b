"""New rows of the server's tables, with what Neutron fills in where nobody asked for anything."""

from __future__ import annotations

from typing import Any

from dhcpcore.model.checks import parse_cidr
from dhcpcore.testing.wireform import WireDict


def segment_row(segment_id: str, network_id: str, hosts: list[str]) -> WireDict:
    """A segment mapped to `hosts`."""
    return {
        "id": segment_id,
        "network_id": network_id,
        "name": None,
        "network_type": "vlan",
        "physical_network": "physnet1",
        "segmentation_id": None,
        "is_dynamic": False,
        "segment_index": 0,
        "hosts": hosts,
    }


def subnet_row(subnet_id: str, network: WireDict, cidr: str) -> WireDict:
    """A subnet with DHCP, all its addresses to be given out, and a gateway on the first one."""
    range_ = parse_cidr(cidr)
    last = range_.num_addresses - (2 if range_.version == 4 and range_.num_addresses > 2 else 1)
    return {
        "id": subnet_id,
        "name": "",
        "project_id": network["project_id"],
        "network_id": network["id"],
        "ip_version": range_.version,
        "subnetpool_id": None,
        "enable_dhcp": True,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "gateway_ip": str(range_[1 if range_.version == 4 and last else 0]),
        "cidr": cidr,
        "allocation_pools": [{"start": str(range_[min(1, last)]), "end": str(range_[last])}],
        "host_routes": [],
        "dns_nameservers": [],
        "revision_number": 0,
        "segment_id": None,
        "tenant_id": network["project_id"],
    }


def port_row(
    port_id: str, network: WireDict, mac_address: str, fixed_ips: list[dict[str, Any]], bound_to: str
) -> WireDict:
    """A port that nobody uses yet."""
    return {
        "id": port_id,
        "name": "",
        "network_id": network["id"],
        "project_id": network["project_id"],
        "tenant_id": network["project_id"],
        "mac_address": mac_address,
        "admin_state_up": True,
        "status": "DOWN",
        "device_id": "",
        "device_owner": "",
        "fixed_ips": fixed_ips,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": [],
        "binding:host_id": bound_to,
        "binding:vif_type": "ovs" if bound_to else "unbound",
        "revision_number": 1,
    }
