"""One convergence by hand: look, ask, plan, and carry out until nothing is left; no agent, no heartbeat.

Knows the core's two verbs and the adapters; decides one thing, whether the server is believed when it does not list a
network that is served here.  An agent believes it once a state report was answered.  Here none is sent, so an answer is
believed that lists at least one network for this host (no server has one for an agent that it does not know), or when
somebody forces it.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from attrs import evolve, frozen

from dhcpcore import (
    Action,
    ActionFailed,
    ActionSucceeded,
    AgentState,
    Event,
    HostCapabilities,
    Listing,
    Plan,
    PlanStarted,
    Settings,
    fold_event,
    initial_state,
    list_convergence,
    plan_sync,
    restrict_plan,
)
from dhcpcore.actions import FetchNetwork, FetchNetworks, ObserveHost
from dhcpcore.events import AgentKnown, DisableForced
from dhcpcore_adapters.apply import Adapters, Job, chains
from dhcpcore_adapters.cli.errors import CommandError

_READING: Final = (ObserveHost, FetchNetworks, FetchNetwork)
_ROUNDS: Final = 100
#: Seconds that are waited for what is due soon: another question to the server (resync_throttle), the next reload.
_PATIENCE: Final = 10.0


Done = Callable[[int], None]


def _silent(_: int) -> None:
    """Tells nobody."""


@frozen(kw_only=True)
class Failure:
    """An action that failed."""

    action: str
    network_id: str | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {"action": self.action, "network": self.network_id, "reason": self.reason}

    def __str__(self) -> str:
        about = f" of network {self.network_id}" if self.network_id is not None else ""
        return f"{self.action}{about} failed: {self.reason}"


class Once:
    """One host, one server, one time.

    Args:
        only: None for all networks, else the ids of those that may be changed.
        force: believe the server whatever it lists, and let the brake go.
        sleep: waits, in seconds of the adapters' clock.

    Attributes:
        state: what is known; failures: of actions, in order; counts: of actions that succeeded, by kind.
    """

    def __init__(
        self,
        adapters: Adapters,
        settings: Settings,
        capabilities: HostCapabilities,
        *,
        only: Collection[str] | None = None,
        force: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if settings.report_interval == 0:
            # Without reports an agent believes everything; here it is this object that decides what is believed.
            settings = evolve(settings, report_interval=30)
        self._hold = settings.unsafe_disable_hold
        if not force:
            # An agent believes an answer that stands for a while.  Here somebody was shown what goes and what stays.
            settings = evolve(settings, unsafe_disable_hold=_FOR_GOOD)
        self._adapters = adapters
        self._only = frozenset(only) if only is not None else None
        self._force = force
        self._done: Done = _silent
        self._sleep = sleep
        self._believed = False
        self._count = 0
        self.failures: list[Failure] = []
        self.counts: Counter[str] = Counter()
        self.state: AgentState = initial_state(settings, capabilities, at=self._now(), reporting=False)

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self, done: Done = _silent) -> None:
        """Observe the host and ask the server, until nothing more is to be asked. Changes nothing anywhere.

        Args:
            done: is told how many actions have succeeded.

        Raises:
            CommandError: one of them cannot be had.
        """
        self._done, self._count = done, 0
        for _ in range(_ROUNDS):
            plan = self._plan(_READING)
            if plan:
                self._carry_out(plan)
                whole = [one for one in self.failures if one.network_id is None]
                if whole:
                    raise CommandError([f"{one}; nothing was changed" for one in whole])
            elif self.doubted and not self._believed and (self._force or self._listed()):
                self._believed = True
                self._fold(AgentKnown(at=self._now()))
            elif not self._wait_for_the_server():
                break
        if self._force:
            self._fold(DisableForced(at=self._now()))

    @property
    def doubted(self) -> tuple[str, ...]:
        """Networks that are served here, and that the server does not list, without being believed."""
        return tuple(sorted(record.id for record in self.state.networks.values() if record.removal == "untrusted"))

    def doubts(self) -> Iterator[str]:
        """What is to be said where the server is not believed."""
        count = len(self.doubted)
        if count:
            yield (
                f"{count} {'network is' if count == 1 else 'networks are'} served here, and the server lists none at"
                " all for this host: it may not know this host's agent, so nothing is disabled; start an agent, or use"
                " `dhcpcore apply --force` if it is right"
            )

    def listing(self, *, unbraked: bool = False) -> Listing:
        """What is to be done.

        Args:
            unbraked: what the brake holds is listed too.
        """
        now = self._now()
        held = plan_sync(self.state, now).held
        if held is not None:
            held = evolve(held, until=held.since + self._hold)  # what an agent would do
        state = fold_event(DisableForced(at=now), self.state) if unbraked and held is not None else self.state
        return evolve(list_convergence(state, now, only=self._only), held=held)

    # -- acting -------------------------------------------------------------------------------------------------------

    def apply(self, done: Done = _silent) -> None:
        """Carry plans out until one is empty; what failed is tried again only if its time comes meanwhile.

        Args:
            done: is told how many actions have succeeded.
        """
        self._done, self._count = done, 0
        for _ in range(_ROUNDS + self.state.most_ready_reports):
            plan = self._plan()
            if plan:
                self._carry_out(plan)
            elif plan.paced and plan.due is not None and plan.due - self._now() < _PATIENCE:
                self._sleep(max(0.0, plan.due - self._now()))
            elif not self._wait_for_the_server():
                break

    def left(self) -> list[tuple[str, str]]:
        """Networks that are not as the server wants them, and why: id and one line each, sorted."""
        found: list[tuple[str, str]] = []
        for network_id, record in sorted(self.state.networks.items()):
            if self._only is not None and network_id not in self._only:
                continue
            retries = [
                record.need_retry,
                record.proxy_retry,
                record.retry,
                *record.claim_retry.values(),
                *record.release_retry.values(),
            ]
            reasons = {retry.reason for retry in retries if retry is not None}
            if record.removal == "held":
                reasons.add("not listed by the server any more, but so many are that the brake holds it")
            elif record.removal == "untrusted":
                reasons.add("not listed by the server, which may not know this host's agent")
            found.extend((network_id, reason) for reason in sorted(reasons))
        return found

    # -- the two verbs ------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._adapters.clock.monotonic()

    def _plan(self, kinds: tuple[type[Action], ...] = (Action,)) -> Plan:
        now = self._now()
        plan = plan_sync(self.state, now)
        if self._only is not None:
            plan = restrict_plan(plan, self.state, self._only)
        if kinds != (Action,):
            # What is left out is not started: those networks are planned again.
            reading = tuple(action for action in plan if isinstance(action, kinds))
            plan = evolve(plan, actions=reading, examined=(), settled=(), paced=(), unplanned=())
        return plan

    def _carry_out(self, plan: Plan) -> None:
        self._fold(PlanStarted(plan=plan, at=self._now()))
        for failure in plan.unplanned:
            self.failures.append(Failure(action="plan", network_id=failure.network_id, reason=failure.reason))
        settings = self.state.settings

        def work(chain: tuple[Action, ...]) -> list[Event]:
            outcomes: list[Event] = []
            tell = outcomes.append
            Job(chain=chain, adapters=self._adapters, settings=settings, tell=tell, jitter=random.random)()
            return outcomes

        with ThreadPoolExecutor(settings.num_sync_threads) as pool:
            for outcomes in pool.map(work, chains(plan)):
                for outcome in outcomes:
                    self._fold(outcome)

    def _fold(self, event: Event) -> None:
        self.state = fold_event(event, self.state)
        if isinstance(event, ActionSucceeded):
            self.counts[event.action.kind] += 1
            self._count += 1
            self._done(self._count)
        elif isinstance(event, ActionFailed) and event.fault != "skipped":
            action = event.action
            self.failures.append(Failure(action=action.kind, network_id=action.network_id, reason=event.reason))

    def _listed(self) -> bool:
        return any(record.desired is not None and record.removal is None for record in self.state.networks.values())

    def _wait_for_the_server(self) -> bool:
        """Whether another question to the server was owed, and its time has come."""
        sync = self.state.sync
        if sync.need is None or sync.retry is not None or sync.sent_at is None:
            return False
        due = sync.sent_at + self.state.settings.resync_throttle
        if due - self._now() > _PATIENCE:
            return False
        self._sleep(max(0.0, due - self._now()))
        return True


#: Seconds that no command takes.
_FOR_GOOD: Final = 1e9
