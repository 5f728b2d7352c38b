"""Addresses and default routes of a device in its namespace: what is there becomes what is told.

Only what is ours is compared: the link-local address that the kernel gave the device stays, and so do routes that are
no default routes and not the way to a gateway.  An address whose duplicate detection runs or failed is there: to add it
again would be refused, and to remove it would begin the detection anew.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Interface, ip_address, ip_interface

from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from dhcpcore import DeviceSpec
from dhcpcore.contracts import Route
from dhcpcore_adapters.netns.messages import Address, Interface, KernelRoute
from dhcpcore_adapters.netns.netlink import Netlink

#: Addresses that every device of a namespace may have, and their label where several do (see `DeviceSpec.shared`).
_OF_ALL = frozenset({ip_interface("169.254.169.254/32")})
_LABEL = "metadata"
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
_EVERYWHERE = {4: ip_interface("0.0.0.0/0"), 6: ip_interface("::/0")}


def is_kernels_own(address: Interface) -> bool:
    """Whether the kernel gave it to the device (RFC 4862: a link-local address, of the link's prefix length)."""
    return isinstance(address, IPv6Interface) and address.is_link_local and address.network.prefixlen == 64


def ensure_addresses(netlink: Netlink, index: int, told: Iterable[str], *, shared: bool = False) -> None:
    """Remove what is not told, then add what is missing, in the order told.

    Args:
        shared: whether the namespace has devices of other instances: dnsmasq tells addresses that are not its own from
            their label, and a label cannot be changed.

    Raises:
        ValueError: one is no ``address/length``.
    """
    wanted = list(dict.fromkeys(ip_interface(text) for text in told))
    labelled = _OF_ALL if shared else frozenset()
    found = netlink.addresses(index)
    for address in found:
        if address.value in labelled and address.label != _LABEL:
            netlink.delete_address(index, address.value)
    there = {address.value for address in found if address.value not in labelled or address.label == _LABEL}
    superfluous = [value for value in there if value not in wanted and not is_kernels_own(value)]
    # First: IPv6 refuses an address that is there with another length.
    for value in superfluous:
        netlink.delete_address(index, value)
    if superfluous:
        # Removing the first IPv4 address of a subnet takes the others of it along.
        there = {address.value for address in netlink.addresses(index)}
    for value in wanted:
        if value not in there:
            netlink.add_address(index, value, _LABEL if value in labelled else None)


def ensure_routes(
    netlink: Netlink, index: int, told: Sequence[Route], *, connected: frozenset[str] = frozenset()
) -> None:
    """Remove default routes through the device that are not told, then add what is missing, the way to it first.

    Args:
        connected: gateways for which the kernel was made to connect the device to their subnet anew, to no avail.

    Raises:
        ValueError: a gateway is no address.
    """
    wanted = {str(ip_address(route.gateway)): route.onlink for route in told}
    hosts = {ip_interface(gateway) for gateway, onlink in wanted.items() if onlink}
    there = netlink.routes(index)
    kept: list[KernelRoute] = []
    seen: set[str] = set()
    for route in there:
        if not route.is_default and not route.is_host_on_link:
            continue
        once = route.gateway is not None and route.gateway in wanted and route.gateway not in seen
        if once if route.is_default else route.destination in hosts:
            kept.append(route)
            seen.update([route.gateway] if route.gateway is not None else [])
        else:
            netlink.delete_route(route)
    for gateway, onlink in wanted.items():
        host = ip_interface(gateway)
        if onlink and not any(route.destination == host for route in kept):
            netlink.add_route(index, host, None)
        if gateway in seen:
            continue
        try:
            netlink.add_route(index, _EVERYWHERE[host.version], gateway)
        except NetlinkError as error:
            if error.code not in _UNREACHABLE or gateway in connected or not _connect(netlink, index, host):
                raise
            # All of it: with the last IPv4 address of a device go its routes.
            ensure_routes(netlink, index, told, connected=connected | {gateway})
            return


def _connect(netlink: Netlink, index: int, gateway: Interface) -> bool:
    """Have the kernel make the route to a gateway's subnet anew; False where the device is on no such subnet.

    Somebody removed it (`ip route flush dev`); the kernel makes it together with an address, and at no other time.
    """
    there = [each for each in netlink.addresses(index) if not is_kernels_own(each.value)]
    cut = [each for each in there if gateway.ip in each.value.network]
    for address in cut:
        netlink.delete_address(index, address.value)
    for address in cut:
        netlink.add_address(index, address.value, address.label)
    return bool(cut)


def default_routes(routes: Iterable[KernelRoute]) -> tuple[Route, ...]:
    """The default routes among them, as the contract tells of them."""
    listed = list(routes)
    on_link = {str(route.destination.ip) for route in listed if route.is_host_on_link}
    return tuple(
        Route(gateway=route.gateway, onlink=route.gateway in on_link)
        for route in listed
        if route.is_default and route.gateway is not None
    )


def apply(netlink: Netlink, spec: DeviceSpec, index: int) -> None:
    """Addresses and routes of `spec`, and only those, on the device at `index`."""
    ensure_addresses(netlink, index, spec.addresses, shared=spec.shared)
    ensure_routes(netlink, index, spec.routes)


def texts(addresses: Iterable[Address]) -> tuple[str, ...]:
    """As ``address/length``, the way the kernel writes them."""
    return tuple(str(address.value) for address in addresses)
