"""Folding what the server answered to a fetch.

Each fetch remembers the number of the last event folded before it was sent.  Its answer wins for every object that no
later event touched, whatever its revision (a restored backup has old ones); objects touched since keep the event.
Of two answers the one that was asked for later wins, in whichever order they come.
"""

from __future__ import annotations

from immutables import Map

from dhcpcore.actions import FetchNetwork, FetchNetworks
from dhcpcore.events import FetchedNetworks
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.state.agent import AgentState, need_fetch, need_full_fetch, put
from dhcpcore.state.evolving import evolve
from dhcpcore.state.missing import judge_missing
from dhcpcore.state.notifications import drop_desired, news
from dhcpcore.state.ports import index_addresses, is_ours, may_wait, replace_ports, served_otherwise
from dhcpcore.state.records import NetworkRecord, backoff, unreported


def networks_fetched(state: AgentState, action: FetchNetworks, fetched: FetchedNetworks, at: float) -> AgentState:
    """A full answer."""
    sent_seq = action.sent_seq
    sync = evolve(state.sync, answered_seq=sent_seq, told_seq=state.seq, answered_at=at, retry=None)
    if sync.need is not None and sync.need.seq <= sent_seq:
        sync = evolve(sync, need=None)
    state = evolve(state, sync=sync, tombstones=state.tombstones.since(sent_seq))
    if (fetched.networks or fetched.failed) and sent_seq >= state.admin_seq:
        # An agent that is down is told of no network: the notification that it is up again was lost.
        state = evolve(state, admin_state_up=True)
    for network in fetched.networks:
        if state.record(network.id).answered_seq <= sent_seq:
            state = _listed(state, network, sent_seq)
    listed = {network.id for network in fetched.networks}
    for failure in fetched.failed:
        if failure.network_id is not None:
            listed.add(failure.network_id)
            record = need_fetch(state.record(failure.network_id), state.seq, "unreadable in a full answer")
            retry = backoff(state.settings, record.need_retry, at=at, reason=failure.message, jitter=0.0)
            state = put(state, evolve(record, need_retry=retry))
    if any(failure.network_id is None for failure in fetched.failed):
        listed.update(state.networks)  # which one it was cannot be read: none can be told to be missing
        return state if state.brake is None else _ask_later(state, at)
    return judge_missing(state, listed, sent_seq, at)


def _ask_later(state: AgentState, at: float) -> AgentState:
    assert state.brake is not None
    return evolve(state, brake=evolve(state.brake, ask_at=at + state.settings.retry_interval_max))


def network_fetched(state: AgentState, action: FetchNetwork, network: Network | None) -> AgentState:
    """The answer about one network."""
    sent_seq = action.sent_seq
    record = state.record(action.network_id)
    if max(record.answered_seq, state.sync.answered_seq) > sent_seq:
        return put(state, answered(record, sent_seq)) if record.need is not None else state
    if record.desired is None and network is not None:
        # Whether the network is ours is told by a notification, or by the full answer.
        if record.need is None:
            # One has said meanwhile that it is not, after which nobody asks for it any more.
            if state.sync.told_seq <= sent_seq:
                return state
            return need_full_fetch(state, "a network that was not listed is known to the server")
        if state.sync.answered_seq == sent_seq:
            return put(state, answered(record, sent_seq))  # asked in one breath with everything
    if record.event_seq > sent_seq and (network is None or record.removal == "deleted"):
        return state  # deleted since, or created again: that event owes a fetch of its own, or wants none
    record = evolve(record, answered_seq=sent_seq)
    if network is None:
        if record.removal == "held":
            return put(state, answered(record, sent_seq))
        return drop_desired(state, record, "deleted")
    if record.removal == "held" and not _has_our_port(state, network):
        # The server knows it and it is not ours any more: another agent may use the same MAC and address by now.
        return drop_desired(state, record, "unlisted")
    state = evolve(state, networks=state.networks.set(record.id, record))
    # Neither that it is held nor that it is in doubt is settled by this: the server tells of any network that it knows.
    return _listed(state, network, sent_seq, keep_removal=record.removal in ("held", "untrusted"))


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
    if merged is not known:
        state = _revive(state, merged)
        state, awaiting = _forget_gone(state, record, merged)
    # Ports that this host starts to serve are reported, bound or not: the server tells nobody when it binds one later.
    # Of those that were served before we came, or were reported already, only what is bound and still not ACTIVE.
    served_before = _served_before(record) if merged is not known else {}
    starts = merged is not known and not (known is None and record.served)
    # Instances that we started and that serve a network which was not wanted for a while, or another of its id: what
    # they were not told of is new to them, and that it changed meanwhile was told to nobody, or to another agent.
    told = bool(record.served) and all(served.spec.view is not None for served in record.served.values())
    unheard_of = known is None and told
    left = unreported(record.served.values()) if known is None else set()
    for port in merged.ports:
        if port.id in awaiting:
            continue
        before = served_before.get(port.id)
        if unheard_of if before is None else any(served_otherwise(each, port) for each in before):
            awaiting = awaiting.set(port.id, False)
        elif port.status == "ACTIVE" and port.id not in left:
            continue
        elif port.id in left or (starts and before is None) or may_wait(port):
            awaiting = awaiting.set(port.id, False)
    now = news(answered(record, sent_seq))
    if merged is not known:
        now = evolve(now, desired=merged, addresses=index_addresses(merged))
    removal = record.removal if keep_removal else None
    if now is record and removal == record.removal and awaiting is record.awaiting_ready:
        return state
    now = evolve(now, removal=removal, awaiting_ready=awaiting)
    if late:
        now = need_fetch(now, state.seq, "it changed while it was being listed")
    return put(state, now)


def _served_before(record: NetworkRecord) -> dict[str, list[Port]]:
    """Each port as it is known; of a network that was not wanted for a while as its instances were told of it."""
    known = [record.desired] if record.desired is not None else []
    networks = known or [served.spec.view.network for served in record.served.values() if served.spec.view is not None]
    before: dict[str, list[Port]] = {}
    for network in networks:
        for port in network.ports:
            before.setdefault(port.id, []).append(port)
    return before


def answered(record: NetworkRecord, sent_seq: int) -> NetworkRecord:
    """`record` without a need that an answer asked at `sent_seq` satisfies."""
    if record.need is not None and record.need.seq <= sent_seq:
        return evolve(record, need=None, need_retry=None)
    return record


def _merge(state: AgentState, record: NetworkRecord, network: Network, sent_seq: int) -> Network:
    """`network` as answered, but with every port that a later event touched as that event has it."""
    known = record.desired
    if known is None:
        ports = tuple(p for p in network.ports if state.tombstones.seq_of(p.id) <= sent_seq)
        return network if len(ports) == len(network.ports) else replace_ports(network, ports)
    if network == known:
        return known
    before = {port.id: port for port in known.ports}
    now: list[Port] = []
    told = set()
    for port in network.ports:
        told.add(port.id)
        mine = before.get(port.id)
        if state.recent.get(port.id, -1) > sent_seq:
            if mine is not None:
                now.append(mine)
        elif state.tombstones.seq_of(port.id) <= sent_seq:
            now.append(mine if mine is not None and mine == port else port)
    now.extend(p for p in known.ports if p.id not in told and state.recent.get(p.id, -1) > sent_seq)
    return replace_ports(network, tuple(now))


def _revive(state: AgentState, network: Network) -> AgentState:
    """Ports that the server lists again are no longer deleted (a restored backup)."""
    tombstones = state.tombstones
    if len(tombstones):
        for port in network.ports:
            tombstones = tombstones.without(port.id)
    return state if tombstones is state.tombstones else evolve(state, tombstones=tombstones)


def _forget_gone(state: AgentState, record: NetworkRecord, network: Network) -> tuple[AgentState, Map[str, bool]]:
    """Ports that are gone, or will be served otherwise, are not reported as they were."""
    awaiting, queue = record.awaiting_ready, state.ready.queue
    if not awaiting and not queue:
        return state, awaiting
    there = {port.id: port for port in network.ports}
    for port_id in record.awaiting_ready:
        if port_id not in there:
            awaiting = awaiting.delete(port_id)
    before = record.desired.ports if record.desired is not None else ()
    for port in before:
        if port.id in queue and there.get(port.id) != port:
            if port.id in there:
                awaiting = awaiting.set(port.id, queue[port.id].urgent)
            queue = queue.delete(port.id)
    if queue is not state.ready.queue:
        state = evolve(state, ready=evolve(state.ready, queue=queue))
    return state, awaiting


def _has_our_port(state: AgentState, network: Network) -> bool:
    host = state.settings.host
    return any(is_ours(state, port) and port.binding_host_id in (None, "", host) for port in network.ports)
