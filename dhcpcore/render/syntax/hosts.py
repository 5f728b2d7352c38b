"""Lines of a --dhcp-hostsfile: which of them dnsmasq 2.90 takes (option.c one_opt, case LOPT_BANK).

A line is fields in any order: hardware addresses, ``id:``, ``tag:``, ``set:``, IPv4 addresses, IPv6 addresses in
brackets, a lease time, a name, ``ignore``. Their kind is told from their characters alone, so whether a field is what
its writer meant is another question: `hostname_problem`, `client_id_problem`, `tag_problem`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from dhcpcore.render.syntax.c_text import atoi, byte_text, digits_only, ipv6_number, takes_hex
from dhcpcore.render.syntax.names import meaning_of_word, usual_name
from dhcpcore.render.syntax.reader import DEADLY, LONGEST_LINE, Refused, read_line, split, unhidden

# A port as Neutron knows it, with an IPv4 address: hardware address, qualified name, address, tag of its options.
_ORDINARY: Final = re.compile(
    rf"(?:[0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}},{usual_name('[a-z]', '{0,3}')}"
    r",[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:,set:[A-Za-z0-9-]{1,100})?"
).fullmatch
_LONGEST_HARDWARE_ADDRESS = 16  # DHCP_CHADDR_MAX
_CHANGES_FIELD: Final = re.compile(r'[\x00-\x1f\x7f,"]').search
_INTERFACE_BITS: Final = (1 << 64) - 1


def host_line_problem(line: str) -> str | None:
    """Why dnsmasq would refuse this line of a hosts file, read more than one line in it, or die of it; or None.

    `line` comes without its newline. Where dnsmasq would log an error, the reason is its own wording. An IPv4 address
    that an earlier line has is a matter of the whole file: `duplicate_host_addresses`.
    """
    if _ORDINARY(line):
        return None
    try:
        rest: str | None = read_line(line) or None
        while rest is not None:
            field, rest = split(rest)
            _check_field(field)
    except Refused as refused:
        return str(refused)
    return None


def _check_field(field: str) -> None:
    if ":" not in field:
        if meaning_of_word(field) == "bad name":
            raise Refused("bad DHCP host name")
    elif field[:3].lower() == "id:":
        if ":" in field[3:] and field[3] != "*" and not takes_hex(field[3:]):
            raise Refused("bad hex constant")
    elif field.startswith(("net:", "set:", "tag:")):
        if field[4:] == "":
            # A null pointer goes into strcmp when tags are compared (dhcp-common.c match_netid).
            raise Refused(DEADLY + "an empty tag")
    elif field[0] == "[" and field[-1] == "]":
        _check_address6(field[1:-1])
    elif not takes_hex(field, at_most=_LONGEST_HARDWARE_ADDRESS, with_type=True):
        raise Refused("bad hex constant")


def _check_address6(text: str) -> None:
    address, prefix = split(text, "/")
    number = ipv6_number(address)
    if number is None:
        raise Refused("bad IPv6 address")
    if prefix is None:
        return
    digits = unhidden(prefix)
    length = atoi(digits)
    # `(u64)1 << (128 - length)`: a 64-bit processor looks at the last six bits of the distance.
    host_bits = (1 << ((128 - length) % 64)) - 1
    if not digits_only(digits) or length > 128 or host_bits & number & _INTERFACE_BITS:
        raise Refused("bad IPv6 prefix")


def duplicate_host_addresses(pairs: Iterable[tuple[int, str]]) -> set[int]:
    """Which lines of one hosts file dnsmasq refuses because an earlier one has their IPv4 address.

    Args:
        pairs: (line index, IPv4 address as text) in the order of the file, of lines that are otherwise fine.

    Returns:
        The indexes of the refused lines ("duplicate dhcp-host IP address"); whichever hardware address they name, the
        first line keeps the address. The same address twice in one line is fine, and so is a repeated IPv6 address.

    dnsmasq compares the 32 bits; its reader takes one spelling only for each, so texts may be compared.
    """
    first: dict[str, int] = {}
    refused: set[int] = set()
    for index, address in pairs:
        if first.setdefault(address, index) != index:
            refused.add(index)
    return refused


def tag_problem(tag: str) -> str | None:
    """Why ``set:TAG`` or ``tag:TAG`` would not be one field with exactly this tag, or None."""
    if not tag:
        return DEADLY + "an empty tag"
    if tag[0] in "!#":
        return "'!' and '#' negate a tag"
    return _field_problem(tag)


def client_id_problem(value: str) -> str | None:
    """Why ``id:VALUE`` would not be one field that matches clients with this id, or None.

    A value with a colon is bytes in hex, any other is text. ``*`` is legal and means that the id which a client sends
    is to be ignored: the host is known by its hardware address alone.
    """
    if not value:
        return "empty"
    if problem := _field_problem(value):
        return problem
    if value[0] == "*":
        return None if value == "*" else "what follows '*' is dropped"
    if ":" in value:
        if "*" in value:
            return "bytes with '*' have no value"
        if not takes_hex(value):
            return "bad hex constant"
    return None


def _field_problem(text: str) -> str | None:
    if _CHANGES_FIELD(text):
        return "comma, quote and control characters part or change the field"
    if text[-1] == " " or " #" in text:
        return "a last space and a comment are dropped"
    encoded = byte_text(text)
    if encoded is None:
        return "no text that UTF-8 can hold"
    return "longer than 1024 bytes" if len(encoded) >= LONGEST_LINE else None
