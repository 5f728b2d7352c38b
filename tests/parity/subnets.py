"""Random subnets as Neutron's server sends them, and an allocator of their addresses.

Every shape here is one that a Neutron database can hold. The combinations of IPv6 modes and prefix lengths that
today's API refuses are drawn too, seldom: rows written by older releases keep them.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from draw import Draw

Subnet = dict[str, Any]

MODES = (None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless")
AUTO = ("slaac", "dhcpv6-stateless")
V6_PREFIXES = (32, 48, 56, 60, 63, 64, 65, 80, 96, 112, 120, 126)
V4_DNS = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "10.255.0.53", "192.0.2.53", "203.0.113.1")
V6_DNS = ("2001:4860:4860::8888", "2606:4700:4700::1111", "fd00::53", "2001:db8:53::1", "2620:fe::fe")
PD_POOL = "prefix_delegation"


class Addresses:
    """Hands out each address of the drawn subnets at most once, whatever subnet (or copy of its CIDR) it is for."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._taken: set[str] = set()

    def take(self, subnet: Subnet, mac: str | None = None) -> str | None:
        """A free address, EUI-64 of `mac` in a SLAAC or stateless /64; None when the subnet looks full."""
        net = ipaddress.ip_network(subnet["cidr"])
        if net.version == 6 and mac and subnet.get("ipv6_address_mode") in AUTO and net.prefixlen == 64:
            return self._claim(str(net[_eui64(mac)]))
        last = min(net.num_addresses - 2, 2**31)
        for _ in range(8):
            offset = self._draw.number(2, min(last, 250) if self._draw.chance(0.8) else last) if last >= 2 else 1
            address = self._claim(str(net[offset])) if 0 < offset < net.num_addresses else None
            if address:
                return address
        return None

    def _claim(self, address: str) -> str | None:
        if address in self._taken:
            return None
        self._taken.add(address)
        return address

    def reserve(self, address: str | None) -> None:
        if address:
            self._taken.add(address)


def _eui64(mac: str) -> int:
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    return int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")


def subnets(draw: Draw, network_id: str, addresses: Addresses) -> list[Subnet]:
    """The subnets of one network, not overlapping but where a feature says so."""
    count = draw.weighted(((1, 0), (40, 1), (32, 2), (14, 3), (8, 4), (5, 6)))
    first_octets = draw.some((10, 11, 23, 45, 100, 172, 192, 198, 203), 9, 9)
    found: list[Subnet] = []
    for index in range(count):
        if draw.chance(0.58):
            found.append(_v4(draw, first_octets[index], found, addresses))
        else:
            found.append(_v6(draw, addresses))
    if draw.chance(0.012, "subnets/same-cidr-text") and found:
        copied = draw.one(found)
        found.append({**copied, "dns_nameservers": [], "host_routes": []})
    if draw.chance(0.04, "subnets/metadata-network"):
        found.append(_metadata_network(draw, addresses))
    for subnet in found:
        subnet.update(id=draw.uuid(), network_id=network_id)
    return sorted(found, key=lambda subnet: str(subnet["id"])) if draw.chance(0.9) else found


def _v4(draw: Draw, first_octet: int, siblings: list[Subnet], addresses: Addresses) -> Subnet:
    dhcp = not draw.chance(0.08, "subnet/dhcp-disabled")
    prefix = 24 if draw.chance(0.45) else draw.number(8, 30 if dhcp else 32)
    draw.note("ipv4")
    draw.note(f"ipv4/{prefix}")
    net = ipaddress.ip_network((first_octet << 24 | draw.rng.getrandbits(24), prefix), strict=False)
    gateway = _gateway(draw, net, ("10.254.254.1", "192.0.2.1"), (78, 9, 9, 4))
    addresses.reserve(gateway)
    routes = _v4_routes(draw, net, siblings)
    if gateway is None and any(route["destination"] == "0.0.0.0/0" for route in routes):
        draw.note("host-routes/default-without-gateway")
    return _subnet(draw, net, dhcp, gateway, routes, _dns(draw, V4_DNS, "0.0.0.0"))


def _v6(draw: Draw, addresses: Addresses) -> Subnet:
    dhcp = not draw.chance(0.06, "subnet/dhcp-disabled")
    address_mode = draw.one(MODES) if dhcp else None
    ra_mode = draw.one((address_mode, address_mode, None)) if dhcp else None
    if dhcp and address_mode is None and draw.chance(0.6):
        ra_mode = draw.one(MODES)
    prefix = 64 if draw.chance(0.5) or AUTO_SET & {address_mode, ra_mode} else draw.one(V6_PREFIXES)
    if dhcp and draw.chance(0.06, "ipv6/combination-of-older-releases"):
        address_mode, ra_mode, prefix = draw.one(MODES), draw.one(MODES), draw.one(V6_PREFIXES)
    size = "64" if prefix == 64 else "<64" if prefix < 64 else ">64"
    draw.note("ipv6")
    draw.note(f"ipv6/address-mode={address_mode},ra-mode={ra_mode},prefix{size}")
    base = (
        int(ipaddress.ip_address("2001:db8::")) | draw.rng.getrandbits(94)
        if draw.chance(0.7)
        else draw.one((0xFD, 0x20, 0x2A)) << 120 | draw.rng.getrandbits(120)
    )
    net = ipaddress.ip_network((base, prefix), strict=False)
    outside = ("fe80::1", "fe80::1", "2001:db8:ffff::1")
    gateway = _gateway(draw, net, outside, (70, 5, 13, 12))
    addresses.reserve(gateway)
    routes = []
    if draw.chance(0.1, "host-routes/ipv6"):
        routes.append({"destination": draw.one(("::/0", "2001:db8:99::/48")), "nexthop": str(net[1])})
    subnet = _subnet(draw, net, dhcp, gateway, routes, _dns(draw, V6_DNS, "::"))
    subnet.update(ip_version=6, ipv6_address_mode=address_mode, ipv6_ra_mode=ra_mode)
    if prefix == 64 and address_mode in AUTO and draw.chance(0.06, "ipv6/prefix-delegation"):
        subnet["subnetpool_id"] = PD_POOL
        if draw.chance(0.3, "ipv6/prefix-delegation-not-yet-delegated"):
            subnet.update(cidr="::/64", gateway_ip=draw.one(("::1", None)))
    return subnet


AUTO_SET = set(AUTO)


def _metadata_network(draw: Draw, addresses: Addresses) -> Subnet:
    cidr = draw.one(("169.254.169.252/30", "169.254.0.0/16", "169.254.192.0/18", "169.254.128.0/17"))
    net = ipaddress.ip_network(cidr)
    gateway = draw.one((str(net[1]), None))
    addresses.reserve(gateway)
    addresses.reserve("169.254.169.254")
    return _subnet(draw, net, True, gateway, [], [])


def _subnet(
    draw: Draw,
    net: ipaddress.IPv4Network | ipaddress.IPv6Network,
    dhcp: bool,
    gateway: str | None,
    routes: list[dict[str, str]],
    dns: list[str] | None,
) -> Subnet:
    subnet: Subnet = {
        "cidr": str(net),
        "ip_version": net.version,
        "enable_dhcp": dhcp,
        "gateway_ip": gateway,
        "host_routes": routes,
        "dns_nameservers": dns,
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "subnetpool_id": None,
    }
    if draw.chance(0.08, "wire/sparse-subnet"):
        for name in ("subnetpool_id", "ipv6_ra_mode") + (("ipv6_address_mode",) if net.version == 4 else ()):
            del subnet[name]
    elif draw.chance(0.3, "wire/full-subnet"):
        subnet.update(
            name=draw.one(("", "private", "s 4")), project_id="p", tenant_id="p", standard_attr_id=draw.number(1, 9999),
            allocation_pools=[], shared=False, description="", service_types=[], tags=[], revision_number=0,
            created_at="2025-03-01T10:21:49Z", updated_at="2025-03-01T10:21:49Z", **{"router:external": False},
        )  # fmt: skip
    return subnet


def _gateway(
    draw: Draw,
    net: ipaddress.IPv4Network | ipaddress.IPv6Network,
    outside: tuple[str, ...],
    weights: tuple[float, float, float, float],
) -> str | None:
    kind = draw.weighted(list(zip(weights, ("first", "last", "none", "outside"), strict=True)))
    draw.note(f"gateway/{kind}")
    if kind == "none":
        return None
    if kind == "outside":
        return draw.one(outside)
    if net.num_addresses < 4:
        return str(net[0])
    return str(net[1] if kind == "first" or net.version == 6 else net[-2])


def _dns(draw: Draw, servers: tuple[str, ...], any_address: str) -> list[str] | None:
    family = 6 if ":" in any_address else 4
    kind = draw.weighted(((34, "none"), (48, "given"), (9, "announce-none"), (4, "any-and-others"), (2, "null")))
    if kind == "given" and family == 6 and draw.chance(0.12):
        kind = "unusual-spelling"  # the server stores the text it was given
    draw.note(f"dns-servers/{kind}/ipv{family}")
    if kind == "given":
        return draw.some(servers, 1, 4)
    if kind == "announce-none":
        return [any_address if draw.chance(0.9) or family == 4 else "0:0:0:0:0:0:0:0"]
    if kind == "any-and-others":
        return [any_address, *draw.some(servers, 1, 2)]
    if kind == "unusual-spelling":
        return [draw.one(("2001:DB8::53", "2001:0db8:0:0:0:0:0:53", "fd00:0::53"))]
    return None if kind == "null" else []


def _v4_routes(
    draw: Draw, net: ipaddress.IPv4Network | ipaddress.IPv6Network, siblings: list[Subnet]
) -> list[dict[str, str]]:
    """Up to twenty routes, Neutron's default quota (max_subnet_host_routes)."""
    count = draw.weighted(((58, 0), (30, 1), (8, 4), (2, 12), (1, 20)))
    routes = []
    siblings = [sibling for sibling in siblings if sibling["ip_version"] == 4]
    for _ in range(count):
        destination = str(ipaddress.ip_network((draw.rng.getrandbits(32), draw.number(8, 32)), strict=False))
        if draw.chance(0.12, "host-routes/default"):
            destination = "0.0.0.0/0"
        elif siblings and draw.chance(0.06, "host-routes/to-another-subnet"):
            destination = str(draw.one(siblings)["cidr"])
        nexthop = str(net[draw.number(0, min(net.num_addresses - 1, 250))])
        if draw.chance(0.04, "host-routes/on-link"):
            nexthop = "0.0.0.0"
        route = {"destination": destination, "nexthop": nexthop}
        if route not in routes:
            routes.append(route)
    if routes:
        draw.note("host-routes")
        draw.note("host-routes/many" if len(routes) > 8 else "host-routes/few")
    return routes
