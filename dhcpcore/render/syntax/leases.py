"""Lines of a --dhcp-leasefile: which of them dnsmasq 2.90 reads as they are written, and which harm other leases.

It writes one lease a line (src/lease.c, lease_update_file) but reads five words a lease, two for the server's DUID,
wherever the lines end (read_leases): a word too few or too many shifts everything that follows, a MAC address that is
none aborts it, and a client id that is no hex ends in undefined behaviour.  The reader's scanf format has the lengths;
a longer word is read as two.
"""

from __future__ import annotations

import re
from typing import Final

from dhcpcore.model.checks import is_ipv4, is_ipv6
from dhcpcore.render.syntax.c_text import byte_length

# The words of fscanf: only these characters separate.
_WORD: Final = re.compile(r"[^ \t\n\r\v\f]+")
_NUMBER: Final = re.compile(r"[0-9]{1,19}").fullmatch
_BYTE: Final = "[0-9A-Fa-f]{1,2}"
_BYTES: Final = f"{_BYTE}(?::{_BYTE})"
# DHCP_CHADDR_MAX is 16; none at all is a client known by its client id only (InfiniBand: "20-").
_HARDWARE: Final = re.compile(rf"(?:[0-9A-Fa-f]{{2}}-(?:{_BYTES}{{0,15}})?)|{_BYTES}{{0,15}}").fullmatch
_IDENTIFIER: Final = re.compile(rf"{_BYTES}{{0,254}}").fullmatch
_DUID: Final = re.compile(rf"(?=.{{1,255}}\Z){_BYTES}*").fullmatch
_CONTROL: Final = re.compile(r"[\0-\x1f\x7f]").search
_MAX_NAME_BYTES: Final = 255
_SEPARATE_LEASE: Final = re.compile(
    rf"[0-9]{{1,20}} T?[0-9]{{1,10}} [0-9A-Fa-f:.]{{2,64}} [!-~]{{1,255}} (?=(?:\*|{_BYTES}*)\Z).{{1,764}}"
).fullmatch


def lease_line_problem(line: str) -> str | None:
    """Why dnsmasq must not be given this line of a leases file, None where it is sound.

    Sound are leases, ``duid`` lines and empty lines.  Anything else makes dnsmasq abort, lose this lease or those that
    follow, or hold another lease than the line says: also an expiry that is no number (it reads 0, infinite), a client
    id that is not hexadecimal (it drops it), a name with a control character.
    """
    if "\n" in line:
        return "more than one line"
    words = lease_words(line)
    return lease_problem(words) if words else None


def harms_no_other_lease(line: str) -> bool:
    """Whether a line, an IPv6 lease or the server's DUID, leaves what follows it as it is.

    Less than `lease_line_problem`: the lease itself may be read otherwise than it is written (a time or an IAID out of
    bounds).  But here words are parted by one space, as dnsmasq writes them.
    """
    if line.startswith("duid "):
        return _DUID(line, len("duid ")) is not None
    return _SEPARATE_LEASE(line) is not None


def lease_words(line: str) -> list[str]:
    """The words that dnsmasq reads in a line."""
    return _WORD.findall(line)


def lease_problem(words: list[str]) -> str | None:
    """As `lease_line_problem`, of a line's words; at least one."""
    if words[0] == "duid":
        if len(words) != 2:
            return "a DUID line has two words: dnsmasq would take the next lease for the rest of this line"
        return None if _DUID(words[1]) else "the DUID is not hexadecimal: dnsmasq would read nothing that follows"
    if len(words) != 5:
        return "a lease has five words: dnsmasq would misread every lease that follows"
    expiry, hardware, address, name, identifier = words
    if is_ipv4(address):
        if _HARDWARE(hardware) is None:
            return "the link-layer address is not hexadecimal: dnsmasq would abort"
    elif is_ipv6(address):
        iaid = hardware[1:] if hardware[0] == "T" else hardware
        if _NUMBER(iaid) is None or int(iaid) >= 1 << 32:
            return "the IAID is not a 32-bit number: dnsmasq would take another one"
    else:
        return "the address is not an IP address: dnsmasq would ignore the lease"
    if _NUMBER(expiry) is None or int(expiry) >= 1 << 63:
        return "the expiry is not a time: dnsmasq would take another one"
    if identifier != "*" and _IDENTIFIER(identifier) is None:
        return "the client id is not hexadecimal or longer than 255 bytes: dnsmasq would drop it or split it"
    if byte_length(name) > _MAX_NAME_BYTES or _CONTROL(name) is not None:
        return "the name is longer than 255 bytes or has a control character: dnsmasq would cut it"
    return None
