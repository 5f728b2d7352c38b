"""A resolver's question, asked inside a namespace (RFC 1035)."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_address

from demo.inside import in_namespace
from demo.waiting import NotSo

_TYPES = {"A": 1, "PTR": 12, "AAAA": 28}


def resolve(server: str, name: str, kind: str, namespace: str) -> list[str]:
    """The values of the records of this type that the server has for a name.

    Raises:
        NotSo: it does not answer within two seconds.
    """
    transaction = os.urandom(2)
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + encoded + struct.pack("!HH", _TYPES[kind], 1)

    def opened() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    with in_namespace(namespace, opened) as asking:
        asking.settimeout(2)
        try:
            asking.connect((server, 53))
            asking.send(transaction + question)
            answer = asking.recv(1 << 16)
        except OSError as error:
            raise NotSo(f"{server} does not answer a question for {name}: {error}") from None
    return _values(answer, 10 + len(transaction) + len(encoded) + 4)


def reverse(server: str, address: str, namespace: str) -> list[str]:
    """The names of an address."""
    return resolve(server, ip_address(address).reverse_pointer, "PTR", namespace)


def _values(message: bytes, at: int) -> list[str]:
    """Those of the answer section, which begins at `at`."""
    values = []
    for _ in range(struct.unpack_from("!H", message, 6)[0]):
        _, at = _name(message, at)
        kind, _, _, size = struct.unpack_from("!HHIH", message, at)
        data = message[at + 10 : at + 10 + size]
        values.append(_name(message, at + 10)[0] if kind == _TYPES["PTR"] else str(ip_address(data)))
        at += 10 + size
    return values


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where it ends."""
    labels: list[str] = []
    end = 0
    while (length := message[at]) != 0:
        if length & 0xC0:
            end = end or at + 2
            target = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            if target >= at:
                raise NotSo("a name in a DNS answer leads nowhere")
            at = target
        else:
            labels.append(message[at + 1 : at + 1 + length].decode())
            at += 1 + length
    return ".".join(labels), end or at + 1
