"""The interface driver `openvswitch` in trouble: Open vSwitch restarted or gone, and calls that were cut off.

With a real Open vSwitch, each test on a host of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns import NetnsControl
from dhcpcore_adapters.netns.ovsdb import Ovsdb
from dhcpcore_adapters.netns.rtnetlink import Rtnetlink
from support import openvswitch
from support.clients.wire_latency import answered
from support.devices import TAP, link, links, observed, run
from support.namespace import found
from support.openvswitch import OpenVSwitch
from support.openvswitch_host import CLIENT, INTERNAL, PAIR, VLAN, both, control, nothing, on_a_host, serving

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(openvswitch.missing() is not None, reason=str(openvswitch.missing())),
]


@on_a_host
def test_open_vswitch_is_restarted(switch: OpenVSwitch) -> None:
    """Law: after a restart of ovs-vswitchd an audit sees what is cut off, and a repair keeps the L2 agent's VLAN."""
    near = switch.station("vm1", VLAN)
    for made, spec in both():
        made.ensure_device(spec)
        switch.wire(TAP, VLAN)
        wired = switch.wired(TAP)
        switch.kill_switch()
        assert observed(made, spec).unplugged == ""  # nobody can mend it now
        switch.start_switch()
        # The tap devices of the datapath in user space die with it, a pair does not.
        assert bool(observed(made, spec).unplugged) == (spec is INTERNAL)
        made.ensure_device(spec)
        assert (observed(made, spec).unplugged, switch.wired(TAP)) == ("", wired)
        with serving(spec):
            answered(near, CLIENT, "10.0.0.9", 10.0)
        made.remove_namespace(spec.namespace)


@on_a_host
def test_after_a_reboot_the_port_keeps_its_vlan(switch: OpenVSwitch) -> None:
    """Law: an internal port that Open vSwitch made anew at its start is moved in, not replaced."""
    made = control()
    made.ensure_device(INTERNAL)
    switch.wire(TAP, VLAN)
    wired = switch.wired(TAP)
    switch.kill_switch()
    run("ip", "netns", "delete", INTERNAL.namespace)
    switch.start_switch()
    assert TAP in links()
    made.ensure_device(INTERNAL)
    assert (switch.wired(TAP), observed(made, INTERNAL).unplugged, links()) == (wired, "", set())


@on_a_host
def test_the_database_is_not_there(switch: OpenVSwitch) -> None:
    """Law: a call says what to look at, is tried again, and looking at the host goes on without the database."""
    made = control()
    made.ensure_device(INTERNAL)
    switch.kill_database()
    calls: tuple[Callable[[], None], ...] = (
        lambda: made.ensure_device(INTERNAL),
        lambda: made.remove_device(INTERNAL.namespace, INTERNAL.name),
        lambda: made.remove_namespace(INTERNAL.namespace),
    )
    for call in calls:
        with pytest.raises(
            AdapterError, match=r"unix:/run/openvswitch/db.sock .*is openvswitch-switch running"
        ) as caught:
            call()
        assert caught.value.retryable
    assert (observed(made, INTERNAL).unplugged, link(TAP, "-n", INTERNAL.namespace)["mtu"]) == ("", 1400)
    switch.start_database()
    made.ensure_device(INTERNAL)
    made.remove_namespace(INTERNAL.namespace)
    assert nothing(switch)


@on_a_host
def test_the_database_hangs(switch: OpenVSwitch) -> None:
    """Law: nobody waits for it longer than the option says; those who only look wait once."""
    control().ensure_device(INTERNAL)
    made = control(ovsdb_timeout=0.3)
    switch.pause_database(paused=True)
    began = time.monotonic()
    with pytest.raises(AdapterError, match="does not answer; look at ovsdb-server"):
        made.ensure_device(INTERNAL)
    assert time.monotonic() - began < 3
    began = time.monotonic()
    for _ in range(20):
        assert observed(made, INTERNAL).unplugged == ""
    assert time.monotonic() - began < 3
    switch.pause_database(paused=False)
    control().ensure_device(INTERNAL)


@on_a_host
def test_ovs_vswitchd_does_not_run(switch: OpenVSwitch) -> None:
    """Law: a call that waits for it in vain says so; what was begun is ended when it runs again."""
    made = control(ovsdb_timeout=2.0)
    switch.kill_switch()
    for _ in range(2):
        with pytest.raises(AdapterError, match="is it running") as caught:
            made.ensure_device(INTERNAL)
        assert caught.value.retryable
    switch.start_switch()
    made = control()
    made.ensure_device(INTERNAL)
    assert observed(made, INTERNAL).unplugged == ""
    switch.wire(TAP, VLAN)
    wired = switch.wired(TAP)
    run("ip", "-n", INTERNAL.namespace, "link", "delete", TAP)
    switch.kill_switch()
    with pytest.raises(AdapterError, match="is it running"):
        control(ovsdb_timeout=2.0).ensure_device(INTERNAL)
    assert switch.row("Port", TAP) is not None
    switch.start_switch()
    made.ensure_device(INTERNAL)
    assert switch.wired(TAP) == wired
    switch.kill_switch()
    impatient = control(ovsdb_timeout=2.0)
    with pytest.raises(AdapterError, match="is it running"):
        impatient.remove_namespace(INTERNAL.namespace)
    impatient.remove_namespace(INTERNAL.namespace)
    assert nothing(switch)
    switch.start_switch()
    assert nothing(switch)


@on_a_host
def test_there_is_no_such_bridge(switch: OpenVSwitch) -> None:
    """Law: it is said who makes it, and which option names it; nothing is left in the database."""
    for veth in (False, True):
        with pytest.raises(AdapterError, match=r"no bridge br-none.*L2 agent.*ovs_integration_bridge") as caught:
            control(use_veth=veth, integration_bridge="br-none").ensure_device(PAIR if veth else INTERNAL)
        assert (caught.value.retryable, switch.ports(), links()) == (True, [], set())


@on_a_host
def test_what_is_in_the_way_is_told(switch: OpenVSwitch) -> None:
    """Law: a device that is nobody's to delete is named, and stays."""
    run("ip", "link", "add", TAP, "type", "bridge")
    for made, spec in both():
        with pytest.raises(AdapterError, match=rf"{TAP} that is in the way .*bridge.*remove it"):
            made.ensure_device(spec)
    assert link(TAP)["linkinfo"]["info_kind"] == "bridge"
    assert switch.ports() == []


# -- killed in between


class Killed(BaseException):
    """Stands for kill -9: no further change is made after it."""


def killed_after(changes: int, errand: Callable[[], object]) -> bool:
    """Whether an errand was ended after so many of its changes; False: it makes no more than that."""
    made = 0

    def counted(unharmed: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **more: Any) -> Any:
            nonlocal made
            if made == changes:
                raise Killed
            result = unharmed(*arguments, **more)
            made += 1
            return result

        return change

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rtnetlink, "change", counted(Rtnetlink.change))
        patch.setattr(Ovsdb, "transact", counted(Ovsdb.transact))
        try:
            errand()
        except Killed:
            return True
    return False


@on_a_host
def test_half_a_port_is_completed_and_removed(switch: OpenVSwitch) -> None:
    """Law: wherever making or removing was cut off, the next call completes it, and a removal leaves nothing."""
    for made, spec in both():

        def make(made: NetnsControl = made, spec: DeviceSpec = spec) -> None:
            made.ensure_device(spec)

        def remove(made: NetnsControl = made, spec: DeviceSpec = spec) -> None:
            made.remove_namespace(spec.namespace)

        for errand, before, after in ((make, remove, make), (make, remove, remove), (remove, make, remove)):
            for number in count():
                before()
                cut = killed_after(number, errand)
                after()
                if after is make:
                    assert (observed(made, spec).unplugged, switch.ports()) == ("", [TAP]), number
                else:
                    assert nothing(switch), (errand.__name__, number, links(), switch.ports())
                if not cut:
                    assert number >= 3
                    break
            remove()
