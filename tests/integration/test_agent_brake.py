"""A server that has lost its memory: the agent's brake holds (docs/resilience.md)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dhcpcore_adapters.agent.control import ask
from support import host as hosts
from support.clients.prober import Prober
from support.clients.wire_latency import answered
from support.site import ROOT, address, bridge, dnsmasq_pids, running, targets, until

if hosts.inside():

    def test_the_database_is_replaced_by_an_empty_one(tmp_path: Path) -> None:
        """Law: nothing is disabled: the brake holds, and says so, until the database is back, or somebody forces it."""
        with running(tmp_path / "site") as (server, agent):
            networks = [server.served() for _ in range(12)]
            before = dnsmasq_pids()
            assert len(before) == 12
            files = [server.database.with_name(f"{server.database.name}{tail}") for tail in ("", "-wal", "-shm")]

            def replace(aside: bool) -> None:
                """Take the database's files aside, or put them back."""
                server.stop()
                for file in files:
                    kept = file.with_name(f"kept-{file.name}")
                    source, to = (file, kept) if aside else (kept, file)
                    if not aside:
                        to.unlink(missing_ok=True)
                    if source.exists():
                        source.rename(to)
                server.start()

            def brake() -> Any:
                return agent.status()["brake"]

            with Prober(targets(networks), 0.25) as prober:
                replace(aside=True)
                # To this server the agent is a stranger until it reports: nobody is given this network before that.
                early = server.network("10.8.0.0/24", 1)
                held = until("the brake holds", brake)
                assert sorted(held["networks"]) == sorted(network["id"] for network in networks)
                told = _dhcpcore("status", "--socket", agent.control)
                # Of 13 where the early one is served already.
                assert re.search("12 networks of 1[23] are no longer listed by the server and held", told)
                assert "dhcpcore force-disable" in told
                # Meanwhile the agent is of use: the new server's networks are served.
                until("the server knows the agent", lambda: server.agent("host-1"))
                other = server.served("10.9.0.0/24")
                answered(bridge(other["id"]), other["ports"][0]["mac_address"], address(other["ports"][0]), 2.0)
                answered(bridge(early["id"]), early["ports"][0]["mac_address"], address(early["ports"][0]), 5.0)
                assert set(before) <= set(dnsmasq_pids())
                replace(aside=False)
                until("the brake lets go", lambda: brake() is None)
                until("what the empty server had has gone", lambda: dnsmasq_pids() == before)
                report = prober.report()
            assert (report.unanswered, report.worst.wrong) == (0, ())
            replace(aside=True)
            until("the brake holds again", brake)
            assert "12 networks" in _dhcpcore("force-disable", "--socket", agent.control)
            until("all have gone", lambda: not dnsmasq_pids())
            until("no namespace is left", lambda: not os.listdir("/run/netns"))
            assert ask(agent.control, {"command": "status"})["brake"] is None

    def test_the_brake_lets_go_by_itself(tmp_path: Path) -> None:
        """Law: an answer that stands for unsafe_disable_hold seconds is believed, and not before."""
        with running(tmp_path / "site", unsafe_disable_hold=3) as (server, agent):
            for _ in range(10):
                server.served()
            server.stop()
            for file in server.database.parent.glob("server.sqlite*"):
                file.unlink()
            server.start()
            held = until("the brake holds", lambda: agent.status()["brake"])
            begun = time.monotonic() - held["since_seconds_ago"]
            assert len(dnsmasq_pids()) == 10
            until("all have gone", lambda: not dnsmasq_pids())
            assert time.monotonic() - begun > 2.9

    def _dhcpcore(*arguments: str) -> str:
        """What the command prints."""
        path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters"))
        ran = subprocess.run(
            [sys.executable, "-m", "dhcpcore_adapters.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

else:

    def test_the_brake(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
