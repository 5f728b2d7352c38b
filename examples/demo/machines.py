"""Virtual machines, as a network sees them: a namespace with one device, whose other end is plugged into the bridge."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Final

from demo.inside import in_namespace
from demo.space import found
from demo.waiting import NotSo, until

DEVICE: Final = "eth0"


def ip(*arguments: str) -> str:
    """Run ip(8), which must succeed; what it printed."""
    ran = subprocess.run([found("ip") or "ip", *arguments], capture_output=True, text=True, timeout=30)
    if ran.returncode != 0:
        raise NotSo(f"ip {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout


class Machine:
    """A machine with a port's MAC address on the network's bridge, which the agent has made.

    Args:
        port: as the server told it.
        folder: for the files of its DHCP clients; made here.
    """

    def __init__(self, name: str, port: dict[str, Any], folder: Path) -> None:
        self.name, self.port, self.folder = name, port, folder / name
        self.namespace, self.mac = f"vm-{name}", port["mac_address"]
        self.bridge, self._outer = bridge_of(port["network_id"]), f"vm{name}"
        self.folder.mkdir(parents=True)
        until(f"the agent makes the bridge {self.bridge}", lambda: self.bridge in ip("-o", "link", "show"))
        ip("netns", "add", self.namespace)
        ip("link", "add", self._outer, "type", "veth", "peer", "name", DEVICE, "netns", self.namespace)
        ip("link", "set", self._outer, "addrgenmode", "none", "master", self.bridge, "up")
        # A fresh link-local address is not used at once, but for this; nobody else is there who could have it.
        in_namespace(self.namespace, lambda: Path(f"/proc/sys/net/ipv6/conf/{DEVICE}/accept_dad").write_text("0"))
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", DEVICE, "address", self.mac, "up")

    def ip(self, *arguments: str) -> str:
        """ip(8) in there."""
        return ip("-n", self.namespace, *arguments)

    def start(self, argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in there; what it says goes to a file."""
        with log.open("ab") as file:
            argv = [found("ip") or "ip", "netns", "exec", self.namespace, *argv]
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def address(self) -> str | None:
        """The IPv4 address that the kernel has in there."""
        (device,) = json.loads(self.ip("-json", "-4", "addr", "show", "dev", DEVICE)) or [{}]
        return next((entry["local"] for entry in device.get("addr_info", [])), None)

    def fetch(self, url: str) -> bytes:
        """What a web server answers to this machine."""

        def got() -> bytes:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
                body: bytes = answer.read()
                return body

        return in_namespace(self.namespace, got)

    def remove(self) -> None:
        """It goes, with all that runs in it."""
        for pid in ip("netns", "pids", self.namespace).split():
            subprocess.run(["kill", "-9", pid], capture_output=True)
        ip("link", "delete", self._outer)
        ip("netns", "delete", self.namespace)


def bridge_of(network_id: str) -> str:
    """The bridge of a network, as Neutron's Linux bridge convention names it."""
    return f"brq{network_id[:11]}"
