"""What we serve and a full answer lacks: to be disabled, in doubt, or held by the brake.

A wrong or empty answer from a restoring server must not take DHCP down.
"""

from __future__ import annotations

from dhcpcore.state.agent import AgentState, Brake, need_fetch, need_full_fetch, put
from dhcpcore.state.evolving import evolve
from dhcpcore.state.notifications import drop_desired
from dhcpcore.state.records import NetworkRecord


def judge_missing(state: AgentState, listed: set[str], sent_seq: int, at: float) -> AgentState:
    """The state after a full answer that listed these networks.

    Args:
        sent_seq: event number at which the question was sent: what later events or answers said is not in doubt.
    """
    if sent_seq < state.admin_seq:
        return state  # asked of an agent that was switched on or off since; that owes a fetch of its own
    unlisted = sorted(
        (
            record
            for record in state.networks.values()
            if record.id not in listed and record.removal != "deleted" and record.event_seq <= sent_seq
        ),
        key=lambda record: record.id,
    )
    # The server was asked about them alone after that, and knew them; but whose they are, it was not asked then.
    if any(record.answered_seq > sent_seq and record.desired is not None for record in unlisted):
        state = need_full_fetch(state, "a network that was not listed is known to the server")
    missing = [record for record in unlisted if record.answered_seq <= sent_seq]
    if not state.observation.done:
        # Which of them are served is not known yet, so the brake could not hold. What is found of them on the host is
        # found as what was not known: then everything is asked for again.
        for record in missing:
            state = put(state, NetworkRecord(id=record.id))
        return state
    if not state.admin_state_up:
        return evolve(_drop(state, missing), brake=None)
    if not _trusted(state, sent_seq):
        for record in missing:
            on_host = record.served or record.proxy is not None or record.namespace
            if on_host:
                state = put(state, evolve(record, removal="untrusted"))
            else:
                state = drop_desired(state, record, "unlisted")
        # Where the server has heard of us by now, it is asked again at once; else its first answer will see to that.
        return heartbeat_trusted(state) if state.heartbeat.first_answer_seq is not None else state
    # What is being disabled already was judged then.
    losing = [record for record in missing if record.served and record.removal != "unlisted"]
    state = _drop(state, [record for record in missing if not record.served])
    if not losing:
        return evolve(state, brake=None) if state.brake is not None else state
    return _brake(state, losing, listed, at)


def _trusted(state: AgentState, sent_seq: int) -> bool:
    """Whether the server knew this agent when it was asked; one that does not takes reports from nobody."""
    first = state.heartbeat.first_answer_seq
    return not state.reports or (first is not None and sent_seq >= first)


def _brake(state: AgentState, losing: list[NetworkRecord], listed: set[str], at: float) -> AgentState:
    settings, standing = state.settings, state.brake
    ids = frozenset(record.id for record in losing)
    served = sum(1 for record in state.networks.values() if record.served)
    # What has become ours since the question was asked could not be listed: it makes an empty answer no safer.
    judged = sum(1 for record in state.networks.values() if record.served and (record.id in ids or record.id in listed))
    if standing is not None:
        served = max(served, standing.served)
        judged = max(judged, standing.served)
    same = standing is not None and ids <= standing.network_ids
    if not same and (
        served < settings.unsafe_disable_minimum or len(losing) * 100 <= settings.unsafe_disable_percent * judged
    ):
        return evolve(_drop(state, losing), brake=None)
    since = standing.since if standing is not None and same else at
    if at >= since + settings.unsafe_disable_hold:
        return evolve(_drop(state, losing), brake=None)
    for record in losing:
        if record.removal != "held":
            held = evolve(record, removal="held")
            state = put(state, need_fetch(held, state.seq, "missing in a full answer"))
    ask_at = min(since + settings.unsafe_disable_hold, at + settings.retry_interval_max)
    return evolve(state, brake=Brake(network_ids=ids, served=served, since=since, ask_at=ask_at))


def _drop(state: AgentState, records: list[NetworkRecord]) -> AgentState:
    for record in records:
        state = drop_desired(state, state.networks[record.id], "unlisted")
    return state


def let_go(state: AgentState) -> AgentState:
    """The brake is forced: what it holds goes."""
    held = [record for record in state.networks.values() if record.removal == "held"]
    return evolve(_drop(state, sorted(held, key=lambda record: record.id)), brake=None)


def heartbeat_trusted(state: AgentState) -> AgentState:
    """The server knows this agent now: an answer that was given before it did is asked for again."""
    if any(record.removal == "untrusted" for record in state.networks.values()):
        return need_full_fetch(state, "the server had not heard of this agent")
    return state
