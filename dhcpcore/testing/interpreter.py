"""Carries a plan out on any adapters, one action after another: the simplest loop around the core's recipes.

A reference, not an agent: no threads, no queues, no retries of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.recipes as recipes
from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, ServerRpc
from dhcpcore.errors import AdapterError
from dhcpcore.model.settings import Settings
from dhcpcore.recipes import Call, follow, recipe, skipped


@define(kw_only=True)
class Interpreter:
    """Carries out plans on the given adapters."""

    server: ServerRpc
    processes: ProcessControl
    namespaces: NamespaceControl
    files: FileStore
    clock: Clock
    settings: Settings

    def carry_out(self, plan: actions.Plan) -> Iterator[events.Event]:
        """The outcomes of a plan's actions, in its order; the first event says that the plan was started."""
        yield events.PlanStarted(plan=plan, at=self.clock.monotonic())
        failed: set[str] = set()
        for action in plan.actions:
            if action.scope in failed:
                yield skipped(action, at=self.clock.monotonic())
                continue
            try:
                result = follow(recipe(action, self.settings), self.make)
            except AdapterError as error:
                failed.add(action.scope)
                yield recipes.failed(action, error, at=self.clock.monotonic())
            else:
                yield events.ActionSucceeded(action=action, result=result, at=self.clock.monotonic())

    def make(self, call: Call) -> Any:
        """Make one call; what it answers."""
        return getattr(getattr(self, call.contract), call.method)(*call.arguments)
