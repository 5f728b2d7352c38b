from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from dhcpcore.model.network import Network
from dhcpcore.model.port import DnsAssignment, Port
from dhcpcore.model.settings import Settings
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.syntax import addn_name_problem, host_line_problem, option_line_problem
from support.dnsmasq_oracle import DnsmasqOracle
from support.render_input import MAC, files, network, option, port, subnet, subnet6, view

# What some reader takes for the end of a line or of a field, or for something else than text.
BAD = "\n\r\t\v\f\0\x01\x1b\x7f\x85\u2028\ufeff,;:#\"'\\ =[]{}%*\u00e9\U0001f680\udc80\u0662"
WORDS = [
    *[
        "web-1",
        "example.org.",
        "ignore",
        "infinite",
        "12h",
        "99",
        "10.0.0.77",
        "fd00::7",
        "a:b",
        "id:x",
        "net:x",
        "tag:x",
        "tag:",
        "set:x",
        "duid",
        "-x",
    ],
    *["option:router", "option6:59", "67", "61", "client-id", "router", "mtu"],
    "x" * 64,
    " " * 1100,
    "\ntag:port-q,option:router,10.0.0.66",
    "\nfa:16:3e:00:00:02,evil,10.0.0.9",
    "1 1 fd00::5",
]
texts = st.one_of(
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(BAD)), max_size=6).map("".join),
    st.text(max_size=20),
)
options = st.builds(option, texts, texts, st.sampled_from([4, 6]))
assignments = st.builds(
    DnsAssignment, ip_address=st.sampled_from(["10.0.0.5", "fd00::5"]), hostname=texts, fqdn=st.none() | texts
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    of = port(
        "p",
        "10.0.0.5",
        "fd00::5",
        dns_assignment=tuple(draw(st.lists(assignments, max_size=2))),
        extra_dhcp_opts=tuple(draw(st.lists(options, max_size=3))),
        device_id=draw(texts),
        device_owner="compute:" + draw(texts),
    )
    return network(of, subnets=[subnet(gateway_ip="10.0.0.1"), subnet6()])


@given(networks(), st.booleans())
def test_no_text_of_a_port_can_add_a_line_or_a_field(of: Network, addr6_list: bool) -> None:
    """No string in a model can change the number of lines or fields of any file, and dnsmasq refuses none of them."""
    rendered = files(of, Settings(dnsmasq_enable_addr6_list=addr6_list))
    (owner,) = of.ports
    host = rendered.host.split("\n")
    assert len(host) == 3
    assert host[-1] == ""
    for line, address in zip(host, ("10.0.0.5", "[fd00::5]"), strict=False):
        assert_reservation(line, address, owner)
    addn_hosts = rendered.addn_hosts.split("\n")
    assert len(addn_hosts) == 3
    assert addn_hosts[-1] == ""
    for line, address in zip(addn_hosts, ("10.0.0.5", "fd00::5"), strict=False):
        start, *names = line.replace("\t", " ").split(" ")
        assert start == address
        assert len(names) == 2
        assert all(name == "" or addn_name_problem(name) is None for name in names)
    own = [line for line in rendered.opts.split("\n") if not line.startswith("tag:subnet-")]
    assert len(own) <= len(owner.extra_dhcp_opts)
    assert len(rendered.opts.split("\n")) == 2 + len(own)
    for line in own:
        assert line.startswith("tag:port-p,")
        assert option_line_problem(line) is None


def assert_reservation(line: str, address: str, owner: Port) -> None:
    assert host_line_problem(line) is None
    fields = line.split(",")
    assert fields.pop(0) == MAC
    if address.startswith("["):
        assert fields.pop(0) == "tag:dhcpv6"
    if fields[0].startswith("id:"):
        assert fields.pop(0) == f"id:{owner.client_id}"
    if fields[-1].startswith("set:"):
        assert fields.pop() == "set:port-p"
    name, reserved = fields
    assert reserved == address
    assert ":" not in name


@given(networks())
def test_both_files_name_an_address_alike(of: Network) -> None:
    """The FQDN of an address in the host file is the one in addn_hosts."""
    rendered = files(of)
    reserved = {fields[-1]: fields[-2] for fields in (_untagged(line) for line in rendered.host.splitlines())}
    named = {
        line.partition("\t")[0]: line.partition("\t")[2].partition(" ")[0] for line in rendered.addn_hosts.splitlines()
    }
    assert {address.strip("[]"): name for address, name in reserved.items()} == named


def _untagged(line: str) -> list[str]:
    fields = line.split(",")
    return fields[:-1] if fields[-1].startswith("set:") else fields


DUID = "duid 00:01:02"
LEASE = "1795429324 1041123 fd00::5 * 00:01:00:01:aa:bb"
lease_texts = st.lists(st.one_of(st.sampled_from([DUID, LEASE, " ", "\n", "\r\n", "\n"]), texts), max_size=8).map(
    "".join
)


@given(lease_texts)
@example(f"{LEASE}\n{DUID}")
def test_no_previous_file_can_break_the_next(previous: str) -> None:
    """Whatever the previous leases file held: five words a lease, two for a DUID, one line each, ports' leases only."""
    of = network(port("p", "10.0.0.5", "fd00::5"), subnets=[subnet(), subnet6()])
    text, _ = render_initial_leases(view(of), settings=Settings(), previous=previous)
    assert text == "" or text.endswith("\n")
    words = [line.split() for line in text.split("\n")[:-1]]
    assert text.split() == [word for line in words for word in line]
    leases = [line for line in words if line[0] != "duid"]
    assert all(len(line) == 2 for line in words if line[0] == "duid")
    assert [line[2] for line in leases] in (["10.0.0.5"], ["10.0.0.5", "fd00::5"])
    assert all(len(line) == 5 for line in leases)


@given(networks())
def test_dnsmasq_reads_every_file_without_an_error(oracle: DnsmasqOracle, of: Network) -> None:
    """Every rendered file is read by dnsmasq without a logged error."""
    rendered = files(of)
    assert not oracle.check_files(rendered.host, rendered.addn_hosts, rendered.opts)
