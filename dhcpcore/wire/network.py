"""Networks with their subnets and segments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from dhcpcore.errors import PayloadError, shown
from dhcpcore.model.checks import check_id, parse_cidr
from dhcpcore.model.network import HostRoute, Network, Segment, Subnet
from dhcpcore.model.port import Port
from dhcpcore.wire.port import parse_port
from dhcpcore.wire.reading import as_object, as_sent, checked, each_member, members, or_default, shared, switch

#: What the project was called before; sent beside the new name, or instead of it.
_OLD_NAMES: Final = {"project_id": "tenant_id"}


def parse_network(payload: Any) -> Network:
    """A network as get_network_info and get_active_networks_info answer it.

    Raises:
        PayloadError: it, or anything in it, cannot be a model; or two of its ports, subnets or segments have one id.
    """
    network = as_object(payload)
    get: Any = network.get
    network_id = checked(network, "id", check_id)

    def subnet(member: Any) -> Subnet:
        return parse_subnet(member, network_id)

    def port(member: Any) -> Port:
        return parse_port(member, network_id)

    subnets = each_member(network, "subnets", subnet)
    non_local_subnets = each_member(network, "non_local_subnets", subnet)
    segments = each_member(network, "segments", parse_segment)
    ports = each_member(network, "ports", port)
    try:
        model = Network(
            id=network_id,
            project_id=shared(or_default(get("project_id"), get(_OLD_NAMES["project_id"]))),
            admin_state_up=switch(network, "admin_state_up"),
            mtu=get("mtu"),
            subnets=subnets,
            non_local_subnets=non_local_subnets,
            segments=segments,
            ports=ports,
        )
    except PayloadError as error:
        raise as_sent(error, network, _OLD_NAMES if get("project_id") is None else {}) from None
    known = _once("subnets", (each.id for each in subnets), set())
    _once("non_local_subnets", (each.id for each in non_local_subnets), known)
    _once("segments", (each.id for each in segments), set())
    _once("ports", (each.id for each in ports), set())
    return model


def parse_subnet(payload: Any, network_id: Any = None) -> Subnet:
    """A subnet as the server sends it.

    Args:
        payload: the object below ``subnet`` of a notification, or a member of a network's ``subnets``.
        network_id: of the network it is a member of; used where the subnet itself does not say.

    Raises:
        PayloadError: it is no subnet; the path starts at the subnet's own fields.
    """
    subnet = as_object(payload)
    get: Any = subnet.get
    host_routes = each_member(subnet, "host_routes", _host_route)
    cidr, version = get("cidr"), get("ip_version")
    if version is None and type(cidr) is str:
        try:
            version = parse_cidr(cidr).version
        except ValueError:
            version = 4  # the model says what is wrong with the range
    try:
        return Subnet(
            id=shared(get("id")),
            network_id=shared(or_default(get("network_id"), network_id)),
            cidr=cidr,
            ip_version=version,
            enable_dhcp=switch(subnet, "enable_dhcp"),
            gateway_ip=get("gateway_ip"),
            dns_nameservers=tuple(members(subnet, "dns_nameservers")),
            host_routes=host_routes,
            ipv6_address_mode=shared(get("ipv6_address_mode")),
            ipv6_ra_mode=shared(get("ipv6_ra_mode")),
            segment_id=shared(get("segment_id")),
            subnetpool_id=shared(get("subnetpool_id")),
            revision_number=or_default(get("revision_number"), 0),
        )
    except PayloadError as error:
        raise as_sent(error, subnet) from None


def parse_segment(payload: Any) -> Segment:
    """A member of a network's ``segments``.

    Raises:
        PayloadError: it is no segment; the path starts at the segment's own fields.
    """
    segment = as_object(payload)
    get: Any = segment.get
    try:
        return Segment(
            id=shared(get("id")),
            network_id=shared(get("network_id")),
            segmentation_id=get("segmentation_id"),
            network_type=shared(get("network_type")),
            physical_network=shared(get("physical_network")),
            name=get("name"),
        )
    except PayloadError as error:
        raise as_sent(error, segment) from None


def _host_route(payload: Any) -> HostRoute:
    route = as_object(payload)
    get: Any = route.get
    try:
        return HostRoute(destination=get("destination"), nexthop=get("nexthop"))
    except PayloadError as error:
        raise as_sent(error, route) from None


def _once(name: str, ids: Iterable[str], known: set[str]) -> set[str]:
    # Ids are looked up, tagged and counted by; two things of one id would silently become one.
    for index, member in enumerate(ids):
        if member in known:
            raise PayloadError(f"{name}[{index}].id", "an id that no other member has", shown(member))
        known.add(member)
    return known
