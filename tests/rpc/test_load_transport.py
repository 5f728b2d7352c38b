"""Transports by name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dhcpcore import SettingsError
from dhcpcore_adapters.rpc import load_transport
from dhcpcore_adapters.rpc.websocket import WebSocketTransport

OPTIONS = {"url": "ws://127.0.0.1:1/rpc", "host": "host-1"}


@pytest.mark.parametrize("name", ["websocket", "dhcpcore_adapters.rpc.websocket:WebSocketTransport"])
def test_by_name_and_by_class_path(name: str) -> None:
    transport = load_transport(name, OPTIONS)
    assert isinstance(transport, WebSocketTransport)
    transport.close()


@pytest.mark.parametrize(
    "name, options, option, said",
    [
        ("nosuch", OPTIONS, "transport", "one of oslo, websocket, or package.module:Class"),
        ("", OPTIONS, "transport", "one of oslo, websocket"),
        (".:x", OPTIONS, "transport", "imported"),
        ("nosuch.module:Transport", OPTIONS, "transport", "imported"),
        ("dhcpcore_adapters.rpc.websocket:NoSuch", OPTIONS, "transport", "imported"),
        ("dhcpcore_adapters.rpc.websocket:__doc__", OPTIONS, "transport", "a class"),
        ("collections:OrderedDict", {}, "transport", "server, heartbeat, start and close"),
        ("websocket", {"colour": "red"}, "transport", "colour"),
        ("websocket", {**OPTIONS, "url": "tcp://127.0.0.1"}, "url", "ws://HOST:PORT"),
        ("websocket", {**OPTIONS, "host": ""}, "host", "name of this agent's host"),
    ],
)
def test_no_such_transport(name: str, options: dict[str, Any], option: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        load_transport(name, options)
    assert caught.value.option == option
