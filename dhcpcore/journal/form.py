"""Events as JSON types, and digests of what can be computed again.

An event here is whole: it holds its action, its plan, its networks.  In a journal most outcomes and every plan are
shorter (see `dhcpcore.journal.recorder`).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import dhcpcore.events as events
from dhcpcore.actions import ORDER, Action, Plan
from dhcpcore.journal.codec import declare_family
from dhcpcore.journal.scalars import Shared
from dhcpcore.plan.encode import action_to_json, plan_to_json

_EVENTS: Final = (
    events.NetworkCreated,
    events.NetworkUpdated,
    events.NetworkDeleted,
    events.SubnetCreated,
    events.SubnetUpdated,
    events.SubnetDeleted,
    events.PortCreated,
    events.PortUpdated,
    events.PortDeleted,
    events.AgentUpdated,
    events.PayloadRefused,
    events.ResyncRequested,
    events.ServerConnected,
    events.DisableForced,
    events.AgentKnown,
    events.SettingsChanged,
    events.CapabilitiesChanged,
    events.HostObserved,
    events.ProcessDied,
    events.ProxyDied,
    events.PlanStarted,
    events.ActionSucceeded,
    events.ActionFailed,
)
declare_family(Action, *ORDER)
EVENT: Final = declare_family(events.Event, *_EVENTS)


def encode_event(event: events.Event) -> dict[str, Any]:
    """An event as JSON types: ``is``, its class's name, and its members but for those that have their default.

    Settings come without `transport_url`, which may hold a password.

    Raises:
        JournalError: a member is not of its declared type.
    """
    encoded: dict[str, Any] = EVENT.encode(event, Shared.new())
    return encoded


def decode_event(data: Any) -> events.Event:
    """The event again: equal to the one that was encoded.

    Raises:
        JournalError: `data` is no event; names the member.
    """
    event: events.Event = EVENT.decode(data, Shared.new())
    return event


def action_digest(action: Action) -> str:
    """Sixteen hexadecimal digits that tell an action from any other: every text and argument counts."""
    return _digest(action_to_json(action, full=True))


def plan_digest(plan: Plan) -> str:
    """The same for all that a plan says."""
    return _digest([plan_to_json(plan, full=True), list(plan.paced)])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
