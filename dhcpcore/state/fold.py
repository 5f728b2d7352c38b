"""`fold_event`: one event into the state.  Pure and total: any event in any state gives a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dhcpcore.events as events
from dhcpcore.state import deaths, notifications, outcomes
from dhcpcore.state.agent import AgentState, need_fetch, need_full_fetch, put, touch
from dhcpcore.state.evolving import evolve
from dhcpcore.state.missing import heartbeat_trusted, let_go
from dhcpcore.state.observation import host_observed


def fold_event(event: events.Event, state: AgentState) -> AgentState:
    """The state after `event`.

    Args:
        event: what happened; `event.at` in monotonic seconds.
        state: what was known before.

    Raises:
        TypeError: `event` is none of `dhcpcore.events`.
    """
    try:
        fold = _FOLD[type(event)]
    except KeyError:
        raise TypeError(f"not an event: {type(event).__name__}") from None
    return fold(event, evolve(state, seq=state.seq + 1))


def fold_events(many: Iterable[events.Event], state: AgentState) -> AgentState:
    """The state after all of `many`, in order."""
    for event in many:
        state = fold_event(event, state)
    return state


def _resync_requested(event: events.ResyncRequested, state: AgentState) -> AgentState:
    if event.network_id is None:
        return need_full_fetch(_at_once(state), event.reason)
    return put(state, need_fetch(state.record(event.network_id), state.seq, event.reason))


def _server_connected(event: events.ServerConnected, state: AgentState) -> AgentState:
    first = not state.sync.connected
    state = evolve(state, sync=evolve(state.sync, connected=True))
    sent = state.fetches.get("fetch_networks")
    told = (*state.recent.values(), *state.late.values())
    asked = (record.need.seq for record in state.networks.values() if record.need is not None)
    if first and sent is not None and not any(seq > sent for seq in (*told, *asked)):
        return state  # it waits for this very connection
    # The pause after those that failed was for a server that was away.
    state = _at_once(state)
    # A fetch that is under way may have been answered on the connection before, or may have been told something since
    # that would win over its answer although it is older.
    return need_full_fetch(state, "connected to the server")


def _at_once(state: AgentState) -> AgentState:
    return evolve(state, sync=evolve(state.sync, retry=None)) if state.sync.retry is not None else state


def _settings_changed(event: events.SettingsChanged, state: AgentState) -> AgentState:
    settings = event.settings
    state = evolve(state, settings=settings)
    # Whoever asks for a shorter time does not wait for the end of the longer one.
    audit = min(state.observation.due, event.at + settings.audit_interval)
    if audit < state.observation.due:
        state = evolve(state, observation=evolve(state.observation, due=audit))
    report = min(state.heartbeat.due, event.at + settings.report_interval)
    if state.reports and report < state.heartbeat.due < float("inf"):  # infinite: this one reports nothing
        state = evolve(state, heartbeat=evolve(state.heartbeat, due=report))
    return _touch_all(state)


def _capabilities_changed(event: events.CapabilitiesChanged, state: AgentState) -> AgentState:
    return _touch_all(evolve(state, capabilities=event.capabilities))


def _touch_all(state: AgentState) -> AgentState:
    for network_id in state.networks:
        state = touch(state, network_id)
    return state


def _host_observed(event: events.HostObserved, state: AgentState) -> AgentState:
    return host_observed(state, event.observed, None, -1, event.at)


def _disable_forced(event: events.DisableForced, state: AgentState) -> AgentState:
    return let_go(state)


def _agent_known(event: events.AgentKnown, state: AgentState) -> AgentState:
    if state.heartbeat.first_answer_seq is None:
        state = evolve(state, heartbeat=evolve(state.heartbeat, first_answer_seq=state.seq))
    return heartbeat_trusted(state)


_FOLD: dict[type[events.Event], Callable[[Any, AgentState], AgentState]] = {
    events.NetworkCreated: notifications.network_created,
    events.NetworkUpdated: notifications.network_updated,
    events.NetworkDeleted: notifications.network_deleted,
    events.SubnetCreated: notifications.subnet_changed,
    events.SubnetUpdated: notifications.subnet_changed,
    events.SubnetDeleted: notifications.subnet_deleted,
    events.PortCreated: notifications.port_changed,
    events.PortUpdated: notifications.port_changed,
    events.PortDeleted: notifications.port_deleted,
    events.AgentUpdated: notifications.agent_updated,
    events.PayloadRefused: notifications.payload_refused,
    events.ResyncRequested: _resync_requested,
    events.ServerConnected: _server_connected,
    events.DisableForced: _disable_forced,
    events.AgentKnown: _agent_known,
    events.SettingsChanged: _settings_changed,
    events.CapabilitiesChanged: _capabilities_changed,
    events.HostObserved: _host_observed,
    events.ProcessDied: deaths.process_died,
    events.ProxyDied: deaths.proxy_died,
    events.PlanStarted: outcomes.plan_started,
    events.ActionSucceeded: outcomes.action_succeeded,
    events.ActionFailed: outcomes.action_failed,
}
