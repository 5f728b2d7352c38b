"""`plan_sync`: what to do now, and why.  Pure: the same state and time give the same plan, byte for byte."""

from __future__ import annotations

from dhcpcore.actions import Action, DisableInstance, Held, Plan, Unplanned, ordered
from dhcpcore.errors import DhcpCoreError
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.plan.network import held_back, plan_network
from dhcpcore.plan.server import full_fetch_due, plan_ready, plan_server, served_ports
from dhcpcore.state.agent import AgentState
from dhcpcore.state.records import ReadyPort

__all__ = ["next_due", "plan_sync"]


def plan_sync(state: AgentState, now: float) -> Plan:
    """The plan for `state` at `now`; may be empty.

    Looks only at networks that an event touched since the last plan that was started, and at those whose time to try
    again has come: what it costs does not depend on how many networks there are.

    Args:
        state: from `fold_event`.
        now: monotonic seconds.
    """
    actions: list[Action] = plan_server(state, now)
    due_again = [network_id for network_id, time in state.waiting.items() if time <= now]
    examined = sorted({*state.touched, *due_again})
    settled: list[str] = []
    partly: list[str] = []
    paced: dict[str, float] = {}
    unplanned: list[Unplanned] = []
    ready: dict[str, ReadyPort] = {}
    rendered: list[InstanceSpec] = []
    for network_id in examined:
        record = state.networks.get(network_id)
        if record is None:
            continue
        try:
            needs = plan_network(state, record, now)
            wanted, until = held_back(record, needs.actions, now)
        except DhcpCoreError as error:
            # Whatever one network holds, the others are planned.
            unplanned.append(Unplanned(network_id=network_id, reason=str(error)))
            continue
        actions.extend(wanted)
        if until is not None:
            paced[network_id] = until
        rendered.extend(spec for spec in needs.right if record.served[spec.key].spec.lines is not spec.lines)
        if needs.settled:
            settled.append(network_id)
            ready.update(served_ports(record))
        elif needs.right:
            there = served_ports(record, needs.right)
            partly.extend(there)
            ready.update(there)
    leaving = {action.network_id for action in actions if isinstance(action, DisableInstance)}
    actions.extend(plan_ready(state, ready, leaving, now))
    return Plan(
        actions=ordered(actions),
        held=_held(state),
        # Before the host was seen only the server was asked: every network will have to be looked at again.
        examined=tuple(examined) if state.observation.done else (),
        settled=tuple(settled),
        ready=tuple(partly),
        paced=tuple(paced),
        unplanned=tuple(unplanned),
        rendered=tuple(rendered),
        made_at=now,
        due=min((time for time in (next_due(state, now), *paced.values()) if time is not None), default=None),
    )


def next_due(state: AgentState, now: float) -> float | None:
    """The next time after `now` at which `plan_sync` may ask for something without news (monotonic seconds)."""
    times = list(state.waiting.values())
    if state.reports and "report_state" not in state.in_flight:
        times.append(state.heartbeat.due)
    if "observe" not in state.in_flight:
        times.append(state.observation.due)
    fetch = full_fetch_due(state)
    if fetch is not None and "fetch_networks" not in state.in_flight:
        times.append(fetch)
    if state.ready.retry is not None and state.ready.queue:
        times.append(state.ready.retry.not_before)
    return min((time for time in times if time > now), default=None)


def _held(state: AgentState) -> Held | None:
    brake = state.brake
    if brake is None:
        return None
    return Held(
        network_ids=tuple(sorted(brake.network_ids)),
        served=brake.served,
        since=brake.since,
        until=brake.since + state.settings.unsafe_disable_hold,
    )
