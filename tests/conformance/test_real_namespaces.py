"""The real NamespaceControl keeps every law of its contract, as root and as an ordinary user in a user namespace.

The observers are iproute2's and util-linux's programs: they look past the adapter, and past pyroute2.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError
from dhcpcore.contracts import NamespaceControl
from dhcpcore.model.spec import DeviceSpec, Route
from dhcpcore.testing.conformance import DeviceState, NamespaceControlConformance, NamespaceControlWorld, run_suite
from dhcpcore.testing.conformance.suite import laws
from dhcpcore_adapters.netns import NetnsControl
from support.namespace import found
from support.own_host import KINDS, run_in_own_host

RUN_NETNS: Final = Path("/run/netns")
PAGE: Final = Path(__file__).parents[2] / "docs" / "interface-drivers.md"

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(found("nsenter") is None, reason="there is no 'nsenter' here: apt-get install util-linux"),
]


def run(*argv: str) -> str:
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 0, f"{' '.join(argv)}: {ran.stderr.strip()}"
    return ran.stdout


def ip(*argv: str) -> Any:
    """What ``ip -json`` tells."""
    return json.loads(run("ip", "-json", *argv) or "[]")


class Patient(NetnsControl):
    """Tries again what may be tried again, as the loop does; a namespace deleted by hand keeps its MAC for a while."""

    def ensure_device(self, spec: DeviceSpec) -> None:
        deadline = time.monotonic() + 5
        while True:
            try:
                super().ensure_device(spec)
            except AdapterError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


class RealWorld(NamespaceControlWorld):
    """Namespaces of this host, which is a test's own."""

    opened = 0

    def __init__(self, make: Callable[[], NamespaceControl]) -> None:
        RealWorld.opened += 1
        self.number = RealWorld.opened
        self._make = make
        self.control = make()

    def device(self, number: int) -> DeviceSpec:
        network_id = f"{self.number:04x}{number:04x}-0000-4000-8000-000000000000"
        port_id = f"{self.number:04x}{number:04x}-1111-4000-8000-000000000000"
        return DeviceSpec(
            name=f"ns-{port_id[:11]}",
            namespace=f"qdhcp-{network_id}",
            network_id=network_id,
            port_id=port_id,
            mac_address=f"fa:16:3e:00:01:{number:02x}",
            mtu=1400,
            addresses=(f"10.1.{number}.2/24",),
        )

    def beside(self, spec: DeviceSpec) -> DeviceSpec:
        port_id = spec.port_id.replace("-1111-", "-2222-")
        return evolve(
            spec,
            name=f"ns-{port_id[:11]}",
            port_id=port_id,
            mac_address="fa:16:3e:00:02:01",
            addresses=("10.2.0.2/24",),
        )

    def state(self, namespace: str, name: str) -> DeviceState | None:
        if namespace not in self.namespaces():
            return None
        devices = [each for each in ip("-n", namespace, "-details", "address") if each["ifname"] == name]
        if not devices:
            return None
        (device,) = devices
        addresses = {
            f"{each['local']}/{each['prefixlen']}"
            for each in device["addr_info"]
            if not (each["local"].startswith("fe80:") and each["prefixlen"] == 64)
        }
        routes = []
        for family in ("-4", "-6"):
            listed = ip("-n", namespace, family, "route", "show", "dev", name)
            on_link = {each["dst"] for each in listed if "gateway" not in each}
            routes += [
                Route(gateway=each["gateway"], onlink=each["gateway"] in on_link)
                for each in listed
                if each["dst"] == "default"
            ]
        return DeviceState(
            mac_address=device["address"],
            mtu=device["mtu"],
            up="UP" in device["flags"],
            addresses=frozenset(addresses),
            routes=frozenset(routes),
        )

    def namespaces(self) -> Collection[str]:
        listed = ip("netns", "list") if RUN_NETNS.is_dir() else []
        return [each["name"] for each in listed if each["name"].startswith("qdhcp-")]

    def add_address(self, namespace: str, name: str, address: str) -> None:
        run("ip", "-n", namespace, "address", "add", address, "dev", name)

    def remove_address(self, namespace: str, name: str, address: str) -> None:
        run("ip", "-n", namespace, "address", "delete", address, "dev", name)

    def remove_routes(self, namespace: str, name: str) -> None:
        for family in ("-4", "-6"):
            run("ip", "-n", namespace, family, "route", "flush", "default", "dev", name)

    def set_down(self, namespace: str, name: str) -> None:
        run("ip", "-n", namespace, "link", "set", name, "down")

    def delete_namespace(self, namespace: str) -> None:
        run("ip", "netns", "delete", namespace)

    def create_namespace(self, namespace: str) -> None:
        run("ip", "netns", "add", namespace)

    def reopen(self) -> NamespaceControl:
        return self._make()

    def dangle(self, namespace: str) -> None:
        RUN_NETNS.mkdir(exist_ok=True)
        os.close(os.open(RUN_NETNS / namespace, os.O_CREAT, 0))

    def set_foreign(self, namespace: str, name: str) -> None:
        run("ip", "-n", namespace, "link", "set", name, "alias", "tag=4095")

    def foreign(self, namespace: str, name: str) -> object:
        (device,) = ip("-n", namespace, "link", "show", name)
        return device.get("ifalias")

    def conflict(self, spec: DeviceSpec, address: str) -> None:
        other = evolve(self.device(2), network_id=spec.network_id, addresses=(f"{address}/128",))
        self.control.ensure_device(other)
        deadline = time.monotonic() + 10
        while "tentative" in run("ip", "-n", other.namespace, "address"):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def setting(self, namespace: str, name: str) -> str | None:
        path = "/proc/sys/" + name.replace(".", "/")
        return run("nsenter", f"--net={RUN_NETNS / namespace}", "cat", path).strip()


@contextmanager
def real_world(make: Callable[[], NamespaceControl]) -> Iterator[RealWorld]:
    world = RealWorld(make)
    try:
        yield world
    finally:
        for number in (1, 2):  # also of those that a law deleted past the adapter
            world.control.remove_namespace(world.device(number).namespace)
    # Whatever a law did: the adapter leaves nothing of it.
    left = [each["ifname"] for each in ip("link") if each["ifname"].startswith(("brq", "tap", "ns-"))]
    assert not left, left
    assert not RUN_NETNS.is_dir() or not any(RUN_NETNS.iterdir())


def open_files() -> Iterator[str]:
    """What this process has open of the kernel's: sockets, namespaces, event loops' own."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith(("socket:", "net:", "anon_inode:", str(RUN_NETNS))):
                yield target


def hold_bridge_driver() -> None:
    hold_the_suite(NetnsControl)


def hold_documented_driver() -> None:
    """The third party's driver of the documentation."""
    module: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), module)
    run("ip", "link", "add", "wire0", "mtu", "1500", "type", "veth", "peer", "name", "wire1")
    for name in ("wire0", "wire1"):
        run("ip", "link", "set", name, "up")
    hold_the_suite(lambda: Patient(module["MacvlanDriver"](parent="wire0")))


def hold_the_suite(make: Callable[[], NamespaceControl]) -> None:
    """Prints the outcome of each law."""
    report = run_suite(NamespaceControlConformance, lambda: real_world(make))
    outcome = {**dict.fromkeys(report.kept, ""), **dict.fromkeys(report.skipped, "skipped")}
    outcome |= {failure.test: str(failure) for failure in report.broken}
    outcome["open files"] = " ".join(sorted(set(open_files())))
    print(json.dumps(outcome))


@cache
def outcomes(kind: str, hold: Callable[[], None] = hold_bridge_driver) -> dict[str, str]:
    told: dict[str, str] = json.loads(run_in_own_host(kind, hold))
    return told


@pytest.mark.parametrize("law", laws(NamespaceControlConformance))
@pytest.mark.parametrize("kind", KINDS)
def test_keeps(kind: str, law: str) -> None:
    assert outcomes(kind)[law] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_closes_every_socket(kind: str) -> None:
    assert outcomes(kind)["open files"] == ""


def test_the_documented_driver_keeps_them_too() -> None:
    assert {law: outcome for law, outcome in outcomes("user", hold_documented_driver).items() if outcome} == {}
