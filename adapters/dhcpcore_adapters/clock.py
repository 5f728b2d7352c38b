"""`dhcpcore.contracts.Clock` of the operating system.

Knows two system clocks; decides nothing.  `monotonic` is CLOCK_MONOTONIC: it stands still while the machine sleeps, and
so do the deadlines counted with it.  `wall` follows when the clock is set; it goes into reports and leases only.
"""

from __future__ import annotations

import time


class SystemClock:
    """The operating system's clocks, in seconds."""

    def monotonic(self) -> float:
        """Seconds since some moment, never going back, whatever is done to the wall clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch, as the wall clock has them now."""
        return time.time()
