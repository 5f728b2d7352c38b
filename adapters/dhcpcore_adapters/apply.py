"""Carrying actions out: the core's recipes, followed with real adapters; what came of each is told as an event.

Decides nothing: which call comes next is the recipe's business, what a failure means is the core's.  Whatever leaves an
adapter ends here, as an outcome, so no action stays under way for ever.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any

from attrs import frozen

from dhcpcore import Action, AdapterError, DhcpCoreError, Event, Plan, Settings
from dhcpcore.actions import ReportState
from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, Reporter, ServerRpc
from dhcpcore.events import ActionFailed, ActionSucceeded, LeasesLeft
from dhcpcore.recipes import Call, failed, in_steps, recipe, skipped


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


@frozen(kw_only=True, eq=False)
class Job:
    """One chain of actions to be carried out; after one that failed the rest is not tried.

    Called, it does so at once.  Iterated over, it pauses before each adapter call and before each answer is looked at,
    and yields that call: so a simulation lets other things happen in between without a thread.

    Attributes:
        tell: gets one outcome for each action, in order, at the moment it is known.
        jitter: draws a number from 0 to 1.
    """

    chain: tuple[Action, ...]
    adapters: Adapters
    settings: Settings
    tell: Callable[[Event], None]
    jitter: Callable[[], float]

    @property
    def scope(self) -> str:
        """What it occupies while it runs."""
        return self.chain[0].scope

    def __call__(self) -> None:
        """Carry all of it out."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[Call]:
        """Carry it out from pause to pause."""
        broken = False
        now = self.adapters.clock.monotonic
        for action in self.chain:
            if broken:
                self.tell(skipped(action, at=now()))
                continue
            began = now()
            outcome = yield from _outcome(action, self.adapters, self.settings, self.jitter, began)
            broken = isinstance(outcome, ActionFailed)
            _report(self.adapters.reporter, outcome, seconds=outcome.at - began)
            self.tell(outcome)


def _outcome(
    action: Action, adapters: Adapters, settings: Settings, jitter: Callable[[], float], began: float
) -> Generator[Call, None, ActionSucceeded | ActionFailed]:
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
        result = yield from in_steps(recipe(action, settings), make)
    except DhcpCoreError as error:
        return failed(action, error, at=now(), jitter=jitter())
    ended = now()
    return ActionSucceeded(action=action, result=result, jitter=jitter(), at=ended, seconds=ended - began)


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
    elif isinstance(outcome.result, LeasesLeft):
        reporter.report("action done, but leases of nobody are left", **fields, error=outcome.result.reason)
    else:
        reporter.report("action done", **fields)


def _logs_heartbeats(action: ReportState) -> bool:
    return bool(action.agent_state["configurations"]["log_agent_heartbeats"])
