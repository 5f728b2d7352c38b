"""`explain_network` and the short texts of events: why a network is as it is, whatever has happened to it."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, describe_event, event_networks, events, explain_network, plan_sync
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost
from dhcpcore.state.pace import Pace
from dhcpcore.testing import Flavour, SeededChoices
from dhcpcore.testing.generate.events import event as generate_event
from dhcpcore.testing.simulation import wander
from support.script import Script, network, port, serving, subnet


def because(script: Script, network_id: str = "net") -> list[str]:
    found: list[str] = explain_network(script.state, network_id, script.now)["because"]
    return found


class TestNetworks:
    def test_one_that_is_served(self) -> None:
        script = serving(network(ports=(port(1), port(2))), network("other"), force_metadata=True)
        told = explain_network(script.state, "net", script.now)
        assert told["wanted"] == {
            "admin_state_up": True,
            "mtu": 1450,
            "subnets": 1,
            "dhcp_subnets": 1,
            "segments": 0,
            "ports": 3,
        }
        assert [one["network"] for one in told["instances"]] == ["net"]
        assert [one["network"] for one in told["metadata_proxies"]] == ["net"]
        assert (told["would_do"], told["pending"], told["in_flight"]) == ([], [], {})
        assert told["because"] == ["what runs is what the server wants"]

    def test_one_that_nobody_knows(self) -> None:
        assert because(serving(), "other") == ["neither the server nor this host has told of a network with this id"]

    def test_before_the_host_was_seen(self) -> None:
        script = Script(network())
        fetch = next(action for action in script.start() if isinstance(action, actions.FetchNetworks))
        script.succeed(fetch)
        assert "the host was not looked at yet: nothing is done on it before" in because(script)

    def test_what_would_be_done(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(7)))
        told = explain_network(script.state, "net", script.now)
        assert [one["kind"] for one in told["would_do"]] == ["reload"]
        assert told["would_do"][0]["reasons"] == list(script.plan().actions[0].reasons)
        script.start()
        told = explain_network(script.state, "net", script.now)
        assert told["would_do"] == []
        assert told["in_flight"] == {"network:net": 1}
        assert told["because"] == [
            "something is being done for it: what else is to be done is planned when that has ended"
        ]

    def test_what_failed(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(7)))
        for action in script.start():
            script.fail(action, reason="no space left on device")
        assert "work on the host waits: no space left on device; it is tried again" in because(script)

    def test_what_only_news_can_mend(self) -> None:
        script = Script(network())
        for _ in range(3):
            for action in script.start():
                if isinstance(action, actions.CreateDhcpPort):
                    script.fail(action, reason="no address left", fault="address_exhausted")
                else:
                    script.succeed(action)
        assert "its DHCP port waits: no address left; only news can help" in because(script)

    def test_one_that_is_down_and_one_without_dhcp(self) -> None:
        script = Script(network("a", admin_state_up=False), network("b", subnets=(subnet("b", enable_dhcp=False),)))
        script.settle()
        assert because(script, "a") == ["it is administratively down: nothing is served on it"]
        assert because(script, "b") == ["it has no subnet with DHCP here: nothing is served on it"]

    def test_a_dead_dnsmasq(self) -> None:
        script = serving()
        key = InstanceKey(network_id="net")
        script.tell(events.ProcessDied(key=key, pid=script.state.record("net").served[key].pid, exit_code=2))
        assert "the dnsmasq is not running" in because(script)

    def test_a_reload_that_waits_for_its_time(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(7)))
        paced = evolve(script.state.record("net"), pace=Pace(waited=2, until=script.now + 0.5))
        state = evolve(script.state, networks=script.state.networks.set("net", paced))
        told = explain_network(state, "net", script.now)
        assert told["reload_waits"]
        assert told["would_do"] == []
        (pending,) = told["pending"]
        assert pending["what"] == "reload"
        assert pending["retry"] == {"reason": "a burst of changes", "attempts": 2, "in_seconds": 0.5}
        assert told["because"] == ["a reload waits: a burst of changes; it is tried again"]

    def test_that_all_is_right_is_said_only_where_nothing_waits(self) -> None:
        """Nor where it is not known what the server wants."""
        right = "what runs is what the server wants"
        script = serving(bulk_reload_interval=30)
        assert because(script) == [right]
        script.now = 10.0
        script.tell(events.PortCreated(port=port(1, status="DOWN")))
        script.settle()
        script.now = 11.0
        script.tell(events.PortCreated(port=port(2, status="DOWN")))
        assert explain_network(script.state, "net", script.now)["reload_waits"]
        assert because(script) == ["a reload waits for its time: the last one was a short while ago"]
        script.start()
        assert right not in because(script)
        script.now = 60.0
        script.settle()
        assert because(script) == [right]
        script.tell(events.ResyncRequested(reason="asked", network_id="net"))
        (fetch,) = script.start()
        script.fail(fetch)
        assert right not in because(script)
        script.now = 100.0
        script.settle()
        assert because(script) == [right]

    def test_the_brake(self) -> None:
        script = serving(*(network(f"n{number}") for number in range(10)))
        script.server.clear()
        script.now += 100
        script.tell(events.ResyncRequested(reason="a test"))
        script.settle()
        told = explain_network(script.state, "n3", script.now)
        assert told["removal"] == "held"
        assert len(told["because"]) == 1
        assert "the brake holds them" in told["because"][0]

    def test_an_instance_of_a_segment_under_way(self) -> None:
        state = evolve(
            serving().state, in_flight=serving().state.in_flight.set("claim:7/net", 1).set("claim:7/net2", 1)
        )
        assert explain_network(state, "net", 0.0)["in_flight"] == {"claim:7/net": 1}

    @given(seed=st.integers(0, 1 << 40))
    def test_any_state_can_be_explained(self, seed: int) -> None:
        """Whatever happened: it is JSON, gives reasons for what is not served, and foresees the plan's own actions."""
        world = wander(seed, 25)
        state, now = world.agent.state, world.clock.monotonic()
        plan = plan_sync(state, now)
        for network_id, record in state.networks.items():
            told = explain_network(state, network_id, now)
            json.dumps(told, allow_nan=False)
            if not record.served:
                assert told["because"] or told["would_do"] or told["pending"]
            if network_id in state.touched:
                mine = [action for action in plan if action.network_id == network_id]
                assert [one["kind"] for one in told["would_do"]] == [action.kind for action in mine]


class TestEvents:
    @given(seed=st.integers(0, 1 << 40), flavour=st.sampled_from(list(Flavour)))
    def test_any_event_is_one_short_line(self, seed: int, flavour: Flavour) -> None:
        """Whatever its texts hold; and its networks are those that it names."""
        event = generate_event(SeededChoices(seed), flavour)
        text = describe_event(event)
        assert text == " ".join(text.split())
        assert 0 < len(text) <= 400
        assert text != type(event).__name__
        networks = event_networks(event)
        assert len(networks) <= 1
        if isinstance(event, events.PortCreated | events.PortUpdated):
            assert networks == (event.port.network_id,)

    @pytest.mark.parametrize(
        "event, text, networks",
        [
            (events.PortUpdated(port=port(1)), "port_update_end: port net-p1, revision 1", ("net",)),
            (events.PortDeleted(port_id="p"), "port_delete_end: port p", ()),
            (events.SubnetDeleted(subnet_id="s", network_id="n"), "subnet_delete_end: subnet s", ("n",)),
            (
                events.ProcessDied(key=InstanceKey(network_id="n"), pid=7, exit_code=2, detail="bad\noption"),
                "dnsmasq 7 has ended, exit code 2: bad option",
                ("n",),
            ),
            (events.AgentUpdated(admin_state_up=False), "agent_updated: down", ()),
            (
                events.ActionFailed(action=actions.FetchNetwork(network_id="n"), reason="slow", fault="timeout"),
                "fetch_network failed (timeout): slow",
                ("n",),
            ),
            (
                events.ActionSucceeded(action=actions.FetchNetwork(network_id="n")),
                "fetch_network done: the server does not know it",
                ("n",),
            ),
            (
                events.ActionSucceeded(action=actions.ObserveHost(), result=ObservedHost()),
                "observe done: 0 instances found",
                (),
            ),
            (
                events.ActionSucceeded(
                    action=actions.FetchNetworks(),
                    result=events.FetchedNetworks(
                        networks=(network(),), failed=(events.FailedNetwork(network_id="x", message="bad"),)
                    ),
                ),
                "fetch_networks done: 2 networks, 1 of them unreadable",
                (),
            ),
        ],
    )
    def test_texts(self, event: events.Event, text: str, networks: tuple[str, ...]) -> None:
        assert describe_event(event) == text
        assert event_networks(event) == networks

    def test_a_plan_is_about_the_networks_of_its_actions(self) -> None:
        script = Script(network("b"), network("a"))
        for _ in range(2):
            script.succeed(*script.start().actions)
        plan = script.plan()
        assert event_networks(events.PlanStarted(plan=plan)) == ("a", "b")
        assert describe_event(events.PlanStarted(plan=plan)) == "plan: 2 enable"
