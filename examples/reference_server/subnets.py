"""Operations on subnets."""

from __future__ import annotations

import uuid
from ipaddress import ip_network

import sqlalchemy as sa

from reference_server import ports as port_operations
from reference_server.addresses import ROUTER_OWNERS, is_auto_address
from reference_server.errors import conflict, invalid, not_found
from reference_server.scheduling import listeners, schedule
from reference_server.schema import fixed_ips, networks, ports, segments, subnets
from reference_server.subnet_rules import check_mtu, check_range, check_whole, default_gateway, default_pools
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_networks, find_subnets


def get_subnet(tx: Transaction, subnet_id: str) -> Wire:
    """In wire form.

    Raises:
        ApiError: 404.
    """
    for subnet in find_subnets(tx, subnets.c.id == subnet_id):
        return subnet
    raise not_found("Subnet", subnet_id)


def create_subnet(tx: Transaction, attributes: Wire) -> Wire:
    """Returns the subnet. The network is given agents, if it has too few, and they are told.

    Args:
        attributes: of `bodies.SubnetCreate`.
    """
    network_id = attributes["network_id"]
    network = tx.row(sa.select(networks).where(networks.c.id == network_id))
    if network is None:
        raise not_found("Network", network_id)
    row = {"name": "", "enable_dhcp": True, "dns_nameservers": [], "host_routes": [], "segment_id": None, **attributes}
    row["project_id"] = row.get("project_id") or network["project_id"]
    check_range(row)
    check_mtu(network_id, network["mtu"], [row["ip_version"]])
    if "gateway_ip" not in attributes:
        row["gateway_ip"] = default_gateway(row["cidr"])
    if not row.get("allocation_pools"):
        row["allocation_pools"] = default_pools(row["cidr"], row["gateway_ip"])
    check_whole(row)
    _check_neighbours(tx, row)
    row |= {"id": str(uuid.uuid4()), "created_at": tx.timestamp, "updated_at": tx.timestamp, "revision_number": 0}
    tx.db.execute(sa.insert(subnets).values(**row))
    _touch_network(tx, network_id)
    schedule(tx, network_id)
    made = get_subnet(tx, row["id"])
    if is_auto_address(made):
        port_operations.add_auto_addresses(tx, network_id)
    hosts = listeners(tx, network_id, row)
    if hosts:
        network = find_networks(tx, networks.c.id == network_id)[0]
        tx.tell(hosts, "subnet_create_end", {"subnet": {**made, "network": network}})
    return made


def _check_neighbours(tx: Transaction, row: Wire) -> None:
    """The other subnets of the network, and the segment."""
    wanted = ip_network(row["cidr"])
    others = tx.rows(sa.select(subnets).where(subnets.c.network_id == row["network_id"]))
    for other in others:
        if other["ip_version"] == row["ip_version"] and wanted.overlaps(ip_network(other["cidr"])):
            raise invalid("subnet.cidr", f"{wanted} overlaps with {other['cidr']}, subnet {other['id']} of the network")
    if row["segment_id"] is not None:
        segment = tx.row(sa.select(segments).where(segments.c.id == row["segment_id"]))
        if segment is None:
            raise not_found("Segment", row["segment_id"])
        if segment["network_id"] != row["network_id"]:
            raise invalid("subnet.segment_id", f"segment {segment['id']} is of another network")
    if any((other["segment_id"] is None) != (row["segment_id"] is None) for other in others):
        raise invalid("subnet.segment_id", "either all subnets of a network are on segments or none is")


def update_subnet(tx: Transaction, subnet_id: str, changes: Wire) -> Wire:
    """Change a subnet, and return it; agents are told."""
    old = get_subnet(tx, subnet_id)
    row = {**old, **changes}
    if changes.get("enable_dhcp") is False and (old["ipv6_ra_mode"] or old["ipv6_address_mode"]):
        raise invalid("subnet.enable_dhcp", "it cannot be false while ipv6_ra_mode or ipv6_address_mode is set")
    if "allocation_pools" in changes and not changes["allocation_pools"]:
        row["allocation_pools"] = changes["allocation_pools"] = default_pools(row["cidr"], row["gateway_ip"])
    check_whole(row)
    if row["gateway_ip"] != old["gateway_ip"] and old["gateway_ip"] is not None:
        router = (
            sa.select(ports.c.id)
            .join(fixed_ips)
            .where(
                fixed_ips.c.subnet_id == subnet_id,
                fixed_ips.c.ip_address == old["gateway_ip"],
                ports.c.device_owner.in_(ROUTER_OWNERS),
            )
        )
        if (port := tx.row(router)) is not None:
            raise conflict(
                "GatewayIpInUse",
                f"Current gateway ip {old['gateway_ip']} already in use by port {port['id']}. Unable to update.",
            )
    tx.db.execute(
        sa.update(subnets)
        .where(subnets.c.id == subnet_id)
        .values(**changes, updated_at=tx.timestamp, revision_number=subnets.c.revision_number + 1)
    )
    tx.free_from.pop(subnet_id, None)
    if "enable_dhcp" in changes:
        port_operations.stop_waiting(tx, old["network_id"])
    now = get_subnet(tx, subnet_id)
    tx.tell(listeners(tx, old["network_id"], now), "subnet_update_end", {"subnet": now})
    return now


def delete_subnet(tx: Transaction, subnet_id: str) -> None:
    """Delete a subnet that only agents' ports and self-made addresses use; those ports lose that address."""
    row = get_subnet(tx, subnet_id)
    auto = is_auto_address(row)
    users = tx.rows(
        sa.select(ports.c.id, ports.c.device_owner).join(fixed_ips).where(fixed_ips.c.subnet_id == subnet_id).distinct()
    )
    for port in users:
        agents_own = port["device_owner"] in port_operations.AUTO_DELETED
        if not agents_own and (not auto or port["device_owner"] in ROUTER_OWNERS):
            raise conflict(
                "SubnetInUse",
                f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from "
                f"this subnet, among them {port['id']}.",
            )
    for port in users:
        port_operations.drop_subnet(tx, port["id"], subnet_id)
    hosts = listeners(tx, row["network_id"], row)
    tx.db.execute(sa.delete(subnets).where(subnets.c.id == subnet_id))
    tx.free_from.pop(subnet_id, None)
    _touch_network(tx, row["network_id"])
    port_operations.stop_waiting(tx, row["network_id"])
    tx.tell(hosts, "subnet_delete_end", {"subnet_id": subnet_id, "network_id": row["network_id"]})


def _touch_network(tx: Transaction, network_id: str) -> None:
    tx.db.execute(
        sa.update(networks)
        .where(networks.c.id == network_id)
        .values(updated_at=tx.timestamp, revision_number=networks.c.revision_number + 1)
    )
