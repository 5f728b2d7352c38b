"""Lines as the agent and dnsmasq write them, and strategies for what they say.

Written apart from the renderer, so that reading back is not tested against the same hand.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from dhcpcore.model.lease import Lease
from dhcpcore.render.readback import HostEntry, OptionEntry

SEPARATORS = ',:# \t\r\v\f\n\0"[]=-.*0123456789abcdef'
WORDS = [
    "duid",
    "tag:",
    "set:",
    "id:",
    "option:",
    "option6:",
    "dns-server",
    "fa:16:3e:00:00:01",
    "10.0.0.1",
    "[fd00::1]",
]
texts = st.one_of(
    st.text(st.characters(codec=None)),  # lone surrogates included
    st.text(st.sampled_from(SEPARATORS)),
    st.lists(st.sampled_from([*WORDS, *SEPARATORS])).map("".join),
)
data = st.one_of(texts, st.binary())

macs = st.integers(0, 3).map(lambda number: f"fa:16:3e:00:00:{number:02x}")
ipv4 = st.integers(0, 5).map(lambda number: str(IPv4Address(0x0A000002 + number)))
ipv6_numbers = st.integers(0, 5).map(lambda number: (0xFD00 << 112) + 0xF0 + number * 0x30)


@st.composite
def spelt_ipv6(draw: st.DrawFn) -> str:
    address = IPv6Address(draw(ipv6_numbers))
    dotted = ":".join(address.exploded.split(":")[:6]) + f":{IPv4Address(int(address) & 0xFFFFFFFF)}"
    text = draw(st.sampled_from([address.compressed, address.exploded, dotted]))
    return draw(st.sampled_from([text, text.upper()]))


ipv6 = ipv6_numbers.map(lambda number: str(IPv6Address(number)))
idents = st.text("aZ09._@+=~-", min_size=1, max_size=8)
names = st.builds("{}{}{}".format, st.sampled_from("ghz"), st.text("a9-", max_size=6), st.sampled_from(["", ".b"]))
client_ids = st.one_of(
    st.lists(st.integers(0, 255), min_size=1, max_size=5).map(lambda given: ":".join(f"{byte:02x}" for byte in given)),
    st.builds("t{}x".format, st.text("aZ9 .-", max_size=6)),
)

host_entries = st.builds(
    HostEntry,
    mac_address=macs,
    tags=st.lists(idents, max_size=2).map(tuple),
    client_id=st.none() | client_ids,
    name=st.none() | names,
    addresses=st.one_of(
        st.just(()), ipv4.map(lambda address: (address,)), st.lists(ipv6, min_size=1, max_size=3).map(tuple)
    ),
    set_tags=st.lists(idents, max_size=1).map(tuple),
)


def host_line(entry: HostEntry) -> str:
    fields = [
        entry.mac_address,
        *(f"tag:{tag}" for tag in entry.tags),
        *([] if entry.client_id is None else [f"id:{entry.client_id}"]),
        *([] if entry.name is None else [entry.name]),
        *(f"[{address}]" if ":" in address else address for address in entry.addresses),
        *(f"set:{tag}" for tag in entry.set_tags),
    ]
    return ",".join(fields)


values = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
option_entries = st.one_of(
    st.builds(
        lambda tags, version, known, value: OptionEntry(
            tags=tags, ip_version=version, name=known[0], number=known[1 if version == 4 else 2], value=value
        ),
        st.lists(idents.map("x".__add__), max_size=3).map(tuple),
        st.sampled_from([4, 6]),
        st.sampled_from([("dns-server", 6, 23), ("router", 3, None), ("ntp-server", 42, 56), ("no-such", None, None)]),
        st.none() | values,
    ),
    st.builds(
        OptionEntry,
        tags=st.lists(idents.map("x".__add__), max_size=3).map(tuple),
        ip_version=st.sampled_from([4, 6]),
        number=st.integers(0, 65535),
        value=st.none() | values,
    ),
)


def option_line(entry: OptionEntry) -> str:
    bare = "" if entry.ip_version == 4 else "option6:"
    option = f"{bare}{entry.number}" if entry.name is None else f"{bare or 'option:'}{entry.name}"
    line = ",".join([*(f"tag:{tag}" for tag in entry.tags), option])
    return line if entry.value is None else f"{line},{entry.value}"


hex_ids = st.lists(st.integers(0, 255), min_size=1, max_size=6).map(lambda ids: ":".join(f"{byte:02x}" for byte in ids))
expiries = st.one_of(st.just(0), st.integers(0, (1 << 63) - 1))
v4_leases = st.builds(
    Lease,
    expiry=expiries,
    ip_address=ipv4,
    mac_address=st.one_of(macs, macs.map("06-".__add__), st.just("20-")),
    hostname=st.none() | names,
    client_id=st.none() | hex_ids,
)


def v6_leases(server_id: str | None) -> st.SearchStrategy[Lease]:
    return st.builds(
        Lease,
        expiry=expiries,
        ip_address=ipv6,
        iaid=st.integers(0, (1 << 32) - 1),
        temporary=st.booleans(),
        hostname=st.none() | names,
        client_id=st.none() | hex_ids,
        server_id=st.just(server_id),
    )


@st.composite
def lease_files(draw: st.DrawFn) -> tuple[list[Lease], str | None]:
    """What dnsmasq holds: leases of both families and, where it serves DHCPv6, its DUID."""
    server_id = draw(st.none() | hex_ids)
    leases = draw(st.lists(v4_leases, max_size=6))
    return (leases + draw(st.lists(v6_leases(server_id), max_size=6)), server_id) if server_id else (leases, None)


def lease_line(lease: Lease) -> str:
    who = lease.mac_address if lease.iaid is None else f"{'T' * lease.temporary}{lease.iaid}"
    return f"{lease.expiry} {who} {lease.ip_address} {lease.hostname or '*'} {lease.client_id or '*'}\n"


def lease_text(leases: list[Lease], server_id: str | None) -> str:
    """As dnsmasq writes it (src/lease.c, lease_update_file)."""
    duid = "" if server_id is None else f"duid {server_id}\n"
    of = {version: "".join(lease_line(lease) for lease in leases if lease.ip_version == version) for version in (4, 6)}
    return of[4] + duid + of[6]


def read_as_dnsmasq_does(text: str) -> list[tuple[str, ...]]:
    """Five words a lease wherever the lines end, two for a DUID (src/lease.c, read_leases)."""
    words = iter(re.findall(r"[^ \t\n\v\f\r]+", text))
    found = []
    for first in words:
        if first == "duid":
            next(words, None)
        else:
            found.append((first, *(next(words, "") for _ in range(4))))
    return found
