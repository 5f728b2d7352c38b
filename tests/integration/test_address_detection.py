"""Duplicate address detection by the real kernel, as the adapter tells of it and an agent serves by it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError, DeviceSpec, Settings
from dhcpcore.testing import MemoryHost, MemoryNamespaceControl, MemoryServer, SimulatedAgent
from dhcpcore_adapters.netns import NetnsControl, NullDriver
from support.devices import SPEC, changes, observed, run
from support.namespace import found
from support.own_host import in_own_host
from support.waiting import eventually

pytestmark = pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2")


@in_own_host
def test_an_address_that_failed_detection_is_there() -> None:
    """Two agents have the metadata address on one network: the second's fails, and is left at that."""
    control = NetnsControl()
    second = evolve(
        SPEC,
        name="ns-22222222-22",
        namespace="qdhcp-other",
        port_id="22222222-2222-4000-8000-000000000000",
        mac_address="fa:16:3e:22:22:22",
        addresses=("fd00::3/64", "fe80::a9fe:a9fe/128"),
        routes=(),
    )
    control.ensure_device(SPEC)
    assert eventually(lambda: not observed(control).tentative)
    control.ensure_device(second)
    failed = eventually(lambda: observed(control, second).dadfailed)
    assert failed == ("fe80::a9fe:a9fe/128",)
    assert eventually(lambda: not observed(control, second).tentative)
    with changes(f"/run/netns/{second.namespace}") as inside:
        control.ensure_device(second)
    assert inside == []
    assert {"fe80::a9fe:a9fe/128", "fd00::3/64"} <= set(observed(control, second).addresses)


@in_own_host
def test_addresses_settle() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    assert observed(control).tentative
    began = time.monotonic()
    assert control.settled_addresses(SPEC.namespace, SPEC.name) == ()
    assert time.monotonic() - began < 5
    assert not observed(control).tentative


@in_own_host
def test_a_device_that_is_plugged_into_nothing_never_settles() -> None:
    control = NetnsControl(NullDriver())
    with pytest.raises(AdapterError, match="null"):
        control.ensure_device(SPEC)
    run("ip", "link", "add", SPEC.name, "type", "veth", "peer", "name", "vm1")
    run("ip", "link", "set", SPEC.name, "netns", SPEC.namespace)
    control.ensure_device(SPEC)
    with pytest.raises(AdapterError, match="tentative") as caught:
        control.settled_addresses(SPEC.namespace, SPEC.name)
    assert caught.value.retryable
    run("ip", "link", "set", "vm1", "up")
    assert control.settled_addresses(SPEC.namespace, SPEC.name) == ()


class RealDevices:
    """Namespaces of the kernel's for an agent whose processes are not real; those look for theirs in memory."""

    def __init__(self, directory: str, host: MemoryHost) -> None:
        self.control, self.memory = NetnsControl(directory=directory), MemoryNamespaceControl(host)

    def ensure_device(self, spec: DeviceSpec) -> None:
        self.control.ensure_device(spec)
        self.memory.ensure_device(spec)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.control, name)


@in_own_host
def test_of_two_agents_on_a_network_the_second_serves_metadata_without_ipv6() -> None:
    server = MemoryServer()
    network_id = server.create_network()["id"]
    for cidr in ("10.0.0.0/24", "fd00::/64"):
        server.create_subnet(network_id, cidr)
    bound = []
    for number in (1, 2):
        host = MemoryHost(server.clock)
        agent = SimulatedAgent(server, host, Settings(host=f"host-{number}", enable_isolated_metadata=True))
        agent._interpreter.namespaces = RealDevices(f"/run/netns-{number}", host)
        server.desk.bind(network_id, f"host-{number}")
        agent.settle()
        record = agent.state.networks[network_id]
        (served,) = record.served.values()
        assert record.proxy is not None
        assert record.proxy.alive
        assert record.retry is None
        bound.append((served.dadfailed, "fe80::a9fe:a9fe" in (record.proxy.config or "")))
    assert bound == [(False, True), (True, False)]


@in_own_host
def test_tentative_is_observed() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    first = observed(control)
    assert "fd00::2/64" in first.addresses
    assert "fd00::2/64" in first.tentative
