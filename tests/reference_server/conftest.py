"""A server for each test, and a client of a few lines."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
import pytest

from dhcpcore_adapters.rpc import Notify
from reference_server import DhcpPlugin, Options, ReferenceServer

Wire = dict[str, Any]


class Api:
    """Neutron's API over one connection, and what agents do, for tests."""

    def __init__(self, server: ReferenceServer) -> None:
        self.server = server
        self.plugin: DhcpPlugin = server.plugin
        self.connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and body; a body of bytes is sent as it is."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, data, self.headers)
        with self.connection.getresponse() as response:
            answer = response.read()
            return response.status, json.loads(answer) if answer else None

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        """Status, type and message of a refusal."""
        status, answer = self.ask(method, path, body)
        assert status >= 400, answer
        error = answer["NeutronError"]
        assert error["detail"] == ""
        return status, error["type"], error["message"]

    def make(self, name: str, /, **attributes: Any) -> Wire:
        status, answer = self.ask("POST", f"/v2.0/{name}s", {name: _colons(attributes)})
        assert status == 201, answer
        made: Wire = answer[name]
        return made

    def change(self, name: str, id: str, /, **attributes: Any) -> Wire:
        status, answer = self.ask("PUT", f"/v2.0/{name}s/{id}", {name: _colons(attributes)})
        assert status == 200, answer
        changed: Wire = answer[name]
        return changed

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", f"/v2.0/{path}")
        assert status == 200, answer
        (content,) = (value for name, value in answer.items() if not name.endswith("_links"))
        return content

    def delete(self, path: str) -> None:
        status, answer = self.ask("DELETE", f"/v2.0/{path}")
        assert status == 204, answer

    def network(self, cidr: str = "10.0.0.0/24", **subnet: Any) -> tuple[str, str]:
        """A network with a subnet; the ids of both."""
        network = self.make("network")["id"]
        version = 6 if ":" in cidr else 4
        return network, self.make("subnet", network_id=network, cidr=cidr, ip_version=version, **subnet)["id"]

    def report(self, host: str = "host-1", **state: Any) -> str:
        answer = self.plugin.call(
            host, "report_state", {"agent_state": {"agent_state": {"agent_type": "DHCP agent", **state}}}
        )
        return str(answer)

    def agent(self, host: str = "host-1") -> Wire:
        (agent,) = self.get(f"agents?host={host}")
        found: Wire = agent
        return found

    def listen(self, host: str = "host-1") -> list[tuple[str, Wire]]:
        """From now on everything that the host's agent is told goes into the list."""
        heard: list[tuple[str, Wire]] = []

        def hear(method: str, payload: Mapping[str, Any]) -> None:
            heard.append((method, dict(payload)))

        notify: Notify = hear
        self.plugin.subscribe(host, notify)
        return heard


def _colons(attributes: Wire) -> Wire:
    """binding__host_id is binding:host_id."""
    return {name.replace("__", ":"): value for name, value in attributes.items()}


class Clock:
    """Seconds since the epoch, as the test wants them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(database=str(tmp_path / "db"), listen="127.0.0.1:0")


@pytest.fixture
def server(options: Options, clock: Clock) -> Iterator[ReferenceServer]:
    with ReferenceServer(options, clock) as server:
        yield server


@pytest.fixture
def api(server: ReferenceServer) -> Iterator[Api]:
    api = Api(server)
    yield api
    api.connection.close()


@pytest.fixture
def cloud(server: ReferenceServer) -> Iterator[Any]:
    """openstacksdk's network proxy."""
    connection = openstack.connection.Connection(auth_type="none", auth={"endpoint": server.url})
    yield connection.network
    connection.close()
