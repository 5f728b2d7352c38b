"""Laws of reading back: parsers are total, and the inverse of writing."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView
from dhcpcore.plan.canonical import differing_files, same_argv
from dhcpcore.render.files import RenderedFiles, render_files
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.readback import (
    AddnHost,
    HostEntry,
    OptionEntry,
    parse_addn_hosts,
    parse_command_line,
    parse_hosts,
    parse_leases,
    parse_opts,
    removed_hosts,
    sort_leases,
    stale_leases,
)
from dhcpcore.render.views import instance_views
from dhcpcore.testing.drawing import drawn
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.networks import network, reordered
from support.written_lines import (
    data,
    host_entries,
    host_line,
    ipv4,
    ipv6,
    names,
    option_entries,
    option_line,
    texts,
)


@given(data)
def test_parsers_are_total(given_data: str | bytes) -> None:
    """Every parser takes any text, lone surrogates included, and any bytes; no line is lost or told twice."""
    lines = 1 + (given_data.count("\n") if isinstance(given_data, str) else given_data.count(b"\n"))
    assert len(parse_hosts(given_data)) <= lines
    assert len(parse_addn_hosts(given_data)) <= lines
    assert len(parse_opts(given_data)) <= lines
    found = parse_leases(given_data)
    assert len(found.leases) + len(found.damaged) <= lines
    parse_command_line(given_data).instance_key("/confs")
    stale_leases(given_data, [])


@given(st.lists(texts))
def test_command_lines_are_total(argv: list[str]) -> None:
    """A command line of any arguments has every non-empty one exactly once."""
    line = parse_command_line(argv)
    told = bool(line.program) + len(line.options) + len(line.arguments)
    assert told == sum(bool(argument) for argument in argv)
    assert line.lease_max is None or line.lease_max >= 0
    assert line.directory is None or line.hostsfile == f"{line.directory}/host"


@given(st.lists(host_entries))
def test_hosts_round_trip(entries: list[HostEntry]) -> None:
    """parse(render(x)) == x for host lines, however many tags, client ids and addresses they have."""
    text = "".join(f"{host_line(entry)}\n" for entry in entries)
    assert parse_hosts(text) == tuple(entries)
    assert parse_hosts(text.encode()) == tuple(entries)


@given(host_entries, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_matter_to_reading_hosts(entry: HostEntry, random: Random) -> None:
    """A tag or a client id in front shifts nothing (Launchpad 1884105, 1465330)."""
    fields = host_line(entry).split(",")
    random.shuffle(fields)
    (found,) = parse_hosts(",".join(fields))
    assert found.unparsed is None
    assert (found.mac_address, found.client_id, found.name) == (entry.mac_address, entry.client_id, entry.name)
    assert sorted(found.addresses) == sorted(entry.addresses)
    assert sorted(found.tags) == sorted(entry.tags)


@given(st.lists(host_entries), st.lists(host_entries))
def test_removed_hosts_are_those_of_the_lines_that_went(before: list[HostEntry], after: list[HostEntry]) -> None:
    """What one text has and the next has not, and nothing else."""
    one, other = ("".join(f"{host_line(entry)}\n" for entry in entries) for entries in (before, after))
    assert removed_hosts(one, other) == tuple(entry for entry in before if entry not in after)


@given(st.lists(st.builds(AddnHost, address=ipv4 | ipv6, names=st.lists(names, min_size=1, max_size=4).map(tuple))))
def test_addn_hosts_round_trip(entries: list[AddnHost]) -> None:
    """parse(render(x)) == x for additional hosts."""
    text = "".join(f"{entry.address}\t{' '.join(entry.names)}\n" for entry in entries)
    assert parse_addn_hosts(text) == tuple(entries)


@given(st.lists(option_entries))
def test_opts_round_trip(entries: list[OptionEntry]) -> None:
    """parse(render(x)) == x for option lines, whatever the value."""
    assert parse_opts("\n".join(map(option_line, entries))) == tuple(entries)


option_arguments = st.tuples(
    st.builds("o{}".format, st.text("ab-", max_size=6)),
    st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
)


@given(st.lists(option_arguments))
def test_command_line_round_trip(given_options: list[tuple[str, str | None]]) -> None:
    """parse(render(x)) == x for command lines, from arguments and from /proc."""
    argv = ["dnsmasq", "", *(f"--{name}" if value is None else f"--{name}={value}" for name, value in given_options)]
    line = parse_command_line(argv)
    assert line.options == tuple(given_options)
    assert parse_command_line("".join(f"{argument}\0" for argument in argv).encode()) == line


# -- what the renderer writes ------------------------------------------------------------------------------------------

SETTINGS = Settings(host="host-1.example.org")


def rendered(view: InstanceView, *, addr6_list: bool = False) -> tuple[RenderedFiles, Settings]:
    settings = Settings(host="host-1.example.org", dnsmasq_enable_addr6_list=addr6_list)
    return render_files(view, settings=settings, interface_name="tap0", interface_addresses=()), settings


networks = st.sampled_from(Flavour).flatmap(lambda flavour: drawn(lambda c: network(c, flavour)))


@given(networks, st.booleans())
def test_what_is_rendered_is_read_back(given_network: Network, addr6_list: bool) -> None:
    """parse(render(x)) == x: every line is read, every address is a port's, every tag a subnet's or a port's."""
    for view in instance_views(given_network):
        files, settings = rendered(view, addr6_list=addr6_list)
        fixed = {(port.mac_address, fixed_ip.ip_address) for port in view.ports for fixed_ip in port.fixed_ips}
        hosts = parse_hosts(files.host)
        assert len(hosts) == files.host.count("\n")
        reserved = [(entry.mac_address, address) for entry in hosts for address in entry.addresses]
        assert set(reserved) <= fixed
        assert all(entry.unparsed is None for entry in hosts)

        addn = parse_addn_hosts(files.addn_hosts)
        assert [entry.address for entry in addn] == [line.split("\t")[0] for line in files.addn_hosts.splitlines()]
        assert {entry.address for entry in addn} <= {address for _, address in fixed}
        assert all(entry.names for entry in addn)

        tags = {f"subnet-{subnet.id}" for subnet in view.all_subnets} | {f"port-{port.id}" for port in view.ports}
        opts = parse_opts(files.opts)
        assert all(entry.unparsed is None and entry.number is not None for entry in opts)
        assert {entry.tags[0] for entry in opts} <= tags
        assert {tag for entry in hosts for tag in entry.set_tags} <= tags

        line = parse_command_line(files.argv)
        assert line.instance_key(settings.confs_dir) == view.key
        assert line.lease_max is not None


@given(networks)
def test_the_initial_leases_are_sound_and_none_is_stale(given_network: Network) -> None:
    """A leases file as it is rendered has no damaged line, and every lease in it is a live port's."""
    for view in instance_views(given_network):
        text, _ = render_initial_leases(view, settings=SETTINGS)
        assert parse_leases(text).damaged == ()
        found = sort_leases(text, view)
        assert found.release + found.stuck == ()


@given(
    st.sampled_from(Flavour).flatmap(lambda flavour: drawn(lambda c: (made := network(c, flavour), reordered(c, made))))
)
def test_a_reordered_answer_renders_to_the_same(case: tuple[Network, Network]) -> None:
    """A permutation of subnets or ports in the server's answer causes no write and no signal.

    Of two ports with one address, which Neutron never makes, the first is served: there the order means something.
    """
    addresses = [fixed_ip.ip_address for port in case[0].ports for fixed_ip in port.fixed_ips]
    macs = [port.mac_address.lower() for port in case[0].ports]
    assume(len({ip_address(address) for address in addresses}) == len(addresses) and len(set(macs)) == len(macs))
    one, other = ({view.key: view for view in instance_views(answer)} for answer in case)
    assert one.keys() == other.keys()
    for key, view in one.items():
        (files, _), (again, _) = rendered(view), rendered(other[key])
        assert differing_files(files, again, view) == ()
        assert differing_files(again, files, other[key]) == ()
        assert same_argv(files.argv, again.argv)
