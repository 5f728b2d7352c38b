"""``dhcpcore agent`` on a real Neutron: with ``neutron.conf`` and ``dhcp_agent.ini``, as an operator starts it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from support.neutron.agent_settings import write_settings
from support.neutron.control_plane import ControlPlane
from support.neutron.daemon import VENV
from support.site import AgentProgram, Program


class OurAgent(AgentProgram):
    """Our agent, over oslo.messaging; a context manager.

    Args:
        folder: where its state, settings and log are.
        prefix: a command that runs it, for an agent with a network of its own.
        broker: the address by which it reaches the broker.
        interface_driver: ours, by name.
        options: Neutron's, by name; more than what is set by `write_settings`.
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
        self.host, self.neutron = host, server
        self.state = folder / "state"
        # A socket's path is at most 107 bytes, and a test's folder may be longer; /run is the test's own.
        self.control = f"/run/control-{host}.sock"
        self._write = partial(write_settings, folder, server, host=host, broker=broker)
        self._options = options
        files = self._write(**options)
        # .venv has no oslo.messaging; this one has it, with all else that the agent needs.
        argv = [*prefix, str(VENV / "bin/python"), "-m", "dhcpcore_adapters.cli", "agent", *files]
        argv += ["-o", f"dhcpcore.control_socket={self.control}"]
        Program.__init__(self, argv, folder / "agent.log")

    def change(self, **options: Any) -> None:
        """Write its files with these options, too, and have it read them (SIGHUP)."""
        self._options |= options
        self._write(**self._options)
        self.send_signal(signal.SIGHUP)

    def start(self) -> None:
        """Start it; it is in step with the server, and counts as alive, when this returns."""
        super().start()
        self.neutron.wait_alive(self.host)
