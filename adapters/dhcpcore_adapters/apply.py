"""Carrying actions out: the core's recipes, followed with real adapters; what came of each is told as an event.

Decides nothing: which call comes next is the recipe's business, what a failure means is the core's.  Whatever leaves an
adapter ends here, as an outcome, so no action stays under way for ever.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import frozen

from dhcpcore import Action, AdapterError, DhcpCoreError, Event, Plan, Settings
from dhcpcore.actions import ReportState
from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, Reporter, ServerRpc
from dhcpcore.events import ActionFailed, ActionSucceeded
from dhcpcore.recipes import Call, failed, follow, recipe, skipped


@frozen(kw_only=True)
class Adapters:
    """Everything outside that an agent works with.

    Attributes:
        heartbeat: the same server, for state reports only: on a connection that no other call can hold up.
    """

    server: ServerRpc
    heartbeat: ServerRpc
    processes: ProcessControl
    namespaces: NamespaceControl
    files: FileStore
    clock: Clock
    reporter: Reporter


def chains(plan: Plan) -> Iterator[tuple[Action, ...]]:
    """The plan's actions by scope: those of one chain come one after the other, different chains at the same time."""
    by_scope: dict[str, list[Action]] = {}
    for action in plan:
        by_scope.setdefault(action.scope, []).append(action)
    for chain in by_scope.values():
        yield tuple(chain)


def carry_out(
    chain: Sequence[Action],
    adapters: Adapters,
    settings: Settings,
    *,
    tell: Callable[[Event], None],
    jitter: Callable[[], float],
) -> None:
    """Carry out the actions of one chain; after one that failed the rest is not tried.

    Args:
        tell: gets one outcome for each action, in order, at the moment it is known.
        jitter: draws a number from 0 to 1.
    """
    broken = False
    for action in chain:
        now = adapters.clock.monotonic
        if broken:
            tell(skipped(action, at=now()))
            continue
        began = now()
        outcome = _outcome(action, adapters, settings, jitter)
        broken = isinstance(outcome, ActionFailed)
        _report(adapters.reporter, outcome, seconds=now() - began)
        tell(outcome)


def _outcome(
    action: Action, adapters: Adapters, settings: Settings, jitter: Callable[[], float]
) -> ActionSucceeded | ActionFailed:
    server = adapters.heartbeat if isinstance(action, ReportState) else adapters.server

    def make(call: Call) -> Any:
        adapter = server if call.contract == "server" else getattr(adapters, call.contract)
        try:
            return getattr(adapter, call.method)(*call.arguments)
        except DhcpCoreError:
            raise
        except Exception as error:
            # Not what the contract says: the adapter has a bug. Its action failed, and the agent goes on.
            where = "".join(traceback.format_exception(error))
            adapters.reporter.report("an adapter broke its contract", call=str(call), error=error, traceback=where)
            raise AdapterError(f"{call}: {type(error).__name__}: {error}; this is a bug of the adapter") from None

    now = adapters.clock.monotonic
    try:
        result = follow(recipe(action, settings), make)
    except DhcpCoreError as error:
        return failed(action, error, at=now(), jitter=jitter())
    return ActionSucceeded(action=action, result=result, jitter=jitter(), at=now())


def _report(reporter: Reporter, outcome: ActionSucceeded | ActionFailed, *, seconds: float) -> None:
    action = outcome.action
    if isinstance(action, ReportState) and isinstance(outcome, ActionSucceeded) and not _logs_heartbeats(action):
        return
    fields: dict[str, object] = {"action": action.kind, "seconds": round(seconds, 4)}
    if action.network_id is not None:
        fields["network"] = action.network_id
    if action.reasons:
        fields["reasons"] = "; ".join(action.reasons)
    if isinstance(outcome, ActionFailed):
        reporter.report("action failed", **fields, error=outcome.reason)
    else:
        reporter.report("action done", **fields)


def _logs_heartbeats(action: ReportState) -> bool:
    return bool(action.agent_state["configurations"]["log_agent_heartbeats"])
