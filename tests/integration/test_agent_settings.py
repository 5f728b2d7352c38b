"""What an operator does to an agent and its host: other settings, and things broken by hand."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients.station import Station
from support.clients.udhcpc import Udhcpc
from support.clients.wire_latency import answered
from support.clients.wires import Wire
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, dnsmasq_pids, running, until

LEASE_TIME = 51

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site"), audit_interval=1) as made:
            yield made

    @pytest.fixture
    def network(server: Server) -> dict[str, Any]:
        return server.served()

    def ip(network: dict[str, Any], *words: str) -> str:
        """What ip(8) prints in a network's namespace."""
        command = [found("ip") or "ip", "-n", f"qdhcp-{network['id']}", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout

    # -- settings

    def test_settings_are_read_again(
        server: Server, agent: AgentProgram, network: dict[str, Any], tmp_path: Path
    ) -> None:
        """Law: at SIGHUP lease time and DNS servers take effect; what cannot be read changes nothing, and is told."""
        (port,) = network["ports"]

        def lease_time() -> int:
            with Wire(bridge(network["id"])) as wire:
                offer = wire.discover(port["mac_address"], seconds=0.5)
                return 0 if offer is None else int.from_bytes(offer.options[LEASE_TIME], "big")

        until("leases are as long as by default", lambda: lease_time() == 86400)
        before = agent.settings
        agent.write_settings(**(before | {"dhcp_lease_duration": 1200, "dnsmasq_dns_servers": ["10.0.0.53"]}))
        agent.send_signal(signal.SIGHUP)
        until("leases are shorter", lambda: lease_time() == 1200)
        assert "--server=10.0.0.53" in Path(f"/proc/{agent.dnsmasq_pid(network['id'])}/cmdline").read_text()
        pid = agent.dnsmasq_pid(network["id"])
        right = agent.settings_file.read_text()
        for wrong in ("dhcp_lease_duration = 'for ever'\n", "this is = no [TOML", ""):
            agent.settings_file.write_text(wrong + right.replace("dhcp_lease_duration = 1200", "") if wrong else "")
            told = agent.log.count("the settings cannot be read; the old ones stay")
            agent.send_signal(signal.SIGHUP)
            if wrong:
                until("it is told", lambda told=told: agent.log.count("the old ones stay") > told)  # type: ignore[misc]
        agent.settings_file.write_text(right)
        agent.send_signal(signal.SIGHUP)
        answered(bridge(network["id"]), port["mac_address"], address(port), 15.0)
        until("leases are as short as before", lambda: lease_time() == 1200)
        assert agent.dnsmasq_pid(network["id"]) == pid
        with (
            Station("one", bridge(network["id"]), port["mac_address"], tmp_path / "one") as station,
            Udhcpc(station) as client,
        ):
            assert client.configuration().lease_time == 1200
        agent.write_settings(**before)
        agent.send_signal(signal.SIGHUP)
        until("leases are long again", lambda: lease_time() == 86400)

    def test_what_is_read_once_waits_for_the_next_start(
        server: Server, agent: AgentProgram, network: dict[str, Any], tmp_path: Path
    ) -> None:
        """Law: another host name or state path takes effect at a start only: SIGHUP says so and disturbs nothing."""
        (port,) = network["ports"]
        before, count = agent.settings, len(dnsmasq_pids())
        agent.write_settings(**(before | {"host": "another", "state_path": str(tmp_path / "elsewhere")}))
        said = "restart the agent for host, state_path"
        for turn in (1, 2):
            agent.send_signal(signal.SIGHUP)
            until("it is told", lambda turn=turn: agent.log.count(said) == turn)  # type: ignore[misc]
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": "example.net"}])
        answered(bridge(network["id"]), port["mac_address"], address(port), 15.0)
        assert not (tmp_path / "elsewhere").exists()
        assert len(dnsmasq_pids()) == count
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": None}])
        agent.write_settings(**before)
        agent.send_signal(signal.SIGHUP)

    # -- what was broken by hand

    def test_an_audit_repairs(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: a removed address, route or device, an altered file, a device that is down: each is put right."""
        (port,) = network["ports"]
        (dhcp,) = server.list("ports", f"network_id={network['id']}&device_owner=network:dhcp")
        device = f"ns-{dhcp['id'][:11]}"
        (own,) = server.dhcp_addresses(network["id"])
        pid = agent.dnsmasq_pid(network["id"])

        ip(network, "addr", "del", f"{own}/24", "dev", device)
        until("the address is back", lambda: f"inet {own}/24" in ip(network, "addr"))
        ip(network, "route", "replace", "default", "via", "10.0.0.99")
        until("the route is right", lambda: "default via 10.0.0.1 " in ip(network, "route"))
        assert agent.dnsmasq_pid(network["id"]) == pid
        ip(network, "link", "set", device, "down")
        until("the device is up", lambda: "state UP" in ip(network, "link", "show", device))
        answered(bridge(network["id"]), port["mac_address"], address(port), 15.0)

        hosts_file = agent.directory(network["id"]) / "host"
        right = hosts_file.read_text()
        hosts_file.write_text("")
        until("the file is right", lambda: hosts_file.read_text() == right)
        answered(bridge(network["id"]), port["mac_address"], address(port), 15.0)

        ip(network, "link", "delete", device)
        until("the device is back", lambda: device in ip(network, "link"))
        answered(bridge(network["id"]), port["mac_address"], address(port), 5.0)

    def test_an_audit_removes_what_is_nobodys(server: Server, agent: AgentProgram, network: dict[str, Any]) -> None:
        """Law: a namespace and a directory of a network that nobody knows go; everything else stays."""
        stray = "5bd5c4d8-9ec6-4d4e-a7b3-1f4a2f5a1111"
        hosts.ip("netns", "add", f"qdhcp-{stray}")
        hosts.ip("netns", "add", "somebody-elses")
        agent.directory(stray).mkdir()
        (agent.directory(stray) / "host").write_text("")
        until("the namespace has gone", lambda: f"qdhcp-{stray}" not in os.listdir("/run/netns"))
        until("the directory has gone", lambda: not agent.directory(stray).exists())
        assert "somebody-elses" in os.listdir("/run/netns")
        hosts.ip("netns", "delete", "somebody-elses")

else:

    def test_an_operators_hand(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
