"""A link of the WebSocket transport, where two of its connections overlap."""

from __future__ import annotations

import queue
import socket
from contextlib import closing
from typing import Any

from dhcpcore.contracts import NullReporter
from dhcpcore_adapters.rpc.address import Address
from dhcpcore_adapters.rpc.link import Link, Patience


class Lost:
    """A connection that was lost while its writer was in the middle of a message."""

    def __init__(self) -> None:
        self.socket, self.peer = socket.socketpair()

    def send(self, text: str) -> None:
        raise ConnectionError("lost")

    def close(self) -> None:
        raise AssertionError("it is lost already")


def test_a_late_writer_ends_its_own_connection_and_not_the_next() -> None:
    """Law: whoever notices late that a connection was lost takes nothing from the one that stands by then."""
    link = Link(
        Address.parse("ws://127.0.0.1:1/rpc"),
        {},
        name="calls",
        largest=1000,
        largest_request=1000,
        patience=Patience(),
        reporter=NullReporter(),
        on_up=lambda: None,
        on_down=lambda reason: None,
        on_told=lambda request: None,
    )
    lost: Any = Lost()
    following, peer = socket.socketpair()
    with closing(lost.socket), closing(lost.peer), closing(following), closing(peer):
        link._socket = following
        outbox: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        link._pending.add(1, "get_network_info")
        outbox.put((1, "a call"))
        link._write(lost, outbox)
        peer.sendall(b"still there")
        assert following.recv(100) == b"still there"
        assert lost.peer.recv(100) == b""
