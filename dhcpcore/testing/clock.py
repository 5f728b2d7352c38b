"""A clock that goes only when told."""

from __future__ import annotations

from attrs import define

#: 2026-01-01T00:00:00Z, where every simulated world begins.
BEGINNING = 1767225600.0


@define
class MemoryClock:
    """Virtual time; fulfils `dhcpcore.contracts.Clock`.

    `advance` lets time pass; `jump_wall` sets the wall clock (an operator, NTP), which the monotonic one ignores.
    """

    _monotonic: float = 1000.0
    _wall_offset: float = BEGINNING - 1000.0

    def monotonic(self) -> float:
        """Seconds, never going back."""
        return self._monotonic

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._monotonic + self._wall_offset

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass (0 or more)."""
        if seconds < 0:
            raise ValueError("time does not go back; see jump_wall")
        self._monotonic += seconds

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back when negative."""
        self._wall_offset += seconds
