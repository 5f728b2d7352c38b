"""How much there was of everything in simulated histories."""

from __future__ import annotations

from attrs import asdict, define


@define
class Tally:
    """Counts, of one history or of many.

    Attributes:
        happenings: things that happened to the agent, its own steps among them; events: that it folded.
        calls: points of adapter calls passed; faults: that struck; lives: of agents; crashes: of them that were killed.
        deaths: processes killed or found dead; notifications: that arrived; lost: that did not, or came otherwise.
        seconds: of virtual time.
    """

    histories: int = 0
    happenings: int = 0
    events: int = 0
    steps: int = 0
    calls: int = 0
    faults: int = 0
    lives: int = 0
    crashes: int = 0
    deaths: int = 0
    damages: int = 0
    outages: int = 0
    notifications: int = 0
    lost: int = 0
    reports: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Count `other` in."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)

    def __str__(self) -> str:
        counts = asdict(self)
        counts["seconds"] = round(self.seconds)
        return ", ".join(f"{number:,} {'virtual ' * (name == 'seconds')}{name}" for name, number in counts.items())
