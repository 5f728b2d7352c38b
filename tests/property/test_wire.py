"""Laws of the wire: models survive it, nothing else than PayloadError leaves it, its paths lead where it hurt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.errors import PayloadError, shown
from dhcpcore.events import Event, PayloadRefused, PortUpdated, SubnetUpdated
from dhcpcore.model.network import Network, Subnet
from dhcpcore.model.port import Port
from dhcpcore.testing import Flavour, strategies
from dhcpcore.testing.generate.wire import Malformed
from dhcpcore.testing.wireform import network_form
from dhcpcore.wire import (
    NOTIFICATIONS,
    event_or_refusal,
    fetched_networks,
    network_id_of,
    network_to_wire,
    parse_event,
    parse_network,
    parse_networks,
    parse_port,
    parse_segment,
    parse_subnet,
    port_to_wire,
    subnet_to_wire,
)

flavours = st.sampled_from(Flavour)
networks = flavours.flatmap(lambda flavour: strategies.networks(flavour, max_subnets=2, max_ports=3))
names = st.sampled_from([
    "id", "network_id", "ports", "subnets", "non_local_subnets", "segments", "fixed_ips", "subnet_id", "ip_address",
    "mac_address", "mtu", "cidr", "opt_name", "opt_value", "ip_version", "extra_dhcp_opts", "dns_assignment",
    "hostname", "fqdn", "host_routes", "destination", "nexthop", "gateway_ip", "dns_nameservers", "device_id",
    "device_owner", "revision_number", "admin_state_up", "enable_dhcp", "segmentation_id", "binding:host_id",
    "ipv6_ra_mode", "port", "subnet", "network", "port_id", "status", "project_id",
])  # fmt: skip
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from(
        ["n", "10.0.0.5", "::1", "10.0.0.0/24", "fd00::/64", "fa:16:3e:00:00:01", "slaac", "4", "../x", "a\n"]
    ),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-1, 7), st.floats(), texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(names, texts), inner, max_size=6)),
    max_leaves=25,
)
#: Parsers of one noun; each by itself must be total.
PARSERS: Final = (parse_network, parse_subnet, parse_segment, parse_port)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def fault(parse: Callable[[Any], object], payload: Any) -> PayloadError | None:
    """What a parser says against a payload; any other error goes its way."""
    try:
        parse(payload)
    except PayloadError as error:
        return error
    return None


def at(payload: Any, path: str) -> Any:
    """What stands at a path; LookupError where its last step is missing."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        payload = payload[int(index)] if index else payload[name]
    return payload


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) of a JSON value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        found += [(value, key) for key in value]
    elif isinstance(value, list):
        found += [(value, index) for index in range(len(value))]
    return found + [place for holder, key in list(found) for place in places(holder[key])]


@st.composite
def altered_networks(draw: st.DrawFn) -> Any:
    """A network in wire form, in one to three places of which something else stands now, or nothing."""
    payload = network_form(draw(networks))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places(payload)))
        if draw(st.booleans()):
            holder[key] = draw(anything)
        else:
            del holder[key]
        if not payload:
            break
    return payload


@given(networks)
def test_networks_survive_the_wire(network: Network) -> None:
    """parse(to_wire(network)) == network, through JSON text too."""
    assert parse_network(network_to_wire(network)) == network
    assert parse_network(through_json(network_to_wire(network))) == network


@given(flavours.flatmap(strategies.ports), flavours.flatmap(strategies.subnets))
def test_events_carry_what_was_sent(port: Port, subnet: Subnet) -> None:
    """A notification's port or subnet is the one the server has."""
    assert parse_event("port_update_end", {"port": port_to_wire(port)}, at=1.5) == PortUpdated(at=1.5, port=port)
    assert parse_event("subnet_update_end", {"subnet": subnet_to_wire(subnet)}) == SubnetUpdated(subnet=subnet)


@given(networks.flatmap(lambda network: st.tuples(st.just(network), strategies.wire_forms(network))))
def test_absent_null_and_unknown_members_mean_nothing(pair: tuple[Network, dict[str, Any]]) -> None:
    """Every wire form of a network, with all that Neutron adds or with all that it may leave out, is that network."""
    network, form = pair
    assert parse_network(form) == network


@given(anything)
def test_only_payload_errors_leave_the_parsers(payload: Any) -> None:
    """Whatever JSON comes, a parser returns a model or raises PayloadError, in one printable line."""
    for parse in PARSERS:
        error = fault(parse, payload)
        assert error is None or (str(error).isprintable() and error.expected and error.got)
    error = fault(parse_networks, payload)
    assert error is None or error.path == "networks"
    assert not isinstance(network_id_of(payload), (dict, list))


@given(st.one_of(st.sampled_from(sorted(NOTIFICATIONS)), texts), anything)
def test_every_notification_is_an_event(method: str, payload: Any) -> None:
    """Whatever is cast to an agent becomes an event, at the worst one that says what was refused."""
    event = event_or_refusal(method, payload, at=2.0)
    assert isinstance(event, Event)
    assert event.at == 2.0
    if isinstance(event, PayloadRefused):
        assert event.network_id == network_id_of(payload)
        assert event.message.isprintable()


@given(altered_networks())
def test_what_is_accepted_is_stable(payload: Any) -> None:
    """What parses, parses to the same again after it was written and read back."""
    if fault(parse_network, payload) is None:
        network = parse_network(payload)
        assert parse_network(network_to_wire(network)) == network


@given(altered_networks())
def test_the_path_of_an_error_leads_to_the_fault(payload: Any) -> None:
    """At the path of an error stands what it got, or nothing where it got nothing."""
    error = fault(parse_network, payload)
    if error is None:
        return
    holder, _, last = error.path.rpartition(".")
    if error.got == "nothing":
        assert last not in at(payload, holder)
    else:
        assert error.got == shown(at(payload, error.path))


def is_a_fault(malformed: Malformed) -> bool:
    """Not every value of these is: a version that the range tells may be null, an option's name may be its number."""
    last = malformed.path.rpartition(".")[2]
    return (last, malformed.value) not in (("ip_version", None), ("opt_name", 7))


@given(strategies.malformed_networks().filter(is_a_fault))
def test_one_fault_is_found_where_it_is(malformed: Malformed) -> None:
    """A payload with one wrong value is refused with the path of that value."""
    error = fault(parse_network, malformed.payload)
    assert error is not None
    assert error.path == malformed.path


@given(strategies.network_lists(), st.data())
def test_one_bad_network_never_loses_another(good: tuple[Network, ...], data: st.DataObject) -> None:
    """Of an answer with bad networks anywhere in it all good ones are returned, in order, and each bad one is named."""
    answer: list[Any] = [network_to_wire(network) for network in good]
    bad = data.draw(
        st.lists(st.one_of(anything, strategies.malformed_networks().map(lambda one: one.payload)), max_size=3)
    )
    for payload in bad:
        answer.insert(data.draw(st.integers(0, len(answer))), payload)
    parsed, refused = parse_networks(answer)
    ids = [network.id for network in good]
    assert [network for network in parsed if network.id in ids] == [*good]
    assert len(parsed) + len(refused) == len(answer)
    for one in refused:
        index = int(one.error.path.partition("[")[2].partition("]")[0])
        assert any(answer[index] is payload for payload in bad)
    fetched = fetched_networks(answer)
    assert fetched.networks == parsed
    assert [failed.message for failed in fetched.failed] == [str(one.error) for one in refused]


@given(networks)
def test_equal_texts_are_one_object(network: Network) -> None:
    """However often a server writes a subnet's id, an owner or a host, it is held once."""
    parsed = parse_network(through_json(network_to_wire(network)))
    held: dict[str, str] = {}
    for port in parsed.ports:
        for text in (
            port.network_id,
            port.device_owner,
            port.binding_host_id,
            *(ip.subnet_id for ip in port.fixed_ips),
        ):
            if text is not None:
                assert held.setdefault(text, text) is text
