"""DHCP clients on one end of a wire: any number of them, told apart by their MAC addresses only.

Builds Ethernet frames with DISCOVER (RFC 2131), SOLICIT and INFORMATION-REQUEST (RFC 8415) and reads the answers.
Accepts nothing: an answered client has no lease afterwards. Knows the formats of packets and the form of some options,
and nothing of what a server should say.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final, Self, TypeVar

from support.dhcp_packets import (
    CLIENT_ID,
    DISCOVER,
    EVERY_OPTION,
    LARGEST_MESSAGE,
    OFFER,
    PARAMETER_REQUEST_LIST,
    SUBNET_SELECTION,
    Malformed,
    by_number,
    checksum,
    frame4,
    mac_bytes,
    message4,
    read_reply,
    udp_datagram,
)

T = TypeVar("T")

_ETH_P_ALL: Final = 3
_ALL_DHCP_SERVERS: Final = IPv6Address("ff02::1:2")
_SOLICIT, _ADVERTISE, _REPLY, _INFORMATION_REQUEST = 1, 2, 7, 11

CLIENT_ID_6, SERVER_ID_6, IA_NA, IAADDR, STATUS_CODE, USER_CLASS_6 = 1, 2, 3, 5, 13, 15
_ELAPSED_TIME_6, _RAPID_COMMIT_6 = 8, 14


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A DHCPOFFER.

    Attributes:
        destination: the Ethernet address it was sent to.
        next_server: siaddr; options: by number, those of overloaded fields (option 52) among them.
        repeated: the numbers of options that came more than once; `options` has the first of each.
    """

    destination: str
    address: str
    next_server: str
    options: dict[int, bytes]
    repeated: list[int]


@dataclass(frozen=True, kw_only=True)
class Answer6:
    """An ADVERTISE or REPLY; options by number, without those below.

    Attributes:
        addresses: of the IA_NA: (address, preferred lifetime, valid lifetime), seconds.
        times: T1 and T2 of the IA_NA; None where there is none.
        status: the status code (RFC 8415 section 21.13) of the message, 0 for success.
        repeated: the numbers of options that came more than once; `options` has the first of each.
    """

    addresses: list[tuple[str, int, int]]
    times: tuple[int, int] | None
    status: int
    options: dict[int, bytes]
    repeated: list[int]


class DhcpClients:
    """Clients on the wire; a context manager.

    Args:
        wire: an AF_PACKET socket, SOCK_RAW; closed in the end.
        device: the device it is to be bound to.
        server: the server's link-local IPv6 address.
        handled: returns when the server has handled all packets sent so far: how silence is told from slowness.
    """

    def __init__(self, wire: socket.socket, device: str, server: str, handled: Callable[[], None]) -> None:
        wire.bind((device, _ETH_P_ALL))
        wire.setblocking(False)
        self._wire = wire
        self._server = IPv6Address(server)
        self._handled = handled
        self._transaction = 0x10000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def discover(
        self,
        mac: str,
        *,
        client_id: bytes | None = None,
        subnet: str | None = None,
        options: Sequence[tuple[int, bytes]] = (),
        largest: int = 1500,
        silence: bool = False,
    ) -> Offer | None:
        """Send a DISCOVER that asks for every option, and return the OFFER, or None.

        Args:
            subnet: an address of the subnet to be served from (RFC 3011).
            largest: the longest answer that is taken, in bytes (option 57).
            silence: no answer is expected, so none is waited for once the server has handled the packet.
        """
        transaction = self._next()
        sent = [(LARGEST_MESSAGE, largest.to_bytes(2, "big"))]
        sent += [(CLIENT_ID, client_id)] if client_id is not None else []
        sent += [(SUBNET_SELECTION, IPv4Address(subnet).packed)] if subnet is not None else []
        sent += [*options, (PARAMETER_REQUEST_LIST, EVERY_OPTION)]
        self._wire.send(frame4(message4(DISCOVER, mac, transaction, sent), mac))
        return self._wait(lambda frame: _offer(frame, transaction), silence)

    def solicit(
        self, mac: str, *, user_class: bytes | None = None, commit: bool = False, silence: bool = False
    ) -> Answer6 | None:
        """Send a SOLICIT for one address, and return the ADVERTISE, or None.

        Args:
            user_class: one user class (option 15).
            commit: ask for the lease at once (rapid commit): the answer is a REPLY, and the server has a lease then.
        """
        # An IAID and two times that are the server's to choose.
        options = [(IA_NA, struct.pack("!III", 1, 0, 0))]
        options += [(_RAPID_COMMIT_6, b"")] if commit else []
        return self._ask6(_SOLICIT, _REPLY if commit else _ADVERTISE, mac, options, user_class, silence)

    def request_information(
        self, mac: str, *, user_class: bytes | None = None, silence: bool = False
    ) -> Answer6 | None:
        """Send an INFORMATION-REQUEST, and return the REPLY, or None."""
        return self._ask6(_INFORMATION_REQUEST, _REPLY, mac, [], user_class, silence)

    def _ask6(
        self,
        kind: int,
        answer: int,
        mac: str,
        options: list[tuple[int, bytes]],
        user_class: bytes | None,
        silence: bool,
    ) -> Answer6 | None:
        hardware, transaction = mac_bytes(mac), self._next()
        # A server that knows clients by their MAC looks it up among its neighbours: become one first, as a client
        # does that has resolved the server's address.
        self._wire.send(_neighbour_solicitation(hardware, self._server))
        duid = b"\0\3\0\1" + hardware
        sent = [(CLIENT_ID_6, duid), (_ELAPSED_TIME_6, b"\0\0"), *options]
        if user_class is not None:
            sent.append((USER_CLASS_6, len(user_class).to_bytes(2, "big") + user_class))
        # Without an option request option the server sends every option it has for the client.
        message = bytes([kind]) + transaction.to_bytes(3, "big")
        message += b"".join(struct.pack("!HH", code, len(data)) + data for code, data in sent)
        source = link_local(mac).packed
        datagram = udp_datagram(546, 547, message, source, _ALL_DHCP_SERVERS.packed)
        self._wire.send(_ipv6(hardware, source, _ALL_DHCP_SERVERS.packed, 17, datagram))
        return self._wait(lambda frame: _answer6(frame, hardware, transaction, answer), silence)

    def _next(self) -> int:
        self._transaction += 1
        return self._transaction

    def _wait(self, read: Callable[[bytes], T | None], silence: bool) -> T | None:
        if not silence and (answer := self._received(read, 0.5)) is not None:
            return answer
        # Either it has been answered by now or it never will be; only the kernel may still be busy with the frame.
        self._handled()
        return self._received(read, 0.001 if silence else 0.5)

    def _received(self, read: Callable[[bytes], T | None], seconds: float) -> T | None:
        deadline = time.monotonic() + seconds
        while select.select([self._wire], [], [], max(0.0, deadline - time.monotonic()))[0]:
            with contextlib.suppress(BlockingIOError):
                while frame := self._wire.recv(1 << 16):
                    if (answer := read(frame)) is not None:
                        return answer
        return None


def link_local(mac: str) -> IPv6Address:
    """The link-local address of an Ethernet device (RFC 4291, appendix A)."""
    octets = mac_bytes(mac)
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])


# -- frames


def _ipv6(hardware: bytes, source: bytes, group: bytes, following: int, payload: bytes) -> bytes:
    """A frame to a multicast group (RFC 2464 section 7)."""
    head = struct.pack("!IHBB", 6 << 28, len(payload), following, 255) + source + group
    return b"\x33\x33" + group[12:] + hardware + b"\x86\xdd" + head + payload


def _neighbour_solicitation(hardware: bytes, target: IPv6Address) -> bytes:
    """RFC 4861 section 4.3; it tells the sender's own link-layer address."""
    source = link_local(hardware.hex(":")).packed
    group = IPv6Address("ff02::1:ff00:0").packed[:13] + target.packed[13:]
    message = struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + b"\1\1" + hardware
    total = checksum(source + group + struct.pack("!II", len(message), 58) + message)
    message = message[:2] + total.to_bytes(2, "big") + message[4:]
    return _ipv6(hardware, source, group, 58, message)


def _offer(frame: bytes, transaction: int) -> Offer | None:
    reply = read_reply(frame, transaction)
    if reply is None:
        return None
    if reply.kind != OFFER:
        raise Malformed("not an OFFER")
    return Offer(
        destination=reply.destination,
        address=reply.address,
        next_server=reply.next_server,
        options=reply.options,
        repeated=reply.repeated,
    )


def _answer6(frame: bytes, hardware: bytes, transaction: int, kind: int) -> Answer6 | None:
    if frame[:6] != hardware or frame[12:14] != b"\x86\xdd" or frame[20] != 17:
        return None
    if frame[54:56] != (547).to_bytes(2, "big") or frame[63:66] != transaction.to_bytes(3, "big"):
        return None
    if frame[62] != kind:
        raise Malformed(f"a message of type {frame[62]}")
    options, repeated = by_number(_each6(frame[66 : 54 + struct.unpack_from("!H", frame, 58)[0]]))
    if options.pop(CLIENT_ID_6, b"")[4:] != hardware or SERVER_ID_6 not in options:
        raise Malformed("no client id, not ours, or no server id")
    del options[SERVER_ID_6]
    status = int.from_bytes(options.pop(STATUS_CODE, b"\0\0")[:2], "big")
    addresses, times = [], None
    if IA_NA in options:
        association = options.pop(IA_NA)
        times = struct.unpack_from("!II", association, 4)
        for code, data in _each6(association[12:]):
            if code == IAADDR:
                preferred, valid = struct.unpack_from("!II", data, 16)
                addresses.append((str(IPv6Address(data[:16])), preferred, valid))
    return Answer6(addresses=addresses, times=times, status=status, options=options, repeated=repeated)


def _each6(data: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        code, length = struct.unpack_from("!HH", data, at)
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + length


# -- what is in an option


def domain_names(data: bytes) -> list[str]:
    """The names of a list of domain names, compressed (RFC 3397) or not."""
    names: list[str] = []
    at = 0
    while at < len(data):
        labels: list[str] = []
        here = begin = at
        after: int | None = None
        while data[here]:
            if data[here] & 0xC0:
                after = here + 2 if after is None else after
                here = struct.unpack_from("!H", data, here)[0] & 0x3FFF
                if here >= begin:
                    raise Malformed("a domain name that does not point back")
                begin = here
            else:
                labels.append(data[here + 1 : here + 1 + data[here]].decode("ascii"))
                here += 1 + data[here]
        at = here + 1 if after is None else after
        names.append(".".join(labels))
    return names


def classless_routes(data: bytes) -> list[tuple[str, str]]:
    """Destinations and next hops of a classless static route option (RFC 3442), in order."""
    routes: list[tuple[str, str]] = []
    at = 0
    while at < len(data):
        width = data[at]
        octets = (width + 7) // 8
        destination = data[at + 1 : at + 1 + octets].ljust(4, b"\0")
        hop = data[at + 1 + octets : at + 5 + octets]
        if width > 32 or len(hop) < 4:
            raise Malformed("a route that is none")
        routes.append((str(IPv4Network((destination, width))), str(IPv4Address(hop))))
        at += 5 + octets
    return routes
