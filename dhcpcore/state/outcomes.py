"""Folding plans that were started and the outcomes of their actions.

An action that failed is an event like any other: the network gets a time to try again, nothing else is touched.
"""

from __future__ import annotations

from attrs import evolve
from immutables import Map

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceKey, InstanceView
from dhcpcore.observed import ObservedHost
from dhcpcore.state.agent import AgentState, need_fetch, need_full_fetch, put, touch
from dhcpcore.state.answers import network_fetched, networks_fetched
from dhcpcore.state.missing import heartbeat_trusted
from dhcpcore.state.notifications import drop_desired
from dhcpcore.state.observation import host_observed
from dhcpcore.state.ports import find_port, is_ours, with_port, without_port
from dhcpcore.state.records import NetworkRecord, ReadyPort, Retry, ServedInstance, ServedProxy, backoff, until_news

#: A process that ends within this many seconds of its start counts as dying at its start.
EARLY_DEATH = 60.0


def plan_started(event: events.PlanStarted, state: AgentState) -> AgentState:
    """The actions of a plan run from now on; the networks it looked at need no second look."""
    plan = event.plan
    in_flight, fetches = state.in_flight, state.fetches
    for action in plan.actions:
        in_flight = in_flight.set(action.scope, in_flight.get(action.scope, 0) + 1)
        if isinstance(action, actions.FetchNetworks | actions.FetchNetwork):
            fetches = fetches.set(action.scope, action.sent_seq)
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
    for network_id in plan.settled:
        state = _settled(state, network_id)
    for failure in plan.unplanned:
        record = state.record(failure.network_id)
        retry = backoff(state.settings, record.retry, at=event.at, reason=failure.reason, jitter=0.0)
        state = put(state, evolve(record, retry=retry), touch=False)
    for action in plan.actions:
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
            case actions.NotifyReady():
                state = _report_started(state, action)
    return state


def _settled(state: AgentState, network_id: str) -> AgentState:
    """All of a network is served as it is wanted: its ports may be reported, and its leases were judged."""
    record = state.networks.get(network_id)
    if record is None or record.desired is None:
        return state
    served = record.served
    for key, instance in record.served.items():
        if instance.leases is not None:
            served = served.set(key, evolve(instance, leases=None))
    changed = record if served is record.served else evolve(record, served=served)
    if record.awaiting_ready:
        state, changed = move_ready(state, changed, {port.id for port in record.desired.ports})
    return state if changed is record else put(state, changed, touch=False)


def _report_started(state: AgentState, action: actions.NotifyReady) -> AgentState:
    queue, reporting = state.ready.queue, state.ready.reporting
    for port_id in action.port_ids:
        if port_id in queue:
            reporting = reporting.set(port_id, queue[port_id])
            queue = queue.delete(port_id)
    return evolve(state, ready=evolve(state.ready, queue=queue, reporting=reporting))


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
    if answer in ("revived", "new") and action.sent_seq > state.sync.sent_seq:
        # "new" to an agent that had been known: the server was restored, and forgot it.
        state = need_full_fetch(state, answer)
    return state


def _notified(state: AgentState, action: actions.NotifyReady) -> AgentState:
    reporting = state.ready.reporting
    for port_id in action.port_ids:
        if port_id in reporting:
            reporting = reporting.delete(port_id)
    return evolve(state, ready=evolve(state.ready, reporting=reporting, retry=None))


def _claimed(state: AgentState, action: actions.ClaimAction, port: Port | None, at: float) -> AgentState:
    record = state.record(action.key.network_id)
    network = record.desired
    if network is None:
        if port is not None and is_ours(state, port):
            # The network went meanwhile: what was claimed for it has to be given back.
            removal = record.removal or "unlisted"
            record = evolve(record, removal=removal, owed=record.owed.set(action.key, port.device_id))
        return put(state, record)
    if port is None or port.network_id != record.id or not is_ours(state, port):
        record = _claim_again(state, record, action.key, "the server gave no port", at=at)
        return put(state, need_fetch(record, state.seq, "a claim was refused"))
    position, before = find_port(network, port.id)
    record = with_port(record, port, position, before)
    got = {ip.subnet_id for ip in port.fixed_ips}
    asked: set[str] = set()
    if isinstance(action, actions.CreateDhcpPort):
        asked = set(action.subnet_ids)
    elif isinstance(action, actions.UpdateDhcpPort):
        asked = {*action.new_subnet_ids, *(ip.subnet_id for ip in action.fixed_ips)}
    if asked - got:
        # Launchpad 1627480: the port comes back without an address that was asked for.
        record = _claim_again(state, record, action.key, "an address is missing", at=at)
    else:
        if action.key in record.claim_retry:
            record = evolve(record, claim_retry=record.claim_retry.delete(action.key))
        record = evolve(record, accepted=record.accepted.set(action.key, frozenset(got)))
    if port.status != "ACTIVE":
        record = evolve(record, awaiting_ready=record.awaiting_ready.set(port.id, False))
    if state.fetching:
        state = evolve(state, recent=state.recent.set(port.id, state.seq))
    return put(state, record)


def _claim_again(
    state: AgentState, record: NetworkRecord, key: InstanceKey, reason: str, *, at: float, jitter: float = 0.0
) -> NetworkRecord:
    retry = backoff(state.settings, record.claim_retry.get(key), at=at, reason=reason, jitter=jitter)
    return evolve(record, claim_retry=record.claim_retry.set(key, retry))


def _done_on_host(state: AgentState, action: actions.Action, result: events.Result, at: float) -> AgentState:
    network_id = action.network_id
    assert network_id is not None
    record = evolve(state.record(network_id), host_seq=state.seq)
    if f"network:{network_id}" not in state.in_flight:
        record = evolve(record, retry=None)
    match action:
        case actions.ApplyAction():
            state, record = _applied(state, record, action, result, at)
        case actions.DisableInstance():
            if action.key in record.served:
                record = evolve(record, served=record.served.delete(action.key))
            if not record.served:
                state = _report_no_more(state, record.id)
            if action.device_id is not None:
                record = _released(record, action.device_id)
        case actions.ReleaseDhcpPort():
            record = _released(record, action.device_id)
            owed = {key: device_id for key, device_id in record.owed.items() if device_id != action.device_id}
            record = evolve(record, owed=Map(owed))
        case actions.RemoveNamespace():
            record = evolve(record, namespace=False, strays=())
        case actions.RemoveDevice():
            record = evolve(record, strays=tuple(name for name in record.strays if name != action.device))
        case actions.StartProxy():
            record = evolve(record, proxy=_started_proxy(record, action, result, at))
        case actions.StopProxy():
            if record.proxy is not None and record.proxy.proxy_id == action.proxy_id:
                record = evolve(record, proxy=None)
            strays = tuple(proxy for proxy in record.stray_proxies if proxy.proxy_id != action.proxy_id)
            record = evolve(record, stray_proxies=strays)
    if record.died and f"network:{network_id}" not in state.in_flight:
        record = evolve(record, died=frozenset())
    return put(state, record)


def _applied(
    state: AgentState, record: NetworkRecord, action: actions.ApplyAction, result: events.Result, at: float
) -> tuple[AgentState, NetworkRecord]:
    """One instance is as its action wanted it; the ports it serves that wait for that are ready to be reported."""
    before = record.served.get(action.key)
    starts = isinstance(action, actions.EnableInstance | actions.RestartInstance)
    if starts or isinstance(result, events.InstanceStarted):
        started = result if isinstance(result, events.InstanceStarted) else events.InstanceStarted()
        served = ServedInstance(
            spec=action.spec,
            alive=started.pid is None or started.pid not in record.died,
            pid=started.pid,
            dadfailed=started.dadfailed if starts or before is None else before.dadfailed,
            started_at=at,
            deaths=before.deaths if before is not None else 0,
        )
    elif before is None:
        return state, record
    elif isinstance(action, actions.ReleaseLeases):
        served = evolve(before, leases=None)
    elif isinstance(action, actions.UpdateDevice):
        served = evolve(before, spec=action.spec)
    else:
        served = evolve(before, spec=action.spec, dirty=False, leases=None)
    record = evolve(record, served=record.served.set(action.key, served))
    if isinstance(action, actions.ReleaseLeases | actions.UpdateDevice):
        return state, record
    return _ready_with(state, record, action.spec.view)


def _ready_with(
    state: AgentState, record: NetworkRecord, view: InstanceView | None
) -> tuple[AgentState, NetworkRecord]:
    """Ports that are served just as they are wanted now; a port that changed again waits for the next outcome."""
    if view is None or record.desired is None or not record.awaiting_ready:
        return state, record
    awaiting = record.awaiting_ready
    loaded = {port.id: port for port in view.ports if port.id in awaiting}
    subnets = {subnet.id for subnet in view.subnets}
    now = {
        port.id
        for port in record.desired.ports
        if port.id in loaded
        and port == loaded[port.id]
        # Of a routed network each instance serves its own subnets.
        and (view.segment is None or any(ip.subnet_id in subnets for ip in port.fixed_ips))
    }
    return move_ready(state, record, now)


def _started_proxy(record: NetworkRecord, action: actions.StartProxy, result: events.Result, at: float) -> ServedProxy:
    pid = result.pid if isinstance(result, events.ProxyStarted) else None
    return ServedProxy(
        proxy_id=action.spec.proxy_id,
        config=action.spec.config,
        config_path=action.spec.config_path,
        alive=pid is None or pid not in record.died,
        pid=pid,
        started_at=at,
        deaths=record.proxy.deaths if record.proxy is not None else 0,
    )


def move_ready(state: AgentState, record: NetworkRecord, port_ids: set[str]) -> tuple[AgentState, NetworkRecord]:
    """Those of `port_ids` that wait for being served go to the queue of those to be reported."""
    queue, awaiting = state.ready.queue, record.awaiting_ready
    for port_id, urgent in record.awaiting_ready.items():
        if port_id in port_ids:
            known = queue.get(port_id)
            urgent = urgent or (known is not None and known.urgent)
            queue = queue.set(port_id, ReadyPort(network_id=record.id, urgent=urgent))
            awaiting = awaiting.delete(port_id)
    if awaiting is record.awaiting_ready:
        return state, record
    return evolve(state, ready=evolve(state.ready, queue=queue)), evolve(record, awaiting_ready=awaiting)


def _report_no_more(state: AgentState, network_id: str) -> AgentState:
    """A network is not served any longer: nothing of it is ready."""
    queue = state.ready.queue
    for port_id, port in state.ready.queue.items():
        if port.network_id == network_id:
            queue = queue.delete(port_id)
    return evolve(state, ready=evolve(state.ready, queue=queue))


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
    if record.died and f"network:{record.id}" not in state.in_flight:
        record = evolve(record, died=frozenset())
    if event.fault == "skipped":
        return put(state, record)
    if isinstance(action, actions.PortAction):
        return _claim_failed(state, record, action, event)
    retry = _retry(state, record.retry, event)
    return put(state, evolve(record, retry=retry, observe=True, host_seq=state.seq))


def _retry(state: AgentState, before: Retry | None, event: events.ActionFailed) -> Retry:
    return backoff(state.settings, before, at=event.at, reason=event.reason, jitter=event.jitter)


def _claim_failed(
    state: AgentState, record: NetworkRecord, action: actions.PortAction, event: events.ActionFailed
) -> AgentState:
    key = action.key
    if event.fault == "network_not_found":
        return drop_desired(state, evolve(record, owed=Map()), "unlisted")
    if event.fault == "address_exhausted" or not event.retryable:
        retry = until_news(record.claim_retry.get(key), event.reason)
        return put(state, evolve(record, claim_retry=record.claim_retry.set(key, retry)))
    record = _claim_again(state, record, key, event.reason, at=event.at, jitter=event.jitter)
    if record.desired is not None:
        # The outcome is not known: the port may exist by now. Ask, never create another one.
        record = need_fetch(record, state.seq, "a claim failed")
    return put(state, record)


def _not_notified(state: AgentState, action: actions.NotifyReady, event: events.ActionFailed) -> AgentState:
    ready = state.ready
    queue, reporting = ready.queue, ready.reporting
    # A server that will never take reports is not told again; its ports have no provisioning block either.
    again = event.retryable and event.fault != "unsupported"
    there: dict[str, set[str]] = {}
    for port_id in action.port_ids:
        if port_id not in reporting:
            continue
        port = reporting[port_id]
        reporting = reporting.delete(port_id)
        record = state.record(port.network_id)
        if record.id not in there:
            ports = record.desired.ports if record.desired is not None and record.served else ()
            there[record.id] = {each.id for each in ports}
        if again and port_id in there[record.id] and port_id not in record.awaiting_ready:
            queue = queue.set(port_id, port)
    retry = ready.retry if event.fault == "skipped" else _retry(state, ready.retry, event)
    return evolve(state, ready=evolve(ready, queue=queue, reporting=reporting, retry=retry))


def process_died(event: events.ProcessDied, state: AgentState) -> AgentState:
    """A dnsmasq is gone: back at once, unless it keeps dying at its start."""
    record = state.networks.get(event.key.network_id)
    if record is None:
        return state
    record = _note_death(state, record, event.pid)
    served = record.served.get(event.key)
    if served is None or not served.alive or _another(event.pid, served.pid):
        return put(state, record, touch=False)
    deaths = _deaths(served.started_at, served.deaths, event.at)
    dead = evolve(served, alive=False, pid=None, deaths=deaths)
    record = evolve(record, served=record.served.set(event.key, dead))
    return put(state, _paced(state, record, deaths, event, "dnsmasq"))


def proxy_died(event: events.ProxyDied, state: AgentState) -> AgentState:
    """A metadata proxy is gone: the same."""
    record = state.networks.get(event.network_id)
    if record is None:
        return state
    record = _note_death(state, record, event.pid)
    proxy = record.proxy
    if proxy is None or not proxy.alive or _another(event.pid, proxy.pid):
        return put(state, record, touch=False)
    deaths = _deaths(proxy.started_at, proxy.deaths, event.at)
    record = evolve(record, proxy=evolve(proxy, alive=False, pid=None, deaths=deaths))
    return put(state, _paced(state, record, deaths, event, "the metadata proxy"))


def _note_death(state: AgentState, record: NetworkRecord, pid: int | None) -> NetworkRecord:
    """What is being looked at on the host is out of date; what is being started may have died before we hear of it."""
    if pid is not None and f"network:{record.id}" in state.in_flight:
        record = evolve(record, died=record.died | {pid})
    return evolve(record, host_seq=state.seq)


def _another(pid: int | None, known: int | None) -> bool:
    return pid is not None and known is not None and pid != known


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
