"""A router's half of IPv6: advertisements (RFC 4861 section 4.2), from which machines learn prefixes and whom to ask.

Neutron's DHCP agent sends none: a router does, and where SLAAC is to be seen there must be one. This one forwards
nothing. Knows packets; knows nothing of networks.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from ipaddress import IPv6Network
from typing import Final, Self

from support.clients.inside import in_namespace
from support.clients.station import DEVICE, Station
from support.dhcp_packets import mac_bytes

_ADVERTISEMENT, _SOLICITATION = 134, 133
_MANAGED, _OTHER = 0x80, 0x40
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_ALL_NODES: Final = "ff02::1"
_ALL_ROUTERS: Final = "ff02::2"


def advertisement(
    mac: str,
    prefixes: Sequence[str],
    *,
    autonomous: bool = True,
    managed: bool = False,
    other: bool = False,
    mtu: int | None = None,
    lifetime: int = 1800,
) -> bytes:
    """The message, without its checksum, which the kernel makes.

    Args:
        mac: of the router.
        autonomous: addresses are made of the prefixes (SLAAC).
        managed: addresses come from DHCPv6 (stateful); other: the rest comes from there (stateless).
        mtu: bytes; lifetime: seconds for which it is a default router, and for which prefixes are valid.
    """
    flags = (_MANAGED if managed else 0) | (_OTHER if other else 0)
    message = struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, 64, flags, lifetime, 0, 0)
    message += b"\1\1" + mac_bytes(mac)
    if mtu is not None:
        message += struct.pack("!BBHI", 5, 1, 0, mtu)
    kind = _ON_LINK | (_AUTONOMOUS if autonomous else 0)
    for prefix in map(IPv6Network, prefixes):
        message += struct.pack("!BBBBIII", 3, 4, prefix.prefixlen, kind, lifetime, lifetime, 0)
        message += prefix.network_address.packed
    return message


class Router:
    """Advertises from a station, at once, when solicited, and every `every` seconds; a context manager."""

    def __init__(self, station: Station, message: bytes, *, every: float = 1.0) -> None:
        self._station, self._message, self._every = station, message, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)

    def __enter__(self) -> Self:
        self._socket = in_namespace(self._station.namespace, self._opened)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _opened(self) -> socket.socket:
        index = socket.if_nametoindex(DEVICE)
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE.encode())
        # Others are thrown away by who gets them (RFC 4861 section 6.1.2).
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        group = socket.inet_pton(socket.AF_INET6, _ALL_ROUTERS) + struct.pack("@I", index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        made.setblocking(False)
        self._index = index
        return made

    def _run(self) -> None:
        due = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= due:
                self._socket.sendto(self._message, (_ALL_NODES, 0, 0, self._index))
                due = time.monotonic() + self._every
            if select.select([self._socket], [], [], min(0.05, self._every))[0]:
                if self._socket.recv(2048)[:1] == bytes([_SOLICITATION]):
                    due = 0.0
