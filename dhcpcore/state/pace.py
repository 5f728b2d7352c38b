"""When a network may be reloaded again: at once as long as nothing waits, ever more rarely in a burst.

A reload costs dnsmasq time in which it serves nobody, quadratic in the number of reservations (0.4 s at 10,000 hosts,
measured with 2.90), and one reload carries any number of changes.  So a change on a quiet network is carried out at
once, and what came while it was is carried out right after; when more came even then the next reload waits, and twice
as long with every reload that had to wait.  Reloads are often shorter than the time from one change of a burst to the
next: then it is a burst when some reloads in a row have followed each other closely.  Whoever waits for each change
before making the next looks the same, but for this: while a reload is held back nothing more comes.  No timer is
needed: the time is in the state, and plans are due at it.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from dhcpcore.state.evolving import evolve

#: Seconds between two reloads of one network at the beginning of a burst, and later in it.
FIRST_GAP: Final = 0.1
LONGEST_GAP: Final = 1.0
#: Seconds: a reload that begins so soon after the last one may belong to the same burst.
CLOSE: Final = 0.1
#: Signs that make a burst; a change during a reload counts for some, a close reload for one.
_ENOUGH: Final = 6
_HURRIED: Final = 3


@frozen(kw_only=True)
class Pace:
    """How a network is being reloaded.

    Attributes:
        began, ended: monotonic seconds of when the reload began that runs, or ran last, and of when the last one ended.
        signs: of a burst. gap: seconds from the last reload to the next; until: when that may begin.
        waited: how often news came for the next one that was held back, or for the one that runs.
    """

    began: float = 0.0
    ended: float = float("-inf")
    signs: int = 0
    gap: float = 0.0
    until: float = float("-inf")
    waited: int = 0


def held_back(pace: Pace | None) -> Pace:
    """A reload is needed before its time."""
    pace = pace or Pace()
    return evolve(pace, waited=pace.waited + 1)


def begun(pace: Pace | None, at: float) -> Pace:
    """A reload begins."""
    return evolve(pace or Pace(), began=at)


def ended(pace: Pace, at: float, *, more: bool, least: float, cost: float | None = None) -> Pace:
    """A reload has ended.

    Args:
        cost: seconds that it took; None: since it was planned.
        more: whether changes came meanwhile.
        least: seconds that must always lie between two reloads (Neutron: bulk_reload_interval).
    """
    hurried = more or pace.waited > 1
    if hurried:
        signs = min(pace.signs + _HURRIED, 2 * _ENOUGH)
    elif pace.waited == 0 and pace.began - pace.ended < CLOSE:
        signs = min(pace.signs + 1, 2 * _ENOUGH)
    else:
        signs = 0
    gap = 0.0
    if signs >= _ENOUGH:
        cost = at - pace.began if cost is None else cost
        # A gap in which nobody had to wait is long enough.
        gap = min(max((2 if hurried else 1) * pace.gap, FIRST_GAP, cost), max(LONGEST_GAP, 2 * cost))
    gap = max(gap, least)
    return Pace(began=pace.began, ended=at, signs=signs, gap=gap, until=at + gap)
