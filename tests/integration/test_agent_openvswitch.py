"""The agent as a process on a host with Open vSwitch: it serves, is restarted, and lives through trouble with that.

The L2 agent's part, giving the DHCP port the VLAN of its network, is the test's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support import openvswitch
from support.clients.wire_latency import answered
from support.openvswitch import OpenVSwitch
from support.site import AgentProgram, Server, address, dnsmasq_pids, running, until

VLAN = 3

if hosts.inside():

    @pytest.fixture
    def switch() -> Iterator[OpenVSwitch]:
        with OpenVSwitch() as started:
            started.station("vm1", VLAN)
            yield started

    @contextmanager
    def site(folder: Path, **options: Any) -> Iterator[tuple[Server, AgentProgram]]:
        told = {"interface_driver": "openvswitch", "audit_interval": 1, **options}
        with running(folder, **told) as (server, agent):
            yield server, agent

    def port_of(server: Server, network: dict[str, Any]) -> str:
        """The name of the port of a network's DHCP port."""
        (dhcp,) = server.list("ports", f"network_id={network['id']}&device_owner=network:dhcp")
        return f"tap{dhcp['id'][:11]}"

    def ask(network: dict[str, Any], within: float = 10.0) -> None:
        port = network["ports"][0]
        answered("vm1", port["mac_address"], address(port), within)

    def plugged(switch: OpenVSwitch) -> str:
        columns = "--columns=_uuid,name,tag,trunks,vlan_mode,external_ids,other_config,interfaces"
        more = "--columns=_uuid,name,type,external_ids,ofport"
        return switch.vsctl("--no-wait", columns, "list", "Port") + switch.vsctl("--no-wait", more, "list", "Interface")

    @pytest.mark.parametrize("veth", [False, True])
    def test_a_network_is_served_and_a_restart_touches_nothing(switch: OpenVSwitch, tmp_path: Path, veth: bool) -> None:
        """Law: nothing is answered before the L2 agent has wired the port; a restarted agent leaves all as it is."""
        with site(tmp_path, ovs_use_veth=veth) as (server, agent):
            network = server.served(ports=2)
            name = port_of(server, network)
            device = f"ns-{name[3:]}" if veth else name
            (pid,) = dnsmasq_pids()
            assert (agent.directory(network["id"]) / "interface").read_text() == device
            answered("vm1", network["ports"][0]["mac_address"], None, 0.5)
            switch.wire(name, VLAN)
            ask(network)
            before = plugged(switch)
            agent.stop()
            agent.start()
            agent.kill()
            agent.start()
            ask(network)
            assert (dnsmasq_pids(), plugged(switch)) == ([pid], before)
            assert all(instance["adopted"] for instance in agent.status()["instances"])
            for port in network["ports"]:
                server.delete("port", port["id"])
            server.delete("network", network["id"])
            until("the port is gone", lambda: switch.ports() == ["vm1-ovs"])
            until("the namespace is gone", lambda: not os.listdir("/run/netns"))
            assert dnsmasq_pids() == []

    def test_open_vswitch_is_restarted(switch: OpenVSwitch, tmp_path: Path) -> None:
        """Law: the agent plugs again what a restart of Open vSwitch has cut off; the VLAN stays; dnsmasq goes on."""
        with site(tmp_path) as (server, _):
            network = server.served()
            name = port_of(server, network)
            switch.wire(name, VLAN)
            ask(network)
            pids, wired = dnsmasq_pids(), switch.wired(name)
            switch.kill_switch()
            switch.kill_database()
            switch.start_database()
            switch.start_switch()
            ask(network, 30.0)
            assert (dnsmasq_pids(), switch.wired(name)) == (pids, wired)

    def test_the_machine_is_started_anew(switch: OpenVSwitch, tmp_path: Path) -> None:
        """Law: ports that outlived a reboot in the database are used as they are; what nobody wants any more goes."""
        with site(tmp_path) as (server, agent):
            network, gone = server.served(), server.served("10.1.0.0/24")
            name = port_of(server, network)
            switch.wire(name, VLAN)
            ask(network)
            wired = switch.wired(name)
            agent.kill()
            for pid in dnsmasq_pids():
                os.kill(pid, 9)
            for namespace in os.listdir("/run/netns"):
                hosts.ip("netns", "delete", namespace)
            switch.kill_switch()
            server.delete("port", gone["ports"][0]["id"])
            server.delete("network", gone["id"])
            switch.start_switch()
            agent.start()
            ask(network, 30.0)
            assert switch.wired(name) == wired
            until("the other network's port is gone", lambda: switch.ports() == sorted([name, "vm1-ovs"]))

    def test_a_port_that_somebody_removed_is_back(switch: OpenVSwitch, tmp_path: Path) -> None:
        """Law: an audit sees it; the new one waits for the L2 agent, as every new one does."""
        with site(tmp_path) as (server, _):
            network = server.served()
            name = port_of(server, network)
            switch.vsctl("del-port", name)
            until("it is back", lambda: name in switch.ports())
            row = switch.row("Port", name)
            assert row is not None
            assert row["tag"] == 4095
            switch.wire(name, VLAN)
            ask(network, 30.0)

    def test_open_vswitch_is_away(switch: OpenVSwitch, tmp_path: Path) -> None:
        """Law: what is plugged is served and changed without it, after a restart too; a new network waits for it."""
        with site(tmp_path) as (server, agent):
            network = server.served()
            name = port_of(server, network)
            switch.wire(name, VLAN)
            ask(network)
            pids = dnsmasq_pids()
            switch.kill_database()
            agent.stop()
            agent.start()
            port = server.port(network["id"])
            # On the wire later: without its database the datapath in user space stands still.
            until("the port is ready", lambda: server.active(network["id"]))
            assert port["mac_address"] in (agent.directory(network["id"]) / "host").read_text()
            assert dnsmasq_pids() == pids
            other = server.network("10.1.0.0/24", 1)
            until("the log says why", lambda: "is openvswitch-switch running" in agent.log)
            switch.start_database()
            answered("vm1", port["mac_address"], address(port), 30.0)
            server.wait_active(other["id"])
            switch.wire(port_of(server, other), VLAN + 1)

else:

    def test_the_agent_serves_through_open_vswitch(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing() or openvswitch.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=400)
