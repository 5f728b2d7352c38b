"""A DHCP port's device for tests, and ways to look at it past the adapter: iproute2, and the kernel's news."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from dhcpcore import DeviceSpec
from dhcpcore.model.spec import Route
from dhcpcore.observed import ObservedDevice
from dhcpcore_adapters.netns import NetnsControl, within

T = TypeVar("T")

NETWORK: Final = "0a1b2c3d-4e5f-4000-8000-000000000000"
BRIDGE: Final = "brq0a1b2c3d-4e"
TAP: Final = "tap11111111-11"
SPEC: Final = DeviceSpec(
    name="ns-11111111-11",
    namespace=f"qdhcp-{NETWORK}",
    network_id=NETWORK,
    port_id="11111111-1111-4000-8000-000000000000",
    mac_address="fa:16:3e:11:11:11",
    mtu=1400,
    addresses=("10.0.0.2/24", "fd00::2/64", "169.254.169.254/32", "fe80::a9fe:a9fe/128"),
    routes=(Route(gateway="10.0.0.1"), Route(gateway="fd99::1", onlink=True)),
)
PATH: Final = f"/run/netns/{SPEC.namespace}"
# Links, addresses and routes of both families (linux/rtnetlink.h: RTMGRP_*).
CHANGES: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400


def run(*argv: str) -> str:
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 0, f"{' '.join(argv)}: {ran.stderr.strip()}"
    return ran.stdout


def link(name: str, *where: str) -> Any:
    (told,) = json.loads(run("ip", *where, "-json", "-details", "link", "show", name))
    return told


def links() -> set[str]:
    """The devices of the host, without those that came with it."""
    names = {each["ifname"] for each in json.loads(run("ip", "-json", "link"))}
    return {name for name in names if name.startswith(("brq", "tap", "ns-", "vm"))}


def read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def observed(control: NetnsControl, spec: DeviceSpec = SPEC) -> ObservedDevice:
    (device,) = [each for each in control.observe_devices() if each.name == spec.name]
    return device


@contextlib.contextmanager
def changes(namespace: str | None = None) -> Iterator[list[int]]:
    """Collects the kinds of messages (RTM_*) by which the kernel tells of changes while the block runs."""

    def listen() -> socket.socket:
        listening = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        listening.bind((0, CHANGES))
        listening.setblocking(False)
        return listening

    kinds: list[int] = []
    with within(namespace, listen) if namespace else listen() as listening:
        yield kinds
        with contextlib.suppress(BlockingIOError):
            while True:
                kinds.append(struct.unpack_from("IH", listening.recv(1 << 16))[1])
