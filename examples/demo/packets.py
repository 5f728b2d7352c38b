"""DHCPv4 on the wire: a socket, a message in its frame, an answer read back (RFC 2131, 2132).

For clients that no program plays: strangers, and everybody where there is no udhcpc.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Self

from demo.inside import in_namespace
from demo.leases import Lease4, from_options

DISCOVER, OFFER, REQUEST, _DECLINE, ACK, NAK = range(1, 7)
REQUESTED_ADDRESS, MESSAGE_TYPE, SERVER_ID, PARAMETERS = 50, 53, 54, 55
#: What a cloud image asks for: mask, router, DNS, names, MTU, time servers, classless routes.
ASKED_FOR: Final = bytes((1, 3, 6, 12, 15, 26, 42, 51, 54, 121))
_COOKIE: Final = b"\x63\x82\x53\x63"
_EVERYBODY: Final = b"\xff" * 6
_IPV4: Final = 0x0800


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A server's message; options by number."""

    kind: int
    transaction: int
    address: str
    options: Mapping[int, bytes]


class Wire:
    """The wire at a device: every frame that comes in there; a context manager.

    Args:
        namespace: where the device is; None for the host's own network.
    """

    def __init__(self, device: str, namespace: str | None = None) -> None:
        def opened() -> socket.socket:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            made.bind((device, _IPV4))
            return made

        self._socket = in_namespace(namespace, opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, mac: str, options: Mapping[int, bytes], seconds: float) -> Reply | None:
        """Broadcast a message, again every second; the answer, or None where there is none within `seconds`."""
        transaction = int.from_bytes(os.urandom(4), "big")
        frame = _frame(_message(kind, mac, transaction, options), mac)

        def received() -> Reply | None:
            return _in_frame(self._socket.recv(1 << 16))

        return _asked(self._socket, lambda: self._socket.send(frame), received, transaction, seconds)


def ask_server(device: str, namespace: str, server: str, mac: str, address: str, seconds: float) -> Reply | None:
    """Ask the server itself to extend the lease of an address that the device has; the answer, or None.

    To a broadcast a server that does not know the lease says nothing (RFC 2131 section 4.3.2); to this it says no.
    """

    def opened() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind(("", 68))
        return made

    transaction = int.from_bytes(os.urandom(4), "big")
    message = _message(REQUEST, mac, transaction, {}, address)
    with in_namespace(namespace, opened) as asking:
        return _asked(
            asking,
            lambda: asking.sendto(message, (server, 67)),
            lambda: _read(asking.recv(1 << 16)),
            transaction,
            seconds,
        )


def _asked(
    asking: socket.socket,
    send: Callable[[], int],
    receive: Callable[[], Reply | None],
    transaction: int,
    seconds: float,
) -> Reply | None:
    deadline = time.monotonic() + seconds
    again = 0.0
    while (now := time.monotonic()) < deadline:
        if now >= again:
            send()
            again = now + 1
        if select.select([asking], [], [], max(0.0, min(again, deadline) - now))[0]:
            reply = receive()
            if reply is not None and reply.transaction == transaction:
                return reply
    return None


def _message(kind: int, mac: str, transaction: int, options: Mapping[int, bytes], address: str = "") -> bytes:
    """A client's message; `address` is the one that it has already."""
    # The flag 0x8000: answer by broadcast, for where there is no address yet nobody listens to it.
    flags, own = (0, IPv4Address(address).packed) if address else (0x8000, bytes(4))
    head = struct.pack("!BBBBIHH4s12x", 1, 1, 6, 0, transaction, 0, flags, own)
    all_options = {MESSAGE_TYPE: bytes([kind]), PARAMETERS: ASKED_FOR, **options}
    told = b"".join(bytes([number, len(value)]) + value for number, value in all_options.items())
    return head + bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0") + bytes(192) + _COOKIE + told + b"\xff"


def _frame(message: bytes, mac: str) -> bytes:
    # A datagram over IPv4 may go without a checksum (RFC 768).
    datagram = struct.pack("!HHHH", 68, 67, 8 + len(message), 0) + message
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    header = header[:10] + _checksum(header) + header[12:]
    return _EVERYBODY + bytes.fromhex(mac.replace(":", "")) + _IPV4.to_bytes(2, "big") + header + datagram


def _checksum(header: bytes) -> bytes:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")


def _in_frame(frame: bytes) -> Reply | None:
    """The server's message in a frame, or None."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    start = 14 + 4 * (frame[14] & 15)
    port, _, length = struct.unpack_from("!HHH", frame, start)
    return _read(frame[start + 8 : start + length]) if port == 67 else None


def _read(message: bytes) -> Reply | None:
    """A server's message, or None."""
    if len(message) < 240 or message[0] != 2 or message[236:240] != _COOKIE:
        return None
    options: dict[int, bytes] = {}
    at = 240
    while at + 1 < len(message) and message[at] != 255:
        size = message[at + 1] if message[at] else -1  # 0 is padding, a byte by itself
        if size >= 0:
            options[message[at]] = message[at + 2 : at + 2 + size]
        at += 2 + size
    return Reply(
        kind=options.get(MESSAGE_TYPE, b"\0")[0],
        transaction=int.from_bytes(message[4:8], "big"),
        address=str(IPv4Address(message[16:20])),
        options=options,
    )


def offered(device: str, mac: str, seconds: float) -> Lease4 | None:
    """What this MAC address is offered on the network of a bridge, or None."""
    with Wire(device) as wire:
        reply = wire.ask(DISCOVER, mac, {}, seconds)
        return from_options(reply.address, reply.options) if reply is not None and reply.kind == OFFER else None
