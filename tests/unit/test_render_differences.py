"""Every place where we do not write what Neutron writes: what it writes, what we write, and what dnsmasq makes of both.

`stock` is the text that Neutron 29.0.0's driver writes for the same network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from dhcpcore.model.network import HostRoute, Network, Segment
from dhcpcore.model.settings import Settings
from dhcpcore.render import hosts
from dhcpcore.render.argv import command_line
from dhcpcore.render.instance import render_instance
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import metadata_warnings, render_metadata_proxy
from dhcpcore.render.views import instance_views
from support.dnsmasq_oracle import DnsmasqOracle, check_arguments, missing
from support.render_input import MAC, files, mac, named, network, option, port, subnet, subnet6, told, view

ROOT = Path(__file__).parents[2]
NAME = "host-10-0-0-5.openstacklocal"
GENERATED = f"10.0.0.5\t{NAME} host-10-0-0-5\n"
UNSERVED = [subnet(enable_dhcp=False)]  # addresses are reserved nowhere, subnets have no options


@frozen(kw_only=True)
class Difference:
    """One text that differs from Neutron's.

    Attributes:
        file: host, addn_hosts or opts.
        refused: whether dnsmasq refuses a line of `stock`; where not, it reads one as something else.
    """

    code: str
    of: Network
    file: str
    stock: str
    ours: str
    refused: bool = True
    subject: str = "port p"
    settings: Settings = field(factory=Settings)


def optioned(name: str, value: str) -> Network:
    return network(port("p", "10.0.0.5", extra_dhcp_opts=(option(name, value),)), subnets=UNSERVED)


def named_port(hostname: str, fqdn: str | None = None) -> Network:
    return network(port("p", "10.0.0.5", dns_assignment=named("10.0.0.5", hostname, fqdn or hostname)))


def keyed(client_id: str) -> Network:
    return network(port("p", "10.0.0.5", extra_dhcp_opts=(option("client-id", client_id),)))


MANY_ROUTES = tuple(HostRoute(destination=f"10.{number}.0.0/16", nexthop="192.168.100.254") for number in range(1, 41))
ROUTES_TEXT = ",".join(f"{route.destination},{route.nexthop}" for route in MANY_ROUTES)
MANY_ADDRESSES = [f"fd00:1111:2222:3333:4444:5555:6666:{number:x}" for number in range(0x1000, 0x1020)]
LONG_NAME = "host-fd00-1111-2222-3333-4444-5555-6666-1000.openstacklocal"
LONG_PREFIX = f"{MAC},tag:dhcpv6,{LONG_NAME},"
LONG_ID = "x" * 1000

DIFFERENCES = {
    "value that is no address": Difference(
        code="option-dropped",
        of=optioned("ntp-server", "time.example.org"),
        file="opts",
        stock="tag:port-p,option:ntp-server,time.example.org",
        ours="",
    ),
    "value that kills dnsmasq": Difference(
        code="option-dropped", of=optioned("66", ""), file="opts", stock="tag:port-p,66,", ours="", refused=False
    ),
    "line over 1024 bytes": Difference(
        code="option-dropped",
        of=network(subnets=[subnet(host_routes=MANY_ROUTES)]),
        file="opts",
        stock=f"tag:subnet-s4,option:classless-static-route,{ROUTES_TEXT}\n"
        f"tag:subnet-s4,249,{ROUTES_TEXT}\ntag:subnet-s4,option:router",
        ours="tag:subnet-s4,option:router",
        subject="subnet s4",
    ),
    "name with a value in it": Difference(
        code="option-injection",
        of=optioned("dns-server,6.6.6.6", "10.0.0.53"),
        file="opts",
        stock="tag:port-p,option:dns-server,6.6.6.6,10.0.0.53",
        ours="",
        refused=False,
    ),
    "name that makes the value an option": Difference(
        code="option-injection",
        of=optioned("6\N{SUPERSCRIPT TWO}", "option:router,10.0.0.66"),
        file="opts",
        stock="tag:port-p,6\N{SUPERSCRIPT TWO},option:router,10.0.0.66",
        ours="",
        refused=False,
    ),
    "blank value": Difference(
        code="option-blank",
        of=optioned("router", ""),
        file="opts",
        stock="tag:port-p,option:router,",
        ours="tag:port-p,option:router",
    ),
    "name that cannot be read": Difference(
        code="host-name-replaced",
        of=named_port("_web"),
        file="host",
        stock=f"{MAC},_web,10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
    ),
    "name that is an order": Difference(
        code="host-name-replaced",
        of=named_port("ignore"),
        file="host",
        stock=f"{MAC},ignore,10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
        refused=False,
    ),
    "name with a line of its own": Difference(
        code="host-name-replaced",
        of=named_port("web", "web\nfa:16:3e:00:00:02,evil,10.0.0.9"),
        file="host",
        stock=f"{MAC},web\nfa:16:3e:00:00:02,evil,10.0.0.9,10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
        refused=False,
    ),
    "short name that cannot be read": Difference(
        code="host-name-replaced",
        of=named_port("x" * 64, "web.example.org."),
        file="addn_hosts",
        stock=f"10.0.0.5\tweb.example.org. {'x' * 64}\n",
        ours=GENERATED,
    ),
    "name of a list that begins with IPv4": Difference(
        code="host-name-replaced",
        of=network(port("p", "s6/10.0.0.5", "s6/fd00::5"), subnets=[subnet6()]),
        file="host",
        settings=Settings(dnsmasq_enable_addr6_list=True),
        stock=f"{MAC},tag:dhcpv6,host-10-0-0-5,fd00--5.openstacklocal,10.0.0.5,[fd00::5]\n",
        ours=f"{MAC},tag:dhcpv6,{NAME},10.0.0.5,[fd00::5]\n",
        refused=False,
    ),
    "client id with a field of its own": Difference(
        code="client-id-dropped",
        of=keyed("01:02,10.0.0.66"),
        file="host",
        stock=f"{MAC},id:01:02,10.0.0.66,{NAME},10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
        refused=False,
    ),
    "client id that is no hex": Difference(
        code="client-id-dropped",
        of=keyed("zz:zz"),
        file="host",
        stock=f"{MAC},id:zz:zz,{NAME},10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
    ),
    "client id that makes the line too long": Difference(
        code="client-id-dropped",
        of=keyed(LONG_ID),
        file="host",
        stock=f"{MAC},id:{LONG_ID},{NAME},10.0.0.5\n",
        ours=f"{MAC},{NAME},10.0.0.5\n",
        refused=False,
    ),
    "address twice": Difference(
        code="address-duplicate",
        of=network(port("q", "10.0.0.5", mac_address=mac(9)), port("p", "10.0.0.5")),
        file="host",
        stock=f"{mac(9)},{NAME},10.0.0.5\n{MAC},{NAME},10.0.0.5\n",
        ours=f"{mac(9)},{NAME},10.0.0.5\n",
    ),
    "more addresses than fit a line": Difference(
        code="addresses-left-out",
        of=network(port("p", *MANY_ADDRESSES), subnets=[subnet6(cidr="fd00:1111:2222:3333::/64")]),
        file="host",
        settings=Settings(dnsmasq_enable_addr6_list=True),
        stock=LONG_PREFIX + ",".join(f"[{address}]" for address in MANY_ADDRESSES) + "\n",
        ours=LONG_PREFIX + ",".join(f"[{address}]" for address in MANY_ADDRESSES[:22]) + "\n",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_is_written_instead_and_the_warning(difference: Difference) -> None:
    """What differs from Neutron's text carries a warning that names the port or subnet."""
    rendered = files(difference.of, difference.settings)
    assert getattr(rendered, difference.file) == difference.ours
    assert (difference.code, difference.subject) in told(rendered.warnings)
    for warning in rendered.warnings:
        assert warning.message.isprintable()
        assert len(warning.message) < 250


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_dnsmasq_reads_ours(difference: Difference, oracle: DnsmasqOracle) -> None:
    """Every file is read without a logged error."""
    rendered = files(difference.of, difference.settings)
    problems = oracle.check_files(rendered.host, rendered.addn_hosts, rendered.opts)
    assert not problems
    assert problems.other == []


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_dnsmasq_refuses_neutrons(difference: Difference, oracle: DnsmasqOracle) -> None:
    """A difference has a reason: Neutron's text holds a line that dnsmasq refuses, or silently reads otherwise."""
    problems = oracle.check_files(**{difference.file: difference.stock})
    assert bool(problems) is difference.refused


# -- warnings without a difference in the files of this test


@pytest.mark.parametrize(
    "name, value, line",
    [
        ("67", "x\ny", "tag:port-p,67,x"),
        ("67\ny", "x", "tag:port-p,67,x"),
        ("tag:a\n,b,67", "x", ""),
        ("router", "\n10.0.0.66", ""),
    ],
)
def test_an_option_ends_at_its_first_line_break(name: str, value: str, line: str) -> None:
    rendered = files(optioned(name, value))
    assert rendered.opts == line
    assert ("option-cut", "port p") in told(rendered.warnings)


def test_a_reservation_that_nothing_repairs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line leaves that dnsmasq is known to refuse, whatever the reason."""
    monkeypatch.setattr(hosts, "host_line_problem", lambda line: "for the sake of it")
    rendered = files(keyed("01:02"))
    assert rendered.host == ""
    assert rendered.addn_hosts == GENERATED
    assert told(rendered.warnings) == [("reservation-dropped", "port p")]


# -- the leases file

DUID = "duid 00:01:00:01:2a:2b"
LEASE = "1795429324 1041123 fd00::5 * 00:01:00:01:aa:bb"
STATEFUL = network(port("p", "fd00::5"), subnets=[subnet6()])


def leases(of: Network, previous: str | None = None, **options: Any) -> tuple[str, list[tuple[str, str]]]:
    text, warnings = render_initial_leases(view(of), settings=Settings(**options), previous=previous)
    assert all(warning.message.isprintable() for warning in warnings)
    return text, told(warnings)


@pytest.mark.parametrize(
    "line",
    [
        "duid zz",
        "duid ",
        "duid 00:01 more",
        "duid 00:01\t00",
        "duid " + ":".join(["00"] * 90),
        "duid *",
        LEASE.replace("aa:bb", "zz"),
        LEASE.replace("*", "a\tb"),
        LEASE.replace("*", ""),
        LEASE.replace("*", "x" * 256),
        LEASE + ":00" * 250,
        LEASE.replace("1041123", "iaid"),
        LEASE.replace("1795429324", "duid"),
        LEASE.replace("*", "\udcff"),
    ],
)
def test_a_lease_line_that_would_lose_the_others_is_left_out(line: str) -> None:
    """dnsmasq reads words, not lines: one too many, one too few or one that is no hex damages all that follow."""
    assert leases(STATEFUL, f"{line}\n") == ("", [("lease-dropped", "leases")])


@pytest.mark.parametrize("before, after", [(LEASE, LEASE), (DUID, DUID), (f"{LEASE}\n{DUID}", f"{DUID}\n{LEASE}")])
def test_a_last_line_gets_its_end(before: str, after: str) -> None:
    """Neutron would write the next lease right behind it."""
    assert leases(STATEFUL, before) == (f"{after}\n", [("lease-ended", "leases")])
    assert leases(STATEFUL, f"{before}\n") == (f"{after}\n", [])


def test_there_are_never_more_leases_than_dnsmasq_takes() -> None:
    """dnsmasq ends at start with "too many stored leases"; leases of subnets served elsewhere go first."""
    of = network(
        port("far", "far/10.9.0.5", mac_address=mac(1)),
        port("near", "10.0.0.5", mac_address=mac(2)),
        port("nearer", "10.0.0.6", mac_address=mac(3)),
        non_local=[subnet("far", "10.9.0.0/24")],
    )
    far, near, nearer = (f"0 {mac(1)} 10.9.0.5 * *\n", f"0 {mac(2)} 10.0.0.5 * *\n", f"0 {mac(3)} 10.0.0.6 * *\n")
    left_out = [("leases-left-out", "leases")]
    assert leases(of, dnsmasq_lease_max=3) == (far + near + nearer, [])
    assert leases(of, dnsmasq_lease_max=2) == (near + nearer, left_out)
    assert leases(of, dnsmasq_lease_max=1) == (near, left_out)


def test_a_dnsmasq_without_a_range_reads_no_leases() -> None:
    of = network(port("p", "far/10.9.0.5"), subnets=[], non_local=[subnet("far", "10.9.0.0/24")])
    assert leases(of) == ("0 fa:16:3e:00:00:01 10.9.0.5 * *\n", [])


# -- the command line and the settings


DOMAIN = "caf\N{LATIN SMALL LETTER E WITH ACUTE}.example.org"


def test_an_argument_that_dnsmasq_refuses_is_left_out() -> None:
    """With it, dnsmasq would not start and nobody be served."""
    line = command_line(view(network()), settings=Settings(dns_domain=DOMAIN), interface_name="tap0")
    assert not any(argument.startswith("--domain") for argument in line.argv)
    assert told(line.warnings) == [("argument-dropped", "settings")]
    if missing() is None:
        assert check_arguments([f"--domain={DOMAIN}", "--conf-file=/dev/null"], locale="C") is not None


def test_a_refused_configuration_file_is_replaced_by_none() -> None:
    """Left out, dnsmasq would read the host's own /etc/dnsmasq.conf."""
    line = command_line(view(network()), settings=Settings(dnsmasq_config_file="-"), interface_name="tap0")
    assert "--conf-file=/dev/null" in line.argv
    assert told(line.warnings) == [("argument-dropped", "settings")]


def test_a_domain_that_no_name_can_have_is_left_out_of_names() -> None:
    rendered = files(network(port("p", "10.0.0.5")), Settings(dns_domain=DOMAIN))
    assert rendered.host == f"{MAC},host-10-0-0-5,10.0.0.5\n"
    assert told(rendered.warnings) == [("domain-refused", "settings"), ("argument-dropped", "settings")]


# -- segments and the metadata proxy


def test_two_segments_of_one_segmentation_id_cannot_both_be_served() -> None:
    segments = [Segment(id=id_, segmentation_id=7) for id_ in ("a", "b")]
    of = network(subnets=[subnet("x", segment_id="a"), subnet("y", segment_id="b")], segments=segments)
    (only,) = instance_views(of)
    spec = render_instance(only, dhcp_port=port("d"), settings=Settings())
    assert told(spec.warnings) == [("segment-duplicate", "network net")]


def test_a_router_id_that_is_no_file_name_is_not_used() -> None:
    settings = Settings(enable_isolated_metadata=True, enable_metadata_network=True)
    router = port("r", device_owner="network:router_interface", device_id="../../etc/x")
    of = network(router, subnets=[subnet(cidr="169.254.0.0/16")])
    assert told(metadata_warnings(of, settings)) == [("router-id-refused", "network net")]
    assert render_metadata_proxy(of, settings=settings, bind_interface=None).proxy_id == "net"


# -- the table


def test_every_warning_has_a_row_and_every_row_a_warning_and_a_test() -> None:
    """docs/differences.md lists the codes that the renderer can give, each once, and tests that exist."""
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "dhcpcore/render").glob("*.py")))
    given = set(re.findall(r"(?:code=|_warning\(\s*|warn\(\s*)\"([a-z-]+)\"", sources))
    table = (ROOT / "docs/differences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| `([a-z_]+)` \|$", table, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(given)
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
    for _, test in rows:
        assert f"def {test}(" in tests, test
