"""The agent as a process, against the reference server: it starts, serves, ends and starts again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import host as hosts
from support.clients.wire_latency import answered, fell_silent
from support.site import AgentProgram, Server, dnsmasq_pids, until

if hosts.inside():

    @pytest.fixture
    def server(tmp_path: Path) -> Iterator[Server]:
        try:
            with Server(tmp_path / "server", "--agent-down-time", "4") as started:
                yield started
        finally:
            hosts.clear()

    @pytest.fixture
    def agent(server: Server, tmp_path: Path) -> Iterator[AgentProgram]:
        with AgentProgram(tmp_path / "agent", server) as started:
            yield started

    def test_a_network_comes_changes_and_goes_without_a_trace(server: Server, agent: AgentProgram) -> None:
        """Law: what the database has is served; what it has no more leaves nothing behind."""
        network = server.network(ports=2)
        bridge = f"brq{network['id'][:11]}"
        until("all ports are ACTIVE", lambda: server.active(network["id"]))
        for port in network["ports"]:
            answered(bridge, port["mac_address"], port["fixed_ips"][0]["ip_address"], 20.0)
        first, second = network["ports"]
        moved = [{"subnet_id": network["subnet"]["id"], "ip_address": "10.0.0.77"}]
        server.update("port", first["id"], fixed_ips=moved)
        answered(bridge, first["mac_address"], "10.0.0.77", 20.0)
        server.delete("port", second["id"])
        fell_silent(bridge, second["mac_address"], 20.0)
        server.delete("port", first["id"])
        server.delete("network", network["id"])
        until("dnsmasq has ended", lambda: not dnsmasq_pids())
        until("no namespace is left", lambda: not os.listdir("/run/netns"))
        until("no directory is left", lambda: not os.listdir(agent.state / "dhcp"))

    def test_it_ends_at_once_and_what_it_serves_goes_on(server: Server, agent: AgentProgram) -> None:
        """Law: SIGTERM ends the agent within two seconds, and no dnsmasq; a start over what is right does nothing."""
        networks = [server.network(ports=1) for _ in range(5)]
        until("all are served", lambda: server.active(*(network["id"] for network in networks)))
        before = dnsmasq_pids()
        assert len(before) == 5

        def written() -> dict[Path, int]:
            return {path: path.stat().st_mtime_ns for path in (agent.state / "dhcp").rglob("*") if path.is_file()}

        at = written()
        status, seconds = agent.stop()
        assert (status, seconds < 2.0) == (0, True), (status, seconds)
        assert dnsmasq_pids() == before
        agent.start()
        assert dnsmasq_pids() == before
        assert written() == at
        assert all(instance["adopted"] for instance in agent.status()["instances"])

    def test_the_database_tells_who_is_alive(server: Server, agent: AgentProgram) -> None:
        """Law: the server's database shows the agent alive with its counts, dead after agent_down_time, and revived."""
        networks = [server.network(ports=3) for _ in range(2)]
        until("all are served", lambda: server.active(*(network["id"] for network in networks)))

        def counts() -> tuple[bool, int, int, int]:
            known = server.agent("host-1")
            assert known is not None
            has = known["configurations"]
            return known["alive"], has["networks"], has["subnets"], has["ports"]

        until("the counts are reported", lambda: counts() == (True, 2, 2, 8))
        before = dnsmasq_pids()
        agent.kill()
        until("it counts as dead", lambda: not counts()[0])
        agent.start()
        until("it counts as alive", lambda: counts() == (True, 2, 2, 8))
        assert dnsmasq_pids() == before

    def test_a_second_agent_is_refused(server: Server, agent: AgentProgram, tmp_path: Path) -> None:
        """Law: one agent for one state path."""
        second = AgentProgram(tmp_path / "second", server)
        second.control = "/run/control-second.sock"
        second._ours = second._ours.replace("control-host-1", "control-second")
        second.write_settings(**(second.settings | {"state_path": str(agent.state)}))
        process = second.launch()
        assert process.wait(20) == 1
        assert "another dhcpcore agent holds" in second.log

    def test_a_process_that_dies_is_back(server: Server, agent: AgentProgram) -> None:
        """Law: a dnsmasq that is killed is back at once, long before an audit, and serves as before."""
        network = server.network(ports=1)
        until("it is served", lambda: server.active(network["id"]))
        port = network["ports"][0]
        killed = agent.dnsmasq_pid(network["id"])
        os.kill(killed, 9)
        bridge = f"brq{network['id'][:11]}"
        answered(bridge, port["mac_address"], port["fixed_ips"][0]["ip_address"], 5.0)
        assert agent.dnsmasq_pid(network["id"]) != killed

else:

    def test_the_agent_lives_as_it_should(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
