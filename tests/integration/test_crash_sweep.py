"""kill -9 of the agent at every place between two adapter calls, then a start: all ends as if nothing had been.

Real server, agent, dnsmasq, haproxy, kernel and wire. Each scenario runs once without a crash, which gives the picture
to compare with and the number of places; then once for each place.

    DHCPCORE_CRASH_SWEEP=all     every place (minutes); default: every so many-th, another share at each run
    DHCPCORE_CRASH_OFFSET=n      which share; default: by the hour
    DHCPCORE_CRASH_KERNEL=1      inside adapters, too: at each netlink change and each rename of a file
    DHCPCORE_CRASH_ONLY=name     one scenario
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

import pytest

from support import host as hosts
from support.crash_scenarios import SCENARIOS, Run, Scenario
from support.mortal import MortalAgent
from support.picture import Names, offered, picture
from support.site import AgentProgram, Server, until

#: Of the places, one in so many is tried by default.
SHARE: Final = 15
#: Seconds that an agent has after its start until all is as it must be.
PATIENCE: Final = 30.0

WHOLE: Final = os.environ.get("DHCPCORE_CRASH_SWEEP") == "all"
KERNEL: Final = os.environ.get("DHCPCORE_CRASH_KERNEL") == "1"
OFFSET: Final = int(os.environ.get("DHCPCORE_CRASH_OFFSET", time.time() // 3600))

if hosts.inside():

    class Sweep:
        """The site, and what is seen on it."""

        def __init__(self, server: Server, mortal: MortalAgent) -> None:
            self.server, self.mortal = server, mortal

        def seen(self, run: Run) -> list[str]:
            """The picture, and what clients are offered."""
            mine = {os.getpid(), self.server.pid, self.mortal.nursery, *([self.mortal.pid] if self.mortal.pid else [])}
            state = self.mortal.agent.state
            lines = picture(self.server, state, run.network, run.known, but=mine, held=run.held)
            names = Names(run.network, run.known, self.server.list("ports"))
            for name in run.asked:
                lines.append(f"{name} is offered {offered(run.bridge, run.known[name]['mac_address'], names)}")
            return [*lines, "that is all"]

        def prepared(self, scenario: Scenario) -> Run:
            """A network as it is before the change; the agent is calm."""
            run = Run(self.server)
            scenario.prepare(run)
            until("the agent is calm", self.mortal.is_calm, told=lambda: self.mortal.log[-3000:])
            return run

        def undisturbed(self, scenario: Scenario) -> tuple[list[str], list[str]]:
            """What is seen after the change when nobody is killed, and the places that the agent came by."""
            run = self.prepared(scenario)
            self.carry_out(scenario, run, place=0)
            before: list[str] = []

            def settled() -> list[str]:
                nonlocal before
                last, before = before, self.seen(run) if self.mortal.is_calm() else []
                if before != last:
                    time.sleep(0.5)
                return before if before == last else []

            seen = until("it stays as it is", settled, told=lambda: "\n".join(before) + self.mortal.log[-3000:])
            places = self.mortal.trace
            self.mortal.disarm()
            self.end(run)
            return seen, places

        def carry_out(self, scenario: Scenario, run: Run, *, place: int) -> None:
            """The change, with an agent that counts."""
            if scenario.stopped:
                self.mortal.kill()
                scenario.change(run)
                self.mortal.arm(place)
                self.mortal.start(kernel=KERNEL)
                return
            self.mortal.arm(place)
            # It hears of the whole change at once, so that the places are the same ones each time.
            assert self.mortal.pid is not None
            os.kill(self.mortal.pid, signal.SIGSTOP)
            try:
                scenario.change(run)
            finally:
                os.kill(self.mortal.pid, signal.SIGCONT)

        def crashed(self, scenario: Scenario, place: int, wanted: list[str]) -> str | None:
            """Kill it at this place and start it again; the differences in words, None for none."""
            run = self.prepared(scenario)
            self.carry_out(scenario, run, place=place)
            deadline = time.monotonic() + 10
            while not self.mortal.has_died() and time.monotonic() < deadline:
                time.sleep(0.005)
            died = self.mortal.has_died()
            trace = self.mortal.trace
            self.mortal.disarm()
            if died:
                self.mortal.start(kernel=KERNEL)
            seen: list[str] = []
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                seen = self.seen(run) if self.mortal.is_calm() else []
                if seen == wanted and all(
                    offered(run.bridge, run.known[name]["mac_address"]).startswith("nothing") for name in run.silent
                ):
                    break
            else:
                missing, more = sorted(set(wanted) - set(seen)), sorted(set(seen) - set(wanted))
                log = self.mortal.log[-6000:]
                where = trace[place - 1] if len(trace) >= place else "no such place"
                changes = [*(f"- {line}" for line in missing), *(f"+ {line}" for line in more)]
                return "\n".join([f"{scenario.name}, place {place} ({where}):", *changes, log])
            self.end(run)
            return None if died else "not reached"

        def end(self, run: Run) -> None:
            """Delete the network; nothing may be left."""
            try:
                self.server.show("network", run.network)
            except Exception:
                pass
            else:
                for port in self.server.list("ports", f"network_id={run.network}"):
                    if port["device_owner"] != "network:dhcp" or port["device_id"] == "reserved_dhcp_port":
                        self.server.delete("port", port["id"])
                self.server.delete("network", run.network)
            left: list[str] = []

            def empty() -> bool:
                nonlocal left
                run.asked.clear()
                left = self.seen(run)
                return left == ["that is all"]

            until("nothing is left", empty, told=lambda: "\n".join(left) + self.mortal.log[-3000:])

    def test_killed_at_every_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Law: wherever the agent is killed, after its next start host, server and clients see what they would see."""
        only = os.environ.get("DHCPCORE_CRASH_ONLY")
        total, differences, counted, unreached = 0, [], [], 0
        try:
            with Server(tmp_path / "server") as server:
                agent = AgentProgram(tmp_path / "agent", server, report_interval=20, num_sync_threads=1)
                with MortalAgent(agent, tmp_path) as mortal:
                    sweep = Sweep(server, mortal)
                    for number, scenario in enumerate(SCENARIOS):
                        if only is not None and only != scenario.name:
                            continue
                        begun = time.monotonic()
                        mortal.kill()
                        agent.write_settings(**(agent.settings | {"enable_isolated_metadata": scenario.metadata}))
                        mortal.start(kernel=KERNEL)
                        until("the server knows it", lambda: server.agent(agent.host) and mortal.is_calm())
                        wanted, places = sweep.undisturbed(scenario)
                        tried = 0
                        for place in range(1, len(places) + 1):
                            if not WHOLE and (place + OFFSET + number) % SHARE:
                                continue
                            tried += 1
                            difference = sweep.crashed(scenario, place, wanted)
                            if difference == "not reached":
                                unreached += 1
                            elif difference is not None:
                                print(difference, flush=True)
                                differences.append(difference)
                                break  # what is left would be in all that follow
                        total += tried
                        counted.append(
                            f"{scenario.name}: {len(places)} places, {tried} tried, {time.monotonic() - begun:.1f} s"
                        )
                        with capfd.disabled():
                            print(counted[-1], flush=True)
                        if differences:
                            break
        finally:
            hosts.clear()
        with capfd.disabled():
            print(f"crash points: {total} tried, {unreached} of them not reached; differences: {len(differences)}")
        assert not differences, "\n\n".join(differences)
        assert total > unreached

else:

    def test_crash_sweep(tmp_path: Path) -> None:
        """Law: see the test inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=3600 if WHOLE else 300)
