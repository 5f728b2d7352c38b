"""Links, addresses and routes of one network namespace: that of the thread that opens the socket.

The only file that calls pyroute2, which has no types of its own: messages become values here.  A `Netlink` is used by
the thread that made it, and closed by it.  Everything may raise pyroute2's NetlinkError, or OSError (see `errors`).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from socket import AF_INET, AF_INET6
from typing import Any, Final, Self

from attrs import frozen
from pyroute2 import IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

# Seconds; the kernel answers at once or not at all.
_PATIENCE: Final = 10
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_RTM_GETLINK: Final = 18
_REQUEST_DUMP: Final = 0x301
_IFLA_MASTER: Final = 10
# include/uapi/linux: if.h, if_arp.h, if_addr.h, rtnetlink.h
_IFF_UP: Final = 0x1
_ARPHRD_ETHER: Final = 1
_IFA_F_DADFAILED: Final = 0x08
_IFA_F_TENTATIVE: Final = 0x40
_RT_TABLE_MAIN: Final = 254
_RTN_UNICAST: Final = 1
_RT_SCOPE_LINK: Final = 253
_PROTO_KERNEL: Final = 2
_PROTO_STATIC: Final = 4
# Devices that some modules put into every new namespace, and that cannot be removed (sysctl
# net.core.fb_tunnels_only_for_init_net).
_FALLBACK_DEVICES: Final = frozenset({"gretap0", "erspan0", "ip6gretap0", "ip6erspan0"})

Interface = IPv4Interface | IPv6Interface


@frozen(kw_only=True)
class Link:
    """A network device.

    Attributes:
        kind: ``veth``, ``bridge``...; empty for hardware.
        peer: index of a veth's other end, in whatever namespace that is; 0 for none.
        master: index of the bridge it is on; 0 for none.
        alias: the text that somebody put on it (`ip link set ... alias`).
    """

    index: int
    name: str
    kind: str
    mac_address: str
    mtu: int
    up: bool
    master: int = 0
    peer: int = 0
    alias: str = ""
    ethernet: bool = True


@frozen(kw_only=True)
class Address:
    """An address of a device, as ``address/length``; `label`: of an IPv4 address, the device's name unless told."""

    value: Interface
    label: str | None = None
    tentative: bool = False
    dadfailed: bool = False


@frozen(kw_only=True)
class KernelRoute:
    """A unicast route of the main table; length 0 makes it a default route, no gateway means: on the link."""

    destination: Interface
    gateway: str | None
    index: int
    priority: int
    protocol: int

    @property
    def is_default(self) -> bool:
        """Whether it leads everywhere."""
        return self.destination.network.prefixlen == 0

    @property
    def is_host_on_link(self) -> bool:
        """Whether somebody (not the kernel) said that one host is on the link."""
        host = self.destination.network.prefixlen == self.destination.max_prefixlen
        return host and self.gateway is None and self.protocol != _PROTO_KERNEL


class Netlink:
    """A socket to the kernel; a context manager."""

    def __enter__(self) -> Self:
        self._route: Any = IPRoute()
        return self

    def __exit__(self, *_: object) -> None:
        self._route.close()

    # -- links

    def links(self) -> list[Link]:
        """Those that can be a DHCP port's: no loopback, no tunnel that came by itself."""
        links = [_link(message) for message in list(self._route.get_links())]
        return [link for link in links if link.ethernet and link.name not in _FALLBACK_DEVICES]

    def ports(self, bridge: Link) -> list[Link]:
        """The devices on a bridge."""
        links = [self.link_at(index) for index in _indexes_on(bridge.index)]
        return [link for link in links if link is not None and link.master == bridge.index]

    def link(self, name: str) -> Link | None:
        """The device of this name."""
        return self._one_link(ifname=name)

    def link_at(self, index: int) -> Link | None:
        """The device of this index."""
        return self._one_link(index=index)

    def _one_link(self, **which: Any) -> Link | None:
        try:
            messages = list(self._route.link("get", **which))
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return None
            raise
        return _link(messages[0]) if messages else None

    def add_bridge(self, name: str, alias: str) -> None:
        """A bridge that forwards at once: no spanning tree, no delay."""
        self._route.link("add", ifname=name, kind="bridge", br_stp_state=0, br_forward_delay=0)
        self._set_alias(name, alias)

    def add_veth(self, name: str, *, alias: str, mtu: int, peer: str, peer_namespace: int, peer_mac: str) -> None:
        """A pair of devices in one message: there is no moment at which the peer is elsewhere, or has another MAC.

        Args:
            mtu: of both; 0: the kernel's.
            peer_namespace: a descriptor of the peer's namespace.
        """
        size = {"mtu": mtu} if mtu else {}
        other = {"ifname": peer, "net_ns_fd": peer_namespace, "address": peer_mac, **size}
        self._route.link("add", ifname=name, kind="veth", peer=other, **size)
        self._set_alias(name, alias)

    def _set_alias(self, name: str, alias: str) -> None:
        # The kernel heeds it in a change only, not when a device is made.
        made = self.link(name)
        if made is not None:
            self.set_link(made.index, ifalias=alias)

    def set_link(self, index: int, **attributes: Any) -> None:
        """Change a device: `state` ("up", "down"), `mtu`, `address`, `master`."""
        self._route.link("set", index=index, **attributes)

    def delete_link(self, index: int) -> None:
        """Remove a device, and with a veth its other end; none there is fine."""
        try:
            self._route.link("del", index=index)
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise

    # -- addresses

    def addresses(self, index: int) -> list[Address]:
        """Those of one device, the kernel's own among them."""
        return [_address(message) for message in list(self._route.get_addr(index=index))]

    def add_address(self, index: int, address: Interface, label: str | None = None) -> None:
        """Add one; there already is fine."""
        more: dict[str, Any] = {} if label is None else {"label": label}
        if isinstance(address, IPv4Interface) and address.network.prefixlen < 31:
            # dnsmasq tells clients the broadcast address that the device has (option 28).
            more["broadcast"] = str(address.network.broadcast_address)
        with suppress_errno(errno.EEXIST):
            self._route.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **more)

    def delete_address(self, index: int, address: Interface) -> None:
        """Remove one; not there is fine (an address may go with another of its subnet)."""
        with suppress_errno(errno.EADDRNOTAVAIL):
            self._route.addr("del", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)

    # -- routes

    def routes(self, index: int) -> list[KernelRoute]:
        """The routes through one device."""
        found = []
        for family in (AF_INET, AF_INET6):
            for message in list(self._route.get_routes(family=family)):
                route = _route(message)
                if route is not None and route.index == index:
                    found.append(route)
        return found

    def add_route(self, index: int, destination: Interface, gateway: str | None) -> None:
        """Add one; where another device has the same, ours comes second to it: both are kept."""
        first: dict[str, Any] = {
            "dst": str(destination.network),
            "family": _family(destination),
            "oif": index,
            "proto": _PROTO_STATIC,
        }
        if gateway is not None:
            first["gateway"] = gateway
        elif destination.version == 4:
            first["scope"] = _RT_SCOPE_LINK
        try:
            self._route.route("add", **first)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise
            self._route.route("add", **first, priority=1024 + index)

    def delete_route(self, route: KernelRoute) -> None:
        """Remove one; not there is fine."""
        which: dict[str, Any] = {
            "dst": str(route.destination.network),
            "family": _family(route.destination),
            "oif": route.index,
            "proto": route.protocol,
        }
        if route.gateway is not None:
            which["gateway"] = route.gateway
        elif route.destination.version == 4:
            which["scope"] = _RT_SCOPE_LINK
        if route.priority:
            which["priority"] = route.priority
        with suppress_errno(errno.ESRCH):
            self._route.route("del", **which)


class suppress_errno(suppress):
    """Like `contextlib.suppress`, for kernel errors of one errno."""

    def __init__(self, number: int) -> None:
        super().__init__(NetlinkError)
        self._number = number

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Whether the error is the one."""
        return isinstance(error, NetlinkError) and error.code == self._number


def _indexes_on(bridge: int) -> list[int]:
    """Indexes of the devices on a bridge: a dump that the kernel filters.

    pyroute2 filters only after it has read every device of the host, which takes 0.5 ms for each.
    """
    # struct nlmsghdr, struct ifinfomsg, one attribute (linux/netlink.h, linux/rtnetlink.h)
    request = struct.pack(
        "=IHHIIBxHiIIHHI", 40, _RTM_GETLINK, _REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0, 8, _IFLA_MASTER, bridge
    )
    found: list[int] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(_PATIENCE)
        asked.send(request)
        while True:
            data, offset = asked.recv(1 << 17), 0
            while offset < len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", data, offset + 16)[0]
                    raise OSError(number, os.strerror(number))
                found.append(struct.unpack_from("=i", data, offset + 20)[0])
                offset += (length + 3) & ~3


def _family(value: Interface) -> int:
    return AF_INET if value.version == 4 else AF_INET6


def _link(message: Any) -> Link:
    kind = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND")
    return Link(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=kind or "",
        mac_address=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU") or 0,
        up=bool(message["flags"] & _IFF_UP),
        master=message.get_attr("IFLA_MASTER") or 0,
        peer=(message.get_attr("IFLA_LINK") or 0) if kind == "veth" else 0,
        alias=message.get_attr("IFLA_IFALIAS") or "",
        ethernet=message["ifi_type"] == _ARPHRD_ETHER,
    )


def _address(message: Any) -> Address:
    # IFA_LOCAL is ours, IFA_ADDRESS the other side's on a point-to-point link (rtnetlink(7)); IPv6 has the second only.
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    failed = bool(flags & _IFA_F_DADFAILED)
    return Address(
        value=ip_interface(f"{text}/{message['prefixlen']}"),
        label=message.get_attr("IFA_LABEL"),
        # The kernel leaves the mark of an address under examination on one that failed.
        tentative=bool(flags & _IFA_F_TENTATIVE) and not failed,
        dadfailed=failed,
    )


def _route(message: Any) -> KernelRoute | None:
    """The route, None for what is of no interest: other tables, broadcast and local routes, several gateways."""
    table = message.get_attr("RTA_TABLE") or message["table"]
    index = message.get_attr("RTA_OIF")
    if table != _RT_TABLE_MAIN or message["type"] != _RTN_UNICAST or index is None:
        return None
    anywhere = "0.0.0.0" if message["family"] == AF_INET else "::"
    gateway = message.get_attr("RTA_GATEWAY")
    return KernelRoute(
        destination=ip_interface(f"{message.get_attr('RTA_DST') or anywhere}/{message['dst_len']}"),
        gateway=None if gateway is None else str(ip_address(gateway)),
        index=index,
        priority=message.get_attr("RTA_PRIORITY") or 0,
        protocol=message["proto"],
    )
