"""What a client was given, in one form whichever client it was."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, kw_only=True)
class Lease4:
    """A DHCPv4 lease; empty or None where the server told nothing.

    Attributes:
        routes: destinations and next hops (option 121), in order.
        ntp: time servers (option 42). lease_time: seconds. server: the server's address.
    """

    address: str
    prefix: int
    router: tuple[str, ...]
    dns: tuple[str, ...]
    domain: str | None
    hostname: str | None
    mtu: int | None
    ntp: tuple[str, ...]
    routes: tuple[tuple[str, str], ...]
    lease_time: int
    server: str


@dataclass(frozen=True, kw_only=True)
class Lease6:
    """A DHCPv6 lease of one address."""

    address: str
    dns: tuple[str, ...]


def from_udhcpc(told: Mapping[str, str]) -> Lease4:
    """From the environment of udhcpc's script."""
    words = told.get("staticroutes", "").split()
    return Lease4(
        address=told["ip"],
        prefix=int(told["mask"]),
        router=tuple(told.get("router", "").split()),
        dns=tuple(told.get("dns", "").split()),
        domain=told.get("domain"),
        hostname=told.get("hostname"),
        mtu=int(told["mtu"]) if "mtu" in told else None,
        ntp=tuple(told.get("ntpsrv", "").split()),
        routes=tuple(zip(words[::2], words[1::2], strict=True)),
        lease_time=int(told["lease"]),
        server=told["serverid"],
    )


def from_options(address: str, options: Mapping[int, bytes]) -> Lease4:
    """From the options of an ACK (RFC 2132)."""
    return Lease4(
        address=address,
        prefix=IPv4Network(f"0.0.0.0/{IPv4Address(options[1])}").prefixlen,
        router=_addresses(options.get(3, b"")),
        dns=_addresses(options.get(6, b"")),
        domain=options[15].decode() if 15 in options else None,
        hostname=options[12].decode() if 12 in options else None,
        mtu=int.from_bytes(options[26], "big") if 26 in options else None,
        ntp=_addresses(options.get(42, b"")),
        routes=tuple(_routes(options.get(121, b""))),
        lease_time=struct.unpack("!I", options[51])[0],
        server=str(IPv4Address(options[54])),
    )


def _addresses(data: bytes) -> tuple[str, ...]:
    return tuple(str(IPv4Address(data[at : at + 4])) for at in range(0, len(data), 4))


def _routes(data: bytes) -> list[tuple[str, str]]:
    """RFC 3442: of a destination only the bytes that count."""
    routes, at = [], 0
    while at < len(data):
        prefix, size = data[at], (data[at] + 7) // 8
        destination = IPv4Address(data[at + 1 : at + 1 + size].ljust(4, b"\0"))
        at += 1 + size
        routes.append((f"{destination}/{prefix}", str(IPv4Address(data[at : at + 4]))))
        at += 4
    return routes
