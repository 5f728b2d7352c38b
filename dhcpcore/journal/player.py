"""Reading a journal: state and plans computed again from what was recorded, and where they are not what was recorded.

The order is the agent's: each event is folded; where a plan was started it is made anew from the state at its time,
compared with what was recorded, and it is the new one that is folded.  The same version of dhcpcore makes the same
plans, byte for byte.  Another one may not: a difference is told, and what follows is what this version makes of it,
until the next checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve, frozen
from immutables import Map

from dhcpcore.actions import Action, Plan
from dhcpcore.events import ActionFailed, ActionSucceeded, Event, PlanStarted
from dhcpcore.journal.errors import JournalError
from dhcpcore.journal.form import action_digest, plan_digest
from dhcpcore.journal.lines import Asked, Checkpoint, Happened, KnownNetwork, Outcome, Planned, UnderWay, read_line
from dhcpcore.plan import plan_sync
from dhcpcore.state import fold_event
from dhcpcore.state.agent import AgentState


@frozen(kw_only=True)
class Step:
    """What one line of a journal did; the lines of a checkpoint are one step.

    Attributes:
        line: its number, from 1. at: monotonic seconds of the event, or of the checkpoint.
        before, after: the states around it; `before` is None at the first checkpoint.
        event: what was folded; None at a checkpoint, and for an outcome of an action that this version did not ask for.
        plan: of an event `PlanStarted`: as this version makes it.
        checkpoint: of that step.
        differences: where what was recorded is not what was computed, one sentence each.
    """

    line: int
    seq: int
    at: float
    before: AgentState | None
    after: AgentState
    event: Event | None = None
    checkpoint: Checkpoint | None = None
    differences: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan | None:
        """The plan that was started, if one was."""
        return self.event.plan if isinstance(self.event, PlanStarted) else None


def replay(lines: Iterable[str]) -> Iterator[Step]:
    """The steps of a journal.

    Args:
        lines: with or without their ends; empty ones do not count.  Those of several files may follow one another.

    Raises:
        JournalError: a line is no line of a journal, the first is no checkpoint, or lines are missing; has its number.
    """
    player: _Player | None = None
    reading: _Reading | None = None
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = read_line(text)
            if reading is not None:
                reading.add(line)
            elif isinstance(line, Checkpoint):
                reading = _Reading(line)
            elif player is None:
                raise JournalError("", "a checkpoint, with which a journal begins", "another line")
            elif isinstance(line, Happened):
                yield player.play(number, line)
            else:
                raise JournalError("network", "the networks that the checkpoint has", "one more")
            if reading is not None and reading.whole:
                before, player = player, _Player(reading)
                yield player.begun(number, reading.head, None if before is None else before.state)
                reading = None
        except JournalError as error:
            raise error.at_line(number) from None
    if reading is not None:
        raise JournalError("networks", f"{reading.head.networks} networks", f"the end after {len(reading.networks)}")


class _Reading:
    """A checkpoint that is being read."""

    def __init__(self, head: Checkpoint) -> None:
        self.head = head
        self.networks: list[KnownNetwork] = []

    @property
    def whole(self) -> bool:
        return len(self.networks) >= self.head.networks

    def add(self, line: Checkpoint | KnownNetwork | Happened) -> None:
        if not isinstance(line, KnownNetwork):
            found = f"another line after {len(self.networks)}"
            raise JournalError("networks", f"{self.head.networks} networks of the checkpoint", found)
        self.networks.append(line)

    def state(self) -> AgentState:
        networks = Map({each.network.id: each.network for each in self.networks})
        return evolve(self.head.state, networks=networks)

    def running(self) -> Iterator[UnderWay]:
        yield from self.head.running
        for each in self.networks:
            yield from each.running


class _Player:
    """Plays what follows a checkpoint."""

    def __init__(self, reading: _Reading) -> None:
        self.state = reading.state()
        self._running = {(each.plan, each.action): each.value for each in reading.running()}

    def begun(self, number: int, head: Checkpoint, before: AgentState | None) -> Step:
        differences = _unlike(before, self.state) if before is not None and head.checkpoint == "continued" else ()
        return Step(
            line=number,
            seq=self.state.seq,
            at=head.at,
            before=before,
            after=self.state,
            checkpoint=head,
            differences=differences,
        )

    def play(self, number: int, line: Happened) -> Step:
        before = self.state
        if line.seq != before.seq + 1:
            raise JournalError("seq", f"{before.seq + 1}: lines are missing", str(line.seq))
        found = [each for each in (line.event, line.plan, line.outcome) if each is not None]
        if len(found) != 1:
            raise JournalError("", "an event, a plan or an outcome", f"{len(found)} of them")
        event: Event | None = line.event
        differences: tuple[str, ...] = ()
        at = line.event.at if line.event is not None else 0.0
        if line.plan is not None:
            event, differences = self._planned(line.plan, line.seq)
            at = line.plan.at
        elif line.outcome is not None:
            event, differences = self._outcome(line.outcome)
            at = line.outcome.at
        # An outcome without its action is not folded, but counted: the numbers of all others hang on that.
        self.state = evolve(before, seq=line.seq) if event is None else fold_event(event, before)
        return Step(
            line=number,
            seq=line.seq,
            at=at,
            before=before,
            after=self.state,
            event=event,
            differences=differences,
        )

    def _planned(self, recorded: Planned, seq: int) -> tuple[Event, tuple[str, ...]]:
        plan = plan_sync(self.state, recorded.at)
        differences: tuple[str, ...] = ()
        if plan_digest(plan) != recorded.digest:
            differences = tuple(_differences(recorded, plan))
        for number, action in _matched(recorded, plan):
            self._running[seq, number] = action
        return PlanStarted(plan=plan, at=recorded.at), differences

    def _outcome(self, recorded: Outcome) -> tuple[Event | None, tuple[str, ...]]:
        action = self._running.pop((recorded.plan, recorded.action), None)
        if action is None:
            said = f"the outcome of action {recorded.action} of plan {recorded.plan}, which was not asked for here"
            return None, (said,)
        if recorded.reason is None:
            succeeded = ActionSucceeded(
                action=action,
                result=recorded.result,
                jitter=recorded.jitter,
                seconds=recorded.seconds,
                at=recorded.at,
            )
            return succeeded, ()
        failed = ActionFailed(
            action=action,
            reason=recorded.reason,
            fault=recorded.fault,
            retryable=recorded.retryable,
            jitter=recorded.jitter,
            at=recorded.at,
        )
        return failed, ()


def _matched(recorded: Planned, plan: Plan) -> Iterator[tuple[int, Action]]:
    """The recorded plan's places, each with the action that this version asks for instead: of the same kind and key."""
    left = list(plan.actions)
    for number, asked in enumerate(recorded.actions):
        for action in left:
            if _same(asked, action):
                yield number, action
                left.remove(action)
                break


def _same(asked: Asked, action: Action) -> bool:
    key = getattr(action, "key", None)
    segment = key.segmentation if key is not None else None
    return (asked.kind, asked.network, asked.segment) == (action.kind, action.network_id, segment)


def _differences(recorded: Planned, plan: Plan) -> Iterator[str]:
    left = list(plan.actions)
    told = False
    for asked in recorded.actions:
        same = next((action for action in left if _same(asked, action)), None)
        if same is None:
            told = True
            yield f"recorded and not planned now: {_named(asked)}"
            continue
        left.remove(same)
        if action_digest(same) != asked.digest:
            told = True
            yield f"planned otherwise than recorded: {_named(asked)}"
    for action in left:
        told = True
        yield f"planned now and not recorded: {action.kind} {action.network_id or ''}".rstrip()
    if not told:
        yield "the plan looks at other networks, or is due at another time, than the recorded one"


def _named(asked: Asked) -> str:
    where = "" if asked.network is None else f" {asked.network}"
    return f"{asked.kind}{where}" + ("" if asked.segment is None else f" segment {asked.segment}")


def _unlike(computed: AgentState, recorded: AgentState) -> tuple[str, ...]:
    if computed == recorded:
        return ()
    ids = sorted({*computed.networks, *recorded.networks})
    unlike = [each for each in ids if computed.networks.get(each) != recorded.networks.get(each)]
    which = f"in {unlike[0]} and {len(unlike) - 1} more networks" if unlike else "in what is about no network"
    return (f"the state of the checkpoint is not the one that was computed: {which}",)
