"""Hypothesis's rule-based state machine over a `World`: it looks for the shortest history that breaks a law.

    TestAgent = AgentMachine.TestCase

Subclass it to add rules or laws of your own; `world` is what they act on.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dhcpcore.testing.choices import Choices
from dhcpcore.testing.simulation import happenings, networks, quiet, troubles
from dhcpcore.testing.simulation.networks import Happening
from dhcpcore.testing.simulation.parts import MakeAgent
from dhcpcore.testing.simulation.reference import reference_agent
from dhcpcore.testing.simulation.world import World


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
    """An agent through loss, doubling, reordering, failures, outages, crashes, drift and restored backups.

    Attributes:
        make_agent: makes the agent under test; set it in a subclass, as a staticmethod.
    """

    world: World
    make_agent: MakeAgent = staticmethod(reference_agent)

    def __init__(self) -> None:
        super().__init__()
        self._choices = _DataChoices()

    def _do(self, data: Any, happening: Happening) -> None:
        self._choices.data = data
        self.world.do(happening)

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """A world with two networks that are served."""
        self._choices.data = data
        self.world = World(self._choices, self.make_agent)
        happenings.begin(self.world)

    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """The agent plans once."""
        self._do(data, happenings.step)

    @rule(data=st.data())
    def work(self, data: Any) -> None:
        """Its jobs go on."""
        self._do(data, happenings.work)

    @rule(data=st.data())
    def deliver(self, data: Any) -> None:
        """Messages arrive."""
        self._do(data, happenings.deliver)

    @rule(data=st.data())
    def wait(self, data: Any) -> None:
        """Time passes."""
        self._do(data, happenings.wait)

    @rule(data=st.data())
    def operate(self, data: Any) -> None:
        """Something about a network changes."""
        self._do(data, networks.operate)

    @rule(data=st.data(), what=st.sampled_from(networks.OF_NETWORKS))
    def come_and_go(self, data: Any, what: Happening) -> None:
        """Networks come and go, and clients take leases."""
        self._do(data, what)

    @rule(data=st.data(), what=st.sampled_from(happenings.OF_MESSAGES))
    def disturb(self, data: Any, what: Happening) -> None:
        """Messages are lost, calls fail or take their time, the server is away, wrong, or restored."""
        self._do(data, what)

    @rule(data=st.data(), what=st.sampled_from(troubles.OF_THE_HOST))
    def trouble(self, data: Any, what: Happening) -> None:
        """Something goes wrong on the host."""
        self._do(data, what)

    @invariant()
    def laws(self) -> None:
        """What must hold at every moment."""
        if hasattr(self, "world"):
            self.world.laws.check()

    def teardown(self) -> None:
        """The trouble ends: the agent must come to rest with everything right."""
        if hasattr(self, "world"):
            self._choices.data = None
            quiet.check_converged(self.world, quiet.heal(self.world))
