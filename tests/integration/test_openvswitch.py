"""The interface driver `openvswitch` with a real Open vSwitch: each test on a host of its own, with an L2 agent's part.

What is looked at is looked at past the adapter: with ovs-vsctl, iproute2, the kernel's news, and on the wire.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import DeviceSpec, Settings, SettingsError
from dhcpcore_adapters.netns import BridgeDriver, NetnsControl, NullDriver, OpenvswitchDriver, load_driver
from support import devices, openvswitch
from support.clients.wire_latency import answered
from support.devices import PATH, TAP, changes, link, links, observed, run
from support.namespace import found
from support.openvswitch import BRIDGE, SOCKET, OpenVSwitch
from support.openvswitch_host import CLIENT, INTERNAL, PAIR, VLAN, both, control, nothing, on_a_host, serving
from support.waiting import eventually

pytestmark = [
    pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2"),
    pytest.mark.skipif(openvswitch.missing() is not None, reason=str(openvswitch.missing())),
]


def everything(switch: OpenVSwitch) -> str:
    """The database, without what ovs-vswitchd measures."""
    columns = {
        "Open_vSwitch": "next_cfg",
        "Bridge": "name,ports",
        "Port": "_uuid,name,interfaces,tag,trunks,vlan_mode,external_ids,other_config",
        "Interface": "_uuid,name,type,external_ids,other_config,ofport",
    }
    return "".join(switch.vsctl("--no-wait", f"--columns={told}", "list", table) for table, told in columns.items())


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
        assert eventually(lambda made=made, spec=spec: not observed(made, spec).tentative)  # type: ignore[misc]
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
        assert eventually(lambda: TAP not in links())
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
        switch.vsctl("set", "Port", TAP, "external_ids:noted-by=somebody")
        run("ip", "netns", "delete", spec.namespace)
        assert control(host="host-2").observe_devices() == []
        (told,) = made.observe_devices()
        assert (told.namespace, told.name) == (spec.namespace, "")
        control(host="host-2").remove_namespace(spec.namespace)
        assert switch.ports() == [TAP, "vm1-ovs"]
        made.remove_namespace(spec.namespace)
        assert (made.observe_devices(), switch.ports()) == ([], ["vm1-ovs"])
        assert eventually(lambda: not links() - {"vm1", "vm1-ovs"})


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
