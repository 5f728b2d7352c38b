"""The outcome of an action that was not done: what its error means to the state."""

from __future__ import annotations

from collections.abc import Mapping

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.errors import AdapterError, DhcpCoreError

#: Remote exceptions, and those of a transport, by the class name that an `AdapterError` of `ServerRpc` begins with.
_FAULTS: Mapping[str, events.Fault] = {
    "NetworkNotFound": "network_not_found",
    "IpAddressGenerationFailure": "address_exhausted",
    "MessagingTimeout": "timeout",
    "TimeoutError": "timeout",
    "ConnectionError": "unreachable",
    "UnsupportedVersion": "unsupported",
    "AttributeError": "unsupported",
}


def failed(action: actions.Action, error: DhcpCoreError, *, at: float, jitter: float = 0.0) -> events.ActionFailed:
    """The outcome of an action in whose recipe `error` was raised.

    Args:
        at: monotonic seconds. jitter: from 0 to 1, drawn by the caller.
    """
    return events.ActionFailed(
        action=action,
        reason=str(error),
        fault=fault_of(error),
        retryable=not isinstance(error, AdapterError) or error.retryable,
        jitter=jitter,
        at=at,
    )


def fault_of(error: DhcpCoreError) -> events.Fault:
    """What kind of failure an error is, told by the remote exception that it names."""
    return _FAULTS.get(str(error).partition(":")[0].strip(), "error")


def skipped(action: actions.Action, *, at: float) -> events.ActionFailed:
    """The outcome of an action that was not tried, since one before it failed."""
    reason = "an earlier action on the same network failed"
    return events.ActionFailed(action=action, reason=reason, fault="skipped", at=at)
