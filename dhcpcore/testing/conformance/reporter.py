"""The laws of `dhcpcore.contracts.Reporter`."""

from __future__ import annotations

import gc
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Final

from dhcpcore.contracts import Reporter
from dhcpcore.testing.conformance.suite import Unsupported, ensure, ensure_equal, no_error

#: Names that logging frameworks and functions keep for themselves (logging.LogRecord refuses some in ``extra``).
_AWKWARD_NAMES: Final = (
    "name",
    "msg",
    "args",
    "message",
    "level",
    "levelname",
    "exc_info",
    "extra",
    "stack_info",
    "asctime",
    "module",
    "self",
    "fields",
    "event",
    "time",
    "logger",
)


class ReporterWorld(ABC):
    """A reporter, and where its reports come out.

    Attributes:
        reporter: the adapter.
    """

    reporter: Reporter

    @abstractmethod
    def records(self) -> Sequence[tuple[str, Mapping[str, object]]]:
        """What came out, oldest first: the message, and the fields by name (values may have become texts)."""

    def lines(self) -> Sequence[str]:
        """What came out as lines of text, for a reporter that writes such."""
        raise Unsupported("this reporter writes no lines")


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr today")

    __str__ = __repr__


class ReporterConformance:
    """Held against a `ReporterWorld`."""

    def test_fulfils_the_contract(self, world: ReporterWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.reporter, Reporter), "the adapter is a Reporter", type=type(world.reporter))

    def test_one_report_is_one_record(self, world: ReporterWorld) -> None:
        """Each report comes out once, with its message and its fields."""
        answer: object = world.reporter.report("network served", network_id="net-1", ports=3)  # type: ignore[func-returns-value]
        ensure_equal(answer, None, "report() answers nothing")
        records = list(world.records())
        ensure_equal(len(records), 1, "one report is one record")
        message, fields = records[0]
        ensure_equal(message, "network served", "the message comes out as it is")
        got = {name: str(value) for name, value in fields.items() if name in ("network_id", "ports")}
        ensure_equal(got, {"network_id": "net-1", "ports": "3"}, "every field comes out under its name")

    def test_keeps_the_order(self, world: ReporterWorld) -> None:
        """Reports come out in the order in which they were made, none is lost."""
        for number in range(300):
            world.reporter.report("counting", number=number)
        got = [str(fields.get("number")) for _, fields in world.records()]
        ensure_equal(got, [str(number) for number in range(300)], "reports come out complete and in order")

    def test_any_field_name(self, world: ReporterWorld) -> None:
        """No field's name clashes with what the reporter uses itself."""
        for name in _AWKWARD_NAMES:
            with no_error(f"a field called {name!r}"):
                world.reporter.report("awkward", **{name: "value of it"})
            _, fields = list(world.records())[-1]
            ensure_equal(str(fields.get(name)), "value of it", f"a field called {name!r} comes out")

    def test_any_value(self, world: ReporterWorld) -> None:
        """No value makes a report raise: telling what happens never changes what happens."""
        values: tuple[object, ...] = (
            None,
            _Unprintable(),
            RuntimeError("x"),
            b"\xff",
            "\ud800",
            "x" * 100_000,
            10**30,
            float("nan"),
            {"a": [1, {2}]},
            "%s %d {0} {name}",
        )
        for value in values:
            with no_error(f"a value of type {type(value).__name__}"):
                world.reporter.report("value", value=value)
        ensure_equal(len(world.records()), len(values), "every report comes out")

    def test_message_is_constant_text(self, world: ReporterWorld) -> None:
        """The message is not a template: percent signs and braces in it stay."""
        for message in ("100% sure", "%s %(name)s", "{} {name}", "%"):
            with no_error(f"the message {message!r}"):
                world.reporter.report(message, name="x")
            ensure_equal(list(world.records())[-1][0], message, "the message comes out as it is")

    def test_one_report_is_one_line(self, world: ReporterWorld) -> None:
        """A value with line breaks or control characters does not make a second line, nor hide one."""
        lines = len(world.lines())
        world.reporter.report("inject", value="a\nERROR forged line\r\x1b[2J\x00b\u2028c\x85d")
        after = world.lines()[lines:]
        ensure_equal(len(after), 1, "one report is one line")
        ensure(not any(ord(character) < 32 for character in after[0]), "no control characters come out", line=after[0])

    def test_keeps_no_exception(self, world: ReporterWorld) -> None:
        """Of an exception only a text is kept: its frames hold everything that was at work (Launchpad 1969270)."""

        class Heavy:
            pass

        def fail() -> weakref.ref[Heavy]:
            heavy = Heavy()
            try:
                raise RuntimeError("kept")
            except RuntimeError as error:
                world.reporter.report("failed", error=error)
            return weakref.ref(heavy)

        heavy = fail()
        gc.collect()
        ensure(heavy() is None, "a reporter keeps no exception's frames", still_alive=heavy())

    def test_keeps_values_as_they_were(self, world: ReporterWorld) -> None:
        """What comes out is what was reported, also when the value changes afterwards."""
        networks = ["net-1"]
        world.reporter.report("serving", networks=networks)
        networks.append("net-2")
        _, fields = list(world.records())[-1]
        ensure("net-2" not in str(fields.get("networks")), "later changes do not show", got=fields.get("networks"))

    def test_from_several_threads(self, world: ReporterWorld) -> None:
        """Reports from several threads all come out, each whole."""

        def tell(thread: int) -> None:
            for number in range(50):
                world.reporter.report("from a thread", label=f"{thread}-{number}")

        threads = [Thread(target=tell, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        got = sorted(str(fields.get("label")) for _, fields in world.records())
        expected = sorted(f"{thread}-{number}" for thread in range(4) for number in range(50))
        ensure_equal(got, expected, "every report of every thread comes out")
