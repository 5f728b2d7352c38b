"""What is said over rtnetlink: changes are pyroute2's messages, which have no types of their own; answers are values.

Builds requests and takes answers apart; sends nothing.  Looking is done here from end to end: pyroute2 takes ten times
as long for that, and a start looks at everything.  Whatever reads one may raise ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from socket import AF_INET, AF_INET6, inet_ntop
from sys import byteorder
from typing import Any, Final

from attrs import frozen
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from dhcpcore_adapters.netns.rtnetlink import attribute, attributes, fields, nested

# struct ifinfomsg, ifaddrmsg, rtmsg
_IFINFO: Final = struct.Struct("=BxHiII")
_IFADDR: Final = struct.Struct("=BBBBI")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
# include/uapi/linux: if_link.h, if_addr.h, rtnetlink.h
_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINK: Final = 5
_IFLA_MASTER: Final = 10
_IFLA_LINKINFO: Final = 18
_IFLA_IFALIAS: Final = 20
_IFLA_GROUP: Final = 27
_IFLA_EXT_MASK: Final = 29
_IFLA_INFO_KIND: Final = 1
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_LABEL: Final = 3
_IFA_FLAGS: Final = 8
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_PRIORITY: Final = 6
_U32: Final = struct.Struct("=I")
# RTEXT_FILTER_SKIP_STATS
_SKIP_STATS: Final = 8
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


def any_link() -> bytes:
    """All links."""
    return _look(0)


def links_on(bridge: int) -> bytes:
    """Those on a bridge."""
    return _look(0, attribute(_IFLA_MASTER, _U32.pack(bridge)))


def link_named(name: str) -> bytes:
    """The link of this name."""
    return _look(0, attribute(_IFLA_IFNAME, name.encode() + b"\0"))


def link_at(index: int) -> bytes:
    """The link of this index."""
    return _look(index)


def _look(index: int, which: bytes = b"") -> bytes:
    return _IFINFO.pack(0, 0, index, 0, 0) + attribute(_IFLA_EXT_MASK, _U32.pack(_SKIP_STATS)) + which


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


def addresses_of(index: int) -> bytes:
    """Those of one link."""
    return _IFADDR.pack(0, 0, 0, 0, index)


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


def routes_through(index: int, family: int) -> bytes:
    """Those of one family through a link."""
    return _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_OIF, _U32.pack(index))


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
    _, _, index, flags, _ = fields(told, _IFINFO)
    told_of = attributes(told, _IFINFO)
    kind = _text(nested(told_of.get(_IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND))
    return Link(
        index=index,
        name=_text(told_of.get(_IFLA_IFNAME)),
        kind=kind,
        mac_address=told_of.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=_number(told_of.get(_IFLA_MTU)),
        up=bool(flags & _IFF_UP),
        master=_number(told_of.get(_IFLA_MASTER)),
        peer=_number(told_of.get(_IFLA_LINK)) if kind == "veth" else 0,
        alias=_text(told_of.get(_IFLA_IFALIAS)),
        group=_number(told_of.get(_IFLA_GROUP)),
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
    family, length, marks, _, its = fields(told, _IFADDR)
    if family not in (AF_INET, AF_INET6) or its != index:
        return None
    told_of = attributes(told, _IFADDR)
    # IFA_LOCAL is ours where there are two; IPv6 has the other only.
    address = inet_ntop(family, told_of.get(_IFA_LOCAL) or told_of.get(_IFA_ADDRESS, b""))
    flags = _number(told_of.get(_IFA_FLAGS)) or marks
    return Address(
        value=ip_interface(f"{address}/{length}"),
        label=_text(told_of[_IFA_LABEL]) if _IFA_LABEL in told_of else None,
        tentative=_is_tentative(flags),
        dadfailed=bool(flags & _IFA_F_DADFAILED),
    )


def read_route(told: bytes, index: int, asked: int) -> KernelRoute | None:
    """The value of a route's message.

    None for what is of no interest: routes through other links, of other families and tables, to several addresses but
    not to all, broadcast and local routes, those with several gateways.
    """
    family, length, _, _, table, protocol, _, kind, _ = fields(told, _ROUTE)
    host = 32 if family == AF_INET else 128
    if family != asked or table != _RT_TABLE_MAIN or kind != _RTN_UNICAST or length not in (0, host):
        return None
    told_of = attributes(told, _ROUTE)
    if _number(told_of.get(_RTA_OIF)) != index:
        return None
    anywhere = "0.0.0.0" if family == AF_INET else "::"
    to = inet_ntop(family, told_of[_RTA_DST]) if _RTA_DST in told_of else anywhere
    return KernelRoute(
        destination=ip_interface(f"{to}/{length}"),
        gateway=inet_ntop(family, told_of[_RTA_GATEWAY]) if _RTA_GATEWAY in told_of else None,
        index=index,
        priority=_number(told_of.get(_RTA_PRIORITY)),
        protocol=protocol,
    )


def _number(value: bytes | None) -> int:
    """0 where it is not told."""
    return int.from_bytes(value or b"", byteorder)


def _text(value: bytes | None) -> str:
    """Empty where it is not told."""
    return (value or b"").rstrip(b"\0").decode("utf-8", "replace")
