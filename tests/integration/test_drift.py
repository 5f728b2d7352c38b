"""Somebody breaks what an agent has set up: the audit finds it, puts exactly that right, and says what it cannot.

A single address, route and file, and what is nobody's, are in test_agent_settings.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

from support import host as hosts
from support.clients.wire_latency import answered
from support.clients.wires import Wire
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, running, until

#: An audit a second, and a repair.
SECONDS: Final = 12.0

if hosts.inside():

    @frozen
    class Site:
        """What a test has: a network to be broken, and one that must not notice."""

        server: Server
        agent: AgentProgram
        network: dict[str, Any]
        calm: dict[str, Any]

        @property
        def id(self) -> str:
            return str(self.network["id"])

        @property
        def directory(self) -> Path:
            return self.agent.directory(self.id)

        @property
        def namespace(self) -> str:
            return f"qdhcp-{self.id}"

        @property
        def port_id(self) -> str:
            (dhcp,) = self.server.list("ports", f"network_id={self.id}&device_owner=network:dhcp")
            return str(dhcp["id"])

        @property
        def device(self) -> str:
            return f"ns-{self.port_id[:11]}"

        @property
        def tap(self) -> str:
            return f"tap{self.port_id[:11]}"

        def pid(self) -> int:
            return self.agent.dnsmasq_pid(self.id)

        def pid_at_rest(self) -> int:
            """The same once nothing is done for the network: one that is about to be stopped still answers."""

            def known() -> int | None:
                status = self.agent.status()
                told = [each["pid"] for each in status["instances"] if each["network"] == self.id]
                busy = f"network:{self.id}" in status["in_flight"] or self.waits()
                return None if busy or told != [self.pid()] else told[0]

            return until("its dnsmasq is in the status", known, SECONDS)

        def served(self) -> None:
            """The client gets its address within an audit and a repair."""
            (port,) = self.network["ports"]
            answered(bridge(self.id), port["mac_address"], address(port), SECONDS)

        def inside(self, *words: str) -> str:
            """What ip(8) prints in the network's namespace."""
            return ip("-n", self.namespace, *words)

        def waits(self) -> str:
            """What status says that the network waits for, and why."""
            pending = self.agent.status()["pending"]
            return "; ".join(str(each["retry"]["reason"]) for each in pending if each["network"] == self.id)

    def ip(*words: str) -> str:
        ran = subprocess.run([found("ip") or "ip", *words], capture_output=True, text=True, timeout=20)
        return ran.stdout if ran.returncode == 0 else ""

    @pytest.fixture(scope="module")
    def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site"), audit_interval=1, enable_isolated_metadata=True) as made:
            yield made

    @pytest.fixture(scope="module")
    def calm(programs: tuple[Server, AgentProgram]) -> dict[str, Any]:
        return programs[0].served()

    @pytest.fixture
    def site(programs: tuple[Server, AgentProgram], calm: dict[str, Any]) -> Iterator[Site]:
        server, agent = programs
        made = Site(server, agent, server.served(), calm)
        until("nothing is under way", lambda: not agent.status()["in_flight"])
        before = picture(agent, calm)
        yield made
        until("nothing is waited for", lambda: not agent.status()["pending"], told=lambda: agent.log[-3000:])
        assert picture(agent, calm) == before
        for port in made.network["ports"]:
            server.delete("port", port["id"])
        server.delete("network", made.id)
        until("it has gone", lambda: not made.directory.exists() and made.namespace not in os.listdir("/run/netns"))

    def picture(agent: AgentProgram, network: dict[str, Any]) -> tuple[object, ...]:
        """Processes and files of a network: no other inode, no later time."""
        files = [path for path in agent.directory(network["id"]).iterdir() if path.name != "leases"]
        proxies = [each["pid"] for each in agent.status()["metadata_proxies"] if each["network"] == network["id"]]
        seen = sorted((path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in files)
        return agent.dnsmasq_pid(network["id"]), proxies, seen

    # -- namespace and device

    @pytest.mark.parametrize("how", ["delete", "umount"])
    def test_the_namespace_loses_its_name(site: Site, how: str) -> None:
        """Law: dnsmasq and device are in a namespace of that name again; a name that leads nowhere is made one."""
        before = site.pid()
        if how == "delete":
            hosts.ip("netns", "delete", site.namespace)
        else:
            subprocess.run([found("umount") or "umount", f"/run/netns/{site.namespace}"], check=True, timeout=20)
            assert site.namespace in os.listdir("/run/netns")
        site.agent.wait_for_another_dnsmasq(site.id, before)
        site.served()
        until("the device is there", lambda: site.device in site.inside("link"))
        until("the old one has ended", lambda: has_ended(before))

    def test_the_device_is_down(site: Site) -> None:
        """Law: it comes up, with its addresses and its route, and dnsmasq is not touched."""
        before = site.pid()
        site.inside("link", "set", site.device, "down")
        until("it is up", lambda: "state UP" in site.inside("link", "show", site.device), SECONDS)
        site.served()
        until("its route is back", lambda: "default via 10.0.0.1 " in site.inside("route"), SECONDS)
        assert site.pid() == before

    @pytest.mark.parametrize("how", ["bridge", "off", "down", "moved"])
    def test_the_way_to_the_network_is_broken(site: Site, how: str) -> None:
        """Law: a deleted bridge, an end elsewhere, on none, or down: plugged again, and dnsmasq is not touched."""
        before = site.pid()
        if how == "bridge":
            hosts.ip("link", "delete", bridge(site.id))
        elif how == "off":
            hosts.ip("link", "set", site.tap, "nomaster")
        elif how == "moved":
            hosts.ip("netns", "add", "elsewhere")
            hosts.ip("link", "set", site.tap, "netns", "elsewhere")
        else:
            hosts.ip("link", "set", site.tap, "down")
        until("it is plugged", lambda: f"master {bridge(site.id)} state UP" in ip("link", "show", site.tap), SECONDS)
        site.served()
        assert site.pid() == before
        assert f"the other end of {site.device}" in site.agent.log or how == "down"

    def test_the_routes_are_flushed(site: Site) -> None:
        """Law: also the way to the subnet itself, without which there is none to the gateway; changes are served."""
        before = site.pid()
        site.inside("route", "flush", "dev", site.device)
        until("its route is back", lambda: "default via 10.0.0.1 " in site.inside("route"), SECONDS)
        assert "10.0.0.0/24 " in site.inside("route")
        site.served()
        assert site.pid() == before

    def test_the_other_end_is_deleted(site: Site) -> None:
        """Law: both ends are made anew."""
        hosts.ip("link", "delete", site.tap)
        until("there are two ends", lambda: site.device in site.inside("link") and site.tap in ip("link"), SECONDS)
        site.served()

    def test_another_mac_address(site: Site) -> None:
        """Law: the device has the MAC address of its port again."""
        right = site.server.show("port", site.port_id)["mac_address"]
        site.inside("link", "set", site.device, "address", "fa:16:3e:00:00:99")
        until("it is right", lambda: right in site.inside("link", "show", site.device), SECONDS)
        site.served()

    def test_another_mtu(site: Site) -> None:
        """Law: the device has the network's MTU again."""
        right = f"mtu {site.server.show('network', site.id)['mtu']} "
        assert right in site.inside("link", "show", site.device)
        site.inside("link", "set", site.device, "mtu", "1300")
        until("it is right", lambda: right in site.inside("link", "show", site.device), SECONDS)
        site.served()

    # -- files

    @pytest.mark.parametrize("name", ["host", "addn_hosts", "opts"])
    @pytest.mark.parametrize("how", ["edited", "deleted"])
    def test_a_file_is_altered(site: Site, name: str, how: str) -> None:
        """Law: it says what it said, and dnsmasq has read it."""
        path = site.directory / name
        right = path.read_text()
        if how == "edited":
            path.write_text(right + "garbage\n")
        else:
            path.unlink()
        until("it is right", lambda: path.exists() and path.read_text() == right, SECONDS)
        site.served()

    def test_the_directory_is_deleted(site: Site) -> None:
        """Law: all of it is back, with a dnsmasq that has its pid and leases there."""
        before = site.pid()
        (site.directory / "host").read_text()
        shutil.rmtree(site.directory)
        until("the files are back", lambda: (site.directory / "host").exists(), SECONDS)
        site.served()
        print(f"was {before}, is {site.pid_at_rest()}")

    def test_the_leases_are_garbage(site: Site) -> None:
        """Law: it disturbs neither the audit nor the next start, and the client's lease is served on."""
        (port,) = site.network["ports"]
        leases = site.directory / "leases"
        with Wire(bridge(site.id)) as wire:
            lease = wire.take_lease(port["mac_address"])
            until("the lease is in the file", lambda: port["mac_address"] in leases.read_text())
            before = site.pid()
            leases.write_bytes(b"\xff\xfe garbage\n\0\0\n17 18 19\nduid zz\n" + os.urandom(300) + b"\n")
            audits_passed(site.agent, 2)
            os.kill(before, signal.SIGKILL)
            site.agent.wait_for_another_dnsmasq(site.id, before)
            site.served()
            until("the renewal is answered", lambda: wire.extend(lease, seconds=0.3), 20)

    def test_what_is_no_file_where_one_belongs(site: Site) -> None:
        """Law: it blinds nobody; each is a file again, at the latest before dnsmasq has to open it."""
        right = {name: (site.directory / name).read_text() for name in ("host", "addn_hosts", "opts")}
        site.agent.send_signal(signal.SIGSTOP)  # so that one audit finds them all
        try:
            for name in (*right, "leases"):
                (site.directory / name).unlink()
            (site.directory / "host").symlink_to("host")
            with socket.socket(socket.AF_UNIX) as made, open_directory(site.directory) as directory:
                made.bind(f"/proc/self/fd/{directory}/addn_hosts")
            os.mkfifo(site.directory / "opts")
            os.mkfifo(site.directory / "leases")
        finally:
            site.agent.send_signal(signal.SIGCONT)
        # Never read before it is one: that would hold up the test.
        for name, text in right.items():
            path = site.directory / name
            until(f"{name} is right", lambda: path.is_file() and path.read_text() == text, SECONDS)  # noqa: B023
        site.served()
        before = site.pid_at_rest()  # reading its files anew may have meant a start
        os.kill(before, signal.SIGKILL)
        site.agent.wait_for_another_dnsmasq(site.id, before)
        assert (site.directory / "leases").is_file()
        site.served()

    @contextmanager
    def open_directory(path: Path) -> Iterator[int]:
        """For a short name: a path of a socket has 107 bytes at most."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        yield descriptor
        os.close(descriptor)

    def audits_passed(agent: AgentProgram, number: int) -> None:
        for _ in range(number):
            looked = agent.status()["agent"]["observed_seconds_ago"]
            time.sleep(0.05)
            until("the host was looked at", lambda looked=looked: _ago(agent) < looked + 0.04)  # type: ignore[misc]
            time.sleep(0.2)

    def _ago(agent: AgentProgram) -> float:
        ago: float = agent.status()["agent"]["observed_seconds_ago"]
        return ago

    # -- processes

    def by_hand(site: Site, arguments: list[str]) -> None:
        """Start a dnsmasq in the network's namespace, as somebody with too many rights may."""
        program = [found("ip") or "ip", "netns", "exec", site.namespace, found("dnsmasq") or "dnsmasq"]
        ran = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=20)
        assert ran.returncode == 0, (ran.returncode, ran.stderr, ran.args)

    def has_ended(pid: int) -> bool:
        """Whether it is gone, or a zombie: before that it may have let go of its memory, not yet of its sockets."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def test_another_dnsmasq_with_our_files(site: Site) -> None:
        """Law: one with another command line is replaced by the right one."""
        before = site.pid()
        command = Path(f"/proc/{before}/cmdline").read_text().rstrip("\0").split("\0")
        site.agent.send_signal(signal.SIGSTOP)
        try:
            os.kill(before, signal.SIGKILL)
            until("it has ended", lambda: has_ended(before))
            by_hand(site, [*command[1:], "--dhcp-ttl=7"])
            other = site.pid()
            assert other != before
        finally:
            site.agent.send_signal(signal.SIGCONT)
        site.agent.wait_for_another_dnsmasq(site.id, other)
        until("the other has ended", lambda: has_ended(other))
        assert "--dhcp-ttl=7\0" not in Path(f"/proc/{site.pid()}/cmdline").read_text()
        site.served()

    def test_dnsmasq_is_stopped(site: Site) -> None:
        """Law: what a signal has stopped answers nobody: it ends, and another takes its place with its leases."""
        (port,) = site.network["ports"]
        before = site.pid()
        with Wire(bridge(site.id)) as wire:
            lease = wire.take_lease(port["mac_address"])
            os.kill(before, signal.SIGSTOP)
            site.agent.wait_for_another_dnsmasq(site.id, before)
            until("it has ended", lambda: has_ended(before))
            until("the renewal is answered", lambda: wire.extend(lease, seconds=0.3), 20)
        assert "dnsmasq is stopped (SIGSTOP)" in site.agent.log
        site.served()

    def test_dnsmasq_is_stopped_as_its_network_changes(site: Site) -> None:
        """Law: nobody waits for it to read what is new: it is started anew with that."""
        before = site.pid()
        site.agent.send_signal(signal.SIGSTOP)  # so that news and stop come together, as they do between two audits
        try:
            os.kill(before, signal.SIGSTOP)
            port = site.server.port(site.id)
            site.network["ports"].append(port)
        finally:
            site.agent.send_signal(signal.SIGCONT)
        answered(bridge(site.id), port["mac_address"], address(port), SECONDS)
        assert site.pid() != before

    def test_the_metadata_proxy_is_stopped(site: Site) -> None:
        """Law: the same; dnsmasq is not touched."""

        def proxy() -> int:
            proxies = [each["pid"] for each in site.agent.status()["metadata_proxies"] if each["network"] == site.id]
            return int(proxies[0] or 0) if proxies else 0

        until("there is one", proxy, SECONDS)
        before, dnsmasq = proxy(), site.pid()
        os.kill(before, signal.SIGSTOP)
        until("another takes its place", lambda: proxy() not in (0, before), SECONDS)
        until("it has ended", lambda: has_ended(before))
        assert site.pid() == dnsmasq

    def test_a_dnsmasq_that_is_none_of_ours(site: Site, tmp_path: Path) -> None:
        """Law: it is left alone and said to be in the way; when it goes, ours is back."""
        before = site.pid()
        pid_file = tmp_path / "other.pid"
        site.agent.send_signal(signal.SIGSTOP)
        try:
            os.kill(before, signal.SIGKILL)
            until("it has ended", lambda: has_ended(before))
            by_hand(site, ["--conf-file=/dev/null", "--user=root", "--group=", f"--pid-file={pid_file}", "--no-hosts"])
        finally:
            site.agent.send_signal(signal.SIGCONT)
        other = int(pid_file.read_text())
        try:
            until("it is told", lambda: "Address already in use" in site.waits(), told=lambda: site.agent.log[-3000:])
            assert "look for another DNS or DHCP server in the namespace (ss -lnup)" in site.waits()
            assert os.path.exists(f"/proc/{other}")
            (port,) = site.calm["ports"]
            answered(bridge(site.calm["id"]), port["mac_address"], address(port), 10.0)
        finally:
            os.kill(other, signal.SIGKILL)
        (port,) = site.network["ports"]
        answered(bridge(site.id), port["mac_address"], address(port), 30.0)

    # -- what belongs to others

    def test_an_l3_agents_metadata_proxy(site: Site, tmp_path: Path) -> None:
        """Law: a router's proxy, whose file lies beside ours, is left alone with its file, running or not."""
        router = "11111111-2222-4333-8444-555555555555"
        namespace, pid_file = f"qrouter-{router}", tmp_path / "pid"
        config = site.agent.state / "ns-metadata-proxy" / f"{router}.conf"
        listens = f"listen listener\n    bind 0.0.0.0:9697\n    server metadata {tmp_path}/none\n"
        times = "".join(f"    timeout {which} 5s\n" for which in ("connect", "client", "server"))
        config.write_text(f"global\n    pidfile {pid_file}\n    daemon\ndefaults\n    mode http\n{times}{listens}")
        hosts.ip("netns", "add", namespace)
        try:
            enter = [found("ip") or "ip", "netns", "exec", namespace]
            subprocess.run([*enter, found("haproxy") or "haproxy", "-f", str(config)], check=True, timeout=20)
            pid = int(pid_file.read_text())
            try:
                audits_passed(site.agent, 2)
                assert not has_ended(pid)
                assert config.exists()
            finally:
                os.kill(pid, signal.SIGKILL)
            until("it has ended", lambda: has_ended(pid))
            audits_passed(site.agent, 2)
            assert config.exists()
        finally:
            config.unlink(missing_ok=True)
            hosts.ip("netns", "delete", namespace)

    def test_a_namespace_of_no_network(site: Site) -> None:
        """Law: one whose name no agent gives neither ends the agent nor goes."""
        hosts.ip("netns", "add", "qdhcp-a:b")
        try:
            audits_passed(site.agent, 2)
            assert "qdhcp-a:b" in os.listdir("/run/netns")
        finally:
            hosts.ip("netns", "delete", "qdhcp-a:b")

    # -- what cannot be repaired

    def test_a_directory_where_a_file_belongs(site: Site) -> None:
        """Law: status and log say why; once it is out of the way all is right again."""
        path = site.directory / "host"
        right = path.read_text()
        path.unlink()
        path.mkdir()
        (path / "something").write_text("of somebody's")
        until("it is told", lambda: "a directory is where a file belongs: move it away" in site.waits(), SECONDS)
        assert "a directory is where a file belongs: move it away" in site.agent.log
        shutil.rmtree(path)
        until("the file is right", lambda: path.is_file() and path.read_text() == right, 30)
        site.served()

    def test_the_proxys_configuration_is_deleted(site: Site) -> None:
        """Law: it is written again, and the proxy serves what it says."""
        path = site.agent.state / "ns-metadata-proxy" / f"{site.id}.conf"
        right = path.read_text()
        path.unlink()
        until("it is back", lambda: path.exists() and path.read_text() == right, SECONDS)

else:

    def test_drift(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=280)
