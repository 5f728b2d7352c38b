"""The stock neutron-dhcp-agent, unchanged, on this host: to see that the Neutron is right, and to compare with ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from support.neutron.agent_settings import write_settings
from support.neutron.control_plane import ControlPlane
from support.neutron.daemon import VENV, Daemon

_ENTRY_POINT = "[neutron.interface_drivers]\nbridge = stock_bridge_driver:BridgeInterfaceDriver\n"


class StockAgent(Daemon):
    """``neutron-dhcp-agent``, with our test's interface driver ``bridge``; a context manager.

    Args:
        folder: where its state, settings and log are.
        prefix: a command that runs it, for an agent with a network of its own.
        broker: the address by which it reaches the broker.
        options: Neutron's, by name; those of [AGENT] are known. More than what is set by `write_settings`.
    """

    def __init__(
        self,
        folder: Path,
        server: ControlPlane,
        *,
        host: str = "host-1",
        prefix: Sequence[str] = (),
        broker: str = "127.0.0.1",
        **options: Any,
    ) -> None:
        self.host, self._server = host, server
        self.state = folder / "state"
        files = write_settings(folder, server, host=host, broker=broker, root_helper="env", **options)
        plugins = folder / "plugins"
        (plugins / "stock_bridge_driver-1.dist-info").mkdir(parents=True)
        (plugins / "stock_bridge_driver-1.dist-info/METADATA").write_text("Name: stock_bridge_driver\nVersion: 1\n")
        (plugins / "stock_bridge_driver-1.dist-info/entry_points.txt").write_text(_ENTRY_POINT)
        shutil.copy(Path(__file__).with_name("stock_bridge_driver.py"), plugins)
        path = f"{VENV / 'bin'}:{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
        argv = [*prefix, str(VENV / "bin/neutron-dhcp-agent")]
        # stevedore keeps what it found in a file of the user's, which knows nothing of our entry point.
        environment = {"PYTHONPATH": str(plugins), "PATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
        super().__init__([*argv, *files], folder / "agent.log", environment)

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it; it has synchronised and counts as alive when this returns."""
        self.launch()
        self._server.wait_alive(self.host)

    def directory(self, network_id: str) -> Path:
        """Where the files of a network's instance are."""
        return self.state / "dhcp" / network_id

    def dnsmasq_pid(self, network_id: str) -> int:
        """As its pid file has it."""
        return int((self.directory(network_id) / "pid").read_text())
