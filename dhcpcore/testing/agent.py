"""One agent in a simulated world: the core's two verbs over in-memory adapters, one step at a time.

Not the real loop (that lives with the adapters and has threads); the same order of things without it: take what has
arrived, fold it, plan, carry out.  Whoever drives it decides what happens between two outcomes.
"""

from __future__ import annotations

from collections.abc import Callable

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec, MetadataProxySpec
from dhcpcore.plan import plan_sync
from dhcpcore.state import AgentState, fold_event, initial_state
from dhcpcore.testing.faults import SimulatedCrash
from dhcpcore.testing.host import MemoryFileStore, MemoryHost, MemoryNamespaceControl, MemoryProcessControl
from dhcpcore.testing.interpreter import Interpreter
from dhcpcore.testing.server import MemoryServer, Notification
from dhcpcore.testing.wanted import Judge
from dhcpcore.wire import event_or_refusal


class SimulatedAgent:
    """An agent on `host`, known to `server` by `settings.host`.

    Attributes:
        state: what it knows; plans: every plan it carried out that was not empty.
    """

    def __init__(self, server: MemoryServer, host: MemoryHost, settings: Settings) -> None:
        self.server = server
        self.host = host
        self.settings = settings
        self.plans: list[actions.Plan] = []
        self.state: AgentState
        self._interpreter: Interpreter
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered, the host is as it was left."""
        version = self.host.dnsmasq_version or (2, 90)
        capabilities = HostCapabilities(dnsmasq=DnsmasqCapabilities(version=version))
        self.state = initial_state(self.settings, capabilities, at=self.host.clock.monotonic())
        self._interpreter = Interpreter(
            server=self.server.agent(self.settings.host),
            processes=MemoryProcessControl(self.host),
            namespaces=MemoryNamespaceControl(self.host),
            files=MemoryFileStore(self.host),
            clock=self.host.clock,
            settings=self.settings,
        )

    # -- living -------------------------------------------------------------------------------------------------------

    def fold(self, event: events.Event) -> None:
        """Take one event in."""
        self.state = fold_event(event, self.state)

    def receive(self, notification: Notification) -> None:
        """Take one notification in, as it was sent."""
        now = self.host.clock.monotonic()
        self.fold(event_or_refusal(notification.method, notification.payload, at=now))

    def receive_all(self) -> None:
        """Take in everything that waits."""
        for notification in self.server.notices.take_all(self.settings.host):
            self.receive(notification)

    def plan(self) -> actions.Plan:
        """What it would do now."""
        return plan_sync(self.state, self.host.clock.monotonic())

    def step(self, between: Callable[[events.Event], None] | None = None) -> actions.Plan:
        """Plan once and carry that out.

        Args:
            between: called after each outcome was folded: whatever may happen while actions run.
        """
        plan = self.plan()
        if plan:
            self.plans.append(plan)
        for outcome in self._interpreter.carry_out(plan):
            self.fold(outcome)
            if between is not None:
                between(outcome)
        return plan

    def settle(self, limit: int = 100, between: Callable[[events.Event], None] | None = None) -> int:
        """Step until a plan is empty; the number of plans that were not.

        Raises:
            AssertionError: there is no end to it.
        """
        for count in range(limit):
            self.receive_all()
            if not self.step(between):
                return count
        last = [f"{action.kind} {action.network_id}: {'; '.join(action.reasons)}" for action in self.plans[-1]]
        raise AssertionError(f"{limit} plans and no end; the last one: {last}")

    def crash_at(self, point: int, between: Callable[[events.Event], None] | None = None) -> bool:
        """Step until nothing is left to do, killed at a point of the world's `Faults`; whether it came to that."""
        self.host.faults.crash_at(self.host.faults.points + point)
        try:
            self.settle(between=between)
        except SimulatedCrash:
            self.restart()
            return True
        self.host.faults.disarm()
        return False

    # -- what should be -----------------------------------------------------------------------------------------------

    @property
    def judge(self) -> Judge:
        """Compares this agent's host with what the server wants of it."""
        return Judge(self.server, self.host, self.settings, self.state.capabilities)

    def wanted(self) -> tuple[list[InstanceSpec], list[MetadataProxySpec]]:
        """What this host should run; see `Judge`."""
        return self.judge.wanted()

    def differences(self) -> list[str]:
        """Where the host is not as it should be; see `Judge`."""
        return self.judge.differences()
