"""Which served ports the server has to be told about: each at least once, after it is served, none that is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from immutables import Map

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.state.releases as releases
from dhcpcore.model.spec import InstanceView
from dhcpcore.state.agent import AgentState, Ready, put, touch
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import NetworkRecord, ReadyPort, after_failure, unreported

#: Nobody answered: that says less of the ports than of the server.
_SILENT: Final = ("timeout", "unreachable")


def report_started(state: AgentState, action: actions.NotifyReady) -> AgentState:
    """These ports are being reported."""
    queue, reporting = state.ready.queue, state.ready.reporting
    for port_id in action.port_ids:
        if port_id in queue:
            reporting = reporting.set(port_id, queue[port_id])
            queue = queue.delete(port_id)
    return evolve(state, ready=evolve(state.ready, queue=queue, reporting=reporting))


def settled(state: AgentState, network_id: str, *, at_rest: bool) -> AgentState:
    """All of a network is served as it is wanted: its ports may be reported, and its leases were judged.

    Args:
        at_rest: nothing at all is to be done for it: what failed is mended, or was no failure.
    """
    record = state.networks.get(network_id)
    if record is None or record.desired is None:
        return state
    served = record.served
    for key, instance in record.served.items():
        if instance.leases is not None:
            served = served.set(key, evolve(instance, leases=None))
    changed = record if served is record.served else evolve(record, served=served)
    if record.claim_retry:
        # Of an instance that is not wanted any more nothing is claimed; giving back what it owes may have failed.
        retries = {key: retry for key, retry in record.claim_retry.items() if key in served or key in record.owed}
        changed = changed if len(retries) == len(record.claim_retry) else evolve(changed, claim_retry=Map(retries))
    if at_rest and record.retry is not None:
        changed = evolve(changed, retry=None)
    if record.awaiting_ready:
        state, changed = move_ready(state, changed, {port.id for port in record.desired.ports})
    return state if changed is record else put(state, changed, touch=False)


def ready_by_instance(state: AgentState, plan: actions.Plan) -> AgentState:
    """Ports whose own instance serves them as it should, though another one of their network's does not."""
    found = set(plan.ready)
    for network_id in plan.examined:
        record = state.networks.get(network_id)
        if record is not None and record.awaiting_ready:
            state, changed = move_ready(state, record, found)
            state = state if changed is record else put(state, changed, touch=False)
    return state


def notified(state: AgentState, action: actions.NotifyReady, at: float) -> AgentState:
    """These ports were reported."""
    ready, networks = state.ready, set[str]()
    reporting = ready.reporting
    if ready.retry is not None:
        # What is new and went well says nothing of what was refused before: that keeps its pace.
        waited = _failures(ready, action) >= ready.held_from
        ready = evolve(ready, retry=None, held_from=0, answered=False) if waited else evolve(ready, answered=True)
    for port_id in action.port_ids:
        if port_id in reporting:
            networks.add(reporting[port_id].network_id)
            reporting = reporting.delete(port_id)
    state = evolve(state, ready=evolve(ready, reporting=reporting))
    return _look_at_marks(state, networks, at)


def waits(state: AgentState, record: NetworkRecord, port_ids: Iterable[str]) -> bool:
    """Whether any of these ports of a network has still to be served, or to be reported, or is being reported."""
    known = (record.awaiting_ready, state.ready.queue, state.ready.reporting)
    return any(port_id in ports for port_id in port_ids for ports in known)


def _look_at_marks(state: AgentState, network_ids: Iterable[str], at: float) -> AgentState:
    """The next plan looks at networks beside whose files a mark names ports of which none waits any more."""
    for network_id in network_ids:
        record = state.record(network_id)
        # Where a reload is held back the network is looked at when that may begin; before it would be taken for news.
        held_back = record.pace is not None and record.pace.waited and at < record.pace.until
        marked = unreported(record.served.values())
        if marked and not held_back and not waits(state, record, marked):
            state = touch(state, network_id)
    return state


def ready_with(state: AgentState, record: NetworkRecord, view: InstanceView | None) -> tuple[AgentState, NetworkRecord]:
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


def still_to_report(state: AgentState, record: NetworkRecord, action: actions.ApplyAction) -> NetworkRecord:
    """`record` in which the ports that an action left the ids of wait for being reported, if nothing else knows them.

    Nothing does where the instance was last changed in another life of the agent's, and where nobody served before.
    """
    awaiting = record.awaiting_ready
    there = {port.id for port in record.desired.ports} if record.desired is not None and action.unreported else set()
    for port_id in action.unreported or ():
        if port_id in there and not waits(state, record, (port_id,)):
            awaiting = awaiting.set(port_id, False)
    return record if awaiting is record.awaiting_ready else evolve(record, awaiting_ready=awaiting)


def move_ready(state: AgentState, record: NetworkRecord, port_ids: set[str]) -> tuple[AgentState, NetworkRecord]:
    """Those of `port_ids` that wait for being served go to the queue of those to be reported.

    But for those that are not served yet whatever is loaded: dnsmasq holds their addresses for somebody else.
    """
    queue, awaiting = state.ready.queue, record.awaiting_ready
    without_address = releases.kept_waiting(record)
    for port_id, urgent in record.awaiting_ready.items():
        if port_id in port_ids and port_id not in without_address:
            known = queue.get(port_id)
            urgent = urgent or (known is not None and known.urgent)
            queue = queue.set(port_id, ReadyPort(network_id=record.id, urgent=urgent))
            awaiting = awaiting.delete(port_id)
    if awaiting is record.awaiting_ready:
        return state, record
    return evolve(state, ready=evolve(state.ready, queue=queue)), evolve(record, awaiting_ready=awaiting)


def report_no_more(state: AgentState, network_id: str) -> AgentState:
    """A network is not served any longer: nothing of it is ready."""
    queue = state.ready.queue
    for port_id, port in state.ready.queue.items():
        if port.network_id == network_id:
            queue = queue.delete(port_id)
    return evolve(state, ready=evolve(state.ready, queue=queue))


def not_notified(state: AgentState, action: actions.NotifyReady, event: events.ActionFailed) -> AgentState:
    """These ports could not be reported; those that are still served are tried again."""
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
            queue = queue.set(port_id, evolve(port, failures=port.failures + (event.fault != "skipped")))
    if event.fault != "skipped":
        ready = _paced(state, _failures(ready, action), event)
    state = evolve(state, ready=evolve(ready, queue=queue, reporting=reporting))
    return state if again else _look_at_marks(state, there, event.at)


def _failures(ready: Ready, action: actions.NotifyReady) -> int:
    """How often the ports of a report under way had failed before."""
    ports = (ready.reporting.get(port_id) for port_id in action.port_ids)
    return min((port.failures for port in ports if port is not None), default=0)


def _paced(state: AgentState, failures: int, event: events.ActionFailed) -> Ready:
    """Whom a failed report keeps waiting, and how long: those that had failed as often as its ports, or more often.

    So a port that the server refuses for ever keeps none waiting that it does not, and however many it refuses, there
    is at most one report for each number of failures before one waits.

    Args:
        failures: of the report's ports, before it.
    """
    ready, fewer = state.ready, failures < state.ready.held_from
    held_from = failures
    if event.fault in _SILENT and ready.retry is not None and not ready.answered:
        # Nobody has answered since all had to wait, so they go on waiting: it need not be these ports.
        held_from = min(failures, ready.held_from)
    # Where the server answers, the long wait of those that it refuses says nothing of what fails for the first time.
    before = None if fewer and ready.answered else ready.retry
    return evolve(
        ready,
        retry=after_failure(state.settings, before, event),
        held_from=held_from,
        answered=ready.answered and not fewer,
    )
