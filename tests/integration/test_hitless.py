"""The agent is restarted, again and again, and no client and no dnsmasq notices.

Real networks with clients that hold leases; every network is asked every 500 ms, most with a DISCOVER, one in ten with
a renewal. Control: the same for as long as all the restarts took, without any.

    DHCPCORE_HITLESS_NETWORKS=200   how many networks (20)
    DHCPCORE_HITLESS_RESTARTS=10    how many restarts of each kind (2)
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

from support import host as hosts
from support.clients.prober import Prober, Target
from support.clients.wires import Wire
from support.site import AgentProgram, Server, address, bridge, dnsmasq_pids, until

NETWORKS: Final = int(os.environ.get("DHCPCORE_HITLESS_NETWORKS", "20"))
RESTARTS: Final = int(os.environ.get("DHCPCORE_HITLESS_RESTARTS", "2"))
#: Seconds: of a start; the goal is for 200 networks.
READY: Final = 2.0
#: Seconds between two probes of a network, and after which an answer counts for none.
INTERVAL: Final = 0.5
LATE: Final = 1.0

if hosts.inside():

    @frozen
    class Touched:
        """What a restart must leave as it is.

        Attributes:
            processes: pid, and the moment of its start, of every dnsmasq.
            files: inode and time of change of each file; of leases files only where no client renews.
            read: lines of dnsmasq's own log that tell of a file read, as after each SIGHUP; `log` of all its lines but
                those about clients.
        """

        processes: dict[int, str]
        files: dict[str, tuple[int, int]]
        read: int

    def touched(agent: AgentProgram, log: Path, renewing: set[str]) -> Touched:
        files = {}
        for path in (agent.state / "dhcp").rglob("*"):
            if not (path.name == "leases" and path.parent.name in renewing):
                told = path.stat()
                files[str(path)] = (told.st_ino, told.st_mtime_ns)
        starts = {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] for pid in dnsmasq_pids()}
        return Touched(starts, files, sum(" read /" in line for line in log.read_text().splitlines()))

    def ready(agent: AgentProgram) -> float:
        """Start it; seconds until it has seen the host, heard the server, and has nothing to do."""
        begun = time.monotonic()
        agent.launch()

        def calm() -> bool:
            try:
                status: dict[str, Any] = agent.status()
            except Exception:
                return False
            heard = status["agent"]["host_observed"] and status["sync"]["answered_seconds_ago"] is not None
            return bool(heard and not status["in_flight"].keys() - {"report_state"} and not status["pending"])

        until("the agent is in step", calm, told=lambda: agent.log[-3000:])
        return time.monotonic() - begun

    def test_restarts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Law: no dnsmasq is restarted or signalled, no file is written, no probe is unanswered."""
        log = tmp_path / "dnsmasq.log"
        try:
            with Server(tmp_path / "server") as server:
                agent = AgentProgram(tmp_path / "agent", server, report_interval=5)
                (tmp_path / "agent" / "dnsmasq.conf").write_text(f"user=root\ngroup=\nlog-facility={log}\nquiet-dhcp\n")
                with agent:
                    lines = _restarted(server, agent, log)
        finally:
            hosts.clear()
        with capfd.disabled():
            print("\n".join(lines))

    def _restarted(server: Server, agent: AgentProgram, log: Path) -> list[str]:
        networks = [server.network(ports=2) for _ in range(NETWORKS)]
        identities = [network["id"] for network in networks]
        until("all ports are ACTIVE", lambda: server.active(*identities), 120)
        targets, renewing = [], set()
        for number, network in enumerate(networks):
            device, port = bridge(network["id"]), network["ports"][0]
            with Wire(device) as wire:
                lease = wire.take_lease(port["mac_address"])
            if number % 10 == 0:
                renewing.add(network["id"])
            targets.append(
                Target(
                    name=network["id"],
                    device=device,
                    mac=port["mac_address"],
                    expected=address(port),
                    lease=lease if number % 10 == 0 else None,
                )
            )
        time.sleep(1)
        before = touched(agent, log, renewing)
        assert len(before.processes) == NETWORKS
        assert before.read >= NETWORKS, "dnsmasq does not tell what it reads"
        times: dict[str, list[float]] = {"SIGTERM": [], "SIGKILL": []}
        with Prober(targets, INTERVAL) as prober:
            begun = time.monotonic()
            for _ in range(RESTARTS):
                for kind, end in (("SIGTERM", agent.stop), ("SIGKILL", agent.kill)):
                    end()
                    times[kind].append(ready(agent))
                    time.sleep(0.5)
            middle = time.monotonic()
            time.sleep(LATE + 0.5)
            control = time.monotonic()
            time.sleep(max(middle - begun, 2.0))
            end_of_control = time.monotonic()
            time.sleep(LATE + 0.5)
        after = touched(agent, log, renewing)
        restarted, undisturbed = prober.report(begun, middle), prober.report(control, end_of_control)
        assert after.processes == before.processes
        assert after.files == before.files
        assert after.read == before.read
        reloads = [line for line in agent.log.splitlines() if "action=re" in line]
        after_starts = agent.log.partition("agent ends; what it serves goes on")[2]
        assert not any(word in after_starts for word in ("action=reload", "action=restart", "action=enable")), reloads
        late = 0
        for report in (restarted, undisturbed):
            assert report.unanswered == 0, str(report)
            assert not any(each.wrong for each in report.measured)
            late += sum(latency > LATE for each in report.measured for latency in each.latencies)
        assert late == 0
        if NETWORKS <= 20:
            assert max(map(max, times.values())) < 4 * READY  # a busy machine is no fault of ours
        return [
            f"{NETWORKS} networks; restarts: {RESTARTS} by SIGTERM, {RESTARTS} by kill -9; "
            f"0 of {len(after.processes)} dnsmasq restarted, 0 files read again, 0 of {len(after.files)} files written",
            *(f"ready after {kind}: {', '.join(f'{each:.2f}' for each in got)} s" for kind, got in times.items()),
            f"meanwhile: {restarted}",
            f"control:   {undisturbed}",
        ]

else:

    def test_hitless(tmp_path: Path) -> None:
        """Law: see the test inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=900 if NETWORKS > 20 else 150)
