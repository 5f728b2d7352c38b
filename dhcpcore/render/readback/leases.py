"""dnsmasq's leases file, read back line by line.

A line is a lease, or it is damaged (`dhcpcore.render.syntax.leases` knows which), and damage never spreads, as it does
for dnsmasq itself: the file of a running dnsmasq is cut off when it is caught while being rewritten (it truncates and
writes in place), and then every line before the cut is true.  Where no line is damaged both ways of reading give the
same leases.
"""

from __future__ import annotations

from attrs import frozen

from dhcpcore.model.lease import Lease
from dhcpcore.render.readback.source import as_text
from dhcpcore.render.syntax.leases import lease_problem, lease_words


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
        words = lease_words(line)
        if not words:
            continue
        if number == len(lines) or lease_problem(words) is not None:
            damaged.append(number)
        elif words[0] != "duid":
            leases.append(_lease(words, server_id))
    return LeasesFile(leases=tuple(leases), server_id=server_id, damaged=tuple(damaged))


def parse_lease_line(line: str, server_id: str | None = None) -> Lease | None:
    """The lease of one line, None where the line is damaged, empty or a DUID.  `server_id` goes into IPv6 leases."""
    words = lease_words(line)
    if not words or words[0] == "duid" or lease_problem(words) is not None:
        return None
    return _lease(words, server_id)


def server_id_of(lines: list[str]) -> str | None:
    """The DUID of the last sound ``duid`` line."""
    for line in reversed([line for line in lines if "duid" in line]):
        words = lease_words(line)
        if words[0] == "duid" and lease_problem(words) is None:
            return words[1]
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
