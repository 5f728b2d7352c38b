"""The agent under a service manager: what it says on a real socket, and the unit file beside the examples."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from support import host as hosts
from support.namespace import found
from support.site import AgentProgram, Server, dnsmasq_pids, until

UNIT: Final = Path(__file__).parents[2] / "examples/systemd/dhcpcore-agent.service"
#: Seconds in which the watchdog wants to hear something.
WATCHDOG: Final = 2.0

if hosts.inside():

    class Manager:
        """The service manager's end: every assignment that was told, in order, and when."""

        def __init__(self) -> None:
            self.path = "/run/notify"
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(self.path)
            self._socket.setblocking(False)
            self.told: list[tuple[str, float]] = []

        def heard(self, assignment: str, since: int = 0) -> bool:
            """Whether it was told, counted from the message with this number on."""
            while True:
                try:
                    message = self._socket.recv(4096).decode()
                except BlockingIOError:
                    return any(line.startswith(assignment) for line, _ in self.told[since:])
                self.told.extend((line, time.monotonic()) for line in message.split("\n"))

        def beats(self, seconds: float) -> list[float]:
            """When the watchdog heard something in the next so many seconds; their beginning and end are among them."""
            begun = len(self.told)
            at = time.monotonic()
            while time.monotonic() < at + seconds:
                self.heard("")
                time.sleep(0.01)
            return [at, *(when for line, when in self.told[begun:] if line == "WATCHDOG=1"), time.monotonic()]

        def close(self) -> None:
            self._socket.close()
            os.unlink(self.path)

    @pytest.fixture
    def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
        made = Manager()
        monkeypatch.setenv("NOTIFY_SOCKET", made.path)
        monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG * 1e6)))
        yield made
        made.close()

    @pytest.fixture
    def server(tmp_path: Path) -> Iterator[Server]:
        try:
            with Server(tmp_path / "server") as started:
                yield started
        finally:
            hosts.clear()

    def test_a_life(manager: Manager, server: Server, tmp_path: Path) -> None:
        """Law: it starts until it has seen the host, then it is ready and alive; it reloads, and it ends."""
        network = server.network(ports=1)
        with AgentProgram(tmp_path / "agent", server) as agent:
            until("it is ready", lambda: manager.heard("READY=1"))
            server.wait_active(network["id"])
            until("the line for people", lambda: manager.heard("STATUS=1 networks with 2 ports served"), 5.0)
            beats = manager.beats(3 * WATCHDOG)
            assert max(after - before for before, after in pairwise(beats)) < WATCHDOG
            # Nothing of it reaches those it starts.
            environment = Path(f"/proc/{agent.dnsmasq_pid(network['id'])}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in environment
            begun, at = len(manager.told), time.monotonic()
            agent.send_signal(signal.SIGHUP)
            until("it has read the settings again", lambda: manager.heard("READY=1", begun), 5.0)
            lines = [line for line, _ in manager.told[begun:]]
            assert lines.index("RELOADING=1") < lines.index("READY=1")
            told = next(line for line in lines if line.startswith("MONOTONIC_USEC="))
            assert at - 1 < int(told.partition("=")[2]) / 1e6 < time.monotonic()
            assert agent.stop()[0] == 0
            assert manager.heard("STOPPING=1", begun)
            assert dnsmasq_pids()

    def test_a_loop_that_is_stuck_is_not_heard_of(manager: Manager, server: Server, tmp_path: Path) -> None:
        """Law: the watchdog hears from the loop only; threads that live on, and answer, do not stand in for it."""
        stuck = tmp_path / "stuck"
        agent = AgentProgram(tmp_path / "agent", server)
        program = [sys.executable, "-m", "support.agent_that_hangs", str(stuck)]
        agent._argv = [*program, *agent._argv[agent._argv.index("agent") :]]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(Path(__file__).parents[1])
            with agent:
                until("it lives", lambda: manager.heard("WATCHDOG=1"))
                stuck.touch()
                manager.beats(WATCHDOG)  # the step that was under way
                assert len(manager.beats(2 * WATCHDOG)) == 2
                assert agent.status()["agent"]["host_observed"]  # a thread of its own answers
                begun = len(manager.told)
                stuck.unlink()
                until("it lives again", lambda: manager.heard("WATCHDOG=1", begun))

else:

    def test_under_a_service_manager(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=100)

    def verified(text: str, tmp_path: Path) -> str:
        """What systemd-analyze has to say about a unit, whose program need not be here."""
        analyze = found("systemd-analyze")
        if analyze is None:
            pytest.skip("there is no systemd-analyze here: apt-get install systemd")
        unit = tmp_path / UNIT.name
        unit.write_text(text.replace("/opt/dhcpcore/bin/dhcpcore", sys.executable))
        ran = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
        return ran.stdout + ran.stderr + ("" if ran.returncode == 0 else f"exit code {ran.returncode}")

    def test_the_unit_is_as_systemd_wants_it(tmp_path: Path) -> None:
        said = verified(UNIT.read_text(), tmp_path)
        assert [line for line in said.splitlines() if UNIT.name in line or "exit code" in line] == []

    def test_systemd_would_have_told(tmp_path: Path) -> None:
        assert "KillMod" in verified(UNIT.read_text().replace("KillMode=", "KillMod="), tmp_path)

    def test_the_unit_lets_what_is_served_live() -> None:
        lines = UNIT.read_text().splitlines()
        assert {"Type=notify", "KillMode=process", "OOMPolicy=continue", "TasksMax=infinity"} <= set(lines)
        # Each of these is a mount namespace, where names of network namespaces would be nobody else's.
        assert not [line for line in lines if line.startswith(("Private", "Protect", "ReadOnly", "ReadWrite", "Bind"))]
