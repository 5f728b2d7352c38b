"""The lines of a journal as values; the codec reads and writes them.

A journal is a checkpoint (`Checkpoint`, then as many `KnownNetwork` as it says) and a `Happened` for each event after
it; another checkpoint may follow at any place.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from attrs import frozen

# The codec knows Action and Event by their families, which are declared there.
import dhcpcore.journal.form  # noqa: F401
from dhcpcore.actions import Action
from dhcpcore.errors import shown
from dhcpcore.events import Event, Fault, Result
from dhcpcore.journal.codec import codec
from dhcpcore.journal.errors import JournalError
from dhcpcore.journal.scalars import Shared
from dhcpcore.state.agent import AgentState
from dhcpcore.state.records import NetworkRecord

FORMAT_VERSION: Final = 1

#: Why a checkpoint was written.
Why = Literal[
    "start",  # an agent's life begins
    "continued",  # the lines before it are in the file before; nothing is missing
    "gap",  # events before it are missing: they came too fast, or could not be written
]


@frozen(kw_only=True)
class UnderWay:
    """An action whose outcome is not known yet.

    Attributes:
        plan: number of the event with which its plan was started; action: its place there.
    """

    plan: int
    action: int
    value: Action


@frozen(kw_only=True)
class Checkpoint:
    """The state of an agent without its networks.

    Attributes:
        at: monotonic seconds of when it was taken; wall: the time of day, for people.
        lost: how many events are missing before it.
        networks: how many `KnownNetwork` follow.
        running: actions under way that are about none of them.
    """

    checkpoint: Why
    format_version: int
    state: AgentState
    networks: int
    at: float = 0.0
    lost: int = 0
    wall: str = ""
    running: tuple[UnderWay, ...] = ()


@frozen(kw_only=True)
class KnownNetwork:
    """One network of a checkpoint, with what is under way for it."""

    network: NetworkRecord
    running: tuple[UnderWay, ...] = ()


@frozen(kw_only=True)
class Asked:
    """What a plan's line says of an action."""

    kind: str
    network: str | None = None
    segment: str | None = None
    reasons: tuple[str, ...] = ()
    digest: str


@frozen(kw_only=True)
class Planned:
    """A plan that was started: it is computed again, and compared."""

    at: float
    digest: str
    actions: tuple[Asked, ...] = ()


@frozen(kw_only=True)
class Outcome:
    """What came of an action of a plan that is told before; `reason` None where it succeeded.

    Attributes:
        seconds: as in `ActionSucceeded`; None also in journals of versions that did not write it.
    """

    plan: int
    action: int
    at: float
    jitter: float = 0.0
    result: Result = None
    reason: str | None = None
    fault: Fault = "error"
    retryable: bool = True
    seconds: float | None = None


@frozen(kw_only=True)
class Happened:
    """One event that was folded, in one of three forms; `seq` is the state's afterwards."""

    seq: int
    event: Event | None = None
    plan: Planned | None = None
    outcome: Outcome | None = None


Line = Checkpoint | KnownNetwork | Happened
#: The member by which each kind is known.
_KINDS: Final[tuple[tuple[str, type], ...]] = (("seq", Happened), ("network", KnownNetwork), ("checkpoint", Checkpoint))


def write_line(line: Line) -> str:
    """The text of a line, without its end; ASCII.

    Raises:
        JournalError: a value is not of its declared type.
    """
    try:
        encoded = codec(type(line)).encode(line, Shared.new())
        return json.dumps(encoded, separators=(",", ":"), allow_nan=False)
    except JournalError:
        raise
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        # Types are promised, not enforced: an adapter of somebody else's may have broken its contract.
        raise JournalError("", "values of their declared types", shown(str(error))) from None


def read_line(text: str) -> Line:
    """The line of a text.

    Raises:
        JournalError: it is none; names the member.
    """
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JournalError("", "a JSON object", shown(str(error) or "too many levels")) from None
    if isinstance(data, dict):
        for member, kind in _KINDS:
            if member in data:
                if kind is Checkpoint and data.get("format_version") != FORMAT_VERSION:
                    # Before the members: those of another version may be others.
                    version = shown(data.get("format_version"))
                    raise JournalError("format_version", f"{FORMAT_VERSION}, as this dhcpcore reads", version)
                line: Line = codec(kind).decode(data, Shared.new())
                return line
    raise JournalError("", "a checkpoint, a network of one, or an event", shown(data))
