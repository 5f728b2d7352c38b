"""A test's own host with an Open vSwitch, the interface driver under test, and what it plugs in, in both its ways."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import evolve

from dhcpcore import DeviceSpec
from dhcpcore_adapters.netns import NetnsControl, OpenvswitchDriver
from support import devices
from support.devices import PATH, TAP, links
from support.namespace import found
from support.openvswitch import OpenVSwitch
from support.own_host import run_in_own_host

INTERNAL: Final = evolve(devices.SPEC, name=TAP)
PAIR: Final = devices.SPEC
VLAN: Final = 7
CLIENT: Final = "fa:16:3e:aa:aa:aa"


def on_a_host(body: Callable[[OpenVSwitch], None]) -> Callable[[], None]:
    """Make a test of a function that is to run on a host of its own, with an Open vSwitch."""

    def inside() -> None:
        with OpenVSwitch() as switch:
            body(switch)

    def test() -> None:
        run_in_own_host("user", body)

    test.__name__ = test.__qualname__ = body.__name__
    test.__module__, test.__doc__ = body.__module__, body.__doc__
    test.inside = inside  # type: ignore[attr-defined]
    return test


def control(*, use_veth: bool = False, **options: Any) -> NetnsControl:
    return NetnsControl(OpenvswitchDriver(use_veth=use_veth, **{"host": "host-1", "ovsdb_timeout": 5, **options}))


def both() -> Iterator[tuple[NetnsControl, DeviceSpec]]:
    yield control(), INTERNAL
    yield control(use_veth=True), PAIR


def nothing(switch: OpenVSwitch) -> bool:
    return (links(), switch.ports(), os.listdir("/run/netns")) == (set(), [], [])


@contextmanager
def serving(spec: DeviceSpec) -> Iterator[subprocess.Popen[bytes]]:
    """A dnsmasq on the device, that has an address for `CLIENT`."""
    argv = [
        *("nsenter", f"--net={PATH}", found("dnsmasq") or "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"),
        *("--no-hosts", "--no-resolv", "--port=0", "--user=root", "--group=", "--bind-dynamic"),
        *(f"--interface={spec.name}", "--except-interface=lo", "--dhcp-leasefile=/run/leases", "--pid-file="),
        *("--dhcp-range=10.0.0.0,static,255.255.255.0,1h", f"--dhcp-host={CLIENT},10.0.0.9"),
    ]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
