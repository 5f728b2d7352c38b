"""The thread that tells a listener."""

from __future__ import annotations

import threading
import time
from typing import Any

from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.rpc import Teller
from support.memory_plugin import PATIENCE, Heard


class Slow(Heard):
    """Holds its thread until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def notified(self, method: str, payload: Any) -> None:
        self.entered.set()
        assert self.let_go.wait(PATIENCE)
        super().notified(method, payload)


def test_a_listener_that_falls_behind_is_told_once_and_can_catch_up() -> None:
    heard = Slow()
    teller = Teller(heard, RecordingReporter(), most_waiting=3)
    teller.connected()
    teller.notified("first", 0)
    assert heard.entered.wait(PATIENCE)
    for number in range(10):
        teller.notified("more", number)
    heard.let_go.set()
    told = heard.wait(lambda told: len(told) == 7)
    assert [each[2] for each in told[1:5]] == [0, 0, 1, 2]
    assert [each[0] for each in told[5:]] == ["disconnected", "connected"]
    teller.notified("again", 11)
    assert heard.wait(lambda told: len(told) == 8)[-1] == ("notified", "again", 11)
    teller.close(PATIENCE)


def test_a_listener_that_raises_is_reported_and_goes_on() -> None:
    class Raises(Heard):
        def connected(self) -> None:
            raise ValueError("no")

    heard, reporter = Raises(), RecordingReporter()
    teller = Teller(heard, reporter)
    teller.connected()
    teller.notified("port_update_end", {})
    heard.wait_for("notified")
    (record,) = reporter.records
    assert (record.message, record.fields["error"]) == ("a listener of the transport failed", "ValueError: no")
    teller.close(PATIENCE)


def test_close_does_not_wait_for_a_listener_that_hangs() -> None:
    heard = Slow()
    teller = Teller(heard, RecordingReporter())
    teller.notified("port_update_end", {})
    assert heard.entered.wait(PATIENCE)
    teller.notified("port_update_end", {})
    before = time.monotonic()
    teller.close(0.05)
    assert time.monotonic() - before < PATIENCE / 2
    heard.let_go.set()
    heard.wait_for("notified")
    teller.connected()
    time.sleep(0.05)
    assert heard.kinds() == ["notified"]


def test_a_listener_may_close() -> None:
    done = threading.Event()

    class Closes(Heard):
        def connected(self) -> None:
            teller.close(PATIENCE)
            done.set()

    teller = Teller(Closes(), RecordingReporter())
    teller.connected()
    assert done.wait(PATIENCE / 2)
