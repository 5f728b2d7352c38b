"""What one agent knows, and how an event changes it."""

from __future__ import annotations

from dhcpcore.state.agent import AgentState, initial_state
from dhcpcore.state.fold import fold_event, fold_events
from dhcpcore.state.records import NetworkRecord, ServedInstance, ServedProxy

__all__ = [
    "AgentState",
    "NetworkRecord",
    "ServedInstance",
    "ServedProxy",
    "fold_event",
    "fold_events",
    "initial_state",
]
