"""The interface driver `openvswitch` with a real Open vSwitch: each test on a host of its own, with an L2 agent's part.

What is looked at is looked at past the adapter: with ovs-vsctl, iproute2, the kernel's news, and on the wire.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError, DeviceSpec, Settings, SettingsError
from dhcpcore_adapters.netns import BridgeDriver, NetnsControl, NullDriver, OpenvswitchDriver, load_driver
from dhcpcore_adapters.netns.ovsdb import Ovsdb
from dhcpcore_adapters.netns.rtnetlink import Rtnetlink
from support import devices, openvswitch
from support.clients.wire_latency import answered
from support.devices import PATH, TAP, changes, eventually, link, links, observed, run
from support.namespace import found
from support.openvswitch import BRIDGE, SOCKET, OpenVSwitch
from support.own_host import run_in_own_host

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(openvswitch.missing() is not None, reason=str(openvswitch.missing())),
]

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


def everything(switch: OpenVSwitch) -> str:
    """The database, without what ovs-vswitchd measures."""
    columns = {
        "Open_vSwitch": "next_cfg",
        "Bridge": "name,ports",
        "Port": "_uuid,name,interfaces,tag,trunks,vlan_mode,external_ids,other_config",
        "Interface": "_uuid,name,type,external_ids,other_config,ofport",
    }
    return "".join(switch.vsctl("--no-wait", f"--columns={told}", "list", table) for table, told in columns.items())


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


# -- what it makes


@on_a_host
def test_a_port_is_what_the_stock_agent_makes(switch: OpenVSwitch) -> None:
    """Law: name, type, external_ids and the dead VLAN are as Neutron 29's OVSInterfaceDriver has them."""
    for made, spec in both():
        made.ensure_device(spec)
        assert switch.ports() == [TAP]
        ids = {"iface-id": spec.port_id, "iface-status": "active", "attached-mac": spec.mac_address}
        assert switch.external_ids(TAP) == ids
        port, interface = switch.row("Port", TAP), switch.row("Interface", TAP)
        assert port is not None
        assert interface is not None
        assert (port["tag"], port["vlan_mode"], port["trunks"]) == (4095, "trunk", 4095)
        assert interface["type"] == ("" if spec is PAIR else "internal")
        inner = link(spec.name, "-n", spec.namespace)
        assert (inner["address"], inner["mtu"], "UP" in inner["flags"]) == (spec.mac_address, 1400, True)
        if spec is PAIR:
            outer = link(TAP)
            assert (outer["mtu"], "UP" in outer["flags"]) == (1400, True)
            assert "inet6" not in run("ip", "address", "show", TAP)
        else:
            assert TAP not in links()
        assert observed(made, spec).unplugged == ""
        made.remove_device(spec.namespace, spec.name)
        assert (links(), switch.ports()) == (set(), [])
        made.ensure_device(spec)
        made.remove_namespace(spec.namespace)
        assert nothing(switch)


@on_a_host
def test_a_second_call_changes_nothing(switch: OpenVSwitch) -> None:
    """Law: what is as told is left alone, by a restarted agent too: in the kernel, and in the database."""
    for made, spec in both():
        made.ensure_device(spec)
        switch.wire(TAP, VLAN)
        eventually(lambda made=made, spec=spec: not observed(made, spec).tentative)  # type: ignore[misc]
        before = everything(switch)
        with changes() as outside, changes(PATH) as inside:
            made.ensure_device(spec)
            again = control(use_veth=spec is PAIR)
            again.ensure_device(evolve(spec, mac_address=spec.mac_address.upper()))
            assert observed(again, spec).unplugged == ""
        assert (outside, inside, everything(switch)) == ([], [], before)
        wired = switch.wired(TAP)
        made.ensure_device(evolve(spec, mtu=1300, mac_address="fa:16:3e:11:11:22"))
        assert switch.wired(TAP) == wired
        assert switch.external_ids(TAP)["attached-mac"] == "fa:16:3e:11:11:22"
        assert link(spec.name, "-n", spec.namespace)["mtu"] == 1300
        if spec is PAIR:
            assert link(TAP)["mtu"] == 1300
        made.remove_namespace(spec.namespace)


@on_a_host
def test_what_the_stock_agent_plugged_is_adopted(switch: OpenVSwitch) -> None:
    """Law: a port that the stock agent made is as good as ours, and is not touched; it can be removed, too."""
    ids = f'external_ids={{iface-id="{INTERNAL.port_id}",iface-status=active,attached-mac="{INTERNAL.mac_address}"}}'
    switch.vsctl("add-port", BRIDGE, TAP, "--", "set", "Interface", TAP, "type=internal", ids)
    run("ip", "netns", "add", INTERNAL.namespace)
    run("ip", "link", "set", TAP, "address", INTERNAL.mac_address)
    run("ip", "link", "set", TAP, "netns", INTERNAL.namespace)
    run("ip", "-n", INTERNAL.namespace, "link", "set", TAP, "mtu", "1400")
    switch.wire(TAP, VLAN)
    before = everything(switch)
    assert observed(control(), INTERNAL).unplugged == ""
    control().ensure_device(INTERNAL)
    assert everything(switch) == before
    control().remove_namespace(INTERNAL.namespace)
    assert nothing(switch)


@pytest.mark.skipif(found("dnsmasq") is None, reason="there is no dnsmasq here: apt-get install dnsmasq-base")
@on_a_host
def test_a_client_reaches_dnsmasq_through_its_vlan_only(switch: OpenVSwitch) -> None:
    """Law: nobody is answered through the dead VLAN; with the network's VLAN those on it are, and no others."""
    near, far = switch.station("vm1", VLAN), switch.station("vm2", VLAN + 1)
    for made, spec in both():
        made.ensure_device(spec)
        with serving(spec):
            answered(near, CLIENT, None, 1.0)
            switch.wire(TAP, VLAN)
            answered(near, CLIENT, "10.0.0.9", 10.0)
            answered(far, CLIENT, None, 0.5)
        made.remove_namespace(spec.namespace)


@on_a_host
def test_two_dead_ports_do_not_reach_each_other(switch: OpenVSwitch) -> None:
    """Law: two networks whose ports wait for the L2 agent are not one network meanwhile (Launchpad 1930414)."""
    other = switch.station("vm1", VLAN)
    switch.vsctl("set", "Port", "vm1-ovs", "tag=4095")
    made = control()
    made.ensure_device(INTERNAL)
    with serving(INTERNAL):
        answered(other, CLIENT, None, 1.0)
        switch.vsctl("clear", "Port", TAP, "vlan_mode", "--", "clear", "Port", TAP, "trunks")
        answered(other, CLIENT, "10.0.0.9", 10.0)  # so the tag alone would not do


@on_a_host
def test_many_at_once(switch: OpenVSwitch) -> None:
    """Law: threads that plug different networks are not in each other's way."""
    from concurrent.futures import ThreadPoolExecutor

    made = control()
    specs = [
        evolve(
            INTERNAL,
            namespace=f"qdhcp-{number:08x}-0000",
            network_id=f"{number:08x}-0000",
            port_id=f"{number:08x}-0000",
            name=f"tap{number:08x}-00",
        )
        for number in range(40)
    ]
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        list(pool.map(made.ensure_device, specs))
        plugged = time.monotonic()
        seen = {device.name: device.unplugged for device in made.observe_devices()}
        looked = time.monotonic()
        assert seen == {spec.name: "" for spec in specs}
        list(pool.map(lambda spec: made.remove_namespace(spec.namespace), specs))
        removed = time.monotonic()
    print(f"40: plugged {plugged - began:.2f} s, observed {looked - plugged:.3f} s, removed {removed - looked:.2f} s")
    assert nothing(switch)


# -- what others leave


@on_a_host
def test_stale_ports_and_devices_are_replaced(switch: OpenVSwitch) -> None:
    """Law: whatever of a port is there, the next call ends in a whole one."""

    def on_another_bridge(spec: DeviceSpec) -> None:
        switch.vsctl("del-port", TAP)
        switch.vsctl("add-port", "br-other", TAP, "--", "set", "Interface", TAP, "type=internal")

    def namespace_deleted(spec: DeviceSpec) -> None:
        run("ip", "netns", "delete", spec.namespace)

    def port_deleted(spec: DeviceSpec) -> None:
        switch.vsctl("del-port", TAP)

    def name_taken(spec: DeviceSpec) -> None:
        switch.vsctl("del-port", TAP)
        run("ip", "netns", "delete", spec.namespace)
        eventually(lambda: TAP not in links())
        run("ip", "link", "add", TAP, "type", "veth", "peer", "name", "vm9")

    def foreign_id(spec: DeviceSpec) -> None:
        switch.vsctl("set", "Interface", TAP, "external_ids:iface-id=somebody-else")

    def device_deleted(spec: DeviceSpec) -> None:
        run("ip", "-n", spec.namespace, "link", "delete", spec.name)

    switch.vsctl("add-br", "br-other", "--", "set", "Bridge", "br-other", "datapath_type=netdev")
    for made, spec in both():
        for damage in (on_another_bridge, namespace_deleted, port_deleted, name_taken, foreign_id, device_deleted):
            made.ensure_device(spec)
            damage(spec)
            told = [each for each in made.observe_devices() if each.name == spec.name]
            assert all(each.unplugged for each in told), (damage.__name__, told)
            made.ensure_device(spec)
            seen = observed(made, spec)
            assert (seen.unplugged, seen.mac_address, seen.mtu) == ("", spec.mac_address, 1400), damage.__name__
            assert switch.ports() == [TAP], damage.__name__
            interface = switch.row("Interface", TAP)
            assert interface is not None
            assert interface["error"] == ["set", []], damage.__name__
            assert switch.external_ids(TAP)["iface-id"] == spec.port_id, damage.__name__
        made.remove_namespace(spec.namespace)
        assert nothing(switch)


@on_a_host
def test_from_one_way_of_plugging_to_the_other(switch: OpenVSwitch) -> None:
    """Law: after `ovs_use_veth` was changed, or from the driver `bridge`, the new device comes and the old one goes."""
    pair, internal, bridge = control(use_veth=True), control(), NetnsControl(BridgeDriver())
    for old, old_spec, new, new_spec in (
        (pair, PAIR, internal, INTERNAL),
        (internal, INTERNAL, pair, PAIR),
        (bridge, PAIR, internal, INTERNAL),
        (bridge, PAIR, pair, PAIR),
    ):
        old.ensure_device(old_spec)
        new.ensure_device(new_spec)
        if old_spec is not new_spec:
            new.remove_device(old_spec.namespace, old_spec.name)
        assert [each.name for each in new.observe_devices()] == [new_spec.name]
        assert (observed(new, new_spec).unplugged, switch.ports()) == ("", [TAP])
        new.remove_namespace(new_spec.namespace)
        assert (switch.ports(), links() - {devices.BRIDGE}) == ([], set())
        old.remove_namespace(old_spec.namespace)
        assert nothing(switch)


@on_a_host
def test_what_a_deleted_namespace_leaves_is_seen_and_goes(switch: OpenVSwitch) -> None:
    """Law: a port whose namespace somebody deleted is told as an empty one; other ports, and other agents', never."""
    switch.station("vm1", VLAN)
    for made, spec in both():
        made.ensure_device(spec)
        run("ip", "netns", "delete", spec.namespace)
        assert control(host="host-2").observe_devices() == []
        (told,) = made.observe_devices()
        assert (told.namespace, told.name) == (spec.namespace, "")
        control(host="host-2").remove_namespace(spec.namespace)
        assert switch.ports() == [TAP, "vm1-ovs"]
        made.remove_namespace(spec.namespace)
        assert (made.observe_devices(), switch.ports()) == ([], ["vm1-ovs"])
        eventually(lambda: not links() - {"vm1", "vm1-ovs"})


@on_a_host
def test_a_virtual_machines_port_is_not_ours_to_remove(switch: OpenVSwitch) -> None:
    """Law: a port of the name of a device that goes stays, where it is another Neutron port's."""
    made = control()
    made.ensure_device(INTERNAL)
    switch.vsctl("set", "Interface", TAP, "external_ids:iface-id=99999999-9999-4000-8000-000000000000")
    made.remove_device(INTERNAL.namespace, INTERNAL.name.replace("tap", "ns-"))
    assert switch.ports() == [TAP]
    switch.vsctl("set", "Interface", TAP, f"external_ids:iface-id={INTERNAL.port_id}")
    made.remove_device(INTERNAL.namespace, INTERNAL.name)
    assert switch.ports() == []


# -- trouble


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
    made = control(ovsdb_timeout=0.3)
    made.ensure_device(INTERNAL)
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
    made.ensure_device(INTERNAL)


@on_a_host
def test_ovs_vswitchd_does_not_run(switch: OpenVSwitch) -> None:
    """Law: a call that waits for it in vain says so; what was begun is ended when it runs again."""
    made = control(ovsdb_timeout=0.5)
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
        control(ovsdb_timeout=0.5).ensure_device(INTERNAL)
    assert switch.row("Port", TAP) is not None
    switch.start_switch()
    made.ensure_device(INTERNAL)
    assert switch.wired(TAP) == wired
    switch.kill_switch()
    impatient = control(ovsdb_timeout=0.5)
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


# -- how it is chosen


def test_it_is_made_of_the_agents_settings() -> None:
    """Law: by name, by class path, and by the class path that the stock agent's settings have."""
    settings = Settings(ovs_integration_bridge="br-x", ovs_use_veth=True, host="h")
    for name in ("openvswitch", "neutron.agent.linux.interface.OVSInterfaceDriver"):
        driver = load_driver(name, {"ovsdb_timeout": 3, "ovsdb_connection": "tcp:127.0.0.1:6640"}, settings)
        assert isinstance(driver, OpenvswitchDriver)
        assert (driver._bridge, driver._use_veth, driver._host, driver._patience) == ("br-x", True, "h", 3.0)
    assert isinstance(load_driver("openvswitch"), OpenvswitchDriver)
    assert isinstance(load_driver("bridge", {}, settings), BridgeDriver)
    assert isinstance(load_driver("neutron.agent.linux.interface.NullDriver"), NullDriver)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"ovsdb_connection": "ssl:127.0.0.1:6640"}, "ovsdb_connection: expected unix:<path> or tcp:"),
        ({"ovsdb_connection": "unix:"}, "ovsdb_connection"),
        ({"ovsdb_connection": "tcp:127.0.0.1"}, "ovsdb_connection"),
        ({"ovsdb_connection": 6640}, "ovsdb_connection"),
        ({"ovsdb_timeout": 0}, "ovsdb_timeout: expected seconds"),
        ({"ovsdb_timeout": "ten"}, "ovsdb_timeout"),
        ({"ovsdb_timeout": True}, "ovsdb_timeout"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_driver("openvswitch", options, Settings())


def test_the_device_has_the_name_that_the_stock_agents_dnsmasq_listens_on() -> None:
    """Law: the core's prefix is that of Neutron's OVSInterfaceDriver (DEV_NAME_PREFIX), with and without veth."""
    for veth, prefix in ((False, "tap"), (True, "ns-")):
        assert Settings(interface_driver="openvswitch", ovs_use_veth=veth).device_prefix == prefix
    assert str(SOCKET) == "/run/openvswitch/db.sock"
