"""Plugins of an endpoint that answer `get_network_info` in their own ways, and asking for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dhcpcore.testing import MemoryServer
from dhcpcore_adapters.rpc import RpcRefusal, Transport
from support.memory_plugin import PATIENCE, MemoryPlugin


class Gate(MemoryPlugin):
    """Holds `get_network_info` until it is let go."""

    def __init__(self) -> None:
        super().__init__(MemoryServer())
        self.entered = threading.Semaphore(0)
        self.let_go = threading.Event()

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        if method == "get_network_info":
            self.entered.release()
            assert self.let_go.wait(PATIENCE)
            return {"id": arguments["network_id"]}
        return super().call(host, method, arguments)


class Echo(MemoryPlugin):
    """Answers a network's id with itself."""

    def __init__(self) -> None:
        super().__init__(MemoryServer())

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        if method == "get_network_info":
            return {"id": arguments["network_id"]}
        if method == "create_dhcp_port":
            raise RpcRefusal("IpAddressGenerationFailure", "none left")
        return super().call(host, method, arguments)


def asked(transport: Transport, name: str = "n") -> Any:
    network = transport.server.get_network_info(name)
    return None if network is None else network["id"]
