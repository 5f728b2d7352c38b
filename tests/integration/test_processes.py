"""What real processes do that no law of the contract speaks of: ways to die, children, queries, batches, and DHCPv6."""

from __future__ import annotations

import os
import queue
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from dhcpcore import AdapterError, DnsmasqCapabilities, InstanceSpec, ObservedProcess
from dhcpcore_adapters.process import DeathWatcher, LinuxProcessControl, probe_dnsmasq
from support import host as hosts
from support.clients.inside import in_namespace
from support.dnsmasq_oracle import dnsmasq_version
from support.namespace import found
from support.real_control import MAC, control, reserved
from support.real_instances import Host

OTHER_MAC = "fa:16:3e:00:00:06"


def connection(spec: InstanceSpec) -> socket.socket:
    """A TCP connection to the instance's DNS, for which it forks a child."""
    asking = in_namespace(spec.device.namespace, lambda: socket.create_connection(("127.0.0.1", 53), 5))
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3"
    asking.sendall(struct.pack("!H", len(question)) + question)
    assert asking.recv(100)
    return asking


if hosts.inside():

    @pytest.fixture
    def host(tmp_path: Path) -> Iterator[Host]:
        try:
            yield Host(tmp_path)
        finally:
            hosts.clear()

    # -- reload

    @pytest.mark.parametrize("segmentation", [None, "7"], ids=["DNS", "no DNS"])
    def test_every_reload_is_a_barrier(host: Host, segmentation: str | None) -> None:
        """Law: a DISCOVER sent when reload_dnsmasq() has returned meets the new reservations, every time."""
        spec, processes = reserved(host, segmentation), control(host)
        filler = {f"fa:16:3f:00:{n // 250:02x}:{n % 250:02x}": f"10.77.1.{n % 250}" for n in range(1500)}
        processes.start_dnsmasq(spec)
        for turn in range(20):
            address = f"10.77.1.{100 + turn}"
            host.write_hosts(spec, {MAC: address, **{mac: each for mac, each in filler.items() if each != address}})
            processes.reload_dnsmasq(spec.key)
            assert host.answer(spec, MAC) == address

    def test_a_reload_reads_what_may_be_read(host: Host, tmp_path: Path) -> None:
        """Law: dnsmasq, which is root no more, can read its files then; what a link leads to keeps its mode."""
        spec = reserved(host)
        processes = control(host)
        processes.start_dnsmasq(spec)
        private, hosts_file, options = tmp_path / "private", Path(spec.directory, "host"), Path(spec.directory, "opts")
        private.touch(0o600)
        hosts_file.chmod(0o600)
        options.unlink(missing_ok=True)
        options.symlink_to(private)
        processes.reload_dnsmasq(spec.key)
        assert hosts_file.stat().st_mode & 0o777 == 0o644
        assert private.stat().st_mode & 0o777 == 0o600

    def test_a_reload_where_queries_do_not_arrive(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        nft = found("nft")
        if nft is None:
            pytest.skip("there is no nft here: apt-get install nftables")
        hosts.ip("netns", "exec", spec.device.namespace, nft, "add table inet deaf")
        for rule in (
            "add chain inet deaf in { type filter hook input priority 0; }",
            "add rule inet deaf in udp dport 53 drop",
        ):
            hosts.ip("netns", "exec", spec.device.namespace, nft, rule)
        processes.start_dnsmasq(spec)
        host.write_hosts(spec, {MAC: "10.77.1.9"})
        processes.reload_dnsmasq(spec.key)
        assert host.answer(spec, MAC) == "10.77.1.9"

    def test_a_reload_that_kills_is_told(host: Host) -> None:
        """Law: where dnsmasq dies of SIGHUP (before 2.91, once it has served), reload_dnsmasq() says so at once."""
        spec, processes = reserved(host), control(host)
        Path(spec.directory, "host").write_text(f"{MAC},set:port-1,10.77.1.5\n")
        processes.start_dnsmasq(spec)
        host.take_lease(spec, MAC)
        if probe_dnsmasq().sighup_is_safe:
            processes.reload_dnsmasq(spec.key)
            return
        with pytest.raises(AdapterError, match="died when it was told to read its files anew"):
            processes.reload_dnsmasq(spec.key)
        assert host.pids(spec.key) == []

    def test_a_reload_straight_after_somebody_elses_start(host: Host) -> None:
        """Law: a process that was started a moment ago survives a reload."""
        spec, processes = reserved(host), control(host)
        for _ in range(10):
            pid = host.start(spec)
            processes.reload_dnsmasq(spec.key)
            assert host.pids(spec.key) == [pid]
            processes.stop_dnsmasq(spec.key)

    # -- start and stop

    def test_stop_kills_what_does_not_listen(host: Host) -> None:
        spec, processes = reserved(host), control(host, stop_seconds=0.2)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = host.start(spec)  # it begins with what is blocked here
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)
        assert host.pids(spec.key) == [pid]
        processes.stop_dnsmasq(spec.key)
        assert host.pids(spec.key) == []

    def test_children_for_tcp_queries_are_no_instances_and_go(host: Host) -> None:
        """Law: a child for a TCP query is not observed and does not outlive a stop, its own parent dead or alive."""
        spec, processes = reserved(host), control(host)
        pid = processes.start_dnsmasq(spec)
        with connection(spec), connection(spec):
            assert len(host.pids(spec.key)) == 3
            assert [each.pid for each in processes.observe_processes()] == [pid]
            assert processes.start_dnsmasq(spec) == pid
            assert len(host.pids(spec.key)) == 3
            began = time.monotonic()
            processes.stop_dnsmasq(spec.key)
            assert time.monotonic() - began < 2
            assert host.pids(spec.key) == []

    def test_an_orphaned_child_is_taken_for_no_instance(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        pid = processes.start_dnsmasq(spec)
        with connection(spec):
            host.kill(pid)
            assert len(host.pids(spec.key)) == 1
            assert processes.observe_processes() == []
            with pytest.raises(AdapterError, match="does not run"):
                processes.reload_dnsmasq(spec.key)
            again = processes.start_dnsmasq(spec)
            assert host.pids(spec.key) == [again]
            assert host.answer(spec, MAC) == "10.77.1.5"

    def test_of_two_processes_one_is_kept(host: Host) -> None:
        """Law: start_dnsmasq() of an instance that runs twice leaves one: that of the pid file."""
        spec, processes = reserved(host, "7"), control(host)
        host.start(spec)
        second = host.start(spec)
        assert len(host.pids(spec.key)) == 2
        assert processes.start_dnsmasq(spec) == second
        assert host.pids(spec.key) == [second]

    def test_errors_of_a_start_say_what_and_what_to_do(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        cases = {
            "exit status 1: .*bad command line options.*correct the option": (*spec.argv, "--no-such-option"),
            "exit status 3: .*cannot open or create.*may be written": tuple(
                each.replace("/leases", "/no/where") for each in spec.argv
            ),
        }
        for message, argv in cases.items():
            with pytest.raises(AdapterError, match=message):
                processes.start_dnsmasq(evolve(spec, argv=argv))
        with pytest.raises(AdapterError, match=r"no program 'no-dnsmasq'; install dnsmasq"):
            processes.start_dnsmasq(evolve(spec, argv=("no-dnsmasq", *spec.argv[1:])))
        elsewhere = evolve(spec, device=evolve(spec.device, namespace="qdhcp-none"))
        with pytest.raises(AdapterError, match="there is no network namespace /run/netns/qdhcp-none"):
            processes.start_dnsmasq(elsewhere)
        Path(spec.directory, "leases").write_text("1767312000 zz:zz 10.77.1.5 * *\n")
        with pytest.raises(AdapterError, match=r"signal 6: .*damaged line in its leases file"):
            processes.start_dnsmasq(spec)
        Path(spec.directory, "leases").unlink()
        assert host.pids(spec.key) == []
        processes.start_dnsmasq(spec)
        other = host.instance(1, "twice")
        with pytest.raises(AdapterError, match=r"exit status 2: .*in use.*another DNS or DHCP server"):
            processes.start_dnsmasq(evolve(other, argv=tuple(each for each in other.argv if each != "--port=0")))

    def test_what_never_gets_ready_is_stopped(host: Host) -> None:
        spec = reserved(host)
        processes = LinuxProcessControl(
            dhcp_confs=host.dhcp_confs, proxy_config_dir=host.proxy_config_dir, start_seconds=0.5
        )
        with pytest.raises(AdapterError, match=r"not ready within 0\.5 s .*must run as a daemon"):
            processes.start_dnsmasq(evolve(spec, argv=(*spec.argv, "--keep-in-foreground")))
        assert host.pids(spec.key) == []

    def test_a_proxy_that_cannot_start(host: Host) -> None:
        spec, processes = host.proxy(1), control(host)
        Path(spec.config_path).write_text("no such section\n")
        with pytest.raises(
            AdapterError, match=r"haproxy of router-1 ended with exit status 1: .*haproxy -c -f FILE"
        ) as no:
            processes.start_proxy(spec)
        # The reason comes first: elsewhere only the beginning of the text is shown.
        assert "[NOTICE]" not in str(no.value)

    def test_a_proxy_of_another_agent_is_adopted(host: Host) -> None:
        """Law: one that somebody else started on the configuration that is on the disk is left alone."""
        spec, processes = host.proxy(1), control(host)
        os.makedirs(os.path.dirname(spec.pid_path), exist_ok=True)
        hosts.ip("netns", "exec", spec.namespace, *spec.argv)
        (pid,) = host.proxy_pids(spec.proxy_id)
        assert processes.start_proxy(spec) == pid
        time.sleep(0.05)
        assert processes.start_proxy(host.change_config(spec)) != pid

    def test_other_agents_processes_are_not_ours(host: Host, tmp_path: Path) -> None:
        """Law: what has its files elsewhere is not observed and not touched."""
        (tmp_path / "other").mkdir()
        other = Host(tmp_path / "other")
        spec = other.instance(2)
        pid = other.start(spec)
        processes = control(host)
        assert processes.observe_processes() == []
        processes.stop_dnsmasq(spec.key)
        assert other.pids(spec.key) == [pid]

    def test_of_several_names_of_a_namespace_the_networks_own_is_told(host: Host) -> None:
        """Law: whoever gives a namespace more names (ip netns attach) moves no process."""
        spec, proxy, processes = reserved(host), host.proxy(1), control(host)
        pid = processes.start_dnsmasq(spec)
        processes.start_proxy(proxy)
        hosts.ip("netns", "attach", "aaa", str(pid))
        assert {each.namespace for each in processes.observe_processes()} == {"qdhcp-net-1"}
        hosts.ip("netns", "attach", "qdhcp-another", str(pid))
        (dnsmasq,) = (each for each in processes.observe_processes() if each.program == "dnsmasq")
        assert dnsmasq.namespace == "qdhcp-net-1"
        processes.reload_dnsmasq(spec.key)
        assert processes.start_dnsmasq(spec) == pid

    # -- leases

    def test_ipv6_leases_are_released(host: Host) -> None:
        spec, processes = host.instance(1), control(host)
        host.write_hosts(spec, {MAC: "fd77:1::5", OTHER_MAC: "fd77:1::6"})
        processes.start_dnsmasq(spec)
        first, second = (host.take_lease6(spec, mac, f"fd77:1::{mac[-1]}") for mac in (MAC, OTHER_MAC))
        processes.release_leases(spec, [first])
        assert [lease.ip_address for lease in host.leases(spec.key)] == ["fd77:1::6"]
        processes.release_leases(spec, [first, second])
        assert host.leases(spec.key) == []

    def test_many_leases_are_released_at_once(host: Host) -> None:
        spec, processes = host.instance(1), control(host)
        host.write_hosts(spec, {})
        expiry = int(time.time()) + 86400
        lines = [f"{expiry} fa:16:3e:00:00:{n:02x} 10.77.1.{n} * 01:fa:16:3e:00:00:{n:02x}\n" for n in range(3, 253)]
        Path(spec.directory, "leases").write_text("".join(lines))
        processes.start_dnsmasq(spec)
        leases = host.leases(spec.key)
        assert len(leases) == 250
        processes.release_leases(spec, leases[1:])
        assert host.leases(spec.key) == leases[:1]

    def test_what_cannot_be_released_is_told(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        processes.start_dnsmasq(spec)
        lease = host.take_lease(spec, MAC)
        moved = evolve(spec, device=evolve(spec.device, addresses=("10.88.1.2/24",)))
        with pytest.raises(AdapterError, match="has no address in its subnet") as caught:
            processes.release_leases(moved, [lease])
        assert not caught.value.retryable
        # One that dnsmasq does not know.
        unknown = evolve(lease, mac_address=OTHER_MAC, ip_address="10.77.1.6", client_id=None)
        with Path(spec.directory, "leases").open("a") as file:
            file.write(f"{int(time.time()) + 86400} {OTHER_MAC} 10.77.1.6 * *\n")
        with pytest.raises(AdapterError, match=r"still has 1 of the leases .*10\.77\.1\.6"):
            processes.release_leases(spec, [unknown])
        host.kill(host.pids(spec.key)[0])
        with pytest.raises(AdapterError, match="does not run"):
            processes.release_leases(spec, [lease])
        processes.release_leases(spec, [])

    # -- watching

    def test_deaths_are_noticed_at_once(host: Host) -> None:
        """Law: each watched process that dies is told of once, whoever started it."""
        spec, other, processes = reserved(host), host.instance(2), control(host)
        host.write_hosts(other, {})
        processes.start_dnsmasq(spec)
        host.start(other)
        seen = {each.owner: each for each in processes.observe_processes()}
        told: queue.Queue[ObservedProcess] = queue.Queue()
        ends: queue.Queue[int | None] = queue.Queue()

        def on_death(process: ObservedProcess, exit_code: int | None) -> None:
            told.put(process)
            ends.put(exit_code)

        with DeathWatcher(on_death) as watcher:
            for process in (*seen.values(), *seen.values()):
                watcher.watch(process)
                # So does who has just started it.
                watcher.watch(evolve(process, started=""))
            for owner in ("net-2", "net-1"):
                os.kill(seen[owner].pid, signal.SIGKILL)
                began = time.monotonic()
                assert told.get(timeout=5) == seen[owner]
                # Process 1 is the parent of all daemons here.
                assert ends.get(timeout=5) == -signal.SIGKILL
                assert time.monotonic() - began < 3  # it looks by itself only every 5 s
            watcher.watch(seen["net-1"])
            assert told.get(timeout=5) == seen["net-1"]
        assert told.empty()

    def test_what_raises_does_not_end_the_watching(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        hooked: queue.Queue[object] = queue.Queue()
        monkeypatch.setattr("threading.excepthook", hooked.put)
        told: queue.Queue[int] = queue.Queue()

        def on_death(process: ObservedProcess, exit_code: int | None) -> None:
            assert exit_code == -signal.SIGKILL
            told.put(process.pid)
            raise RuntimeError("not today")

        first, second = os.fork(), 0
        if first == 0:
            time.sleep(60)
            os._exit(0)
        second = os.fork()
        if second == 0:
            time.sleep(60)
            os._exit(0)
        with DeathWatcher(on_death) as watcher:
            for pid in (first, second):
                started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
                watcher.watch(ObservedProcess(program="dnsmasq", owner="x", pid=pid, argv=(), started=started))
            for pid in (first, second):
                os.kill(pid, signal.SIGKILL)
                assert told.get(timeout=5) == pid
        assert hooked.qsize() == 2

    def test_a_mark_of_another_process_is_a_death(host: Host) -> None:
        told: queue.Queue[str] = queue.Queue()
        with DeathWatcher(lambda process, _: told.put(process.started)) as watcher:
            watcher.watch(ObservedProcess(program="dnsmasq", owner="x", pid=os.getpid(), argv=(), started="7"))
            assert told.get(timeout=5) == "7"

else:

    def test_on_a_host_of_its_own(tmp_path: Path) -> None:
        if reason := hosts.missing():
            pytest.skip(reason)
        hosts.run_inside(__file__, tmp_path)

    # -- what is installed

    def program(folder: Path, version: str, *, tags: bool = True) -> str:
        path = folder / "dnsmasq"
        path.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = --version ]; then echo "{version}  Copyright (c) Simon Kelley"; exit 0; fi\n'
            f"exit {0 if tags else 1}\n"
        )
        path.chmod(0o755)
        return str(path)

    @pytest.mark.parametrize(
        "version,expected",
        [
            ("Dnsmasq version 2.90", (2, 90)),
            ("Dnsmasq version 2.92rc1", (2, 92)),
            ("Dnsmasq version UNKNOWN-2.91", (2, 91)),
            ("Dnsmasq version pi-hole-v2.92", (2, 92)),
        ],
    )
    def test_the_version_is_read(tmp_path: Path, version: str, expected: tuple[int, int]) -> None:
        assert probe_dnsmasq(program(tmp_path, version)) == DnsmasqCapabilities(version=expected)
        assert not probe_dnsmasq(program(tmp_path, version, tags=False)).host_tags

    def test_none_or_a_too_old_one_says_what_to_install(tmp_path: Path) -> None:
        with pytest.raises(AdapterError, match="no dnsmasq on this host; install dnsmasq") as none:
            probe_dnsmasq(f"{tmp_path}/none")
        with pytest.raises(AdapterError, match=r"is version 2\.68, older than 2\.69; install dnsmasq") as old:
            probe_dnsmasq(program(tmp_path, "Dnsmasq version 2.68"))
        with pytest.raises(AdapterError, match="does not tell a version"):
            probe_dnsmasq(program(tmp_path, "something else"))
        assert not none.value.retryable
        assert not old.value.retryable

    def test_the_installed_one(tmp_path: Path) -> None:
        version = dnsmasq_version()
        if version is None:
            pytest.skip("there is no dnsmasq here: apt-get install dnsmasq-base")
        probed = probe_dnsmasq()
        assert f"{probed.version[0]}.{probed.version[1]}" in str(version) or probed.version == version
        assert probed.host_tags == (probed.version >= (2, 81))
