"""The in-memory host is like a host where an agent can tell the difference; faults strike where they are told to."""

from __future__ import annotations

import pytest
from attrs import evolve

from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec
from dhcpcore.render.readback import parse_leases
from dhcpcore.testing import (
    Faults,
    MemoryFileStore,
    MemoryHost,
    MemoryNamespaceControl,
    SimulatedCrash,
    leaks,
)
from dhcpcore.testing.conformance import MemoryProcessControlWorld
from dhcpcore.testing.conformance.process_control import MAC, OTHER_MAC
from dhcpcore.testing.host import Device, KernelError
from dhcpcore.testing.host.dnsmasq import reservations

KEY = InstanceKey(network_id="net-1")


def running(version: tuple[int, int] = (2, 91)) -> tuple[MemoryProcessControlWorld, InstanceSpec]:
    world = MemoryProcessControlWorld()
    world.machine.dnsmasq_version = version
    spec = world.instance(1)
    world.processes.start_dnsmasq(spec)
    return world, spec


def test_files_on_disk_are_not_what_is_loaded() -> None:
    world, spec = running()
    MemoryFileStore(world.machine).write(f"{spec.directory}/host", f"{MAC},10.77.1.9\n")
    assert world.machine.answer(spec.key, MAC) == ("10.77.1.5",)
    world.processes.reload_dnsmasq(spec.key)
    assert world.machine.answer(spec.key, MAC) == ("10.77.1.9",)
    assert world.machine.count("signal", "net-1") == 1
    assert world.machine.count("start", "net-1") == 1


def test_a_missing_hosts_file_serves_nobody_after_a_reload() -> None:
    world, spec = running()
    world.machine.disk.wipe(f"{spec.directory}/host")
    world.processes.reload_dnsmasq(spec.key)
    assert world.machine.answer(spec.key, MAC) == ()


def test_a_replaced_leases_file_is_never_read_again() -> None:
    """dnsmasq keeps the inode it opened: what replaces the file lies beside its truth."""
    world, spec = running()
    world.take_lease(spec, MAC)
    MemoryFileStore(world.machine).write(f"{spec.directory}/leases", "")
    assert list(world.machine.leases(spec.key)) == ["10.77.1.5"]
    world.take_lease(spec, MAC)
    assert world.leases(spec.key) == []
    world.kill(next(iter(world.pids(spec.key))))
    world.processes.start_dnsmasq(spec)
    assert world.machine.leases(spec.key) == {}


def test_sighup_after_serving_kills_old_versions() -> None:
    """dnsmasq before 2.91, a served client, and `set:` on its line."""
    for version, line, dies in (
        ((2, 90), f"{MAC},10.77.1.5,set:port-1\n", True),
        ((2, 90), f"{MAC},10.77.1.5\n", False),
        ((2, 91), f"{MAC},10.77.1.5,set:port-1\n", False),
    ):
        world, spec = running(version)
        world.machine.disk.poke(f"{spec.directory}/host", line.encode())
        world.processes.reload_dnsmasq(spec.key)
        world.machine.answer(spec.key, MAC)
        if dies:
            with pytest.raises(AdapterError, match="died at SIGHUP"):
                world.processes.reload_dnsmasq(spec.key)
        else:
            world.processes.reload_dnsmasq(spec.key)
        assert bool(world.pids(spec.key)) is not dies


def test_a_bad_leases_file_keeps_dnsmasq_from_starting() -> None:
    for text, reason in (
        (b"1767312000 zz:zz 10.77.1.5 * *\n", "signal 6"),
        (b"".join(b"0 fa:16:3e:00:00:%02x 10.77.1.%d * *\n" % (n, n) for n in range(1, 20)), "too many stored leases"),
    ):
        world = MemoryProcessControlWorld()
        spec = world.instance(1)
        spec = evolve(spec, argv=(*spec.argv, "--dhcp-lease-max=10"))
        world.machine.disk.poke(f"{spec.directory}/leases", text)
        rangeless = tuple(argument for argument in spec.argv if not argument.startswith("--dhcp-range="))
        world.processes.start_dnsmasq(evolve(spec, argv=rangeless))  # nobody looks at leases
        world.processes.stop_dnsmasq(spec.key)
        world.machine.disk.poke(f"{spec.directory}/leases", text)
        with pytest.raises(AdapterError, match=reason):
            world.processes.start_dnsmasq(spec)
        assert not world.pids(spec.key)


def test_the_oracle_reads_hosts_files_as_dnsmasq_does() -> None:
    text = (
        "fa:16:3e:00:00:01,host-1,10.0.0.1,set:port-1\n"
        "FA:16:3E:00:00:02,tag:dhcpv6,host-2,[fd00::2],[fd00::3]\n"
        "fa:16:3e:00:00:03,set:port-3\n"
        "fa:16:3e:00:00:04,10.0.0.1\n"
        "fa:16:3e:00:00:05,10.0.0.5\n"
        "fa:16:3e:00:00:05,[fd00::5]\n"
        "fa:16:3e:00:00:06,10.0.0.6\n"
        "fa:16:3e:00:00:06,10.0.0.7\n"
        "garbage\n"
    )
    assert reservations(text) == {
        "fa:16:3e:00:00:01": ("10.0.0.1",),
        "fa:16:3e:00:00:02": ("fd00::2", "fd00::3"),
        "fa:16:3e:00:00:05": ("10.0.0.5", "fd00::5"),
        "fa:16:3e:00:00:06": ("10.0.0.7",),
    }


def test_devices_come_back_as_the_kernel_writes_them() -> None:
    host = MemoryHost()
    control = MemoryNamespaceControl(host)
    spec = DeviceSpec(
        name="tap1",
        namespace="qdhcp-n",
        network_id="n",
        port_id="p",
        mac_address="FA:16:3E:00:00:01",
        addresses=("FD00:0:0::5/64", "10.0.0.2/24"),
    )
    control.ensure_device(spec)
    (seen,) = control.observe_devices()
    assert seen.mac_address == "fa:16:3e:00:00:01"
    assert seen.addresses == ("fd00::5/64", "10.0.0.2/24", "fe80::f816:3eff:fe00:1/64")
    changes = host.count("device")
    control.ensure_device(spec)
    assert host.count("device") == changes


def test_another_hosts_metadata_address_fails_its_detection() -> None:
    host = MemoryHost()
    host.dad_conflicts.add("fe80::a9fe:a9fe")
    spec = DeviceSpec(
        name="tap1",
        namespace="qdhcp-n",
        network_id="n",
        port_id="p",
        mac_address="fa:16:3e:00:00:01",
        addresses=("fe80::a9fe:a9fe/128",),
    )
    control = MemoryNamespaceControl(host)
    control.ensure_device(spec)
    (seen,) = control.observe_devices()
    assert seen.dadfailed == ("fe80::a9fe:a9fe/128",)
    assert "fe80::a9fe:a9fe/128" in seen.addresses


def test_a_full_disk_a_missing_program_and_a_full_process_table() -> None:
    world, spec = running()
    world.machine.disk.fault = "ENOSPC"
    with pytest.raises(AdapterError, match="ENOSPC"):
        MemoryFileStore(world.machine).write("/var/lib/neutron/dhcp/x/host", "")
    world.machine.disk.fault = None
    other = world.instance(2)
    world.machine.spawn_fault = "ENOMEM"
    with pytest.raises(AdapterError, match="ENOMEM"):
        world.processes.start_dnsmasq(other)
    world.machine.spawn_fault = None
    world.machine.dnsmasq_version = None
    with pytest.raises(AdapterError, match="not installed"):
        world.processes.start_dnsmasq(other)
    assert world.pids(spec.key)


def test_a_reused_pid_is_another_process() -> None:
    world, spec = running()
    (before,) = world.processes.observe_processes()
    world.kill(before.pid)
    world.machine.reuse_pid(before.pid)
    world.processes.start_dnsmasq(spec)
    (after,) = world.processes.observe_processes()
    assert (after.pid, after.started != before.started) == (before.pid, True)


def test_a_reboot_leaves_the_files() -> None:
    world, spec = running()
    world.machine.reboot()
    assert world.processes.observe_processes() == []
    assert MemoryNamespaceControl(world.machine).observe_devices() == []
    assert world.machine.disk.peek(f"{spec.directory}/host")


def test_leaks_are_told_one_by_one() -> None:
    world, spec = running()
    machine = world.machine
    assert leaks(machine, [spec]) == ()
    machine.plug(spec.device.namespace, Device(name="tap-old", mac_address="fa:16:3e:00:00:99"))
    machine.create_namespace("qdhcp-gone")
    machine.disk.poke(f"{machine.dhcp_confs}/gone/host", b"")
    other = world.instance(2)
    world.start_foreign(other)
    world.start_foreign(spec)
    found = leaks(machine, [spec])
    for part in ("tap-old", "qdhcp-gone serves nothing", "gone/host", "dnsmasq of net-2", "runs 2 times"):
        assert any(part in each for each in found), part
    assert leaks(machine, [spec, other])  # the second process and the strays are still there


def test_lost_releases_are_sent_again_three_times() -> None:
    world, spec = running()
    lease = world.take_lease(spec, MAC)
    world.machine.lost_releases = 3
    with pytest.raises(AdapterError, match="could not be released"):
        world.processes.release_leases(spec, [lease])
    world.processes.release_leases(spec, [lease])
    assert world.machine.leases(spec.key) == {}


def test_ipv6_leases_are_released_by_iaid_and_duid() -> None:
    world, spec = running()
    lease = Lease(expiry=0, ip_address="fd00::5", iaid=7, client_id="00:01:02", server_id="00:03")
    world.machine.lease(spec.key, lease)
    for wrong in (evolve(lease, iaid=8), evolve(lease, client_id="00:01:03")):
        world.processes.release_leases(spec, [wrong])
        assert list(world.machine.leases(spec.key)) == ["fd00::5"]
    world.processes.release_leases(spec, [lease])
    assert world.machine.leases(spec.key) == {}


def test_an_address_is_given_to_nobody_else_while_it_is_leased() -> None:
    """As the real one does: reserved for another now, it stays his who has the lease, until that is released."""
    world, spec = running()
    key, machine = spec.key, world.machine
    machine.disk.poke(f"{spec.directory}/host", f"{MAC},10.77.1.5,[fd00::5]\n".encode())
    world.processes.reload_dnsmasq(key)
    four = Lease(expiry=0, ip_address="10.77.1.5", mac_address=f"06-{MAC.upper()}", client_id="01:02")
    six = Lease(expiry=0, ip_address="fd00::5", iaid=7, client_id=f"00:03:00:01:{MAC}", server_id="00:03")
    machine.lease(key, four)
    machine.lease(key, six)
    assert machine.answer(key, MAC) == ("10.77.1.5", "fd00::5")
    machine.install_dnsmasq((2, 91))
    world.processes.stop_dnsmasq(key)
    machine.disk.poke(f"{spec.directory}/host", f"{OTHER_MAC},10.77.1.5,[fd00::5]\n".encode())
    world.processes.start_dnsmasq(spec)
    assert machine.answer(key, OTHER_MAC) == ()
    world.processes.release_leases(spec, [six])
    assert machine.answer(key, OTHER_MAC) == ("fd00::5",)


def test_a_server_that_leases_ipv6_addresses_has_a_duid() -> None:
    """Without it nobody can release them."""
    world, spec = running()
    world.machine.lease(spec.key, Lease(expiry=0, ip_address="fd00::5", iaid=7, client_id="00:01:02"))
    text = (world.machine.disk.peek(f"{spec.directory}/leases") or b"").decode()
    (found,) = parse_leases(text).leases
    assert found.server_id is not None


class TestFaults:
    def test_before_within_and_after(self) -> None:
        """Before: nothing is done. Within: half. After: all, and nobody hears of it."""
        for when, expected in (("before", None), ("within", b"old"), ("after", b"new")):
            host = MemoryHost()
            store = MemoryFileStore(host)
            if expected is not None:
                store.write("/d/file", "old")
            host.faults.arm("files.write", when=when, subject="/d/*")  # type: ignore[arg-type]
            with pytest.raises(AdapterError, match="simulated fault"):
                store.write("/d/file", "new")
            assert host.disk.peek("/d/file") == expected
            store.write("/d/file", "new")
            assert host.disk.peek("/d/file") == b"new"

    def test_a_crash_at_every_point_in_turn(self) -> None:
        """Every numbered point can be the last one, and none is passed twice by one crash."""
        faults = Faults()
        MemoryFileStore(MemoryHost(faults=faults)).write("/d/file", "x")
        assert [str(point) for point in faults.history] == [
            "#1 before files.write(/d/file)",
            "#2 within files.write(/d/file): renaming",
            "#3 after files.write(/d/file)",
        ]
        for point in range(1, faults.points + 1):
            host = MemoryHost()
            host.faults.crash_at(point)
            with pytest.raises(SimulatedCrash):
                MemoryFileStore(host).write("/d/file", "x")
            assert (host.disk.peek("/d/file") is None) == (point < 3)

    def test_a_crash_is_no_exception_that_anybody_catches(self) -> None:
        assert not issubclass(SimulatedCrash, Exception)

    def test_each_raised_error_is_a_new_one(self) -> None:
        """An armed error instance is copied: a raised one keeps its frames alive (Launchpad 1969270)."""
        faults = Faults()
        error = AdapterError("NetworkNotFound: x", retryable=False)
        faults.arm("x", error=error, times=None)
        caught = []
        for _ in range(2):
            with pytest.raises(AdapterError) as info, faults.call("x"):
                raise AssertionError("not reached")
            caught.append(info.value)
        assert caught[0] is not caught[1]
        assert all(str(each) == str(error) and each.retryable is False for each in caught)
        assert error.__traceback__ is None
        faults.disarm()
        with faults.call("x"):
            pass
        assert faults.armed == ()


def test_processes_need_a_namespace() -> None:
    host = MemoryHost()
    with pytest.raises(KernelError, match="no namespace"):
        host.spawn("dnsmasq", ("dnsmasq",), "qdhcp-missing")
