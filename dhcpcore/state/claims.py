"""Folding what became of a claim: an instance's DHCP port was made, changed, taken over, refused, or given back."""

from __future__ import annotations

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.agent import AgentState, need_fetch, put
from dhcpcore.state.evolving import evolve
from dhcpcore.state.notifications import drop_desired
from dhcpcore.state.ports import find_port, is_ours, served_otherwise, with_port, without_port
from dhcpcore.state.records import NetworkRecord, backoff, until_news


def claimed(state: AgentState, action: actions.ClaimAction, port: Port | None, at: float) -> AgentState:
    """The server answered a claim; where the network went meanwhile, the port is owed back."""
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
    if port.id in state.tombstones:
        return put(state, need_fetch(record, state.seq, "what was claimed was deleted again"))
    position, before = find_port(network, port.id)
    if before is None and max(record.answered_seq, state.sync.answered_seq) >= record.claim_seq >= 0:
        # An answer that was asked for after the claim came before it and lacks the port: which of the two is older?
        record = need_fetch(record, state.seq, "what was claimed was not listed")
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
        insisted = frozenset(got - asked) if asked else frozenset()
        if insisted:
            record = evolve(record, accepted=record.accepted.set(action.key, insisted))
        elif action.key in record.accepted:
            record = evolve(record, accepted=record.accepted.delete(action.key))
    # One that was reserved may be waited for since before it was ours.
    reserved = isinstance(action, actions.ClaimReservedPort)
    if reserved or port.status != "ACTIVE" or (before is not None and served_otherwise(before, port)):
        record = evolve(record, awaiting_ready=record.awaiting_ready.set(port.id, False))
    if state.fetching:
        state = evolve(state, recent=state.recent.set(port.id, state.seq))
    return put(state, record)


def _claim_again(
    state: AgentState, record: NetworkRecord, key: InstanceKey, reason: str, *, at: float, jitter: float = 0.0
) -> NetworkRecord:
    retry = backoff(state.settings, record.claim_retry.get(key), at=at, reason=reason, jitter=jitter)
    return evolve(record, claim_retry=record.claim_retry.set(key, retry))


def claim_failed(
    state: AgentState, record: NetworkRecord, action: actions.PortAction, event: events.ActionFailed
) -> AgentState:
    """A claim, or giving a port back, failed: ask, wait for news, or let the network go."""
    key = action.key
    gives_back = isinstance(action, actions.ReleaseDhcpPort)
    if event.fault == "network_not_found":
        if gives_back and key in record.owed:
            record = evolve(record, owed=record.owed.delete(key))
        if record.need is not None:
            return put(state, record)  # it was created again meanwhile, say: that is asked
        if not gives_back and record.event_seq > record.claim_seq:
            return put(state, need_fetch(record, state.seq, "a claim failed"))
        return drop_desired(state, record, "unlisted")
    # No news is to be expected of a port that is owed: giving it back is tried again all the same.
    if not gives_back and (event.fault == "address_exhausted" or not event.retryable):
        retry = until_news(record.claim_retry.get(key), event.reason)
        return put(state, evolve(record, claim_retry=record.claim_retry.set(key, retry)))
    record = _claim_again(state, record, key, event.reason, at=event.at, jitter=event.jitter)
    if record.desired is not None:
        # The outcome is not known: the port may exist by now. Ask, never create another one.
        record = need_fetch(record, state.seq, "a claim failed")
    return put(state, record)


def released(state: AgentState, record: NetworkRecord, device_id: str, at: float) -> tuple[AgentState, NetworkRecord]:
    """Without the ports of this device id; an answer that was asked for before brings none of them back."""
    if record.desired is None:
        return state, record
    tombstones, age = state.tombstones, state.settings.tombstone_age
    for position, port in reversed(list(enumerate(record.desired.ports))):
        if port.device_id == device_id:
            record = without_port(record, position, port)
            tombstones = tombstones.add(port.id, seq=state.seq, at=at, age=age)
    return evolve(state, tombstones=tombstones), record
