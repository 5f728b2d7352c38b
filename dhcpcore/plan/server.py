"""What to tell the server and ask of it: state reports, full fetches, ready ports."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from math import inf

from dhcpcore.actions import Action, FetchNetworks, NotifyReady, ObserveHost, ReportState
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.state.agent import AgentState
from dhcpcore.state.records import NetworkRecord, ReadyPort
from dhcpcore.state.releases import kept_waiting

AGENT_TYPE = "DHCP agent"
BINARY = "neutron-dhcp-agent"
TOPIC = "dhcp_agent"


def plan_server(state: AgentState, now: float) -> list[Action]:
    """Actions that belong to no network, except ready ports."""
    actions: list[Action] = []
    heartbeat = state.heartbeat
    if state.reports and heartbeat.due <= now and "report_state" not in state.in_flight:
        why = "first report" if heartbeat.start_flag else "report_interval"
        actions.append(ReportState(agent_state=agent_state(state), sent_seq=state.seq, reasons=(why,)))
    observation = state.observation
    if observation.due <= now and "observe" not in state.in_flight:
        reason = "audit" if observation.done else "start"
        actions.append(ObserveHost(sent_seq=state.seq, reasons=(reason,)))
    due = full_fetch_due(state)
    if due is not None and due <= now and "fetch_networks" not in state.in_flight:
        need = state.sync.need
        reasons = need.reasons if need is not None else ("the brake holds: asked again",)
        actions.append(FetchNetworks(sent_seq=state.seq, reasons=reasons))
    return actions


def full_fetch_due(state: AgentState) -> float | None:
    """When the next full fetch may be sent (monotonic seconds); None when none is owed."""
    sync = state.sync
    if sync.need is not None:
        if sync.retry is not None:
            return sync.retry.not_before
        if sync.sent_at is None:
            return float("-inf")
        return sync.sent_at + state.settings.resync_throttle
    return state.brake.ask_at if state.brake is not None else None


def agent_state(state: AgentState) -> dict[str, object]:
    """The payload of report_state, as Neutron's agents table expects it; `start_flag` until the first answer.

    The transport adds what is its own: ``uuid`` of this process, and the time of the call.
    """
    settings = state.settings
    payload: dict[str, object] = {
        "binary": BINARY,
        "host": settings.host,
        "availability_zone": settings.availability_zone,
        "topic": TOPIC,
        "configurations": {
            "dhcp_driver": settings.dhcp_driver,
            "dhcp_lease_duration": settings.dhcp_lease_duration,
            "log_agent_heartbeats": settings.log_agent_heartbeats,
            "networks": state.counts.networks,
            "subnets": state.counts.subnets,
            "ports": state.counts.ports,
        },
        "agent_type": AGENT_TYPE,
    }
    if state.heartbeat.start_flag:
        payload["start_flag"] = True
    return payload


def plan_ready(state: AgentState, also: dict[str, ReadyPort], leaving: set[str], now: float) -> list[Action]:
    """The next batch of served ports to be reported, those that somebody waits for first.

    One at a time: a server may take seconds for each, and a port that is created meanwhile is in the next one.

    Args:
        also: ports found served by this very plan, without anything to be done for them.
        leaving: networks of which this very plan takes an instance away: their ports are not reported now.
    """
    ready = state.ready
    held_from = ready.held_from if ready.retry is not None and ready.retry.not_before > now else inf
    if "notify_ready" in state.in_flight or held_from == 0:
        return []
    queue = {port_id: port for port_id, port in ready.queue.items() if port.network_id not in leaving} | also
    # One that was in a report that failed comes after all others, and with fewer: it may be what the server fails at.
    # Network by network, so that few are looked at after each report.
    order = (
        (port.failures, not port.urgent, port.network_id, port_id)
        for port_id, port in queue.items()
        if port.failures < held_from
    )
    size = state.settings.ready_ports_batch
    first = nsmallest(size, order)
    if not first:
        return []
    failures = first[0][0]
    batch = [one for one in first[: max(1, size >> failures)] if one[0] == failures]
    return [NotifyReady(port_ids=tuple(port_id for *_, port_id in batch), reasons=("served",))]


def served_ports(record: NetworkRecord, right: Sequence[InstanceSpec] | None = None) -> dict[str, ReadyPort]:
    """Ports of a network that wait to be reported and may be.

    Args:
        right: the instances that serve what they should: only ports with an address on one of their subnets. None: all.
    """
    if not record.awaiting_ready or record.desired is None:
        return {}
    awaiting, without_address = record.awaiting_ready, kept_waiting(record)
    views = None if right is None else [spec.view for spec in right if spec.view is not None]
    subnets = None if views is None else {subnet.id for view in views for subnet in view.subnets}
    return {
        port.id: ReadyPort(network_id=record.id, urgent=awaiting[port.id])
        for port in record.desired.ports
        if port.id in awaiting
        and port.id not in without_address
        and (subnets is None or any(ip.subnet_id in subnets for ip in port.fixed_ips))
    }
