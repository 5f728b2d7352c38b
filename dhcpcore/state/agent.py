"""The whole state of one agent: immutable, owned by one loop, changed only by `fold_event`.

Also the few small steps that all folding is made of.  Cost follows change: putting one network back is O(log n).
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from immutables import Map

from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import FetchNeed, NetworkRecord, ReadyPort, Retry
from dhcpcore.state.tombstones import Tombstones


@frozen(kw_only=True)
class Counts:
    """What a state report counts: served networks, all their subnets, all their ports."""

    networks: int = 0
    subnets: int = 0
    ports: int = 0


@frozen(kw_only=True, slots=False)
class Sync:
    """Asking the server for everything.

    Attributes:
        connected: the transport has told of a connection; one that tells of none is always connected.
        need: a full fetch that is owed; retry: after one that failed.
        sent_at, sent_seq: of the last one that was sent; answered_seq: when the last answered one was sent.
        told_seq, answered_at: event number, and monotonic seconds, of when the last answer came.
    """

    connected: bool = False
    need: FetchNeed | None = None
    retry: Retry | None = None
    sent_at: float | None = None
    sent_seq: int = -1
    answered_seq: int = -1
    told_seq: int = -1
    answered_at: float | None = None


@frozen(kw_only=True, slots=False)
class Heartbeat:
    """State reports.

    Attributes:
        due: monotonic seconds of the next one.
        start_flag: no report was answered yet since the start.
        supported: False once the server said that it takes none.
        first_answer_seq: event number of the first answer.
    """

    due: float = 0.0
    start_flag: bool = True
    supported: bool = True
    first_answer_seq: int | None = None
    failures: int = 0
    answered_at: float | None = None


@frozen(kw_only=True, slots=False)
class Ready:
    """Served ports that the server has not been told about, and those that it is being told about.

    Attributes:
        retry: after a report that failed, when those that it keeps waiting may be reported.
        held_from: with how many failures a port is one of those; 0: all are.
        answered: whether the server has taken a report of others since then.
    """

    queue: Map[str, ReadyPort] = Map()
    reporting: Map[str, ReadyPort] = Map()
    retry: Retry | None = None
    held_from: int = 0
    answered: bool = False


@frozen(kw_only=True)
class Brake:
    """Networks that a full answer lacks and that are kept nevertheless.

    Attributes:
        since: monotonic seconds of the first such answer; ask_at: when to ask again; served: how many were served then.
    """

    network_ids: frozenset[str]
    served: int
    since: float
    ask_at: float


@frozen(kw_only=True, slots=False)
class Observation:
    """Looking at the host.

    Attributes:
        done: the host was seen at least once: nothing is planned on it before.
        at: monotonic seconds of the last look at all of it. due: of the next audit.
    """

    done: bool = False
    at: float | None = None
    due: float = 0.0
    retry: Retry | None = None


@frozen(kw_only=True, slots=False)
class AgentState:
    """Everything the core knows. Make one with `initial_state`, change it with `fold_event`.

    Attributes:
        seq: how many events were folded.
        admin_state_up: of this agent, as the server last told; admin_seq: in which event.
        touched: networks that the next plan must look at.
        waiting: networks with something to try again, and when.
        in_flight: scopes in which actions run, and how many.
        fetches: those of them that ask the server for networks, and when they were sent (event number).
        recent: ports that an event touched while a fetch was under way, and the event's number.
        ended: networks of which we left nothing since a look at the whole host began, and the event's number.
        late: networks we do not know that an event named while a fetch was under way, and the event's number.
        templates: a `dhcpcore.Templates` of the user's own, None for ours.
    """

    settings: Settings
    capabilities: HostCapabilities = field(factory=HostCapabilities)
    seq: int = 0
    admin_state_up: bool = True
    admin_seq: int = -1
    networks: Map[str, NetworkRecord] = Map()
    touched: Map[str, bool] = Map()
    waiting: Map[str, float] = Map()
    in_flight: Map[str, int] = Map()
    fetches: Map[str, int] = Map()
    recent: Map[str, int] = Map()
    late: Map[str, int] = Map()
    ended: Map[str, int] = Map()
    counts: Counts = field(factory=Counts)
    sync: Sync = field(factory=Sync)
    heartbeat: Heartbeat = field(factory=Heartbeat)
    ready: Ready = field(factory=Ready)
    tombstones: Tombstones = field(factory=Tombstones)
    observation: Observation = field(factory=Observation)
    brake: Brake | None = None
    templates: Any = None

    def record(self, network_id: str) -> NetworkRecord:
        """What is remembered of a network; an empty record for an unknown one."""
        return self.networks.get(network_id) or NetworkRecord(id=network_id)

    @property
    def fetching(self) -> bool:
        """Whether any fetch is under way."""
        return bool(self.fetches)

    @property
    def reports(self) -> bool:
        """Whether state reports are to be sent at all."""
        return self.heartbeat.supported and self.settings.report_interval > 0

    @property
    def most_ready_reports(self) -> int:
        """How many reports it takes to tell that every port is ready: a plan has one, and others follow."""
        ports = sum(len(record.desired.ports) for record in self.networks.values() if record.desired is not None)
        return -(-ports // self.settings.ready_ports_batch)


def initial_state(
    settings: Settings,
    capabilities: HostCapabilities | None = None,
    *,
    at: float = 0.0,
    observed: bool = False,
    reporting: bool = True,
    templates: Any = None,
) -> AgentState:
    """The state of an agent that has just started: the host is to be looked at, the server to be asked.

    Args:
        at: monotonic seconds.
        observed: True where there is no host to look at (a what-if, a test).
        reporting: False for who acts once and is no agent: no state report is ever due.  What the server does not list
            is then in doubt until `AgentKnown` is folded.
        templates: a `dhcpcore.Templates` of your own.
    """
    return AgentState(
        settings=settings,
        templates=templates,
        capabilities=capabilities or HostCapabilities(),
        sync=Sync(need=FetchNeed(seq=0, reasons=("start",))),
        heartbeat=Heartbeat(due=at if reporting else float("inf")),
        observation=Observation(done=observed, due=at + settings.audit_interval if observed else at),
        tombstones=Tombstones(turned_at=at),
    )


def put(state: AgentState, record: NetworkRecord, *, touch: bool = True) -> AgentState:
    """`state` with `record` in it, or without the record once nothing is left of it."""
    before = state.networks.get(record.id)
    counts = _counted(_counted(state.counts, before, -1), record, +1)
    due = record.due_after(float("-inf"))
    waiting = state.waiting
    if due is not None:
        waiting = waiting.set(record.id, due)
    elif record.id in waiting:
        waiting = waiting.delete(record.id)
    if record.is_empty:
        networks = state.networks.delete(record.id) if before is not None else state.networks
        touched = state.touched.delete(record.id) if record.id in state.touched else state.touched
        if record.id in waiting:
            waiting = waiting.delete(record.id)
        ended = state.ended
        if record.host_seq >= 0 and "observe" in state.in_flight:
            ended = ended.set(record.id, state.seq)
        return evolve(state, networks=networks, counts=counts, waiting=waiting, touched=touched, ended=ended)
    return evolve(
        state,
        networks=state.networks.set(record.id, record),
        counts=counts,
        waiting=waiting,
        touched=state.touched.set(record.id, True) if touch else state.touched,
    )


def touch(state: AgentState, network_id: str) -> AgentState:
    """`state` in which the next plan looks at a network."""
    if network_id not in state.networks or network_id in state.touched:
        return state
    return evolve(state, touched=state.touched.set(network_id, True))


def need_fetch(record: NetworkRecord, seq: int, reason: str) -> NetworkRecord:
    """`record` that owes a fetch because of event `seq`."""
    reasons = record.need.reasons if record.need is not None else ()
    if reason not in reasons:
        reasons = (*reasons[-7:], reason)
    return evolve(record, need=FetchNeed(seq=seq, reasons=reasons))


def need_full_fetch(state: AgentState, reason: str) -> AgentState:
    """`state` that owes a full fetch."""
    reasons = state.sync.need.reasons if state.sync.need is not None else ()
    if reason not in reasons:
        reasons = (*reasons[-7:], reason)
    return evolve(state, sync=evolve(state.sync, need=FetchNeed(seq=state.seq, reasons=reasons)))


def _counted(counts: Counts, record: NetworkRecord | None, sign: int) -> Counts:
    if record is None or record.desired is None or not record.served:
        return counts
    network = record.desired
    return Counts(
        networks=counts.networks + sign,
        subnets=counts.subnets + sign * (len(network.subnets) + len(network.non_local_subnets)),
        ports=counts.ports + sign * len(network.ports),
    )
