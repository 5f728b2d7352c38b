"""What an agent knows and waits for, as JSON types: for ``dhcpcore status``, monitoring, and embedders.

Knows the state; decides nothing.  No wall time: what was is told as seconds ago, what is to come as seconds from now,
both to the millisecond; None where it never was, or where only news can bring it about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dhcpcore.model.spec import InstanceKey
from dhcpcore.plan.server import full_fetch_due
from dhcpcore.state.agent import AgentState
from dhcpcore.state.records import LastDeath, NetworkRecord, Retry, ServedInstance, ServedProxy

FORMAT_VERSION: Final = 1


def describe_state(state: AgentState, now: float) -> dict[str, Any]:
    """The state at `now` (monotonic seconds), sorted; equal for equal states.  docs/command-line.md has the members.

    Looks at every network: milliseconds for hundreds of them, so it is for people and monitors, not for every event.
    """
    records = [state.networks[network_id] for network_id in sorted(state.networks)]
    return {
        "format_version": FORMAT_VERSION,
        "agent": _agent(state, now),
        "counts": _counts(state, records),
        "heartbeat": _heartbeat(state, now),
        "sync": _sync(state, now),
        "brake": _brake(state, now),
        "ready_ports": {
            "queued": len(state.ready.queue),
            "being_reported": len(state.ready.reporting),
            "not_served_yet": sum(len(record.awaiting_ready) for record in records),
            "retry": _retry(state.ready.retry, now),
        },
        "in_flight": dict(sorted(state.in_flight.items())),
        "instances": [_instance(key, served, now) for record in records for key, served in _served(record)],
        "metadata_proxies": [
            _proxy(record.id, proxy, now, stray=stray) for record in records for proxy, stray in _proxies(record)
        ],
        "pending": [one for record in records for one in _pending(record, now)],
        "removals": [
            {"network": record.id, "state": record.removal, "instances": len(record.served)}
            for record in records
            if record.removal is not None
        ],
    }


def _agent(state: AgentState, now: float) -> dict[str, Any]:
    observation = state.observation
    return {
        "host": state.settings.host,
        "admin_state_up": state.admin_state_up,
        "dnsmasq": ".".join(map(str, state.capabilities.dnsmasq.version)),
        "host_observed": observation.done,
        "observed_seconds_ago": _ago(observation.at, now),
        "next_audit_in_seconds": None if "observe" in state.in_flight else _ahead(observation.due, now),
        "observation_retry": _retry(observation.retry, now),
        "events": state.seq,
    }


def _counts(state: AgentState, records: list[NetworkRecord]) -> dict[str, int]:
    served = [instance for record in records for _, instance in _served(record)]
    return {
        "networks_known": len(records),
        "networks_served": state.counts.networks,
        "subnets_served": state.counts.subnets,
        "ports_served": state.counts.ports,
        "instances": len(served),
        "instances_alive": sum(instance.alive for instance in served),
        "metadata_proxies": sum(1 for record in records for _ in _proxies(record)),
    }


def _heartbeat(state: AgentState, now: float) -> dict[str, Any]:
    heartbeat = state.heartbeat
    running = "report_state" in state.in_flight
    return {
        "enabled": state.settings.report_interval > 0,
        "supported": heartbeat.supported,
        "answered_seconds_ago": _ago(heartbeat.answered_at, now),
        "failures": heartbeat.failures,
        "under_way": running,
        "next_in_seconds": _ahead(heartbeat.due, now) if state.reports and not running else None,
    }


def _sync(state: AgentState, now: float) -> dict[str, Any]:
    sync = state.sync
    running = "fetch_networks" in state.in_flight
    due = full_fetch_due(state)
    return {
        "answered_seconds_ago": _ago(sync.answered_at, now),
        "sent_seconds_ago": _ago(sync.sent_at, now),
        "under_way": running,
        "pending_reasons": list(sync.need.reasons) if sync.need is not None else [],
        "next_in_seconds": None if due is None or running else _ahead(due, now),
        "retry": _retry(sync.retry, now),
    }


def _brake(state: AgentState, now: float) -> dict[str, Any] | None:
    brake = state.brake
    if brake is None:
        return None
    return {
        "networks": sorted(brake.network_ids),
        "served": brake.served,
        "since_seconds_ago": _ago(brake.since, now),
        "until_in_seconds": _ahead(brake.since + state.settings.unsafe_disable_hold, now),
        "asks_again_in_seconds": _ahead(brake.ask_at, now),
    }


def _instance(key: InstanceKey, served: ServedInstance, now: float) -> dict[str, Any]:
    spec = served.spec
    return {
        "network": key.network_id,
        "segment": key.segmentation,
        "pid": served.pid,
        "alive": served.alive,
        "adopted": served.adopted,
        "started_seconds_ago": _ago(served.started_at, now),
        "deaths": served.deaths,
        "last_death": _death(served.last_death, now),
        "device": spec.device.name or None,
        "addresses": sorted(spec.device.addresses),
        "mtu": spec.device.mtu or None,
        "reservations": _reservations(spec.host),
        "dirty": served.dirty,
        "drift": [*served.drift, *([served.unplugged] if served.unplugged else [])],
        "metadata_address_elsewhere": served.dadfailed,
    }


def _reservations(host: str) -> int:
    """How many MAC addresses the hosts file names; an address pair of one port is one."""
    return len({line.partition(",")[0].lower() for line in host.split("\n") if "," in line})


def _proxy(network_id: str, proxy: ServedProxy, now: float, *, stray: bool) -> dict[str, Any]:
    return {
        "network": network_id,
        "proxy": proxy.proxy_id,
        "pid": proxy.pid,
        "alive": proxy.alive,
        "adopted": proxy.adopted,
        "started_seconds_ago": _ago(proxy.started_at, now),
        "deaths": proxy.deaths,
        "last_death": _death(proxy.last_death, now),
        "left_over": stray,
    }


def _death(death: LastDeath | None, now: float) -> dict[str, Any] | None:
    if death is None:
        return None
    return {"exit_code": death.exit_code, "detail": death.detail, "seconds_ago": _ago(death.at, now)}


def _pending(record: NetworkRecord, now: float) -> Iterator[dict[str, Any]]:
    """What a network waits for: a fetch, a DHCP port, a release, its proxy, the host, the time of its next reload."""
    if record.need is not None:
        yield _waits(record, "fetch", list(record.need.reasons), record.need_retry, now)
    for key in sorted(record.claim_retry):
        yield _waits(record, "claim", [], record.claim_retry[key], now, key.segmentation)
    for key in sorted(record.release_retry):
        yield _waits(record, "leases", [], record.release_retry[key], now, key.segmentation)
    if record.proxy_retry is not None:
        yield _waits(record, "proxy", [], record.proxy_retry, now)
    if record.retry is not None or record.observe or record.unreadable:
        reasons = ["to be looked at again"] if record.observe else []
        reasons += [f"could not be looked at: {record.unreadable}"] if record.unreadable else []
        yield _waits(record, "host", reasons, record.retry, now)
    if record.pace is not None and record.pace.waited and record.pace.until > now:
        paced = Retry(attempts=record.pace.waited, not_before=record.pace.until, reason="a burst of changes")
        yield _waits(record, "reload", [], paced, now)


def _waits(
    record: NetworkRecord, what: str, reasons: list[str], retry: Retry | None, now: float, segment: str | None = None
) -> dict[str, Any]:
    return {"network": record.id, "segment": segment, "what": what, "reasons": reasons, "retry": _retry(retry, now)}


def _served(record: NetworkRecord) -> list[tuple[InstanceKey, ServedInstance]]:
    return sorted(record.served.items())


def _proxies(record: NetworkRecord) -> Iterator[tuple[ServedProxy, bool]]:
    if record.proxy is not None:
        yield record.proxy, False
    for proxy in sorted(record.stray_proxies, key=lambda each: each.proxy_id):
        yield proxy, True


def _retry(retry: Retry | None, now: float) -> dict[str, Any] | None:
    if retry is None:
        return None
    return {"reason": retry.reason, "attempts": retry.attempts, "in_seconds": _ahead(retry.not_before, now)}


def _ago(time: float | None, now: float) -> float | None:
    return None if time is None else round(max(0.0, now - time), 3)


def _ahead(time: float, now: float) -> float | None:
    """None for infinity: no time will do, only news; what is overdue is due now."""
    return None if time == float("inf") else round(max(0.0, time - now), 3)
