"""The networks that both sides are measured on, in wire form.

Standard library only, because both sides' Pythons import it.

A *plain* port has one IPv4 address, no names and no extra options; it is what most networks are made of.
"""

from __future__ import annotations

from typing import Any

HOST = "host-1"
_NETWORK = "9be29e59-3abe-4145-8c5d-{:012x}"
_SUBNET = "dd2f19d1-7086-407c-b978-{:012x}"


def port(number: int, network: int = 0) -> dict[str, Any]:
    """One instance's port as Neutron's DHCP RPC sends it, with the keys that an agent has no use for."""
    return {
        "id": f"11706531-2149-4bb8-{network & 0xFFFF:04x}-{number:012x}",
        "name": f"vm-{number}",
        "network_id": _NETWORK.format(network),
        "project_id": "fake_project_id",
        "mac_address": f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        "admin_state_up": True,
        "status": "ACTIVE",
        "device_id": f"c0ffee00-0000-4000-8000-{number:012x}",
        "device_owner": "compute:nova",
        "standard_attr_id": number,
        "fixed_ips": [{"subnet_id": _SUBNET.format(network), "ip_address": address(number)}],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": ["add8a7ed-8b8d-4000-9d7a-ad87c71d9b09"],
        "description": "",
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:host_id": f"compute-{number % 50}",
        "binding:vif_type": "ovs",
        "binding:vif_details": {
            "connectivity": "l2",
            "port_filter": True,
            "ovs_hybrid_plug": False,
            "datapath_type": "system",
            "bound_drivers": {"0": "openvswitch"},
        },
        "tags": [],
        "created_at": "2026-11-22T10:21:59Z",
        "updated_at": "2026-11-22T10:22:48Z",
        "revision_number": 5,
        "tenant_id": "fake_project_id",
    }


def address(number: int) -> str:
    """The address of a port in 10.0.0.0/8."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def dhcp_port(device_id: str, number: int, network: int = 0) -> dict[str, Any]:
    """The agent's own port."""
    return port(number, network) | {
        "id": f"d75ea2b3-11ac-44af-{network & 0xFFFF:04x}-{number:012x}",
        "device_owner": "network:dhcp",
        "device_id": device_id,
        "binding:host_id": HOST,
    }


def network(ports: int, number: int = 0, device_id: str = "") -> dict[str, Any]:
    """A network with one IPv4 subnet, the agent's port and `ports` plain ports."""
    subnet = {
        "id": _SUBNET.format(number),
        "name": "",
        "project_id": "fake_project_id",
        "network_id": _NETWORK.format(number),
        "ip_version": 4,
        "subnetpool_id": None,
        "enable_dhcp": True,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "gateway_ip": "10.0.0.1",
        "cidr": "10.0.0.0/8",
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.255.255.254"}],
        "host_routes": [],
        "dns_nameservers": [],
        "shared": False,
        "description": "",
        "service_types": [],
        "tags": [],
        "revision_number": 0,
        "tenant_id": "fake_project_id",
    }
    own = dhcp_port(device_id, 2, number)
    return {
        "id": _NETWORK.format(number),
        "project_id": "fake_project_id",
        "admin_state_up": True,
        "subnets": [subnet],
        "non_local_subnets": [],
        "ports": [own, *(port(index, number) for index in range(3, 3 + ports))],
        "mtu": 1450,
    }
