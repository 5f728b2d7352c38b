"""Which agent serves which network (Neutron: agentschedulers_db, dhcp_agent_scheduler)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from dhcpcore import Settings
from reference_server.errors import ApiError, conflict
from reference_server.schema import agents, bindings, networks, ports, segments, subnets
from reference_server.segments import hosts_of_segment
from reference_server.transaction import Transaction, Wire

DHCP_AGENT: Final = "DHCP agent"
RESERVED: Final = "reserved_dhcp_port"


@lru_cache(maxsize=8192)
def dhcp_device_id(host: str, network_id: str) -> str:
    """device_id of the DHCP port of the agent on `host`."""
    return Settings(host=host).dhcp_device_id(network_id)


def is_alive(tx: Transaction, agent: Wire) -> bool:
    """Whether its last heartbeat is younger than agent_down_time."""
    return bool(tx.now - agent["heartbeat_timestamp"] <= tx.options.agent_down_time)


def hosting(tx: Transaction, network_id: str) -> list[Wire]:
    """The agents that serve a network, in the order in which they were given it."""
    return tx.rows(sa.select(agents).join(bindings).where(bindings.c.network_id == network_id).order_by(bindings.c.seq))


def listeners(tx: Transaction, network_id: str, subnet: Wire | None = None) -> list[str]:
    """Hosts whose agents are told about a network: those that serve it and are not administratively down.

    Args:
        subnet: what it is about; one on a segment concerns only the hosts that reach it.
    """
    hosts = [agent["host"] for agent in hosting(tx, network_id) if agent["admin_state_up"]]
    if subnet is not None and subnet["segment_id"]:
        segment = tx.row(sa.select(segments).where(segments.c.id == subnet["segment_id"]))
        mapped = [] if segment is None else hosts_of_segment(tx, segment)
        hosts = [host for host in hosts if host in mapped]
    return hosts


def schedule(tx: Transaction, network_id: str) -> list[Wire]:
    """Find live agents for a network that has too few, and tell them (on creation of subnets and ports).

    Returns:
        all its agents.
    """
    there = hosting(tx, network_id)
    missing = tx.options.dhcp_agents_per_network - len(there)
    if tx.options.network_auto_schedule and missing > 0:
        for agent in _candidates(tx, network_id)[:missing]:
            bind(tx, network_id, agent)
            tx.cast(agent["host"], "network_create_end", {"network": {"id": network_id}})
            there.append(agent)
    return there


def schedule_for(tx: Transaction, agent: Wire) -> None:
    """Give an agent that asks for its networks those that have DHCP and too few agents."""
    if not tx.options.network_auto_schedule or not agent["admin_state_up"] or not is_alive(tx, agent):
        return
    served = sa.select(sa.func.count()).where(bindings.c.network_id == networks.c.id).scalar_subquery()
    with_dhcp = sa.select(subnets.c.network_id).where(subnets.c.enable_dhcp)
    short = sa.select(networks.c.id).where(networks.c.id.in_(with_dhcp), served < tx.options.dhcp_agents_per_network)
    for network_id in tx.column(short.order_by(networks.c.seq)):
        if any(each["id"] == agent["id"] for each in _candidates(tx, network_id)):
            bind(tx, network_id, agent)


def bind(tx: Transaction, network_id: str, agent: Wire) -> None:
    """Give a network to an agent, without a word."""
    tx.db.execute(sa.insert(bindings).values(network_id=network_id, agent_id=agent["id"]))
    tx.memo.clear()


def add_network(tx: Transaction, agent: Wire, network_id: str) -> None:
    """Give a network to an agent by hand, and tell it."""
    if agent["agent_type"] != DHCP_AGENT or not agent["admin_state_up"]:
        # Of neutron-lib's AgentNotFound, so 404.
        raise ApiError("InvalidDHCPAgent", f"Agent {agent['id']} is not a valid DHCP Agent or has been disabled.", 404)
    if any(each["id"] == agent["id"] for each in hosting(tx, network_id)):
        raise conflict(
            "NetworkHostedByDHCPAgent",
            f"The network {network_id} has been already hosted by the DHCP Agent {agent['id']}.",
        )
    bind(tx, network_id, agent)
    tx.cast(agent["host"], "network_create_end", {"network": {"id": network_id}})


def remove_network(tx: Transaction, agent: Wire, network_id: str) -> None:
    """Take a network away from an agent, and tell it; its DHCP port waits for another agent as a reserved one."""
    both = (bindings.c.network_id == network_id, bindings.c.agent_id == agent["id"])
    if tx.db.execute(sa.delete(bindings).where(*both)).rowcount == 0:
        raise conflict(
            "NetworkNotHostedByDhcpAgent", f"The network {network_id} is not hosted by the DHCP agent {agent['id']}."
        )
    own = dhcp_device_id(agent["host"], network_id)
    tx.db.execute(
        sa.update(ports)
        .where(ports.c.network_id == network_id, ports.c.device_id == own)
        .values(device_id=RESERVED, revision_number=ports.c.revision_number + 1, updated_at=tx.timestamp)
    )
    tx.cast(agent["host"], "network_delete_end", {"network_id": network_id})


def reschedule_dead(tx: Transaction) -> list[str]:
    """Take networks away from agents that are down, where others live; returns their ids.

    Neutron: allow_automatic_dhcp_failover, remove_networks_from_down_agents.
    """
    moved = []
    for agent in tx.rows(sa.select(agents).where(agents.c.agent_type == DHCP_AGENT)):
        if is_alive(tx, agent):
            continue
        mine = sa.select(bindings.c.network_id).where(bindings.c.agent_id == agent["id"]).order_by(bindings.c.seq)
        for network_id in tx.column(mine):
            if _candidates(tx, network_id):
                remove_network(tx, agent, network_id)
                schedule(tx, network_id)
                moved.append(network_id)
    return moved


def _candidates(tx: Transaction, network_id: str) -> list[Wire]:
    """Live agents without the network, the least loaded first; for a routed network those that reach it."""
    load: Any = sa.select(sa.func.count()).where(bindings.c.agent_id == agents.c.id).scalar_subquery()
    have = sa.select(bindings.c.agent_id).where(bindings.c.network_id == network_id)
    found = tx.rows(
        sa.select(agents)
        .where(
            agents.c.agent_type == DHCP_AGENT,
            agents.c.admin_state_up,
            agents.c.heartbeat_timestamp >= tx.now - tx.options.agent_down_time,
            agents.c.id.not_in(have),
        )
        .order_by(load, agents.c.host)
    )
    on = sa.select(segments).join(subnets, subnets.c.segment_id == segments.c.id)
    parts = tx.rows(on.where(subnets.c.network_id == network_id).distinct()) if found else []
    if not parts:
        return found
    mapped = {host for part in parts for host in hosts_of_segment(tx, part)}
    return [agent for agent in found if agent["host"] in mapped]
