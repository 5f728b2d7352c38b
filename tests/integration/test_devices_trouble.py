"""Somebody meddles with what `NetnsControl` rests on, past what a plain audit puts right: each on a host of its own."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError
from dhcpcore.model.spec import Route
from dhcpcore_adapters.netns import NetnsControl, NullDriver, OpenvswitchDriver, namespaces, within
from dhcpcore_adapters.process.namespaces import NamedNamespaces
from support.devices import BRIDGE, NETWORK, PATH, SPEC, TAP, changes, link, links, observed, read, run
from support.namespace import found
from support.own_host import in_own_host

pytestmark = pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2")

#: Whose gateways are both on subnets of the device.
ROUTED: Final = evolve(SPEC, routes=(Route(gateway="10.0.0.1"), Route(gateway="fd00::1")))
SUBNETS: Final = {"-4": "10.0.0.0/24", "-6": "fd00::/64"}
OTHER: Final = evolve(
    SPEC,
    name="ns-22222222-22",
    namespace=f"qdhcp-{NETWORK.replace('0a1b', '9a9b')}",
    network_id=NETWORK.replace("0a1b", "9a9b"),
    port_id="22222222-2222-4000-8000-000000000000",
    mac_address="fa:16:3e:22:22:22",
)
RTM_DELADDR: Final = 21


def inside(*words: str) -> str:
    """What ip(8) prints in the namespace."""
    return run("ip", "-n", SPEC.namespace, *words)


def identity(path: str = PATH) -> int:
    """Of a namespace."""
    return os.stat(path).st_ino


def refused(errand: Callable[[], object], seconds: float = 5) -> AdapterError:
    """What it is refused with, within so many seconds."""
    errors: list[AdapterError] = []

    def run_it() -> None:
        with pytest.raises(AdapterError) as caught:
            errand()
        errors.append(caught.value)

    thread = threading.Thread(target=run_it, daemon=True)
    thread.start()
    thread.join(seconds)
    assert errors, f"not refused within {seconds} s"
    return errors[0]


# -- addresses and routes


@in_own_host
def test_the_way_to_the_subnet_is_removed() -> None:
    control = NetnsControl()
    control.ensure_device(ROUTED)
    for families in (["-4"], ["-6"], ["-4", "-6"]):
        for family in families:
            inside(family, "route", "flush", "dev", SPEC.name)
            assert SUBNETS[family] not in inside(family, "route")
        control.ensure_device(ROUTED)
        assert all(SUBNETS[family] in inside(family, "route") for family in SUBNETS)
        seen = observed(control)
        assert (seen.routes, set(SPEC.addresses) - {*seen.addresses}) == (ROUTED.routes, set())


@in_own_host
def test_the_way_to_several_addresses_of_a_subnet_is_removed() -> None:
    """The second one goes with the first; with the last one go all routes."""
    spec = evolve(
        SPEC,
        addresses=("10.0.0.2/24", "10.0.0.3/24"),
        routes=(Route(gateway="10.9.9.1", onlink=True), Route(gateway="10.0.0.1")),
    )
    control = NetnsControl()
    control.ensure_device(spec)
    whole = observed(control)
    inside("route", "flush", "dev", SPEC.name)
    control.ensure_device(spec)
    seen = observed(control)
    assert (seen.addresses, set(seen.routes)) == (whole.addresses, set(whole.routes))


@in_own_host
def test_a_gateway_on_no_subnet_costs_no_address() -> None:
    control = NetnsControl()
    control.ensure_device(ROUTED)
    with changes(PATH) as told:
        error = refused(lambda: control.ensure_device(evolve(SPEC, routes=(*ROUTED.routes, Route(gateway="10.9.0.1")))))
    assert "look at the subnet's gateway_ip" in str(error)
    assert RTM_DELADDR not in told


@in_own_host
def test_ipv6_is_switched_off() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    for which in (SPEC.name, "all"):
        inside("link", "set", SPEC.name, "up")
        run("nsenter", f"--net={PATH}", "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{which}/disable_ipv6")
        assert "fd00::2/64" not in observed(control).addresses
        control.ensure_device(SPEC)
        seen = observed(control)
        assert set(SPEC.addresses) <= set(seen.addresses)
        assert seen.routes == SPEC.routes
        # It must not begin to listen to the tenants' routers.
        assert within(PATH, lambda: read(f"/proc/sys/net/ipv6/conf/{SPEC.name}/accept_ra")) == "0"
    run("nsenter", f"--net={PATH}", "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{SPEC.name}/disable_ipv6")
    control.ensure_device(evolve(SPEC, addresses=("10.0.0.2/24",), routes=()))
    assert within(PATH, lambda: read(f"/proc/sys/net/ipv6/conf/{SPEC.name}/disable_ipv6")) == "1"  # not asked for


# -- the namespace's name


@in_own_host
def test_somebody_holds_the_lock_of_the_directory() -> None:
    os.makedirs("/run/netns")
    holder = os.open("/run/netns", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(namespaces, "_PATIENCE", 0.3, raising=False)
        specs = (SPEC, OTHER)
        control = NetnsControl()
        for spec in specs:
            error = refused(lambda spec=spec: control.ensure_device(spec))  # type: ignore[misc]
            assert error.retryable
            for said in ("lock of /run/netns", "fuser -v /run/netns", "lslocks"):
                assert said in str(error)
    os.close(holder)
    for spec in specs:
        control.ensure_device(spec)
    assert sorted(os.listdir("/run/netns")) == sorted(spec.namespace for spec in specs)


@in_own_host
def test_something_is_mounted_over_the_name() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    before = identity()
    run("mount", "--bind", "/proc/version", PATH)
    assert control.observe_devices() == []
    control.ensure_device(SPEC)
    assert identity() == before  # what was under it is as good as it was
    assert observed(control).unplugged == ""


@in_own_host
def test_something_is_mounted_where_a_namespace_was() -> None:
    Path("/run/netns").mkdir()
    Path(PATH).touch()
    os.mkfifo("/run/pipe")
    control = NetnsControl()
    for source in ("/proc/version", "/run/pipe"):
        run("mount", "--bind", source, PATH)
        assert control.observe_devices() == []
        control.ensure_device(SPEC)
        assert observed(control).unplugged == ""
        control.remove_namespace(SPEC.namespace)
        assert os.listdir("/run/netns") == []
        Path(PATH).touch()


@in_own_host
def test_the_name_is_a_link_to_another_namespace() -> None:
    control = NetnsControl()
    for spec in (SPEC, OTHER):
        control.ensure_device(spec)
    theirs = identity(f"/run/netns/{OTHER.namespace}")

    def mislead() -> None:
        control.remove_namespace(SPEC.namespace)
        os.symlink(f"/run/netns/{OTHER.namespace}", PATH)
        assert {each.namespace for each in control.observe_devices()} == {OTHER.namespace}

    def assert_unharmed() -> None:
        assert identity(f"/run/netns/{OTHER.namespace}") == theirs
        assert observed(control, OTHER).unplugged == ""

    mislead()
    control.ensure_device(SPEC)
    assert not os.path.islink(PATH)
    assert observed(control).namespace == SPEC.namespace
    assert_unharmed()
    mislead()
    control.remove_device(SPEC.namespace, OTHER.name)
    assert_unharmed()
    control.remove_namespace(SPEC.namespace)
    assert not os.path.lexists(PATH)
    assert_unharmed()


@in_own_host
def test_a_link_is_no_name_of_the_namespace_that_it_leads_to() -> None:
    """A dnsmasq in there would be taken for one that runs where it does not belong."""
    NetnsControl().ensure_device(SPEC)
    os.symlink(PATH, "/run/netns/a-link")
    assert list(NamedNamespaces().names().values()).count([SPEC.namespace]) == 1
    there = NamedNamespaces().identity(SPEC.namespace)
    assert there is not None
    assert NamedNamespaces().names()[there] == [SPEC.namespace]


# -- the device


@in_own_host
def test_the_other_end_is_moved_away() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    run("ip", "netns", "add", "elsewhere")
    run("ip", "link", "set", TAP, "netns", "elsewhere")
    run("ip", "-n", "elsewhere", "link", "set", TAP, "up")
    inside("link", "add", "foreign", "type", "veth", "peer", "name", "vm1", "netns", "elsewhere")
    told = {each.name: each.unplugged for each in control.observe_devices()}
    assert told[SPEC.name] == f"the other end of {SPEC.name} is not in the agent's network namespace"
    assert told["foreign"] == ""
    control.ensure_device(SPEC)
    assert observed(control).unplugged == ""
    assert link(TAP)["master"] == BRIDGE
    assert TAP not in run("ip", "-n", "elsewhere", "link")
    control.remove_namespace(SPEC.namespace)
    assert links() == set()


@in_own_host
def test_devices_of_nobody_in_the_namespace() -> None:
    """Whatever kind they are of they go when they are told to; what cannot be deleted is left alone."""
    run("ip", "link", "add", "br0", "type", "bridge")
    control = NetnsControl()
    control.ensure_device(SPEC)
    inside("link", "add", "br0", "type", "bridge")
    inside("link", "add", "brq-of-nobody", "type", "bridge")
    inside("link", "set", "brq-of-nobody", "alias", "dhcpcore")
    inside("link", "add", "vm1", "type", "veth", "peer", "name", "vm2")
    nobodys = ["br0", "brq-of-nobody", "vm1"]
    if os.path.exists("/dev/net/tun"):
        inside("tuntap", "add", "tap0", "mode", "tap")
        nobodys.append("tap0")
    assert {each.name for each in control.observe_devices()} == {SPEC.name, "vm2", *nobodys}
    for name in nobodys:
        control.remove_device(SPEC.namespace, name)
    control.remove_device(SPEC.namespace, "lo")  # as hardware, it is nothing that can be deleted
    assert [each.name for each in control.observe_devices()] == [SPEC.name]
    assert observed(control).unplugged == ""
    assert "lo: <LOOPBACK,UP" in inside("link", "show", "lo")
    inside("link", "add", "br0", "type", "bridge")
    NetnsControl(NullDriver()).remove_device(SPEC.namespace, "br0")
    assert "br0" in inside("link")  # it says of nothing that it is nobody's
    NetnsControl(OpenvswitchDriver()).remove_device(SPEC.namespace, "br0")
    assert "br0" not in inside("link")
    assert "br0" in run("ip", "link")
