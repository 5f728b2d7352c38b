"""DNS queries from inside a namespace, over UDP or TCP (RFC 1035), as a resolver of a virtual machine sends them.

Knows the wire format of a handful of record types; knows nothing of what a server should say.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from support.clients.inside import in_namespace

TYPES: Final = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
#: Response codes (RFC 1035 section 4.1.1).
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME, REFUSED = 0, 2, 3, 5
_INTERNET: Final = 1
_MOST_POINTERS: Final = 64


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said.

    Attributes:
        code: the response code.
        records: of the answer section: (name, type, value), values as text, of unknown types as hex digits.
        is_truncated: whether it has to be asked again by TCP; is_authoritative: as the server says.
    """

    code: int
    records: tuple[tuple[str, str, str], ...]
    is_truncated: bool
    is_authoritative: bool

    @property
    def values(self) -> list[str]:
        """The values alone."""
        return [value for _, _, value in self.records]


def query(
    server: str, name: str, kind: str = "A", *, namespace: str | None = None, tcp: bool = False, seconds: float = 2
) -> Answer | None:
    """Ask a server once; None where it says nothing in time, or refuses the connection.

    Args:
        server: its address; of a link-local one with its device: ``fe80::1%eth0``.
        kind: a key of `TYPES`.
    """
    transaction = os.urandom(2)
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    # Recursion is desired, as every resolver on a machine does.
    message = transaction + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + encoded
    message += struct.pack("!HH", TYPES[kind], _INTERNET)
    try:
        answer = in_namespace(namespace, lambda: (_by_tcp if tcp else _by_udp)(server, message, seconds))
    except (TimeoutError, ConnectionRefusedError, ConnectionResetError):
        return None
    assert answer[:2] == transaction, "an answer to another question"
    return _read(answer)


def reverse(server: str, address: str, *, namespace: str | None = None, tcp: bool = False) -> Answer | None:
    """Ask for the names of an address (PTR)."""
    return query(server, ip_address(address).reverse_pointer, "PTR", namespace=namespace, tcp=tcp)


def _open(server: str, kind: socket.SocketKind, seconds: float) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(server, 53, type=kind, flags=socket.AI_NUMERICHOST)[0]
    asking = socket.socket(family, kind)
    asking.settimeout(seconds)
    try:
        asking.connect(where)
    except BaseException:
        asking.close()
        raise
    return asking


def _by_udp(server: str, message: bytes, seconds: float) -> bytes:
    with _open(server, socket.SOCK_DGRAM, seconds) as asking:
        asking.send(message)
        return asking.recv(1 << 16)


def _by_tcp(server: str, message: bytes, seconds: float) -> bytes:
    with _open(server, socket.SOCK_STREAM, seconds) as asking, asking.makefile("rb") as answer:
        asking.sendall(struct.pack("!H", len(message)) + message)
        length = answer.read(2)
        if len(length) < 2:
            raise ConnectionResetError("the server has closed the connection")
        return answer.read(int.from_bytes(length, "big"))


def _read(message: bytes) -> Answer:
    _, flags, questions, answers, _, _ = struct.unpack_from("!6H", message)
    at = 12
    for _ in range(questions):
        at = _name(message, at)[1] + 4
    names = {number: name for name, number in TYPES.items()}
    records = []
    for _ in range(answers):
        owner, at = _name(message, at)
        kind, _, _, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        records.append((owner, names.get(kind, f"TYPE{kind}"), _value(message, kind, at, length)))
        at += length
    return Answer(
        code=flags & 15,
        records=tuple(records),
        is_truncated=bool(flags & 0x0200),
        is_authoritative=bool(flags & 0x0400),
    )


def _value(message: bytes, kind: int, at: int, length: int) -> str:
    data = message[at : at + length]
    if kind == TYPES["A"]:
        return str(IPv4Address(data))
    if kind == TYPES["AAAA"]:
        return str(IPv6Address(data))
    if kind in (TYPES["PTR"], TYPES["CNAME"], TYPES["NS"]):
        return _name(message, at)[0]
    if kind == TYPES["TXT"]:
        return data[1 : 1 + data[0]].decode("utf-8", "replace")
    return data.hex()


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, compressed or not, and where it ends."""
    labels: list[str] = []
    end: int | None = None
    for _ in range(_MOST_POINTERS + 128):
        length = message[at]
        if length & 0xC0:
            end = at + 2 if end is None else end
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
        elif length:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
        else:
            return ".".join(labels), at + 1 if end is None else end
    raise ValueError("a name that leads round in circles")
