"""What is not disabled at once: the brake, and the first contact with a server."""

from __future__ import annotations

import pytest

from dhcpcore import actions, events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost, ObservedInstance
from support.as_served import observed
from support.script import Script, network, port, serving, subnet

KEY = InstanceKey(network_id="net")


class TestBrake:
    def _many(self) -> Script:
        return serving(*(network(f"n{number}") for number in range(10)))

    def _empty_answer(self, script: Script) -> None:
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now += 10.0
        script.settle()

    def test_an_empty_answer_disables_nothing(self) -> None:
        script = self._many()
        self._empty_answer(script)
        assert "disable" not in script.kinds()
        held = script.plan().held
        assert held is not None
        assert len(held.network_ids) == 10
        assert held.until == pytest.approx(script.now + 300.0)

    def test_the_same_answer_standing_long_enough_is_believed(self) -> None:
        script = self._many()
        script.answers[actions.FetchNetwork] = lambda _: None
        self._empty_answer(script)
        for _ in range(5):
            script.now += 60.0
            script.settle()
        assert script.kinds().count("disable") == 10
        assert script.plan().held is None

    def test_networks_that_come_back_are_kept(self) -> None:
        script = self._many()
        self._empty_answer(script)
        del script.answers[actions.FetchNetworks]
        script.now += 60.0
        script.settle()
        script.now += 1000.0
        script.settle()
        assert "disable" not in script.kinds()
        assert script.plan().held is None

    def test_a_held_network_that_went_elsewhere_is_disabled_at_once(self) -> None:
        script = self._many()
        script.change("n3", ports=())
        self._empty_answer(script)
        disabled = [a.network_id for a in script.history if isinstance(a, actions.DisableInstance)]
        assert disabled == ["n3"]

    def test_what_is_being_disabled_is_not_held_with_what_goes_next(self) -> None:
        """Their end was believed; that it failed once makes the next answer no worse."""
        script = serving(*(network(f"n{number:02}") for number in range(20)))
        for gone, fails in (range(5), True), (range(5, 9), False):
            for number in gone:
                del script.server[f"n{number:02}"]
            script.tell(events.ResyncRequested(reason="asked"))
            script.now += 10.0
            script.succeed(*script.start())
            if fails:
                for action in script.start():
                    script.fail(action)
        script.observed = observed(script)
        script.settle()
        assert script.plan().held is None
        script.now += 100.0
        script.settle()
        assert {network_id for network_id, record in script.state.networks.items() if record.served} == {
            f"n{number:02}" for number in range(9, 20)
        }

    def test_force_lets_go(self) -> None:
        script = self._many()
        self._empty_answer(script)
        script.tell(events.DisableForced())
        script.settle()
        assert script.kinds().count("disable") == 10

    def test_an_agent_that_is_down_disables_without_a_brake(self) -> None:
        script = self._many()
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks()
        script.tell(events.AgentUpdated(admin_state_up=False))
        script.now += 10.0
        script.settle()
        assert script.kinds().count("disable") == 10

    @pytest.mark.parametrize("count", [5, 12])
    def test_what_was_asked_before_it_was_switched_on_again_says_nothing(self, count: int) -> None:
        """The server lists nothing for an agent that is down: such an answer that comes late is no news any more."""
        script = serving(*(network(f"n{number}") for number in range(count)))
        script.now = 10.0
        script.tell(events.AgentUpdated(admin_state_up=False))
        fetch, *others = script.start()
        assert isinstance(fetch, actions.FetchNetworks)
        script.succeed(*others)
        script.tell(events.AgentUpdated(admin_state_up=True))
        script.tell(events.ActionSucceeded(action=fetch, result=events.FetchedNetworks()))
        script.history.clear()
        script.settle()
        assert script.plan().held is None
        script.now = 20.0
        script.settle()
        assert script.kinds() == ["fetch_networks"]

    def test_notifications_are_never_braked(self) -> None:
        script = self._many()
        script.tell(*(events.NetworkDeleted(network_id=f"n{number}") for number in range(10)))
        assert [a.kind for a in script.plan()].count("disable") == 10

    def test_a_held_network_is_still_served_well(self) -> None:
        script = self._many()
        self._empty_answer(script)
        script.tell(events.PortCreated(port=port(5, "n1")))
        assert [(a.kind, a.network_id) for a in script.plan()] == [("reload", "n1")]

    def test_few_networks_have_no_brake(self) -> None:
        script = serving(network("a"), network("b"))
        self._empty_answer(script)
        assert script.kinds().count("disable") == 2


class TestFirstContact:
    def test_nothing_is_disabled_before_the_server_knows_the_agent(self) -> None:
        script = Script()
        instance = ObservedInstance(key=KEY, host="")
        script.observed = ObservedHost(instances=(instance,), namespaces=("qdhcp-net",))
        plan = script.start()
        report = plan.actions[0]
        script.succeed(*plan.actions[1:])
        assert not script.plan()
        script.succeed(report)
        script.now = 1.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]
        assert "disable" in [a.kind for p in script.settle() for a in p]

    def test_a_server_without_state_reports_is_trusted(self) -> None:
        script = Script()
        script.observed = ObservedHost(instances=(ObservedInstance(key=KEY, host=""),), namespaces=("qdhcp-net",))
        plan = script.start()
        script.fail(plan.actions[0], fault="unsupported")
        script.succeed(*plan.actions[1:])
        script.now = 100.0
        kinds = [a.kind for p in script.settle() for a in p]
        assert "disable" in kinds
        assert "report_state" not in kinds

    def test_a_new_agent_asks_again(self) -> None:
        script = Script()
        script.heartbeat_answer = "new"
        plan = script.start()
        script.succeed(*plan.actions)
        script.now = 1.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]

    def test_events_are_served_without_a_heartbeat(self) -> None:
        """L12: events are not handled until the first heartbeat has succeeded."""
        script = Script()
        plan = script.start()
        script.succeed(*plan.actions[1:])
        script.server["net"] = network()
        script.tell(events.NetworkCreated(network_id="net"))
        assert "enable" in [a.kind for p in script.settle() for a in p]

    def test_that_the_server_knows_a_network_does_not_make_it_ours(self) -> None:
        """Taken away while no agent ran; an old notification asks for it, and the server tells of any network."""
        script = Script()
        script.observed = ObservedHost(instances=(ObservedInstance(key=KEY, host=""),), namespaces=("qdhcp-net",))
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks()
        script.server["net"] = network()
        plan = script.start()
        script.succeed(*plan.actions[1:])
        script.tell(events.SubnetUpdated(subnet=subnet(gateway_ip=None)))
        script.succeed(*script.start().actions)
        script.succeed(plan.actions[0])
        script.now = 10.0
        script.settle()
        assert "disable" in script.kinds()
        assert not script.record().served
