"""`describe_state`: what an operator sees of an agent is what the state says, whatever has happened."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, describe_state, events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost, ObservedInstance, ObservedProcess, ObservedProxy
from dhcpcore.testing import SeededChoices, World
from dhcpcore.testing.simulation import HAPPENINGS, happenings
from support.script import Script, network, port, serving


def test_before_anything_happened() -> None:
    script = Script()
    script.now = 5.0
    told = describe_state(script.state, script.now)
    assert told["agent"]["host_observed"] is False
    assert told["agent"]["observed_seconds_ago"] is None
    assert told["sync"]["answered_seconds_ago"] is None
    assert told["sync"]["pending_reasons"] == ["start"]
    assert told["sync"]["next_in_seconds"] == 0.0
    assert told["heartbeat"]["answered_seconds_ago"] is None
    assert (told["instances"], told["metadata_proxies"], told["pending"]) == ([], [], [])


def test_served_networks() -> None:
    script = serving(network("b", ports=(port(1, "b"), port(2, "b"))), network("a"), force_metadata=True)
    script.now += 12.5
    told = describe_state(script.state, script.now)
    assert told["agent"]["host"] == "host-1"
    assert told["agent"]["dnsmasq"] == "2.90"
    assert told["agent"]["observed_seconds_ago"] == 12.5
    assert told["sync"] == {
        "answered_seconds_ago": 12.5,
        "sent_seconds_ago": 12.5,
        "under_way": False,
        "pending_reasons": [],
        "next_in_seconds": None,
        "retry": None,
    }
    assert told["heartbeat"]["answered_seconds_ago"] == 12.5
    assert told["heartbeat"]["next_in_seconds"] == 17.5
    assert told["counts"] == {
        "networks_known": 2,
        "networks_served": 2,
        "subnets_served": 2,
        "ports_served": 4,
        "instances": 2,
        "instances_alive": 2,
        "metadata_proxies": 2,
    }
    a, b = told["instances"]
    assert (a["network"], b["network"]) == ("a", "b")
    assert (a["reservations"], b["reservations"]) == (0, 2)  # the DHCP port needs none
    assert b["pid"] == script.record("b").served[InstanceKey(network_id="b")].pid
    assert b["alive"] is True
    assert b["adopted"] is False
    assert b["started_seconds_ago"] == 12.5
    assert b["addresses"] == ["10.0.255.2/16", "169.254.169.254/32"]
    assert b["mtu"] == 1450
    assert [proxy["proxy"] for proxy in told["metadata_proxies"]] == ["a", "b"]
    assert told["in_flight"] == {}


def test_ages_grow_and_waits_shrink() -> None:
    script = serving()
    first = describe_state(script.state, script.now)
    later = describe_state(script.state, script.now + 10)
    assert later["heartbeat"]["answered_seconds_ago"] - first["heartbeat"]["answered_seconds_ago"] == 10
    assert first["heartbeat"]["next_in_seconds"] - later["heartbeat"]["next_in_seconds"] == 10
    assert describe_state(script.state, script.now + 1000)["heartbeat"]["next_in_seconds"] == 0.0


def test_what_failed_is_told_with_its_reason_and_when_it_is_tried_again() -> None:
    script = serving()
    script.change(mtu=9000)
    script.tell(events.ResyncRequested(reason="a test", network_id="net"))
    (fetch,) = script.start()
    script.fail(fetch, reason="TimeoutError: get_network_info")
    (waits,) = describe_state(script.state, script.now)["pending"]
    assert waits == {
        "network": "net",
        "segment": None,
        "what": "fetch",
        "reasons": ["a test", "the last fetch failed"],
        "retry": {"reason": "TimeoutError: get_network_info", "attempts": 1, "in_seconds": 1.0},
    }
    script.now += 2
    script.succeed(*script.start())
    (restart,) = script.start()
    script.fail(restart, reason="no space left")
    (waits,) = describe_state(script.state, script.now)["pending"]
    assert waits["what"] == "host"
    assert waits["retry"] == {"reason": "no space left", "attempts": 1, "in_seconds": 1.0}


def test_what_only_news_can_mend_has_no_time() -> None:
    script = Script(network())
    script.answers[actions.CreateDhcpPort] = lambda action: None
    for _ in range(3):
        plan = script.start()
        for action in plan:
            if isinstance(action, actions.CreateDhcpPort):
                script.fail(action, reason="IpAddressGenerationFailure: net", fault="address_exhausted")
            else:
                script.succeed(action)
    (waits,) = [each for each in describe_state(script.state, script.now)["pending"] if each["what"] == "claim"]
    assert waits["retry"] == {"reason": "IpAddressGenerationFailure: net", "attempts": 1, "in_seconds": None}


def test_a_failed_sync_and_a_failed_heartbeat() -> None:
    script = serving()
    script.tell(events.ResyncRequested(reason="a test"))
    script.now += 2
    for action in script.start():
        script.fail(action, reason="ConnectionError: nobody there")
    script.now += 30
    plan = script.start()
    told = describe_state(script.state, script.now)
    assert told["heartbeat"]["under_way"] is True
    assert told["heartbeat"]["next_in_seconds"] is None
    for action in plan:
        if isinstance(action, actions.ReportState):
            script.fail(action)
        elif isinstance(action, actions.FetchNetworks):
            script.fail(action, reason="ConnectionError: nobody there")
    told = describe_state(script.state, script.now)
    assert told["heartbeat"]["failures"] == 1
    assert told["sync"]["pending_reasons"] == ["a test", "the last sync failed"]
    assert told["sync"]["retry"] == {"reason": "ConnectionError: nobody there", "attempts": 2, "in_seconds": 2.0}
    assert told["sync"]["answered_seconds_ago"] == 32.0


def test_the_brake_and_what_it_holds() -> None:
    names = [f"n{number}" for number in range(10)]
    script = serving(*(network(name) for name in names))
    script.server.clear()
    script.now += 100
    script.tell(events.ResyncRequested(reason="a test"))
    script.settle()
    script.now += 50
    told = describe_state(script.state, script.now)
    assert told["brake"]["networks"] == names
    assert told["brake"]["served"] == 10
    assert told["brake"]["since_seconds_ago"] == 50.0
    assert told["brake"]["until_in_seconds"] == 250.0
    assert told["removals"] == [{"network": name, "state": "held", "instances": 1} for name in names]
    script.tell(events.DisableForced())
    script.settle()
    told = describe_state(script.state, script.now)
    assert (told["brake"], told["removals"], told["instances"]) == (None, [], [])


def test_what_was_found_on_the_host() -> None:
    script = Script()
    script.observed = ObservedHost(
        instances=(
            ObservedInstance(
                key=InstanceKey(network_id="net", segmentation="7"),
                directory="/x/7/net",
                process=ObservedProcess(program="dnsmasq", owner="7/net", pid=77, argv=("dnsmasq",), namespace="else"),
                host="fa:16:3e:00:00:01,a,10.0.0.1\nFA:16:3E:00:00:01,b,10.0.0.2\n",
                dirty=True,
            ),
        ),
        proxies=(ObservedProxy(network_id="net", proxy_id="r1"), ObservedProxy(network_id="net", proxy_id="r0")),
        namespaces=("qdhcp-net",),
    )
    (observe,) = [action for action in script.start() if isinstance(action, actions.ObserveHost)]
    script.succeed(observe)
    told = describe_state(script.state, script.now)
    (instance,) = told["instances"]
    assert instance["segment"] == "7"
    assert (instance["pid"], instance["alive"], instance["adopted"], instance["dirty"]) == (77, True, True, True)
    assert instance["drift"] == ["dnsmasq runs in another namespace"]
    assert (instance["device"], instance["addresses"], instance["mtu"]) == (None, [], None)
    assert instance["reservations"] == 1
    assert [(proxy["proxy"], proxy["left_over"]) for proxy in told["metadata_proxies"]] == [("r0", False), ("r1", True)]


@given(seed=st.integers(0, 1 << 40))
def test_at_every_moment_of_any_history_it_is_total_and_plain_and_the_same_again(seed: int) -> None:
    """It never raises, is JSON (no NaN, no infinity), depends on state and time alone, and counts what there is."""
    choices = SeededChoices(seed)
    world = World(choices)
    happenings.begin(world)
    for _ in range(25):
        world.do(choices.pick(HAPPENINGS))
        state, now = world.agent.state, world.clock.monotonic()
        told = describe_state(state, now)
        text = json.dumps(told, allow_nan=False)
        assert json.loads(text) == told
        assert json.dumps(describe_state(evolve(state), now), allow_nan=False) == text
        assert len(told["instances"]) == sum(len(record.served) for record in state.networks.values())
        assert {one["network"] for one in told["instances"]} <= set(state.networks)
        assert all(one["pid"] is None or one["pid"] > 0 for one in told["instances"])
        waiting = {one["network"] for one in told["pending"] if one["retry"] and one["retry"]["in_seconds"]}
        assert {network_id for network_id, due in state.waiting.items() if due > now} <= waiting
