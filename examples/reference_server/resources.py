"""The API's resources: for each its names, its bodies, and its operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from attrs import frozen

from reference_server import agents, bodies, networks, ports, schema, segments, subnets, views
from reference_server.bodies import Body
from reference_server.transaction import Transaction, Wire

Find = Callable[..., list[Wire]]


@frozen(kw_only=True)
class Resource:
    """One kind of thing that has a collection of its own.

    Attributes:
        find: from conditions to the things in wire form; filters: names of the query to columns.
        create, update, delete: None where the API has none.
    """

    name: str
    kind: str
    table: sa.Table
    find: Find
    filters: Mapping[str, sa.ColumnElement[Any]]
    create_body: type[Body] | None = None
    create: Callable[[Transaction, Wire], Wire] | None = None
    update_body: type[Body]
    update: Callable[[Transaction, str, Wire], Wire]
    delete: Callable[[Transaction, str], None]

    @property
    def plural(self) -> str:
        """The name of the collection."""
        return self.name + "s"


_RENAMED: Final = {
    "host_id": "binding:host_id",
    "router_external": "router:external",
    "vnic_type": "binding:vnic_type",
}


def _filters(table: sa.Table) -> dict[str, sa.ColumnElement[Any]]:
    """Every column that holds one value, by its name in the API."""
    hidden = ("seq", "awaiting_dhcp", "created_at", "updated_at", "started_at", "heartbeat_timestamp")
    found: dict[str, sa.ColumnElement[Any]] = {
        _RENAMED.get(column.name, column.name): column
        for column in table.columns
        if column.name not in hidden and not isinstance(column.type, sa.JSON)
    }
    if "project_id" in found:
        found["tenant_id"] = found["project_id"]
    return found


def _provider() -> dict[str, sa.ColumnElement[Any]]:
    """provider:... of a network are those of its segment."""
    own = schema.segments.c.network_id == schema.networks.c.id
    return {
        f"provider:{name}": sa.select(schema.segments.c[name]).where(own).limit(1).scalar_subquery()
        for name in ("network_type", "physical_network", "segmentation_id")
    }


RESOURCES: Final = (
    Resource(
        name="network",
        kind="Network",
        table=schema.networks,
        find=views.find_networks,
        filters=_filters(schema.networks) | _provider() | {"status": sa.literal("ACTIVE")},
        create_body=bodies.NetworkCreate,
        create=networks.create_network,
        update_body=bodies.NetworkUpdate,
        update=networks.update_network,
        delete=networks.delete_network,
    ),
    Resource(
        name="subnet",
        kind="Subnet",
        table=schema.subnets,
        find=views.find_subnets,
        filters=_filters(schema.subnets),
        create_body=bodies.SubnetCreate,
        create=subnets.create_subnet,
        update_body=bodies.SubnetUpdate,
        update=subnets.update_subnet,
        delete=subnets.delete_subnet,
    ),
    Resource(
        name="port",
        kind="Port",
        table=schema.ports,
        find=views.find_ports,
        filters=_filters(schema.ports),
        create_body=bodies.PortCreate,
        create=ports.create_port,
        update_body=bodies.PortUpdate,
        update=ports.update_port,
        delete=ports.delete_port,
    ),
    Resource(
        name="segment",
        kind="Segment",
        table=schema.segments,
        find=views.find_segments,
        filters=_filters(schema.segments),
        create_body=bodies.SegmentCreate,
        create=segments.create_segment,
        update_body=bodies.SegmentUpdate,
        update=segments.update_segment,
        delete=segments.delete_segment,
    ),
    Resource(
        name="agent",
        kind="Agent",
        table=schema.agents,
        find=views.find_agents,
        filters=_filters(schema.agents),
        update_body=bodies.AgentUpdate,
        update=agents.update_agent,
        delete=agents.delete_agent,
    ),
)

#: What GET /v2.0/extensions tells: alias to name.
EXTENSIONS: Final = {
    "agent": "agent",
    "allowed-address-pairs": "Allowed Address Pairs",
    "binding": "Port Binding",
    "dhcp_agent_scheduler": "DHCP Agent Scheduler",
    "dns-integration": "DNS Integration",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "pagination": "Pagination support",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "revision-if-match": "If-Match constraints based on revision_number",
    "segment": "Segment",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-timestamp": "Resource timestamps",
}
