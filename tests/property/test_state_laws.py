"""Laws of fold and plan, over generated networks and notifications."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, events
from dhcpcore.model.network import Network
from dhcpcore.model.port import DEVICE_OWNER_DHCP, FixedIP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.plan import plan_sync
from dhcpcore.plan.canonical import differing_files, same_argv
from dhcpcore.plan.encode import plan_to_json
from dhcpcore.state import AgentState, fold_event
from dhcpcore.testing import Flavour, SeededChoices, strategies
from dhcpcore.testing.generate.networks import network as generate_network
from support.script import HOST, Script, network, port

# From a seed: ten times faster than a network drawn choice by choice, and a thousand of them are looked at.
SEEDS = st.integers(0, 1 << 40)


def made(seed: int) -> Network:
    """The network of one seed."""
    return generate_network(SeededChoices(seed), Flavour.TYPICAL, host=HOST)


def made_several(seed: int) -> list[Network]:
    """Two to four networks of one seed, each with an id of its own."""
    several = {made(seed + offset).id: made(seed + offset) for offset in range(2 + seed % 3)}
    return list(several.values())


def with_own_port(found: Network, settings: Settings) -> Network:
    """The network with a DHCP port of ours on every DHCP subnet: claims are not what is looked at."""
    if found.segments:
        found = evolve(
            found,
            segments=(),
            subnets=tuple(evolve(s, segment_id=None) for s in found.subnets),
            non_local_subnets=(),
        )
    own_id = settings.dhcp_device_id(found.id, None)
    ports = tuple(p for p in found.ports if p.device_id != own_id)
    ips = tuple(
        FixedIP(
            subnet_id=s.id, ip_address=str(s.range.broadcast_address - 1 if s.range.num_addresses > 2 else s.range[0])
        )
        for s in found.subnets
        if s.enable_dhcp
    )
    own = Port(
        id="own-dhcp-port",
        network_id=found.id,
        mac_address="fa:16:3e:aa:bb:cc",
        device_id=own_id,
        device_owner=DEVICE_OWNER_DHCP,
        fixed_ips=ips,
        binding_host_id=HOST,
        status="ACTIVE",
    )
    return evolve(found, ports=(*ports, own))


def synced(*networks: Network) -> Script:
    """An agent that serves these networks after one full sync."""
    script = Script()
    for each in networks:
        script.server[each.id] = with_own_port(each, script.settings)
    script.settle()
    return script


def served_texts(state: AgentState) -> dict[str, Any]:
    return {
        str(key): (served.spec, record.proxy)
        for record in state.networks.values()
        for key, served in record.served.items()
    }


def same_serving(one: AgentState, other: AgentState) -> bool:
    """Whether both serve the same in canonical form."""
    a, b = served_texts(one), served_texts(other)
    if a.keys() != b.keys():
        return False
    for key, (mine, my_proxy) in a.items():
        theirs, their_proxy = b[key]
        if differing_files(mine, theirs) or not same_argv(mine.argv, theirs.argv):
            return False
        if (mine.device.name, set(mine.device.addresses), set(mine.device.routes), mine.device.mtu) != (
            theirs.device.name,
            set(theirs.device.addresses),
            set(theirs.device.routes),
            theirs.device.mtu,
        ):
            return False
        if (my_proxy is None) != (their_proxy is None):
            return False
    return True


@given(SEEDS)
def test_with_adapters_that_succeed_three_plans_are_enough(seed: int) -> None:
    """From the answer on, the plan is empty after at most three non-empty ones."""
    found = made(seed)
    script = Script()
    script.server[found.id] = found
    script.succeed(*script.start().actions)
    plans = script.settle()
    claims = sum(any(isinstance(a, actions.ClaimAction) for a in plan) for plan in plans)
    # A claim is one plan; a second one (other segments, an address that was not given) is the server's doing.
    assert len(plans) - max(0, claims - 1) <= 3 or any(a.network_id is None for plan in plans for a in plan)


@given(SEEDS, st.randoms(use_true_random=False))
def test_a_permutation_of_the_answer_causes_nothing(seed: int, random: Random) -> None:
    """A permutation of subnets or ports in the server's answer causes no write and no signal."""
    found = made(seed)
    script = synced(found)
    mine = script.server[found.id]
    ports, subnets = list(mine.ports), list(mine.subnets)
    random.shuffle(ports)
    random.shuffle(subnets)
    gateways = {s.gateway_ip for s in mine.subnets if s.gateway_ip and s.enable_dhcp and s.ip_version == 4}
    if len(gateways) > 1:
        subnets = list(mine.subnets)  # the default route of the namespace is that of the first subnet which has one
    if len({s.cidr for s in mine.subnets}) != len(mine.subnets):
        subnets = list(mine.subnets)  # of two equal ranges the later one has the interface's address, as in Neutron
    script.change(found.id, ports=tuple(ports), subnets=tuple(subnets))
    script.tell(events.ResyncRequested(network_id=found.id, reason="asked"))
    kinds = {a.kind for plan in script.settle() for a in plan}
    order_matters = {"client-id", "61"} & {o.opt_name for p in mine.ports for o in p.extra_dhcp_opts}
    repeated = len({ip.ip_address for p in mine.ports for ip in p.fixed_ips}) != sum(
        len(p.fixed_ips) for p in mine.ports
    )
    assert kinds <= {"fetch_network", "notify_ready"} or order_matters or repeated or subnets != list(mine.subnets)


@given(SEEDS)
def test_sync_twice_is_a_no_op(seed: int) -> None:
    """Sync twice: the second plan is empty."""
    found = made(seed)
    script = synced(found)
    script.now += 10
    script.tell(events.ResyncRequested(reason="again"))
    kinds = {a.kind for plan in script.settle() for a in plan}
    assert kinds <= {"fetch_networks", "report_state", "notify_ready"}


@given(SEEDS, st.lists(st.integers(0, 7), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_events_and_one_sync_end_alike(seed: int, numbers: list[int], random: Random) -> None:
    """apply(events) == sync(snapshot): whatever was reordered, doubled or lost, provided one sync follows."""
    found = made(seed)
    script = synced(found)
    mine = script.server[found.id]
    told: list[events.Event] = []
    ports = {p.id: p for p in mine.ports}
    for revision, number in enumerate(numbers, start=100):
        machines = sorted(p.id for p in ports.values() if p.device_owner.startswith("compute:"))
        if number < 3 or not machines:
            new = port(1000 + revision, found.id, fixed_ips=(), revision_number=revision)
            ports[new.id] = new
            told.append(events.PortCreated(port=new))
        elif number < 6:
            changed = evolve(
                ports[machines[number % len(machines)]],
                mac_address=f"02:00:00:00:00:{revision - 90:02d}",
                revision_number=revision,
            )
            ports[changed.id] = changed
            told.append(events.PortUpdated(port=changed))
        else:
            gone = ports.pop(machines[number % len(machines)])
            told.append(events.PortDeleted(port_id=gone.id, network_id=found.id))
    script.change(found.id, ports=tuple(ports.values()))
    heard = [event for event in told if random.random() < 0.8]
    heard += [event for event in heard if random.random() < 0.3]
    random.shuffle(heard)
    for event in heard:
        script.tell(event)
        if random.random() < 0.5:
            script.settle()
    script.now += 10
    script.tell(events.ResyncRequested(reason="connected again"))
    script.settle()
    fresh = synced(script.server[found.id])
    assert same_serving(script.state, fresh.state)


@given(SEEDS, st.randoms(use_true_random=False))
def test_a_partial_sync_touches_only_what_it_names(seed: int, random: Random) -> None:
    """A partial sync fetches and touches the networks it names and no other."""
    found = made_several(seed)
    script = synced(*found)
    named = set(random.sample([n.id for n in found], random.randint(1, len(found))))
    for each in found:
        script.change(each.id, mtu=(script.server[each.id].mtu or 1500) - 1)
    script.tell(*(events.ResyncRequested(network_id=network_id, reason="asked") for network_id in sorted(named)))
    touched = {a.network_id for plan in script.settle() for a in plan if a.network_id is not None}
    assert touched <= named
    fetched = [a.network_id for a in script.history if isinstance(a, actions.FetchNetwork)]
    assert set(fetched) == named


@given(SEEDS)
def test_a_failing_network_never_shows_in_anothers_plan(seed: int) -> None:
    """Failure of n does not appear in the plan of m, whatever fails and however often."""
    found = made_several(seed)
    script = Script()
    for each in found:
        script.server[each.id] = with_own_port(each, script.settings)
    bad = found[0].id
    alone = Script()
    alone.server = {n: w for n, w in script.server.items() if n != bad}
    alone.settle()
    for _ in range(30):
        plan = script.start()
        if not plan:
            break
        for action in plan:
            if action.network_id == bad:
                script.fail(action)
            else:
                script.succeed(action)
    healthy = {key: value for key, value in served_texts(script.state).items() if not key.endswith(bad)}
    assert healthy.keys() == served_texts(alone.state).keys()
    for key, (spec, _) in served_texts(alone.state).items():
        assert healthy[key][0] == spec


@given(SEEDS)
def test_the_same_state_and_time_give_the_same_plan(seed: int) -> None:
    """The same state and `now` give the same plan, byte for byte."""
    found = made(seed)
    script = Script()
    script.server[found.id] = found
    for _ in range(4):
        one, other = plan_sync(script.state, script.now), plan_sync(script.state, script.now)
        assert one == other
        assert json.dumps(plan_to_json(one)) == json.dumps(plan_to_json(other))
        script.succeed(*script.start().actions)


@given(SEEDS, st.integers(1, 30))
def test_creates_and_deletes_leave_nothing_behind(seed: int, count: int) -> None:
    """After n creates and n deletes the state is as small as at the start, once a full sync has passed."""
    found = made(seed)
    script = synced(found)
    state = script.state
    size = (len(state.networks), len(state.touched), len(state.ready.queue))
    for number in range(count):
        extra = port(number, found.id, fixed_ips=())
        script.tell(events.PortCreated(port=extra))
        if number % 3 == 0:
            script.settle()
        script.tell(events.PortDeleted(port_id=extra.id, network_id=found.id))
    script.now += 10
    script.tell(events.ResyncRequested(reason="asked"))
    script.settle()
    state = script.state
    assert (len(state.networks), len(state.touched), len(state.ready.queue)) == size
    assert not len(state.tombstones)
    assert not state.recent
    assert not state.in_flight
    record = state.networks.get(found.id)
    assert record is None or record.desired == script.server[found.id]


@given(strategies.observed_hosts(), SEEDS)
def test_from_any_observed_host_the_system_converges(observed: Any, seed: int) -> None:
    """From any observed host, garbage included, the system converges to the same served state."""
    found = made(seed)
    script = Script()
    script.server[found.id] = with_own_port(found, script.settings)
    script.observed = observed
    for _ in range(12):
        script.settle()
        script.now += 10
    fresh = synced(script.server[found.id])
    assert same_serving(script.state, fresh.state)
    assert set(script.state.networks) <= {found.id}


@given(st.lists(strategies.events(), max_size=30))
def test_fold_and_plan_are_total(many: list[events.Event]) -> None:
    """Any event in any state gives a state, and any state gives a plan."""
    script = Script(network(ports=(port(5),)))
    state = script.state
    for event in many:
        state = fold_event(event, state)
        plan = plan_sync(state, event.at)
        state = fold_event(events.PlanStarted(plan=plan, at=event.at), state)
