"""Address ranges that do not overlap within a network, and addresses inside them."""

from __future__ import annotations

from collections.abc import Container
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour

Range = IPv4Network | IPv6Network

#: Where an IPv4 range may lie: base address and length of the block that each index of a network has for itself.
_BLOCKS_V4: Final = ((0x0A000000, 12), (0xAC100000, 16), (0xC0A80000, 20))
_LENGTHS_V4: Final = (24, 24, 24, 26, 28, 22, 20, 29, 30)
_ODD_LENGTHS_V4: Final = (16, 12, 31, 32)
#: The next 16 bits, to /48, count the network's subnets.
_BLOCKS_V6: Final = (0xFD000009 << 96, 0x20010DB8 << 96, 0xFDAB0102 << 96)
_LENGTHS_V6: Final = (64, 64, 64, 64)
_ODD_LENGTHS_V6: Final = (63, 56, 48, 65, 80, 96, 112, 120, 124, 126, 127, 128)
#: Ranges that Neutron would hardly send.
_STRANGE: Final = {4: ("0.0.0.0/0", "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "169.254.0.0/16"), 6: ("::/0", "::/64")}


def address_range(
    c: Choices, index: int, version: int, flavour: Flavour = Flavour.TYPICAL, *, slaac: bool = False
) -> Range:
    """The range of a network's `index`-th subnet (from 0 to 15); different indices never overlap, strange ranges apart.

    Args:
        slaac: only a /64 will do (RFC 4862 section 5.5.3 with 64-bit interface identifiers).
    """
    if flavour is Flavour.HOSTILE and c.chance(4):
        strange = c.pick(_STRANGE[version])
        return IPv4Network(strange) if version == 4 else IPv6Network(strange)
    odd = c.chance(4 if flavour is Flavour.TYPICAL else 25)
    if version == 4:
        base, room = c.pick(_BLOCKS_V4)
        length = max(room, c.pick(_ODD_LENGTHS_V4 if odd else _LENGTHS_V4))
        part = c.integer(0, min(255, (1 << (length - room)) - 1))
        return IPv4Network(((base | index << (32 - room)) | part << (32 - length), length))
    length = 64 if slaac else c.pick(_ODD_LENGTHS_V6 if odd else _LENGTHS_V6)
    return IPv6Network((c.pick(_BLOCKS_V6) | index << 80, length), strict=False)


def nth_address(range_: Range, number: int) -> str:
    """The address `number` places after the range's first one, wrapping round at its end."""
    return str(range_[number % range_.num_addresses])


def first_host(range_: Range) -> int:
    """Place of the first address that a host may have."""
    return 1 if range_.num_addresses > 2 else 0


def free_address(c: Choices, range_: Range, taken: Container[str]) -> str | None:
    """An address of `range_` that is not in `taken`; None where a short search finds none."""
    low = first_host(range_)
    # The last address of an IPv4 range is its broadcast address, except in /31 and /32 (RFC 3021).
    high = range_.num_addresses - (2 if range_.version == 4 and range_.num_addresses > 2 else 1)
    start = c.integer(low, max(low, min(high, low + 200)))
    places = high - low + 1
    for step in range(min(places, 250)):
        address = str(range_[low + (start - low + step) % places])
        if address not in taken:
            return address
    return None


def gateway(c: Choices, range_: Range, flavour: Flavour = Flavour.TYPICAL) -> str | None:
    """A subnet's gateway: the first address, none, the last one, seldom one outside the range."""
    if c.chance(15):
        return None
    if range_.version == 6 and c.chance(15):
        return str(range_.network_address)  # what Neutron gives to an IPv6 subnet by default
    if c.chance(8):
        return str(range_[-2] if range_.num_addresses > 3 else range_[-1])
    if c.chance(2 if flavour is Flavour.TYPICAL else 12):
        return "203.0.113.1" if range_.version == 4 else c.pick(("fe80::1", "2001:db8:ffff::1"))
    return str(range_[first_host(range_)])


def address_of_version(c: Choices, version: int) -> str:
    """Some address of the documentation ranges (RFC 5737, RFC 3849)."""
    if version == 4:
        return c.pick(("192.0.2.", "198.51.100.", "203.0.113.")) + str(c.integer(1, 254))
    return str(ip_address((0x20010DB8 << 96) | c.integer(1, 0xFFFF)))
