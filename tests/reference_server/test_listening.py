"""Where it listens, who may come in, and agents on the WebSocket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from reference_server import OptionError, Options, ReferenceServer
from reference_server.options import read_token

from .conftest import Api
from .test_survival import EXAMPLES


@pytest.mark.parametrize("where", ["0.0.0.0:9696", "192.0.2.1:0", "[::]:9696", "neutron.example.com:80", ":9696"])
def test_anybody_could_connect_there(where: str) -> None:
    with pytest.raises(OptionError):
        Options(database="db", listen=where)


def test_with_a_token_it_may_listen_anywhere(tmp_path: Path) -> None:
    options = Options(database=str(tmp_path / "db"), listen="0.0.0.0:0", token="0123456789abcdef")
    with ReferenceServer(options) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        api = Api(server)
        assert api.ask("GET", "/")[0] == 200
        assert api.refused("GET", "/v2.0/networks")[:2] == (401, "HTTPUnauthorized")
        for headers in ({"X-Auth-Token": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-Auth-Token": "é"}):
            api.headers = headers
            assert api.refused("GET", "/v2.0/networks")[0] == 401
        for headers in ({"X-Auth-Token": "0123456789abcdef"}, {"Authorization": "Bearer 0123456789abcdef"}):
            api.headers = headers
            assert api.get("networks") == []
        api.connection.close()


def test_token_files(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(OptionError, match="cannot read"):
        read_token(str(file))
    file.write_text("0123456789abcdef\n")
    file.chmod(0o644)
    with pytest.raises(OptionError, match="chmod 600"):
        read_token(str(file))
    file.chmod(0o600)
    assert read_token(str(file)) == "0123456789abcdef"
    for text in ("", "short", "two words that are long enough"):
        file.write_text(text)
        with pytest.raises(OptionError, match="at least 16"):
            read_token(str(file))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OptionError, match="cannot listen"):
            ReferenceServer(Options(database=str(tmp_path / "db"), listen=where))


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "api"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))  # and nobody listens any more
    options = Options(database=str(tmp_path / "db"), unix=str(path))
    with ReferenceServer(options) as server:
        assert path.stat().st_mode & 0o777 == 0o600
        api = Api(server)
        api.connection = _UnixConnection(str(path))
        assert api.get("networks") == []
        api.connection.close()
        with pytest.raises(OptionError, match="another server"):
            ReferenceServer(Options(database=str(tmp_path / "db2"), unix=str(path)))
        assert path.exists()
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(OptionError, match="no socket"):
        ReferenceServer(options)
    assert path.read_text() == "precious"


def test_closed_twice_it_leaves_the_next_servers_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "api"
    first = ReferenceServer(Options(database=str(tmp_path / "db1"), unix=str(path))).start()
    first.close()
    with ReferenceServer(Options(database=str(tmp_path / "db2"), unix=str(path))):
        first.close()
        assert path.exists()
    assert not path.exists()


def test_a_late_end_leaves_the_next_servers_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "api"
    with ReferenceServer(Options(database=str(tmp_path / "db1"), unix=str(path))) as first:
        path.unlink()  # whoever thought that it was dead
        with ReferenceServer(Options(database=str(tmp_path / "db2"), unix=str(path))):
            first.close()
            api = Api(first)
            api.connection = _UnixConnection(str(path))
            assert api.get("networks") == []
            api.connection.close()
    assert not path.exists()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--listen", "0.0.0.0:0"], "--token-file"),
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--token-file", "/none"], "/none"),
        (["--segment-hosts", "rack"], "PHYSNET=HOST"),
        (["--agent-down-time", "0"], "agent_down_time"),
    ],
)
def test_the_program_says_why_it_does_not_start(tmp_path: Path, arguments: list[str], words: str) -> None:
    paths = f"{EXAMPLES}:{EXAMPLES.parent / 'adapters'}:{EXAMPLES.parent}"
    done = subprocess.run(
        [sys.executable, "-m", "reference_server", "--database", str(tmp_path / "db"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


class Ears:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.is_connected = threading.Event()
        self.something = threading.Semaphore(0)

    def notified(self, method: str, payload: Any) -> None:
        self.heard.append((method, payload))
        self.something.release()

    def connected(self) -> None:
        self.is_connected.set()

    def disconnected(self, reason: str) -> None:
        self.is_connected.clear()


def test_an_agent_on_the_websocket(api: Api) -> None:
    transport, ears = WebSocketTransport(f"{api.server.url.replace('http', 'ws')}/rpc", "host-1"), Ears()
    transport.start(ears)
    try:
        assert ears.is_connected.wait(20)
        assert transport.heartbeat.report_state({"agent_type": "DHCP agent", "configurations": {}}) == "new"
        network, subnet = api.network()
        assert ears.something.acquire(timeout=20)
        assert ears.something.acquire(timeout=20)
        assert [method for method, _ in ears.heard] == ["network_create_end", "subnet_create_end"]
        answer = transport.server.get_network_info(network)
        assert answer is not None
        assert answer == json.loads(json.dumps(answer))
        assert [each["id"] for each in answer["subnets"]] == [subnet]
    finally:
        transport.close()


def test_a_long_request_does_not_stop_the_event_loop(api: Api) -> None:
    """Agents' connections are kept alive by answers to pings, also while a bulk creation takes its time."""
    network, _ = api.network("10.0.0.0/16")
    answered: list[tuple[float, float]] = []
    connected, done = threading.Event(), threading.Event()

    def ping() -> None:
        with connect(f"{api.server.url.replace('http', 'ws')}/rpc?host=host-1") as websocket:
            while not done.is_set():
                sent = time.monotonic()
                assert websocket.ping().wait(30)
                answered.append((sent, time.monotonic()))
                connected.set()

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        assert connected.wait(30)
        began = time.monotonic()
        status, _ = api.ask("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 1500})
        ended = time.monotonic()
    finally:
        done.set()
        thread.join()
    assert status == 201
    meanwhile = [sent for sent, at in answered if began < sent and at < ended]
    assert len(meanwhile) > 2, f"{len(meanwhile)} pings were answered within the {ended - began:.2f} s of the request"


def test_pages_in_browsers_are_no_agents(api: Api) -> None:
    url = f"{api.server.url.replace('http', 'ws')}/rpc?host=host-1"
    with pytest.raises(InvalidStatus) as caught, connect(url, origin=Origin("http://example.com")):
        pass
    assert caught.value.response.status_code == 403
