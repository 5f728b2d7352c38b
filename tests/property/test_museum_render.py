"""Laws of rendering that a class of bugs in DHCP agents is behind: options, IPv6, tags, segments, leases, the proxy.

What a line must look like for dnsmasq to take it is told by `dhcpcore.render.syntax`, which is held against a real
dnsmasq elsewhere.
"""

from __future__ import annotations

from ipaddress import ip_address

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.model.network import DHCPV6_STATEFUL, DHCPV6_STATELESS, SLAAC, Network, Segment, Subnet
from dhcpcore.model.port import ExtraDhcpOption
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView
from dhcpcore.render.files import RenderedFiles, render_files
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import render_metadata_proxy
from dhcpcore.render.readback import (
    OptionEntry,
    parse_addn_hosts,
    parse_command_line,
    parse_hosts,
    parse_opts,
)
from dhcpcore.render.syntax import (
    addn_name_problem,
    argument_problem,
    host_line_problem,
    lease_line_problem,
    option_line_problem,
)
from dhcpcore.render.views import instance_views
from dhcpcore.testing import Flavour, strategies
from dhcpcore.testing.generate.leases import LeasesFile
from support.render_input import files as files_of
from support.render_input import mac, network, port, subnet

DEFAULT = "0.0.0.0/0"
TYPICAL = strategies.networks(Flavour.TYPICAL)
SETTINGS = st.sampled_from(
    [
        Settings(),
        Settings(enable_isolated_metadata=True),
        Settings(force_metadata=True, dns_domain=""),
        Settings(dnsmasq_enable_addr6_list=True),
    ]
)


def rendered(of: InstanceView, settings: Settings) -> RenderedFiles:
    """The files of one instance, served on the addresses that its DHCP port has, if it has one."""
    own = settings.dhcp_device_id(of.network.id, of.key.segmentation)
    lengths = {each.id: each.range.prefixlen for each in of.subnets}
    addresses = [
        f"{ip.ip_address}/{lengths[ip.subnet_id]}"
        for found in of.ports
        if found.device_id == own
        for ip in found.fixed_ips
        if ip.subnet_id in lengths
    ]
    return render_files(of, settings=settings, interface_name="tap0", interface_addresses=addresses)


def routes_of(entry: OptionEntry) -> list[tuple[str, str]]:
    values = entry.values
    return list(zip(values[::2], values[1::2], strict=True))


# -- options


@given(TYPICAL, SETTINGS)
def test_classless_routes_hold_the_default_route_and_what_is_on_the_link_comes_first(
    found: Network, settings: Settings
) -> None:
    """If option 121 is not empty and the subnet has a gateway, 121 ends with 0.0.0.0/0; 249 equals 121; every on-link
    route that we add precedes all routes via a router; the tenant's own order stays."""
    for of in instance_views(found):
        entries = parse_opts(rendered(of, settings).opts)
        for each in of.all_subnets:
            own = [entry for entry in entries if entry.tags == (f"subnet-{each.id}",) and entry.ip_version == 4]
            routes = [routes_of(entry) for entry in own if entry.number == 121]
            assert routes == [routes_of(entry) for entry in own if entry.number == 249]
            if not routes:
                continue
            (pairs,) = routes
            defaults = [route.nexthop for route in each.host_routes if route.destination == DEFAULT]
            gateway = each.gateway_ip or next(iter(defaults), None)
            assert [pair for pair in pairs if pair[0] == DEFAULT] == ([(DEFAULT, gateway)] if gateway else [])
            assert gateway is None or pairs[-1] == (DEFAULT, gateway)
            tenants = [(route.destination, route.nexthop) for route in each.host_routes if route.destination != DEFAULT]
            others = [pair for pair in pairs if pair in tenants]
            assert [pair for pair in others if others.count(pair) == 1] == [
                pair for pair in tenants if others.count(pair) == 1
            ]
            neighbours = {(other.cidr, "0.0.0.0") for other in of.all_subnets if other.segment_id == each.segment_id}
            ours = [pair in neighbours and pair not in tenants for pair in pairs]
            assert ours == sorted(ours, reverse=True)


@given(TYPICAL)
def test_an_address_has_one_name_everywhere(found: Network) -> None:
    """The FQDN of an address in the host file is the one in addn_hosts, and that of the server's DNS assignment."""
    assigned = {
        names.ip_address: names.fqdn for each in found.ports for names in each.dns_assignment or () if names.hostname
    }
    for of in instance_views(found):
        files = rendered(of, Settings())
        names = {entry.address: entry.names[0] for entry in parse_addn_hosts(files.addn_hosts)}
        for entry in parse_hosts(files.host):
            assert all(names[address] == entry.name for address in entry.addresses)
        assert files.warnings or {address: assigned.get(address, name) for address, name in names.items()} == names


# -- IPv6

modes = st.sampled_from([None, SLAAC, DHCPV6_STATEFUL, DHCPV6_STATELESS])


@st.composite
def ipv6_networks(draw: st.DrawFn) -> Network:
    """One or two IPv6 subnets of any modes and length, with or without an IPv4 one, and ports on all of them."""
    lengths = st.sampled_from([48, 56, 63, 64, 65, 80, 112, 120])
    v6 = [
        Subnet(
            id=f"v6-{number}",
            network_id="net",
            cidr=f"fd00:{number}::/{draw(lengths)}",
            ip_version=6,
            enable_dhcp=draw(st.booleans()),
            gateway_ip=draw(st.sampled_from([None, f"fd00:{number}::1"])),
            ipv6_address_mode=draw(modes),
            ipv6_ra_mode=draw(modes),
            dns_nameservers=draw(st.sampled_from([(), ("::",), ("fd00::53", "fd00::54")])),
        )
        for number in range(1, draw(st.integers(1, 2)) + 1)
    ]
    v4 = [subnet()] if draw(st.booleans()) else []
    ports = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        texts = [f"{each.id}/fd00:{each.id[3:]}::{number}:{k}" for each in v6 for k in range(draw(st.integers(0, 3)))]
        addresses = [*(f"s4/10.0.0.{number + 4}" for _ in v4), *draw(st.permutations(texts))]
        ports.append(port(f"p{number}", *addresses, mac_address=mac(number)))
    return network(*ports, subnets=draw(st.permutations([*v4, *v6])))


@given(ipv6_networks(), st.booleans(), st.booleans())
def test_every_ipv6_mode_and_length_renders_to_what_dnsmasq_takes(
    found: Network, addr6_list: bool, host_tags: bool
) -> None:
    """For every address mode, RA mode and prefix length, alone and in dual stack: dnsmasq accepts every line and
    argument; a SLAAC address is never in the host file and always in addn_hosts; one reservation for each address, or
    for each port and stateful subnet where lists are on."""
    files = files_of(found, Settings(dnsmasq_enable_addr6_list=addr6_list), host_tags=host_tags)
    assert files.warnings == ()
    assert [argument for argument in files.argv[1:] if argument and argument_problem(argument)] == []
    assert [line for line in files.host.splitlines() if host_line_problem(line)] == []
    assert [line for line in files.opts.splitlines() if option_line_problem(line)] == []
    named = parse_addn_hosts(files.addn_hosts)
    assert not any(addn_name_problem(name) for entry in named for name in entry.names)
    assert sorted(entry.address for entry in named) == sorted(
        ip.ip_address for each in found.ports for ip in each.fixed_ips
    )
    expected: list[tuple[str, ...]] = []
    for each in found.ports:
        for of in found.subnets:
            mine = tuple(ip.ip_address for ip in each.fixed_ips if ip.subnet_id == of.id)
            if not mine or not of.enable_dhcp or of.ipv6_address_mode in (SLAAC, DHCPV6_STATELESS):
                continue
            listed = addr6_list and of.ipv6_address_mode == DHCPV6_STATEFUL
            expected += [mine] if listed else [(address,) for address in mine]
    hosts = parse_hosts(files.host)
    assert sorted(entry.addresses for entry in hosts) == sorted(expected)
    tags = ("dhcpv6",) if host_tags else ()
    assert all(entry.tags == (tags if ":" in entry.addresses[0] else ()) for entry in hosts)
    # "prefix length must be at least 64" (Launchpad 1645616); the length is always said (Launchpad 1372883).
    for given_range in parse_command_line(files.argv).ranges:
        _, start, _, size, _ = given_range.split(",")
        assert ":" not in start or int(size) >= 64


# -- tags


@given(TYPICAL, SETTINGS)
def test_a_tag_is_spelt_alike_in_every_file_and_follows_from_the_id(found: Network, settings: Settings) -> None:
    """The tag of a served subnet or port is spelt the same in argv, hosts and opts; it is a function of the id only:
    when a subnet goes, the tags of the others stay."""
    for of in instance_views(found):
        for some in (of, evolve(of, subnets=of.subnets[1:])):
            files = rendered(some, settings)
            ranges = parse_command_line(files.argv).ranges
            set_for = {given_range.split(",")[1]: given_range.split(",")[0] for given_range in ranges}
            local = {
                str(each.range.network_address): f"set:subnet-{each.id}" for each in some.subnets if each.enable_dhcp
            }
            assert set_for.items() <= local.items()
            assert all(
                each.ip_version == 6 or str(each.range[0]) in set_for for each in some.subnets if each.enable_dhcp
            )
            wanted: dict[str, set[tuple[str, ...]]] = {}
            for entry in parse_opts(files.opts):
                wanted.setdefault(entry.tags[0], set()).add(entry.tags)
            assert set(wanted) <= {
                *(f"subnet-{each.id}" for each in some.all_subnets),
                *(f"port-{each.id}" for each in some.ports),
            }
            hosts = parse_hosts(files.host)
            for each in some.ports:
                lines = [entry for entry in hosts if entry.mac_address == each.mac_address]
                if f"port-{each.id}" in wanted:
                    assert all(entry.set_tags == (f"port-{each.id}",) for entry in lines)
                else:
                    assert all(entry.set_tags in ((), (f"port-{each.id}",)) for entry in lines)


# -- segments


@given(strategies.networks(Flavour.TYPICAL, segmented=False), SETTINGS, st.sampled_from([7, None]))
def test_one_segment_is_served_as_no_segment_is(found: Network, settings: Settings, number: int | None) -> None:
    """A network with one segment renders as one without, but for the directory of its files."""
    segment = Segment(id="the-segment", network_id=found.id, segmentation_id=number)
    routed = evolve(found, segments=(segment,), subnets=tuple(evolve(s, segment_id=segment.id) for s in found.subnets))
    if not found.subnets:
        return
    (alone,) = instance_views(found)
    (twin,) = instance_views(routed)
    assert twin.key.directory == f"{number}/{found.id}"
    addresses = ("10.0.0.2/24",)
    one, other = (
        render_files(each, settings=settings, interface_name="tap0", interface_addresses=addresses)
        for each in (alone, twin)
    )
    assert (other.host, other.addn_hosts, other.opts) == (one.host, one.addn_hosts, one.opts)
    prefix = f"{settings.confs_dir}/{number}/{found.id}/"
    assert tuple(part.replace(prefix, f"{settings.confs_dir}/{found.id}/") for part in other.argv) == one.argv
    leases = [render_initial_leases(each, settings=settings)[0] for each in (alone, twin)]
    assert leases[0] == leases[1]


@given(strategies.networks(Flavour.TYPICAL, segmented=True), SETTINGS)
def test_a_network_of_k_segments_renders_as_k_independent_instances(found: Network, settings: Settings) -> None:
    """What one segment's instance serves does not depend on the subnets of another; rendering changes no network."""
    before = evolve(found)
    views = instance_views(found)
    for of in views:
        kept = evolve(found, subnets=of.subnets)
        (alone,) = (each for each in instance_views(kept) if each.key == of.key) if of.subnets else (of,)
        one, other = rendered(of, settings), rendered(alone, settings)
        assert (one.host, one.addn_hosts, one.opts, one.argv) == (other.host, other.addn_hosts, other.opts, other.argv)
    assert {each.key for each in instance_views(found)} == {each.key for each in views}
    assert found == before


# -- leases


@given(TYPICAL.flatmap(lambda found: st.tuples(st.just(found), strategies.leases_files_of(found, Flavour.HOSTILE))))
def test_leases_of_live_dhcpv6_ports_survive_a_restart(case: tuple[Network, LeasesFile]) -> None:
    """The lease of a live DHCPv6 port survives a restart byte for byte, whatever else the file held."""
    found, previous = case
    text = previous.text
    last = {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        words = line.split(" ")
        if len(words) == 5 and ":" in words[2] and not line.startswith("duid ") and lease_line_problem(line) is None:
            last[str(ip_address(words[2]))] = line
    for of in instance_views(found):
        after, warnings = render_initial_leases(of, settings=Settings(), previous=text)
        if any(warning.code == "leases-left-out" for warning in warnings):
            continue
        stateful = {
            each.id
            for each in of.all_subnets
            if each.ip_version == 6 and each.enable_dhcp and each.ipv6_address_mode not in (SLAAC, DHCPV6_STATELESS)
        }
        for each in of.ports:
            if each.requires_dhcp_configuration:
                for ip in each.fixed_ips:
                    if ip.subnet_id in stateful and str(ip_address(ip.ip_address)) in last:
                        assert last[str(ip_address(ip.ip_address))] in after.split("\n")


# -- the metadata proxy

hostile = strategies.networks(Flavour.HOSTILE)


@given(hostile, SETTINGS, st.sampled_from([None, "tap0123456789a"]))
def test_no_text_of_a_network_can_add_a_line_to_the_proxys_configuration(
    found: Network, settings: Settings, interface: str | None
) -> None:
    """The proxy's configuration has the lines of any other proxy's, binds the metadata addresses and nothing else, and
    gives up root wherever it is told to (Launchpad 1745618, 1187107)."""
    settings = evolve(settings, enable_metadata_network=True, metadata_proxy_user="u", metadata_proxy_group="g")
    spec = render_metadata_proxy(found, settings=settings, bind_interface=interface)
    plain = render_metadata_proxy(network(), settings=settings, bind_interface=interface)
    for name in ("Network", "Router"):  # whose id it adds, and whose it takes away
        assert spec.config.count(f"-header X-Neutron-{name}-ID") == 1
    assert len(spec.config.splitlines()) == len(plain.config.splitlines())
    binds = [line.split()[1] for line in spec.config.splitlines() if line.strip().startswith("bind")]
    assert binds == ["169.254.169.254:80", *(["[fe80::a9fe:a9fe]:80"] if interface else [])]
    assert "    user        u\n    group       g\n" in spec.config
    assert "/" not in spec.proxy_id


options = st.one_of(
    *(strategies.extra_dhcp_options(flavour) for flavour in Flavour),
    st.builds(
        ExtraDhcpOption,
        opt_name=st.lists(
            st.sampled_from(["67", "dns-server", "router", "tag:a", "tag:!b", "6.6.6.6", "option:router", "", " "]),
            min_size=1,
            max_size=3,
        ).map(",".join),
        opt_value=st.sampled_from(["10.0.0.53", "option:router,10.0.0.66", "x", "", "a,b", "x\ny", "\nx"]),
        ip_version=st.sampled_from([4, 6]),
    ),
)


@given(st.lists(options, max_size=3))
def test_one_value_of_an_option_is_one_field(many: list[ExtraDhcpOption]) -> None:
    """No string of an extra DHCP option adds a field: a line has the tags and the name that its name has, and the whole
    first line of its value, or none where that is blank."""
    of = port("p", "10.0.0.5", "fd00::5", extra_dhcp_opts=tuple(many))
    asked = set()
    for option in many:
        *tags, name = (part.strip() for part in option.opt_name.partition("\n")[0].split(","))
        name = str(int(name)) if name.isascii() and name.isdigit() else name
        value = option.opt_value.partition("\n")[0]
        asked |= {(option.ip_version, *tags, name, value), (option.ip_version, *tags, name, value or None)}
    own = [entry for entry in parse_opts(files_of(network(of, subnets=[])).opts) if entry.tags[:1] == ("port-p",)]
    assert len(own) <= len(many)
    for entry in own:
        name = str(entry.number) if entry.name is None else entry.name
        tags = [f"tag:{tag}" for tag in entry.tags[1:]]
        assert (entry.ip_version, *tags, name, entry.value) in asked
