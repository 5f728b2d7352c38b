"""Folding plans that were started and the outcomes of their actions.

An action that failed is an event like any other: the network gets a time to try again, nothing else is touched.
"""

from __future__ import annotations

from immutables import Map

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.state.deaths as deaths
import dhcpcore.state.pace as pace
import dhcpcore.state.releases as releases
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.observed import ObservedHost
from dhcpcore.state.agent import AgentState, need_fetch, need_full_fetch, put, touch
from dhcpcore.state.answers import network_fetched, networks_fetched
from dhcpcore.state.claims import claim_failed, claimed, released
from dhcpcore.state.evolving import evolve
from dhcpcore.state.missing import heartbeat_trusted
from dhcpcore.state.observation import host_observed
from dhcpcore.state.ready import (
    not_notified,
    notified,
    ready_by_instance,
    ready_with,
    report_no_more,
    report_started,
    settled,
    still_to_report,
)
from dhcpcore.state.records import NetworkRecord, ServedInstance, ServedProxy, after_failure, backoff

_TEXTS = ("argv", "host", "addn_hosts", "opts")


def plan_started(event: events.PlanStarted, state: AgentState) -> AgentState:
    """The actions of a plan run from now on; the networks it looked at need no second look."""
    plan = event.plan
    in_flight, fetches = state.in_flight, state.fetches
    for action in plan.actions:
        in_flight = in_flight.set(action.scope, in_flight.get(action.scope, 0) + 1)
        if isinstance(action, actions.FetchNetworks | actions.FetchNetwork):
            fetches = fetches.set(action.scope, action.sent_seq)
    for network_id in plan.paced:
        held = state.record(network_id)
        state = put(state, evolve(held, pace=pace.held_back(held.pace)), touch=False)
    touched, waiting = state.touched, state.waiting
    for network_id in plan.examined:
        if network_id in touched:
            touched = touched.delete(network_id)
        record = state.networks.get(network_id)
        due = record.due_after(plan.made_at) if record is not None else None
        if due is not None:
            waiting = waiting.set(network_id, due)
        elif network_id in waiting:
            waiting = waiting.delete(network_id)
    state = evolve(state, in_flight=in_flight, fetches=fetches, touched=touched, waiting=waiting)
    for spec in plan.rendered:
        state = _with_rendered(state, spec)
    acted_on = {action.network_id for action in plan.actions}
    for network_id in plan.settled:
        state = settled(state, network_id, at_rest=network_id not in acted_on)
    if plan.ready:
        state = ready_by_instance(state, plan)
    for failure in plan.unplanned:
        record = state.record(failure.network_id)
        retry = backoff(state.settings, record.retry, at=event.at, reason=failure.reason, jitter=0.0)
        state = put(state, evolve(record, retry=retry), touch=False)
    for action in plan.actions:
        state = deaths.begun(state, action)
        match action:
            case actions.ReportState():
                interval = float(state.settings.report_interval)
                state = evolve(state, heartbeat=evolve(state.heartbeat, due=event.at + interval))
            case actions.FetchNetworks():
                state = evolve(state, sync=evolve(state.sync, sent_at=event.at, sent_seq=action.sent_seq))
            case actions.EnableInstance() | actions.RestartInstance():
                record = state.record(action.key.network_id)
                if not record.namespace:
                    state = put(state, evolve(record, namespace=True), touch=False)
            case actions.ReloadInstance():
                record = state.record(action.key.network_id)
                state = put(state, evolve(record, pace=pace.begun(record.pace, event.at)), touch=False)
            case actions.ClaimAction():
                record = state.record(action.key.network_id)
                state = put(state, evolve(record, claim_seq=state.seq), touch=False)
            case actions.NotifyReady():
                state = report_started(state, action)
    return state


def _with_rendered(state: AgentState, spec: InstanceSpec) -> AgentState:
    """`state` with what the next rendering of an instance can reuse, `spec` being what it serves already.

    Its texts take the place of equal ones that were read from the host, so that each is kept once.
    """
    record = state.networks.get(spec.key.network_id)
    served = record.served.get(spec.key) if record is not None else None
    if record is None or served is None:
        return state
    same = {name: getattr(spec, name) for name in _TEXTS if getattr(served.spec, name) == getattr(spec, name)}
    served = evolve(served, spec=evolve(served.spec, lines=spec.lines, **same))
    record = evolve(record, served=record.served.set(spec.key, served))
    # Not `put`: the value is what it was, so there is nothing to be counted, and nothing to wait for.
    return evolve(state, networks=state.networks.set(record.id, record))


def landed(state: AgentState, action: actions.Action) -> AgentState:
    """One action less under way."""
    scope = action.scope
    left = state.in_flight.get(scope, 0) - 1
    in_flight = state.in_flight
    if left > 0:
        in_flight = in_flight.set(scope, left)
    elif scope in in_flight:
        in_flight = in_flight.delete(scope)
    fetches = state.fetches.delete(scope) if scope in state.fetches else state.fetches
    return evolve(state, in_flight=in_flight, fetches=fetches)


def forget_fetches(state: AgentState) -> AgentState:
    """`state` without what only answers no longer under way needed."""
    if not state.recent and not state.late:
        return state
    oldest = min(state.fetches.values(), default=state.seq)
    recent, late, networks = state.recent, state.late, state.networks
    for port_id, seq in state.recent.items():
        if seq <= oldest:
            recent = recent.delete(port_id)
    for network_id, seq in state.late.items():
        if seq <= oldest:
            late = late.delete(network_id)
            record = networks.get(network_id)
            if record is not None and record.is_empty:
                networks = networks.delete(network_id)
    return evolve(state, networks=networks, recent=recent, late=late)


def action_succeeded(event: events.ActionSucceeded, state: AgentState) -> AgentState:
    """What an action did is so from now on."""
    state = landed(state, event.action)
    action, result = event.action, event.result
    match action:
        case actions.FetchNetworks():
            fetched = result if isinstance(result, events.FetchedNetworks) else events.FetchedNetworks()
            return forget_fetches(networks_fetched(state, action, fetched, event.at))
        case actions.FetchNetwork():
            network = result if isinstance(result, Network) else None
            return forget_fetches(touch(network_fetched(state, action, network), action.network_id))
        case actions.ObserveHost():
            observed = result if isinstance(result, ObservedHost) else ObservedHost()
            return host_observed(state, observed, action.network_id, action.sent_seq, event.at, event.jitter)
        case actions.ReportState():
            return _reported(state, result if isinstance(result, str) else None, event.at)
        case actions.NotifyReady():
            return notified(state, action, event.at)
        case actions.ClaimAction():
            return claimed(state, action, result if isinstance(result, Port) else None, event.at)
        case _:
            return _done_on_host(state, action, result, event)


def _reported(state: AgentState, answer: str | None, at: float) -> AgentState:
    heartbeat = state.heartbeat
    first = heartbeat.first_answer_seq is None
    heartbeat = evolve(heartbeat, start_flag=False, failures=0, answered_at=at)
    if first:
        heartbeat = evolve(heartbeat, first_answer_seq=state.seq)
    state = evolve(state, heartbeat=heartbeat)
    if first:
        state = heartbeat_trusted(state)
    if answer in ("revived", "new") and state.sync.sent_seq >= 0:
        # Until now the server held this agent for dead, or did not know it: it told it of no network, and gave it none
        # when it asked.  Even what was asked with this report may have been answered before the report was read.
        state = need_full_fetch(state, answer)
    return state


def _done_on_host(
    state: AgentState, action: actions.Action, result: events.Result, event: events.ActionSucceeded
) -> AgentState:
    at = event.at
    network_id = action.network_id
    assert network_id is not None
    record = evolve(state.record(network_id), host_seq=state.seq)
    if f"network:{network_id}" not in state.in_flight and record.retry is not None and record.retry.not_before <= at:
        # Not one that came while this was under way: that is the pause of another process.
        record = evolve(record, retry=None)
    if isinstance(action, actions.StartProxy | actions.StopProxy):
        record = evolve(record, proxy_retry=None)
    match action:
        case actions.ApplyAction():
            if isinstance(action, actions.ReloadInstance):
                record = _reloaded(state, record, action, event)
            if isinstance(result, events.LeasesLeft):
                record = releases.left(state.settings, record, action.key, result, at=at, jitter=event.jitter)
            elif not isinstance(action, actions.UpdateDevice):
                record = releases.over(record, action.key)
            state, record = _applied(state, record, action, result, at)
        case actions.ForgetUnreported():
            known = record.served.get(action.key)
            if known is not None:
                record = evolve(record, served=record.served.set(action.key, evolve(known, unreported=())))
        case actions.DisableInstance():
            if action.key in record.served:
                record = evolve(record, served=record.served.delete(action.key))
            record = releases.over(record, action.key)
            if not record.served:
                state = report_no_more(state, record.id)
            if action.device_id is not None:
                record = evolve(record, owed=record.owed.set(action.key, action.device_id))
        case actions.ReleaseDhcpPort():
            state, record = released(state, record, action.device_id, at)
            owed = record.owed.items()
            left = {key: own_id for key, own_id in owed if own_id != action.device_id and key != action.key}
            record = evolve(record, owed=Map(left))
            if record.desired is not None and action.key in record.claim_retry:
                # Its address may be what a claim waits for.
                record = evolve(record, claim_retry=record.claim_retry.delete(action.key))
        case actions.ForgetOwed():
            if action.key in record.owed:
                record = evolve(record, owed=record.owed.delete(action.key))
        case actions.RemoveNamespace():
            record = evolve(record, namespace=False, strays=())
        case actions.RemoveDevice():
            record = evolve(record, strays=tuple(name for name in record.strays if name != action.device))
        case actions.StartProxy():
            if isinstance(result, events.ProxyStarted) and result.dadfailed:
                record = _without_metadata_address(state, record, action, at)
            else:
                record = _with_started_proxy(state, record, action, result, at)
        case actions.StopProxy():
            if record.proxy is not None and record.proxy.proxy_id == action.proxy_id:
                record = evolve(record, proxy=None)
            strays = tuple(proxy for proxy in record.stray_proxies if proxy.proxy_id != action.proxy_id)
            record = evolve(record, stray_proxies=strays)
    if record.died and f"network:{network_id}" not in state.in_flight:
        record = evolve(record, died=Map())
    return put(state, record)


def _applied(
    state: AgentState, record: NetworkRecord, action: actions.ApplyAction, result: events.Result, at: float
) -> tuple[AgentState, NetworkRecord]:
    """One instance is as its action wanted it; the ports it serves that wait for that are ready to be reported."""
    before = record.served.get(action.key)
    starts = isinstance(action, actions.EnableInstance | actions.RestartInstance)
    left = action.unreported if action.unreported is not None else before.unreported if before is not None else ()
    if starts or isinstance(result, events.InstanceStarted):
        if action.key in record.owed:
            record = evolve(record, owed=record.owed.delete(action.key))  # it was wanted again before it was given back
        started = result if isinstance(result, events.InstanceStarted) else events.InstanceStarted()
        served = ServedInstance(
            spec=action.spec,
            unreported=left,
            pid=started.pid,
            # The address stays with the device, whatever serves on it.
            dadfailed=before is not None and before.dadfailed and before.spec.device.name == action.spec.device.name,
            started_at=at,
            deaths=before.deaths if before is not None else 0,
            last_death=before.last_death if before is not None else None,
        )
    elif before is None:
        return state, record
    elif isinstance(action, actions.ReleaseLeases):
        served = evolve(before, leases=None)
    elif isinstance(action, actions.UpdateDevice):
        served = evolve(before, spec=action.spec, unplugged="")
    else:
        assert isinstance(action, actions.ReloadInstance)
        unplugged = "" if action.device else before.unplugged
        served = evolve(
            before,
            spec=_as_reloaded(before.spec, action),
            dirty=False,
            leases=None,
            unplugged=unplugged,
            unreported=left,
            ending=False,
            signalled=False,
        )
    record = evolve(record, served=record.served.set(action.key, served))
    if isinstance(action, actions.ReleaseLeases | actions.UpdateDevice):
        return state, record
    record = still_to_report(state, record, action)
    if served.pid is not None and (death := record.died.get(served.pid)) is not None:
        # It died before we heard that it had started.
        return state, deaths.instance_died(state, record, action.key, death)
    return ready_with(state, record, action.spec.view) if served.alive else (state, record)


def _as_reloaded(before: InstanceSpec, action: actions.ReloadInstance) -> InstanceSpec:
    """What an instance runs with after SIGHUP: what was not written is what it was, if only in the order of lines."""
    kept = {name: getattr(before, name) for name in ("host", "addn_hosts", "opts") if name not in action.changed_files}
    if not action.device:
        kept["device"] = before.device
    return evolve(action.spec, argv=before.argv, **kept)


def _reloaded(
    state: AgentState, record: NetworkRecord, action: actions.ReloadInstance, event: events.ActionSucceeded
) -> NetworkRecord:
    """Changes that came while it was being reloaded make a burst; a second instance's reload is a part of the first."""
    if record.pace is None or f"network:{record.id}" in state.in_flight:
        return record
    view, least = action.spec.view, float(state.settings.bulk_reload_interval)
    more = view is not None and view.network != record.desired
    return evolve(record, pace=pace.ended(record.pace, event.at, more=more, least=least, cost=event.seconds))


def _without_metadata_address(
    state: AgentState, record: NetworkRecord, action: actions.StartProxy, at: float
) -> NetworkRecord:
    """Another agent has the IPv6 metadata address: no proxy of ours can bind it on that device."""
    device = action.spec.bind_interface
    failed = {key: served for key, served in record.served.items() if served.spec.device.name == device}
    if not failed:
        # Nothing serves on it any more, so there is nothing to remember it by; the same plan must not follow at once.
        reason = f"the IPv6 metadata address of {device} failed duplicate address detection"
        retry = backoff(state.settings, record.retry, at=at, reason=reason, jitter=0.0)
        return evolve(record, retry=retry, observe=True)
    marked = {key: evolve(served, dadfailed=True) for key, served in failed.items()}
    return evolve(record, served=record.served.update(marked))


def _with_started_proxy(
    state: AgentState, record: NetworkRecord, action: actions.StartProxy, result: events.Result, at: float
) -> NetworkRecord:
    pid = result.pid if isinstance(result, events.ProxyStarted) else None
    proxy = ServedProxy(
        proxy_id=action.spec.proxy_id,
        config=action.spec.config,
        config_path=action.spec.config_path,
        pid=pid,
        started_at=at,
        deaths=record.proxy.deaths if record.proxy is not None else 0,
        last_death=record.proxy.last_death if record.proxy is not None else None,
    )
    record = evolve(record, proxy=proxy)
    death = record.died.get(pid) if pid is not None else None
    return deaths.own_proxy_died(state, record, death) if death is not None else record


def action_failed(event: events.ActionFailed, state: AgentState) -> AgentState:
    """What failed is tried again later, or waits for news; the host is looked at before anything else is done there."""
    state = landed(state, event.action)
    action = event.action
    match action:
        case actions.FetchNetworks():
            settings = state.settings
            retry = backoff(settings, state.sync.retry, at=event.at, reason=event.reason, jitter=event.jitter)
            state = need_full_fetch(evolve(state, sync=evolve(state.sync, retry=retry)), "the last sync failed")
            return forget_fetches(state)
        case actions.FetchNetwork():
            record = state.record(action.network_id)
            if record.need is None:
                # Answered by a full answer meanwhile, or the network is gone; a claim may have waited for this.
                return forget_fetches(touch(state, record.id))
            record = need_fetch(record, state.seq, "the last fetch failed")
            retry = after_failure(state.settings, record.need_retry, event)
            return forget_fetches(put(state, evolve(record, need_retry=retry)))
        case actions.ObserveHost(network_id=None):
            retry = after_failure(state.settings, state.observation.retry, event)
            looking = evolve(state.observation, retry=retry, due=retry.not_before)
            return evolve(state, observation=looking, ended=Map())
        case actions.ReportState():
            heartbeat = evolve(state.heartbeat, failures=state.heartbeat.failures + 1)
            if event.fault == "unsupported":
                return heartbeat_trusted(evolve(state, heartbeat=evolve(heartbeat, supported=False)))
            return evolve(state, heartbeat=heartbeat)
        case actions.NotifyReady():
            return not_notified(state, action, event)
    assert action.network_id is not None
    record = state.record(action.network_id)
    if record.died and f"network:{record.id}" not in state.in_flight:
        record = evolve(record, died=Map())
    record = deaths.not_done(record, action, skipped=event.fault == "skipped")
    if event.fault == "skipped":
        return put(state, record)
    if isinstance(action, actions.PortAction):
        return claim_failed(state, record, action, event)
    if isinstance(action, actions.ReleaseLeases):
        # Nothing on the host is in doubt but those leases.
        left = events.LeasesLeft(reason=event.reason)
        return put(state, releases.left(state.settings, record, action.key, left, at=event.at, jitter=event.jitter))
    record = evolve(record, observe=True, host_seq=state.seq)
    if isinstance(action, actions.StartProxy | actions.StopProxy):
        # Clients get their addresses without it.
        return put(state, evolve(record, proxy_retry=after_failure(state.settings, record.proxy_retry, event)))
    return put(state, evolve(record, retry=after_failure(state.settings, record.retry, event)))
