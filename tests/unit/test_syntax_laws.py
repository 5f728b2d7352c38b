"""The laws of what is known about dnsmasq's grammar: which hold for any text, or are the C library's.

Needs no dnsmasq; tests/integration/test_syntax_dnsmasq.py asks one.
"""

from __future__ import annotations

import socket
import timeit
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.render.syntax import (
    addn_name_problem,
    argument_problem,
    client_id_problem,
    host_line_problem,
    hostname_problem,
    option_line_problem,
    tag_problem,
)
from dhcpcore.render.syntax.c_text import atoi, ipv4_number, ipv6_number
from dhcpcore.render.syntax.names import canonical, meaning_of_word
from support.dnsmasq_lines import addn_name, host_line, option_line

SEEDS = st.integers(min_value=0, max_value=2**64)


@given(
    st.text("0123456789.", max_size=16)
    | st.lists(st.integers(0, 260), min_size=3, max_size=5).map(lambda octets: ".".join(map(str, octets)))
)
def test_ipv4_is_what_inet_pton_reads(text: str) -> None:
    """A text is an IPv4 address, and the same one, exactly if inet_pton(AF_INET) says so."""
    try:
        expected = int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except OSError:
        assert ipv4_number(text) is None
    else:
        assert ipv4_number(text) == expected


@given(
    st.text("0123456789abcdefABCDEFg:.", max_size=40)
    | st.lists(st.sampled_from(["", "", "0", "1", "ffff", "12345", "10.0.0.1"]), max_size=10).map(":".join)
    | st.ip_addresses(v=6).map(lambda address: address.exploded)
    | st.ip_addresses(v=6).map(str)
)
def test_ipv6_is_what_inet_pton_reads(text: str) -> None:
    """A text is an IPv6 address, and the same one, exactly if inet_pton(AF_INET6) says so."""
    try:
        expected = int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except OSError:
        assert ipv6_number(text) is None
    else:
        assert ipv6_number(text) == expected


@pytest.mark.parametrize(
    "text,number",
    [
        ("", 0),
        ("x", 0),
        ("12x", 12),
        (" -3", -3),
        ("007", 7),
        ("4294967297", 1),
        ("9" * 30, -1),
        ("2147483648", -(2**31)),
    ],
)
def test_atoi(text: str, number: int) -> None:
    assert atoi(text) == number


@given(SEEDS)
def test_short_cut_for_hostnames(seed: int) -> None:
    """A name that the short cut lets through is one by the rules, and keeps its text but for a last dot."""
    name = addn_name(Random(seed))
    if hostname_problem(name) is None:
        assert meaning_of_word(name) == "name"
        assert canonical(name) == name.lower().removesuffix(".")


@given(SEEDS)
def test_short_cut_for_host_lines(seed: int) -> None:
    """A host line and the same line with a space before it, which takes no short cut, have the same problem."""
    rng = Random(seed)
    line = host_line(rng)
    if len(line.encode("utf-8", "surrogatepass")) < 1024:
        assert host_line_problem(line) == host_line_problem(" " + line)


@given(st.text() | SEEDS.map(lambda seed: option_line(Random(seed))))
def test_total(text: str) -> None:
    """Every text has an answer, of one line, that does not repeat it."""
    for check in (
        option_line_problem,
        host_line_problem,
        hostname_problem,
        client_id_problem,
        tag_problem,
        addn_name_problem,
        argument_problem,
    ):
        reason = check(text)
        assert reason is None or (reason.isascii() and reason.isprintable())


def test_ordinary_names_are_quick() -> None:
    """The check is made once for each port: about half a microsecond, held here to a generous five."""
    name = "host-10-0-0-5.openstacklocal."
    best = min(timeit.repeat(lambda: hostname_problem(name), number=1000, repeat=5)) / 1000
    assert best < 5e-6
