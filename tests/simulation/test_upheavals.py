"""Other settings, another dnsmasq, an agent on another host: what they do in histories, and that laws watch them."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from dhcpcore import events
from dhcpcore.observed import ObservedInstance
from dhcpcore.plan import diff
from dhcpcore.state import AgentState, deaths, fold, observation
from dhcpcore.testing.simulation import BrokenLaw, simulate
from dhcpcore.testing.simulation.happenings import wait
from dhcpcore.testing.simulation.networks import operate, take_leases
from dhcpcore.testing.simulation.upheavals import (
    change_settings,
    doom_processes,
    move_network,
    replace_dnsmasq,
    start_neighbour,
    stop_neighbour,
    stop_process,
)
from simulation.real_loop import make_agent

_DAILY: Final = (operate, operate, take_leases, take_leases, wait, wait)


def test_the_laws_hold_among_everything_else() -> None:
    """Law: see `test_simulation.py`; histories from this seed on have all that can happen."""
    for seed in range(1000, 1030):
        simulate(make_agent, seed=seed, shrink_seconds=5.0)


def _broken(*happenings: object, seeds: int = 25) -> str:
    """What is said of the first history that breaks a law."""
    for seed in range(seeds):
        try:
            simulate(make_agent, seed=seed, length=30, happenings=(*_DAILY, *happenings), shrink_seconds=0.0)  # type: ignore[arg-type]
        except BrokenLaw as broken:
            return str(broken).partition("\n")[0]
    return ""


def test_settings_that_nobody_sees_change_nothing_and_others_reach_every_dnsmasq() -> None:
    """Law: see `Laws.untouched`; at the end what runs is rendered with the settings of that time."""
    changed = 0
    for seed in range(5):
        world = simulate(make_agent, seed=seed, happenings=(*_DAILY, change_settings, change_settings))
        changed += sum("settings: {" in line for line in world.log)
    assert changed > 25


def test_settings_that_are_not_looked_at_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(event: events.SettingsChanged, state: AgentState) -> AgentState:
        return evolve(state, settings=event.settings)

    monkeypatch.setitem(fold._FOLD, events.SettingsChanged, deaf)
    assert _broken(change_settings)


def test_another_dnsmasq_starts_nothing_anew_and_is_taken_notice_of() -> None:
    """Law: whatever is installed, what serves is not touched, and nothing is sent a SIGHUP that it dies of."""
    installed: set[str] = set()
    for seed in range(5):
        world = simulate(make_agent, seed=seed, happenings=(*_DAILY, replace_dnsmasq, replace_dnsmasq))
        assert world.agent.state.capabilities.dnsmasq.version == world.host.dnsmasq_version
        installed |= {line.partition("dnsmasq ")[2] for line in world.log if line.endswith(" was installed")}
    assert installed == {"2.90 was installed", "2.91 was installed"}


def test_a_process_of_the_replaced_program_is_not_taken_for_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that asks the installed program only sends SIGHUP to the one that still runs, which dies of it."""
    allowed = diff.sighup_allowed
    monkeypatch.setattr(diff, "sighup_allowed", lambda served, *more: allowed(evolve(served, replaced=False), *more))
    assert "which dies of it" in _broken(replace_dnsmasq)


def test_what_dies_at_every_start_is_paced_and_served_in_the_end() -> None:
    """Law: see `Laws._on_start`; once the processes live on, all is served."""
    killed = 0
    for seed in range(6):
        world = simulate(make_agent, seed=seed, happenings=(*_DAILY, doom_processes))
        killed += world.host.count("start")
    assert killed > 60


def test_an_agent_that_starts_things_without_a_pause_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths, "_pause", lambda *_: None)
    assert "times within a second" in _broken(doom_processes)


def test_what_somebody_has_stopped_is_started_anew() -> None:
    """Law: a process that is there and does nothing is found by the audit, and its network is served in the end."""
    stopped = 0
    for seed in range(5):
        world = simulate(make_agent, seed=seed, happenings=(*_DAILY, stop_process))
        stopped += sum(line.endswith(" stopped") for line in world.log)
        assert not any(process.stopped for process in world.host.processes.values())
    assert stopped > 20


def test_an_agent_that_takes_a_stopped_process_for_one_that_serves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = observation._instance

    def deceived(known: object, found: ObservedInstance, network_id: str) -> object:
        process = evolve(found.process, stopped=False) if found.process is not None else None
        return seen(known, evolve(found, process=process), network_id)  # type: ignore[arg-type]

    monkeypatch.setattr(observation, "_instance", deceived)
    assert "dnsmasq is stopped" in _broken(stop_process)


def test_two_agents_serve_what_they_are_given() -> None:
    """Law: networks go from one to the other, and each host is what the server wants of it, with nothing left over."""
    served = moved = 0
    for seed in range(5):
        world = simulate(make_agent, seed=seed, happenings=(*_DAILY, start_neighbour, stop_neighbour, move_network))
        moved += sum(" moved from host-" in line for line in world.log)
        served += world.neighbour.host.count("start") if world.neighbour is not None else 0
    assert moved > 6
    assert served > 2


def test_an_agent_that_keeps_what_was_taken_from_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fold._FOLD, events.NetworkDeleted, lambda event, state: state)
    monkeypatch.setattr("dhcpcore.state.answers.judge_missing", lambda state, *_: state)
    assert "belongs to no" in _broken(move_network)
