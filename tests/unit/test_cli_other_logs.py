"""Other libraries' messages in the agent's log."""

from __future__ import annotations

import logging

from dhcpcore_adapters.cli.other_logs import INTERVAL, Repeats


def record(name: str, message: object, *filled_in: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, filled_in, None)


def test_a_message_is_said_once_in_a_while_whatever_stands_in_it() -> None:
    now = 1000.0
    repeats = Repeats("dhcpcore", lambda: now)
    gone = "[%s] AMQP server is unreachable"
    assert [repeats.filter(record("oslo.messaging", gone, each)) for each in "abc"] == [True, False, False]
    assert repeats.filter(record("oslo.messaging", "another"))
    assert repeats.filter(record("kombu", gone, "a"))
    now += INTERVAL
    assert repeats.filter(record("oslo.messaging", gone, "a"))
    assert not repeats.filter(record("oslo.messaging", gone, "a"))


def test_our_own_are_always_said() -> None:
    repeats = Repeats("dhcpcore", lambda: 0.0)
    for name in ("dhcpcore", "dhcpcore.part"):
        assert [repeats.filter(record(name, "the same")) for _ in range(3)] == [True] * 3
    assert [repeats.filter(record("dhcpcore_of_others", "the same")) for _ in range(2)] == [True, False]


def test_what_it_remembers_is_bounded() -> None:
    repeats = Repeats("dhcpcore", lambda: 0.0)
    for number in range(5000):
        assert repeats.filter(record("library", f"filled in by itself: {number}"))
    assert len(repeats._said) <= 1000
