"""Network hosts with a network of their own, on a management network where the control plane is, too.

Made inside a host of a test's own (`support.host`) only. Networks are one on all machines where their bridges are
connected (`Machine.plug`), as tunnels would do.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from support.clients.station import batch, ensure_bridge
from support.namespace import found
from support.neutron.control_plane import ControlPlane
from support.neutron.our_agent import OurAgent
from support.site import bridge, dnsmasq_pids

_MANAGEMENT: Final = "mgmt"
#: The control plane's address there.
ADDRESS: Final = "192.0.2.1"


def connect_control_plane() -> None:
    """Give the control plane its address on the management network."""
    ensure_bridge(_MANAGEMENT)
    batch([f"addr add {ADDRESS}/24 dev {_MANAGEMENT}"])


class Machine:
    """A machine: network namespace ``host-<name>``, and a mount namespace with a /run/netns of its own.

    Args:
        name: one letter; number: from 2 on, of its management address.
        agent: makes the agent from a folder, the server and keyword arguments `host`, `prefix`, `broker`, `options`.
    """

    def __init__(
        self,
        name: str,
        number: int,
        folder: Path,
        server: ControlPlane,
        agent: Callable[..., Any] = OurAgent,
        **options: Any,
    ) -> None:
        self.name, self._address, self._cable = f"host-{name}", f"192.0.2.{number}", name
        self._folder, self._server, self._agent, self._options = folder / name, server, agent, options

    def __enter__(self) -> Self:
        ip = found("ip") or "ip"
        batch([f"netns add {self.name}"])
        batch(["link set lo up"], self.name)
        batch(
            [
                f"link add mg{self._cable} type veth peer name eth0 netns {self.name}",
                f"link set mg{self._cable} master {_MANAGEMENT} up",
            ]
        )
        batch(["link set eth0 up", f"addr add {self._address}/24 dev eth0"], self.name)
        # Everything that is started on the machine finds its mounts through this process.
        script = "mount -t tmpfs none /run/netns && echo ready && exec sleep 1000"
        self._holder = subprocess.Popen(
            [ip, "netns", "exec", self.name, "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        enter = [found("nsenter") or "nsenter", "-t", str(self._holder.pid), "-n", "-m", "--"]
        self.agent = self._agent(
            self._folder, self._server, host=self.name, prefix=enter, broker=ADDRESS, **self._options
        )
        self.agent.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.kill()
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def plug(self, network_id: str) -> None:
        """Connect the machine's bridge of a network to the one that all machines share, which is here."""
        wire = bridge(network_id)
        ensure_bridge(wire)
        batch([f"link add {self._device(network_id)} type veth peer name up{network_id[:8]} netns {self.name}"])
        batch([f"link set {self._device(network_id)} master {wire} up"])
        there = subprocess.run(
            [found("ip") or "ip", "-n", self.name, "link", "add", wire, "type", "bridge"], capture_output=True
        )
        assert there.returncode == 0 or b"exists" in there.stderr, there.stderr
        batch([f"link set {wire} up", f"link set up{network_id[:8]} master {wire} up"], self.name)

    def unplug(self, network_id: str) -> None:
        """Take the cable out."""
        batch([f"link delete {self._device(network_id)}"])

    def _device(self, network_id: str) -> str:
        return f"{self._cable}{network_id[:11]}"

    def dnsmasqs(self) -> list[int]:
        """The processes of this machine."""
        ours = []
        for pid in dnsmasq_pids():
            with suppress(OSError):
                if str(self.agent.state) in Path(f"/proc/{pid}/cmdline").read_text():
                    ours.append(pid)
        return ours

    def die(self) -> None:
        """Kill the agent and all that it has started."""
        self.agent.kill()
        for pid in self.dnsmasqs():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
