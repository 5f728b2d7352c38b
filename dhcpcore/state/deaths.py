"""Folding the death of a process: back at once, unless it keeps dying at its start."""

from __future__ import annotations

from typing import Final

from attrs import evolve

import dhcpcore.events as events
from dhcpcore.state.agent import AgentState, put
from dhcpcore.state.records import LastDeath, NetworkRecord, Retry, backoff, short

#: A process that ends within this many seconds of its start counts as dying at its start.
EARLY_DEATH = 60.0

#: How a process ends that is stopped: dnsmasq with 0, haproxy by SIGTERM or with what a shell makes of that; None:
#: nobody told.
_STOPPED: Final = (None, 0, -15, 143)


def process_died(event: events.ProcessDied, state: AgentState) -> AgentState:
    """A dnsmasq is gone: back at once, unless it keeps dying at its start."""
    record = state.networks.get(event.key.network_id)
    if record is None:
        return state
    record = _note_death(state, record, event.pid)
    served = record.served.get(event.key)
    if served is None or not served.alive or _another(event.pid, served.pid):
        return put(state, record, touch=False)
    if _was_stopped(state, record, event.exit_code):
        gone = evolve(served, alive=False, pid=None)
        return put(state, evolve(record, served=record.served.set(event.key, gone)))
    deaths = _deaths(served.started_at, served.deaths, event.at)
    dead = evolve(served, alive=False, pid=None, deaths=deaths, last_death=_last(event))
    record = evolve(record, served=record.served.set(event.key, dead))
    return put(state, _paced(state, record, deaths, event, "dnsmasq"))


def proxy_died(event: events.ProxyDied, state: AgentState) -> AgentState:
    """A metadata proxy is gone: the same."""
    record = state.networks.get(event.network_id)
    if record is None:
        return state
    record = _note_death(state, record, event.pid)
    proxy = record.proxy
    if proxy is None or not proxy.alive or _another(event.pid, proxy.pid):
        return put(state, record, touch=False)
    if _was_stopped(state, record, event.exit_code):
        return put(state, evolve(record, proxy=evolve(proxy, alive=False, pid=None)))
    deaths = _deaths(proxy.started_at, proxy.deaths, event.at)
    dead = evolve(proxy, alive=False, pid=None, deaths=deaths, last_death=_last(event))
    record = evolve(record, proxy=dead)
    return put(state, _paced(state, record, deaths, event, "the metadata proxy"))


def is_unexpected(event: events.ProcessDied | events.ProxyDied, state: AgentState) -> bool:
    """Whether a process died that was to live: not one that an action stops, and not an earlier one."""
    network_id = event.key.network_id if isinstance(event, events.ProcessDied) else event.network_id
    record = state.networks.get(network_id)
    if record is None or f"network:{network_id}" in state.in_flight:
        return False
    now = record.served.get(event.key) if isinstance(event, events.ProcessDied) else record.proxy
    return now is not None and now.alive and not _another(event.pid, now.pid)


def _note_death(state: AgentState, record: NetworkRecord, pid: int | None) -> NetworkRecord:
    """What is being looked at on the host is out of date; what is being started may have died before we hear of it."""
    if pid is not None and f"network:{record.id}" in state.in_flight:
        record = evolve(record, died=record.died | {pid})
    return evolve(record, host_seq=state.seq)


def _was_stopped(state: AgentState, record: NetworkRecord, exit_code: int | None) -> bool:
    """Whether it ended while we work on it, as one does that is told to: several restarts in a row are no crashes."""
    return f"network:{record.id}" in state.in_flight and exit_code in _STOPPED


def _another(pid: int | None, known: int | None) -> bool:
    return pid is not None and known is not None and pid != known


def _deaths(started_at: float | None, deaths: int, at: float) -> int:
    return deaths + 1 if started_at is not None and at - started_at < EARLY_DEATH else 1


def _last(event: events.ProcessDied | events.ProxyDied) -> LastDeath:
    return LastDeath(at=event.at, exit_code=event.exit_code, detail=short(event.detail))


def _paced(
    state: AgentState,
    record: NetworkRecord,
    deaths: int,
    event: events.ProcessDied | events.ProxyDied,
    what: str,
) -> NetworkRecord:
    if deaths < 2:
        return record
    before = Retry(attempts=deaths - 2, not_before=0.0, reason="")
    code = "not known" if event.exit_code is None else event.exit_code
    reason = f"{what} died {deaths} times in a row, exit code {code}: {event.detail or 'nobody said why'}"
    retry = backoff(state.settings, before, at=event.at, reason=reason, jitter=0.0)
    return evolve(record, retry=retry)
