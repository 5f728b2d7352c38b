"""A small agent for the simulation: the order of things of every loop around the core, and nothing else.

Not the real loop (that lives with the adapters); what a loop of your own may be compared with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from attrs import frozen

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.errors import AdapterError
from dhcpcore.plan import next_due, plan_sync
from dhcpcore.recipes import Call, failed, in_steps, recipe, skipped
from dhcpcore.state import AgentState, fold_event, initial_state
from dhcpcore.testing.simulation.parts import SimulatedParts
from dhcpcore.wire import event_or_refusal


def reference_agent(parts: SimulatedParts) -> ReferenceAgent:
    """A life of the reference agent."""
    return ReferenceAgent(parts)


class ReferenceAgent:
    """Fold what has arrived, plan, hand out by scope."""

    def __init__(self, parts: SimulatedParts) -> None:
        self._parts = parts
        self._inbox: deque[events.Event] = deque()
        self._state = initial_state(parts.settings, parts.capabilities, at=parts.clock.monotonic())

    @property
    def state(self) -> AgentState:
        """What it knows."""
        return self._state

    def put(self, event: events.Event) -> None:
        """Something happened."""
        self._inbox.append(event)

    def notified(self, method: str, payload: Any) -> None:
        """A notification has arrived."""
        self.put(event_or_refusal(method, payload, at=self._parts.clock.monotonic()))

    def connected(self) -> None:
        """What was sent before may be lost."""
        self.put(events.ServerConnected(at=self._parts.clock.monotonic()))

    def disconnected(self, reason: str) -> None:
        """Nothing to do: calls fail by themselves."""

    def step(self) -> float | None:
        """Fold, plan, submit."""
        while self._inbox:
            self._state = fold_event(self._inbox.popleft(), self._state)
        now = self._parts.clock.monotonic()
        plan = plan_sync(self._state, now)
        self._state = fold_event(events.PlanStarted(plan=plan, at=now), self._state)
        chains: dict[str, list[actions.Action]] = {}
        for action in plan:
            chains.setdefault(action.scope, []).append(action)
        for scope, chain in chains.items():
            self._parts.executor.submit(_lane(chain[0]), _Job(self, self._parts, scope, tuple(chain)))
        due = next_due(self._state, now)
        return None if due is None else max(0.0, due - now)


def _lane(action: actions.Action) -> str:
    if isinstance(action, actions.ReportState):
        return "report"
    asks = actions.FetchNetworks | actions.FetchNetwork | actions.PortAction | actions.NotifyReady
    return "server" if isinstance(action, asks) else "host"


@frozen(eq=False)
class _Job:
    agent: ReferenceAgent
    parts: SimulatedParts
    scope: str
    chain: tuple[actions.Action, ...]

    def __call__(self) -> None:
        for _ in self:
            pass

    def __iter__(self) -> Iterator[Call]:
        now = self.parts.clock.monotonic
        broken = False
        for action in self.chain:
            if broken:
                self.agent.put(skipped(action, at=now()))
                continue
            try:
                result = yield from in_steps(recipe(action, self.parts.settings), self._make)
            except AdapterError as error:
                broken = True
                self.agent.put(failed(action, error, at=now(), jitter=self.parts.jitter()))
            else:
                outcome = events.ActionSucceeded(action=action, result=result, jitter=self.parts.jitter(), at=now())
                self.agent.put(outcome)

    def _make(self, call: Call) -> Any:
        contract = "heartbeat" if call.method == "report_state" else call.contract
        return getattr(getattr(self.parts, contract), call.method)(*call.arguments)
