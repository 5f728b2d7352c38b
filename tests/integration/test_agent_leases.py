"""A client that renews keeps its lease, whatever happens to the agent, and to dnsmasq, meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients.prober import Prober, Report, Target
from support.clients.wire_latency import answered
from support.clients.wires import Wire
from support.site import AgentProgram, Server, address, bridge, running, until

#: RFC 2131 section 4.1: a client sends again after some 4 s, so it does not notice what is shorter.
RETRY = 2.0
EVERY = 0.02

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site")) as made:
            yield made

    @pytest.fixture
    def network(server: Server) -> dict[str, Any]:
        """A network whose second port has an option of its own, so that its line in the hosts file has a tag."""
        made = server.served(ports=2)
        option = {"opt_name": "ntp-server", "opt_value": "10.0.0.9"}
        server.update("port", made["ports"][1]["id"], extra_dhcp_opts=[option])
        server.wait_active(made["id"])
        return made

    def renewing(network: dict[str, Any], meanwhile: Callable[[], object]) -> Report:
        """Renew both ports' leases all the time, unicast, while something happens, and a little longer."""
        wire = bridge(network["id"])
        targets = []
        for number, port in enumerate(network["ports"]):
            with Wire(wire) as asking:
                lease = asking.take_lease(port["mac_address"])
            assert lease.address == address(port)
            targets.append(Target(name=f"{number}", device=wire, mac=lease.mac, expected=lease.address, lease=lease))
        with Prober(targets, EVERY) as prober:
            meanwhile()
            time.sleep(0.3)
        report = prober.report()
        print(report)
        for each in report.measured:
            assert not each.wrong, each
            assert each.answered > 0
        return report

    def test_through_reloads(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: ten reloads and no renewal is refused; none waits longer than the fast restart of a dnsmasq takes.

        With a dnsmasq before 2.91 a reload is such a restart where a host has a tag; with others it loses nothing.
        """

        def burst() -> None:
            for _ in range(10):
                port = server.port(network["id"])
                answered(bridge(network["id"]), port["mac_address"], address(port), 3.0)
                server.delete("port", port["id"])

        assert renewing(network, burst).worst.worst_gap < RETRY

    def test_through_a_restart_of_the_agent(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: the agent ends, is killed, and starts again, and no renewal goes without its answer."""

        def restarts() -> None:
            agent.stop()
            agent.start()
            agent.kill()
            agent.start()

        pid = agent.dnsmasq_pid(network["id"])
        assert renewing(network, restarts).unanswered == 0
        assert agent.dnsmasq_pid(network["id"]) == pid

    def test_through_a_restart_of_dnsmasq(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: where its command line changes dnsmasq starts anew with its leases; who asks again is answered."""
        pid = agent.dnsmasq_pid(network["id"])

        def change() -> None:
            server.update("network", network["id"], mtu=1400)
            other = agent.wait_for_another_dnsmasq(network["id"], pid)
            server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
            third = agent.wait_for_another_dnsmasq(network["id"], other)
            assert "10.1.0.0" in Path(f"/proc/{third}/cmdline").read_text()

        assert renewing(network, change).worst.worst_gap < RETRY

    def test_through_the_death_of_dnsmasq(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: a dnsmasq that is killed comes back with every client's lease."""

        def death() -> None:
            pid = agent.dnsmasq_pid(network["id"])
            os.kill(pid, signal.SIGKILL)
            leases = agent.directory(network["id"]) / "leases"
            agent.wait_for_another_dnsmasq(network["id"], pid)
            # dnsmasq writes it anew for each lease, not at once.
            until("both leases are in it", lambda: leases.read_text().count("\n") >= 2)

        assert renewing(network, death).worst.worst_gap < RETRY

else:

    def test_leases_are_kept(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
