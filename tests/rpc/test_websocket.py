"""The WebSocket transport against the real endpoint: what is its own, beside the laws of ServerRpc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.answering import Echo, Gate, asked
from support.memory_plugin import PATIENCE, Heard, until
from support.relay import Relay
from support.rpc_server import SOON, serving

Connect = Callable[..., WebSocketTransport]
SUPPORT = Path(__file__).parents[1] / "support"


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_call_before_start_and_server_waits_for_both(connect: Connect, free_port: int) -> None:
    transport = connect(f"ws://127.0.0.1:{free_port}/rpc")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(asked, transport)
        heard = Heard()
        transport.start(heard)
        assert not answer.done()
        assert heard.kinds() == []
        with serving(Echo(), port=free_port):
            assert answer.result(PATIENCE) == "n"
            heard.wait_for("connected")
            transport.close()


def test_no_server_at_all(connect: Connect, reporter: RecordingReporter, free_port: int) -> None:
    url = f"ws://127.0.0.1:{free_port}/rpc"
    transport = connect(url, call_timeout=2.0)
    transport.start(Heard())
    with pytest.raises(AdapterError, match=r"was not sent.*refused") as caught:
        asked(transport)
    assert caught.value.retryable
    # Told once for each of the two links, however often it was tried.
    told = [record for record in reporter.records if record.message == "there is no connection to the server"]
    assert sorted(str(record.fields["link"]) for record in told) == ["calls", "reports"]
    assert {record.fields["url"] for record in told} == {url}


def test_a_path_that_is_not_the_endpoints(connect: Connect) -> None:
    with serving(Echo()) as url:
        transport = connect(f"{url}/elsewhere", call_timeout=2.0)
        transport.start(Heard())
        with pytest.raises(AdapterError, match="mend the path in url"):
            asked(transport)
        transport.close()


def test_every_cut_is_one_disconnected_and_one_connected(connect: Connect, reporter: RecordingReporter) -> None:
    plugin = Echo()
    with serving(plugin) as url, Relay(url) as relay:
        transport = connect(relay.url)
        heard = Heard()
        transport.start(heard)
        for cuts in range(1, 6):
            assert asked(transport) == "n"
            until(lambda cuts=cuts: relay.count == 2 * cuts, "calls and reports have a connection each")  # type: ignore[misc]
            assert transport.heartbeat.report_state({"host": "host-1"}) is not None
            assert relay.count == 2 * cuts
            relay.cut()
            heard.wait(lambda told, cuts=cuts: len(told) == 2 * cuts + 1)  # type: ignore[misc]
        assert heard.kinds() == ["connected", *["disconnected", "connected"] * 5]
        until(lambda: len(plugin.subscribers) == 1, "subscriptions of connections that were cut are ended")
        plugin.notify("host-1", "port_update_end", {})
        assert heard.wait(lambda told: len(told) == 12)[-1] == ("notified", "port_update_end", {})
        transport.close()
    assert "the connection to the server was lost" in [record.message for record in reporter.records]


def test_a_cut_ends_calls_at_once_and_none_is_sent_again(connect: Connect) -> None:
    plugin = Gate()
    with serving(plugin) as url, Relay(url) as relay:
        transport = connect(relay.url)
        heard = Heard()
        transport.start(heard)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(asked, transport)
            assert plugin.entered.acquire(timeout=PATIENCE)
            relay.cut()
            error = answer.exception(PATIENCE)
        assert isinstance(error, AdapterError)
        assert error.retryable
        assert "outcome is unknown" in str(error)
        heard.wait_for("connected", "disconnected", "connected")
        plugin.let_go.set()
        assert asked(transport) == "n"
        assert plugin.entered.acquire(timeout=PATIENCE)
        assert not plugin.entered.acquire(timeout=0.1), "the call was sent twice"
        transport.close()


def test_a_server_that_is_killed(connect: Connect, free_port: int, tmp_path: Path) -> None:
    notes = tmp_path / "calls"
    command = [sys.executable, str(SUPPORT / "hanging_server.py"), str(free_port), str(notes)]
    transport = connect(f"ws://127.0.0.1:{free_port}/rpc", call_timeout=60)
    heard = Heard()
    transport.start(heard)
    with ThreadPoolExecutor() as pool:
        with subprocess.Popen(command) as server:
            try:
                answer = pool.submit(asked, transport)
                # Not as soon as the file is there: killed then, the server has not written into it.
                until(lambda: notes.exists() and notes.read_text() != "", "the call arrives")
                assert not answer.done()
            finally:
                server.send_signal(signal.SIGKILL)
        error = answer.exception(PATIENCE)
    assert isinstance(error, AdapterError)
    assert error.retryable
    heard.wait_for("connected", "disconnected")
    with subprocess.Popen(command) as server:
        try:
            heard.wait_for("connected", "disconnected", "connected")
            assert notes.read_text() == "get_network_info\n"
            transport.close()
        finally:
            server.send_signal(signal.SIGKILL)


def test_a_peer_that_says_nothing_is_noticed(connect: Connect) -> None:
    plugin = Echo()
    with serving(plugin) as url, Relay(url) as relay:
        transport = connect(relay.url)
        heard = Heard()
        transport.start(heard)
        assert asked(transport) == "n"
        relay.freeze()
        told = heard.wait(lambda told: len(told) > 1)
        assert told[1][0] == "disconnected"
        assert "ping" in told[1][1]
        relay.thaw()
        heard.wait(lambda told: told[-1] == ("connected",))
        transport.close()


def test_a_peer_that_takes_nothing_holds_up_nobody(connect: Connect) -> None:
    """Calls end in their time although the writer is stuck in the middle of a message, and so does close()."""
    with serving(Echo()) as url, Relay(url) as relay:
        transport = connect(relay.url, call_timeout=1)
        transport.start(Heard())
        assert asked(transport) == "n"
        relay.freeze()
        large = {"port": {"name": "x" * 7_000_000}}
        with ThreadPoolExecutor() as pool:
            calls = [pool.submit(transport.server.create_dhcp_port, large) for _ in range(3)]
            errors = [call.exception(PATIENCE) for call in calls]
        assert all(isinstance(error, AdapterError) and error.retryable for error in errors), errors
        transport.close()
        until(lambda: not _threads("rpc calls"), "the threads end")


def _threads(name: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


# -- notifications ----------------------------------------------------------------------------------------------------


def test_notifications_come_in_order_and_once(connect: Connect) -> None:
    plugin = Echo()
    with serving(plugin) as url:
        transport, other = connect(url), connect(url, "host-2")
        heard, elsewhere = Heard(), Heard()
        transport.start(heard)
        other.start(elsewhere)
        heard.wait_for("connected")
        elsewhere.wait_for("connected")
        assert transport.heartbeat.report_state({"host": "host-1"}) == "new"
        for number in range(2000):
            plugin.notify("host-1", "port_update_end", {"number": number})
            if number % 100 == 0:
                assert asked(transport) == "n"
        told = heard.wait(lambda told: len(told) > 2000)
        assert [each[2]["number"] for each in told[1:]] == list(range(2000))
        elsewhere.wait_for("connected")
        transport.close()
        other.close()


def test_what_is_told_between_subscription_and_connected_is_not_lost(connect: Connect) -> None:
    class TellsAtOnce(Echo):
        def subscribe(self, host: str, notify: Any) -> Callable[[], None]:
            notify("port_update_end", {"number": 0})
            return super().subscribe(host, notify)

    with serving(TellsAtOnce()) as url:
        transport = connect(url)
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected", "notified")
        transport.close()


def test_a_notification_that_cannot_be_sent_means_a_sync(connect: Connect) -> None:
    plugin, reports = Echo(), RecordingReporter()
    with serving(plugin, reporter=reports) as url:
        transport = connect(url)
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected")
        plugin.notify("host-1", "port_update_end", {"port": {1, 2}})
        told = heard.wait_for("connected", "disconnected", "connected")
        assert "4500" in told[1][1]
        assert "a notification cannot be sent as JSON" in [record.message for record in reports.records]
        transport.close()


# -- the token --------------------------------------------------------------------------------------------------------


def test_the_right_token(connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    with serving(Echo(), token="secret") as url:
        transport = connect(url, token_file=str(file))
        transport.start(Heard())
        assert asked(transport) == "n"
        transport.close()


@pytest.mark.parametrize("content", ["wrong", None], ids=["wrong token", "no token file"])
def test_a_token_that_is_put_right_later(
    connect: Connect, reporter: RecordingReporter, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with serving(Echo(), token="secret") as url:
        transport = connect(url, token_file=str(file), call_timeout=2.0)
        heard = Heard()
        transport.start(heard)
        with pytest.raises(AdapterError, match=str(file)) as caught:
            asked(transport)
        assert caught.value.retryable
        time.sleep(5 * SOON.longest)
        told = [record for record in reporter.records if str(file) in str(record.fields.get("error"))]
        assert sorted(str(record.fields["link"]) for record in told) == ["calls", "reports"], "told once, not each time"
        assert "secret" not in str(reporter.records)
        file.write_text("secret")
        heard.wait_for("connected")
        assert asked(transport) == "n"
        transport.close()


def test_no_token_where_one_is_wanted(connect: Connect, reporter: RecordingReporter) -> None:
    with serving(Echo(), token="secret") as url:
        transport = connect(url, call_timeout=2.0)
        transport.start(Heard())
        with pytest.raises(AdapterError, match="let token_file name a file"):
            asked(transport)
        transport.close()


def test_a_unix_socket_that_comes_later(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"
    transport = connect(f"unix://{path}")
    heard = Heard()
    transport.start(heard)
    for _ in range(2):
        with serving(Echo(), path=path):
            heard.wait(lambda told: told[-1:] == [("connected",)])
            assert asked(transport) == "n"
        if path.exists():
            os.unlink(path)
    transport.close()
