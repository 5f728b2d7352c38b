"""A WebSocket transport that is not started, its reporter, and a port that nobody listens on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.memory_plugin import PATIENCE
from support.rpc_server import SOON

Connect = Callable[..., WebSocketTransport]


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def connect(reporter: RecordingReporter) -> Iterator[Connect]:
    """Makes transports, not started; each is closed in the end."""
    with ExitStack() as made:

        def make(url: str, host: str = "host-1", token_file: str | None = None, **options: Any) -> WebSocketTransport:
            transport = WebSocketTransport(
                url, host, token_file, **{"patience": SOON, "reporter": reporter, "call_timeout": PATIENCE, **options}
            )
            made.callback(transport.close)
            return transport

        yield make


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
