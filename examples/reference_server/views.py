"""Rows in wire form, as Neutron's API answers them and as agents are told of them.

`find_*` read whole sets with a handful of queries, whatever their number.  The member standard_attr_id is for agents
alone; the API leaves it out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from reference_server.schema import agents, bindings, fixed_ips, networks, ports, segments, subnets
from reference_server.transaction import Transaction, Wire

Condition = sa.ColumnElement[bool]
#: What comes first; what is the same is ordered by age.
Order = Sequence[sa.ColumnElement[Any]]


def find_networks(tx: Transaction, *where: Condition, order: Order = ()) -> list[Wire]:
    """Networks, by default the oldest first."""
    chosen = sa.select(networks.c.id).where(*where)
    rows = tx.rows(sa.select(networks).where(*where).order_by(*_order(order, networks)))
    subnet_ids: dict[str, list[str]] = defaultdict(list)
    for row in tx.rows(sa.select(subnets.c.network_id, subnets.c.id).where(subnets.c.network_id.in_(chosen))):
        subnet_ids[row["network_id"]].append(row["id"])
    parts: dict[str, list[Wire]] = defaultdict(list)
    for row in tx.rows(sa.select(segments).where(segments.c.network_id.in_(chosen)).order_by(segments.c.seq)):
        parts[row["network_id"]].append(row)
    zones: dict[str, set[str]] = defaultdict(set)
    hosting = sa.select(bindings.c.network_id, agents.c.availability_zone).join(agents)
    for row in tx.rows(hosting.where(bindings.c.network_id.in_(chosen))):
        zones[row["network_id"]].add(row["availability_zone"] or "nova")
    return [_network(row, sorted(subnet_ids[row["id"]]), parts[row["id"]], sorted(zones[row["id"]])) for row in rows]


def _network(row: Wire, subnet_ids: list[str], parts: list[Wire], zones: list[str]) -> Wire:
    only = parts[0] if len(parts) == 1 else {}
    return {
        "id": row["id"],
        "name": row["name"],
        "tenant_id": row["project_id"],
        "project_id": row["project_id"],
        "admin_state_up": row["admin_state_up"],
        "mtu": row["mtu"],
        "status": "ACTIVE",
        "subnets": subnet_ids,
        "standard_attr_id": row["seq"],
        "shared": row["shared"],
        "availability_zone_hints": [],
        "availability_zones": zones,
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": row["router_external"],
        "qinq": None,
        "vlan_transparent": None,
        "description": row["description"],
        "tags": [],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "revision_number": row["revision_number"],
        "provider:network_type": only.get("network_type"),
        "provider:physical_network": only.get("physical_network"),
        "provider:segmentation_id": only.get("segmentation_id"),
    }


def find_subnets(tx: Transaction, *where: Condition, order: Order = ()) -> list[Wire]:
    """Subnets, by default the oldest first."""
    return [_subnet(row) for row in tx.rows(sa.select(subnets).where(*where).order_by(*_order(order, subnets)))]


def _subnet(row: Wire) -> Wire:
    return {
        "id": row["id"],
        "name": row["name"],
        "project_id": row["project_id"],
        "network_id": row["network_id"],
        "ip_version": row["ip_version"],
        "subnetpool_id": None,
        "enable_dhcp": row["enable_dhcp"],
        "ipv6_ra_mode": row["ipv6_ra_mode"],
        "ipv6_address_mode": row["ipv6_address_mode"],
        "standard_attr_id": row["seq"],
        "gateway_ip": row["gateway_ip"],
        "cidr": row["cidr"],
        "allocation_pools": row["allocation_pools"],
        "host_routes": row["host_routes"],
        "dns_nameservers": row["dns_nameservers"],
        "shared": False,
        "description": row["description"],
        "router:external": False,
        "service_types": [],
        "tags": [],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "revision_number": row["revision_number"],
        "segment_id": row["segment_id"],
        "tenant_id": row["project_id"],
    }


def find_ports(tx: Transaction, *where: Condition, order: Order = ()) -> list[Wire]:
    """Ports with their addresses, by default the oldest first."""
    addresses: dict[str, list[Wire]] = defaultdict(list)
    chosen = sa.select(ports.c.id).where(*where)
    listed = sa.select(fixed_ips.c.port_id, fixed_ips.c.subnet_id, fixed_ips.c.ip_address)
    for port_id, subnet_id, address in tx.db.execute(
        listed.where(fixed_ips.c.port_id.in_(chosen)).order_by(fixed_ips.c.seq)
    ):
        addresses[port_id].append({"subnet_id": subnet_id, "ip_address": address})
    rows = tx.db.execute(sa.select(ports).where(*where).order_by(*_order(order, ports))).mappings()
    return [port_view(row, addresses.get(row["id"], []), tx.options.dns_domain) for row in rows]


def port_view(row: Any, addresses: list[Wire], dns_domain: str) -> Wire:
    """A port's row with its addresses, in wire form."""
    bound = bool(row["host_id"])
    return {
        "id": row["id"],
        "name": row["name"],
        "network_id": row["network_id"],
        "project_id": row["project_id"],
        "mac_address": row["mac_address"],
        "admin_state_up": row["admin_state_up"],
        "status": row["status"],
        "device_id": row["device_id"],
        "device_owner": row["device_owner"],
        "standard_attr_id": row["seq"],
        "fixed_ips": addresses,
        "allowed_address_pairs": row["allowed_address_pairs"],
        "extra_dhcp_opts": row["extra_dhcp_opts"],
        "security_groups": row["security_groups"],
        "description": row["description"],
        "binding:vnic_type": row["vnic_type"],
        "binding:profile": row["profile"],
        "binding:host_id": row["host_id"],
        "binding:vif_type": "ovs" if bound else "unbound",
        "binding:vif_details": {"connectivity": "l2"} if bound else {},
        "dns_name": row["dns_name"],
        "dns_assignment": _names(row["dns_name"], addresses, dns_domain),
        "tags": [],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "revision_number": row["revision_number"],
        "tenant_id": row["project_id"],
    }


def _names(dns_name: str, addresses: list[Wire], dns_domain: str) -> list[Wire]:
    """One name for each address (neutron ml2 dns_integration)."""
    domain = dns_domain.removesuffix(".") + "." if dns_domain else ""
    names = []
    for fixed_ip in addresses:
        address = fixed_ip["ip_address"]
        name = dns_name or "host-" + address.replace(".", "-").replace(":", "-")
        fqdn = name if name.endswith(".") or not domain else f"{name}.{domain}"
        names.append({"ip_address": address, "hostname": name, "fqdn": fqdn})
    return names


def find_segments(tx: Transaction, *where: Condition, order: Order = ()) -> list[Wire]:
    """Segments, by default the oldest first."""
    names = ("id", "network_id", "name", "description", "network_type", "physical_network", "segmentation_id")
    standard = ("created_at", "updated_at", "revision_number")
    rows = tx.rows(sa.select(segments).where(*where).order_by(*_order(order, segments)))
    return [{name: row[name] for name in (*names, *standard)} | {"tags": []} for row in rows]


def find_agents(tx: Transaction, *where: Condition, order: Order = ()) -> list[Wire]:
    """Agents of every kind; `alive` is told from the heartbeat."""
    rows = tx.rows(sa.select(agents).where(*where).order_by(*_order(order, agents)))
    names = ("id", "agent_type", "binary", "topic", "host", "admin_state_up")
    return [
        {name: row[name] for name in names}
        | {name: _moment(row[name]) for name in ("created_at", "started_at", "heartbeat_timestamp")}
        | {
            "description": row["description"],
            "resources_synced": None,
            "availability_zone": row["availability_zone"],
            "alive": tx.now - row["heartbeat_timestamp"] <= tx.options.agent_down_time,
            "configurations": row["configurations"],
        }
        for row in rows
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _order(order: Order, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    return [*order, table.c.seq]
