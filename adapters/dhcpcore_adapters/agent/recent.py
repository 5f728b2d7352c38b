"""What happened lately, by network, in short texts: a bounded memory for ``dhcpcore explain``.

Knows events as the core describes them; keeps none of them.  A busy network displaces its own past before that of
others: it has so many entries at most.  What is more than may be kept of all goes by age, whosever it is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Any, Final

from attrs import frozen

from dhcpcore import (
    ActionFailed,
    ActionSucceeded,
    AgentState,
    Event,
    PlanStarted,
    describe_action,
    describe_event,
    event_networks,
)
from dhcpcore.actions import ForgetUnreported, NotifyReady, ReportState

#: Entries of one network, and of all together.
OF_ONE: Final = 50
OF_ALL: Final = 2000
#: Actions that an entry tells of.
_ACTIONS: Final = 20
#: Where that is kept which is about no network alone.
_GENERAL: Final = ""


@frozen
class _Entry:
    at: float
    text: str
    general: bool = False
    actions: tuple[dict[str, Any], ...] = ()


def _is_report(event: Event) -> bool:
    return isinstance(event, ActionSucceeded | ActionFailed) and isinstance(event.action, NotifyReady)


class Recent:
    """The last events and plans of each network; `record` by the owner of the state, `about` from any thread."""

    def __init__(self, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._lock = threading.Lock()
        self._next = 0
        #: By number, oldest first; and each network's numbers, oldest first.
        self._entries: OrderedDict[int, tuple[str, _Entry]] = OrderedDict()
        self._numbers: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, event: Event, before: AgentState, after: AgentState) -> None:
        """An event was folded."""
        if isinstance(event, PlanStarted):
            self._planned(event)
            return
        if isinstance(event, ActionSucceeded) and isinstance(event.action, ReportState) and event.result != "revived":
            return  # as regular as a clock
        if isinstance(event, ActionSucceeded) and isinstance(event.action, ForgetUnreported):
            return  # follows the report of ready ports, and is the reason of nothing
        text = describe_event(event)
        networks = event_networks(event)
        with self._lock:
            if not networks:
                self._keep(_GENERAL, _Entry(event.at, text, general=True))
                # An answer about all of them is of interest where it makes a plan necessary; what a report of ready
                # ports makes necessary follows of itself.
                looked_at = () if _is_report(event) else after.touched
                networks = tuple(one for one in looked_at if one not in before.touched)
                text = f"{text}; this network is to be looked at"
            for network_id in networks:
                self._keep(network_id, _Entry(event.at, text))

    def about(self, network_id: str, now: float) -> dict[str, Any]:
        """``recent``: what happened to a network and to all, oldest first; ``last_plan``: the last one that had it."""
        with self._lock:
            numbers = sorted({*self._numbers.get(network_id, ()), *self._numbers.get(_GENERAL, ())})
            entries = [self._entries[number][1] for number in numbers]
        plans = [entry for entry in entries if entry.actions]
        return {
            "recent": [
                {"seconds_ago": _ago(one.at, now), "of_network": not one.general, "text": one.text} for one in entries
            ],
            "last_plan": None
            if not plans
            else {"seconds_ago": _ago(plans[-1].at, now), "actions": list(plans[-1].actions)},
        }

    def _planned(self, event: PlanStarted) -> None:
        plan = event.plan
        if not plan.actions and not plan.unplanned:
            return
        by_network: dict[str, list[dict[str, Any]]] = {}
        for action in plan.actions:
            if isinstance(action, ReportState | ForgetUnreported):
                continue
            asked = by_network.setdefault(action.network_id or _GENERAL, [])
            if len(asked) < _ACTIONS:
                asked.append(describe_action(action))
        with self._lock:
            for network_id, actions in by_network.items():
                general = network_id == _GENERAL
                text = f"plan: {', '.join(one['kind'] for one in actions)}"
                # What is asked of the server for all is no network's plan.
                self._keep(network_id, _Entry(event.at, text, general, () if general else tuple(actions)))
            for failure in plan.unplanned:
                self._keep(failure.network_id, _Entry(event.at, f"no plan can be made: {failure.reason}"[:200]))

    def _keep(self, network_id: str, entry: _Entry) -> None:
        number, self._next = self._next, self._next + 1
        self._entries[number] = network_id, entry
        numbers = self._numbers.setdefault(network_id, deque())
        numbers.append(number)
        if len(numbers) > self._of_one:
            del self._entries[numbers.popleft()]
        elif len(self._entries) > self._of_all:
            _, (oldest, _) = self._entries.popitem(last=False)
            theirs = self._numbers[oldest]
            theirs.popleft()
            if not theirs:
                del self._numbers[oldest]


def _ago(at: float, now: float) -> float:
    return round(max(0.0, now - at), 3)
