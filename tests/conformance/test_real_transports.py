"""Every transport, held against the laws of the contract with a server in memory at its far end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import pytest

from dhcpcore.contracts import ServerRpc
from dhcpcore.testing import MemoryServer
from dhcpcore.testing.conformance import MemoryServerWorld, ServerRpcConformance
from dhcpcore_adapters.rpc import InProcessTransport, Transport
from dhcpcore_adapters.rpc.oslo.transport import OsloTransport
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.memory_plugin import Heard, Lost, MemoryPlugin
from support.neutron_rpc import serving_rpc
from support.rpc_server import SOON, serving


class TransportWorld(MemoryServerWorld):
    """A `MemoryServer` behind a transport; calls that are lost are never answered."""

    transport: Transport
    plugin: MemoryPlugin

    def __init__(self) -> None:
        super().__init__(self._connect)

    def _connect(self, server: MemoryServer, host: str) -> ServerRpc:
        self.transport = self.make(server, host)
        self.transport.start(Heard())
        return self.transport.server

    def make(self, server: MemoryServer, host: str) -> Transport:
        raise NotImplementedError

    def close(self) -> None:
        self.transport.close()
        self.plugin.close()

    def lose_request(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=Lost("the request is lost"))

    def lose_answer(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=Lost("the answer is lost"), when="after")


class InProcessWorld(TransportWorld):
    def make(self, server: MemoryServer, host: str) -> Transport:
        # Nothing is ever lost between two functions; a plugin that waits in vain for something of its own gives up.
        self.plugin = MemoryPlugin(server, hang=lambda: None)
        return InProcessTransport(self.plugin, host)


class TestInProcessTransport(ServerRpcConformance):
    @pytest.fixture
    def world(self) -> Iterator[TransportWorld]:
        with closing(InProcessWorld()) as world:
            yield world


class WebSocketWorld(TransportWorld):
    """Through a real server and a real socket; what is lost is lost in the server, which never answers.

    Args:
        path: of a unix socket; None: on loopback.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        super().__init__()

    def make(self, server: MemoryServer, host: str) -> Transport:
        self.plugin = MemoryPlugin(server)
        self._served = ExitStack()
        url = self._served.enter_context(serving(self.plugin, path=self._path))
        return WebSocketTransport(url, host, call_timeout=2, report_timeout=2, patience=SOON)

    def close(self) -> None:
        super().close()
        self._served.close()


class TestWebSocketOnLoopback(ServerRpcConformance):
    @pytest.fixture
    def world(self) -> Iterator[TransportWorld]:
        with closing(WebSocketWorld()) as world:
            yield world


class TestWebSocketOnAUnixSocket(ServerRpcConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[TransportWorld]:
        with closing(WebSocketWorld(tmp_path / "rpc.sock")) as world:
            yield world


class OsloWorld(TransportWorld):
    """Through oslo.messaging's driver for RabbitMQ, with kombu's broker in memory instead of one."""

    def make(self, server: MemoryServer, host: str) -> Transport:
        self.plugin = MemoryPlugin(server)
        self._served = ExitStack()
        # The broker in memory is one for the process: what is left of one test must not reach another.
        exchange = f"neutron-{uuid4()}"
        url = f"kombu+memory:///{exchange}"
        self._served.enter_context(serving_rpc(self.plugin, url, exchange))
        return OsloTransport(host, transport_url=url, control_exchange=exchange, call_timeout=2, report_timeout=2)

    def close(self) -> None:
        super().close()
        self._served.close()


class TestOslo(ServerRpcConformance):
    @pytest.fixture
    def world(self) -> Iterator[TransportWorld]:
        with closing(OsloWorld()) as world:
            yield world
