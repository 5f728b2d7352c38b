"""The operating system's clock, held against the laws of the contract."""

from __future__ import annotations

import time

import pytest

from dhcpcore.testing.conformance import ClockConformance, ClockWorld
from dhcpcore_adapters.clock import SystemClock


class SystemClockWorld(ClockWorld):
    def __init__(self) -> None:
        self.clock = SystemClock()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def true_wall(self) -> float:
        return time.clock_gettime(time.CLOCK_REALTIME)


class TestSystemClock(ClockConformance):
    @pytest.fixture
    def world(self) -> SystemClockWorld:
        return SystemClockWorld()
