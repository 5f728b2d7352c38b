"""A virtual machine's place on a network: a namespace with one device, whose other end is plugged into a bridge.

Made inside a host of a test's own (`support.host`) only. The device is ``eth0`` in the namespace ``vm-<name>``; the
other end is ``vm<name>`` beside the bridge. Knows Linux; knows nothing of DHCP.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Final, Self

from support.clients.inside import in_namespace
from support.namespace import found

DEVICE: Final = "eth0"
_LONGEST_NAME: Final = 13  # IFNAMSIZ, without "vm"


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address of the device; lifetimes in seconds, None for ever.

    Attributes:
        is_dynamic: the kernel made it from a router's advertisement, or somebody gave it a lifetime.
    """

    address: str
    prefix: int
    preferred: int | None
    valid: int | None
    is_dynamic: bool
    is_tentative: bool


def ensure_bridge(bridge: str) -> None:
    """Make the bridge where there is none; it goes with the host."""

    def is_there() -> bool:
        # Not by /sys/class/net: it shows the network of whoever mounted it.
        return bridge in {name for _, name in socket.if_nameindex()}

    if not is_there():
        try:
            batch([f"link add {bridge} type bridge", f"link set {bridge} addrgenmode none up"])
        except AssertionError:
            if not is_there():  # else the agent has made it meanwhile
                raise


def batch(commands: Iterable[str], namespace: str | None = None) -> None:
    """Run commands of ip(8), which must all succeed."""
    inside = ["-n", namespace] if namespace is not None else []
    text = "".join(f"{command}\n" for command in commands)
    ran = subprocess.run(
        [found("ip") or "ip", *inside, "-batch", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stderr}in:\n{text}"


class Station:
    """A machine on a bridge; a context manager, at whose end it and every process in it is gone.

    Args:
        name: at most 13 characters, and no other station's.
        bridge: made where there is none.
        folder: an empty directory for its programs' files, made where there is none.
        mtu: bytes.
        accept_ra: whether the kernel takes addresses and routes from router advertisements (SLAAC).
    """

    def __init__(
        self, name: str, bridge: str, mac: str, folder: Path, *, mtu: int = 1500, accept_ra: bool = False
    ) -> None:
        assert len(name) <= _LONGEST_NAME, f"a device cannot be named vm{name}"
        self.name, self.bridge, self.mac = name, bridge, mac
        self.namespace, self.outer = f"vm-{name}", f"vm{name}"
        self.folder = folder
        self._accept_ra = accept_ra
        self._mtu = mtu
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        ensure_bridge(self.bridge)
        batch([f"netns add {self.namespace}"])
        try:
            batch(
                [
                    f"link add {self.outer} type veth peer name {DEVICE} netns {self.namespace}",
                    # It takes no part itself: no address on it, so that nothing else speaks on the wire.
                    f"link set {self.outer} mtu {self._mtu} addrgenmode none master {self.bridge} up",
                ]
            )
            batch(["link set lo up", f"link set {DEVICE} address {self.mac} mtu {self._mtu}"], self.namespace)
            # Before the device is up, or the first advertisement and the link-local address come too early.
            self.set_option("accept_ra", int(self._accept_ra))
            self.set_option("accept_dad", 0)
            self.set_option("router_solicitation_delay", 0)
            batch([f"link set {DEVICE} up"], self.namespace)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            with suppress(ProcessLookupError):
                program.kill()
            program.wait()
        # Whatever those have started.
        listed = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False)
        for pid in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        # The device goes with its other end; the namespace's own end may come late.
        for command in (["link", "delete", self.outer], ["netns", "delete", self.namespace]):
            subprocess.run(["ip", *command], capture_output=True, check=False)

    def set_option(self, option: str, value: int) -> None:
        """A setting of the kernel's for IPv6 on the device: net.ipv6.conf.eth0.<option>."""
        path = Path(f"/proc/sys/net/ipv6/conf/{DEVICE}/{option}")
        in_namespace(self.namespace, lambda: path.write_text(f"{value}"))

    def start(self, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in there; what it says goes to a file. It is killed at the end at the latest."""
        path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
        with log.open("ab") as file:
            program = subprocess.Popen(
                [found("ip") or "ip", "netns", "exec", self.namespace, *argv],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                # Nothing else: what such a program tells its hook, it adds to this.
                env={"PATH": path, "LC_ALL": "C.UTF-8"},
            )
        self._programs.append(program)
        return program

    def run(self, argv: Sequence[str], seconds: float = 30) -> str:
        """Run a program in there, which must succeed; returns what it printed."""
        ran = subprocess.run(
            [found("ip") or "ip", "netns", "exec", self.namespace, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ran.returncode == 0, f"{' '.join(argv)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    # -- what the kernel has

    def addresses(self, version: int, *, link_local: bool = False) -> list[Address]:
        """The device's addresses of IPv4 or IPv6, without link-local ones unless they are asked for."""
        shown = json.loads(self.run(["ip", "-json", f"-{version}", "addr", "show", "dev", DEVICE]))
        return [
            _address(entry)
            for device in shown
            for entry in device.get("addr_info", [])
            if link_local or version == 4 or not IPv6Address(entry["local"]).is_link_local
        ]

    def routes(self, version: int) -> list[tuple[str, str | None]]:
        """Destinations ("default" for everything) and next hops, those of multicast and link-local left out."""
        shown = json.loads(self.run(["ip", "-json", f"-{version}", "route", "show"]))
        return [
            (entry["dst"], entry.get("gateway"))
            for entry in shown
            if not entry["dst"].startswith(("fe80::", "ff00::", "multicast"))
        ]

    def mtu(self) -> int:
        """The device's MTU, bytes."""
        (device,) = json.loads(self.run(["ip", "-json", "link", "show", "dev", DEVICE]))
        return int(device["mtu"])

    def router_mtu(self) -> int:
        """The MTU of IPv6, bytes: what a router advertised, or the device's."""
        path = Path(f"/proc/sys/net/ipv6/conf/{DEVICE}/mtu")
        return int(in_namespace(self.namespace, path.read_text))

    def slaac(self, prefix: str, seconds: float = 10) -> Address:
        """Wait for the address that the kernel makes of an advertised prefix (RFC 4862).

        Raises:
            AssertionError: there is none in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            for address in self.addresses(6):
                if IPv6Address(address.address) in IPv6Network(prefix) and not address.is_tentative:
                    return address
            assert time.monotonic() < deadline, f"{self.name} has no address of {prefix}: {self.addresses(6)}"
            time.sleep(0.02)

    @property
    def link_local(self) -> str:
        """The device's link-local address."""
        return self.address_of("fe80::/64")

    def address_of(self, prefix: str) -> str:
        """The address that the device makes of a prefix and its MAC address (RFC 4291, appendix A)."""
        octets = bytes.fromhex(self.mac.replace(":", ""))
        own = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return str(IPv6Address(IPv6Network(prefix).network_address.packed[:8] + own))


def _address(entry: dict[str, Any]) -> Address:
    forever = 0xFFFFFFFF
    preferred, valid = entry["preferred_life_time"], entry["valid_life_time"]
    return Address(
        address=str(ip_address(entry["local"])),
        prefix=entry["prefixlen"],
        preferred=None if preferred == forever else preferred,
        valid=None if valid == forever else valid,
        is_dynamic=bool(entry.get("dynamic")),
        is_tentative=bool(entry.get("tentative")),
    )
