"""What the conformance suite does not ask of the real namespaces and devices: each test on a host of its own."""

from __future__ import annotations

import array
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import threading
from typing import Final

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError, SettingsError
from dhcpcore.model.spec import Route
from dhcpcore_adapters.netns import BridgeDriver, NetnsControl, NullDriver, load_driver, within
from dhcpcore_adapters.netns.locks import Locks
from dhcpcore_adapters.netns.netlink import Netlink
from support.devices import BRIDGE, PATH, SPEC, TAP, changes, link, links, observed, read, run
from support.namespace import found
from support.own_host import in_own_host
from support.waiting import eventually

pytestmark = pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2")

PAYLOAD: Final = b"a reply of odd length"


@in_own_host
def test_a_second_call_changes_nothing() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    assert eventually(lambda: not observed(control).tentative)
    with changes() as outside, changes(PATH) as inside:
        control.ensure_device(SPEC)
        NetnsControl().ensure_device(evolve(SPEC, mac_address=SPEC.mac_address.upper()))
    assert (outside, inside) == ([], [])
    with changes() as outside, changes(PATH) as inside:
        control.ensure_device(evolve(SPEC, mtu=1300))
    assert outside
    assert inside


@in_own_host
def test_names_places_and_sizes() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    tap, bridge, inner = link(TAP), link(BRIDGE), link(SPEC.name, "-n", SPEC.namespace)
    assert (tap["master"], tap["mtu"], inner["mtu"]) == (BRIDGE, 1400, 1400)
    assert bridge["linkinfo"]["info_kind"] == "bridge"
    assert all("UP" in each["flags"] for each in (tap, bridge, inner))
    assert (bridge["linkinfo"]["info_data"]["stp_state"], bridge["linkinfo"]["info_data"]["forward_delay"]) == (0, 0)
    assert "UP" in link("lo", "-n", SPEC.namespace)["flags"]
    for name in (TAP, BRIDGE):
        assert "inet6" not in run("ip", "address", "show", name)
    assert within(PATH, lambda: read(f"/proc/sys/net/ipv6/conf/{SPEC.name}/accept_ra")) == "0"
    addresses = json.loads(run("ip", "-n", SPEC.namespace, "-json", "-4", "address", "show", SPEC.name))
    assert addresses[0]["addr_info"][0]["broadcast"] == "10.0.0.255"
    control.ensure_device(evolve(SPEC, mtu=1300))
    assert (link(TAP)["mtu"], link(SPEC.name, "-n", SPEC.namespace)["mtu"]) == (1300, 1300)
    assert observed(control).routes == SPEC.routes


@in_own_host
def test_leaves_nothing() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    control.remove_device(SPEC.namespace, SPEC.name)
    assert links() == set()
    control.ensure_device(SPEC)
    control.remove_namespace(SPEC.namespace)
    assert (links(), os.listdir("/run/netns")) == (set(), [])


@in_own_host
def test_a_name_that_leads_nowhere_is_no_obstacle() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    control.remove_namespace(SPEC.namespace)
    os.close(os.open(PATH, os.O_CREAT, 0))
    control.remove_device(SPEC.namespace, SPEC.name)
    assert control.observe_devices() == []
    control.remove_namespace(SPEC.namespace)
    assert os.listdir("/run/netns") == []


@in_own_host
def test_a_bridge_in_use_or_of_somebody_else_stays() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    run("ip", "link", "add", "vm1", "type", "veth", "peer", "name", "vm2")
    run("ip", "link", "set", "vm1", "master", BRIDGE)
    control.remove_namespace(SPEC.namespace)
    assert links() == {BRIDGE, "vm1", "vm2"}
    run("ip", "link", "delete", "vm1")
    run("ip", "link", "delete", BRIDGE)
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    control.ensure_device(SPEC)
    control.remove_namespace(SPEC.namespace)
    assert links() == {BRIDGE}


def completed(packet: bytes) -> bool:
    """Whether the UDP checksum of an IPv4 packet is right (RFC 768)."""
    length = (packet[0] & 15) * 4
    segment = packet[length : struct.unpack_from("!H", packet, 2)[0]]
    data = packet[12:20] + struct.pack("!HH", socket.IPPROTO_UDP, len(segment)) + segment + b"\0" * (len(segment) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def sent_udp() -> bytes:
    """A UDP packet from inside the namespace, as it leaves the other end of the pair."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.bind(("10.0.0.2", 67))
            sender.sendto(PAYLOAD, ("255.255.255.255", 68))

    every_protocol = 3  # the bridge takes packets away before those who ask for one protocol see them
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(every_protocol)) as receiver:
        receiver.bind((TAP, every_protocol))
        receiver.settimeout(5)
        within(PATH, send)
        while True:
            frame = receiver.recv(2048)
            if frame[12:14] == b"\x08\x00" and frame[-len(PAYLOAD) :] == PAYLOAD:
                return frame[14:]


def switch_offload_on() -> None:
    value = array.array("I", [0x17, 1])  # ETHTOOL_STXCSUM
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8946, struct.pack("16sP16x", SPEC.name.encode(), value.buffer_info()[0]))


@in_own_host
def test_udp_checksums_are_complete_on_the_wire() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    assert completed(sent_udp())
    within(PATH, switch_offload_on)
    assert not completed(sent_udp())  # so the check above can fail
    control.ensure_device(SPEC)
    assert completed(sent_udp())


@in_own_host
def test_a_namespace_deleted_by_hand_with_a_process_in_it() -> None:
    control = NetnsControl()
    control.ensure_device(SPEC)
    with subprocess.Popen(["nsenter", f"--net={PATH}", "sleep", "30"]) as holder:
        try:
            assert eventually(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
            run("ip", "netns", "delete", SPEC.namespace)
            assert TAP in links()
            control.ensure_device(SPEC)
            assert set(SPEC.addresses) <= set(observed(control).addresses)
            run("ip", "netns", "delete", SPEC.namespace)
            run("ip", "netns", "add", SPEC.namespace)
            control.remove_device(SPEC.namespace, SPEC.name)
            assert links() == set()
        finally:
            holder.kill()


@in_own_host
def test_two_devices_of_a_namespace_have_a_default_route_each() -> None:
    control = NetnsControl()
    second = evolve(
        SPEC,
        name="ns-22222222-22",
        port_id="22222222-2222-4000-8000-000000000000",
        mac_address="fa:16:3e:22:22:22",
        addresses=("10.9.0.2/24", "fd09::2/64"),
        routes=(Route(gateway="10.9.0.1"), Route(gateway="fd09::1")),
    )
    for spec in (SPEC, second):
        control.ensure_device(spec)
    assert eventually(lambda: not observed(control).tentative and not observed(control, second).tentative)
    with changes(PATH) as inside:
        for spec in (SPEC, second):
            control.ensure_device(spec)
    assert inside == []
    for spec in (SPEC, second):
        assert observed(control, spec).routes == spec.routes
        control.ensure_device(evolve(spec, routes=()))
        assert observed(control, spec).routes == ()


@in_own_host
def test_refusals_say_what_to_do() -> None:
    control = NetnsControl()
    refused = {
        "ENETUNREACH|EHOSTUNREACH": evolve(SPEC, routes=(Route(gateway="10.99.0.1"),)),
        "EADDRNOTAVAIL": evolve(SPEC, mac_address="01:00:5e:00:00:01"),
        "EINVAL|ERANGE": evolve(SPEC, mtu=20),
        "does not appear to be": evolve(SPEC, addresses=("10.0.0.256/24",)),
    }
    for text, spec in refused.items():
        with pytest.raises(AdapterError, match=text) as caught:
            control.ensure_device(spec)
        assert not caught.value.retryable
        control.ensure_device(SPEC)
    for name in ("", "../x", "a/b"):
        with pytest.raises(AdapterError, match="no name of a namespace"):
            control.remove_namespace(name)
    run("ip", "-n", SPEC.namespace, "link", "add", "vm1", "type", "bridge")
    with pytest.raises(AdapterError, match="no veth") as caught:
        control.ensure_device(evolve(SPEC, name="vm1"))
    assert not caught.value.retryable


@in_own_host
def test_refusals_carry_the_words_of_the_kernel() -> None:
    with pytest.raises(AdapterError, match=r"ENETUNREACH: .*\(Nexthop has invalid gateway\)"):
        NetnsControl().ensure_device(evolve(SPEC, routes=(Route(gateway="10.99.0.1"),)))


@in_own_host
def test_a_bridge_with_more_devices_than_one_answer_holds() -> None:
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "link", "set", BRIDGE, "alias", "dhcpcore")
    for number in range(50):
        run("ip", "link", "add", f"vm{number}", "master", BRIDGE, "type", "veth", "peer", f"vm-far-{number}")
    there = {f"vm{number}" for number in range(50)}
    with Netlink() as here:
        bridge = here.link(BRIDGE)
        assert bridge is not None
        assert bridge.alias == "dhcpcore"
        assert {port.name for port in here.ports(bridge)} == there
    NetnsControl().ensure_device(SPEC)
    NetnsControl().remove_namespace(SPEC.namespace)
    assert {BRIDGE, *there} <= links()


def test_a_lock_is_in_the_way_of_its_own_name_only() -> None:
    locks, entered = Locks(), threading.Event()

    def enter() -> None:
        with locks.held("a"):
            entered.set()

    waiting = threading.Thread(target=enter)
    with locks.held("a"):
        waiting.start()
        with locks.held("b"):
            assert not entered.wait(0.1)
    assert entered.wait(10)
    waiting.join(10)
    assert not locks._locks, "a name that nobody holds is remembered"


@in_own_host
def test_null_driver() -> None:
    control = NetnsControl(NullDriver())
    with pytest.raises(AdapterError, match="null") as caught:
        control.ensure_device(SPEC)
    assert caught.value.retryable
    run("ip", "link", "add", SPEC.name, "mtu", "1450", "type", "veth", "peer", "name", "vm1")
    run("ip", "link", "set", SPEC.name, "netns", SPEC.namespace)
    control.ensure_device(SPEC)
    device = observed(control)
    assert (device.up, device.mtu, device.routes) == (True, 1450, SPEC.routes)
    assert set(SPEC.addresses) <= set(device.addresses)
    control.remove_device(SPEC.namespace, SPEC.name)
    assert observed(control).name == SPEC.name


@in_own_host
def test_many_at_once() -> None:
    """Devices of different networks may be made by different threads, and no thread ends up elsewhere."""
    from concurrent.futures import ThreadPoolExecutor

    control = NetnsControl()
    specs = [
        evolve(
            SPEC,
            namespace=f"qdhcp-{number:08x}-0000",
            network_id=f"{number:08x}-0000",
            port_id=f"{number:08x}-0000",
            name=f"ns-{number:08x}-00",
        )
        for number in range(20)
    ]
    home = os.readlink("/proc/thread-self/ns/net")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(control.ensure_device, specs))
        homes = set(pool.map(lambda _: os.readlink("/proc/thread-self/ns/net"), range(8)))
        assert homes == {home}
        seen = {device.name: set(device.addresses) for device in control.observe_devices()}
        assert all(set(SPEC.addresses) <= seen[spec.name] for spec in specs)
        list(pool.map(lambda spec: control.remove_namespace(spec.namespace), specs))
    assert links() == set()


def test_drivers_by_name_and_by_class_path() -> None:
    assert isinstance(load_driver("bridge"), BridgeDriver)
    assert isinstance(load_driver("null"), NullDriver)
    assert isinstance(load_driver("dhcpcore_adapters.netns.null:NullDriver"), NullDriver)
    assert isinstance(load_driver("dhcpcore_adapters.netns.null.NullDriver"), NullDriver)


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("nosuch", {}, "bridge, null"),
        ("", {}, "bridge, null"),
        ("nosuch.module:Driver", {}, "imported"),
        ("dhcpcore_adapters.netns.null:NoSuch", {}, "imported"),
        ("dhcpcore_adapters.netns.null:__doc__", {}, "a class"),
        ("collections:OrderedDict", {}, "plug"),
        ("bridge", {"colour": "red"}, "colour"),
    ],
)
def test_no_such_driver(name: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        load_driver(name, options)
    assert caught.value.option == "interface_driver"
