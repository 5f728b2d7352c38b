"""Folding the death of a process: back at once, unless it keeps dying at its start."""

from __future__ import annotations

from typing import Final

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.agent import AgentState, put
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import LastDeath, NetworkRecord, Retry, ServedProxy, backoff, short

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
    record = _note_death(state, record, event)
    served = record.served.get(event.key)
    if served is None or not served.alive or _another(event.pid, served.pid):
        return put(state, record, touch=False)
    if served.ending and event.exit_code in _STOPPED:
        gone = evolve(served, alive=False, pid=None)
        return put(state, evolve(record, served=record.served.set(event.key, gone)))
    return put(state, instance_died(state, record, event.key, _last(event)))


def proxy_died(event: events.ProxyDied, state: AgentState) -> AgentState:
    """A metadata proxy is gone: the same."""
    record = state.networks.get(event.network_id)
    if record is None:
        return state
    record = _note_death(state, record, event)
    proxy = record.proxy
    if proxy is None or not proxy.alive or _another(event.pid, proxy.pid):
        return put(state, record, touch=False)
    if proxy.ending and event.exit_code in _STOPPED:
        return put(state, evolve(record, proxy=evolve(proxy, alive=False, pid=None)))
    return put(state, own_proxy_died(state, record, _last(event)))


def begun(state: AgentState, action: actions.Action) -> AgentState:
    """An action begins: what it ends, or signals, has not died of itself."""
    if not isinstance(action, actions.InstanceAction | actions.StartProxy | actions.StopProxy):
        return state
    record = state.record(action.network_id)
    match action:
        case actions.ReloadInstance(sighup=True):
            changed = _marked(record, action.key, signalled=True)
        case actions.RestartInstance() | actions.ReloadInstance() | actions.DisableInstance():
            changed = _marked(record, action.key, ending=True)
        case actions.StartProxy():
            changed = _proxy_marked(record, ending=True)
        case actions.StopProxy() if record.proxy is not None and record.proxy.proxy_id == action.proxy_id:
            changed = _proxy_marked(record, ending=True)
        case _:
            return state
    return state if changed is record else put(state, changed, touch=False)


def not_done(record: NetworkRecord, action: actions.Action, *, skipped: bool) -> NetworkRecord:
    """An action failed, or never began: it ends nothing any more; its signal may still be on its way."""
    if isinstance(action, actions.StartProxy | actions.StopProxy):
        return _proxy_marked(record, ending=False)
    if not isinstance(action, actions.InstanceAction):
        return record
    return _marked(record, action.key, ending=False, signalled=False if skipped else None)


def _marked(
    record: NetworkRecord, key: InstanceKey, *, ending: bool | None = None, signalled: bool | None = None
) -> NetworkRecord:
    served = record.served.get(key)
    if served is None:
        return record
    ending = served.ending if ending is None else ending
    signalled = served.signalled if signalled is None else signalled
    if (ending, signalled) == (served.ending, served.signalled):
        return record
    marked = evolve(served, ending=ending, signalled=signalled)
    return evolve(record, served=record.served.set(key, marked))


def _proxy_marked(record: NetworkRecord, *, ending: bool) -> NetworkRecord:
    if record.proxy is None or record.proxy.ending == ending:
        return record
    return evolve(record, proxy=evolve(record.proxy, ending=ending))


def instance_died(state: AgentState, record: NetworkRecord, key: InstanceKey, death: LastDeath) -> NetworkRecord:
    """`record` without the process of an instance, which was to live."""
    served = record.served[key]
    early = not served.signalled and _is_early(served.started_at, death.at)
    deaths = served.deaths + 1 if early else 1
    dead = evolve(served, alive=False, pid=None, deaths=deaths, last_death=death, signalled=False)
    record = evolve(record, served=record.served.set(key, dead))
    retry = _pause(state, deaths, death, "dnsmasq")
    return evolve(record, retry=retry) if retry is not None else record


def own_proxy_died(state: AgentState, record: NetworkRecord, death: LastDeath) -> NetworkRecord:
    """`record` without the process of its metadata proxy, which was to live."""
    proxy = record.proxy
    assert proxy is not None
    deaths = proxy.deaths + 1 if _is_early(proxy.started_at, death.at) else 1
    dead = evolve(proxy, alive=False, pid=None, deaths=deaths, last_death=death)
    retry = _pause(state, deaths, death, "the metadata proxy")
    return evolve(record, proxy=dead, proxy_retry=retry if retry is not None else record.proxy_retry)


def is_unexpected(event: events.ProcessDied | events.ProxyDied, state: AgentState) -> bool:
    """Whether a process died that was to live: not one that an action stops or signals, and not an earlier one."""
    network_id = event.key.network_id if isinstance(event, events.ProcessDied) else event.network_id
    record = state.networks.get(network_id)
    if record is None:
        return False
    now = record.served.get(event.key) if isinstance(event, events.ProcessDied) else record.proxy
    if now is None or not now.alive or now.ending or _another(event.pid, now.pid):
        return False
    return isinstance(now, ServedProxy) or not now.signalled


def _note_death(
    state: AgentState, record: NetworkRecord, event: events.ProcessDied | events.ProxyDied
) -> NetworkRecord:
    """What is being looked at on the host is out of date; what is being started may have died before we hear of it."""
    if event.pid is not None and f"network:{record.id}" in state.in_flight:
        record = evolve(record, died=record.died.set(event.pid, _last(event)))
    return evolve(record, host_seq=state.seq)


def _another(pid: int | None, known: int | None) -> bool:
    return pid is not None and known is not None and pid != known


def _is_early(started_at: float | None, died_at: float) -> bool:
    return started_at is not None and died_at - started_at < EARLY_DEATH


def _last(event: events.ProcessDied | events.ProxyDied) -> LastDeath:
    return LastDeath(at=event.at, exit_code=event.exit_code, detail=short(event.detail))


def _pause(state: AgentState, deaths: int, death: LastDeath, what: str) -> Retry | None:
    """The pause before another start of what has died so many times in a row; None before the second time."""
    if deaths < 2:
        return None
    before = Retry(attempts=deaths - 2, not_before=0.0, reason="")
    code = "not known" if death.exit_code is None else death.exit_code
    reason = f"{what} died {deaths} times in a row, exit code {code}: {death.detail or 'nobody said why'}"
    return backoff(state.settings, before, at=death.at, reason=reason, jitter=0.0)
