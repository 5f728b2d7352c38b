"""The suites hold for the operating system's clock and for the standard library's logging, not for simulations only."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence

import pytest

from dhcpcore.testing.conformance import ClockConformance, ClockWorld, ReporterConformance, ReporterWorld


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


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


def _as_text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__} in its str()>"


class JsonLines(logging.Handler):
    """One line of JSON for each record."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(str(record.msg))


class LoggingReporter:
    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def report(self, message: str, /, **fields: object) -> None:
        line = json.dumps([message, {name: _as_text(value) for name, value in fields.items()}])
        self.logger.info(line)


class LoggingWorld(ReporterWorld):
    def __init__(self) -> None:
        self.handler = JsonLines()
        logger = logging.Logger("conformance", logging.INFO)
        logger.addHandler(self.handler)
        self.reporter = LoggingReporter(logger)

    def records(self) -> Sequence[tuple[str, Mapping[str, object]]]:
        return [(message, fields) for message, fields in map(json.loads, self.handler.written)]

    def lines(self) -> Sequence[str]:
        return "\n".join(self.handler.written).splitlines()


class TestLoggingReporter(ReporterConformance):
    @pytest.fixture
    def world(self) -> LoggingWorld:
        return LoggingWorld()
