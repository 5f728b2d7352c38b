"""The in-process transport: what is its own, beside the laws of ServerRpc."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer, RecordingReporter
from dhcpcore_adapters.rpc import METHODS, Calls, InProcessTransport, Plugin, RpcRefusal, Transport
from support.memory_plugin import Heard, MemoryPlugin


@pytest.fixture
def plugin() -> MemoryPlugin:
    return MemoryPlugin(MemoryServer())


@pytest.fixture
def transport(plugin: MemoryPlugin, reporter: RecordingReporter) -> Iterator[InProcessTransport]:
    made = InProcessTransport(plugin, "host-1", call_timeout=0.2, reporter=reporter)
    yield made
    made.close()


def test_fulfils_the_contracts(plugin: MemoryPlugin, transport: InProcessTransport) -> None:
    assert isinstance(plugin, Plugin)
    assert isinstance(transport, Transport)


def test_every_call_has_the_names_that_servers_are_told_of() -> None:
    sent: dict[str, frozenset[str]] = {}

    def carry(method: str, arguments: Any) -> None:
        sent[method] = frozenset(arguments)

    calls = Calls(carry)
    calls.get_active_networks_info()
    calls.get_network_info("n")
    calls.create_dhcp_port({})
    calls.update_dhcp_port("p", {})
    calls.release_dhcp_port("n", "d")
    calls.dhcp_ready_on_ports(("p",))
    calls.report_state({})
    assert sent == METHODS


def test_a_call_before_the_start_waits_for_it(transport: InProcessTransport) -> None:
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(transport.heartbeat.get_network_info("n")))
    thread.start()
    transport.start(Heard())
    thread.join(10)
    assert answers == [None]


def test_a_call_without_a_start_ends(transport: InProcessTransport) -> None:
    with pytest.raises(AdapterError, match="no start") as caught:
        transport.server.get_network_info("n")
    assert caught.value.retryable


def test_a_call_after_the_end_says_so(transport: InProcessTransport) -> None:
    transport.start(Heard())
    transport.close()
    with pytest.raises(AdapterError, match="closed") as caught:
        transport.server.get_network_info("n")
    assert caught.value.retryable
    with pytest.raises(RuntimeError):
        transport.start(Heard())


def test_notifications_come_in_order_on_a_thread_of_their_own(
    plugin: MemoryPlugin, transport: InProcessTransport
) -> None:
    threads: set[threading.Thread] = set()

    class Threads(Heard):
        def notified(self, method: str, payload: Any) -> None:
            threads.add(threading.current_thread())
            super().notified(method, payload)

    heard = Threads()
    transport.start(heard)
    for number in range(1000):
        plugin.notify("host-1", "port_update_end", {"number": number})
    plugin.notify("host-2", "port_update_end", {"number": -1})
    told = heard.wait(lambda told: len(told) > 1000)
    assert told[0] == ("connected",)
    assert [each[2]["number"] for each in told[1:]] == list(range(1000))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_a_listener_may_call_the_server(plugin: MemoryPlugin, transport: InProcessTransport) -> None:
    answers: list[object] = []

    class Asks(Heard):
        def connected(self) -> None:
            answers.append(transport.server.get_network_info("n"))
            super().connected()

    heard = Asks()
    transport.start(heard)
    heard.wait_for("connected")
    assert answers == [None]


def test_nothing_is_told_after_close(plugin: MemoryPlugin, transport: InProcessTransport) -> None:
    heard = Heard()
    transport.start(heard)
    heard.wait_for("connected")
    (subscriber,) = plugin.subscribers
    transport.close()
    transport.close()
    assert plugin.subscribers == []
    subscriber[1]("port_update_end", {})
    assert heard.kinds() == ["connected"]


def test_nothing_is_shared_with_the_server(plugin: MemoryPlugin, transport: InProcessTransport) -> None:
    heard = Heard()
    transport.start(heard)
    payload = {"port": {"id": "p"}}
    plugin.notify("host-1", "port_update_end", payload)
    payload["port"]["id"] = "changed"
    assert heard.wait_for("connected", "notified")[1][2] == {"port": {"id": "p"}}


def test_what_no_wire_carries_is_found_at_once(
    plugin: MemoryPlugin, transport: InProcessTransport, reporter: RecordingReporter
) -> None:
    heard = Heard()
    transport.start(heard)
    with pytest.raises(AdapterError, match="JSON") as caught:
        transport.server.create_dhcp_port({"port": {"id": {1, 2}}})
    assert not caught.value.retryable
    plugin.notify("host-1", "port_update_end", {"load": math.nan})
    heard.wait_for("connected", "disconnected", "connected")
    assert [record.message for record in reporter.records] == ["a notification cannot be sent as JSON"]


def test_a_refusal_keeps_its_name() -> None:
    class Refuses(MemoryPlugin):
        def call(self, host: str, method: str, arguments: object) -> Any:
            raise RpcRefusal(method, "no")

    transport = InProcessTransport(Refuses(MemoryServer()), "host-1")
    transport.start(Heard())
    with pytest.raises(AdapterError, match=r"^report_state: no$"):
        transport.heartbeat.report_state({})
    transport.close()


def test_an_error_inside_is_reported_where_the_server_is(
    plugin: MemoryPlugin, transport: InProcessTransport, reporter: RecordingReporter
) -> None:
    transport.start(Heard())
    plugin.server.faults.arm("server.get_network_info", error=ValueError("secret"))
    with pytest.raises(AdapterError, match="InternalError") as caught:
        transport.server.get_network_info("n")
    assert caught.value.retryable
    assert "secret" not in str(caught.value)
    (record,) = reporter.records
    assert record.message == "a call failed inside the server"
    assert record.fields["error"] == "ValueError: secret"
