"""Writing a journal: what an agent folds, as lines of JSON from which state and plans can be computed again.

A journal begins with a checkpoint, the whole state in a line for the agent and one for each network; then each event
that was folded has a line.  What can be computed again is not written: a plan is told by its digest and what it asks
for, and the outcome of an action names plan and action by their numbers.  So an event costs its own size, however large
the network is that it is about.

Knows no file and no clock: lines are given out, whoever calls writes them.  docs/flight-recorder.md has the format.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve
from immutables import Map

from dhcpcore.actions import Action
from dhcpcore.events import ActionFailed, ActionSucceeded, Event, PlanStarted
from dhcpcore.journal.form import action_digest, plan_digest
from dhcpcore.journal.lines import (
    FORMAT_VERSION,
    Asked,
    Checkpoint,
    Happened,
    KnownNetwork,
    Outcome,
    Planned,
    UnderWay,
    Why,
    write_line,
)
from dhcpcore.state.agent import AgentState


class Recorder:
    """Makes the lines of one agent's life; a line is a text without its end.

    Remembers the actions under way, nothing else.
    """

    def __init__(self) -> None:
        #: By identity, since an outcome has the very action of its plan; the action is kept so that its identity is.
        self._running: dict[int, UnderWay] = {}

    def checkpoint(
        self, state: AgentState, *, at: float = 0.0, why: Why = "start", wall: str = "", lost: int = 0
    ) -> Iterator[str]:
        """The lines of a checkpoint: the first of a journal, or of another file of it.

        Args:
            state: after all that was told by `event` and `follow` so far.
            at: monotonic seconds; wall: the time of day, for people.
            lost: how many events are missing before it.

        Raises:
            JournalError: the state holds what cannot be written.
        """
        running: dict[str | None, list[UnderWay]] = {}
        for one in self._running.values():
            network_id = one.value.network_id
            running.setdefault(network_id if network_id in state.networks else None, []).append(one)
        yield write_line(
            Checkpoint(
                checkpoint=why,
                format_version=FORMAT_VERSION,
                at=at,
                wall=wall,
                lost=lost,
                networks=len(state.networks),
                state=evolve(state, networks=Map()),
                running=tuple(running.get(None, ())),
            )
        )
        for network_id in sorted(state.networks):
            # In one line with the actions that may hold the same network: what is one object stays one.
            yield write_line(
                KnownNetwork(network=state.networks[network_id], running=tuple(running.get(network_id, ())))
            )

    def event(self, event: Event, seq: int) -> str:
        """The line of an event.

        Args:
            seq: the state's, after the event was folded.

        Raises:
            JournalError: it holds what cannot be written; it is taken note of nevertheless, as by `follow`.
        """
        known = self.follow(event, seq)
        if isinstance(event, PlanStarted):
            asked = tuple(_asked(action) for action in event.plan.actions)
            return write_line(
                Happened(seq=seq, plan=Planned(at=event.at, digest=plan_digest(event.plan), actions=asked))
            )
        if known is not None and isinstance(event, ActionSucceeded | ActionFailed):
            return write_line(Happened(seq=seq, outcome=_outcome(event, known)))
        return write_line(Happened(seq=seq, event=event))

    def follow(self, event: Event, seq: int) -> UnderWay | None:
        """Take note of an event that is not written, since later ones refer to it; the action that it ends."""
        if isinstance(event, PlanStarted):
            for number, action in enumerate(event.plan.actions):
                self._running[id(action)] = UnderWay(plan=seq, action=number, value=action)
        elif isinstance(event, ActionSucceeded | ActionFailed):
            return self._running.pop(id(event.action), None)
        return None


def _asked(action: Action) -> Asked:
    key = getattr(action, "key", None)
    return Asked(
        kind=action.kind,
        network=action.network_id,
        segment=key.segmentation if key is not None else None,
        reasons=action.reasons,
        digest=action_digest(action),
    )


def _outcome(event: ActionSucceeded | ActionFailed, known: UnderWay) -> Outcome:
    if isinstance(event, ActionFailed):
        return Outcome(
            plan=known.plan,
            action=known.action,
            at=event.at,
            jitter=event.jitter,
            reason=event.reason,
            fault=event.fault,
            retryable=event.retryable,
        )
    return Outcome(
        plan=known.plan,
        action=known.action,
        at=event.at,
        jitter=event.jitter,
        result=event.result,
        seconds=event.seconds,
    )
