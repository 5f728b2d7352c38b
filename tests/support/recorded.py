"""Agents whose every event goes into a journal in memory, beside the states and plans that they really had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field

from dhcpcore import AgentState, Event, Plan, PlanStarted, fold_event
from dhcpcore.journal import Recorder
from dhcpcore.testing.simulation import SimulatedParts, wander
from dhcpcore_adapters.agent import Agent
from simulation.real_loop import make_agent
from support.script import Script


@define
class Life:
    """What one agent did: the journal's lines, and the state after each of its steps."""

    lines: list[str] = field(factory=list)
    states: list[AgentState] = field(factory=list)
    plans: list[Plan] = field(factory=list)
    events: list[Event] = field(factory=list)
    recorder: Recorder = field(factory=Recorder)

    def begin(self, state: AgentState, at: float, **details: Any) -> None:
        """A checkpoint."""
        self.lines.extend(self.recorder.checkpoint(state, at=at, **details))
        self.states.append(state)

    def record(self, event: Event, before: AgentState, after: AgentState) -> None:
        """As the loop calls it."""
        self.lines.append(self.recorder.event(event, after.seq))
        self.states.append(after)
        self.events.append(event)
        if isinstance(event, PlanStarted):
            self.plans.append(event.plan)


def lives_of(seed: int, length: int, after: Callable[[Life, float], None] | None = None) -> list[Life]:
    """The production agent's lives in one simulated history.

    Args:
        after: called after each event that was recorded, with the time.
    """
    lives: list[Life] = []

    def make(parts: SimulatedParts) -> Agent:
        life = Life()
        lives.append(life)

        def record(event: Event, before: AgentState, state: AgentState) -> None:
            life.record(event, before, state)
            if after is not None:
                after(life, parts.clock.monotonic())

        agent = make_agent(parts, record)
        life.begin(agent.state, parts.clock.monotonic())
        return agent

    wander(seed, length, make)
    return lives


class RecordedScript(Script):
    """A hand-driven agent with a journal."""

    def __init__(self, *networks: Any, **options: Any) -> None:
        super().__init__(*networks, **options)
        self.life = Life()
        self.life.begin(self.state, self.now)

    def tell(self, *many: Event) -> None:
        for event in many:
            event = evolve(event, at=self.now)
            before = self.state
            self.state = fold_event(event, before)
            self.life.record(event, before, self.state)
