"""Release messages, byte by byte: DHCPRELEASE (RFC 2131, 2132) and the DHCPv6 RELEASE (RFC 8415).

Pure: leases to bytes.  dnsmasq takes a release for whoever sends it, by hardware address or by DUID and IAID.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from dhcpcore import Lease

_BOOTREQUEST: Final = 1
_COOKIE: Final = b"\x63\x82\x53\x63"
_MESSAGE_TYPE, _SERVER, _CLIENT = 53, 54, 61
_DHCPRELEASE: Final = 7

_RELEASE: Final = 8
_CLIENT_ID, _SERVER_ID, _IA_NA, _IA_TA, _IA_ADDRESS = 1, 2, 3, 4, 5


def release4(lease: Lease, server: str, transaction: int) -> bytes:
    """A DHCPRELEASE to the server with this address.

    Raises:
        ValueError: the lease names no client.
    """
    kind, hardware = _hardware(lease.mac_address or "")
    options = [(_MESSAGE_TYPE, bytes([_DHCPRELEASE])), (_SERVER, IPv4Address(server).packed)]
    if lease.client_id is not None:
        options.append((_CLIENT, _bytes(lease.client_id)))
    head = struct.pack("!BBBBIHH", _BOOTREQUEST, kind, len(hardware), 0, transaction, 0, 0)
    addresses = IPv4Address(lease.ip_address).packed + bytes(12)
    body = b"".join(bytes([code, len(value)]) + value for code, value in options)
    return head + addresses + hardware.ljust(16, b"\0") + bytes(192) + _COOKIE + body + b"\xff"


def release6(lease: Lease, transaction: int) -> bytes:
    """A RELEASE of one address.

    Raises:
        ValueError: the lease lacks the client's DUID, the server's or the IAID.
    """
    if lease.client_id is None or lease.server_id is None or lease.iaid is None:
        raise ValueError(f"the lease of {lease.ip_address} has no client DUID, server DUID or IAID")
    address = _option6(_IA_ADDRESS, IPv6Address(lease.ip_address).packed + bytes(8))
    # An IA_NA has two times, which are the server's to choose; an IA_TA has none.
    association = lease.iaid.to_bytes(4, "big") + (b"" if lease.temporary else bytes(8)) + address
    return (
        bytes([_RELEASE])
        + (transaction & 0xFFFFFF).to_bytes(3, "big")
        + _option6(_CLIENT_ID, _bytes(lease.client_id))
        + _option6(_SERVER_ID, _bytes(lease.server_id))
        + _option6(_IA_TA if lease.temporary else _IA_NA, association)
    )


def _option6(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _hardware(text: str) -> tuple[int, bytes]:
    """ARP type and address; dnsmasq writes the type in front where it is not Ethernet (src/lease.c)."""
    kind, dash, address = text.rpartition("-")
    if not text:
        raise ValueError("an IPv4 lease without a hardware address")
    return int(kind, 16) if dash else 1, _bytes(address)


def _bytes(text: str) -> bytes:
    return bytes(int(each, 16) for each in text.split(":")) if text else b""
