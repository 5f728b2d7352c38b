"""DHCPv4 packets, as they are on the wire: what a client sends in an Ethernet frame, and a server's answer read back.

Knows RFC 2131 and 2132 and the headers around a message; knows nothing of sockets, and nothing of what a server should
say. An option that comes twice is told as such, not joined (RFC 3396).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
EVERY_OPTION: Final = bytes(range(1, 255))
#: Message types (RFC 2132 section 9.6).
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
REQUESTED_ADDRESS, OVERLOAD, MESSAGE_TYPE, SERVER_ID, PARAMETER_REQUEST_LIST = 50, 52, 53, 54, 55
LARGEST_MESSAGE, CLIENT_ID, SUBNET_SELECTION = 57, 61, 118

#: Where the transaction id stands in a frame that `frame4` made.
TRANSACTION_AT: Final = 14 + 20 + 8 + 4
_COOKIE: Final = b"\x63\x82\x53\x63"
_IPV4, _UDP = b"\x08\x00", 17


class Malformed(ValueError):
    """An answer that a client could not read."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A server's message.

    Attributes:
        kind: its message type.
        source, destination: the Ethernet addresses of its frame.
        client: the MAC address it is for (chaddr).
        address: yiaddr; next_server: siaddr; boot_file: the file field, where it holds a name.
        options: by number, those of overloaded fields (option 52) among them, without it and the message type.
        repeated: the numbers of options that came more than once; `options` has the first of each.
    """

    kind: int
    transaction: int
    source: str
    destination: str
    client: str
    address: str
    next_server: str
    boot_file: str
    options: dict[int, bytes]
    repeated: list[int]


def mac_bytes(text: str) -> bytes:
    """A MAC address's six bytes."""
    return bytes.fromhex(text.replace(":", ""))


# -- sending


def message4(
    kind: int,
    mac: str,
    transaction: int,
    options: Sequence[tuple[int, bytes]] = (),
    *,
    address: str = "0.0.0.0",
    broadcast: bool = False,
) -> bytes:
    """A client's message, without headers.

    Args:
        address: ciaddr: the address that the client has already.
        broadcast: ask for an answer that is broadcast: for a client on whose MAC address nothing listens.
    """
    flags, own = 0x8000 if broadcast else 0, IPv4Address(address).packed
    head = struct.pack("!BBBBIHH4s12x", 1, 1, 6, 0, transaction, 0, flags, own)
    sent = [(MESSAGE_TYPE, bytes([kind])), *options]
    body = b"".join(bytes([code, len(value)]) + value for code, value in sent)
    return head + mac_bytes(mac).ljust(16, b"\0") + bytes(192) + _COOKIE + body + b"\xff"


def frame4(
    message: bytes, mac: str, *, source: str = "0.0.0.0", destination: str = "255.255.255.255", to: str = BROADCAST
) -> bytes:
    """A client's message in its frame: from this MAC address and IPv4 address to those."""
    own, theirs = IPv4Address(source).packed, IPv4Address(destination).packed
    datagram = udp_datagram(68, 67, message, own, theirs)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, _UDP, 0, own, theirs)
    header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    return mac_bytes(to) + mac_bytes(mac) + _IPV4 + header + datagram


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp_datagram(source_port: int, port: int, message: bytes, source: bytes, destination: bytes) -> bytes:
    """A datagram between these addresses (packed, of either family), with its checksum."""
    length = 8 + len(message)
    datagram = struct.pack("!HHHH", source_port, port, length, 0) + message
    # The pseudo headers of IPv4 and IPv6 sum up alike.
    sum_ = checksum(source + destination + struct.pack("!II", length, _UDP) + datagram) or 0xFFFF
    return datagram[:6] + sum_.to_bytes(2, "big") + datagram[8:]


# -- receiving


def read_reply(frame: bytes, transaction: int | None = None) -> Reply | None:
    """The server's message in a frame; None where it holds none, or one of another transaction than is asked for.

    Raises:
        Malformed: it is one, and a client could not read it.
    """
    if len(frame) < 42 or frame[12:14] != _IPV4 or frame[23] != _UDP:
        return None
    start = 14 + 4 * (frame[14] & 15)
    source_port, _, length = struct.unpack_from("!HHH", frame, start)
    message = frame[start + 8 : start + length]
    if source_port != 67 or len(message) < 240 or message[0] != 2:
        return None
    told_transaction = int.from_bytes(message[4:8], "big")
    if transaction is not None and told_transaction != transaction:
        return None
    if struct.unpack_from("!H", frame, 20)[0] & 0x3FFF:
        raise Malformed("an answer in fragments")
    if message[236:240] != _COOKIE:
        raise Malformed("BOOTP, not DHCP")
    told = list(_each(message[240:]))
    # RFC 2132 section 9.3: bit 0 for the file field, bit 1 for the sname field.
    overload = dict(told).get(OVERLOAD, b"\0")[0]
    for bit, field in ((1, message[108:236]), (2, message[44:108])):
        told += _each(field) if overload & bit else ()
    options, repeated = by_number(told)
    options.pop(OVERLOAD, None)
    return Reply(
        kind=options.pop(MESSAGE_TYPE, b"\0")[0],
        transaction=told_transaction,
        source=frame[6:12].hex(":"),
        destination=frame[:6].hex(":"),
        client=message[28:34].hex(":"),
        address=str(IPv4Address(message[16:20])),
        next_server=str(IPv4Address(message[20:24])),
        boot_file="" if overload & 1 else message[108:236].split(b"\0")[0].decode("latin-1"),
        options=options,
        repeated=repeated,
    )


def by_number(told: Iterable[tuple[int, bytes]]) -> tuple[dict[int, bytes], list[int]]:
    """Options by number, and the numbers that came again."""
    options: dict[int, bytes] = {}
    repeated: list[int] = []
    for code, value in told:
        if code in options:
            repeated.append(code)
        else:
            options[code] = value
    return options, repeated


def _each(data: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        code, length = data[at], int.from_bytes(data[at + 1 : at + 2], "big")
        value = data[at + 2 : at + 2 + length]
        if len(data) < at + 2 + length:
            raise Malformed(f"option {code} is cut short")
        yield code, value
        at += 2 + length
