"""Text as a C program sees it: a row of bytes, and what the C library makes of numbers and addresses in it.

dnsmasq works on `char`. So everything below this package's front works on a *byte text*: a `str` in which every
character stands for one byte of the UTF-8 form. For ASCII that is the text itself.

Knows the C library (glibc), and dnsmasq's own reader of hex bytes; knows nothing of its grammar.
"""

from __future__ import annotations

import re
from typing import Final

#: What isspace() takes for white space in the C and UTF-8 locales.
SPACES: Final = " \t\n\v\f\r"

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}").fullmatch
_IPV6_GROUP: Final = re.compile(r"[0-9A-Fa-f]{1,4}").fullmatch
_DIGITS: Final = re.compile(r"[0-9]*").fullmatch
_NUMBER: Final = re.compile(r"[ \t-\r]*([+-]?)0*([0-9]*)").match
_HEX_TOKEN: Final = re.compile(r"[0-9A-Fa-f*]*").fullmatch
_HEX_SEPARATOR: Final = re.compile(r"[:\- ]")


def byte_text(text: str) -> str | None:
    """`text` with one character for each byte of its UTF-8 form; None when it has none (a lone surrogate)."""
    if text.isascii():
        return text
    try:
        return text.encode().decode("latin-1")
    except UnicodeEncodeError:
        return None


def byte_length(text: str) -> int:
    """How many bytes `text` has in the file it came from or goes to."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a surrogate that stands for no byte: such a text was never read from a file
        return len(text.encode("utf-8", "surrogatepass"))


def digits_only(text: str) -> bool:
    """Whether there is nothing but ASCII digits. True of the empty text, as of dnsmasq's own loops."""
    return _DIGITS(text) is not None


def atoi(text: str) -> int:
    """atoi(3) with 64-bit long and 32-bit int: the number at the start, or 0; too long a number wraps or is -1."""
    found = _NUMBER(text)
    if found is None or not found[2]:
        return 0
    value = int(found[2]) if len(found[2]) < 20 else 1 << 64
    value = max(-value, -(1 << 63)) if found[1] == "-" else min(value, (1 << 63) - 1)
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def is_ipv4(text: str) -> bool:
    """Whether inet_pton(AF_INET) takes it: four decimal octets, no leading zeros, nothing around them."""
    return _IPV4(text) is not None


def ipv4_number(text: str) -> int | None:
    """The address as a 32-bit number in host order; None for what inet_pton(AF_INET) refuses."""
    if _IPV4(text) is None:
        return None
    a, b, c, d = text.split(".")
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def ipv6_number(text: str) -> int | None:
    """The address as a 128-bit number; None for what glibc's inet_pton(AF_INET6) refuses, zones among it."""
    head, gap, tail = text.partition("::")
    if not gap:
        groups = _groups(head, may_end_in_ipv4=True)
        return _joined(groups) if groups is not None and len(groups) == 8 else None
    before, after = _groups(head, may_end_in_ipv4=False), _groups(tail, may_end_in_ipv4=True)
    # '::' must stand for at least one group.
    if before is None or after is None or len(before) + len(after) > 7:
        return None
    return _joined(before + [0] * (8 - len(before) - len(after)) + after)


def _groups(text: str, *, may_end_in_ipv4: bool) -> list[int] | None:
    if not text:
        return []
    *parts, last = text.split(":")
    if may_end_in_ipv4 and "." in last:
        number = ipv4_number(last)
        if number is None:
            return None
        tail = [number >> 16, number & 0xFFFF]
    else:
        parts.append(last)
        tail = []
    if not all(map(_IPV6_GROUP, parts)):
        return None
    return [int(part, 16) for part in parts] + tail


def _joined(groups: list[int]) -> int:
    number = 0
    for group in groups:
        number = number << 16 | group
    return number


def takes_hex(text: str, *, at_most: int | None = None, with_type: bool = False) -> bool:
    """Whether dnsmasq's parse_hex (util.c) takes a row of hex bytes, parted by any of ``:``, ``-`` and space.

    A byte may be ``*``; several bytes may stand together. Reading stops, without a complaint, after `at_most` bytes.
    `with_type`: a first part that ends in ``-`` is the hardware type and no byte.
    """
    count = 0
    start = 0
    while at_most is None or count < at_most:
        found = _HEX_SEPARATOR.search(text, start)
        end = found.start() if found else len(text)
        part = text[start:end]
        if _HEX_TOKEN(part) is None:
            return False
        if part and with_type and count == 0 and found is not None and found[0] == "-":
            with_type = False
        elif part == "*":
            count += 1
        elif part:
            bytes_here = (len(part) + 1) // 2
            if at_most is not None:
                bytes_here = min(bytes_here, at_most - count)
            if "*" in part[: 2 * bytes_here]:
                return False
            count += bytes_here
        if found is None:
            break
        start = end + 1
    return True
