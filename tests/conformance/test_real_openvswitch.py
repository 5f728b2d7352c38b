"""NamespaceControl with the interface driver `openvswitch` keeps every law of its contract, with a real Open vSwitch.

As root and as an ordinary user, with internal ports and with veth pairs.  The foreign attribute of the laws is what it
is meant to be here: the VLAN that an L2 agent gives a port.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import pytest
from attrs import evolve

from conformance.test_real_namespaces import Patient, RealWorld, ip, open_files, run
from dhcpcore.contracts import NamespaceControl
from dhcpcore.model.spec import DeviceSpec
from dhcpcore.testing.conformance import NamespaceControlConformance, run_suite
from dhcpcore.testing.conformance.suite import laws
from dhcpcore_adapters.netns import OpenvswitchDriver
from support import openvswitch
from support.namespace import found
from support.openvswitch import OpenVSwitch
from support.own_host import KINDS, run_in_own_host

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(found("nsenter") is None, reason="there is no 'nsenter' here: apt-get install util-linux"),
    pytest.mark.skipif(openvswitch.missing() is not None, reason=str(openvswitch.missing())),
]

TAG = 5


class Wired(OpenvswitchDriver):
    """With the L2 agent that a host has: what is plugged gets the VLAN of its network.

    At once: duplicate address detection begins when the device comes up, and nobody hears it on the dead VLAN.
    """

    def __init__(self, switch: OpenVSwitch, *, use_veth: bool) -> None:
        super().__init__(use_veth=use_veth)
        self._switch = switch

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        super().plug(spec, namespace)
        port = f"tap{spec.port_id[:11]}"
        row = self._switch.row("Port", port)
        assert row is not None, port
        if row["tag"] == 4095:
            self._switch.wire(port, TAG)


class OvsWorld(RealWorld):
    """The same, on the integration bridge."""

    def __init__(self, make: Callable[[], NamespaceControl], switch: OpenVSwitch, prefix: str) -> None:
        super().__init__(make)
        self._switch, self._prefix = switch, prefix

    def device(self, number: int) -> DeviceSpec:
        return self._named(super().device(number))

    def beside(self, spec: DeviceSpec) -> DeviceSpec:
        return self._named(super().beside(spec))

    def set_foreign(self, namespace: str, name: str) -> None:
        self._switch.wire(f"tap{name[-11:]}", 77)

    def foreign(self, namespace: str, name: str) -> object:
        return self._switch.wired(f"tap{name[-11:]}")

    def _named(self, spec: DeviceSpec) -> DeviceSpec:
        return evolve(spec, name=f"{self._prefix}{spec.port_id[:11]}")


@contextmanager
def world(switch: OpenVSwitch, *, use_veth: bool) -> Iterator[OvsWorld]:
    make = partial(Wired, switch, use_veth=use_veth)
    opened = OvsWorld(lambda: Patient(make()), switch, "ns-" if use_veth else "tap")
    try:
        yield opened
    finally:
        for number in (1, 2):
            opened.control.remove_namespace(opened.device(number).namespace)
    # Whatever a law did: the adapter leaves nothing of it.
    left = [each["ifname"] for each in ip("link") if each["ifname"].startswith(("tap", "ns-"))]
    assert (left, switch.ports(), run("ip", "netns", "list")) == ([], [], "")


def hold(*, use_veth: bool) -> None:
    with OpenVSwitch() as switch:
        began = time.monotonic()
        report = run_suite(NamespaceControlConformance, lambda: world(switch, use_veth=use_veth))
        outcome = {**dict.fromkeys(report.kept, ""), **dict.fromkeys(report.skipped, "skipped")}
        outcome |= {failure.test: str(failure) for failure in report.broken}
        outcome["open files"] = " ".join(sorted(set(open_files())))
        outcome["seconds"] = f"{time.monotonic() - began:.1f}"
    print(json.dumps(outcome))


def hold_internal_ports() -> None:
    hold(use_veth=False)


def hold_veth_pairs() -> None:
    hold(use_veth=True)


@cache
def outcomes(kind: str, held: Callable[[], None]) -> dict[str, str]:
    told: dict[str, str] = json.loads(run_in_own_host(kind, held, 180))
    return told


@pytest.mark.parametrize("law", [*laws(NamespaceControlConformance), "open files"])
@pytest.mark.parametrize("kind, held", [*((kind, hold_internal_ports) for kind in KINDS), (KINDS[0], hold_veth_pairs)])
def test_keeps(kind: str, held: Callable[[], None], law: str) -> None:
    assert outcomes(kind, held)[law] == ""
