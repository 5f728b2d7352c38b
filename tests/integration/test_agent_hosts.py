"""Two hosts, each with namespaces of its own and an agent: they share networks, and one may die."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import pytest

from support import host as hosts
from support.clients.station import batch, ensure_bridge
from support.clients.wire_latency import answered
from support.clients.wires import Leased, Wire, discover_frame, new_transaction
from support.dhcp_packets import ACK, OFFER, SERVER_ID
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, dnsmasq_pids, until

#: Seconds without a heartbeat until an agent counts as dead.
DOWN_TIME: Final = 6.0

if hosts.inside():

    class Host:
        """A machine: network namespace ``host-<name>``, and a mount namespace with a /run/netns of its own."""

        def __init__(self, name: str, folder: Path, server: Server, **options: Any) -> None:
            self.name = f"host-{name}"
            self._folder, self._server, self._options = folder / name, server, options

        def __enter__(self) -> Self:
            ip = found("ip") or "ip"
            batch([f"netns add {self.name}"])
            batch(["link set lo up"], self.name)
            # Everything that is started on the machine finds its mounts through this process.
            script = "mount -t tmpfs none /run/netns && echo ready && exec sleep 1000"
            self._holder = subprocess.Popen(
                [ip, "netns", "exec", self.name, "sh", "-c", script], stdout=subprocess.PIPE, text=True
            )
            assert self._holder.stdout is not None
            assert self._holder.stdout.readline() == "ready\n"
            enter = [found("nsenter") or "nsenter", "-t", str(self._holder.pid), "-n", "-m", "--"]
            self.agent = AgentProgram(self._folder, self._server, host=self.name, prefix=enter, **self._options)
            self.agent.start()
            return self

        def __exit__(self, *_: object) -> None:
            self.agent.kill()
            self._holder.kill()
            self._holder.wait()
            assert self._holder.stdout is not None
            self._holder.stdout.close()

        def plug(self, network_id: str) -> None:
            """Connect the machine's bridge of a network to the one that all machines share, which is here."""
            wire = bridge(network_id)
            ensure_bridge(wire)
            batch([f"link add {self._cable(network_id)} type veth peer name up{network_id[:8]} netns {self.name}"])
            batch([f"link set {self._cable(network_id)} master {wire} up"])
            there = subprocess.run(
                [found("ip") or "ip", "-n", self.name, "link", "add", wire, "type", "bridge"], capture_output=True
            )
            assert there.returncode == 0 or b"exists" in there.stderr, there.stderr
            batch([f"link set {wire} up", f"link set up{network_id[:8]} master {wire} up"], self.name)

        def unplug(self, network_id: str) -> None:
            """Take the cable out."""
            batch([f"link delete {self._cable(network_id)}"])

        def _cable(self, network_id: str) -> str:
            return f"{self.name[-1]}{network_id[:11]}"

        def dnsmasqs(self) -> list[int]:
            """The processes of this machine."""
            ours = []
            for pid in dnsmasq_pids():
                try:
                    if str(self.agent.state) in Path(f"/proc/{pid}/cmdline").read_text():
                        ours.append(pid)
                except OSError:
                    continue
            return ours

        def die(self) -> None:
            """Kill the agent and all that it has started."""
            self.agent.kill()
            for pid in self.dnsmasqs():
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def two_hosts(folder: Path, per_network: int, **options: Any) -> Iterator[tuple[Server, Host, Host]]:
        words = ["--agent-down-time", str(DOWN_TIME), "--dhcp-agents-per-network", str(per_network)]
        try:
            with (
                Server(folder / "server", *words) as server,
                Host("a", folder, server, **options) as a,
                Host("b", folder, server, **options) as b,
            ):
                yield server, a, b
        finally:
            hosts.clear()

    def offers(wire: Wire, mac: str, seconds: float = 1.0) -> set[tuple[str, str]]:
        """Addresses that are offered within a time, and by which servers."""
        got = set()
        deadline = time.monotonic() + seconds
        transaction = new_transaction()
        wire.send(discover_frame(mac, transaction))
        while (reply := wire.receive(max(0.0, deadline - time.monotonic()))) is not None:
            if reply.transaction == transaction and reply.kind == OFFER:
                got.add((reply.address, ".".join(map(str, reply.options[SERVER_ID]))))
        return got

    def test_a_network_that_both_serve(tmp_path: Path) -> None:
        """Law: both answer with the port's address, each from an address of its own, and neither disturbs the other."""
        with two_hosts(tmp_path, 2, enable_isolated_metadata=True, audit_interval=1) as (server, a, b):
            network = server.create("network")["id"]
            for host in (a, b):
                host.plug(network)
            server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
            modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
            server.create("subnet", network_id=network, cidr="fd00::/64", ip_version=6, **modes)
            port = server.port(network)
            server.wait_active(network)
            (mine,) = (each["ip_address"] for each in port["fixed_ips"] if "." in each["ip_address"])
            until("both serve", lambda: len(a.dnsmasqs()) == len(b.dnsmasqs()) == 1)
            addresses = [each for each in server.dhcp_addresses(network) if "." in each]
            assert len(set(addresses)) == 2
            with Wire(bridge(network)) as wire:
                until("both answer", lambda: len(offers(wire, port["mac_address"])) == 2)
                assert offers(wire, port["mac_address"]) == {(mine, each) for each in addresses}
                lease = wire.take_lease(port["mac_address"])
                assert lease.address == mine
                other = server.port(network)
                server.delete("port", port["id"])
                until("neither answers", lambda: not offers(wire, port["mac_address"], 0.5))
                until("both answer", lambda: len(offers(wire, other["mac_address"])) == 2)
            until("both are at rest", lambda: all(_is_at_rest(host.agent) for host in (a, b)))
            # Audits find nothing to do, although only one of them can have fe80::a9fe:a9fe.
            before = [(host.dnsmasqs(), _done(host.agent)) for host in (a, b)]
            time.sleep(3.5)
            assert before == [(host.dnsmasqs(), _done(host.agent)) for host in (a, b)]
            elsewhere = [each["metadata_address_elsewhere"] for host in (a, b) for each in _instances(host)]
            assert sorted(elsewhere) == [False, True]

    def test_one_host_dies(tmp_path: Path) -> None:
        """Law: a dead host's networks are served by the other, under the same address; a client keeps its lease."""
        with two_hosts(tmp_path, 1) as (server, a, b):
            networks = [server.network(ports=1) for _ in range(4)]
            ids = [network["id"] for network in networks]
            server.wait_active(*ids)
            until("both have their share", lambda: len(a.dnsmasqs()) == len(b.dnsmasqs()) == 2)
            leases: dict[str, Leased] = {}
            for network in networks:
                for host in (a, b):
                    host.plug(network["id"])
                (port,) = network["ports"]
                # The cables take a moment.
                answered(bridge(network["id"]), port["mac_address"], address(port), 5.0)
                with Wire(bridge(network["id"])) as wire:
                    leases[network["id"]] = wire.take_lease(port["mac_address"])
                assert leases[network["id"]].address == address(port)
            moving = [each["network"] for each in _instances(a)]
            staying = b.dnsmasqs()
            where = {network: server.dhcp_addresses(network) for network in ids}
            a.die()
            for network in ids:
                a.unplug(network)
            until("the other serves all", lambda: len(b.dnsmasqs()) == 4, 20)
            assert set(staying) <= set(b.dnsmasqs())
            for network in networks:
                (port,) = network["ports"]
                answered(bridge(network["id"]), port["mac_address"], address(port), 5.0)
                # The DHCP port moved with its address: even who renews from the server that it knows is answered.
                assert server.dhcp_addresses(network["id"]) == where[network["id"]]
                with Wire(bridge(network["id"])) as wire:
                    for broadcast in (False, True):
                        reply = wire.extend(leases[network["id"]], broadcast=broadcast)
                        assert reply is not None, (network["id"], broadcast)
                        assert (reply.kind, reply.address) == (ACK, address(port))
            # The dead one comes back: what it served is another's now.
            a.agent.start()
            until("it serves none of them", lambda: not a.dnsmasqs() and not _instances(a), 15)
            for network in moving:
                a.plug(network)
                (port,) = next(each["ports"] for each in networks if each["id"] == network)
                answered(bridge(network), port["mac_address"], address(port), 5.0)
                with Wire(bridge(network)) as wire:
                    assert offers(wire, port["mac_address"]) == {(address(port), where[network][0])}
            assert len(b.dnsmasqs()) == 4

    def _done(agent: AgentProgram) -> int:
        """How many actions on the host it has carried out, looking aside."""
        lines = [line for line in agent.log.splitlines() if "action done" in line or "action failed" in line]
        return sum(1 for line in lines if not any(f"action={kind}" in line for kind in ("observe", "fetch", "report")))

    def _is_at_rest(agent: AgentProgram) -> bool:
        """Whether it does nothing, waits for nothing, and every proxy runs; looking and reporting aside."""
        status = agent.status()
        busy = {*status["in_flight"]} - {"observe", "report_state"}
        return not busy and not status["pending"] and all(each["alive"] for each in status["metadata_proxies"])

    def _instances(host: Host) -> list[dict[str, Any]]:
        instances: list[dict[str, Any]] = host.agent.status()["instances"]
        return instances

else:

    def test_two_hosts(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
