"""Operations on networks."""

from __future__ import annotations

import uuid
from typing import Final

import sqlalchemy as sa

from reference_server import ports as port_operations
from reference_server import subnets as subnet_operations
from reference_server.errors import conflict, not_found
from reference_server.scheduling import listeners
from reference_server.schema import networks, ports, segments, subnets
from reference_server.segments import create_segment
from reference_server.subnet_rules import check_mtu
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_networks

DEFAULT_PROJECT: Final = "default"


def get_network(tx: Transaction, network_id: str) -> Wire:
    """In wire form.

    Raises:
        ApiError: 404.
    """
    for network in find_networks(tx, networks.c.id == network_id):
        return network
    raise not_found("Network", network_id)


def create_network(tx: Transaction, attributes: Wire) -> Wire:
    """Returns the network. Agents hear of a network when it gets a subnet or port.

    Args:
        attributes: of `bodies.NetworkCreate`.
    """
    network_id = str(uuid.uuid4())
    part = {name: attributes.pop(name, None) for name in ("network_type", "physical_network", "segmentation_id")}
    row = {"name": "", "admin_state_up": True, "mtu": tx.options.mtu, **attributes}
    row["project_id"] = row.get("project_id") or DEFAULT_PROJECT
    row |= {"id": network_id, "created_at": tx.timestamp, "updated_at": tx.timestamp, "revision_number": 1}
    tx.db.execute(sa.insert(networks).values(**row))
    part["network_type"] = part["network_type"] or "vxlan"
    create_segment(tx, {**part, "network_id": network_id, "project_id": row["project_id"]}, prefix="network.provider:")
    return get_network(tx, network_id)


def update_network(tx: Transaction, network_id: str, changes: Wire) -> Wire:
    """Change a network, and return it; its agents are told."""
    get_network(tx, network_id)
    if "mtu" in changes:
        versions = sa.select(subnets.c.ip_version).where(subnets.c.network_id == network_id)
        check_mtu(network_id, changes["mtu"], tx.column(versions))
    tx.db.execute(
        sa.update(networks)
        .where(networks.c.id == network_id)
        .values(**changes, updated_at=tx.timestamp, revision_number=networks.c.revision_number + 1)
    )
    now = get_network(tx, network_id)
    tx.tell(listeners(tx, network_id), "network_update_end", {"network": now})
    return now


def delete_network(tx: Transaction, network_id: str) -> None:
    """Delete a network with its agents' ports and its subnets; every agent hears of it."""
    get_network(tx, network_id)
    in_use = sa.select(ports.c.id).where(
        ports.c.network_id == network_id, ports.c.device_owner.not_in(port_operations.AUTO_DELETED)
    )
    if (user := tx.row(in_use)) is not None:
        raise conflict(
            "NetworkInUse",
            f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the "
            f"network, id for these ports is {user['id']}.",
        )
    for port_id in tx.column(sa.select(ports.c.id).where(ports.c.network_id == network_id)):
        port_operations.delete_port(tx, port_id)
    for subnet_id in tx.column(sa.select(subnets.c.id).where(subnets.c.network_id == network_id)):
        subnet_operations.delete_subnet(tx, subnet_id)
    tx.db.execute(sa.delete(segments).where(segments.c.network_id == network_id))
    tx.db.execute(sa.delete(networks).where(networks.c.id == network_id))
    tx.fanout("network_delete_end", {"network_id": network_id})
