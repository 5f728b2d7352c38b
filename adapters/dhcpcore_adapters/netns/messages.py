"""What is said over rtnetlink: pyroute2's messages, which have no types of their own, and the values that they become.

Builds requests and takes answers apart; sends nothing.  Everything may raise pyroute2's NetlinkDecodeError.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from socket import AF_INET, AF_INET6
from typing import Any, Final

from attrs import frozen
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from dhcpcore_adapters.netns.rtnetlink import fields, only

# struct ifinfomsg, ifaddrmsg, rtmsg
_IFINFO: Final = struct.Struct("=BxHiII")
_IFADDR: Final = struct.Struct("=BBBBI")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
# IFLA_ADDRESS, IFNAME, MTU, LINK, MASTER, LINKINFO, IFALIAS, GROUP
_LINK_ATTRIBUTES: Final = frozenset({1, 3, 4, 5, 10, 18, 20, 27})
# Without statistics (RTEXT_FILTER_SKIP_STATS).
_BRIEFLY: Final = ("IFLA_EXT_MASK", 8)
# include/uapi/linux: if.h, if_arp.h, if_addr.h, rtnetlink.h
_IFF_UP: Final = 0x1
_ARPHRD_ETHER: Final = 1
_IFA_F_DADFAILED: Final = 0x08
_IFA_F_TENTATIVE: Final = 0x40
_RT_TABLE_MAIN: Final = 254
_RTN_UNICAST: Final = 1
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_LINK: Final = 253
_RT_SCOPE_NOWHERE: Final = 255  # in a request: any
_PROTO_KERNEL: Final = 2
_PROTO_STATIC: Final = 4

Interface = IPv4Interface | IPv6Interface


@frozen(kw_only=True)
class Link:
    """A network device.

    Attributes:
        kind: ``veth``, ``bridge``...; empty for hardware.
        peer: index of a veth's other end, in whatever namespace that is; 0 for none.
        master: index of the bridge it is on; 0 for none.
        alias: the text that somebody put on it (`ip link set ... alias`).
        group: the number that somebody put on it (`ip link set ... group`); 0 by default.
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
    group: int = 0


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


# -- what is asked


def any_link() -> Any:
    """All links."""
    return _message(ifinfmsg, [_BRIEFLY])


def links_on(bridge: int) -> Any:
    """Those on a bridge."""
    return _message(ifinfmsg, [_BRIEFLY, ("IFLA_MASTER", bridge)])


def link_named(name: str) -> Any:
    """The link of this name."""
    return _message(ifinfmsg, [_BRIEFLY, ("IFLA_IFNAME", name)])


def link_at(index: int) -> Any:
    """The link of this index."""
    return _message(ifinfmsg, [_BRIEFLY], index=index)


def new_bridge(name: str, group: int) -> Any:
    """A bridge that forwards at once: no spanning tree, no delay."""
    at_once = [("IFLA_BR_STP_STATE", 0), ("IFLA_BR_FORWARD_DELAY", 0)]
    return _message(ifinfmsg, [("IFLA_IFNAME", name), ("IFLA_GROUP", group), _of_kind("bridge", at_once)])


def new_veth(name: str, *, mtu: int, master: int, peer: str, peer_namespace: int, peer_mac: str) -> Any:
    """A pair of devices; see `Netlink.add_veth`."""
    size = [("IFLA_MTU", mtu)] if mtu else []
    other = [("IFLA_IFNAME", peer), ("IFLA_NET_NS_FD", peer_namespace), ("IFLA_ADDRESS", peer_mac), *size]
    pair = _of_kind("veth", [("VETH_INFO_PEER", {"attrs": other})])
    on = [("IFLA_MASTER", master)] if master else []
    return _message(ifinfmsg, [("IFLA_IFNAME", name), *on, *size, pair])


def changed_link(
    index: int,
    up: bool | None,
    mtu: int | None,
    mac_address: str | None,
    master: int | None,
    alias: str | None,
    namespace: int | None = None,
) -> Any:
    """A link as it shall be; None leaves things as they are."""
    told = {
        "IFLA_NET_NS_FD": namespace,
        "IFLA_MTU": mtu,
        "IFLA_ADDRESS": mac_address,
        "IFLA_MASTER": master,
        "IFLA_IFALIAS": alias,
    }
    flags = {} if up is None else {"flags": _IFF_UP if up else 0, "change": _IFF_UP}
    return _message(ifinfmsg, [(name, to) for name, to in told.items() if to is not None], index=index, **flags)


def addresses_of(index: int) -> Any:
    """Those of one link."""
    return _message(ifaddrmsg, index=index)


def address(index: int, value: Interface, label: str | None = None, *, broadcast: bool = False) -> Any:
    """One of a link."""
    text = str(value.ip)
    # IFA_LOCAL is ours, IFA_ADDRESS the other side's on a point-to-point link (rtnetlink(7)); IPv6 has the second only.
    attributes = [("IFA_ADDRESS", text)] if value.version == 6 else [("IFA_LOCAL", text), ("IFA_ADDRESS", text)]
    if label is not None:
        attributes.append(("IFA_LABEL", label))
    if broadcast:
        attributes.append(("IFA_BROADCAST", str(value.network.broadcast_address)))
    return _message(ifaddrmsg, attributes, index=index, family=_family(value), prefixlen=value.network.prefixlen)


def routes_through(index: int, family: int) -> Any:
    """Those of one family through a link."""
    return _message(rtmsg, [("RTA_OIF", index)], family=family)


def new_route(index: int, destination: Interface, gateway: str | None, priority: int = 0) -> Any:
    """A route of the main table that somebody (not the kernel) made."""
    scope = _RT_SCOPE_LINK if gateway is None and destination.version == 4 else _RT_SCOPE_UNIVERSE
    return _unicast(index, destination, gateway, priority, proto=_PROTO_STATIC, scope=scope)


def old_route(route: KernelRoute) -> Any:
    """One that is there."""
    which = (route.index, route.destination, route.gateway, route.priority)
    return _unicast(*which, proto=route.protocol, scope=_RT_SCOPE_NOWHERE)


def _unicast(index: int, destination: Interface, gateway: str | None, priority: int, *, proto: int, scope: int) -> Any:
    length = destination.network.prefixlen
    attributes: list[tuple[str, Any]] = [("RTA_OIF", index)]
    if length:
        attributes.append(("RTA_DST", str(destination.network.network_address)))
    if gateway is not None:
        attributes.append(("RTA_GATEWAY", gateway))
    if priority:
        attributes.append(("RTA_PRIORITY", priority))
    return _message(
        rtmsg,
        attributes,
        family=_family(destination),
        dst_len=length,
        table=_RT_TABLE_MAIN,
        type=_RTN_UNICAST,
        proto=proto,
        scope=scope,
    )


def _of_kind(kind: str, data: list[tuple[str, Any]]) -> tuple[str, Any]:
    return "IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": data})]}


def _message(kind: Any, attributes: Sequence[tuple[str, Any]] = (), **fixed: int) -> Any:
    message = kind()
    for name, value in fixed.items():
        message[name] = value
    message["attrs"] = list(attributes)
    return message


def _family(value: Interface) -> int:
    return AF_INET if value.version == 4 else AF_INET6


# -- what is told


def is_ethernet(told: bytes) -> bool:
    """Whether a link is one that can have a MAC address."""
    return bool(fields(told, _IFINFO)[1] == _ARPHRD_ETHER)


def index_of(told: bytes) -> int:
    """A link's index, without taking the rest apart."""
    return int(fields(told, _IFINFO)[2])


def read_link(told: bytes) -> Link:
    """The value of a link's message."""
    message = _decoded(ifinfmsg, only(told, _IFINFO, _LINK_ATTRIBUTES))
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
        group=message.get_attr("IFLA_GROUP") or 0,
    )


def is_tentative(told: bytes, index: int) -> bool:
    """Whether an address's message is about this link, and the address is under examination."""
    _, _, flags, _, its = fields(told, _IFADDR)
    return its == index and _is_tentative(flags)


def _is_tentative(flags: int) -> bool:
    # The kernel leaves the mark of an address under examination on one that failed.
    return bool(flags & _IFA_F_TENTATIVE) and not flags & _IFA_F_DADFAILED


def read_address(told: bytes, index: int) -> Address | None:
    """The value of an address's message, None where it is another link's."""
    family, _, _, _, its = fields(told, _IFADDR)
    if family not in (AF_INET, AF_INET6) or its != index:
        return None
    message = _decoded(ifaddrmsg, told)
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    return Address(
        value=ip_interface(f"{text}/{message['prefixlen']}"),
        label=message.get_attr("IFA_LABEL"),
        tentative=_is_tentative(flags),
        dadfailed=bool(flags & _IFA_F_DADFAILED),
    )


def read_route(told: bytes, index: int, asked: int) -> KernelRoute | None:
    """The value of a route's message.

    None for what is of no interest: routes through other links, of other families and tables, to several addresses but
    not to all, broadcast and local routes, those with several gateways.
    """
    family, length, _, _, table, _, _, kind, _ = fields(told, _ROUTE)
    host = 32 if family == AF_INET else 128
    if family != asked or table != _RT_TABLE_MAIN or kind != _RTN_UNICAST or length not in (0, host):
        return None
    message = _decoded(rtmsg, told)
    if message.get_attr("RTA_OIF") != index:
        return None
    anywhere = "0.0.0.0" if family == AF_INET else "::"
    gateway = message.get_attr("RTA_GATEWAY")
    return KernelRoute(
        destination=ip_interface(f"{message.get_attr('RTA_DST') or anywhere}/{length}"),
        gateway=None if gateway is None else str(ip_address(gateway)),
        index=index,
        priority=message.get_attr("RTA_PRIORITY") or 0,
        protocol=message["proto"],
    )


def _decoded(kind: Any, told: bytes) -> Any:
    message = kind(told)
    message.decode()
    return message
