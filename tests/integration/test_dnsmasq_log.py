"""dnsmasq's own log (dnsmasq_base_log_dir), as an operator asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import host as hosts
from support.clients.wire_latency import answered
from support.site import bridge, running, until

if hosts.inside():

    def test_the_directory_of_the_log_is_made(tmp_path: Path) -> None:
        """Law: a network logs to a file of its own below dnsmasq_base_log_dir, whose directories nobody made before."""
        logs = tmp_path / "log" / "dnsmasq"
        with running(tmp_path, dnsmasq_base_log_dir=str(logs)) as (server, _):
            network = server.served(ports=1)
            (port,) = network["ports"]
            answered(bridge(network["id"]), port["mac_address"], port["fixed_ips"][0]["ip_address"], 2.0)
            log = logs / network["id"] / "dhcp_dns_log"
            until("the client's question is in the log", lambda: port["mac_address"] in log.read_text(), 5.0)

    def test_where_it_cannot_be_made_the_error_says_so(tmp_path: Path) -> None:
        """Law: nothing is served without the log that was asked for, and the agent says why."""
        (tmp_path / "log").write_text("a file where a directory belongs")
        with running(tmp_path, dnsmasq_base_log_dir=str(tmp_path / "log")) as (server, agent):
            server.network(ports=1)
            until("the reason is told", lambda: "dnsmasq_base_log_dir" in agent.log, 10.0, told=lambda: agent.log)

else:

    def test_dnsmasq_logs(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=100)
