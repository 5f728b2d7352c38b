"""The interface driver `openvswitch` beside Neutron's own, run for real on a host of its own, on one Open vSwitch."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from attrs import evolve

from dhcpcore import DeviceSpec
from dhcpcore_adapters.netns import NetnsControl, OpenvswitchDriver
from dhcpcore_adapters.netns.namespaces import Namespaces
from support import devices, openvswitch
from support.devices import PATH, TAP, changes, link, links, observed
from support.namespace import found
from support.openvswitch import OpenVSwitch
from support.own_host import run_in_own_host
from support.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = Path(os.environ.get("DHCPCORE_STOCK_PYTHON") or ROOT / ".venv-stock/bin/python")
PROGRAM: Final = ROOT / "tests/parity/stock_interface.py"

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(openvswitch.missing() is not None, reason=str(openvswitch.missing())),
    pytest.mark.skipif(not PYTHON.exists(), reason="there is no stock agent here: make one with .ci/stock"),
]

WAYS: Final = ((False, evolve(devices.SPEC, name=TAP)), (True, devices.SPEC))
#: Columns that no two ports have alike, or that tell what ovs-vswitchd measures.
ITS_OWN: Final = ("_uuid", "interfaces", "ofport", "ifindex", "statistics", "status", "link_resets", "mac_in_use")


class Stock:
    """Neutron's driver."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, do: str, spec: DeviceSpec, *, use_veth: bool) -> None:
        told = {"do": do, "use_veth": use_veth, "network_id": spec.network_id, "port_id": spec.port_id}
        told |= {"device": spec.name, "namespace": spec.namespace, "mac_address": spec.mac_address, "mtu": spec.mtu}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer == "null\n", answer or "it has ended"


@contextmanager
def stock() -> Iterator[Stock]:
    # Its libraries warn of each other; that is not what is tested.
    argv = [str(PYTHON), "-W", "ignore", str(PROGRAM)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Stock(process)
        finally:
            process.kill()


def rows(switch: OpenVSwitch) -> dict[str, Any]:
    """The port in all its columns, but its own."""
    told: dict[str, Any] = {}
    for table in ("Port", "Interface"):
        row = switch.row(table, TAP)
        assert row is not None
        told |= {f"{table}.{column}": value for column, value in row.items() if column not in ITS_OWN}
    return told


def compare() -> None:
    with OpenVSwitch() as switch, stock() as neutrons:
        for use_veth, spec in WAYS:
            ours = NetnsControl(OpenvswitchDriver(use_veth=use_veth))
            Namespaces().ensure(spec.namespace)
            neutrons("plug", spec, use_veth=use_veth)
            theirs, wired = rows(switch), switch.wired(TAP)
            inner = link(spec.name, "-n", spec.namespace)
            assert observed(ours, spec).unplugged == ""
            ours.ensure_device(spec)
            assert (rows(switch), switch.wired(TAP)) == (theirs, wired)
            assert link(spec.name, "-n", spec.namespace)["ifindex"] == inner["ifindex"]
            ours.remove_namespace(spec.namespace)
            assert (links(), switch.ports(), os.listdir("/run/netns")) == (set(), [], [])

            ours.ensure_device(spec)
            assert eventually(lambda: not observed(ours, spec).tentative)  # noqa: B023  it is called at once
            mine, wired = rows(switch), switch.wired(TAP)
            assert {name for name in mine if mine[name] != theirs[name]} == {"Port.external_ids"}
            with changes() as outside, changes(PATH) as inside:
                neutrons("plug", spec, use_veth=use_veth)
            assert (outside, inside, rows(switch), switch.wired(TAP)) == ([], [], mine, wired)
            neutrons("unplug", spec, use_veth=use_veth)
            assert (links(), switch.ports()) == (set(), [])
            ours.remove_namespace(spec.namespace)


def test_a_port_is_the_same_whoever_plugs_it() -> None:
    """Law: ours has each column as Neutron's, but for our mark; each leaves the other's alone, and can remove it."""
    run_in_own_host("user", compare, 180)
