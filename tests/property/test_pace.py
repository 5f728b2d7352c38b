"""How often a network is reloaded, over bursts of any shape (museum classes HUP and SCALE)."""

from __future__ import annotations

from attrs import frozen
from hypothesis import example, given
from hypothesis import strategies as st

from dhcpcore import actions, events
from dhcpcore.state.pace import CLOSE, FIRST_GAP, LONGEST_GAP
from support.script import Script, port, serving

#: Seconds that a reload takes in these tests.
COST = 0.025


@frozen
class Burst:
    """What became of ports that were created one after the other.

    Attributes:
        reloads: how many there were; waits: seconds from each port's event to the moment when it was served.
    """

    reloads: int
    waits: tuple[float, ...]


def created(script: Script, arrivals: list[float], cost: float = COST) -> Burst:
    """Tell of one port at each of `arrivals` (seconds from now, ascending), each reload taking `cost`."""
    begin = script.now
    times = [begin + each for each in arrivals]
    told = 0
    reloads: list[float] = []
    running: tuple[float, actions.Action] | None = None
    served_at: list[float] = []
    for _ in range(20 * len(times) + 100):
        plan = script.start()
        for action in plan:
            if isinstance(action, actions.ReloadInstance):
                assert running is None, "two reloads of one network at once"
                running = (script.now + cost, action)
                reloads.append(script.now)
                served_at.extend([running[0]] * (told - len(served_at)))
            else:
                script.succeed(action)
        ends = [running[0]] if running is not None else []
        comes = times[told : told + 1]
        due = plan.due if plan.due is not None else float("inf")
        if not ends and not comes and len(served_at) == len(times):
            break
        script.now = max(script.now, min([*ends, *comes, due]))
        if running is not None and running[0] <= script.now:
            script.succeed(running[1])
            running = None
        while told < len(times) and times[told] <= script.now:
            script.tell(events.PortCreated(port=port(told + 1)))
            told += 1
    assert len(served_at) == len(times), "a port is never served"
    waits = tuple(served - arrival for served, arrival in zip(served_at, times, strict=True))
    return Burst(reloads=len(reloads), waits=waits)


@given(st.lists(st.floats(0.0, 0.06), min_size=1, max_size=60))
@example([0.0] * 60)
@example([0.05] * 60)
def test_every_change_is_served_soon_however_many_come(gaps: list[float]) -> None:
    """A change is served after at most the longest gap and two reloads, whatever came before it."""
    arrivals = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    burst = created(serving(), arrivals)
    assert max(burst.waits) <= LONGEST_GAP + 2 * COST + 1e-6


@given(st.lists(st.floats(CLOSE + 2 * COST, 1.0), min_size=1, max_size=30))
def test_a_change_that_comes_alone_is_never_held_back(gaps: list[float]) -> None:
    """Changes that come when nothing runs, each some time after the one before was served, are reloaded at once."""
    arrivals = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    burst = created(serving(), arrivals)
    assert burst.reloads == len(arrivals)
    assert max(burst.waits) <= COST + 1e-6


@given(st.integers(60, 120), st.floats(0.0, 0.04), st.floats(0.001, 0.04))
@example(300, 0.02, COST)
@example(300, 0.0, COST)
@example(300, 0.02, 0.005)
def test_a_burst_costs_reloads_by_its_length_in_time_and_not_by_its_changes(
    count: int, gap: float, cost: float
) -> None:
    """Reloads of a burst are few, longer than its gaps or not: some at first, then one for each longest gap."""
    burst = created(serving(), [index * gap for index in range(count)], cost)
    growing = 11  # 0.1, 0.2, 0.4, 0.8 s, and at most seven before the burst is known for one
    assert burst.reloads <= growing + count * gap / LONGEST_GAP + 1


@given(st.lists(st.floats(0.0, 0.2), min_size=12, max_size=24))
@example([0.01] * 60)
@example([0.0, 0.0, 0.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0])
def test_who_waits_for_each_change_is_seldom_held_back(pauses: list[float]) -> None:
    """Changes made one by one, each when the one before is served, are no burst: at most one in six waits."""
    script, waits = serving(), []
    for number, pause in enumerate(pauses, start=1):
        script.now += pause
        begin = script.now
        script.tell(events.PortCreated(port=port(number)))
        while True:
            plan = script.start()
            reloads = [action for action in plan if isinstance(action, actions.ReloadInstance)]
            for action in plan:
                if action not in reloads:
                    script.succeed(action)
            if reloads:
                break
            if not plan:
                assert plan.due is not None
                script.now = plan.due
        script.now += COST
        script.succeed(reloads[0])
        waits.append(script.now - begin)
    assert max(waits) <= FIRST_GAP + COST + 1e-6
    assert sum(wait > COST + 1e-6 for wait in waits) <= len(waits) / 6


def test_a_long_reload_makes_the_gap_as_long() -> None:
    """What a reload costs dnsmasq is a part of the gap: at most half of the time is spent on reloads."""
    burst = created(serving(), [index * 0.05 for index in range(400)], cost=3.0)
    assert burst.reloads <= 3 + 20 / 6


def test_neutrons_bulk_reload_interval_is_kept() -> None:
    """Where the operator wants seconds between two reloads there are so many, burst or not."""
    burst = created(serving(bulk_reload_interval=4), [float(index) for index in range(20)])
    assert burst.reloads <= 6


def test_after_a_burst_the_next_change_is_reloaded_at_once() -> None:
    """Quiet ends a burst."""
    script = serving()
    created(script, [index * 0.01 for index in range(100)])
    script.now += 5.0
    script.tell(events.PortDeleted(port_id="net-p1", network_id="net"))
    assert [action.kind for action in script.start()] == ["reload"]


def test_the_gaps_are_as_documented() -> None:
    assert (FIRST_GAP, LONGEST_GAP) == (0.1, 1.0)
