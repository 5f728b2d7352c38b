"""dhcpcore.render.syntax held against the installed dnsmasq, in both directions.

A false refusal costs a user a legal option, a false acceptance makes dnsmasq log an error: so the judgement, and where
dnsmasq has a wording the wording, must be the same for every drawn line. One Hypothesis example is fifty lines.

Names that are not ASCII have their fate from dnsmasq's locale; in the C locale it is the one that we tell, in UTF-8 we
may only be stricter. So may we about a name with a capital letter and an ``xn--`` label, which needs Unicode tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.render.syntax import (
    DEADLY,
    addn_name_problem,
    argument_problem,
    client_id_problem,
    duplicate_host_addresses,
    host_line_problem,
    hostname_problem,
    option_line_problem,
)
from dhcpcore.render.syntax.c_text import SPACES, is_ipv4
from dhcpcore.render.syntax.option_table import CODES_4, CODES_6, FORMS_4, FORMS_6, INTERNAL
from support import dnsmasq_lines, dnsmasq_oracle
from support.dnsmasq_oracle import DnsmasqOracle, check_arguments

pytestmark = [
    pytest.mark.skipif(dnsmasq_oracle.missing() is not None, reason=str(dnsmasq_oracle.missing())),
    pytest.mark.skipif(
        dnsmasq_oracle.dnsmasq_version() not in (None, (2, 90)), reason="the grammar told here is that of dnsmasq 2.90"
    ),
]

SEEDS = st.integers(min_value=0, max_value=2**64)
LINES = 50
# Reasons that are ours alone: what they speak of would not reach dnsmasq as one line of text.
ONCE = ("--dhcp-lease-max", "--log-facility")
_OURS = ("a line break or NUL", "longer than 1024 bytes", "no text that UTF-8 can hold", DEADLY)
_OURS_OF_ARGUMENTS = (*_OURS, "no path", "a control", "too large", "a space", "neither", "must have exactly one")

Check = Callable[[str], str | None]


@pytest.fixture(scope="module")
def oracle() -> Iterator[DnsmasqOracle]:
    with DnsmasqOracle(locale="C") as running:
        yield running


@pytest.fixture(scope="module")
def utf8_oracle() -> Iterator[DnsmasqOracle]:
    with DnsmasqOracle(locale="C.UTF-8") as running:
        yield running


def undecided(line: str) -> bool:
    return "xn--" in line.lower()


def names_a_server(argument: str) -> bool:
    """Whether dnsmasq would have to look up a name, which is no matter of syntax."""
    host = re.split("[@#%]", argument.rpartition("=")[2].rpartition("/")[2])[0]
    return argument.startswith("--server=") and bool(host) and ":" not in host and not is_ipv4(host)


def disagreements(lines: list[str], check: Check, ask: Callable[[list[str]], list[tuple[int, str]]]) -> list[str]:
    """Lines about which the check and dnsmasq do not say the same; what is never to be written is not put to it."""
    ours = [check(line) for line in lines]
    asked = ["" if (reason or "").startswith(_OURS) else line for line, reason in zip(lines, ours, strict=True)]
    theirs = dict(ask(asked))
    return [
        f"{line!r}: we say {reason!r}, dnsmasq {theirs.get(number)!r}"
        for number, (line, reason) in enumerate(zip(asked, ours, strict=True), 1)
        if line and theirs.get(number) != reason and not undecided(line)
    ]


@given(SEEDS)
def test_option_lines(oracle: DnsmasqOracle, seed: int) -> None:
    """dnsmasq logs an error for a line of an options file exactly if we refuse it, and says the same of it."""
    rng = Random(seed)
    lines = [dnsmasq_lines.option_line(rng) for _ in range(LINES)]
    assert not disagreements(lines, option_line_problem, oracle.check_options)


@given(SEEDS)
def test_host_lines(oracle: DnsmasqOracle, seed: int) -> None:
    """dnsmasq logs an error for a line of a hosts file exactly if we refuse it, and says the same of it."""
    rng = Random(seed)
    # Damage may still make two addresses equal; then dnsmasq has looked no further than that.
    lines = [dnsmasq_lines.host_line(rng, address=f"10.77.0.{number}") for number in range(LINES)]
    duplicates: set[int] = set()

    def ask(asked: list[str]) -> list[tuple[int, str]]:
        said = oracle.check_hosts(asked)
        duplicates.update(number for number, reason in said if reason.startswith("duplicate dhcp-host IP address"))
        asked[:] = ["" if number in duplicates else line for number, line in enumerate(asked, 1)]
        return said

    assert not disagreements(lines, host_line_problem, ask)
    assert len(duplicates) < LINES / 4


@given(SEEDS)
def test_addn_names(oracle: DnsmasqOracle, seed: int) -> None:
    """Of what reaches dnsmasq as one name of an additional hosts file it calls exactly those bad that we refuse."""
    rng = Random(seed)
    names = [dnsmasq_lines.addn_name(rng) for _ in range(LINES)]
    names = [name for name in names if name and len(name.encode()) <= 1024 and not set(SPACES + "#\0") & set(name)]
    refused = dict(oracle.check_addn([f"10.0.0.1 {name} last" for name in names]))
    for number, name in enumerate(names, 1):
        assert undecided(name) or (number in refused) == (addn_name_problem(name) is not None), repr(name)


@given(SEEDS)
def test_fields_stay_one_field(oracle: DnsmasqOracle, seed: int) -> None:
    """A host line of a good address, a client id and a host name that we let through is a good line."""
    rng = Random(seed)
    lines = []
    for number in range(LINES):
        name = dnsmasq_lines.addn_name(rng)
        value = dnsmasq_lines.text(rng, 20, 'abc019:::-- #"*,\t\x01é')
        name = "vm" if hostname_problem(name) else name
        value = "*" if client_id_problem(value) else value
        lines.append(f"fa:16:3e:00:00:01,id:{value},{name},10.77.0.{number},set:port-1")
    assert not disagreements(lines, host_line_problem, oracle.check_hosts)
    assert [line for line in lines if host_line_problem(line) not in (None, "longer than 1024 bytes")] == []


@given(SEEDS)
def test_nothing_that_passes_is_refused_in_another_locale(utf8_oracle: DnsmasqOracle, seed: int) -> None:
    """In a UTF-8 locale, too, dnsmasq logs no error for a line or name that we let through."""
    rng = Random(seed)
    options = [dnsmasq_lines.option_line(rng) for _ in range(LINES)]
    hosts = [dnsmasq_lines.host_line(rng, address=f"10.77.0.{number}") for number in range(LINES)]
    names = [dnsmasq_lines.addn_name(rng) for _ in range(LINES)]
    problems = utf8_oracle.check_files(
        host="".join(line + "\n" for line in hosts if host_line_problem(line) is None),
        addn_hosts="".join(f"10.0.0.1 {name}\n" for name in names if addn_name_problem(name) is None),
        opts="".join(line + "\n" for line in options if option_line_problem(line) is None),
    )
    assert not problems.opts
    assert not problems.addn_hosts
    assert [reason for _, reason in problems.host if not reason.startswith("duplicate")] == []


@given(st.lists(st.integers(0, 30), max_size=40))
def test_duplicate_addresses(oracle: DnsmasqOracle, drawn: list[int]) -> None:
    """Of the lines with one IPv4 address dnsmasq refuses all but the first, and we name the same lines."""
    pairs = [(line, f"10.77.0.{number}") for line, number in enumerate(drawn)]
    said = oracle.check_hosts([f"fa:16:3e:00:00:{line:02x},vm-{line},{address}" for line, address in pairs])
    assert {number - 1 for number, _ in said} == duplicate_host_addresses(pairs)
    assert all(reason.startswith("duplicate dhcp-host IP address") for _, reason in said)


@given(SEEDS)
def test_arguments(seed: int) -> None:
    """dnsmasq takes a command line of arguments that we let through; what we refuse it refuses in the same words."""
    rng = Random(seed)
    drawn = [dnsmasq_lines.argument(rng) for _ in range(8)]
    drawn = [argument for argument in drawn if not undecided(argument) and not names_a_server(argument)]
    fine: dict[str, str] = {}
    for argument in drawn:
        if argument_problem(argument) is None:
            name = argument.partition("=")[0]
            fine[name if name in ONCE else argument] = argument
    assert check_arguments(["--conf-file=/dev/null", *fine.values()], locale="C") is None, fine
    for argument in drawn:
        reason = argument_problem(argument)
        if reason is not None and not reason.startswith(_OURS_OF_ARGUMENTS):
            assert check_arguments(["--conf-file=/dev/null", argument], locale="C") == reason.removesuffix("."), (
                argument
            )
            break


@pytest.mark.parametrize(
    "family,codes,forms", [("dhcp", CODES_4, FORMS_4), ("dhcp6", CODES_6, FORMS_6)], ids=["dhcp", "dhcp6"]
)
def test_option_names(family: str, codes: dict[str, int], forms: dict[int, int]) -> None:
    public = {name: code for name, code in codes.items() if not forms[code] & INTERNAL}
    assert public == {name.lower(): code for name, code in dnsmasq_oracle.option_names(family).items()}
