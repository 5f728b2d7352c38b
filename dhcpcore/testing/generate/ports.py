"""Ports of every kind that a DHCP agent meets, placed consistently on the subnets of one network.

`Draft` keeps what the network being made has used up; the kinds are functions over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from attrs import define, field

from dhcpcore.model.network import DHCPV6_STATELESS, SLAAC, Segment, Subnet
from dhcpcore.model.port import (
    DEVICE_ID_RESERVED_DHCP_PORT,
    DEVICE_OWNER_DHCP,
    DEVICE_OWNER_DISTRIBUTED,
    OVN_METADATA_PREFIX,
    DnsAssignment,
    FixedIP,
    Port,
)
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.addresses import address_of_version, free_address
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.options import extra_dhcp_options
from dhcpcore.testing.generate.texts import (
    domain_name,
    host_name,
    hostile_text,
    identifier,
    unique_identifier,
    unique_mac,
    uuid,
)
from dhcpcore.testing.identity import dhcp_device_id, slaac_address

#: device_owner of ports that get a reservation, with some device_id.
_SERVED_OWNERS: Final = (
    "compute:nova",
    "compute:nova",
    "compute:nova",
    "",
    "baremetal:none",
    "Octavia",
    "compute:az-1",
    "trunk:subport",
    "network:local_ip",
    "kuryr:container",
)
_ROUTER_OWNERS: Final = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_gateway",
    "network:router_centralized_snat",
)
_UNSERVED_OWNERS: Final = ("network:floatingip", "network:router_ha_interface")


@define(kw_only=True)
class Draft:
    """A network in the making.

    Attributes:
        dns: whether the server gives names to ports (extension dns-integration), and in which domain.
        ids, macs, addresses: what its ports have already.
    """

    network_id: str
    flavour: Flavour
    host: str
    subnets: Sequence[Subnet]
    segments: Sequence[Segment] = ()
    dns: str | None = None
    ids: set[str] = field(factory=set)
    macs: set[str] = field(factory=set)
    addresses: set[str] = field(factory=set)


def is_slaac(subnet: Subnet) -> bool:
    """Whether the clients of a subnet form their addresses themselves (Neutron: is_auto_address_subnet)."""
    modes = (SLAAC, DHCPV6_STATELESS)
    return subnet.ipv6_address_mode in modes or subnet.ipv6_ra_mode in modes


def _place(c: Choices, draft: Draft, subnet: Subnet, mac: str) -> FixedIP | None:
    if draft.flavour is not Flavour.TYPICAL and c.chance(4):
        if c.chance(50):
            return FixedIP(subnet_id=identifier(c, draft.flavour), ip_address=address_of_version(c, subnet.ip_version))
        return FixedIP(subnet_id=subnet.id, ip_address=address_of_version(c, subnet.ip_version))
    if is_slaac(subnet) and subnet.range.prefixlen == 64:
        return FixedIP(subnet_id=subnet.id, ip_address=slaac_address(subnet.cidr, mac))
    twice = draft.flavour is not Flavour.TYPICAL and c.chance(3)
    gateways = {subnet.gateway_ip} if subnet.gateway_ip else set()
    address = free_address(c, subnet.range, () if twice else draft.addresses | gateways)
    return None if address is None else FixedIP(subnet_id=subnet.id, ip_address=address)


def _names(c: Choices, draft: Draft, fixed_ips: Sequence[FixedIP]) -> tuple[DnsAssignment, ...] | None:
    if draft.dns is None:
        return None
    own = host_name(c, draft.flavour) if c.chance(40) else None
    assignments = []
    for fixed_ip in fixed_ips:
        generated = "host-" + fixed_ip.ip_address.replace(".", "-").replace(":", "-")
        name: str | None = generated if own is None else own
        fqdn: str | None = f"{name}.{draft.dns}." if draft.dns else name
        if draft.flavour is Flavour.HOSTILE and c.chance(10):
            name, fqdn = c.pick(((None, None), (name, None), (None, fqdn), (name, hostile_text(c))))
        assignments.append(DnsAssignment(ip_address=fixed_ip.ip_address, hostname=name, fqdn=fqdn))
    if draft.flavour is Flavour.HOSTILE and c.chance(10):
        assignments = assignments[1:]
    return tuple(assignments)


def _port(
    c: Choices,
    draft: Draft,
    *,
    owner: str,
    device_id: str,
    subnets: Sequence[Subnet],
    fixed: Sequence[FixedIP] = (),
    bound_to: str | None = None,
    plain: bool = True,
) -> Port:
    port_id = unique_identifier(c, draft.flavour, draft.ids)
    mac = unique_mac(c, draft.flavour, draft.macs)
    fixed_ips = list(fixed)
    for subnet in subnets:
        address = _place(c, draft, subnet, mac)
        # On a subnet where it makes its address itself, a port has one.
        if address is not None and address not in fixed_ips:
            fixed_ips.append(address)
            draft.addresses.add(address.ip_address)
    draft.ids.add(port_id)
    draft.macs.add(mac)
    draft.addresses.update(fixed_ip.ip_address for fixed_ip in fixed_ips)
    vif = "ovs" if bound_to else c.pick(("unbound", "binding_failed"))
    return Port(
        id=port_id,
        network_id=draft.network_id,
        mac_address=mac,
        fixed_ips=tuple(fixed_ips),
        device_id=device_id,
        device_owner=owner,
        admin_state_up=not c.chance(5),
        status=c.pick(("ACTIVE", "DOWN", "BUILD")) if bound_to else "DOWN",
        binding_host_id=bound_to or "",
        binding_vif_type=vif,
        dns_assignment=_names(c, draft, fixed_ips),
        extra_dhcp_opts=() if plain else extra_dhcp_options(c, draft.flavour),
        revision_number=c.integer(1, 9),
    )


def dhcp_port(c: Choices, draft: Draft, host: str, segment: Segment | None = None) -> Port:
    """The DHCP port of the agent on `host`, with an address on its subnets that have DHCP (or had it)."""
    subnets = [s for s in draft.subnets if s.enable_dhcp and (segment is None or s.segment_id == segment.id)]
    if c.chance(15):
        subnets = c.some(subnets)  # a subnet came or went since
    segmentation = None if segment is None else segment.segmentation_id
    device_id = dhcp_device_id(host, draft.network_id, segmentation)
    return _port(c, draft, owner=DEVICE_OWNER_DHCP, device_id=device_id, subnets=subnets, bound_to=host)


def reserved_dhcp_port(c: Choices, draft: Draft) -> Port:
    """A DHCP port that waits for an agent."""
    return _port(
        c,
        draft,
        owner=DEVICE_OWNER_DHCP,
        device_id=DEVICE_ID_RESERVED_DHCP_PORT,
        subnets=[subnet for subnet in draft.subnets if subnet.enable_dhcp],
        bound_to=draft.host if c.chance(30) else None,
    )


def router_port(c: Choices, draft: Draft, subnet: Subnet) -> Port:
    """A router's port: on the subnet's gateway address where that is free and in the subnet."""
    fixed: list[FixedIP] = []
    gateway = subnet.gateway_ip
    free = gateway is not None and gateway not in draft.addresses and ip_address(gateway) in subnet.range
    if gateway is not None and free and not c.chance(10):
        fixed = [FixedIP(subnet_id=subnet.id, ip_address=gateway)]
    return _port(
        c,
        draft,
        owner=c.pick(_ROUTER_OWNERS),
        device_id=uuid(c),
        subnets=[] if fixed else [subnet],
        fixed=fixed,
        bound_to="network-1",
    )


def ovn_metadata_port(c: Choices, draft: Draft) -> Port:
    """The metadata port of ML2/OVN."""
    return _port(
        c,
        draft,
        owner=DEVICE_OWNER_DISTRIBUTED,
        device_id=OVN_METADATA_PREFIX + draft.network_id,
        subnets=[subnet for subnet in draft.subnets if subnet.ip_version == 4],
    )


def served_port(c: Choices, draft: Draft) -> Port:
    """A port of a machine: on one IPv4 subnet and some IPv6 ones, or wherever it likes."""
    v4 = [subnet for subnet in draft.subnets if subnet.ip_version == 4]
    v6 = [subnet for subnet in draft.subnets if subnet.ip_version == 6]
    chosen = ([c.pick(v4)] if v4 and not c.chance(8) else []) + [s for s in v6 if not c.chance(20)]
    if c.chance(8):
        chosen = chosen + c.some(draft.subnets, 0, 2)  # several addresses on one subnet
    unserved = c.chance(6)
    owner = c.pick(_UNSERVED_OWNERS) if unserved else c.pick(_SERVED_OWNERS)
    if draft.flavour is Flavour.HOSTILE and c.chance(10):
        owner = hostile_text(c)
    bound_to = c.pick((draft.host, "compute-1", "compute-2")) if not c.chance(15) else None
    device_id = uuid(c) if owner else ""
    return _port(c, draft, owner=owner, device_id=device_id, subnets=chosen, bound_to=bound_to, plain=False)


def lone_draft(c: Choices, flavour: Flavour, subnets: Sequence[Subnet], network_id: str) -> Draft:
    """A draft for a port that is made by itself."""
    dns = domain_name(c, flavour) if c.chance(40) else None
    return Draft(network_id=network_id, flavour=flavour, host="host-1", subnets=subnets, dns=dns)
