"""docs/transports.md: its messages are what goes over the wire, and its transport keeps every law."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer, RecordingReporter
from dhcpcore.testing.conformance import MemoryServerWorld, ServerRpcConformance
from dhcpcore_adapters.rpc import METHODS, Plugin, RpcRefusal, Transport
from support.memory_plugin import PATIENCE, Heard, Lost, MemoryPlugin, until
from support.rpc_server import serving

PAGE = (Path(__file__).parents[2] / "docs" / "transports.md").read_text(encoding="utf-8")
WIRE = "\n".join(re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
EXCHANGES = re.findall(r"^→ (.*)\n← (.*)$", WIRE, re.MULTILINE)
(TOLD,) = re.findall(r"^← (.*\"params\".*)$", WIRE, re.MULTILINE)


class OfThePage:
    """Answers as the page says."""

    def __init__(self) -> None:
        self.notify: Callable[[str, Mapping[str, Any]], None] | None = None

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        assert host == "host-1"
        for sent, answered in EXCHANGES:
            if sent.startswith("{") and json.loads(sent).get("params") == arguments and f'"{method}"' in sent:
                answer = json.loads(answered)
                if "result" in answer:
                    return answer["result"]
                error = answer["error"]
                if error["code"] == -32000:
                    raise RpcRefusal(error["data"]["name"], error["message"])
                raise RuntimeError(error["message"])
        raise AssertionError(f"the page has no {method}({arguments})")

    def subscribe(self, host: str, notify: Callable[[str, Mapping[str, Any]], None]) -> Callable[[], None]:
        self.notify = notify
        return lambda: None


def test_the_messages_are_those_on_the_wire() -> None:
    plugin = OfThePage()
    with (
        serving(plugin, token="t") as url,
        connect(f"{url}?host=host-1", additional_headers={"Authorization": "Bearer t"}) as raw,
    ):
        for sent, answered in EXCHANGES:
            raw.send(sent)
            assert raw.recv(PATIENCE) == answered
        assert plugin.notify is not None
        told = json.loads(TOLD)
        plugin.notify(told["method"], told["params"]["payload"])
        assert raw.recv(PATIENCE) == TOLD


def test_every_call_and_every_code_has_its_example() -> None:
    methods = {json.loads(sent)["method"] for sent, _ in EXCHANGES if sent.startswith("{")}
    assert METHODS.keys() <= methods
    codes = {json.loads(answered)["error"]["code"] for _, answered in EXCHANGES if "error" in answered}
    assert codes == {-32000, -32600, -32601, -32602, -32603, -32700}


# -- the transport of the page ----------------------------------------------------------------------------------------


def page_transport() -> Any:
    (block,) = (block for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S) if "class Polling" in block)
    module: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "docs/transports.md", "exec"), module)
    return module["PollingTransport"]


@contextmanager
def polled(plugin: Plugin, host: str) -> Iterator[str]:
    """The page's server: a plugin behind plain HTTP; yields its address."""
    events: list[tuple[str, Mapping[str, Any]]] = []
    end = plugin.subscribe(host, lambda method, payload: events.append((method, payload)))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer: dict[str, Any]
            status = 200
            if self.path == "/events":
                mark = len(events) if question["mark"] is None else question["mark"]
                time.sleep(0.02)
                answer = {"mark": mark + len(events[mark:]), "events": events[mark:]}
            else:
                try:
                    answer = {"result": plugin.call(question["host"], question["method"], question["arguments"])}
                except RpcRefusal as refusal:
                    answer = {"refused": refusal.name, "message": refusal.message}
                except Exception:
                    answer, status = {}, 500
            body = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            end()


class PolledWorld(MemoryServerWorld):
    def __init__(self, call_timeout: float = 2) -> None:
        self._call_timeout = call_timeout
        super().__init__(self._connect)

    def _connect(self, server: MemoryServer, host: str) -> Any:
        self.stack = ExitStack()
        self.plugin = MemoryPlugin(server)
        address = self.stack.enter_context(polled(self.plugin, host))
        self.stack.callback(self.plugin.close)
        made = page_transport()(address, host, reporter=RecordingReporter(), call_timeout=self._call_timeout)
        self.transport: Transport = made
        self.heard = Heard()
        self.transport.start(self.heard)
        self.stack.callback(self.transport.close)
        return self.transport.server

    def close(self) -> None:
        self.stack.close()

    def lose_request(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=Lost("the request is lost"))

    def lose_answer(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=Lost("the answer is lost"), when="after")


class TestTransportOfThePage(ServerRpcConformance):
    @pytest.fixture
    def world(self) -> Iterator[PolledWorld]:
        with closing(PolledWorld()) as world:
            yield world


def test_the_transport_of_the_page_tells_and_ends() -> None:
    with closing(PolledWorld(call_timeout=600)) as world:
        assert isinstance(world.transport, Transport)
        world.heard.wait_for("connected")
        for number in range(100):
            world.plugin.notify(world.host, "port_update_end", {"number": number})
        told = world.heard.wait(lambda told: len(told) == 101)
        assert [each[2]["number"] for each in told[1:]] == list(range(100))
        world.lose_request("report_state")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(world.rpc.report_state, {})
            until(lambda: not world.server.faults.armed, "the call hangs in the server")
            world.transport.close()
            assert isinstance(waiting.exception(PATIENCE), AdapterError)
        with pytest.raises(AdapterError, match="closed") as caught:
            world.rpc.get_network_info("n")
        assert caught.value.retryable
        until(lambda: "rpc poll" not in [thread.name for thread in threading.enumerate()], "its thread ends")
