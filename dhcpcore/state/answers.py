"""Folding what the server answered to a fetch.

Each fetch remembers the number of the last event folded before it was sent.  Its answer wins for every object that no
later event touched, whatever its revision (a restored backup has old ones); objects touched since keep the event.
"""

from __future__ import annotations

from attrs import evolve

from dhcpcore.actions import FetchNetwork, FetchNetworks
from dhcpcore.events import FetchedNetworks
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.state.agent import AgentState, Brake, need_fetch, need_full_fetch, put
from dhcpcore.state.notifications import drop_desired, news
from dhcpcore.state.ports import index_addresses, is_ours, replace_ports
from dhcpcore.state.records import NetworkRecord, backoff


def networks_fetched(state: AgentState, action: FetchNetworks, fetched: FetchedNetworks, at: float) -> AgentState:
    """A full answer."""
    sync = evolve(state.sync, answered_seq=action.sent_seq, retry=None)
    if sync.need is not None and sync.need.seq <= action.sent_seq:
        sync = evolve(sync, need=None)
    state = evolve(state, sync=sync)
    if action.sent_seq >= 0:
        state = evolve(state, tombstones=state.tombstones.since(action.sent_seq))
    listed = set()
    for network in fetched.networks:
        listed.add(network.id)
        state = _listed(state, network, action.sent_seq)
    for failure in fetched.failed:
        if failure.network_id is None:
            # Which one it was cannot be read: none can be told to be missing.
            listed.update(state.networks)
            continue
        listed.add(failure.network_id)
        record = need_fetch(state.record(failure.network_id), state.seq, "unreadable in a full answer")
        retry = backoff(state.settings, record.need_retry, at=at, reason=failure.message, jitter=0.0)
        state = put(state, evolve(record, need_retry=retry))
    return _missing(state, listed, action.sent_seq, at)


def network_fetched(state: AgentState, action: FetchNetwork, network: Network | None, at: float) -> AgentState:
    """The answer about one network."""
    record = state.record(action.network_id)
    if record.event_seq > action.sent_seq and record.desired is None and record.removal == "deleted":
        return state
    if network is None:
        if record.event_seq > action.sent_seq:
            return state  # created again since; that event owes a fetch of its own
        if record.removal == "held":
            return put(state, _answered(record, action.sent_seq))
        return drop_desired(state, record, "deleted")
    if record.removal == "held" and not _has_our_port(state, network):
        # The server knows it and it is not ours any more: another agent may use the same MAC and address by now.
        return drop_desired(state, record, "unlisted")
    return _listed(state, network, action.sent_seq, keep_removal=record.removal == "held")


def _listed(state: AgentState, network: Network, sent_seq: int, *, keep_removal: bool = False) -> AgentState:
    """The server wants `network`."""
    record = state.record(network.id)
    if record.event_seq > sent_seq and record.desired is None and record.removal == "deleted":
        return state  # deleted after the question was sent
    late = state.late.get(network.id, -1) > sent_seq
    known = record.desired
    merged = _merge(state, record, network, sent_seq)
    if known is not None and merged == known and not late:
        merged = known
    awaiting = record.awaiting_ready
    for port in merged.ports:
        # What was bound and never reported; for the ports of a network that is right this is one comparison each.
        if port.status != "ACTIVE" and port.is_bound and port.id not in awaiting:
            awaiting = awaiting.set(port.id, False)
    removal = record.removal if keep_removal else None
    answered = _answered(record, sent_seq)
    if merged is known and removal == record.removal and awaiting is record.awaiting_ready and answered is record:
        return state
    if merged is not known:
        answered = news(evolve(answered, desired=merged, addresses=index_addresses(merged)))
    answered = evolve(answered, removal=removal, awaiting_ready=awaiting)
    if late:
        answered = need_fetch(answered, state.seq, "it changed while it was being listed")
    return put(state, answered)


def _answered(record: NetworkRecord, sent_seq: int) -> NetworkRecord:
    if record.need is not None and record.need.seq <= sent_seq:
        return evolve(record, need=None, need_retry=None)
    return record


def _merge(state: AgentState, record: NetworkRecord, network: Network, sent_seq: int) -> Network:
    """`network` as answered, but with every object that a later event touched as that event has it."""
    known = record.desired
    if known is None:
        ports = tuple(p for p in network.ports if state.tombstones.seq_of(p.id) <= sent_seq)
        return network if len(ports) == len(network.ports) else replace_ports(network, ports)
    if network == known:
        return known
    before = {port.id: port for port in known.ports}
    ports_now: list[Port] = []
    answered = set()
    for port in network.ports:
        answered.add(port.id)
        mine = before.get(port.id)
        if state.recent.get(port.id, -1) > sent_seq:
            if mine is not None and port.id not in state.tombstones:
                ports_now.append(mine)
        elif state.tombstones.seq_of(port.id) <= sent_seq:
            ports_now.append(mine if mine == port and mine is not None else port)
    for port in known.ports:
        if port.id not in answered and state.recent.get(port.id, -1) > sent_seq:
            ports_now.append(port)
    merged = replace_ports(network, tuple(ports_now))
    if record.event_seq > sent_seq:
        merged = evolve(merged, mtu=known.mtu, admin_state_up=known.admin_state_up)
    return merged


def _has_our_port(state: AgentState, network: Network) -> bool:
    host = state.settings.host
    return any(is_ours(state, port) and port.binding_host_id in (None, "", host) for port in network.ports)


def _missing(state: AgentState, listed: set[str], sent_seq: int, at: float) -> AgentState:
    """What we know and a full answer lacks: disable, unless that would be unsafe."""
    missing = []
    served = 0
    for record in state.networks.values():
        served += bool(record.served)
        if record.id in listed or record.event_seq > sent_seq:
            continue
        if record.need is not None and record.need.seq > sent_seq:
            continue
        if record.removal != "deleted":
            missing.append(record)
    missing.sort(key=lambda record: record.id)
    losing = [record for record in missing if record.served]
    for record in missing:
        if not record.served:
            state = drop_desired(state, record, "unlisted")
    if not state.admin_state_up:
        return evolve(_drop_all(state, losing), brake=None)
    first_answer = state.heartbeat.first_answer_seq
    if state.reports and (first_answer is None or sent_seq < first_answer):
        for record in losing:
            state = put(state, evolve(record, removal="untrusted"))
        # Where the server has heard of us by now, it is asked again at once; else its first answer will see to that.
        return heartbeat_trusted(state) if first_answer is not None else state
    settings = state.settings
    if served < settings.unsafe_disable_minimum or len(losing) * 100 <= settings.unsafe_disable_percent * served:
        return evolve(_drop_all(state, losing), brake=None)
    ids = frozenset(record.id for record in losing)
    brake = state.brake
    if brake is not None and brake.network_ids == ids and at >= brake.since + settings.unsafe_disable_hold:
        return evolve(_drop_all(state, losing), brake=None)
    since = brake.since if brake is not None and brake.network_ids == ids else at
    for record in losing:
        if record.removal != "held":
            held = evolve(record, removal="held")
            state = put(state, need_fetch(held, state.seq, "missing in a full answer"))
    hold_over = since + settings.unsafe_disable_hold
    ask_at = min(hold_over, at + settings.retry_interval_max)
    return evolve(state, brake=Brake(network_ids=ids, served=served, since=since, ask_at=ask_at))


def _drop_all(state: AgentState, records: list[NetworkRecord]) -> AgentState:
    for record in records:
        state = drop_desired(state, state.networks[record.id], "unlisted")
    return state


def let_go(state: AgentState) -> AgentState:
    """The brake is forced: what it holds goes."""
    held = [record for record in state.networks.values() if record.removal == "held"]
    return evolve(_drop_all(state, sorted(held, key=lambda record: record.id)), brake=None)


def heartbeat_trusted(state: AgentState) -> AgentState:
    """The server knows this agent now: an answer that was given before it did is asked for again."""
    if any(record.removal == "untrusted" for record in state.networks.values()):
        return need_full_fetch(state, "the server had not heard of this agent")
    return state
