"""Folding what the server tells unasked: networks, subnets and ports that came, changed or went.

Notifications may come late, twice, in any order, or never.  So each is applied only as far as it can be trusted by
itself, and anything it leaves in doubt is asked of the server: one fetch of that one network.
"""

from __future__ import annotations

from typing import Literal

from immutables import Map

import dhcpcore.events as events
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.agent import AgentState, need_fetch, need_full_fetch, put
from dhcpcore.state.evolving import evolve
from dhcpcore.state.ports import find_port, is_ours, own_ports, served_otherwise, with_port, without_port
from dhcpcore.state.records import NetworkRecord


def network_created(event: events.NetworkCreated, state: AgentState) -> AgentState:
    """This agent shall serve the network; the notification holds its id only."""
    record = evolve(state.record(event.network_id), event_seq=state.seq)
    if record.removal == "deleted":
        record = evolve(record, removal=None)
    return put(state, need_fetch(record, state.seq, "network created"))


def network_updated(event: events.NetworkUpdated, state: AgentState) -> AgentState:
    """A new MTU, admin state or list of subnets is asked for; a new name changes nothing (museum L11).

    Not folded as it is: a network has no revision number in what agents are told, so an older update that comes late
    cannot be told from a newer one, and "down" would take the network away.
    """
    record = state.networks.get(event.network_id)
    if record is None or record.desired is None:
        if record is not None and record.removal == "deleted":
            return state  # told of a network that was taken from us before
        if not event.admin_state_up:
            return state
        record = evolve(state.record(event.network_id), event_seq=state.seq)
        return put(state, need_fetch(record, state.seq, "network updated"))
    network = record.desired
    same = event.admin_state_up == network.admin_state_up and event.mtu in (None, network.mtu)
    if same and (event.subnet_ids is None or set(event.subnet_ids) == {s.id for s in network.all_subnets}):
        return put(state, news(record)) if news(record) is not record else state
    return put(state, need_fetch(news(record), state.seq, "network updated"))


def network_deleted(event: events.NetworkDeleted, state: AgentState) -> AgentState:
    """Deleted, or taken from this agent: never braked."""
    record = state.networks.get(event.network_id)
    if record is None:
        if not state.fetching:
            return state
        # An answer that was asked for before may still list it: remember until no answer is under way.
        record = NetworkRecord(id=event.network_id)
    return drop_desired(state, evolve(record, event_seq=state.seq), "deleted")


def drop_desired(state: AgentState, record: NetworkRecord, removal: Literal["deleted", "unlisted"]) -> AgentState:
    """`state` in which nothing is wanted of a network any more; what is served of it remains to be disabled."""
    owed = record.owed
    if record.desired is not None:
        queue = state.ready.queue
        for port in record.desired.ports:
            if port.id in queue:
                queue = queue.delete(port.id)
        if queue is not state.ready.queue:
            state = evolve(state, ready=evolve(state.ready, queue=queue))
        for key, device_id in own_ports(state, record.desired).items():
            if key not in record.served:
                owed = owed.set(key, device_id)  # claimed, and never served on
    elif record.namespace and not record.served:
        # Left behind half made: a port may have been claimed for it in an earlier life.
        key = InstanceKey(network_id=record.id)
        owed = owed.set(key, state.settings.dhcp_device_id(record.id, None))
    gone = evolve(
        record,
        desired=None,
        removal=removal,
        addresses=Map(),
        need=None,
        need_retry=None,
        claim_retry=Map(),
        proxy_retry=None,
        retry=None,
        awaiting_ready=Map(),
        accepted=Map(),
        owed=owed,
    )
    if gone.is_empty and state.fetching and removal == "deleted":
        return evolve(state, networks=state.networks.set(gone.id, gone), late=state.late.set(gone.id, state.seq))
    return put(state, gone)


def subnet_changed(event: events.SubnetCreated | events.SubnetUpdated, state: AgentState) -> AgentState:
    """A subnet's revision number does not grow with every change (it was 0 throughout): ask for the network."""
    network_id = event.subnet.network_id
    record = state.record(network_id)
    if record.desired is None:
        if record.removal == "deleted":
            return state
        record = evolve(record, event_seq=state.seq)
    elif event.subnet in record.desired.all_subnets:
        # Told again; or its allocation pools changed, which agents have no use for, but a claim may have waited for.
        return put(state, news(record)) if news(record) is not record else state
    return put(state, need_fetch(news(record), state.seq, f"subnet {event.subnet.id} changed"))


def subnet_deleted(event: events.SubnetDeleted, state: AgentState) -> AgentState:
    """The subnet goes at once; the network is asked for, because routes of its neighbours name it."""
    network_id = event.network_id or _network_of_subnet(state, event.subnet_id)
    record = state.networks.get(network_id) if network_id is not None else None
    if record is None or record.desired is None:
        return state
    network = record.desired
    if all(subnet.id != event.subnet_id for subnet in network.all_subnets):
        return state
    network = evolve(
        network,
        subnets=tuple(s for s in network.subnets if s.id != event.subnet_id),
        non_local_subnets=tuple(s for s in network.non_local_subnets if s.id != event.subnet_id),
    )
    record = need_fetch(evolve(record, desired=network), state.seq, f"subnet {event.subnet_id} deleted")
    return put(state, news(record))


def port_changed(event: events.PortCreated | events.PortUpdated, state: AgentState) -> AgentState:
    """A port came or changed: stale, deleted and repeated ones change nothing (museum L5, Launchpad 1824802)."""
    port = event.port
    if port.id in state.tombstones:
        return state
    record = state.networks.get(port.network_id)
    if record is None or record.desired is None:
        if record is None or record.removal != "deleted":
            return _note_late(state, port.network_id)
        return state
    subnet_ids = {subnet.id for subnet in record.desired.all_subnets}
    position, known = find_port(record.desired, port.id)
    if known is not None:
        if known.revision_number > port.revision_number or known == port:
            return state
        if known.fixed_ips != port.fixed_ips:
            record = news(record)
            if is_ours(state, known) and _subnets(known) != _subnets(port):
                # Maybe one of its subnets is being deleted: ask before anything is claimed.
                record = need_fetch(record, state.seq, "the DHCP port was changed")
    awaiting = record.awaiting_ready
    if not is_ours(state, port):
        awaiting = awaiting.set(port.id, True)
    elif known is not None and served_otherwise(known, port) and port.id not in awaiting:
        awaiting = awaiting.set(port.id, False)  # our own is waited for as any other, and nobody waits for that
    holders = {record.addresses.get(ip.ip_address, port.id) for ip in port.fixed_ips} - {port.id}
    if holders:
        # Another port holds the address: one of the two is stale, only the server knows which (Launchpad 1645835).
        return put(state, need_fetch(record, state.seq, f"port {port.id} has the address of another port"))
    if not _subnets(port) <= subnet_ids:
        # The news of its subnet was lost, or is late: nothing could be served to it, and it would be reported as ready.
        return put(state, need_fetch(record, state.seq, f"port {port.id} is on a subnet that is not known"))
    state = _touched_port(state, port.id)
    return put(state, with_port(evolve(record, awaiting_ready=awaiting), port, position, known))


def _touched_port(state: AgentState, port_id: str) -> AgentState:
    """An event about this port was taken over: it wins over answers under way, and what was ready is so no longer."""
    if state.fetching:
        state = evolve(state, recent=state.recent.set(port_id, state.seq))
    if port_id in state.ready.queue:
        state = evolve(state, ready=evolve(state.ready, queue=state.ready.queue.delete(port_id)))
    return state


def _subnets(port: Port) -> set[str]:
    return {ip.subnet_id for ip in port.fixed_ips}


def port_deleted(event: events.PortDeleted, state: AgentState) -> AgentState:
    """A port went; remembered for a while, so that a late create does not bring it back."""
    age = state.settings.tombstone_age
    state = evolve(state, tombstones=state.tombstones.add(event.port_id, seq=state.seq, at=event.at, age=age))
    state = _touched_port(state, event.port_id)
    network_id = event.network_id
    if network_id is None:
        network_id = _network_of_port(state, event.port_id)
    record = state.networks.get(network_id) if network_id is not None else None
    if record is None or record.desired is None:
        return state
    position, known = find_port(record.desired, event.port_id)
    if known is None:
        return state
    record = news(without_port(record, position, known))
    if is_ours(state, known):
        record = need_fetch(record, state.seq, "the DHCP port was deleted")
    return put(state, record)


def agent_updated(event: events.AgentUpdated, state: AgentState) -> AgentState:
    """The operator switched this agent on or off: the server's list follows, without a brake."""
    now = evolve(state, admin_state_up=event.admin_state_up, admin_seq=state.seq)
    return need_full_fetch(now, "agent updated")


def payload_refused(event: events.PayloadRefused, state: AgentState) -> AgentState:
    """A notification was unreadable: ask for its network, or for everything where that is not one of ours yet."""
    record = state.networks.get(event.network_id) if event.network_id is not None else None
    if record is None or record.desired is None:
        return need_full_fetch(state, "an unreadable notification") if event.understood else state
    return put(state, need_fetch(record, state.seq, "an unreadable notification"))


def news(record: NetworkRecord) -> NetworkRecord:
    """`record` after something that may have freed an address: claims that waited for news may be tried again."""
    left = record.claim_retry
    for key, retry in record.claim_retry.items():
        if retry.not_before == float("inf"):
            left = left.delete(key)
    return record if left is record.claim_retry else evolve(record, claim_retry=left)


def _note_late(state: AgentState, network_id: str) -> AgentState:
    """A port of a network that we do not know: only a full answer under way can make it ours (Launchpad 1659919)."""
    if "fetch_networks" in state.fetches or f"fetch:{network_id}" in state.fetches:
        return evolve(state, late=state.late.set(network_id, state.seq))
    return state


def _network_of_port(state: AgentState, port_id: str) -> str | None:
    # Servers before Newton sent no network id; a search is good enough for them.
    for record in state.networks.values():
        if record.desired is not None and find_port(record.desired, port_id)[1] is not None:
            return record.id
    return None


def _network_of_subnet(state: AgentState, subnet_id: str) -> str | None:
    for record in state.networks.values():
        if record.desired is not None and any(s.id == subnet_id for s in record.desired.all_subnets):
            return record.id
    return None
