"""A network, its subnets, their routes and its segments."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from attrs import field, frozen

from dhcpcore.errors import PayloadError, shown
from dhcpcore.model.checks import (
    Field,
    check_address,
    check_bool,
    check_cidr,
    check_count,
    check_id,
    check_optional_address,
    check_optional_count,
    check_optional_id,
    check_optional_text,
    check_version,
    each,
    fail,
    is_ipv4,
    parse_cidr,
)
from dhcpcore.model.port import Port

SLAAC: Final = "slaac"
DHCPV6_STATEFUL: Final = "dhcpv6-stateful"
DHCPV6_STATELESS: Final = "dhcpv6-stateless"
#: subnetpool_id of subnets whose prefix comes by prefix delegation (neutron-lib IPV6_PD_POOL_ID).
PREFIX_DELEGATION_POOL: Final = "prefix_delegation"


@frozen(kw_only=True)
class HostRoute:
    """One route a subnet announces: destination CIDR and next hop."""

    destination: str = field(validator=check_cidr)
    nexthop: str = field(validator=check_address)


def _check_nameservers(_: Any, attribute: Field, value: Any) -> None:
    if type(value) is not tuple:
        raise fail(attribute.name, "a tuple of IP addresses", value)
    for index, address in enumerate(value):
        try:
            check_address(_, attribute, address)
        except PayloadError:
            raise fail(f"{attribute.name}[{index}]", "an IP address", address) from None


def _check_mode(_: Any, attribute: Field, value: Any) -> None:
    if value not in (None, SLAAC, DHCPV6_STATEFUL, DHCPV6_STATELESS):
        raise fail(attribute.name, f"{SLAAC}, {DHCPV6_STATEFUL}, {DHCPV6_STATELESS} or null", value)


@frozen(kw_only=True)
class Subnet:
    """One address range of a network.

    Attributes:
        cidr: as the server wrote it; `range` is the same parsed, host bits dropped.
        ipv6_address_mode: how a client gets its address; may be None.
        ipv6_ra_mode: who sends router advertisements; may be None.
    """

    id: str = field(validator=check_id)
    network_id: str = field(validator=check_id)
    cidr: str = field(validator=check_cidr)
    ip_version: int = field(validator=check_version)
    enable_dhcp: bool = field(default=True, validator=check_bool)
    gateway_ip: str | None = field(default=None, validator=check_optional_address)
    dns_nameservers: tuple[str, ...] = field(default=(), validator=_check_nameservers)
    host_routes: tuple[HostRoute, ...] = field(default=(), validator=each(HostRoute))
    ipv6_address_mode: str | None = field(default=None, validator=_check_mode)
    ipv6_ra_mode: str | None = field(default=None, validator=_check_mode)
    segment_id: str | None = field(default=None, validator=check_optional_id)
    subnetpool_id: str | None = field(default=None, validator=check_optional_text)
    revision_number: int = field(default=0, validator=check_count)

    def __attrs_post_init__(self) -> None:
        if self.range.version != self.ip_version:
            raise PayloadError("cidr", f"an IPv{self.ip_version} range", shown(self.cidr))
        if self.gateway_ip is not None and (4 if is_ipv4(self.gateway_ip) else 6) != self.ip_version:
            raise PayloadError("gateway_ip", f"an IPv{self.ip_version} address", shown(self.gateway_ip))

    @property
    def range(self) -> IPv4Network | IPv6Network:
        """The parsed CIDR."""
        return parse_cidr(self.cidr)


def _check_segmentation_id(_: Any, attribute: Field, value: Any) -> None:
    # An int for VLAN, VXLAN, GRE and Geneve, null for flat; becomes a directory name, hence an id when it is text.
    if type(value) is str:
        check_id(_, attribute, value)
    elif value is not None:
        check_count(_, attribute, value)


@frozen(kw_only=True)
class Segment:
    """One layer-2 segment of a routed network; a flat segment has no segmentation id."""

    id: str = field(validator=check_id)
    network_id: str | None = field(default=None, validator=check_optional_id)
    segmentation_id: int | str | None = field(default=None, validator=_check_segmentation_id)
    network_type: str | None = field(default=None, validator=check_optional_text)
    physical_network: str | None = field(default=None, validator=check_optional_text)
    name: str | None = field(default=None, validator=check_optional_text)


@frozen(kw_only=True)
class Network:
    """A layer-2 domain as the server describes it to one DHCP agent.

    Attributes:
        subnets: those this host serves; non_local_subnets: those of segments this host is not mapped to.
        segments: only for routed networks.
        mtu: bytes; None or 0 when unknown.
    """

    id: str = field(validator=check_id)
    project_id: str | None = field(default=None, validator=check_optional_text)
    admin_state_up: bool = field(default=True, validator=check_bool)
    mtu: int | None = field(default=None, validator=check_optional_count)
    subnets: tuple[Subnet, ...] = field(default=(), validator=each(Subnet))
    non_local_subnets: tuple[Subnet, ...] = field(default=(), validator=each(Subnet))
    segments: tuple[Segment, ...] = field(default=(), validator=each(Segment))
    ports: tuple[Port, ...] = field(default=(), validator=each(Port))

    @property
    def all_subnets(self) -> tuple[Subnet, ...]:
        """Local subnets first, then the non-local ones."""
        return self.subnets + self.non_local_subnets

    @property
    def namespace(self) -> str:
        """The network namespace that serves this network."""
        return f"qdhcp-{self.id}"
