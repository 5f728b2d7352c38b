"""When a network may be reloaded again: at once as long as nothing waits, ever more rarely in a burst.

A reload costs dnsmasq time in which it serves nobody, quadratic in the number of reservations (0.4 s at 10,000 hosts,
measured with 2.90), and one reload carries any number of changes.  So a change on a quiet network is carried out at
once, and what came while it was is carried out right after; when more came even then the next reload waits, and twice
as long with every reload that had to wait.  No timer is needed: the time is in the state, and plans are due at it.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

#: Seconds between two reloads of one network at the beginning of a burst, and later in it.
FIRST_GAP: Final = 0.1
LONGEST_GAP: Final = 1.0


@frozen(kw_only=True)
class Pace:
    """How a network is being reloaded.

    Attributes:
        began: monotonic seconds of when the reload began that runs, or ran last.
        streak: how many reloads in a row had more to follow. gap: seconds from the last one to the next; until: when
            that may begin.
        waited: the next one was held back, or the one that runs was.
    """

    began: float = 0.0
    streak: int = 0
    gap: float = 0.0
    until: float = float("-inf")
    waited: bool = False


def held_back(pace: Pace | None) -> Pace:
    """A reload is needed before its time."""
    return evolve(pace or Pace(), waited=True)


def begun(pace: Pace | None, at: float) -> Pace:
    """A reload begins."""
    return evolve(pace or Pace(), began=at)


def ended(pace: Pace, at: float, *, more: bool, least: float) -> Pace:
    """A reload has ended.

    Args:
        more: whether changes came meanwhile.
        least: seconds that must always lie between two reloads (Neutron: bulk_reload_interval).
    """
    streak = pace.streak + 1 if more or pace.waited else 0
    gap = 0.0
    if streak > 1:
        cost = at - pace.began
        gap = min(max(2 * pace.gap, FIRST_GAP, cost), max(LONGEST_GAP, 2 * cost))
    gap = max(gap, least)
    return Pace(began=pace.began, streak=streak, gap=gap, until=at + gap)
