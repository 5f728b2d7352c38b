"""What an agent does while its server is away, or out of reach (docs/resilience.md)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support import host as hosts
from support.clients.prober import Prober
from support.clients.wire_latency import answered, fell_silent
from support.relay import Relay
from support.site import AgentProgram, Server, address, bridge, running, targets, until

#: Seconds for which the connection is cut.
OUTAGE: Final = float(os.environ.get("DHCPCORE_OUTAGE_SECONDS", "6"))

if hosts.inside():

    @pytest.fixture
    def site(tmp_path: Path) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path / "site", "--agent-down-time", "4") as made:
            yield made

    def fetches(agent: AgentProgram) -> int:
        """How often it has asked for all networks and was answered."""
        return agent.log.count("action done action=fetch_networks")

    def test_the_server_is_killed_in_a_burst(site: tuple[Server, AgentProgram]) -> None:
        """Law: killed three times while ports are created, the server loses none that it has confirmed.

        When the burst is over every port that it knows is served and ACTIVE, and no dnsmasq but those whose hosts
        changed was touched.
        """
        server, agent = site
        burst, calm = server.served(), server.served()
        pid = agent.dnsmasq_pid(calm["id"])
        confirmed: list[dict[str, Any]] = []

        def create() -> None:
            while len(confirmed) < 90:
                try:
                    confirmed.append(server.port(burst["id"]))
                except OSError:
                    time.sleep(0.05)  # away: a client asks again

        with Prober(targets([calm]), 0.02) as prober:
            creating = threading.Thread(target=create)
            creating.start()
            for wanted in (20, 40, 60):
                until("some ports are there", lambda wanted=wanted: len(confirmed) >= wanted)  # type: ignore[misc]
                server.kill()
                server.launch()
            creating.join(60)
            assert len(confirmed) == 90
            known = {port["id"]: port for port in server.list("ports", f"network_id={burst['id']}")}
            assert {port["id"] for port in confirmed} <= set(known)
            server.wait_active(burst["id"])
        for port in known.values():
            if port["binding:host_id"] == "compute-1":
                answered(bridge(burst["id"]), port["mac_address"], address(port), 2.0)
        report = prober.report()
        assert (report.unanswered, report.worst.wrong) == (0, ())
        assert agent.dnsmasq_pid(calm["id"]) == pid

    def test_the_connection_is_cut(tmp_path: Path) -> None:
        """Law: DHCP goes on meanwhile; one sync after it repairs what was missed, and nothing else is touched."""
        try:
            with (
                Server(tmp_path / "server", "--agent-down-time", "4") as server,
                Relay(server.url, "/run/relay.sock") as relay,
                AgentProgram(tmp_path / "agent", server, url=relay.url) as agent,
            ):
                networks = [server.served(ports=3) for _ in range(5)]
                changed, calm, gone = networks[0], networks[1:4], networks[4]
                pids = {network["id"]: agent.dnsmasq_pid(network["id"]) for network in calm}
                with Prober(targets([changed, *calm]), 0.05) as prober:
                    before = fetches(agent)
                    relay.freeze()
                    relay.cut()
                    came = server.port(changed["id"])
                    moved = [{"subnet_id": changed["subnet"]["id"], "ip_address": "10.0.0.200"}]
                    server.update("port", changed["ports"][1]["id"], fixed_ips=moved)
                    server.delete("port", changed["ports"][2]["id"])
                    for port in gone["ports"]:
                        server.delete("port", port["id"])
                    server.delete("network", gone["id"])
                    new = server.network("10.7.0.0/24", ports=1)
                    time.sleep(OUTAGE)
                    known = server.agent("host-1")
                    assert known is not None
                    assert known["alive"] == (OUTAGE < 4)
                    assert agent.process is not None
                    assert agent.process.poll() is None
                    relay.cut()
                    relay.thaw()
                    begun = time.monotonic()
                    server.wait_active(changed["id"], new["id"])
                    print(f"in step {time.monotonic() - begun:.2f} s after the connection was possible again")
                wire = bridge(changed["id"])
                answered(wire, came["mac_address"], address(came), 2.0)
                answered(wire, changed["ports"][1]["mac_address"], "10.0.0.200", 2.0)
                fell_silent(wire, changed["ports"][2]["mac_address"], 2.0)
                answered(bridge(new["id"]), new["ports"][0]["mac_address"], address(new["ports"][0]), 2.0)
                until("the deleted network has gone", lambda: not agent.directory(gone["id"]).exists())
                # A second one where the heartbeat was answered with "revived": the first may have been read before it.
                assert 1 <= fetches(agent) - before <= 2
                assert {network["id"]: agent.dnsmasq_pid(network["id"]) for network in calm} == pids
                report = prober.report()
                assert all(not each.wrong for each in report.measured)
                assert all(each.unanswered == 0 for each in report.measured[1:])
        finally:
            hosts.clear()

else:

    def test_resilience(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200 + OUTAGE)
