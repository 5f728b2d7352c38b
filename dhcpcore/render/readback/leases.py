"""dnsmasq's leases file, read back line by line.

dnsmasq writes one lease a line (src/lease.c, lease_update_file) but reads five words a lease, wherever the lines end
(read_leases): a word too few or too many shifts everything that follows, and a MAC address that is none aborts it.
Here a line is a lease or it is damaged, and damage never spreads: the file of a running dnsmasq is cut off when it is
caught while being rewritten (it truncates and writes in place), and then every line before the cut is true.  Where no
line is damaged both ways of reading give the same leases.

Damaged is also what dnsmasq would take but not as it is written: an expiry that is no number (it reads 0, infinite), a
client id that is not hexadecimal (it drops it), a name with a control character.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from dhcpcore.model.checks import is_ipv4, is_ipv6
from dhcpcore.model.lease import Lease
from dhcpcore.render.readback.source import as_text, byte_length

# The words of fscanf: only these characters separate.
_WORD: Final = re.compile(r"[^ \t\n\r\v\f]+")
_NUMBER: Final = re.compile(r"[0-9]{1,19}").fullmatch
_BYTES: Final = r"[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2})"
# DHCP_CHADDR_MAX is 16; none at all is a client known by its client id only (InfiniBand: "20-").
_HARDWARE: Final = re.compile(rf"(?:[0-9A-Fa-f]{{2}}-(?:{_BYTES}{{0,15}})?)|{_BYTES}{{0,15}}").fullmatch
_IDENTIFIER: Final = re.compile(rf"{_BYTES}{{0,254}}").fullmatch
_DUID: Final = re.compile(rf"(?=.{{1,255}}\Z){_BYTES}{{0,129}}").fullmatch  # fscanf takes 255 characters
_CONTROL: Final = re.compile(r"[\0-\x1f\x7f]").search
_MAX_NAME_BYTES: Final = 255


@frozen(kw_only=True)
class LeasesFile:
    """What a leases file holds.

    Attributes:
        leases: those of its undamaged lines, in the file's order; IPv6 leases carry `server_id`.
        server_id: the server's DUID as hex bytes with colons, from the last ``duid`` line, as dnsmasq has it.
        damaged: numbers of the lines, from 1, that are neither a lease nor a DUID nor empty.
    """

    leases: tuple[Lease, ...] = ()
    server_id: str | None = None
    damaged: tuple[int, ...] = ()


def parse_leases(data: str | bytes) -> LeasesFile:
    """The leases of a file.  A last line without its LF is damaged: it was cut off.  Never raises."""
    lines = as_text(data).split("\n")
    server_id = server_id_of(lines[:-1])
    leases: list[Lease] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, 1):
        words = _words(line)
        if not words:
            continue
        if number == len(lines) or _problem(words) is not None:
            damaged.append(number)
        elif words[0] != "duid":
            leases.append(_lease(words, server_id))
    return LeasesFile(leases=tuple(leases), server_id=server_id, damaged=tuple(damaged))


def parse_lease_line(line: str, server_id: str | None = None) -> Lease | None:
    """The lease of one line, None where the line is damaged, empty or a DUID.  `server_id` goes into IPv6 leases."""
    words = _words(line)
    if not words or words[0] == "duid" or _problem(words) is not None:
        return None
    return _lease(words, server_id)


def server_id_of(lines: list[str]) -> str | None:
    """The DUID of the last sound ``duid`` line."""
    for line in reversed([line for line in lines if "duid" in line]):
        words = _words(line)
        if words[0] == "duid" and _problem(words) is None:
            return words[1]
    return None


def lease_line_problem(line: str) -> str | None:
    """Why dnsmasq must not be given this line of a leases file, None where it is sound.

    Sound are leases, ``duid`` lines and empty lines.  Anything else makes dnsmasq abort, lose this lease or those that
    follow, or hold another lease than the line says.
    """
    if "\n" in line:
        return "more than one line"
    words = _words(line)
    return _problem(words) if words else None


def _words(line: str) -> list[str]:
    return _WORD.findall(line)


def _problem(words: list[str]) -> str | None:
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


def _lease(words: list[str], server_id: str | None) -> Lease:
    expiry, hardware, address, name, identifier = words
    hostname = None if name == "*" else name
    client_id = None if identifier == "*" else identifier
    if ":" not in address:
        return Lease(
            expiry=int(expiry), ip_address=address, mac_address=hardware, hostname=hostname, client_id=client_id
        )
    temporary = hardware[0] == "T"
    return Lease(
        expiry=int(expiry),
        ip_address=address,
        iaid=int(hardware[1:] if temporary else hardware),
        temporary=temporary,
        hostname=hostname,
        client_id=client_id,
        server_id=server_id,
    )
