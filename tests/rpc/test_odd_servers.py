"""The WebSocket transport, met by servers that do as they like."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from dhcpcore import AdapterError
from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.memory_plugin import PATIENCE, Heard, until
from support.rpc_server import SOON

Behave = Callable[[ServerConnection, dict[str, Any]], None]


@contextmanager
def odd_server(behave: Behave) -> Iterator[str]:
    """A server that does `behave(connection, call)` at every call."""

    def handle(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for message in connection:
                behave(connection, json.loads(message))

    # Without a bound: the library does not see the other end's close behind messages that nobody reads any more.
    with serve(handle, "127.0.0.1", 0, compression=None, max_queue=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/rpc"
        finally:
            server.shutdown()
            thread.join()


class Client:
    """A transport at an odd server, its listener and its reports."""

    def __init__(self, url: str, **options: Any) -> None:
        self.reporter = RecordingReporter()
        self.heard = Heard()
        options = {"call_timeout": PATIENCE, "patience": SOON, **options}
        self.transport = WebSocketTransport(url, "host-1", reporter=self.reporter, **options)
        self.transport.start(self.heard)

    def ask(self) -> Any:
        return self.transport.server.get_network_info("n")

    def reports(self) -> list[str]:
        return [record.message for record in self.reporter.records if record.message != "connected to the server"]


@pytest.fixture
def meet() -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def make(behave: Behave, **options: Any) -> Client:
            client = Client(stack.enter_context(odd_server(behave)), **options)
            stack.callback(client.transport.close)
            return client

        yield make


def answer(connection: ServerConnection, call: dict[str, Any], result: object = None) -> None:
    connection.send(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}))


@pytest.mark.parametrize(
    "message, report",
    [
        ("{", "a message of the server cannot be read, and is ignored"),
        ("[]", "a message of the server cannot be read, and is ignored"),
        ("[" * 100_000, "a message of the server cannot be read, and is ignored"),
        ('{"jsonrpc":"2.0","id":[],"result":1}', "a message of the server cannot be read, and is ignored"),
        (b"\x00\xff", "the server sent a binary message, which is ignored"),
        ('{"jsonrpc":"2.0","id":999,"result":1}', "the server answered a call that is not under way"),
        ('{"jsonrpc":"2.0","id":"1","result":1}', "the server answered a call that is not under way"),
        (
            '{"jsonrpc":"2.0","id":999,"error":{"code":1}}',
            "the server reports an error that belongs to no call under way",
        ),
        (
            '{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}',
            "the server reports an error that belongs to no call under way",
        ),
        ('{"jsonrpc":"2.0","id":1,"method":"get_host"}', "the server calls us, which is ignored"),
        (
            '{"jsonrpc":"2.0","method":"port_update_end","params":{"port":{}}}',
            "a notification without a payload, or with more than that, is ignored",
        ),
    ],
)
def test_what_nobody_understands_is_reported_and_ignored(
    meet: Callable[..., Client], message: str | bytes, report: str
) -> None:
    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        connection.send(message)
        answer(connection, call, {"id": "n"})

    client = meet(behave)
    for _ in range(2):
        assert client.ask() == {"id": "n"}
    assert client.reports() == [report] * 2
    client.heard.wait_for("connected")


def test_a_call_that_is_answered_twice(meet: Callable[..., Client]) -> None:
    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        answer(connection, call, {"id": "first"})
        answer(connection, call, {"id": "second"})

    client = meet(behave)
    assert client.ask() == {"id": "first"}
    assert client.ask() == {"id": "first"}
    until(lambda: client.reports() == ["the server answered a call that is not under way"] * 2, "both are reported")


def test_notifications_that_this_version_does_not_know_are_the_listeners_business(
    meet: Callable[..., Client],
) -> None:
    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        connection.send('{"jsonrpc":"2.0","method":"comet_create_end","params":{"payload":[1]}}')
        answer(connection, call)

    client = meet(behave)
    assert client.ask() is None
    assert client.heard.wait_for("connected", "notified")[1] == ("notified", "comet_create_end", [1])


def test_notifications_on_the_connection_of_reports(meet: Callable[..., Client]) -> None:
    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        connection.send('{"jsonrpc":"2.0","method":"port_update_end","params":{"payload":{}}}')
        answer(connection, call, "alive")

    client = meet(behave)
    assert client.transport.heartbeat.report_state({}) == "alive"
    assert client.reports() == ["a notification that was not asked for is ignored"]
    client.heard.wait_for("connected")


def test_a_message_that_is_too_large(meet: Callable[..., Client]) -> None:
    calls: list[str] = []

    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        calls.append(call["method"])
        answer(connection, call, {"id": "x" * 10_000} if len(calls) == 1 else {"id": "n"})

    client = meet(behave, max_message=5000)
    with pytest.raises(AdapterError, match="raise the option max_message") as caught:
        client.ask()
    assert caught.value.retryable
    assert client.ask() == {"id": "n"}
    assert calls == ["get_network_info"] * 2
    assert client.heard.wait_for("connected", "disconnected", "connected")[1][1].endswith("max_message")


@pytest.mark.parametrize(
    "error, said, retryable",
    [
        ({"code": -32000, "message": "gone", "data": {"name": "NetworkNotFound"}}, "NetworkNotFound: gone", False),
        ({"code": -32000, "message": "busy", "data": {"name": "DBError"}}, "DBError: busy", True),
        ({"code": -32000, "message": "m", "data": {"name": "no name"}}, "RemoteError: get_network_info failed", True),
        ({"code": -32000, "message": "m"}, "RemoteError: get_network_info failed", True),
        ({"code": -32601, "message": "m"}, "UnsupportedVersion: the server has no method get_network_info", False),
        ({"code": -32602, "message": "m"}, "InvalidRequest: the server does not take get_network_info: m", False),
        ({"code": -32603, "message": "m"}, "InternalError: the server failed at get_network_info", True),
        ({"code": 17}, "RemoteError: get_network_info failed with code 17", True),
    ],
)
def test_errors(meet: Callable[..., Client], error: object, said: str, retryable: bool) -> None:
    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        connection.send(json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}))

    client = meet(behave)
    with pytest.raises(AdapterError) as caught:
        client.ask()
    assert str(caught.value).startswith(said)
    assert caught.value.retryable is retryable


def test_a_server_that_has_no_websocket_there() -> None:
    def respond(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(404, "no such page")

    with serve(lambda connection: None, "127.0.0.1", 0, process_request=respond) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = Client(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", call_timeout=2.0)
        with pytest.raises(AdapterError, match=r"HTTP 404; is the path in url that of the server's endpoint\?"):
            client.ask()
        client.transport.close()
        server.shutdown()
        thread.join()


def test_a_server_that_closes_at_once_is_not_hurried(meet: Callable[..., Client]) -> None:
    """A server that lets us in and closes says so once; the token is named where that is what it says."""

    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        connection.close(4401, "wrong token")

    client = meet(behave)
    with pytest.raises(AdapterError, match=r"closed by the server: 4401 wrong token") as caught:
        client.ask()
    assert caught.value.retryable
    client.heard.wait_for("connected", "disconnected", "connected")
    assert "the server does not let this agent in" in client.reports()


def test_many_calls_while_the_server_closes_again_and_again(meet: Callable[..., Client]) -> None:
    """Every call ends, in an answer or a retryable error, and none arrives twice."""
    lock, seen = threading.Lock(), list[str]()

    def behave(connection: ServerConnection, call: dict[str, Any]) -> None:
        with lock:
            seen.append(call["params"]["network_id"])
            close = len(seen) % 10 == 0
        if close:
            connection.close(1012)
        else:
            answer(connection, call, {"id": call["params"]["network_id"]})

    client = meet(behave)

    def ask(number: int) -> object:
        try:
            return client.transport.server.get_network_info(f"network-{number}")
        except AdapterError as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        got = list(pool.map(ask, range(300)))
    for number, each in enumerate(got):
        if isinstance(each, AdapterError):
            assert each.retryable
        else:
            assert each == {"id": f"network-{number}"}
    assert sum(isinstance(each, AdapterError) for each in got) >= 10
    assert len(seen) == len(set(seen))
    kinds = client.heard.kinds()
    assert kinds[::2] == ["connected"] * len(kinds[::2])
    assert kinds[1::2] == ["disconnected"] * len(kinds[1::2])
