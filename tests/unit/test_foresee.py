"""Acting once: what an agent that reports nothing believes, what is foreseen, and acting on some networks only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import Plan, events, fold_event, initial_state, list_convergence, plan_sync, restrict_plan
from dhcpcore.actions import NotifyReady
from dhcpcore.testing import SeededChoices
from dhcpcore.testing.simulation import wander
from support.script import Script, network, port, serving


def test_without_reporting_no_state_report_is_ever_due() -> None:
    script = Script(network())
    script.state = initial_state(script.settings, reporting=False)
    script.settle()
    script.now += 1e6
    script.settle()
    assert "report_state" not in script.kinds()


def test_without_reporting_nothing_unlisted_goes_until_the_agent_is_known() -> None:
    script = serving(network("a"), network("b"))
    script.state = initial_state(script.settings, reporting=False, observed=True)
    script.settle()
    del script.server["b"]
    script.tell(events.ResyncRequested(reason="a test"))
    script.now += 2
    script.settle()
    assert script.record("b").removal == "untrusted"
    assert script.record("b").served
    script.kinds()
    script.tell(events.AgentKnown())
    script.now += 2
    script.settle()
    assert script.kinds() == ["fetch_networks", "disable", "release_dhcp_port", "remove_namespace"]
    assert "b" not in script.state.networks


def test_an_agent_that_is_known_needs_no_second_answer_where_nothing_is_in_doubt() -> None:
    script = serving(network())
    script.tell(events.AgentKnown())
    assert script.settle() == []


def test_foreseen_is_what_is_done_with_claims_and_all() -> None:
    script = Script(network("a", ports=(port(1, "a"),)), network("b"))
    script.succeed(*script.start())
    listing = list_convergence(script.state, script.now)
    assert [(change.network_id, change.action) for change in listing.changes] == [("a", "enable"), ("b", "enable")]
    assert list_convergence(script.state, script.now) == listing
    some = list_convergence(script.state, script.now, only=["b", "c"])
    assert [change.network_id for change in some.changes] == ["b"]
    assert some.unknown == ("c",)
    assert some.summary.unchanged == 0
    script.settle()
    assert not list_convergence(script.state, script.now)


def test_ready_ports_of_other_networks_are_not_reported() -> None:
    script = Script(*(network(name, ports=(port(1, name, status="DOWN"),)) for name in ("a", "b")))
    for _ in range(3):
        script.succeed(*script.start())
    plan = script.plan()
    (all_ready,) = [action for action in plan if isinstance(action, NotifyReady)]
    assert {"a-p1", "b-p1"} <= {*all_ready.port_ids}
    (ready,) = [a for a in restrict_plan(plan, script.state, {"b"}) if isinstance(a, NotifyReady)]
    assert {*ready.port_ids} == {port_id for port_id in all_ready.port_ids if port_id.startswith("b-")}


@given(seed=st.integers(0, 1 << 40))
def test_a_part_of_a_plan_touches_its_networks_only_and_hides_no_other(seed: int) -> None:
    """From any moment of any history: foreseeing is total and changes nothing; a restricted plan is about its networks
    alone; once it was started, the others are planned as if nothing had been."""
    choices = SeededChoices(seed)
    world = wander(seed, 25)
    state, now = world.agent.state, world.clock.monotonic()
    list_convergence(state, now)
    plan = plan_sync(state, now)
    chosen = {name for name in state.networks if choices.chance(50)}
    part = restrict_plan(plan, state, chosen)
    assert all(action.network_id is None or action.network_id in chosen for action in part)
    assert {change.network_id for change in list_convergence(state, now, only=chosen).changes} <= chosen
    rest = plan_sync(fold_event(events.PlanStarted(plan=part, at=now), state), now)
    assert _about_others(rest, chosen) == _about_others(plan, chosen)


def _about_others(plan: Plan, chosen: set[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (action.kind, action.network_id, action.reasons)
        for action in plan
        if action.network_id is not None and action.network_id not in chosen
    ]
