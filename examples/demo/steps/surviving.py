"""An agent that ends, and one that is killed: nobody on the networks notices.  A dnsmasq that is killed is back."""

from __future__ import annotations

import os
import re
import signal
from typing import Any, Final

from demo.host import Process, processes
from demo.packets import offered
from demo.parts import AGENT_DOWN_TIME
from demo.stage import Stage, dnsmasq_log
from demo.steps.beginning import ADDRESSES
from demo.steps.serving import office_lease
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, shown, until

#: What dnsmasq logs when it starts, ends, or is made to read its files by a signal.
_DISTURBED: Final = re.compile(r" (started, version|exiting on|read /|cleared cache|FAILED)")
#: Seconds in which the agent must end, and a killed dnsmasq be back.
_ENDED_WITHIN: Final = 2.0
_BACK_WITHIN: Final = 1.0
#: Seconds that one DISCOVER is given: it may come when nobody listens.
_SOON: Final = 0.05


def _serving() -> list[Process]:
    return processes("dnsmasq") + processes("haproxy")


class _Undisturbed:
    """Sees whether any dnsmasq or haproxy is started, ended or signalled, from now on."""

    def __init__(self) -> None:
        self._processes = _serving()
        self._logged = len(dnsmasq_log())

    def check(self) -> str:
        expect("the list of serving processes", [one.pid for one in _serving()], [one.pid for one in self._processes])
        expect("the list with their start times", _serving(), self._processes)
        new = dnsmasq_log()[self._logged :].splitlines()
        if disturbed := [line for line in new if _DISTURBED.search(line)]:
            raise NotSo(f"a dnsmasq was disturbed; it logged: {disturbed[0]}")
        return f"the same {len(self._processes)} processes, by pid and start time, and no signal in dnsmasq's log"


def _renewed(stage: Stage) -> str:
    """Ann's client renews; the time it took."""
    watch = Stopwatch()
    expect("ann's lease", stage.clients["ann"].renew(), office_lease(stage, "ann", ADDRESSES["ann"]))
    return str(watch)


def _settle(stage: Stage) -> None:
    """Wait until the agent has seen host and server, and has nothing to do."""

    def settled() -> dict[str, Any] | None:
        stage.agent.running()
        status = stage.agent.status_now()
        if status is None:
            return None
        synced = status["sync"]["answered_seconds_ago"] is not None and not status["sync"]["under_way"]
        busy = status["in_flight"] or status["pending"]
        return status if synced and not busy and status["agent"]["host_observed"] else None

    status = until("the agent has nothing to do", settled) or {}
    expect("the number of networks served", status["counts"]["networks_served"], len(stage.networks))


def _started(stage: Stage) -> str:
    """Start the agent and let it settle; the time it took."""
    watch = Stopwatch()
    stage.agent.start()
    _settle(stage)
    return str(watch)


def restarted(stage: Stage) -> str:
    _settle(stage)
    undisturbed = _Undisturbed()
    code, seconds = stage.agent.end()
    expect("the agent's exit code", code, 0)
    if seconds > _ENDED_WITHIN:
        raise NotSo(f"the agent took {seconds:.1f} s to end, should be {_ENDED_WITHIN:g} s at most")
    try:
        renewed = _renewed(stage)
    finally:
        started = _started(stage)
    return f"SIGTERM, gone after {shown(seconds)}; ann renews in {renewed}; back after {started}: {undisturbed.check()}"


def killed(stage: Stage) -> str:
    _settle(stage)
    undisturbed = _Undisturbed()
    stage.agent.end(signal.SIGKILL)
    watch = Stopwatch()
    try:
        until("the server has the agent dead", lambda: not stage.is_alive())
        dead = watch.seconds
        if dead > AGENT_DOWN_TIME + 1:
            raise NotSo(f"the agent counted as alive for {dead:.1f} s, should be {AGENT_DOWN_TIME} s")
        renewed = _renewed(stage)
    finally:
        watch = Stopwatch()
        _started(stage)
    until("the server has the agent alive again", stage.is_alive)
    return (
        f"kill -9: not alive in the database after {dead:.1f} s (agent_down_time {AGENT_DOWN_TIME}); ann renews in "
        f"{renewed}; started, alive and settled after {watch}: {undisturbed.check()}"
    )


def dnsmasq_killed(stage: Stage) -> str:
    machine, victim = stage.machines["ann"], stage.dnsmasq("office")
    wanted = office_lease(stage, "ann", ADDRESSES["ann"])
    watch = Stopwatch()
    os.kill(victim.pid, signal.SIGKILL)

    def another_answers() -> bool:
        answered = offered(machine.bridge, machine.mac, _SOON) == wanted
        return answered and stage.dnsmasq("office").pid != victim.pid

    until("ann is answered by another dnsmasq", another_answers)
    if watch.seconds > _BACK_WITHIN:
        raise NotSo(f"ann was without DHCP for {watch}, should be {_BACK_WITHIN:g} s at most")
    back = str(watch)
    renewed = _renewed(stage)
    after = stage.dnsmasq("office").pid
    return f"kill -9 of process {victim.pid}: {after} offers ann her address after {back}; renewed in {renewed}"


STEPS: Final = (
    Step(what="An agent's restart disturbs nobody", run=restarted),
    Step(what="A killed agent is missed, disturbs nobody, revives", run=killed),
    Step(what="A killed dnsmasq is back within a second", run=dnsmasq_killed),
)
