"""Layer-2 segments of networks, and which hosts are connected to them (extension `segment`)."""

from __future__ import annotations

import uuid
from typing import Final

import sqlalchemy as sa

from reference_server.errors import conflict, invalid, not_found
from reference_server.schema import agents, networks, segments, subnets
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_segments

_TUNNELS: Final = ("vxlan", "gre", "geneve")


def hosts_of_segment(tx: Transaction, segment: Wire, *more: str) -> list[str]:
    """Hosts that are connected to it: as configured, or every one that is known (and those in `more`)."""
    mapping = tx.options.segment_hosts
    if mapping and segment["physical_network"] is not None:
        return sorted(mapping.get(segment["physical_network"], ()))
    return sorted({*tx.column(sa.select(agents.c.host).distinct()), *more})


def described_segments(tx: Transaction, network_id: str) -> list[Wire]:
    """A network's segments as agents are told of them."""
    rows = tx.rows(sa.select(segments).where(segments.c.network_id == network_id).order_by(segments.c.seq))
    names = ("id", "network_id", "name", "network_type", "physical_network", "segmentation_id", "segment_index")
    return [
        {name: row[name] for name in names} | {"is_dynamic": False, "hosts": hosts_of_segment(tx, row)} for row in rows
    ]


def create_segment(tx: Transaction, attributes: Wire, prefix: str = "") -> Wire:
    """Returns the segment.

    Args:
        attributes: of `bodies.SegmentCreate`; a tunnel's segmentation_id may be left to us.
        prefix: in front of fields' names in errors.
    """
    if tx.row(sa.select(networks.c.id).where(networks.c.id == attributes["network_id"])) is None:
        raise not_found("Network", attributes["network_id"])
    kind, number = attributes["network_type"], attributes.get("segmentation_id")
    physical_network = attributes.get("physical_network")
    if (kind in ("flat", "vlan")) != (physical_network is not None):
        needs = "is required for" if physical_network is None else "cannot be set for"
        raise invalid(f"{prefix}physical_network", f"it {needs} network_type {kind}")
    if kind in ("flat", "local") and number is not None:
        raise invalid(f"{prefix}segmentation_id", f"it cannot be set for network_type {kind}")
    if kind == "vlan" and number is None:
        raise invalid(f"{prefix}segmentation_id", "it is required for network_type vlan")
    if kind == "vlan" and (number or 0) > 4094:
        raise invalid(f"{prefix}segmentation_id", f"{number} is no VLAN: 1 to 4094")
    same_kind = segments.c.network_type == kind
    if kind in _TUNNELS and number is None:
        highest = tx.column(sa.select(sa.func.max(segments.c.segmentation_id)).where(same_kind))[0]
        number = (highest or 0) + 1
    elif kind != "local":
        same = (same_kind, segments.c.segmentation_id.is_(number), segments.c.physical_network.is_(physical_network))
        if tx.row(sa.select(segments.c.id).where(*same)) is not None:
            what = f"{kind} segment {number if number is not None else ''} of {physical_network or 'the tunnels'}"
            raise conflict("SegmentationIdInUse", f"The {what} is in use by another network.")
    siblings = tx.column(sa.select(segments.c.segment_index).where(segments.c.network_id == attributes["network_id"]))
    segment_id = str(uuid.uuid4())
    tx.db.execute(
        sa.insert(segments).values(
            id=segment_id,
            name=attributes.get("name", ""),
            description=attributes.get("description", ""),
            project_id=attributes.get("project_id", ""),
            network_id=attributes["network_id"],
            network_type=kind,
            physical_network=physical_network,
            segmentation_id=number,
            segment_index=max(siblings, default=-1) + 1,
            created_at=tx.timestamp,
            updated_at=tx.timestamp,
        )
    )
    return get_segment(tx, segment_id)


def get_segment(tx: Transaction, segment_id: str) -> Wire:
    """In wire form.

    Raises:
        ApiError: 404.
    """
    for segment in find_segments(tx, segments.c.id == segment_id):
        return segment
    raise not_found("Segment", segment_id)


def update_segment(tx: Transaction, segment_id: str, changes: Wire) -> Wire:
    """Change what is only for people; returns the segment."""
    tx.db.execute(
        sa.update(segments)
        .where(segments.c.id == segment_id)
        .values(**changes, updated_at=tx.timestamp, revision_number=segments.c.revision_number + 1)
    )
    return get_segment(tx, segment_id)


def delete_segment(tx: Transaction, segment_id: str) -> None:
    """Delete a segment that no subnet is on."""
    segment = get_segment(tx, segment_id)
    if tx.row(sa.select(subnets.c.id).where(subnets.c.segment_id == segment_id)) is not None:
        raise conflict("SegmentInUse", f"Segment {segment_id} cannot be deleted: subnets are on it.")
    if len(find_segments(tx, segments.c.network_id == segment["network_id"])) == 1:
        raise conflict("SegmentInUse", f"Segment {segment_id} cannot be deleted: it is its network's only one.")
    tx.db.execute(sa.delete(segments).where(segments.c.id == segment_id))
