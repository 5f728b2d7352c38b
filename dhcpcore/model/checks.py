"""What a field may hold: attrs validators shared by the models.

Each raises `PayloadError` whose path is the field's own name; whoever holds the model puts the outer path in front.
They run once per field of every port of every network, so each takes the cheapest test first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, TypeAlias

from attrs import Attribute

from dhcpcore.errors import PayloadError, shown

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}").fullmatch
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}").fullmatch
# Letters, digits and what UUIDs, Neutron's own tests and vendors' plugins put into ids.  No separator of a path, of a
# dnsmasq field (',', ':', '#', space, quote) or of a line; never '.' or '..' alone; at most one file name long.
_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._@+=~-]{1,200}").fullmatch

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}").fullmatch

# Letters, digits, '-' and '_' in parts with dots between; one dot may end it.
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?").fullmatch

#: Octets of one label of a domain name, and of all of it, dots included (RFC 1035 section 2.3.4).
LONGEST_LABEL: Final = 63
LONGEST_NAME: Final = 253

#: attrs' Attribute is generic for type checkers only.
Field: TypeAlias = "Attribute[Any]"


def fail(name: str, expected: str, value: Any) -> PayloadError:
    """The error for one field."""
    return PayloadError(name, expected, shown(value))


def is_ipv4(text: str) -> bool:
    """Whether `text` is a dotted quad without leading zeros (RFC 6943 section 3.1.1, strict form)."""
    return _IPV4(text) is not None


def is_mac(text: str) -> bool:
    """Whether `text` is a MAC address of six octets with colons, in either case."""
    return _MAC(text) is not None


def is_ipv6(text: str) -> bool:
    """Whether `text` is an IPv6 address without a zone (RFC 4291 section 2.2)."""
    # The length first: a cache must not keep what is no address at all.
    return len(text) <= 45 and "%" not in text and _is_ipv6(text)


@lru_cache(maxsize=4096)
def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except (AddressValueError, ValueError):
        return False
    return True


def labels_fit(name: bytes) -> bool:
    """Whether no label of a domain name is too long; an empty one, and too many of them, are another matter."""
    return all(len(label) <= LONGEST_LABEL for label in name.split(b"."))


def is_host_name(text: str) -> bool:
    """Whether `text` has the form of a host's name. 10.1 has it, and the C library takes that for 10.0.0.1."""
    return _HOST_NAME(text) is not None


def parse_cidr(text: str) -> IPv4Network | IPv6Network:
    """An address range; host bits are dropped, a missing length is the full one, as netaddr's IPNetwork has it.

    Raises:
        ValueError: it is neither.
    """
    if len(text) > 49 or "%" in text:
        raise ValueError("not a CIDR")
    return _parse_cidr(text)


@lru_cache(maxsize=8192)
def _parse_cidr(text: str) -> IPv4Network | IPv6Network:
    address, _, length = text.partition("/")
    if _IPV4(address) is not None:
        return IPv4Network(text, strict=False)
    if is_ipv6(address) and (not length or (length.isascii() and length.isdecimal())):
        return IPv6Network(text, strict=False)
    raise ValueError("not a CIDR")


def is_id(text: str) -> bool:
    """Whether a text may be an id, see `check_id`."""
    return _ID(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, with its hyphens or without (oslo_utils' ``is_uuid_like``, less its braces)."""
    return _UUID(text) is not None


def check_id(_: Any, field: Field, value: Any) -> None:
    """An opaque id that is safe as a file name and as a dnsmasq tag."""
    if type(value) is not str or _ID(value) is None:
        raise fail(field.name, "an id of 1 to 200 letters, digits or ._@+=~-, not '.' or '..'", value)


def check_optional_id(_: Any, field: Field, value: Any) -> None:
    """An id, or none."""
    if value is not None:
        check_id(_, field, value)


def check_mac(_: Any, field: Field, value: Any) -> None:
    """A 48-bit MAC address written with colons."""
    if type(value) is not str or not is_mac(value):
        raise fail(field.name, "a MAC address like fa:16:3e:00:00:01", value)


def check_address(_: Any, field: Field, value: Any) -> None:
    """An IPv4 or IPv6 address without a zone."""
    if type(value) is not str or (_IPV4(value) is None and not is_ipv6(value)):
        raise fail(field.name, "an IP address", value)


def check_optional_address(_: Any, field: Field, value: Any) -> None:
    """An address, or none."""
    if value is not None:
        check_address(_, field, value)


def check_cidr(_: Any, field: Field, value: Any) -> None:
    """An address range in CIDR notation."""
    if type(value) is str:
        try:
            parse_cidr(value)
            return
        except ValueError:
            pass
    raise fail(field.name, "a CIDR like 10.0.0.0/24 or fd00::/64", value)


def check_bool(_: Any, field: Field, value: Any) -> None:
    """True or False, no stand-in."""
    if value is not True and value is not False:
        raise fail(field.name, "true or false", value)


def check_text(_: Any, field: Field, value: Any) -> None:
    """Any text; what it may do in a file is the renderer's business."""
    if type(value) is not str:
        raise fail(field.name, "a string", value)


def check_optional_text(_: Any, field: Field, value: Any) -> None:
    """Any text, or none."""
    if value is not None and type(value) is not str:
        raise fail(field.name, "a string or null", value)


def check_count(_: Any, field: Field, value: Any) -> None:
    """A whole number from 0 to 2**63 - 1."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise fail(field.name, "a whole number from 0 to 2**63 - 1", value)


def check_optional_count(_: Any, field: Field, value: Any) -> None:
    """A whole number from 0, or none."""
    if value is not None:
        check_count(_, field, value)


def check_version(_: Any, field: Field, value: Any) -> None:
    """An IP version."""
    if type(value) is not int or value not in (4, 6):
        raise fail(field.name, "4 or 6", value)


def each(member: type) -> Any:
    """A validator for a tuple whose members are all of one model class."""

    def check(_: Any, field: Field, value: Any) -> None:
        if type(value) is tuple:
            for item in value:
                if type(item) is not member:
                    break
            else:
                return
        raise fail(field.name, f"a tuple of {member.__name__}", value)

    return check
