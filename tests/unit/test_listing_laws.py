"""Laws of what-ifs and their listings, over drawn networks."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.plan import plan_sync
from dhcpcore.plan.assume import assume_served, plan_difference
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.testing import Flavour, strategies
from support.what_ifs import actions

flavours = st.sampled_from(list(Flavour))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[tuple[Network, ...], Settings, HostCapabilities]:
    flavour = draw(flavours)
    settings = draw(strategies.settings(flavour))
    if draw(st.booleans()):
        settings = evolve(settings, host="somebody-else")
    count = draw(st.integers(0, 2))
    return draw(strategies.network_lists(flavour, count=count)), settings, draw(strategies.capabilities())


@given(worlds())
def test_serving_what_is_wanted_needs_nothing(world: tuple[tuple[Network, ...], Settings, HostCapabilities]) -> None:
    """Whoever serves exactly what the server wants has nothing to do."""
    networks, settings, capabilities = world
    state = assume_served(networks, settings, capabilities)
    assert not plan_sync(state, 0.0)
    assert not state.touched
    served = {key for record in state.networks.values() for key in record.served}
    assert served == {
        view.key for one in networks if one.admin_state_up for view in instance_views(one) if serves_dhcp(view)
    }
    listing = plan_difference(networks, networks, settings, capabilities=capabilities)
    assert not listing
    assert listing.summary.unchanged == len(networks)


@given(worlds(), st.data())
def test_the_order_of_ports_means_nothing(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """The same ports in another order change nothing, where no two of them have one address or one device name."""
    networks, settings, capabilities = world
    networks = tuple(one for one in networks if _unambiguous(one))
    other = [evolve(one, ports=tuple(data.draw(st.permutations(one.ports)))) for one in networks]
    assert not plan_difference(networks, other, settings, capabilities=capabilities)


def _unambiguous(one: Network) -> bool:
    addresses = [ip.ip_address for each in one.ports for ip in each.fixed_ips]
    devices = [each.id[:11] for each in one.ports]
    return len(addresses) == len(set(addresses)) and len(devices) == len(set(devices))


@given(worlds(), st.data())
def test_every_network_counts_once(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """Each network of either list is enabled, disabled, reloaded, restarted or unchanged, and is just one of these."""
    networks, settings, capabilities = world
    desired = _another(data, networks)
    listing = plan_difference(networks, desired, settings, capabilities=capabilities)
    counts = listing.summary.to_json()
    assert sum(counts.values()) == len({one.id for one in (*networks, *desired)})
    changed = {change.network_id for change in listing.changes}
    assert sum(counts.values()) - counts["unchanged"] == len(changed)
    again = plan_difference(networks, desired, settings, capabilities=capabilities)
    assert json.dumps(listing.to_json(), allow_nan=False) == json.dumps(again.to_json())
    assert list(listing.lines())[-1] == str(listing.summary)
    keys = [InstanceKey(network_id=change.network_id, segmentation=change.segment) for change in listing.changes]
    assert len(set(keys)) == len(keys)
    assert all(change.reasons for change in listing.changes)


@given(worlds(), st.data())
def test_a_partial_sync_touches_no_other(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """What is neither named nor new does not change; what is changes as in a full sync."""
    networks, settings, capabilities = world
    desired = _another(data, networks)
    known = {one.id for one in networks}
    only = data.draw(st.sets(st.sampled_from(sorted(known)))) if known else set()
    partial = plan_difference(networks, desired, settings, only=only, capabilities=capabilities)
    allowed = only | ({one.id for one in desired} - known)
    assert {change.network_id for change in partial.changes} <= allowed
    full = plan_difference(networks, desired, settings, capabilities=capabilities)
    expected = {key: action for key, action in actions(full).items() if key.partition("/")[0] in allowed}
    assert actions(partial) == expected


def _another(data: st.DataObject, networks: tuple[Network, ...]) -> tuple[Network, ...]:
    """Some of `networks`, some of them changed, and some new ones."""
    kept = []
    for one in networks:
        match data.draw(st.sampled_from(["same", "ports", "subnets", "gone"])):
            case "same":
                kept.append(one)
            case "ports":
                kept.append(evolve(one, ports=one.ports[1:]))
            case "subnets":
                kept.append(evolve(one, subnets=one.subnets[1:]))
    ids = {one.id for one in networks}
    count = data.draw(st.integers(0, 1))
    new = [one for one in data.draw(strategies.network_lists(data.draw(flavours), count=count)) if one.id not in ids]
    return (*kept, *new)
