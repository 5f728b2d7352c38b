"""The host misbehaves: an error on the network that meets it says what to do, the rest goes on, and then it mends."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from dhcpcore_adapters.setns import within
from support import host as hosts
from support.clients.wire_latency import answered
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, until
from support.wrapped_dnsmasq import WrappedDnsmasq

#: With backoff, after the fault has ended.
RECOVERY: Final = 40.0

if hosts.inside():

    @pytest.fixture(scope="module")
    def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A small file system of its own, for the state."""
        folder = tmp_path_factory.mktemp("site") / "agent" / "state"
        folder.mkdir(parents=True)
        mount("-t", "tmpfs", "-o", "size=1m", "none", str(folder))
        return folder

    @pytest.fixture(scope="module")
    def site(dnsmasq: WrappedDnsmasq, disk: Path) -> Iterator[tuple[Server, AgentProgram]]:
        folder = disk.parents[1]
        try:
            with Server(folder / "server") as server, AgentProgram(disk.parent, server, audit_interval=2) as agent:
                yield server, agent
        finally:
            hosts.clear()

    @pytest.fixture
    def calm(server: Server, agent: AgentProgram) -> Iterator[dict[str, Any]]:
        """A network that is served all the time by the same process."""
        network = server.served()
        pid = agent.dnsmasq_pid(network["id"])
        yield network
        serves(network)
        assert agent.dnsmasq_pid(network["id"]) == pid
        assert agent.process is not None
        assert agent.process.poll() is None

    def mount(*words: str) -> None:
        subprocess.run([found("mount") or "mount", *words], check=True, timeout=20)

    def serves(network: dict[str, Any], seconds: float = 3.0) -> None:
        for port in network["ports"]:
            answered(bridge(network["id"]), port["mac_address"], address(port), seconds)

    def waits(agent: AgentProgram, network: dict[str, Any]) -> str:
        """Why a network waits."""
        pending = [each for each in agent.status()["pending"] if each["network"] == network["id"]]
        return "; ".join(str(each["retry"]["reason"]) for each in pending if each["retry"] is not None)

    def attempts(agent: AgentProgram, network: dict[str, Any]) -> int:
        pending = [each for each in agent.status()["pending"] if each["network"] == network["id"]]
        return max((each["retry"]["attempts"] for each in pending if each["retry"] is not None), default=0)

    def is_told(agent: AgentProgram, network: dict[str, Any], *words: str) -> None:
        """Status and log say it, and it is tried again with backoff."""
        log = lambda: f"{agent.status()['pending']}\n{agent.log[-3000:]}"  # noqa: E731
        until("it is told", lambda: all(word in waits(agent, network) for word in words), told=log)
        assert all(word in agent.log for word in words)
        until("it is tried again", lambda: attempts(agent, network) >= 2, told=log)

    def recovers(agent: AgentProgram, server: Server, network: dict[str, Any]) -> None:
        """Once the fault has ended."""
        until("all ports are ACTIVE", lambda: server.active(network["id"]), RECOVERY, told=lambda: agent.log[-3000:])
        serves(network)
        until("nothing is waited for", lambda: not waits(agent, network), RECOVERY)

    @contextmanager
    def read_only(place: Path) -> Iterator[None]:
        mount("--bind", str(place), str(place))
        mount("-o", "remount,bind,ro", str(place))
        try:
            yield
        finally:
            subprocess.run([found("umount") or "umount", "-l", str(place)], check=True, timeout=20)

    @contextmanager
    def full(disk: Path) -> Iterator[None]:
        filler = disk / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            yield
        finally:
            filler.unlink()

    def test_the_disk_is_full(server: Server, agent: AgentProgram, calm: dict[str, Any], disk: Path) -> None:
        """Law: a new network waits and says so; the old file of one that is served is whole, and is served on."""
        old = server.served()
        host_file = agent.directory(old["id"]) / "host"
        before = host_file.read_text()
        with full(disk):
            network = server.network(ports=1)
            is_told(agent, network, "No space left on device", "free space, or inodes (df -i)")
            old["ports"].append(server.port(old["id"]))
            is_told(agent, old, "No space left on device")
            assert host_file.read_text() == before
            serves(calm)
        recovers(agent, server, network)
        recovers(agent, server, old)

    def test_the_file_system_is_read_only(
        server: Server, agent: AgentProgram, calm: dict[str, Any], disk: Path
    ) -> None:
        """Law: the same; when it is writable again, all is served."""
        with read_only(disk / "dhcp"):
            network = server.network(ports=1)
            is_told(agent, network, "Read-only file system", "mount that file system writable")
        recovers(agent, server, network)

    def test_something_is_mounted_on_a_file(
        server: Server, agent: AgentProgram, calm: dict[str, Any], tmp_path: Path
    ) -> None:
        """Law: it cannot be replaced, and is told with what to do; unmounted, it is."""
        network = server.served()
        other, path = tmp_path / "other", agent.directory(network["id"]) / "host"
        other.write_text("of somebody's")
        mount("--bind", str(other), str(path))
        try:
            network["ports"].append(server.port(network["id"]))
            is_told(agent, network, "/host: ", "unmount that (findmnt tells what)")
        finally:
            subprocess.run([found("umount") or "umount", str(path)], check=True, timeout=20)
        recovers(agent, server, network)
        assert other.read_text() == "of somebody's"

    @contextmanager
    def limited(agent: AgentProgram, kind: int, soft: int) -> Iterator[None]:
        before = resource.prlimit(agent.pid, kind)
        resource.prlimit(agent.pid, kind, (soft, before[1]))
        try:
            yield
        finally:
            resource.prlimit(agent.pid, kind, before)

    def test_no_descriptors_are_left(server: Server, agent: AgentProgram, calm: dict[str, Any]) -> None:
        """Law: EMFILE is no end of the agent; what could not be done is done when there are descriptors again."""
        used = {int(name) for name in os.listdir(f"/proc/{agent.pid}/fd")}
        lowest = next(number for number in range(len(used) + 1) if number not in used)
        with limited(agent, resource.RLIMIT_NOFILE, lowest):
            network = server.network(ports=1)
            until("it is in the log", lambda: "Too many open files" in agent.log, told=lambda: agent.log[-3000:])
            serves(calm)
            assert agent.process is not None
            assert agent.process.poll() is None
        recovers(agent, server, network)
        told = [line for line in agent.log.splitlines() if "Too many open files" in line]
        assert any("LimitNOFILE" in line or "ulimit -n" in line for line in told), "\n".join(told)

    def test_no_memory_is_left_for_a_start(
        server: Server, agent: AgentProgram, calm: dict[str, Any], dnsmasq: WrappedDnsmasq
    ) -> None:
        """Law: a process that gets no memory is an error of its network, with what it or the kernel said."""
        network = server.create("network")
        dnsmasq.misbehave(network["id"], "ulimit -v 4000\n")
        server.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
        network["ports"] = [server.port(network["id"])]
        is_told(agent, network, "ended with exit status")
        reason = waits(agent, network)
        print(reason)
        assert "Cannot allocate memory" in reason or "cannot be allocated" in reason or "failed to map" in reason
        serves(calm)
        dnsmasq.behave(network["id"])
        recovers(agent, server, network)

    def test_permission_is_denied(server: Server, agent: AgentProgram, calm: dict[str, Any], disk: Path) -> None:
        """Law: a place where nobody may write, root neither, is told with what to do."""
        network = server.served()
        with read_only(agent.directory(network["id"])):
            network["ports"].append(server.port(network["id"]))
            is_told(agent, network, "mount that file system writable")
        recovers(agent, server, network)

    def test_dnsmasq_is_removed(
        server: Server, agent: AgentProgram, calm: dict[str, Any], dnsmasq: WrappedDnsmasq
    ) -> None:
        """Law: what runs serves on, what has to start says what to install, and starts when it is there."""
        # The installed one is found where PATH does not look, so the one that is found must not run.
        dnsmasq.program.unlink()
        dnsmasq.program.write_text("#!/nonexistent\n")
        dnsmasq.program.chmod(0o755)
        try:
            network = server.network(ports=1)
            is_told(agent, network, "dnsmasq", "No such file")
            serves(calm)
        finally:
            dnsmasq.install()
        recovers(agent, server, network)

    def binds(holder: socket.socket, number: int) -> bool:
        """The kernel lets go of a killed process's sockets after its memory."""
        try:
            holder.bind(("0.0.0.0", number))
        except OSError:
            return False
        return True

    @pytest.mark.parametrize("number, kind", [(53, socket.SOCK_STREAM), (67, socket.SOCK_DGRAM)])
    def test_a_port_is_taken(
        server: Server, agent: AgentProgram, calm: dict[str, Any], number: int, kind: socket.SocketKind
    ) -> None:
        """Law: dnsmasq's own words, its exit status and what to look for; when the port is free it starts."""
        network = server.served()

        def taken() -> socket.socket:
            return socket.socket(socket.AF_INET, kind)

        with within(f"/run/netns/qdhcp-{network['id']}", taken) as holder:
            agent.send_signal(signal.SIGSTOP)
            try:
                os.kill(agent.dnsmasq_pid(network["id"]), signal.SIGKILL)
                until("the port is free, and taken", lambda: binds(holder, number))
                if kind is socket.SOCK_STREAM:
                    holder.listen()
            finally:
                agent.send_signal(signal.SIGCONT)
            is_told(agent, network, "exit status 2", "Address already in use", "ss -lnup")
        recovers(agent, server, network)

    def test_dnsmasq_is_replaced_by_another_version(
        server: Server, agent: AgentProgram, calm: dict[str, Any], dnsmasq: WrappedDnsmasq
    ) -> None:
        """Law: an upgrade is noticed without a restart of the agent; what is right runs on."""
        before = agent.status()["agent"]["dnsmasq"]
        dnsmasq.say_version("2.92")
        until("it is noticed", lambda: agent.status()["agent"]["dnsmasq"] == "2.92", told=lambda: agent.log[-2000:])
        network = server.served()
        serves(network)
        dnsmasq.say_version(before)
        until("it is noticed", lambda: agent.status()["agent"]["dnsmasq"] == before)

else:

    def test_host_faults(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=280)
