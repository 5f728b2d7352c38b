"""The loop: take what has arrived, fold it, plan, hand the plan out, sleep until something is due or arrives.

The agent has one owner of its state, whoever calls `step`; nothing here starts a thread.  `put` may be called from
anywhere.  Decides nothing: what to do is in the plan, when to look again in the state.  A step that raises is a bug of
ours: it leaves `step`, and whoever runs the agent ends with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

from dhcpcore import (
    ActionSucceeded,
    AgentState,
    DhcpCoreError,
    Event,
    PlanStarted,
    fold_event,
    is_unexpected_death,
    next_due,
    plan_sync,
)
from dhcpcore.actions import (
    Action,
    FetchNetwork,
    FetchNetworks,
    ForgetUnreported,
    NotifyReady,
    PortAction,
    ReleaseLeases,
    ReloadInstance,
    ReportState,
    UpdateDevice,
)
from dhcpcore.events import PayloadRefused, ProcessDied, ProxyDied, ServerConnected
from dhcpcore.wire import event_or_refusal
from dhcpcore_adapters.agent.executor import Executor, Lane
from dhcpcore_adapters.apply import Adapters, Job, chains

#: Short work on a network that is served already: it goes before first starts.
_BRIEF: Final = (ReloadInstance, UpdateDevice, ReleaseLeases, ForgetUnreported)
_SERVER: Final = (FetchNetworks, FetchNetwork, PortAction, NotifyReady)

Observer = Callable[[ActionSucceeded], None]
#: Told of every event that was folded, with the state before and after it; must be quick, and must not raise.
Record = Callable[[Event, AgentState, AgentState], None]


class ChildDied(DhcpCoreError):
    """A process that should live has ended, and ``check_child_processes_action`` is ``exit``."""


class Agent:
    """One DHCP agent: state, inbox, and the step between them.

    Args:
        state: from `dhcpcore.initial_state`.
        executor: carries chains of actions out.
        jitter: draws a number from 0 to 1, for retries.
        observe: told of each action that succeeded, after it was folded; watches processes, say.
        record: see `Record`; keeps a journal, say.
    """

    def __init__(
        self,
        state: AgentState,
        adapters: Adapters,
        executor: Executor,
        *,
        jitter: Callable[[], float],
        observe: Observer | None = None,
        record: Record | None = None,
    ) -> None:
        self._state = state
        self._adapters = adapters
        self._executor = executor
        self._jitter = jitter
        self._observe = observe
        self._record = record
        # The one queue of Python's that a signal handler may put into: it may interrupt the loop at any place.
        self._inbox: SimpleQueue[Event | None] = SimpleQueue()
        self._taken: deque[Event] = deque()

    @property
    def state(self) -> AgentState:
        """What is known now; a value, so it may be read from any thread."""
        return self._state

    # -- what arrives, from any thread --------------------------------------------------------------------------------

    def put(self, event: Event) -> None:
        """Something happened."""
        self._inbox.put(event)

    def wake(self) -> None:
        """Let `wait` return, or the next one; a signal handler may call it."""
        self._inbox.put(None)

    def notified(self, method: str, payload: Any) -> None:
        """The server told something; what cannot be read is reported, and its network is asked for."""
        event = event_or_refusal(method, payload, at=self._adapters.clock.monotonic())
        if isinstance(event, PayloadRefused):
            fields: Mapping[str, object] = {"method": str(method), "network": event.network_id, "error": event.message}
            self._adapters.reporter.report("a notification was refused", **fields)
        self.put(event)

    def connected(self) -> None:
        """The transport is connected, again or for the first time: what was sent before may be lost."""
        self._adapters.reporter.report("connected to the server")
        self.put(ServerConnected(at=self._adapters.clock.monotonic()))

    def disconnected(self, reason: str) -> None:
        """The transport lost its connection; it goes on trying by itself."""
        self._adapters.reporter.report("lost the connection to the server", error=reason)

    # -- the step, by the owner of the state --------------------------------------------------------------------------

    def step(self) -> float | None:
        """Fold all that has arrived, plan once, hand the plan out.

        Returns:
            Seconds until the next step is due without news; None: only news can make it.

        Raises:
            ChildDied: the settings say that the agent ends with its children.
        """
        while self._take(0.0):
            pass
        while self._taken:
            self._fold(self._taken.popleft())
        now = self._adapters.clock.monotonic()
        plan = plan_sync(self._state, now)
        self._fold(PlanStarted(plan=plan, at=now))
        for failure in plan.unplanned:
            reporter = self._adapters.reporter
            reporter.report("no plan can be made for a network", network=failure.network_id, error=failure.reason)
        for chain in chains(plan):
            self._hand_out(chain)
        due = next_due(self._state, now)
        return None if due is None else max(0.0, due - self._adapters.clock.monotonic())

    def wait(self, seconds: float | None) -> None:
        """Until something arrives, at most so long."""
        self._take(seconds)

    def _take(self, seconds: float | None) -> bool:
        """Take one thing out of the inbox, waiting for it so long; whether there was one."""
        try:
            event = self._inbox.get(timeout=seconds) if seconds != 0.0 else self._inbox.get_nowait()
        except Empty:
            return False
        if event is not None:
            self._taken.append(event)
        return True

    def _fold(self, event: Event) -> None:
        if isinstance(event, ProcessDied | ProxyDied) and is_unexpected_death(event, self._state):
            self._report_death(event)
            if self._state.settings.check_child_processes_action == "exit":
                raise ChildDied(f"process {event.pid} has ended, and check_child_processes_action says: exit")
        before = self._state
        self._state = fold_event(event, before)
        if self._record is not None:
            self._record(event, before, self._state)
        if self._observe is not None and isinstance(event, ActionSucceeded):
            self._observe(event)

    def _report_death(self, event: ProcessDied | ProxyDied) -> None:
        program, owner = (
            ("dnsmasq", str(event.key)) if isinstance(event, ProcessDied) else ("haproxy", event.network_id)
        )
        fields: dict[str, object] = {"program": program, "owner": owner, "pid": event.pid, "error": event.detail}
        self._adapters.reporter.report("a process has ended by itself", exit_code=event.exit_code, **fields)

    def _hand_out(self, chain: tuple[Action, ...]) -> None:
        settings = self._state.settings
        job = Job(chain=chain, adapters=self._adapters, settings=settings, tell=self.put, jitter=self._jitter)
        rank = 0 if all(isinstance(action, _BRIEF) for action in chain) else 1
        self._executor.submit(_lane(chain[0]), job, rank=rank)


def _lane(action: Action) -> Lane:
    if isinstance(action, ReportState):
        return "report"
    return "server" if isinstance(action, _SERVER) else "host"
