"""Calls over the WebSocket transport, many at once, late, refused, too large, and cut off."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.answering import Echo, Gate, asked
from support.memory_plugin import PATIENCE, Heard, until
from support.rpc_server import serving

Connect = Callable[..., WebSocketTransport]


def test_fifty_threads_at_once(connect: Connect) -> None:
    with serving(Echo()) as url:
        transport = connect(url)
        transport.start(Heard())
        with ThreadPoolExecutor(50) as pool:
            names = [f"network-{number}" for number in range(1000)]
            assert list(pool.map(lambda name: asked(transport, name), names)) == names
        transport.close()


def test_answers_come_in_any_order(connect: Connect) -> None:
    plugin = Gate()
    with serving(plugin) as url:
        transport = connect(url)
        transport.start(Heard())
        with ThreadPoolExecutor() as pool:
            blocked = pool.submit(asked, transport)
            assert plugin.entered.acquire(timeout=PATIENCE)
            assert list(transport.server.get_active_networks_info()) == []
            assert not blocked.done()
            plugin.let_go.set()
            assert blocked.result(PATIENCE) == "n"
        transport.close()


def test_a_report_waits_for_no_call(connect: Connect) -> None:
    """Not even when there are more calls under way than the server has threads."""
    plugin = Gate()
    with serving(plugin) as url:
        transport = connect(url)
        transport.start(Heard())
        with ThreadPoolExecutor(100) as pool:
            blocked = [pool.submit(asked, transport) for _ in range(100)]
            assert plugin.entered.acquire(timeout=PATIENCE)
            assert transport.heartbeat.report_state({"host": "host-1"}) == "new"
            assert not any(call.done() for call in blocked)
            plugin.let_go.set()
            assert {call.result(PATIENCE) for call in blocked} == {"n"}
        transport.close()


def test_a_late_answer_harms_nobody(connect: Connect, reporter: RecordingReporter) -> None:
    plugin = Gate()
    with serving(plugin) as url:
        transport = connect(url, call_timeout=1.0)
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected")
        with pytest.raises(AdapterError, match=r"TimeoutError: no answer.*outcome is unknown") as caught:
            asked(transport)
        assert caught.value.retryable
        plugin.let_go.set()
        late = "the server answered a call that is not under way"
        until(lambda: late in [record.message for record in reporter.records], "the late answer")
        assert asked(transport) == "n"
        heard.wait_for("connected")
        transport.close()


def test_close_ends_calls_that_wait(connect: Connect) -> None:
    plugin = Gate()
    with serving(plugin) as url:
        transport = connect(url)
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected")
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(asked, transport) for _ in range(5)]
            assert plugin.entered.acquire(timeout=PATIENCE)
            transport.close()
            errors = [call.exception(PATIENCE) for call in waiting]
        assert all(isinstance(error, AdapterError) and error.retryable for error in errors), errors
        plugin.let_go.set()
        transport.close()
        with pytest.raises(AdapterError, match="closed"):
            asked(transport)
        with pytest.raises(RuntimeError):
            transport.start(heard)
        until(lambda: not plugin.subscribers, "the server notices")
        heard.wait_for("connected")


def test_a_call_that_nobody_can_send(connect: Connect) -> None:
    with serving(Echo()) as url:
        transport = connect(url, max_request=1000)
        heard = Heard()
        transport.start(heard)
        for bad, said in (({1, 2}, "JSON"), ("x" * 1000, "max_request")):
            with pytest.raises(AdapterError, match=said) as caught:
                transport.server.create_dhcp_port({"port": {"name": bad}})
            assert not caught.value.retryable
        assert asked(transport) == "n"
        heard.wait_for("connected")
        transport.close()


def test_an_answer_that_is_too_large_ends_that_call_only(connect: Connect) -> None:
    with serving(Echo()) as url:
        transport = connect(url, max_message=1000)
        heard = Heard()
        transport.start(heard)
        with pytest.raises(AdapterError, match=r"^AnswerTooLarge: .*max_message"):
            asked(transport, "x" * 1000)
        assert asked(transport) == "n"
        heard.wait_for("connected")
        transport.close()


def test_a_refusal_keeps_its_name(connect: Connect) -> None:
    with serving(Echo()) as url:
        transport = connect(url)
        transport.start(Heard())
        with pytest.raises(AdapterError, match=r"^IpAddressGenerationFailure: none left$") as caught:
            transport.server.create_dhcp_port({"port": {}})
        assert not caught.value.retryable
        transport.close()
