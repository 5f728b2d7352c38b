"""Folding plans that were started and the outcomes of their actions.

An action that failed is an event like any other: the network gets a time to try again, nothing else is touched.
"""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.observed import ObservedHost
from dhcpcore.state.agent import AgentState, heartbeat_due, need_fetch, need_full_fetch, put, touch
from dhcpcore.state.answers import heartbeat_trusted, network_fetched, networks_fetched
from dhcpcore.state.notifications import drop_desired
from dhcpcore.state.observation import host_observed
from dhcpcore.state.ports import find_port, is_ours, with_port, without_port
from dhcpcore.state.records import NetworkRecord, Retry, ServedInstance, ServedProxy, backoff, until_news

#: A process that ends within this many seconds of its start counts as dying at its start.
EARLY_DEATH = 60.0


def plan_started(event: events.PlanStarted, state: AgentState) -> AgentState:
    """The actions of a plan run from now on; the networks it looked at need no second look."""
    plan = event.plan
    in_flight = state.in_flight
    for action in plan.actions:
        in_flight = in_flight.set(action.scope, in_flight.get(action.scope, 0) + 1)
    touched, waiting = state.touched, state.waiting
    for network_id in plan.examined:
        if network_id in touched:
            touched = touched.delete(network_id)
        if network_id in waiting and waiting[network_id] <= event.at:
            waiting = waiting.delete(network_id)
    state = evolve(state, in_flight=in_flight, touched=touched, waiting=waiting)
    for network_id in plan.settled:
        record = state.networks.get(network_id)
        if record is not None and record.awaiting_ready:
            state, record = move_ready(state, record, set(record.awaiting_ready))
            state = put(state, record, touch=False)
    for action in plan.actions:
        match action:
            case actions.ReportState():
                interval = float(state.settings.report_interval)
                state = evolve(state, heartbeat=heartbeat_due(state.heartbeat, event.at, interval))
            case actions.FetchNetworks():
                state = evolve(state, sync=evolve(state.sync, sent_at=event.at, sent_seq=action.sent_seq))
            case actions.EnableInstance() | actions.RestartInstance():
                record = state.record(action.key.network_id)
                if not record.namespace:
                    state = put(state, evolve(record, namespace=True), touch=False)
            case actions.NotifyReady():
                state = _report_started(state, action)
    return state


def _report_started(state: AgentState, action: actions.NotifyReady) -> AgentState:
    queue, reporting = state.ready.queue, state.ready.reporting
    for port_id in action.port_ids:
        if port_id in queue:
            reporting = reporting.set(port_id, queue[port_id])
            queue = queue.delete(port_id)
    return evolve(state, ready=evolve(state.ready, queue=queue, reporting=reporting))


def landed(state: AgentState, action: actions.Action) -> AgentState:
    """One action less under way; what only mattered while answers were under way is forgotten with the last one."""
    left = state.in_flight.get(action.scope, 0) - 1
    in_flight = state.in_flight
    if left > 0:
        in_flight = in_flight.set(action.scope, left)
    elif action.scope in in_flight:
        in_flight = in_flight.delete(action.scope)
    return evolve(state, in_flight=in_flight)


def forget_fetches(state: AgentState) -> AgentState:
    """`state` without what only answers under way needed, when none is."""
    if (not state.recent and not state.late) or state.fetching:
        return state
    networks = state.networks
    for network_id in state.late:
        record = networks.get(network_id)
        if record is not None and record.is_empty:
            networks = networks.delete(network_id)
    return evolve(state, networks=networks, recent=type(state.recent)(), late=type(state.late)())


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
            return forget_fetches(touch(network_fetched(state, action, network, event.at), action.network_id))
        case actions.ObserveHost():
            observed = result if isinstance(result, ObservedHost) else ObservedHost()
            return host_observed(state, observed, action.network_id, action.sent_seq, event.at)
        case actions.ReportState():
            return _reported(state, action, result if isinstance(result, str) else None, event.at)
        case actions.NotifyReady():
            return _notified(state, action)
        case actions.ClaimAction():
            return _claimed(state, action, result if isinstance(result, Port) else None, event.at)
        case _:
            return _done_on_host(state, action, result, event.at)


def _reported(state: AgentState, action: actions.ReportState, answer: str | None, at: float) -> AgentState:
    heartbeat = state.heartbeat
    first = heartbeat.first_answer_seq is None
    heartbeat = evolve(heartbeat, start_flag=False, failures=0, answered_at=at)
    if first:
        heartbeat = evolve(heartbeat, first_answer_seq=state.seq)
    state = evolve(state, heartbeat=heartbeat)
    if first:
        state = heartbeat_trusted(state)
        if answer == "new" and state.sync.sent_seq >= 0:
            # What was asked before the server had heard of us could only be answered with nothing.
            state = need_full_fetch(state, "the server has just heard of this agent")
    if answer == "revived" and action.sent_seq > state.sync.sent_seq:
        state = need_full_fetch(state, "revived")
    return state


def _notified(state: AgentState, action: actions.NotifyReady) -> AgentState:
    reporting = state.ready.reporting
    for port_id in action.port_ids:
        if port_id in reporting:
            reporting = reporting.delete(port_id)
    return evolve(state, ready=evolve(state.ready, reporting=reporting, retry=None))


def _claimed(state: AgentState, action: actions.ClaimAction, port: Port | None, at: float) -> AgentState:
    record = state.networks.get(action.key.network_id)
    if record is None or record.desired is None:
        return state
    if port is None or port.network_id != record.id or not is_ours(state, port):
        retry = backoff(state.settings, record.claim_retry, at=at, reason="the server gave no port", jitter=0.0)
        record = need_fetch(evolve(record, claim_retry=retry), state.seq, "a claim was refused")
        return put(state, record)
    position, before = find_port(record.desired, port.id)
    record = with_port(record, port, position, before)
    got = {ip.subnet_id for ip in port.fixed_ips}
    asked: set[str] = set()
    if isinstance(action, actions.CreateDhcpPort):
        asked = set(action.subnet_ids)
    elif isinstance(action, actions.UpdateDhcpPort):
        asked = {*action.new_subnet_ids, *(ip.subnet_id for ip in action.fixed_ips)}
    if asked - got:
        # Launchpad 1627480: the port comes back without an address that was asked for.
        retry = backoff(state.settings, record.claim_retry, at=at, reason="an address is missing", jitter=0.0)
        record = evolve(record, claim_retry=retry)
    else:
        record = evolve(record, claim_retry=None, accepted=record.accepted.set(action.key, frozenset(got)))
    if port.status != "ACTIVE":
        record = evolve(record, awaiting_ready=record.awaiting_ready.set(port.id, False))
    if state.fetching:
        state = evolve(state, recent=state.recent.set(port.id, state.seq))
    return put(state, record)


def _done_on_host(state: AgentState, action: actions.Action, result: events.Result, at: float) -> AgentState:
    network_id = action.network_id
    assert network_id is not None
    record = evolve(state.record(network_id), host_seq=state.seq)
    if f"network:{network_id}" not in state.in_flight:
        record = evolve(record, retry=None)
    match action:
        case actions.EnableInstance() | actions.RestartInstance():
            before = record.served.get(action.key)
            started = result if isinstance(result, events.InstanceStarted) else events.InstanceStarted()
            served = ServedInstance(
                spec=action.spec,
                pid=started.pid,
                dadfailed=started.dadfailed,
                started_at=at,
                deaths=before.deaths if before is not None else 0,
            )
            state, record = _now_served(state, record, action, served)
        case actions.ApplyAction():
            before = record.served.get(action.key)
            if before is not None:
                served = evolve(before, spec=action.spec, dirty=False, leases=None)
                if isinstance(action, actions.UpdateDevice):
                    served = evolve(before, spec=action.spec)
                elif isinstance(action, actions.ReleaseLeases):
                    served = evolve(before, leases=None)
                state, record = _now_served(state, record, action, served)
        case actions.DisableInstance():
            if action.key in record.served:
                record = evolve(record, served=record.served.delete(action.key))
            if action.device_id is not None:
                record = _released(record, action.device_id)
        case actions.ReleaseDhcpPort():
            record = _released(record, action.device_id)
        case actions.RemoveNamespace():
            record = evolve(record, namespace=False, strays=())
        case actions.RemoveDevice():
            record = evolve(record, strays=tuple(name for name in record.strays if name != action.device))
        case actions.StartProxy():
            proxied = result if isinstance(result, events.ProxyStarted) else events.ProxyStarted()
            deaths = record.proxy.deaths if record.proxy is not None else 0
            proxy = ServedProxy(
                proxy_id=action.spec.proxy_id,
                config=action.spec.config,
                pid=proxied.pid,
                started_at=at,
                deaths=deaths,
            )
            record = evolve(record, proxy=proxy)
        case actions.StopProxy():
            if record.proxy is not None and record.proxy.proxy_id == action.proxy_id:
                record = evolve(record, proxy=None)
    return put(state, record)


def _now_served(
    state: AgentState, record: NetworkRecord, action: actions.ApplyAction, served: ServedInstance
) -> tuple[AgentState, NetworkRecord]:
    """`served` is what runs; the ports it serves that wait for that are ready to be reported."""
    record = evolve(record, served=record.served.set(action.key, served))
    view = action.spec.view
    if view is None or not record.awaiting_ready or isinstance(action, actions.UpdateDevice):
        return state, record
    now_ports = {port.id for port in view.ports}
    return move_ready(state, record, now_ports)


def move_ready(state: AgentState, record: NetworkRecord, port_ids: set[str]) -> tuple[AgentState, NetworkRecord]:
    """Those of `port_ids` that wait for being served go to the queue of those to be reported."""
    queue, awaiting = state.ready.queue, record.awaiting_ready
    for port_id, urgent in record.awaiting_ready.items():
        if port_id in port_ids:
            queue = queue.set(port_id, urgent or queue.get(port_id, False))
            awaiting = awaiting.delete(port_id)
    if awaiting is record.awaiting_ready:
        return state, record
    return evolve(state, ready=evolve(state.ready, queue=queue)), evolve(record, awaiting_ready=awaiting)


def _released(record: NetworkRecord, device_id: str) -> NetworkRecord:
    if record.desired is None:
        return record
    for position, port in reversed(list(enumerate(record.desired.ports))):
        if port.device_id == device_id:
            record = without_port(record, position, port)
    return record


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
            record = need_fetch(state.record(action.network_id), state.seq, "the last fetch failed")
            retry = _retry(state, record.need_retry, event)
            return forget_fetches(put(state, evolve(record, need_retry=retry)))
        case actions.ObserveHost(network_id=None):
            retry = _retry(state, state.observation.retry, event)
            return evolve(state, observation=evolve(state.observation, retry=retry, due=retry.not_before))
        case actions.ReportState():
            heartbeat = evolve(state.heartbeat, failures=state.heartbeat.failures + 1)
            if event.fault == "unsupported":
                return heartbeat_trusted(evolve(state, heartbeat=evolve(heartbeat, supported=False)))
            return evolve(state, heartbeat=heartbeat)
        case actions.NotifyReady():
            return _not_notified(state, action, event)
    assert action.network_id is not None
    record = state.record(action.network_id)
    if event.fault == "skipped":
        return put(state, record)
    if isinstance(action, actions.ClaimAction | actions.ReleaseDhcpPort):
        return _claim_failed(state, record, event)
    retry = _retry(state, record.retry, event)
    if retry.not_before == float("inf"):
        # On the host nothing is beyond repair for ever: an operator may mend it without telling the server.
        maximum = float(state.settings.retry_interval_max)
        retry = Retry(attempts=retry.attempts, not_before=event.at + maximum, reason=retry.reason)
    record = evolve(record, retry=retry, observe=True, host_seq=state.seq)
    return put(state, record)


def _retry(state: AgentState, before: Retry | None, event: events.ActionFailed) -> Retry:
    return backoff(state.settings, before, at=event.at, reason=event.reason, jitter=event.jitter)


def _claim_failed(state: AgentState, record: NetworkRecord, event: events.ActionFailed) -> AgentState:
    if event.fault == "network_not_found":
        return drop_desired(state, record, "unlisted")
    if event.fault == "address_exhausted" or not event.retryable:
        return put(state, evolve(record, claim_retry=until_news(record.claim_retry, event.reason)))
    # The outcome is not known: the port may exist by now. Ask, never create another one.
    retry = _retry(state, record.claim_retry, event)
    return put(state, need_fetch(evolve(record, claim_retry=retry), state.seq, "a claim failed"))


def _not_notified(state: AgentState, action: actions.NotifyReady, event: events.ActionFailed) -> AgentState:
    ready = state.ready
    queue, reporting = ready.queue, ready.reporting
    for port_id in action.port_ids:
        if port_id in reporting:
            if port_id not in state.tombstones:
                queue = queue.set(port_id, reporting[port_id] or queue.get(port_id, False))
            reporting = reporting.delete(port_id)
    retry = ready.retry if event.fault == "skipped" else _retry(state, ready.retry, event)
    return evolve(state, ready=evolve(ready, queue=queue, reporting=reporting, retry=retry))


def process_died(event: events.ProcessDied, state: AgentState) -> AgentState:
    """A dnsmasq is gone: back at once, unless it keeps dying at its start."""
    record = state.networks.get(event.key.network_id)
    served = record.served.get(event.key) if record is not None else None
    if record is None or served is None or not served.alive:
        return state
    if event.pid is not None and served.pid is not None and event.pid != served.pid:
        return state
    deaths = _deaths(served.started_at, served.deaths, event.at)
    dead = evolve(served, alive=False, pid=None, deaths=deaths)
    record = evolve(record, served=record.served.set(event.key, dead))
    return put(state, _paced(state, record, deaths, event, "dnsmasq"))


def proxy_died(event: events.ProxyDied, state: AgentState) -> AgentState:
    """A metadata proxy is gone: the same."""
    record = state.networks.get(event.network_id)
    if record is None or record.proxy is None or not record.proxy.alive:
        return state
    proxy = record.proxy
    if event.pid is not None and proxy.pid is not None and event.pid != proxy.pid:
        return state
    deaths = _deaths(proxy.started_at, proxy.deaths, event.at)
    record = evolve(record, proxy=evolve(proxy, alive=False, pid=None, deaths=deaths))
    return put(state, _paced(state, record, deaths, event, "the metadata proxy"))


def _deaths(started_at: float | None, deaths: int, at: float) -> int:
    return deaths + 1 if started_at is not None and at - started_at < EARLY_DEATH else 1


def _paced(
    state: AgentState,
    record: NetworkRecord,
    deaths: int,
    event: events.ProcessDied | events.ProxyDied,
    what: str,
) -> NetworkRecord:
    if deaths < 2:
        return record
    before = Retry(attempts=deaths - 2, not_before=0.0, reason="")
    reason = f"{what} died {deaths} times in a row, exit code {event.exit_code}: {event.detail}"
    retry = backoff(state.settings, before, at=event.at, reason=reason, jitter=0.0)
    return evolve(record, retry=retry)


