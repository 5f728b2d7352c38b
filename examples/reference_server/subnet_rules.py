"""What a subnet's values must be to each other (Neutron: ipam_backend_mixin, db_base_plugin_v2._validate_subnet)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Final

from reference_server.errors import ApiError, conflict, invalid
from reference_server.transaction import Wire

#: Bytes that every link with IPv6 carries (RFC 8200, section 5).
_IPV6_MIN_MTU: Final = 1280

_Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


def check_range(subnet: Wire) -> None:
    """CIDR, IP version and IPv6 modes of a new subnet.

    Raises:
        ApiError: naming the field.
    """
    network = ip_network(subnet["cidr"])
    if network.version != subnet["ip_version"]:
        raise invalid("subnet.cidr", f"{network} is not of ip_version {subnet['ip_version']}")
    if network.prefixlen == 0:
        raise invalid("subnet.cidr", "0 is not allowed as CIDR prefix length")
    modes = {name: subnet.get(name) for name in ("ipv6_ra_mode", "ipv6_address_mode")}
    given = [name for name, mode in modes.items() if mode is not None]
    if not given:
        return
    if network.version == 4:
        raise invalid(f"subnet.{given[0]}", "it cannot be set when ip_version is 4")
    if not subnet["enable_dhcp"]:
        raise invalid(f"subnet.{given[0]}", "it cannot be set when enable_dhcp is false")
    if len(given) == 2 and len(set(modes.values())) == 2:
        raise invalid("subnet.ipv6_ra_mode", "it must be the same as ipv6_address_mode when both are set")
    if any(mode in ("slaac", "dhcpv6-stateless") for mode in modes.values()) and network.prefixlen != 64:
        raise invalid("subnet.cidr", f"{network} is not a /64, which addresses made by clients (EUI-64) need")


def check_whole(subnet: Wire) -> None:
    """Everything that may also change later: DHCP, gateway, pools, DNS servers, routes.

    Raises:
        ApiError: naming the field.
    """
    network = ip_network(subnet["cidr"])
    if subnet["enable_dhcp"]:
        if network.max_prefixlen - network.prefixlen < 2:
            raise invalid("subnet.cidr", f"{network} has too few addresses for DHCP; set enable_dhcp to false")
        if network.is_multicast or network.is_loopback:
            raise invalid("subnet.cidr", f"{network} is multicast or loopback, where there is no DHCP")
    _check_gateway(subnet, network)
    _check_pools(subnet, network)
    if len(set(subnet["dns_nameservers"])) != len(subnet["dns_nameservers"]):
        raise invalid("subnet.dns_nameservers", "an address is in it twice")
    seen = set()
    for number, route in enumerate(subnet["host_routes"]):
        path = f"subnet.host_routes[{number}]"
        if ip_network(route["destination"]).version != network.version:
            raise invalid(f"{path}.destination", f"{route['destination']} is not of IP version {network.version}")
        if ip_address(route["nexthop"]).version != network.version:
            raise invalid(f"{path}.nexthop", f"{route['nexthop']} is not of IP version {network.version}")
        if (route["destination"], route["nexthop"]) in seen:
            raise invalid(path, f"the route to {route['destination']} is there twice")
        seen.add((route["destination"], route["nexthop"]))


def check_mtu(network_id: str, mtu: int, ip_versions: Iterable[int]) -> None:
    """A network's MTU, with subnets of these IP versions (IPv4's minimum is that of every network).

    Raises:
        ApiError: 409.
    """
    if mtu < _IPV6_MIN_MTU and 6 in ip_versions:
        raise conflict(
            "NetworkMTUSubnetConflict",
            f"MTU of {network_id} is not valid, subnet requires a minimum of {_IPV6_MIN_MTU}",
        )


def default_gateway(cidr: str) -> str:
    """The first address; of an IPv6 range the one with nothing behind the prefix, as Neutron has it."""
    network = ip_network(cidr)
    return str(network[1 if network.version == 4 and network.num_addresses > 2 else 0])


def default_pools(cidr: str, gateway_ip: str | None) -> list[Wire]:
    """All addresses that ports can have, without the gateway's."""
    first, last = _usable(ip_network(cidr))
    if gateway_ip is None or not int(first) <= int(ip_address(gateway_ip)) <= int(last):
        return _pool(first, last)
    gateway = ip_address(gateway_ip)
    before = _pool(first, gateway - 1) if int(gateway) > int(first) else []
    return before + (_pool(gateway + 1, last) if int(gateway) < int(last) else [])


def _pool(first: _Address, last: _Address) -> list[Wire]:
    return [{"start": str(first), "end": str(last)}]


def _usable(network: _Network) -> tuple[_Address, _Address]:
    if network.max_prefixlen - network.prefixlen < 2:
        return network[0], network[-1]
    return network[1], network[-2 if network.version == 4 else -1]


def _check_gateway(subnet: Wire, network: _Network) -> None:
    if subnet["gateway_ip"] is None:
        return
    gateway = ip_address(subnet["gateway_ip"])
    if gateway.version != network.version:
        raise invalid("subnet.gateway_ip", f"{gateway} is not of IP version {network.version}")
    if network.version == 4 and network.prefixlen < 31:
        if gateway in (network.network_address, network.broadcast_address):
            raise invalid("subnet.gateway_ip", f"{gateway} is the network or broadcast address of {network}")
    if gateway.is_multicast or gateway.is_loopback or gateway.is_unspecified:
        raise invalid("subnet.gateway_ip", f"{gateway} is no address of a router")


def _check_pools(subnet: Wire, network: _Network) -> None:
    first, last = _usable(network)
    spans = []
    for number, pool in enumerate(subnet["allocation_pools"]):
        path = f"subnet.allocation_pools[{number}]"
        start, end = ip_address(pool["start"]), ip_address(pool["end"])
        if start.version != network.version or end.version != network.version:
            raise invalid(path, f"{start} to {end} is not of IP version {network.version}")
        if int(start) > int(end):
            raise invalid(path, f"start {start} is after end {end}")
        if int(start) < int(first) or int(end) > int(last):
            raise ApiError("OutOfBoundsAllocationPool", f"{path}: {start} to {end} extends beyond {first} to {last}.")
        if subnet["gateway_ip"] and int(start) <= int(ip_address(subnet["gateway_ip"])) <= int(end):
            raise conflict(
                "GatewayConflictWithAllocationPools",
                f"{path}: {start} to {end} contains gateway_ip {subnet['gateway_ip']}.",
            )
        spans.append((int(start), int(end), path))
    spans.sort()
    for (_, end_before, _), (begin, _, path) in pairwise(spans):
        if begin <= end_before:
            raise conflict("OverlappingAllocationPools", f"{path} overlaps another pool of the subnet.")
