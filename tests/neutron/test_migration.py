"""docs/migration.md, step by step, on a real Neutron: from the stock agent to ours, and back to it with our driver.

With DHCPCORE_TRANSCRIPT naming a file, each command and what it printed are written there; the page shows them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from support import host as hosts
from support.neutron.control_plane import ControlPlane
from support.neutron.daemon import VENV
from support.neutron.run import run_with_neutron
from support.neutron.stock_agent import StockAgent
from support.site import ROOT, AgentProgram, Program, dnsmasq_pids, until

#: As on a host of an operator's, the files have short names; /run is the test's own.
FOLDER: Final = Path("/run/neutron")
FILES: Final = ("--config-file", f"{FOLDER}/neutron.conf", "--config-file", f"{FOLDER}/dhcp_agent.ini")
OPTION: Final = [{"opt_name": "bootfile-name", "opt_value": "pxelinux.0", "ip_version": 4}]

if hosts.inside():

    def dhcpcore(*words: str, code: int = 0) -> str:
        """Run a command as an operator does; what it printed. It must end with this exit code."""
        argv = [str(VENV / "bin/python"), "-m", "dhcpcore_adapters.cli", *words]
        path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters"))
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": path})
        said = ran.stdout + ran.stderr
        if transcript := os.environ.get("DHCPCORE_TRANSCRIPT"):
            with Path(transcript).open("a", encoding="utf-8") as file:
                file.write(f"$ dhcpcore {shlex.join(words)}\n{said}[exit code {ran.returncode}]\n\n")
        assert ran.returncode == code, said
        return said

    class OurAgent(AgentProgram):
        """``dhcpcore agent`` with the stock agent's own files, and nothing else."""

        def __init__(self) -> None:
            self.host, self.state = "host-1", FOLDER / "state"
            self.control = str(self.state / "dhcpcore.sock")
            argv = [str(VENV / "bin/python"), "-m", "dhcpcore_adapters.cli", "agent", *FILES]
            Program.__init__(self, argv, FOLDER / "dhcpcore.log")

    @contextmanager
    def site(folder: Path) -> Iterator[tuple[ControlPlane, StockAgent, list[dict[str, Any]]]]:
        """A Neutron, and the stock agent that serves three networks."""
        FOLDER.mkdir()
        with (
            ControlPlane(folder / "server") as server,
            StockAgent(FOLDER, server, enable_isolated_metadata=True) as agent,
        ):
            # Not before: the stock agent asks for its networks before the server knows it, and not again.
            made = [server.network(ports=3), server.network("10.1.0.0/24", ports=1)]
            server.create("port", network_id=made[1]["id"], extra_dhcp_opts=OPTION)
            made.append(server.network("fd00:2::/64", 1, ipv6_address_mode="dhcpv6-stateful"))
            yield server, agent, made

    def settled() -> list[int]:
        """The three dnsmasq, once none of them is replaced any more: the stock agent does that at most updates."""
        seen: list[tuple[list[int], float]] = [([], 0.0)]

        def still() -> bool:
            now = dnsmasq_pids()
            if now != seen[0][0]:
                seen[0] = (now, time.monotonic())
            return len(now) == 3 and time.monotonic() - seen[0][1] > 5

        until("three dnsmasq run and stay", still, 150)
        return seen[0][0]

    def stopped(stock: StockAgent) -> None:
        """SIGTERM, which takes the stock agent 12 s, and on a busy machine a minute."""
        assert stock.process is not None
        stock.process.terminate()
        stock.process.wait(150)

    def synchronised(stock: StockAgent) -> None:
        """Start the stock agent again; it has been through all networks when this returns."""
        words = "Synchronizing state complete"
        before = stock.log.count(words)
        stock.start()
        until("the stock agent has synchronised", lambda: stock.log.count(words) > before, 240)

    def test_a_host_goes_over_and_back(tmp_path: Path) -> None:
        """Law: what the plan says beforehand is what happens: nothing. Back it goes without a restart, too."""
        with site(tmp_path) as (server, stock, networks):
            serving = settled()
            plan = dhcpcore("plan", "--observe", "--detailed-exitcode", *FILES)
            assert "0 to enable, 0 to disable, 0 to reload, 0 to restart, 3 unchanged" in plan
            assert "stop it first" in dhcpcore("agent", *FILES, code=1)
            stopped(stock)
            assert dnsmasq_pids() == serving
            with OurAgent() as ours:
                assert dnsmasq_pids() == serving
                dhcpcore("status", *FILES)
                port = server.port(networks[0]["id"])
                server.wait_active(networks[0]["id"])
                dhcpcore("explain", networks[0]["id"], *FILES)
                assert port["fixed_ips"][0]["ip_address"] in (ours.directory(networks[0]["id"]) / "host").read_text()
                assert dnsmasq_pids() == serving
                assert ours.stop()[0] == 0
            assert dnsmasq_pids() == serving
            # Back to Neutron's agent, with our driver: nothing is restarted.
            settings = FOLDER / "dhcp_agent.ini"
            driver = "dhcp_driver = dhcpcore_adapters.neutron_driver.Dnsmasq"
            settings.write_text(settings.read_text().replace("[DEFAULT]", f"[DEFAULT]\n{driver}", 1))
            stock._environment["PYTHONPATH"] += "".join(f":{ROOT / part}" for part in ("", "adapters"))
            synchronised(stock)
            assert dnsmasq_pids() == serving
            server.port(networks[0]["id"])
            server.wait_active(networks[0]["id"])
            reload = f"dnsmasq of {networks[0]['id']}: reload: file host differs"
            until("our driver has reloaded it", lambda: reload in stock.log, 60, told=lambda: stock.log[-3000:])
            assert dnsmasq_pids() == serving

else:

    def test_migration(tmp_path: Path) -> None:
        """Law: see the test inside."""
        run_with_neutron(__file__, tmp_path, seconds=900)
