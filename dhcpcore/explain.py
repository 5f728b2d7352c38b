"""Why a network is as it is, in JSON types and short texts: for ``dhcpcore explain``, ``dhcpcore replay``, embedders.

Knows the state, the plan and the events; decides nothing.  Times as in `dhcpcore.status`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import evolve
from immutables import Map

import dhcpcore.events as events
from dhcpcore.actions import Action, ObserveHost, Plan
from dhcpcore.plan import plan_sync
from dhcpcore.state.agent import AgentState
from dhcpcore.state.records import NetworkRecord, short
from dhcpcore.status import describe_state

FORMAT_VERSION: Final = 1

_REMOVALS: Final[Mapping[str, str]] = {
    "deleted": "the server said that it is deleted, or no longer this agent's: it is to be disabled",
    "unlisted": "the server no longer lists it: it is to be disabled",
    "held": "the server no longer lists it, nor many others: the brake holds them (dhcpcore force-disable lets go)",
    "untrusted": "the server does not list it, but may not have heard of this agent yet: it stays",
}


def explain_network(state: AgentState, network_id: str, now: float) -> dict[str, Any]:
    """What is wanted, served, waited for and would be done now, for one network, and why.

    Costs what the network costs, however many others there are.  docs/command-line.md has the members.

    Args:
        now: monotonic seconds.
    """
    record = state.networks.get(network_id)
    alone = evolve(state, networks=Map() if record is None else Map({network_id: record}))
    described = describe_state(alone, now)
    plan = _plan_of(alone, network_id, now)
    mine = [action for action in plan if action.network_id == network_id]
    in_flight = {scope: count for scope, count in sorted(state.in_flight.items()) if _is_about(scope, network_id)}
    explained: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "network": network_id,
        "known": record is not None,
        "removal": None if record is None else record.removal,
        "wanted": None if record is None else _wanted(record),
        "instances": described["instances"],
        "metadata_proxies": described["metadata_proxies"],
        "pending": described["pending"],
        "in_flight": in_flight,
        "ports_to_be_reported": 0 if record is None else len(record.awaiting_ready),
        "would_do": [describe_action(action) for action in mine],
        "cannot_plan": next((one.reason for one in plan.unplanned if one.network_id == network_id), None),
        "reload_waits": network_id in plan.paced,
    }
    return {**explained, "because": list(_because(state, record, explained))}


def describe_action(action: Action) -> dict[str, Any]:
    """An action in short: ``kind``, ``segment`` (null where there is none), ``reasons``."""
    key = getattr(action, "key", None)
    segment = key.segmentation if key is not None else None
    return {"kind": action.kind, "segment": segment, "reasons": list(action.reasons)}


def describe_event(event: events.Event) -> str:
    """An event as one short line, for people: what happened, and to which port or subnet."""
    describe = _TEXTS.get(type(event))
    return short(type(event).__name__ if describe is None else describe(event))


def event_networks(event: events.Event) -> tuple[str, ...]:
    """Ids of the networks that an event is about; empty where it is about none alone, or does not say."""
    if isinstance(event, events.PlanStarted):
        actions = {action.network_id for action in event.plan}
        failed = {one.network_id for one in event.plan.unplanned}
        return tuple(sorted(one for one in actions | failed if one is not None))
    for holder in (event, *(getattr(event, name, None) for name in ("port", "subnet", "key", "action"))):
        network_id = getattr(holder, "network_id", None)
        if isinstance(network_id, str):
            return (network_id,)
    return ()


# -- a network --------------------------------------------------------------------------------------------------------


def _plan_of(state: AgentState, network_id: str, now: float) -> Plan:
    """What would be planned for it now, were it touched."""
    touched: Map[str, bool] = Map({network_id: True})
    return plan_sync(evolve(state, touched=touched, waiting=Map()), now)


def _is_about(scope: str, network_id: str) -> bool:
    """Scopes end with the network's id, a claim's with a directory that does."""
    _, colon, what = scope.partition(":")
    return bool(colon) and (what == network_id or what.endswith(f"/{network_id}"))


def _wanted(record: NetworkRecord) -> dict[str, Any] | None:
    network = record.desired
    if network is None:
        return None
    return {
        "admin_state_up": network.admin_state_up,
        "mtu": network.mtu,
        "subnets": len(network.all_subnets),
        "dhcp_subnets": sum(subnet.enable_dhcp for subnet in network.all_subnets),
        "segments": len(network.segments),
        "ports": len(network.ports),
    }


def _because(state: AgentState, record: NetworkRecord | None, explained: Mapping[str, Any]) -> Iterator[str]:
    """Sentences without their full stop."""
    if record is None:
        yield "neither the server nor this host has told of a network with this id"
        return
    if not state.observation.done:
        yield "the host was not looked at yet: nothing is done on it before"
    if record.removal is not None:
        yield _REMOVALS[record.removal]
    if record.desired is None and record.removal is None:
        yield "what the server wants of it is not known" + ("" if record.need is None else " yet: it is to be asked")
    yield from _because_of_wishes(record)
    for one in explained["instances"]:
        where = "" if one["segment"] is None else f" of segment {one['segment']}"
        if not one["alive"]:
            yield f"the dnsmasq{where} is not running"
        if one["dirty"]:
            yield f"files{where} were written that dnsmasq may not have loaded"
        yield from (f"found amiss{where}: {drift}" for drift in one["drift"])
    for one in explained["pending"]:
        if one["retry"] is not None and one["retry"]["attempts"]:
            what = {
                "claim": "its DHCP port",
                "host": "work on the host",
                "leases": "a release of leases",
                "proxy": "its metadata proxy",
            }.get(one["what"], f"a {one['what']}")
            until = "only news can help" if one["retry"]["in_seconds"] is None else "it is tried again"
            yield f"{what} waits: {one['retry']['reason']}; {until}"
    if explained["cannot_plan"] is not None:
        yield f"no plan can be made for it: {explained['cannot_plan']}"
    if explained["in_flight"]:
        yield "something is being done for it: what else is to be done is planned when that has ended"
    if explained["reload_waits"] and not any(one["what"] == "reload" for one in explained["pending"]):
        yield "a reload waits for its time: the last one was a short while ago"
    open_questions = ("would_do", "in_flight", "pending", "reload_waits", "cannot_plan")
    if record.served and record.wanted and record.removal is None and not any(explained[one] for one in open_questions):
        yield "what runs is what the server wants"


def _because_of_wishes(record: NetworkRecord) -> Iterator[str]:
    network = record.desired
    if network is None or record.served:
        return
    if not network.admin_state_up:
        yield "it is administratively down: nothing is served on it"
    elif not any(subnet.enable_dhcp for subnet in network.subnets):
        yield "it has no subnet with DHCP here: nothing is served on it"


# -- an event ---------------------------------------------------------------------------------------------------------


def _of_port(method: str) -> Callable[[Any], str]:
    return lambda event: f"{method}: port {event.port.id}, revision {event.port.revision_number}"


def _of_subnet(method: str) -> Callable[[Any], str]:
    return lambda event: f"{method}: subnet {event.subnet.id}"


def _ended(program: str) -> Callable[[Any], str]:
    def text(event: Any) -> str:
        code = "" if event.exit_code is None else f", exit code {event.exit_code}"
        detail = f": {event.detail}" if event.detail else ""
        return f"{program} {event.pid or '?'} has ended{code}{detail}"

    return text


def _succeeded(event: Any) -> str:
    action, result = event.action, event.result
    match result:
        case events.FetchedNetworks():
            failed = f", {len(result.failed)} of them unreadable" if result.failed else ""
            return f"{action.kind} done: {len(result.networks) + len(result.failed)} networks{failed}"
        case str():
            return f"{action.kind} done: {result}"
        case events.InstanceStarted(pid=int(pid)) | events.ProxyStarted(pid=int(pid)):
            return f"{action.kind} done: pid {pid}"
        case events.LeasesLeft(reason=reason):
            return f"{action.kind} done, but leases of nobody are left: {reason}"
        case events.ProxyStarted(dadfailed=True):
            return f"{action.kind} done: the IPv6 metadata address is another agent's"
        case None if action.kind == "fetch_network":
            return f"{action.kind} done: the server does not know it"
    if isinstance(action, ObserveHost):
        return f"{action.kind} done: {len(getattr(result, 'instances', ()))} instances found"
    return f"{action.kind} done"


def _failed(event: Any) -> str:
    again = "" if event.retryable else "; only news can help"
    return f"{event.action.kind} failed ({event.fault}): {event.reason}{again}"


def _planned(event: Any) -> str:
    kinds = Counter(action.kind for action in event.plan)
    asked = ", ".join(kind if count == 1 else f"{count} {kind}" for kind, count in kinds.items())
    return f"plan: {asked or 'nothing to do'}"


_TEXTS: Final[Mapping[type[events.Event], Callable[[Any], str]]] = {
    events.NetworkCreated: lambda event: "network_create_end",
    events.NetworkUpdated: lambda event: "network_update_end",
    events.NetworkDeleted: lambda event: "network_delete_end",
    events.SubnetCreated: _of_subnet("subnet_create_end"),
    events.SubnetUpdated: _of_subnet("subnet_update_end"),
    events.SubnetDeleted: lambda event: f"subnet_delete_end: subnet {event.subnet_id}",
    events.PortCreated: _of_port("port_create_end"),
    events.PortUpdated: _of_port("port_update_end"),
    events.PortDeleted: lambda event: f"port_delete_end: port {event.port_id}",
    events.AgentUpdated: lambda event: f"agent_updated: {'up' if event.admin_state_up else 'down'}",
    events.PayloadRefused: lambda event: f"a notification was refused: {event.message}",
    events.ResyncRequested: lambda event: f"a sync was asked for: {event.reason}",
    events.ServerConnected: lambda event: "connected to the server",
    events.DisableForced: lambda event: "an operator let go of the brake",
    events.AgentKnown: lambda event: "the server knows this agent",
    events.SettingsChanged: lambda event: "the settings were read again",
    events.CapabilitiesChanged: lambda event: "dnsmasq or the interface driver is another one",
    events.HostObserved: lambda event: f"the host was looked at: {len(event.observed.instances)} instances found",
    events.ProcessDied: _ended("dnsmasq"),
    events.ProxyDied: _ended("the metadata proxy"),
    events.PlanStarted: _planned,
    events.ActionSucceeded: _succeeded,
    events.ActionFailed: _failed,
}
