"""Hypothesis's rule-based state machine over a `World`: it looks for the shortest history that breaks a law.

    TestAgent = AgentMachine.TestCase

Subclass it to add rules or laws of your own; `world` is what they act on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dhcpcore.testing.choices import Choices
from dhcpcore.testing.world import World


class _DataChoices(Choices):
    """Choices that Hypothesis makes while a history goes on, and the simplest ones once it is over."""

    def __init__(self) -> None:
        self.data: Any = None

    def integer(self, low: int, high: int) -> int:
        """See `Choices.integer`."""
        if low >= high or self.data is None:
            return low
        drawn: int = self.data.draw(st.integers(low, high))
        return drawn


class AgentMachine(RuleBasedStateMachine):
    """An agent through loss, doubling, reordering, failures, crashes, drift and restored backups."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self._choices = _DataChoices()

    def _do(self, data: Any, happening: Callable[[World], None]) -> None:
        self._choices.data = data
        happening(self.world)

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """A world with one network."""
        self._choices.data = data
        self.world = World(self._choices)
        self.world.create_network()

    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """The agent plans and carries out."""
        self._do(data, World.step)

    @rule(data=st.data())
    def deliver(self, data: Any) -> None:
        """Messages arrive."""
        self._do(data, World.deliver)

    @rule(data=st.data())
    def wait(self, data: Any) -> None:
        """Time passes."""
        self._do(data, World.wait)

    @rule(data=st.data())
    def operate(self, data: Any) -> None:
        """Something about a network changes."""
        self._do(data, World.operate)

    @rule(
        data=st.data(),
        what=st.sampled_from(
            (World.create_network, World.create_routed_network, World.delete_network, World.recreate_network)
        ),
    )
    def come_and_go(self, data: Any, what: Callable[[World], None]) -> None:
        """Networks come and go."""
        self._do(data, what)

    @rule(data=st.data())
    def take_leases(self, data: Any) -> None:
        """Clients take leases."""
        self._do(data, World.take_leases)

    @rule(data=st.data())
    def disturb(self, data: Any) -> None:
        """A message is lost, doubled or overtaken."""
        self._do(data, World.disturb)

    @rule(data=st.data(), what=st.sampled_from((World.break_calls, World.crash, World.kill_process, World.damage)))
    def trouble(self, data: Any, what: Callable[[World], None]) -> None:
        """Something goes wrong on the host."""
        self._do(data, what)

    @rule(data=st.data(), what=st.sampled_from((World.back_up, World.restore)))
    def go_back(self, data: Any, what: Callable[[World], None]) -> None:
        """The server is restored."""
        self._do(data, what)

    @invariant()
    def laws(self) -> None:
        """What must hold at every moment."""
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        """The trouble ends: the agent must come to rest with everything right."""
        if hasattr(self, "world"):
            self._choices.data = None
            self.world.heal()
            self.world.check_converged()
