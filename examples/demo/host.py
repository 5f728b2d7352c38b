"""What there is on this host: processes, namespaces, devices, files, looked up past the agent.

Everything in the space is the demonstration's own, so that whatever is found there, is counted.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Process:
    """A running process.

    Attributes:
        started: clock ticks since boot: with the pid it names one process for good.
    """

    pid: int
    started: int
    argv: tuple[str, ...]

    def serves(self, network_id: str) -> bool:
        """Whether its command line tells of this network."""
        return any(network_id in word for word in self.argv)


def processes(name: str, network_id: str = "") -> list[Process]:
    """All that run this program, for this network, sorted; without the dead that nobody has asked for yet."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(OSError):
            stat = Path(f"/proc/{entry}/stat").read_text()
            argv = tuple(Path(f"/proc/{entry}/cmdline").read_text().split("\0"))
            # proc(5): state and start time are the third and the 22nd field; the name, the second, may hold anything.
            fields = stat.rpartition(")")[2].split()
            if Path(argv[0]).name == name and fields[0] not in "ZX":
                found.append(Process(pid=int(entry), started=int(fields[19]), argv=argv))
    return sorted((one for one in found if one.serves(network_id)), key=lambda one: one.pid)


def namespaces() -> set[str]:
    """The names of network namespaces."""
    return set(os.listdir("/run/netns"))


def devices() -> set[str]:
    """The network devices of the host itself."""
    return {name for _, name in socket.if_nameindex()} - {"lo"}


def files(root: Path) -> set[str]:
    """All files and directories below `root`."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def traces(state: Path, network_id: str) -> list[str]:
    """Whatever on this host is still a network's; empty when it has gone without a trace."""
    short = network_id[:11]
    running = [*processes("dnsmasq", network_id), *processes("haproxy", network_id)]
    return [
        *(f"{one.argv[0]} with pid {one.pid}" for one in running),
        *(f"namespace {name}" for name in namespaces() if network_id in name),
        *(f"device {name}" for name in devices() if short in name),
        *(f"file {name}" for name in sorted(files(state)) if network_id in name),
    ]
