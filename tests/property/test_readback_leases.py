"""Laws of the leases file: damage never spreads, and no lease of a live port is ever released."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.model.lease import Lease
from dhcpcore.model.network import DHCPV6_STATEFUL, Network, Subnet
from dhcpcore.model.port import ExtraDhcpOption, FixedIP, Port
from dhcpcore.model.spec import InstanceKey, InstanceView
from dhcpcore.render.readback import (
    HostEntry,
    parse_lease_line,
    parse_leases,
    sort_leases,
    stale_leases,
)
from dhcpcore.render.syntax import lease_line_problem
from support.written_lines import (
    client_ids,
    hex_ids,
    host_entries,
    ipv4,
    lease_files,
    lease_line,
    lease_text,
    macs,
    read_as_dnsmasq_does,
    spelt_ipv6,
    texts,
    v4_leases,
)


@given(lease_files())
def test_leases_round_trip(given_file: tuple[list[Lease], str | None]) -> None:
    """parse(render(x)) == x for a leases file as dnsmasq writes it."""
    leases, server_id = given_file
    found = parse_leases(lease_text(leases, server_id))
    assert found.leases == tuple(sorted(leases, key=lambda lease: lease.ip_version))
    assert (found.server_id, found.damaged) == (server_id, ())


@given(lease_files(), st.integers(0, 2000))
def test_a_file_caught_while_it_is_written_gives_true_leases_only(
    given_file: tuple[list[Lease], str | None], length: int
) -> None:
    """Of a file that is cut off anywhere, the leases are the first of the whole file's; one line may be damaged."""
    whole = lease_text(*given_file)
    cut = parse_leases(whole[:length])
    leases = parse_leases(whole).leases
    assert cut.leases == leases[: len(cut.leases)]
    assert len(cut.damaged) <= 1


@given(lease_files(), texts.filter(lambda text: "\n" not in text), st.integers(0, 12))
def test_damage_does_not_spread(given_file: tuple[list[Lease], str | None], line: str, at: int) -> None:
    """A line of garbage adds at most a lease of its own, or is told by its number, and changes no other lease."""
    lines = lease_text(*given_file).splitlines(keepends=True)
    expected = parse_leases("".join(lines)).leases
    at = min(at, len(lines))
    found = parse_leases("".join([*lines[:at], line + "\n", *lines[at:]]))
    if line.split(" ")[0].strip() == "duid":
        return
    if lease_line_problem(line) is None:
        assert found.damaged == ()
    else:
        assert found.damaged == (at + 1,)
        assert found.leases == expected


@given(st.lists(st.one_of(v4_leases.map(lease_line), texts.map(lambda text: text.replace("\n", " ") + "\n"))))
def test_where_no_line_is_damaged_dnsmasq_reads_the_same_leases(lines: list[str]) -> None:
    """A file without damaged lines means the same line by line and word by word."""
    sound = [line for line in lines if lease_line_problem(line.rstrip("\n")) is None]
    text = "".join(sound)
    found = parse_leases(text)
    assert found.damaged == ()
    told = [(lease.expiry, lease.ip_address, lease.hostname, lease.client_id) for lease in found.leases]
    assert told == [
        (int(expiry), address, None if name == "*" else name, None if client == "*" else client)
        for expiry, _, address, name, client in read_as_dnsmasq_does(text)
    ]


@given(texts)
def test_a_line_has_a_problem_or_is_read(line: str) -> None:
    """`lease_line_problem` and `parse_leases` agree on every line."""
    found = parse_leases(f"{line}\n")
    if lease_line_problem(line) is None:
        assert found.damaged == ()
        assert found.leases == (() if (lease := parse_lease_line(line)) is None else (lease,))
    else:
        assert found.damaged or "\n" in line


# -- stale leases ------------------------------------------------------------------------------------------------------

ports = st.builds(
    lambda number, mac, v4, v6, client_id, owner: Port(
        id=f"port-{number}",
        network_id="net",
        mac_address=mac,
        device_owner=owner,
        fixed_ips=tuple(FixedIP(subnet_id="v4", ip_address=address) for address in v4)
        + tuple(FixedIP(subnet_id="v6", ip_address=address) for address in v6),
        extra_dhcp_opts=() if client_id is None else (ExtraDhcpOption(opt_name="client-id", opt_value=client_id),),
    ),
    st.integers(0, 99),
    st.one_of(macs, macs.map(str.upper)),
    st.lists(ipv4, max_size=2),
    st.lists(spelt_ipv6(), max_size=3),
    st.none() | client_ids | hex_ids | texts,
    st.sampled_from(["compute:nova", "network:dhcp", "network:floatingip"]),
)


def view_of(given_ports: list[Port], v4_range: str, *, dhcp: bool = True) -> InstanceView:
    subnets = (
        Subnet(id="v4", network_id="net", cidr=v4_range, ip_version=4, enable_dhcp=dhcp),
        Subnet(
            id="v6",
            network_id="net",
            cidr="fd00::/64",
            ip_version=6,
            ipv6_address_mode=DHCPV6_STATEFUL,
            enable_dhcp=dhcp,
        ),
    )
    network = Network(id="net", subnets=subnets, ports=tuple(given_ports))
    return InstanceView(key=InstanceKey(network_id="net"), network=network, subnets=subnets)


def has_mac(port: Port, lease: Lease) -> bool:
    """To dnsmasq a reservation is for its MAC address on hardware of any type."""
    return lease.mac_address is not None and lease.mac_address.removeprefix("06-") == port.mac_address.lower()


def live_addresses(given_ports: list[Port]) -> dict[str, list[Port]]:
    owners: dict[str, list[Port]] = {}
    for port in given_ports:
        for fixed_ip in port.fixed_ips:
            address = fixed_ip.ip_address
            owners.setdefault(str(IPv6Address(address)) if ":" in address else address, []).append(port)
    return owners


@given(lease_files(), st.lists(ports, max_size=5), st.booleans())
def test_never_a_lease_of_a_live_port(
    given_file: tuple[list[Lease], str | None], given_ports: list[Port], dhcp: bool
) -> None:
    """The leases to release never include one of a live port, whatever its client ids, spellings, modes and owner."""
    owners = live_addresses(given_ports)
    found = sort_leases(lease_text(*given_file), view_of(given_ports, "10.0.0.0/24", dhcp=dhcp))
    for lease in found.release + found.stuck:
        having = owners.get(lease.ip_address, [])
        if lease.ip_version == 6:
            assert not having
        else:
            assert all(not has_mac(port, lease) for port in having)


@given(lease_files(), st.lists(ports, max_size=5))
def test_every_other_lease_is_released_or_stuck(
    given_file: tuple[list[Lease], str | None], given_ports: list[Port]
) -> None:
    """The release set is the leases of nobody in the model, but for those that dnsmasq would not release."""
    text, owners = lease_text(*given_file), live_addresses(given_ports)
    found = sort_leases(text, view_of(given_ports, "10.0.0.4/30"))
    for lease in parse_leases(text).leases:
        having = owners.get(lease.ip_address, [])
        told = lease in found.release or lease in found.stuck
        if not having:
            assert told
        elif lease.ip_version == 4 and lease.client_id is None:
            assert told == all(not has_mac(port, lease) for port in having)
        if told and lease.ip_version == 4:
            assert (lease in found.release) == (IPv4Address(lease.ip_address) in IPv4Network("10.0.0.4/30"))
        elif told:
            assert (lease in found.release) == (lease.client_id is not None and lease.server_id is not None)


@given(lease_files(), st.lists(ports, max_size=5), st.lists(host_entries, max_size=4), texts)
def test_a_text_and_what_was_parsed_of_it_give_the_same_stale_leases(
    given_file: tuple[list[Lease], str | None], given_ports: list[Port], removed: list[HostEntry], garbage: str
) -> None:
    """The fast way over the text finds what the parsed file has, in the same order."""
    text = lease_text(*given_file) + garbage
    view = view_of(given_ports, "10.0.0.0/24")
    found = sort_leases(text, view, removed=removed)
    assert found == sort_leases(parse_leases(text), view, removed=removed)
    assert found.release == stale_leases(text, view, removed=removed)


@given(lease_files(), st.lists(ports, max_size=5), st.lists(host_entries, max_size=4))
def test_a_removed_reservation_releases_only_addresses_that_moved(
    given_file: tuple[list[Lease], str | None], given_ports: list[Port], removed: list[HostEntry]
) -> None:
    """What the last reload took away adds only DHCPv6 leases of addresses that another MAC address has now."""
    text, owners = lease_text(*given_file), live_addresses(given_ports)
    view = view_of(given_ports, "10.0.0.0/24")
    without, added = sort_leases(text, view), sort_leases(text, view, removed=removed)
    lost = {(address, entry.mac_address) for entry in removed for address in entry.addresses}
    for lease in added.release + added.stuck:
        if lease not in without.release + without.stuck:
            macs_now = {port.mac_address.lower() for port in owners[lease.ip_address]}
            assert lease.ip_version == 6
            assert any(address == lease.ip_address and mac not in macs_now for address, mac in lost)
    assert set(map(lease_line, without.release)) <= set(map(lease_line, added.release))
