"""What the strategies promise of the values they make."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dhcpcore.errors import PayloadError
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.state import fold_events, initial_state
from dhcpcore.testing import Flavour, SeededChoices, strategies
from dhcpcore.testing.generate.events import event_series
from dhcpcore.testing.generate.histories import history, mutation
from dhcpcore.testing.generate.leases import LeasesFile, leases_text
from dhcpcore.testing.generate.networks import network, reordered
from dhcpcore.testing.generate.wire import Malformed, network_wire
from dhcpcore.testing.wireform import network_form, port_form
from dhcpcore.wire import network_to_wire, parse_event, parse_network, port_to_wire

FLAVOURS = st.sampled_from(Flavour)
ANY_NETWORK = FLAVOURS.flatmap(strategies.networks)
FLAVOURED = (
    strategies.identifiers,
    strategies.mac_addresses,
    strategies.host_names,
    strategies.host_routes,
    strategies.subnets,
    strategies.segments,
    strategies.extra_dhcp_options,
    strategies.fixed_ips,
    strategies.dns_assignments,
    strategies.ports,
    strategies.network_lists,
    strategies.leases,
    strategies.wire_networks,
    strategies.mutations,
    strategies.histories,
    strategies.observed_hosts,
    strategies.events,
    strategies.event_series,
    strategies.notified_events,
)
STRATEGIES: dict[str, st.SearchStrategy[object]] = {
    **{strategy.__name__: FLAVOURS.flatmap(strategy) for strategy in FLAVOURED},
    "hostile_texts": strategies.hostile_texts(),
    "capabilities": strategies.capabilities(),
    "wire_forms": ANY_NETWORK.flatmap(strategies.wire_forms),
    "reorderings": ANY_NETWORK.flatmap(strategies.reorderings),
    "leases_files_of": ANY_NETWORK.flatmap(strategies.leases_files_of),
}


def seeds() -> Iterator[tuple[SeededChoices, Flavour]]:
    """Sources of choices, each flavour in turn: the generators without Hypothesis's machinery.

    Three times as many as a property has examples, since each costs little.
    """
    flavours = list(Flavour)
    for number in range(3 * settings().max_examples):
        yield SeededChoices(number), flavours[number % len(flavours)]


@given(strategies.networks())
def test_typical_networks_are_consistent(network: Network) -> None:
    """In a typical network every fixed IP lies in a subnet of the network, and no MAC or address comes twice."""
    subnets = {subnet.id: subnet for subnet in network.all_subnets}
    for port in network.ports:
        for fixed_ip in port.fixed_ips:
            assert ip_address(fixed_ip.ip_address) in subnets[fixed_ip.subnet_id].range
    for values in (
        [port.id for port in network.ports],
        [port.mac_address for port in network.ports],
        [fixed_ip.ip_address for port in network.ports for fixed_ip in port.fixed_ips],
    ):
        assert not [value for value, times in Counter(values).items() if times > 1]


@given(ANY_NETWORK)
def test_ids_within_a_network_differ(network: Network) -> None:
    """Of any flavour: no two subnets, segments or ports of a network have one id, and everything names its network."""
    ids = [subnet.id for subnet in network.all_subnets] + [port.id for port in network.ports]
    ids += [segment.id for segment in network.segments]
    assert len(set(ids)) == len(ids)
    owners = {subnet.network_id for subnet in network.all_subnets} | {port.network_id for port in network.ports}
    assert owners <= {network.id}


@given(ANY_NETWORK)
def test_our_wire_form_is_what_the_parser_reads(network: Network) -> None:
    """parse(wire form written from recorded messages) == model, for any model, also after it went through JSON."""
    assert parse_network(json.loads(json.dumps(network_form(network)))) == network


def test_sparse_wire_forms_mean_the_same() -> None:
    """Members that are absent, null or unknown change nothing that the message means."""
    for c, flavour in seeds():
        made = network(c, flavour)
        assert parse_network(network_wire(c, made)) == made


@given(ANY_NETWORK)
def test_the_librarys_wire_form_agrees_with_ours(network: Network) -> None:
    """What the library writes, our server understands: every member it has means the same as in the recorded form."""
    ours, theirs = network_form(network), network_to_wire(network)
    assert parse_network(theirs) == parse_network(ours)
    for port in network.ports:
        recorded = port_form(port)
        assert {name: value for name, value in port_to_wire(port).items() if name in recorded} == {
            name: recorded[name] for name in port_to_wire(port) if name in recorded
        }


@given(strategies.malformed_networks())
def test_malformed_networks_are_refused_where_they_are_wrong(malformed: Malformed) -> None:
    """One wrong value makes a PayloadError whose path is that value's, or lies inside it."""
    with pytest.raises(PayloadError) as caught:
        parse_network(malformed.payload)
    assert caught.value.path == malformed.path or caught.value.path.startswith((malformed.path + "[", malformed.path))


@given(FLAVOURS.flatmap(strategies.leases_files))
def test_undamaged_leases_files_hold_their_leases(file: LeasesFile) -> None:
    """An undamaged file has one line for each lease, and one for the server's DUID if any is IPv6."""
    if file.leases is not None:
        six = any(lease.ip_version == 6 for lease in file.leases)
        assert len(file.text.splitlines()) == len(file.leases) + six
        assert leases_text(file.leases) == file.text


def test_reordering_keeps_the_members() -> None:
    """A reordered network has the same ports, subnets and segments."""
    for c, flavour in seeds():
        made = network(c, flavour)
        other = reordered(c, made)
        for one, two in (
            (made.ports, other.ports),
            (made.subnets, other.subnets),
            (made.non_local_subnets, other.non_local_subnets),
            (made.segments, other.segments),
        ):
            assert sorted(one, key=repr) == sorted(two, key=repr)


def test_every_notification_is_readable() -> None:
    """What the server tells an agent can be parsed, so can every answer; who does nothing is told nothing."""
    for c, flavour in seeds():
        step = mutation(c, flavour)
        parse_network(step.before)
        if step.after is not None:
            parse_network(step.after)
        for notification in step.notifications:
            parse_event(notification.method, notification.payload)
        if step.operation.startswith("nothing"):
            assert step.before == step.after
            assert step.notifications == ()


def test_histories_are_readable() -> None:
    """Every answer and notification of a history can be parsed; every one is for the history's host."""
    for c, flavour in seeds():
        made = history(c, flavour)
        for wire in (*made.start, *made.end):
            parse_network(wire)
        for notification in made.notifications:
            assert notification.host == made.host
            parse_event(notification.method, notification.payload)


def test_any_events_can_be_folded() -> None:
    """fold_event is total: any events in any order give a state."""
    for c, flavour in seeds():
        fold_events(event_series(c, flavour), initial_state(Settings(host="host-1")))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_draws(name: str) -> None:
    """Each public strategy makes values of every flavour it has."""

    @settings(max_examples=10, database=None)
    @given(STRATEGIES[name])
    def draw(value: object) -> None:
        assert value is not None

    draw()


@given(FLAVOURS.flatmap(strategies.settings))
def test_settings_survive_their_mapping(made: Settings) -> None:
    """Generated settings are valid, and read back from their own mapping."""
    assert Settings.from_mapping(made.to_mapping()) == made


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a_seed_makes_the_same_network_every_time(seed: int) -> None:
    """The same seed gives the same value."""
    assert network(SeededChoices(seed)) == network(SeededChoices(seed))


def test_every_feature_comes_up() -> None:
    """A few thousand networks of each flavour hold every feature that rendering and planning tell apart."""
    seen: Counter[str] = Counter()
    total = 2000
    for flavour in Flavour:
        for made in strategies.sample(lambda c, flavour=flavour: network(c, flavour), 7, total):  # type: ignore[misc]
            owners = {port.device_owner for port in made.ports}
            ours = [port for port in made.ports if port.device_id.startswith("dhcpf72400a4")]
            found = {
                "segments": bool(made.segments),
                "a flat segment": any(each.segmentation_id is None for each in made.segments),
                "non-local subnets": bool(made.non_local_subnets),
                "dual stack": {subnet.ip_version for subnet in made.subnets} == {4, 6},
                "our DHCP port": bool(ours),
                "another's DHCP port": any(
                    port.device_owner == "network:dhcp" and port not in ours for port in made.ports
                ),
                "a reserved DHCP port": any(port.device_id == "reserved_dhcp_port" for port in made.ports),
                "OVN metadata": any(port.is_ovn_metadata for port in made.ports),
                "a router": "network:router_interface" in owners,
                "a floating IP": "network:floatingip" in owners,
                "client ids": any(port.client_id for port in made.ports),
                "options": any(port.extra_dhcp_opts for port in made.ports),
                "names": any(port.dns_assignment for port in made.ports),
                "no names": any(port.dns_assignment is None for port in made.ports),
                "no DHCP": any(not subnet.enable_dhcp for subnet in made.subnets),
                "no gateway": any(subnet.gateway_ip is None for subnet in made.subnets),
                "host routes": any(subnet.host_routes for subnet in made.subnets),
                "announce no DNS": any(
                    "0.0.0.0" in s.dns_nameservers or "::" in s.dns_nameservers for s in made.subnets
                ),
                "prefix delegation": any(subnet.subnetpool_id == "prefix_delegation" for subnet in made.subnets),
                "no subnet": not made.all_subnets,
                "no MTU": made.mtu is None,
                "admin down": not made.admin_state_up,
                **{
                    f"modes {subnet.ipv6_address_mode}/{subnet.ipv6_ra_mode}": True
                    for subnet in made.subnets
                    if subnet.ip_version == 6
                },
            }
            seen.update(name for name, present in found.items() if present)
    rare = {name: times for name, times in seen.items() if times < total // 300}
    assert not rare
    assert sum(name.startswith("modes") for name in seen) == 16
