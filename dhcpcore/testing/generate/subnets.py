"""Subnets and their host routes: IPv4, and IPv6 in every address and RA mode."""

from __future__ import annotations

from typing import Final

from dhcpcore.model.network import (
    DHCPV6_STATEFUL,
    DHCPV6_STATELESS,
    PREFIX_DELEGATION_POOL,
    SLAAC,
    HostRoute,
    Subnet,
)
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.addresses import Range, address_of_version, address_range, gateway, nth_address
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.texts import identifier

#: (ipv6_address_mode, ipv6_ra_mode) that Neutron accepts: where both are given they are the same.
NEUTRON_MODES: Final = (
    (DHCPV6_STATEFUL, DHCPV6_STATEFUL),
    (SLAAC, SLAAC),
    (DHCPV6_STATELESS, DHCPV6_STATELESS),
    (None, None),
    (DHCPV6_STATEFUL, None),
    (SLAAC, None),
    (DHCPV6_STATELESS, None),
    (None, DHCPV6_STATEFUL),
    (None, SLAAC),
    (None, DHCPV6_STATELESS),
)
_MODES: Final = (None, DHCPV6_STATEFUL, SLAAC, DHCPV6_STATELESS)


def host_route(c: Choices, range_: Range, flavour: Flavour = Flavour.TYPICAL) -> HostRoute:
    """A route that a subnet with `range_` announces."""
    version = range_.version
    inside = nth_address(range_, c.integer(1, 20))
    nexthop = inside if c.chance(80) else address_of_version(c, version)
    if version == 4:
        destination = c.pick(
            ("10.99.0.0/16", "192.0.2.0/24", "169.254.169.254/32", "198.51.100.7/32", "0.0.0.0/0", "172.31.0.0/17")
        )
        if c.chance(5):
            nexthop = "0.0.0.0"  # "on the link", RFC 3442
    else:
        destination = c.pick(("2001:db8:99::/48", "fd00:99::/64", "::/0", "2001:db8::7/128"))
    if flavour is not Flavour.TYPICAL and c.chance(15):
        destination = c.pick(("10.99.1.7/16", "10.99.0.0", "0.0.0.0", "255.255.255.255/32", "2001:db8::1/33"))
    return HostRoute(destination=destination, nexthop=nexthop)


def _nameservers(c: Choices, range_: Range, flavour: Flavour) -> tuple[str, ...]:
    version = range_.version
    if c.chance(45):
        return ()
    if c.chance(12):
        return ("0.0.0.0" if version == 4 else "::",)  # announce none (Neutron's reading)
    servers = [
        nth_address(range_, c.integer(1, 60)) if c.chance(50) else address_of_version(c, version)
        for _ in range(c.integer(1, 3))
    ]
    if flavour is not Flavour.TYPICAL and c.chance(10):
        servers.insert(c.integer(0, len(servers)), c.pick(("0.0.0.0", "::", "192.0.2.9", "2001:db8::9")))
    if flavour is Flavour.HOSTILE and c.chance(5):
        servers = [nth_address(range_, number) for number in range(c.pick((63, 64, 80)))]
    return tuple(servers)


def subnet(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    network_id: str | None = None,
    subnet_id: str | None = None,
    index: int = 0,
    version: int | None = None,
    segment_id: str | None = None,
) -> Subnet:
    """One subnet.

    Args:
        network_id, subnet_id: default: made here.
        index: which of its network's subnets it is (0 to 15); decides where its range lies.
        version: 4 or 6; default: mostly 4.
    """
    version = version or (6 if c.chance(35) else 4)
    address_mode = ra_mode = None
    if version == 6:
        if flavour is Flavour.TYPICAL or c.chance(60):
            address_mode, ra_mode = c.pick(NEUTRON_MODES)
        else:
            address_mode, ra_mode = c.pick(_MODES), c.pick(_MODES)
    slaac = flavour is Flavour.TYPICAL and bool({address_mode, ra_mode} & {SLAAC, DHCPV6_STATELESS})
    range_ = address_range(c, index, version, flavour, slaac=slaac)
    delegated = version == 6 and c.chance(5)
    if flavour is Flavour.HOSTILE and c.chance(8):
        cidr = f"{nth_address(range_, 5)}/{range_.prefixlen}"  # host bits set
    else:
        cidr = str(range_)
    routes = 0 if c.chance(60) else c.integer(1, 4)
    if flavour is Flavour.HOSTILE and c.chance(4):
        routes = c.pick((28, 36, 40))  # past what one option, or one line of dnsmasq, holds
    return Subnet(
        id=subnet_id or identifier(c, flavour),
        network_id=network_id or identifier(c, flavour),
        cidr=cidr,
        ip_version=version,
        enable_dhcp=not c.chance(12),
        gateway_ip=gateway(c, range_, flavour),
        dns_nameservers=_nameservers(c, range_, flavour),
        host_routes=tuple(host_route(c, range_, flavour) for _ in range(routes)),
        ipv6_address_mode=address_mode,
        ipv6_ra_mode=ra_mode,
        segment_id=segment_id,
        subnetpool_id=PREFIX_DELEGATION_POOL if delegated else None,
        revision_number=c.integer(0, 9),
    )
