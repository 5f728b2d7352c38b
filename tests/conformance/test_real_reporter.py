"""The reporter over the standard library's logging, held against the laws of the contract, in both formats."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence

import pytest

from dhcpcore.testing.conformance import ReporterConformance, ReporterWorld
from dhcpcore_adapters.reporter import JsonFormatter, LineFormatter, LoggingReporter


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class LoggingWorld(ReporterWorld):
    def __init__(self, formatter: logging.Formatter) -> None:
        logger = logging.Logger("conformance", logging.DEBUG)
        self.kept = _Kept()
        # What a file in UTF-8 would take, and no other character.
        self.bytes = io.BytesIO()
        written = logging.StreamHandler(io.TextIOWrapper(self.bytes, encoding="utf-8", write_through=True))
        written.setFormatter(formatter)
        logger.addHandler(self.kept)
        logger.addHandler(written)
        self.logger = logger
        self.reporter = LoggingReporter(logger)

    def lines(self) -> Sequence[str]:
        return self.bytes.getvalue().decode().splitlines()

    def records(self) -> Sequence[tuple[str, Mapping[str, object]]]:
        assert len(self.lines()) == len(self.kept.records)
        return [(record.getMessage(), record.__dict__["fields"]) for record in self.kept.records]


class JsonWorld(LoggingWorld):
    def records(self) -> Sequence[tuple[str, Mapping[str, object]]]:
        return [(each["message"], each["fields"]) for each in map(json.loads, self.lines())]


class TestLines(ReporterConformance):
    @pytest.fixture
    def world(self) -> LoggingWorld:
        return LoggingWorld(LineFormatter())


class TestJson(ReporterConformance):
    @pytest.fixture
    def world(self) -> JsonWorld:
        return JsonWorld(JsonFormatter())


def test_a_line_can_be_read_by_people_and_programs() -> None:
    world = LoggingWorld(LineFormatter())
    reason = 'said "no" = never'
    world.reporter.report("network served", network="net-1", ports=3, reason=reason, empty="", path="a\\b\n")
    (line,) = world.lines()
    assert line.endswith(
        'INFO network served network=net-1 ports=3 reason="said \\"no\\" = never" empty="" path=a\\\\b\\n'
    )


def test_reports_with_an_error_are_warnings() -> None:
    world = LoggingWorld(LineFormatter())
    world.reporter.report("fine")
    world.reporter.report("failed", error=ValueError("x"))
    assert [record.levelname for record in world.kept.records] == ["INFO", "WARNING"]
    assert world.lines()[1].endswith('WARNING failed error="ValueError: x"')


def test_other_libraries_records_are_one_line_too() -> None:
    world = LoggingWorld(JsonFormatter())
    try:
        raise OSError("two\nlines")
    except OSError:
        world.logger.exception("it %s", "failed")
    (line,) = world.lines()
    assert json.loads(line)["fields"] == {"exception": "OSError: two\nlines"}


def test_the_default_logger_is_the_librarys(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="dhcpcore"):
        LoggingReporter().report("hello", number=1)
    (record,) = caplog.records
    assert (record.name, record.filename) == ("dhcpcore", "test_real_reporter.py")
