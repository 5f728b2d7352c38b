"""The endpoint, met by clients that do as they like."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dhcpcore.testing import MemoryServer, RecordingReporter
from dhcpcore_adapters.rpc.endpoint import websocket_route
from support.memory_plugin import PATIENCE, MemoryPlugin, until
from support.rpc_server import serving

Open = Callable[..., ClientConnection]


class Plugin(MemoryPlugin):
    """Holds `get_network_info` until it is let go; `release_dhcp_port` answers what is not JSON."""

    def __init__(self) -> None:
        super().__init__(MemoryServer())
        self.let_go = threading.Event()
        self.entered = threading.Semaphore(0)

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        if method == "get_network_info":
            self.entered.release()
            assert self.let_go.wait(PATIENCE)
            return {"id": arguments["network_id"]}
        if method == "release_dhcp_port":
            return {1, 2}
        return super().call(host, method, arguments)


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    made = Plugin()
    yield made
    made.let_go.set()


@pytest.fixture
def open_raw(plugin: Plugin, reporter: RecordingReporter) -> Iterator[Open]:
    """Connects to an endpoint of its own; options are the endpoint's, but for query and headers."""
    with ExitStack() as stack:

        def make(query: str = "host=host-1", headers: Mapping[str, str] | None = None, **options: Any) -> Any:
            url = stack.enter_context(serving(plugin, reporter=reporter, **options))
            return stack.enter_context(
                connect(f"{url}?{query}", additional_headers=headers, compression=None, max_queue=1, close_timeout=1)
            )

        yield make


def said(raw: ClientConnection) -> Any:
    """The next message."""
    return json.loads(raw.recv(PATIENCE))


def asks(id: Any, method: str = "get_active_networks_info", **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def still_answers(raw: ClientConnection) -> None:
    raw.send(asks("still there"))
    assert said(raw) == {"jsonrpc": "2.0", "id": "still there", "result": []}


def messages(reporter: RecordingReporter) -> list[str]:
    return [record.message for record in reporter.records]


# -- who is let in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [None, "", "secret", "Bearer", "Bearer ", "Bearer wrong", "Bearer secret2", "Basic secret", "Bearer s\xe9"],
)
def test_a_wrong_token(open_raw: Open, plugin: Plugin, reporter: RecordingReporter, header: str | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        open_raw(token="secret", headers=None if header is None else {"Authorization": header})
    assert caught.value.response.status_code == 403
    assert messages(reporter) == ["an agent without the right token was turned away"]
    assert plugin.subscribers == []
    assert "secret" not in str(reporter.records)


@pytest.mark.parametrize("header", ["Bearer secret", "bearer  secret "])
def test_the_right_token(open_raw: Open, header: str) -> None:
    still_answers(open_raw(token="secret", headers={"Authorization": header}))


def test_an_empty_token_is_none_at_all(plugin: Plugin) -> None:
    for token in ("", " \n"):
        with pytest.raises(ValueError, match="empty token"):
            websocket_route(plugin, token=token)


@pytest.mark.parametrize(
    "query", ["", "host=", "host=a%0Ab", f"host={'x' * 256}", "host=h&notifications=maybe", "host=h&max_message=much"]
)
def test_a_bad_query(open_raw: Open, plugin: Plugin, query: str) -> None:
    raw = open_raw(query)
    with pytest.raises(ConnectionClosed) as caught:
        raw.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4400
    assert caught.value.rcvd.reason
    assert plugin.subscribers == []


def test_who_wants_no_notifications_gets_none(open_raw: Open, plugin: Plugin) -> None:
    raw = open_raw("host=host-1&notifications=no")
    assert plugin.subscribers == []
    still_answers(raw)


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message, id, code",
    [
        ("{", None, -32700),
        ("[" * 100_000, None, -32700),
        ("[]", None, -32600),
        (json.dumps([json.loads(asks(1))]), None, -32600),
        ("null", None, -32600),
        (b"{}", None, -32600),
        (b"\xff", None, -32600),
        ('{"jsonrpc":"2.0","id":5,"method":5}', 5, -32600),
        ('{"jsonrpc":"2.0","id":{},"method":"m"}', None, -32600),
        ('{"id":"x","method":"report_state"}', "x", -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"get_network_info","params":["n"]}', 1, -32600),
        (asks(6, "delete_everything"), 6, -32601),
        (asks(6, "__class__"), 6, -32601),
        (asks(7, "get_network_info"), 7, -32602),
        (asks(8, "get_network_info", network_id="n", host="other"), 8, -32602),
        ("x" * 5000, None, -32600),
    ],
)
def test_messages_that_are_refused(
    open_raw: Open, plugin: Plugin, reporter: RecordingReporter, message: str | bytes, id: object, code: int
) -> None:
    raw = open_raw(max_message=4096 if message == "x" * 5000 else 1_000_000)
    raw.send(message)
    got = said(raw)
    assert (got["jsonrpc"], got["id"], got["error"]["code"]) == ("2.0", id, code)
    assert got["error"]["message"]
    assert "result" not in got
    assert messages(reporter) == ["a message of an agent was refused"]
    assert plugin.server.calls == []
    still_answers(raw)


@pytest.mark.parametrize(
    "message",
    [
        '{"jsonrpc":"2.0","method":"report_state","params":{"agent_state":{}}}',
        '{"jsonrpc":"2.0","id":1,"result":2}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":1}}',
    ],
)
def test_messages_that_nobody_answers(
    open_raw: Open, plugin: Plugin, reporter: RecordingReporter, message: str
) -> None:
    raw = open_raw()
    raw.send(message)
    still_answers(raw)
    assert messages(reporter) == ["an agent sent something other than a call, which is ignored"]
    assert [call.method for call in plugin.server.calls] == ["get_active_networks_info"]


def test_an_id_that_is_under_way(open_raw: Open, plugin: Plugin) -> None:
    """The second call is refused without its id, so the first one's answer is the only one with it."""
    raw = open_raw()
    raw.send(asks(1, "get_network_info", network_id="n"))
    assert plugin.entered.acquire(timeout=PATIENCE)
    raw.send(asks(1, "get_network_info", network_id="m"))
    refused = said(raw)
    assert (refused["id"], refused["error"]["code"]) == (None, -32600)
    plugin.let_go.set()
    assert said(raw) == {"jsonrpc": "2.0", "id": 1, "result": {"id": "n"}}
    raw.send(asks(1, "get_network_info", network_id="again"))
    assert said(raw)["result"] == {"id": "again"}


def test_a_refusal_has_its_name(open_raw: Open, plugin: Plugin) -> None:
    network_id = plugin.server.create_network()["id"]
    plugin.server.create_subnet(network_id, "10.0.0.0/30")
    plugin.server.create_port(network_id)
    raw = open_raw()
    port = {"network_id": network_id, "device_id": "d", "fixed_ips": None}
    raw.send(asks(1, "create_dhcp_port", port={"port": port}))
    error = said(raw)["error"]
    assert error["code"] == -32000
    assert error["data"] == {"name": "IpAddressGenerationFailure"}
    assert "No more IP addresses" in error["message"]


def test_an_internal_error_tells_nothing(open_raw: Open, plugin: Plugin, reporter: RecordingReporter) -> None:
    raw = open_raw()
    plugin.server.faults.arm("server.get_active_networks_info", error=ValueError("/etc/secret"))
    for message in (asks(1), asks(2, "release_dhcp_port", network_id="n", device_id="d")):
        raw.send(message)
        assert said(raw)["error"] == {"code": -32603, "message": "internal error"}
    assert messages(reporter) == ["a call failed inside the server"] * 2
    assert reporter.records[0].fields["error"] == "ValueError: /etc/secret"
    still_answers(raw)


def test_what_runs_the_calls_may_be_given_and_may_fail(plugin: Plugin, reporter: RecordingReporter) -> None:
    ran: list[str] = []

    async def run(function: Callable[[], Any]) -> Any:
        ran.append(threading.current_thread().name)
        if len(ran) == 2:
            raise RuntimeError("no threads left")
        return function()

    with serving(plugin, reporter=reporter, run=run) as url, connect(f"{url}?host=h") as raw:
        raw.send(asks(1))
        assert said(raw)["error"]["code"] == -32603
        still_answers(raw)
    assert set(ran) == {"uvicorn"}
    assert messages(reporter) == ["a call could not be run"]


def test_too_many_calls_at_once(open_raw: Open, plugin: Plugin) -> None:
    raw = open_raw(max_calls=2)
    for id in (1, 2, 3):
        raw.send(asks(id, "get_network_info", network_id="n"))
    refused = said(raw)
    assert (refused["id"], refused["error"]["data"]) == (3, {"name": "TooManyCalls"})
    plugin.let_go.set()
    assert {said(raw)["id"], said(raw)["id"]} == {1, 2}
    still_answers(raw)


# -- agents that go, or are slow --------------------------------------------------------------------------------------


def test_an_agent_that_does_not_read_is_let_go(open_raw: Open, plugin: Plugin, reporter: RecordingReporter) -> None:
    raw = open_raw(max_waiting=50)
    payload = {"port": {"name": "x" * 1_000_000}}
    for _ in range(200):
        plugin.notify("host-1", "port_update_end", payload)
    until(lambda: not plugin.subscribers, "the subscription ends")
    slow = [record for record in reporter.records if record.message.startswith("an agent reads too slowly")]
    assert [record.fields["host"] for record in slow] == ["host-1"]
    assert len(list(_until_it_closes(raw))) < 200


def _until_it_closes(raw: ClientConnection) -> Iterator[Any]:
    with suppress(ConnectionClosed):
        while True:
            yield raw.recv(PATIENCE)


def test_a_short_burst_is_no_slowness(open_raw: Open, plugin: Plugin) -> None:
    raw = open_raw(max_waiting=50)
    for number in range(40):
        plugin.notify("host-1", "port_update_end", {"number": number})
    told = [said(raw) for _ in range(40)]
    assert told[0] == {"jsonrpc": "2.0", "method": "port_update_end", "params": {"payload": {"number": 0}}}
    assert [each["params"]["payload"]["number"] for each in told] == list(range(40))


def test_a_notification_larger_than_the_agent_takes(open_raw: Open, plugin: Plugin) -> None:
    raw = open_raw("host=host-1&max_message=1000")
    plugin.notify("host-1", "port_update_end", {"port": "x" * 1000})
    with pytest.raises(ConnectionClosed) as caught:
        raw.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4500


def test_an_agent_that_goes_while_its_call_runs(plugin: Plugin, reporter: RecordingReporter) -> None:
    with serving(plugin, reporter=reporter) as url:
        with connect(f"{url}?host=host-1") as raw:
            raw.send(asks(1, "get_network_info", network_id="n"))
            assert plugin.entered.acquire(timeout=PATIENCE)
        until(lambda: not plugin.subscribers, "the subscription ends")
        plugin.let_go.set()
        with connect(f"{url}?host=host-1") as raw:
            still_answers(raw)
            plugin.notify("host-1", "port_update_end", {})
            assert said(raw)["method"] == "port_update_end"
    assert messages(reporter) == []


def test_a_notification_after_the_server_has_gone(plugin: Plugin) -> None:
    with serving(plugin) as url, connect(f"{url}?host=host-1"):
        until(lambda: plugin.subscribers, "the subscription")
        (subscriber,) = plugin.subscribers
    until(lambda: not plugin.subscribers, "the subscription ends")
    subscriber[1]("port_update_end", {})
