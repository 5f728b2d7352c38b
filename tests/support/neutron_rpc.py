"""The RPC side of a Neutron server, over oslo.messaging, with a `Plugin` behind it: what tests of that transport ask.

Knows Neutron's topics, versions and arguments by itself, from what was read off a real server's wire; nothing of this
is taken from the transport under test.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from dhcpcore_adapters.rpc import Plugin, RpcRefusal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oslo_messaging  # type: ignore[import-untyped]
    from oslo_config import cfg
    from oslo_messaging.rpc.dispatcher import RPCDispatcher  # type: ignore[import-untyped]
    from oslo_messaging.rpc.server import RPCServer  # type: ignore[import-untyped]

#: What each method is sent with, exactly, beside what `dhcpcore_adapters.rpc.plugin.METHODS` has; the last of them
#: is the version it needs.
_BESIDE: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "get_active_networks_info": ({"host": ..., "enable_dhcp_filter": False}, "1.1"),
    "get_network_info": ({"host": ..., "enable_dhcp": None}, "1.0"),
    "create_dhcp_port": ({"host": ...}, "1.1"),
    "update_dhcp_port": ({"host": ...}, "1.1"),
    "release_dhcp_port": ({"host": ...}, "1.0"),
    "dhcp_ready_on_ports": ({}, "1.5"),
}


class NeutronRpc:
    """A server on topics q-plugin and q-reports-plugin; a context manager.

    Args:
        url: of the broker; exchange: on which exchange.

    Attributes:
        messages: what arrived, as it was: context and message.
    """

    def __init__(self, plugin: Plugin, url: str, exchange: str = "neutron") -> None:
        self.messages: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._plugin = plugin
        oslo_messaging.set_transport_defaults(exchange)
        self._transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=url)
        self._hosts: dict[str, None] = {}
        endpoints = {"q-plugin": _Calls(self), "q-reports-plugin": _Reports(self)}
        self._servers = [
            RPCServer(
                self._transport,
                oslo_messaging.Target(topic=topic, server=f"server-{uuid4()}"),
                _Recording([endpoint], None, None, self.messages),
            )
            for topic, endpoint in endpoints.items()
        ]

    def start(self) -> None:
        """Begin to answer."""
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """Answer no more."""

        def end(server: Any) -> None:
            server.stop()
            server.wait()

        with ThreadPoolExecutor() as pool:
            list(pool.map(end, self._servers))
        self._transport.cleanup()

    def tell(self, host: str | None, method: str, **arguments: Any) -> None:
        """Cast to the agent of a host, or to all agents."""
        target = oslo_messaging.Target(topic="dhcp_agent", version="1.0")
        client = oslo_messaging.get_rpc_client(self._transport, target)
        prepared = client.prepare(fanout=True) if host is None else client.prepare(server=host)
        prepared.cast({"is_admin": True}, method, **arguments)

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        """Have the plugin carry a call out, and subscribe its agent when it is new."""
        if host not in self._hosts:
            self._hosts[host] = None
            self._plugin.subscribe(host, lambda told, payload: self.tell(host, told, payload=payload))
        try:
            return self._plugin.call(host, method, arguments)
        except RpcRefusal as refusal:
            raise remote(str(refusal.name), str(refusal.message)) from None


def remote(name: str, message: str, module: str = "neutron_lib.exceptions") -> Exception:
    """An exception as another process has it."""
    return type(name, (Exception,), {"__module__": module})(message)  # type: ignore[no-any-return]


class _Recording(RPCDispatcher):  # type: ignore[misc]
    def __init__(self, endpoints: Any, serializer: Any, policy: Any, messages: list[Any]) -> None:
        super().__init__(endpoints, serializer, policy)
        self._messages = messages

    def dispatch(self, incoming: Any) -> Any:
        self._messages.append((dict(incoming.ctxt), dict(incoming.message)))
        return super().dispatch(incoming)


class _Calls:
    target = oslo_messaging.Target(version="1.10")

    def __init__(self, server: NeutronRpc) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        if name not in _BESIDE:
            raise AttributeError(name)

        def carry(context: Mapping[str, Any], **arguments: Any) -> Any:
            beside, _ = _BESIDE[name]
            host = arguments.get("host", "host-1")
            for argument, value in beside.items():
                sent = arguments.pop(argument)
                assert value is ... or sent == value, f"{name}: {argument} is {sent!r}"
            return self._server.call(host, name, arguments)

        return carry


class _Reports:
    target = oslo_messaging.Target(version="1.4")

    def __init__(self, server: NeutronRpc) -> None:
        self._server = server

    def report_state(self, context: Mapping[str, Any], *, agent_state: Any, time: str) -> Any:
        datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%f")  # noqa: DTZ007 - Neutron reads it so
        state = agent_state["agent_state"]
        assert state.pop("uuid")
        return self._server.call(state["host"], "report_state", {"agent_state": state})


@contextmanager
def serving_rpc(plugin: Plugin, url: str, exchange: str) -> Iterator[NeutronRpc]:
    """A server that is started and stopped, in a second whatever it is busy with."""
    server = NeutronRpc(plugin, url, exchange)
    server.start()
    try:
        yield server
    finally:
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        stopping.join(10)
        assert not stopping.is_alive(), "the server does not stop"
