"""Random changes at the server while agent, server, dnsmasq, namespaces, devices and files are killed or damaged.

Afterwards, in quiet: the server's database, what `dhcpcore plan --observe` says, what clients are offered, and what is
on the host all agree, and nothing is there that belongs to nobody. The order of things comes from one seed (processes
take their own time, so a seed is no replay).

    CHAOS_MINUTES=0.75   how long; all in all it takes half a minute more (`make chaos MINUTES=30`)
    CHAOS_NETWORKS=50    how many networks
    CHAOS_SEED=n         default: another one each time; it is printed
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from support import host as hosts
from support.clients.wire_latency import NotAnswered, answered
from support.namespace import found
from support.picture import offered, processes_and_devices
from support.site import ROOT, AgentProgram, RestError, Server, address, bridge, running, until

MINUTES: Final = float(os.environ.get("CHAOS_MINUTES", "0.75"))
NETWORKS: Final = int(os.environ.get("CHAOS_NETWORKS", "50"))
SEED: Final = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
#: Of an instance.
FILES: Final = frozenset({"host", "addn_hosts", "opts", "leases", "pid", "interface", ".unreported"})
#: What can happen (methods of `Chaos`), and how often in comparison with others.
HAPPENINGS: Final = {
    "changes": {
        "create_network": 6,
        "delete_network": 3,
        "create_port": 12,
        "delete_port": 6,
        "change_network": 3,
        "take_network_down": 2,
        "change_subnet": 4,
        "delete_dhcp_port": 1,
    },
    "kills": {"kill_agent": 1, "stop_agent": 1, "kill_server": 1, "kill_dnsmasq": 4},
    "damages": {
        "damage_file": 4,
        "remove_directory": 2,
        "delete_namespace": 2,
        "damage_device": 3,
        "delete_bridge": 2,
        "hang_dnsmasq": 2,
    },
}
#: Seconds for which an agent keeps what the server does not list any more, where that is much. By default it is longer
#: than any life of an agent here: networks that were deleted while none ran would pile up, each start asking for each.
HOLD: Final = 10
#: Seconds of quiet until all must be right: some audits, each of which may find what the one before it uncovered.
QUIET: Final = 120.0

if hosts.inside():

    class Nothing(Exception):
        """There was nothing that it could happen to."""

    class Chaos:
        """What can happen, each by a method without arguments."""

        def __init__(self, server: Server, agent: AgentProgram, random: random.Random) -> None:
            self.server, self.agent, self.random = server, agent, random
            self.done: Counter[str] = Counter()

        # -- at the server

        def networks(self) -> list[str]:
            return [network["id"] for network in self.server.list("networks")]

        def ports(self, network: str) -> list[dict[str, Any]]:
            ports = self.server.list("ports", f"network_id={network}")
            return [port for port in ports if port["device_owner"] != "network:dhcp"]

        def create_network(self) -> None:
            if len(self.networks()) >= NETWORKS:
                raise Nothing
            self.server.network(f"10.{self.random.randrange(250)}.0.0/24", ports=self.random.randrange(1, 4))

        def delete_network(self) -> None:
            network = self.random.choice(self.networks())
            for port in self.ports(network):
                self.server.delete("port", port["id"])
            self.server.delete("network", network)

        def create_port(self) -> None:
            options = [[], [{"opt_name": "mtu", "opt_value": "1300"}]]
            self.server.port(self.random.choice(self.networks()), extra_dhcp_opts=self.random.choice(options))

        def delete_port(self) -> None:
            ports = self.ports(self.random.choice(self.networks()))
            if len(ports) < 2:
                raise Nothing
            self.server.delete("port", self.random.choice(ports)["id"])

        def change_network(self) -> None:
            self.server.update("network", self.random.choice(self.networks()), mtu=self.random.randrange(1280, 1500))

        def take_network_down(self) -> None:
            network = self.random.choice(self.networks())
            self.server.update("network", network, admin_state_up=False)
            time.sleep(self.random.random() / 2)
            self.server.update("network", network, admin_state_up=True)

        def change_subnet(self) -> None:
            network = self.random.choice(self.networks())
            for subnet in self.server.list("subnets", f"network_id={network}"):
                number = self.random.randrange(1, 250)
                self.server.update("subnet", subnet["id"], dns_nameservers=[f"192.0.2.{number}"])

        def delete_dhcp_port(self) -> None:
            network = self.random.choice(self.networks())
            ports = self.server.list("ports", f"network_id={network}&device_owner=network:dhcp")
            if not ports:
                raise Nothing
            for port in ports:
                self.server.delete("port", port["id"])

        # -- on the host

        def kill_agent(self) -> None:
            self.agent.kill()
            time.sleep(self.random.random())
            self.agent.launch()

        def stop_agent(self) -> None:
            assert self.agent.process is not None
            self.agent.process.terminate()
            self.agent.process.wait(10)
            self.agent.launch()

        def kill_server(self) -> None:
            self.server.kill()
            time.sleep(self.random.random())
            self.server.start()

        def directory(self) -> Path:
            return self.random.choice(sorted((self.agent.state / "dhcp").iterdir()))

        def kill_dnsmasq(self) -> None:
            pid = int((self.directory() / "pid").read_text())
            os.kill(pid, self.random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV)))

        def hang_dnsmasq(self) -> None:
            os.kill(int((self.directory() / "pid").read_text()), signal.SIGSTOP)

        def damage_file(self) -> None:
            path = self.directory() / self.random.choice(("host", "addn_hosts", "opts", "interface", "leases", "pid"))
            self.random.choice((path.unlink, lambda: path.write_text(""), lambda: path.write_text("rubbish\n")))()

        def remove_directory(self) -> None:
            for path in self.directory().iterdir():
                path.unlink()

        def space(self) -> str:
            return self.random.choice(sorted(os.listdir("/run/netns")))

        def delete_namespace(self) -> None:
            hosts.ip("netns", "delete", self.space())

        def damage_device(self) -> None:
            space = self.space()
            told = json.loads(_ip("-n", space, "-json", "address"))
            device = next(each for each in told if each.get("ifname", "lo") != "lo")
            name, addresses = device["ifname"], [each for each in device["addr_info"] if each["family"] == "inet"]
            first = addresses[0]
            damage = self.random.choice(
                (
                    ("link", "delete", name),
                    ("link", "set", name, "down"),
                    ("address", "delete", f"{first['local']}/{first['prefixlen']}", "dev", name),
                    ("link", "set", name, "mtu", "1290"),
                )
            )
            hosts.ip("-n", space, *damage)

        def delete_bridge(self) -> None:
            bridges = [each["ifname"] for each in json.loads(_ip("-json", "link", "show", "type", "bridge")) if each]
            hosts.ip("link", "delete", self.random.choice(bridges))

        def happen(self) -> None:
            """One of them; that there was nothing to damage, or no server to ask, is no fault."""
            weights = {name: weight for names in HAPPENINGS.values() for name, weight in names.items()}
            (what,) = self.random.choices([*weights], weights=[*weights.values()])
            try:
                getattr(self, what)()
            except (Nothing, RestError, OSError, ValueError, IndexError, StopIteration, AssertionError):
                self.done[f"{what}, of nothing"] += 1
            else:
                self.done[what] += 1

    def _ip(*words: str) -> str:
        ran = subprocess.run([found("ip") or "ip", *words], capture_output=True, text=True, timeout=20, check=False)
        return ran.stdout or "[]"

    def plan(agent: AgentProgram) -> str:
        """What an agent would do on this host now, in words; empty for nothing."""
        command = [sys.executable, "-m", "dhcpcore_adapters.cli", "plan", "--observe", "--detailed-exitcode"]
        path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters"))
        ran = subprocess.run(
            [*command, "--config", str(agent.settings_file)],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"PYTHONPATH": path},
            check=False,
        )
        return "" if ran.returncode == 0 else f"{ran.returncode}: {ran.stdout}{ran.stderr}"

    def leaks(server: Server, agent: AgentProgram) -> list[str]:
        """What is on the host, or at the server, and belongs to no network of the server's."""
        networks = [network["id"] for network in server.list("networks")]
        mine = {os.getpid(), server.pid, agent.pid}
        there = processes_and_devices(mine)
        lines = [line for line in there if not any(_is_of(each, line) for each in networks)]
        for network in networks:
            space = f"in qdhcp-{network}:"
            for what, kind in (("dnsmasq", "process"), ("device", "device")):
                number = sum(line.startswith(kind) and space in line and what in line for line in there)
                lines += [f"{network}: {number} of {what}"] if number != 1 else []
            number = sum(line.startswith("device") and f"'{bridge(network)}'" in line for line in there)
            lines += [f"{network}: {number} devices on its bridge"] if number != 1 else []
        folder = agent.state / "dhcp"
        lines += [str(path) for path in folder.iterdir() if path.name not in networks]
        lines += [str(path) for path in folder.glob("*/*") if path.name not in FILES]
        dhcp = Counter(port["network_id"] for port in server.list("ports", "device_owner=network:dhcp"))
        return lines + [f"{network}: {number} DHCP ports" for network, number in dhcp.items() if number != 1]

    def _is_of(network: str, line: str) -> bool:
        return network in line or bridge(network) in line

    def wrong_offers(server: Server) -> list[str]:
        """Ports that are not offered their address."""
        wrong = []
        for port in server.list("ports"):
            if port["device_owner"] != "network:dhcp" and port["fixed_ips"]:
                device, mac = bridge(port["network_id"]), port["mac_address"]
                if offered(device, mac).split(" ")[0] != address(port):
                    try:
                        answered(device, mac, address(port), 1.0)
                    except (NotAnswered, OSError) as error:
                        wrong.append(f"{port['network_id']}: {error}")
        return wrong

    def figures(done: Counter[str]) -> str:
        """What happened: sums, and how often each; what had found nothing to do is told apart."""
        sums = {kind: sum(done[name] for name in names) for kind, names in HAPPENINGS.items()}
        told = ", ".join(f"{number} {kind}" for kind, number in sums.items())
        return f"chaos of {MINUTES:g} minutes, seed {SEED}: {told}\n{dict(done)}"

    def test_chaos(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Law: when it is quiet again all is served as the database has it, and nothing is left over."""
        settings = {"audit_interval": 5, "report_interval": 2, "unsafe_disable_hold": HOLD}
        with running(tmp_path / "site", **settings) as (server, agent):
            chaos = Chaos(server, agent, random.Random(SEED))
            for number in range(NETWORKS):
                server.network(f"10.{number}.0.0/24", ports=2)
            end = time.monotonic() + 60 * MINUTES
            while time.monotonic() < end:
                chaos.happen()
                time.sleep(chaos.random.random() / 10)
            if agent.process is None or agent.process.poll() is not None:
                agent.launch()
            begun = time.monotonic()
            said = ""

            def right(look: Callable[[], Any]) -> bool:
                nonlocal said
                told = look()
                said = "\n".join(told) if isinstance(told, list) else str(told)
                if told:
                    time.sleep(1)
                return not told

            def everything() -> bool:
                looks = (lambda: plan(agent), lambda: wrong_offers(server), lambda: leaks(server, agent))
                bound = lambda: [] if server.active(*chaos.networks()) else ["not all ports are ACTIVE"]  # noqa: E731
                return all(right(look) for look in (*looks, bound))

            until("all is right", everything, QUIET, told=lambda: f"{figures(chaos.done)}\n{said}\n{agent.log[-6000:]}")
            networks, ports = len(chaos.networks()), len(server.list("ports"))
            took = time.monotonic() - begun
        with capfd.disabled():
            print(figures(chaos.done))
            print(f"all right {took:.1f} s later: {networks} networks, {ports} ports; no change planned, nothing left")

else:

    def test_chaos_elsewhere(tmp_path: Path) -> None:
        """Law: see the test inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=60 * MINUTES + 240)
