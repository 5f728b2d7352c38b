"""Agents: their heartbeats, and what an operator does with them."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from reference_server.errors import ApiError, not_found
from reference_server.scheduling import DHCP_AGENT, is_alive, remove_network
from reference_server.schema import agents, bindings
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_agents


def agent_row(tx: Transaction, agent_id: str) -> Wire:
    """The row.

    Raises:
        ApiError: 404.
    """
    row = tx.row(sa.select(agents).where(agents.c.id == agent_id))
    if row is None:
        raise not_found("Agent", agent_id)
    return row


def dhcp_agent_on(tx: Transaction, host: str) -> Wire | None:
    """The row of the host's DHCP agent, if one has ever reported."""
    return tx.row(sa.select(agents).where(agents.c.agent_type == DHCP_AGENT, agents.c.host == host))


def report_state(tx: Transaction, host: str, state: Wire) -> str:
    """A heartbeat. Returns ``new``, ``alive`` or ``revived``."""
    kind, configurations = state.get("agent_type", DHCP_AGENT), state.get("configurations") or {}
    if not isinstance(kind, str) or not isinstance(configurations, dict):
        raise ApiError("InvalidInput", "agent_state: agent_type must be a text and configurations an object")
    values: dict[str, Any] = {"heartbeat_timestamp": tx.now, "configurations": configurations}
    for name in ("binary", "topic", "availability_zone"):
        if isinstance(state.get(name), str):
            values[name] = state[name]
    same = (agents.c.agent_type == kind, agents.c.host == host)
    old = tx.row(sa.select(agents).where(*same))
    if old is None:
        first = {"id": str(uuid.uuid4()), "agent_type": kind, "host": host, "binary": "", "topic": ""}
        times = {"created_at": tx.now, "started_at": tx.now}
        tx.db.execute(sa.insert(agents).values(**{**first, **times, **values}))
        return "new"
    if state.get("start_flag"):
        values["started_at"] = tx.now
    tx.db.execute(sa.update(agents).where(agents.c.id == old["id"]).values(**values))
    return "alive" if is_alive(tx, old) else "revived"


def update_agent(tx: Transaction, agent_id: str, changes: Wire) -> Wire:
    """Enable, disable or describe an agent, and return it; a DHCP agent is told."""
    old = agent_row(tx, agent_id)
    if changes:
        tx.db.execute(sa.update(agents).where(agents.c.id == agent_id).values(**changes))
    up = changes.get("admin_state_up", old["admin_state_up"])
    if old["agent_type"] == DHCP_AGENT and up != old["admin_state_up"]:
        tx.cast(old["host"], "agent_updated", {"admin_state_up": up})
    return find_agents(tx, agents.c.id == agent_id)[0]


def delete_agent(tx: Transaction, agent_id: str) -> None:
    """Forget an agent; its networks are taken from it first. One that still runs is new at its next heartbeat."""
    agent = agent_row(tx, agent_id)
    for network_id in tx.column(sa.select(bindings.c.network_id).where(bindings.c.agent_id == agent_id)):
        remove_network(tx, agent, network_id)
    tx.db.execute(sa.delete(agents).where(agents.c.id == agent_id))
