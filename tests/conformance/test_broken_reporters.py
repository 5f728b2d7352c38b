"""The reporter suite catches reporters that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conformance.breaking import assert_caught
from dhcpcore.contracts import Reporter
from dhcpcore.testing import RecordingReporter
from dhcpcore.testing.conformance import MemoryReporterWorld, ReporterConformance
from dhcpcore.testing.reporter import Record


class Wrapped:
    def __init__(self, recorder: RecordingReporter) -> None:
        self.recorder = recorder

    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.report(message, **fields)


class InterpolatesTheMessage(Wrapped):
    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.report(message % fields, **fields)


class DropsFields(Wrapped):
    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.report(message)


class KeepsTheException(Wrapped):
    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.records.append(Record(message=message, fields=fields))


class NeedsPrintableValues(Wrapped):
    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.report(message, **{name: str(value).encode().decode() for name, value in fields.items()})


class UsesFieldNamesItself:
    def __init__(self, recorder: RecordingReporter) -> None:
        self.recorder = recorder

    def report(self, message: str, /, level: object = "INFO", **fields: object) -> None:
        self.recorder.report(message, **fields)


class TellsOnlyNews(Wrapped):
    """Reports what it has reported before no second time."""

    def __init__(self, recorder: RecordingReporter) -> None:
        super().__init__(recorder)
        self.told: set[str] = set()

    def report(self, message: str, /, **fields: object) -> None:
        if message not in self.told:
            self.told.add(message)
            self.recorder.report(message, **fields)


class NewestFirst(Wrapped):
    def report(self, message: str, /, **fields: object) -> None:
        self.recorder.report(message, **fields)
        self.recorder.records.appendleft(self.recorder.records.pop())


class AnswersSomething(Wrapped):
    def report(self, message: str, /, **fields: object) -> Any:
        self.recorder.report(message, **fields)
        return True


class WritesRawLines(Wrapped):
    """A reporter of text lines that does not escape what is in the values."""

    def __init__(self, recorder: RecordingReporter) -> None:
        super().__init__(recorder)
        self.text = ""

    def report(self, message: str, /, **fields: object) -> None:
        super().report(message, **fields)
        self.text += message + "".join(f" {name}={value}" for name, value in fields.items()) + "\n"


class LineWorld(MemoryReporterWorld):
    reporter: WritesRawLines

    def lines(self) -> Sequence[str]:
        return self.reporter.text.splitlines()


@pytest.mark.parametrize(
    "broken, law",
    [
        (InterpolatesTheMessage, "test_message_is_constant_text"),
        (DropsFields, "test_one_report_is_one_record"),
        (KeepsTheException, "test_keeps_no_exception"),
        (KeepsTheException, "test_keeps_values_as_they_were"),
        (NeedsPrintableValues, "test_any_value"),
        (UsesFieldNamesItself, "test_any_field_name"),
        (TellsOnlyNews, "test_keeps_the_order"),
        (NewestFirst, "test_keeps_the_order"),
        (TellsOnlyNews, "test_from_several_threads"),
        (AnswersSomething, "test_one_report_is_one_record"),
    ],
)
def test_is_caught(broken: Callable[[RecordingReporter], Reporter], law: str) -> None:
    assert_caught(ReporterConformance, lambda: MemoryReporterWorld(broken), law)


def test_raw_lines_are_caught() -> None:
    assert_caught(ReporterConformance, lambda: LineWorld(WritesRawLines), "test_one_report_is_one_line")
