"""dnsmasq's ``--dhcp-hostsfile``, read back.

Follows dnsmasq's own grammar (src/option.c, case 'G'): a field is told by what it looks like, not by its place, so a
tag or a client id in front shifts nothing (Launchpad 1884105, 1465330).  Total: what neither the stock agent nor this
library writes, or what dnsmasq would read as something else than it looks, is kept as an unparsed entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from dhcpcore.model.checks import is_ipv4, is_ipv6, is_mac
from dhcpcore.render.readback.source import as_text, reads_as_written

# Read as a lease time or a command, not as a name; dnsmasq logs nothing (src/option.c, case 'G', last branch).
_NOT_A_NAME: Final = re.compile(r"[0-9][0-9 ]*[wWdDhHmMsS]?|infinite|ignore").fullmatch
_WHITE: Final = " \t\r\v\f"


@frozen(kw_only=True)
class HostEntry:
    """One ``dhcp-host`` line.

    Attributes:
        mac_address: as written; empty in an unparsed entry.
        tags: tags it requires (``tag:``); set_tags: tags it sets (``set:``); both without the prefix.
        client_id: what follows ``id:``, as written.
        addresses: IPv4 and IPv6, without brackets, in the line's order.
        unparsed: the whole line where it could not be read, and then nothing else is set.
    """

    mac_address: str = ""
    tags: tuple[str, ...] = ()
    client_id: str | None = None
    name: str | None = None
    addresses: tuple[str, ...] = ()
    set_tags: tuple[str, ...] = ()
    unparsed: str | None = None


def parse_hosts(data: str | bytes) -> tuple[HostEntry, ...]:
    """The entries of a hosts file, in its order; empty lines and comments give none.  Never raises."""
    return tuple(
        _entry(line) for line in as_text(data).split("\n") if (text := line.strip(_WHITE)) and not text.startswith("#")
    )


def removed_hosts(before: str, after: str) -> tuple[HostEntry, ...]:
    """The entries of the lines that `before` has and `after` has not."""
    if before == after:
        return ()
    kept = set(after.split("\n"))
    return parse_hosts("\n".join(line for line in before.split("\n") if line not in kept))


def ipv6_reservations(entries: Iterable[HostEntry]) -> str:
    """A hosts file with the IPv6 addresses of these entries, each line once, and with nothing else of them."""
    lines = (f"{entry.mac_address},[{address}]\n" for entry in entries for address in entry.addresses if ":" in address)
    return "".join(dict.fromkeys(lines))


def _entry(line: str) -> HostEntry:
    unparsed = HostEntry(unparsed=line)
    if not reads_as_written(line):
        return unparsed
    mac_address = ""
    client_id: str | None = None
    name: str | None = None
    tags: list[str] = []
    set_tags: list[str] = []
    addresses: list[str] = []
    ipv4 = False
    for raw in line.split(","):
        field = raw.strip(_WHITE)
        if not field:
            continue
        if ":" in field:
            prefix = field[:4]
            if field[:3].lower() == "id:":
                if client_id is not None:
                    return unparsed
                client_id = field[3:]
            elif prefix in ("set:", "net:"):
                set_tags.append(field[4:])
            elif prefix == "tag:":
                tags.append(field[4:])
            elif field[0] == "[" and field[-1] == "]" and is_ipv6(field[1:-1]):
                addresses.append(field[1:-1])
            elif is_mac(field) and not mac_address:
                mac_address = field
            else:
                return unparsed
        elif is_ipv4(field):
            if ipv4:  # dnsmasq keeps the last one only
                return unparsed
            ipv4 = True
            addresses.append(field)
        elif name is None and _NOT_A_NAME(field) is None:
            name = field
        else:
            return unparsed
    if not mac_address:
        return unparsed
    return HostEntry(
        mac_address=mac_address,
        tags=tuple(tags),
        client_id=client_id,
        name=name,
        addresses=tuple(addresses),
        set_tags=tuple(set_tags),
    )
