"""Processes that die: back at once; those that die at every start are paced, explained, and disturb nobody."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dhcpcore_adapters.setns import within
from support import host as hosts
from support.clients.wire_latency import answered
from support.clients.wires import Wire
from support.site import AgentProgram, Server, address, bridge, running, until
from support.wrapped_dnsmasq import CRASHES, REFUSES, WrappedDnsmasq

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(
        dnsmasq: WrappedDnsmasq, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site"), enable_isolated_metadata=True) as made:
            yield made

    def told(agent: AgentProgram, network: dict[str, Any], kind: str = "instances") -> dict[str, Any]:
        return next((each for each in agent.status()[kind] if each["network"] == network["id"]), {})

    def waits(agent: AgentProgram, network: dict[str, Any]) -> str:
        """Why a network waits for work on the host."""
        for each in agent.status()["pending"]:
            if each["network"] == network["id"] and each["what"] == "host" and each["retry"] is not None:
                return str(each["retry"]["reason"])
        return ""

    def zombies(agent: AgentProgram) -> list[str]:
        """Names of children of the agent that have ended and were not let go."""
        left = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                head, _, rest = Path(f"/proc/{name}/stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent = rest.split()[:2]
            if state == "Z" and int(parent) == agent.pid:
                left.append(head)
        return left

    def killed(agent: AgentProgram, network: dict[str, Any]) -> int:
        """Kill its dnsmasq with SIGKILL; the pid of the next, within a second and without a pause."""
        # Ports are ACTIVE as soon as dnsmasq serves; the agent may still be starting the proxy then.
        until("its proxy runs", lambda: told(agent, network, "metadata_proxies").get("alive"))
        pid = agent.dnsmasq_pid(network["id"])
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        other = agent.wait_for_another_dnsmasq(network["id"], pid)
        assert time.monotonic() - begun < 1
        assert not waits(agent, network)
        return other

    def test_a_killed_one_is_back_and_status_says_how_it_ended(server: Server, agent: AgentProgram) -> None:
        """Law: dnsmasq and haproxy are back within a second, dnsmasq with its leases; exit code and advice are told."""
        network = server.served(ports=2)
        (port, other) = network["ports"]
        with Wire(bridge(network["id"])) as wire:
            lease = wire.take_lease(port["mac_address"])
            leases = agent.directory(network["id"]) / "leases"
            until("the lease is in the file", lambda: port["mac_address"] in leases.read_text())
            killed(agent, network)
            # dnsmasq writes it anew, in place, for each change.
            until("the lease is in the file", lambda: port["mac_address"] in leases.read_text())
            until("the renewal is answered", lambda: wire.extend(lease, seconds=0.3), 10)
        last = until("it is told", lambda: told(agent, network)["alive"] and told(agent, network)["last_death"])
        assert (last["exit_code"], "out-of-memory killer" in last["detail"]) == (-9, True)
        proxy = told(agent, network, "metadata_proxies")["pid"]
        begun = time.monotonic()
        os.kill(proxy, signal.SIGKILL)
        until("another proxy runs", lambda: told(agent, network, "metadata_proxies")["pid"] not in (None, proxy))
        assert time.monotonic() - begun < 1
        assert told(agent, network, "metadata_proxies")["last_death"]["exit_code"] == -9
        answered(bridge(network["id"]), other["mac_address"], address(other), 10.0)
        until("no zombie is left", lambda: not zombies(agent), 10)

    def test_a_child_for_a_tcp_query_that_outlives_it_is_let_go(server: Server, agent: AgentProgram) -> None:
        """Law: no zombie stays, also of processes that nobody started or watched."""
        network = server.served()
        (own,) = server.dhcp_addresses(network["id"])
        pid = agent.dnsmasq_pid(network["id"])
        query = within(f"/run/netns/qdhcp-{network['id']}", lambda: socket.create_connection((own, 53), 5))
        with query:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            (child,) = until("it has forked", lambda: children.read_text().split())
            killed(agent, network)
        until("no zombie is left", lambda: not os.path.exists(f"/proc/{child}") and not zombies(agent), 10)

    def test_one_that_is_refused_at_every_start(server: Server, agent: AgentProgram, dnsmasq: WrappedDnsmasq) -> None:
        """Law: it is retried with backoff; status has exit code, last words and what to do; nobody else is touched."""
        bad, good = server.served(), server.served()
        pid = agent.dnsmasq_pid(good["id"])
        dnsmasq.misbehave(bad["id"], REFUSES)
        os.kill(agent.dnsmasq_pid(bad["id"]), signal.SIGKILL)
        until("it has failed three times", lambda: agent.log.count("failed to bind DHCP server socket") >= 3)
        reason = waits(agent, bad)
        assert "exit status 2" in reason
        assert "failed to bind DHCP server socket: Address already in use" in reason
        assert reason.endswith("look for another DNS or DHCP server in the namespace (ss -lnup)")
        (port,) = good["ports"]
        answered(bridge(good["id"]), port["mac_address"], address(port), 5.0)
        assert agent.dnsmasq_pid(good["id"]) == pid
        dnsmasq.behave(bad["id"])
        (port,) = bad["ports"]
        answered(bridge(bad["id"]), port["mac_address"], address(port), 90.0)
        until("nothing is waited for", lambda: not waits(agent, bad))
        until("no zombie is left", lambda: not zombies(agent), 10)

    def test_one_that_crashes_after_every_start(server: Server, agent: AgentProgram, dnsmasq: WrappedDnsmasq) -> None:
        """Law: the same for one that serves and then dies."""
        bad, good = server.served(), server.served()
        pid = agent.dnsmasq_pid(good["id"])
        dnsmasq.misbehave(bad["id"], CRASHES)
        os.kill(agent.dnsmasq_pid(bad["id"]), signal.SIGKILL)
        until(
            "it has died four times",
            lambda: told(agent, bad)["deaths"] >= 4,
            90,
            told=lambda: f"{told(agent, bad)}\n{agent.log[-4000:]}",
        )
        last = told(agent, bad)["last_death"]
        assert last["exit_code"] == -signal.SIGSEGV
        assert "damaged line in its leases file" in last["detail"]
        until("it waits", lambda: "dnsmasq died" in waits(agent, bad))
        assert "exit code -11" in waits(agent, bad)
        assert told(agent, bad)["deaths"] < 8
        assert agent.dnsmasq_pid(good["id"]) == pid
        dnsmasq.behave(bad["id"])
        (port,) = bad["ports"]
        answered(bridge(bad["id"]), port["mac_address"], address(port), 90.0)
        until("no zombie is left", lambda: not zombies(agent), 10)

    def churn(server: Server, network: dict[str, Any], times: int, seconds: float = 5.0) -> None:
        """A client served from a line with a tag, then changes of its options: what kills dnsmasq before 2.91."""
        (port,) = network["ports"]
        for number in range(times):
            option = {"opt_name": "ntp-server", "opt_value": f"10.0.0.{100 + number}"}
            server.update("port", port["id"], extra_dhcp_opts=[option])
            answered(bridge(network["id"]), port["mac_address"], address(port), seconds)
            with Wire(bridge(network["id"])) as wire:
                until("a lease is given", lambda wire=wire: _leased(wire, port["mac_address"]), seconds)  # type: ignore[misc]
            extra = server.port(network["id"])
            answered(bridge(network["id"]), extra["mac_address"], address(extra), seconds)
            server.delete("port", extra["id"])

    def _leased(wire: Wire, mac: str) -> bool:
        try:
            return bool(wire.take_lease(mac, seconds=0.5).address)
        except AssertionError:
            return False

    def test_no_reload_of_ours_kills_one(server: Server, agent: AgentProgram) -> None:
        """Law: with reload_method = auto a served client, tags and changes never make a dnsmasq die of a signal."""
        network = server.served()
        churn(server, network, 4)
        assert told(agent, network)["last_death"] is None
        ends = [line for line in agent.log.splitlines() if "has ended" in line and network["id"] in line]
        assert ends
        assert not [line for line in ends if "exit_code=-" in line]

    def test_a_reload_that_an_operator_forces_may_kill_one_and_is_repaired(tmp_path: Path) -> None:
        """Law: with reload_method = sighup a dnsmasq that dies of the signal is back like after any other death."""
        hosts.clear()
        with running(tmp_path / "forced", reload_method="sighup") as (server, agent):
            network = server.served()
            churn(server, network, 3, 25.0)
            (port,) = network["ports"]
            answered(bridge(network["id"]), port["mac_address"], address(port), 5.0)
            print(f"deaths by SIGHUP: {agent.log.count('died when it was told to read its files anew')}")
            until("nothing is waited for", lambda: told(agent, network)["alive"] and not waits(agent, network))

else:

    def test_processes_die(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
