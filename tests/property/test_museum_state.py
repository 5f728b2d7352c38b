"""Laws of fold and plan that a class of bugs in DHCP agents is behind; over whole agents: test_museum_agents.py."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, events
from dhcpcore.plan import plan_sync
from dhcpcore.state import fold_event
from dhcpcore.testing import strategies
from support.as_served import observed
from support.script import Script, network, port, serving

#: Ports that no host line is written for.
UNSERVED: Final = ("network:floatingip", "network:router_ha_interface")
#: What may happen to a port while something else is done: made, changed, deleted.
happenings = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["create", "move", "delete"])), max_size=15)


def event_of(number: int, what: str, revision: int, **changes: Any) -> events.Event:
    """One notification about the n-th port."""
    if what == "delete":
        return events.PortDeleted(port_id=f"net-p{number}", network_id="net")
    mac_address = f"fa:16:3e:01:{revision:02x}:{number:02x}"
    told = port(number, revision_number=revision, **({"mac_address": mac_address} | changes))
    return events.PortCreated(port=told) if what == "create" else events.PortUpdated(port=told)


@given(happenings, st.integers(1, 12))
def test_whatever_waits_for_a_running_reload_costs_one_more(many: list[tuple[int, str]], first: int) -> None:
    """Events that wait while an action on their network runs cost one more reload, together, and nothing is lost."""
    script = serving(network(ports=(port(50),)))
    script.tell(event_of(first, "create", 1))
    running = script.start()
    assert [action.kind for action in running] == ["reload"]
    for revision, (number, what) in enumerate(many, 2):
        script.tell(event_of(number, what, revision))
        assert not script.plan()
    script.succeed(*running.actions)
    desired = script.record().desired
    assert desired is not None
    kinds = [action.kind for plan in script.settle() for action in plan]
    assert kinds.count("reload") <= 1
    assert "restart" not in kinds
    (served,) = script.record().served.values()
    for each in desired.ports:
        assert (each.mac_address in served.spec.host) == each.requires_dhcp_configuration


@given(happenings, st.sampled_from(UNSERVED))
def test_ports_without_a_reservation_reload_nothing(many: list[tuple[int, str]], owner: str) -> None:
    """An unchanged render is no reload: floating IPs and HA ports come and go unnoticed (Launchpad 1913269)."""
    script = serving(network(ports=(port(50),)))
    for revision, (number, what) in enumerate(many, 2):
        script.tell(event_of(number, what, revision, device_owner=owner))
        kinds = {action.kind for plan in script.settle() for action in plan}
        assert kinds <= {"notify_ready"}


@given(strategies.event_series())
def test_a_heartbeat_is_sent_whatever_else_goes_on(series: tuple[events.Event, ...]) -> None:
    """Heartbeats continue while anything else is under way or fails: the plan after the interval has one."""
    script = Script(network())
    state, sent = script.state, None
    for event in series:
        state = fold_event(event, state)
        plan = plan_sync(state, event.at)
        reports = [action for action in plan if isinstance(action, actions.ReportState)]
        over = sent is None or event.at >= sent[0] + sent[1]
        if state.reports and over:
            assert len(reports) == 1
        state = fold_event(events.PlanStarted(plan=plan, at=event.at), state)
        for report in reports:  # the only action that is ever answered
            sent = (event.at, state.settings.report_interval)
            state = fold_event(events.ActionSucceeded(action=report, result="alive", at=event.at), state)


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(2, 60))
def test_tombstones_are_bounded_by_their_age(gaps: list[int], age: int) -> None:
    """Of deleted ports only those are remembered that were deleted within one and a half times the tombstone age, and
    all that were deleted within half of it; no sync is needed."""
    script = serving(tombstone_age=age)
    deleted: list[float] = []
    for number, gap in enumerate(gaps):
        script.now += gap
        script.tell(events.PortDeleted(port_id=f"p{number}", network_id="net"))
        deleted.append(script.now)
        tombstones = script.state.tombstones
        assert len(tombstones) <= sum(at >= script.now - 1.5 * age for at in deleted)
        for index, at in enumerate(deleted):
            if at > script.now - age / 2:
                assert f"p{index}" in tombstones
    assert len(script.state.networks) == 1


RETRIED: Final = {"fetch": "fetch_network", "claim": "create_dhcp_port", "reload": "reload"}


def next_try(script: Script, kind: str) -> actions.Action:
    """The next action of this kind, everything before it done; time passes as it must."""
    for _ in range(10):
        plan = script.start()
        script.succeed(*(action for action in plan if action.kind != kind))
        for action in plan:
            if action.kind == kind:
                return action
        if not plan:
            assert plan.due is not None
            script.now = plan.due
    raise AssertionError(f"no {kind} any more")


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=8),
    st.sampled_from(sorted(RETRIED)),
    st.sampled_from(["error", "timeout"]),
)
def test_failures_are_tried_again_ever_later(jitters: list[float], what: str, fault: events.Fault) -> None:
    """A failure or timeout of any call means the same call later, each time twice as late up to a bound; no state is
    lost meanwhile, and no other network is touched."""
    script = serving(network("net"), network("other"))
    script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, due=1e9))
    script.state = evolve(script.state, observation=evolve(script.state.observation, due=1e9))
    script.observed = observed(script)
    if what == "reload":
        script.tell(events.PortCreated(port=port(5)))
    elif what == "fetch":
        script.change(mtu=1400)
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
    else:
        script.change(ports=())
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
    tried = []
    for jitter in jitters:
        action = next_try(script, RETRIED[what])
        tried.append(script.now)
        script.fail(action, fault=fault, jitter=jitter)
        assert not [again for again in script.plan() if again.kind == RETRIED[what]]
    for number, (gap, jitter) in enumerate(zip([b - a for a, b in pairwise(tried)], jitters, strict=False)):
        delay = min(60.0, 2.0**number)
        assert delay - 1e-6 <= gap <= delay * (1 + jitter / 4) + 1e-6
    assert {action.network_id for action in script.history} == {"net"}
    if what != "claim":  # without a port of its own for so long, what it served on may be another's
        script.now += 100.0
        script.settle()
        (served,) = script.record().served.values()
        assert ("10.0.0.5" in served.spec.host) == (what == "reload")
        assert (served.spec.device.mtu == 1400) == (what == "fetch")
