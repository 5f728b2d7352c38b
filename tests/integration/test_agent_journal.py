"""The flight recorder beside a real agent: what it wrote is replayed exactly, through a kill and a restart."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dhcpcore.journal import replay
from dhcpcore_adapters.agent.control import ask
from dhcpcore_adapters.cli import main
from dhcpcore_adapters.journal import JournalFiles
from support import host as hosts
from support.site import AgentProgram, Server, until

if hosts.inside():

    def command(*arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
        return code, out.getvalue(), err.getvalue()

    def test_what_an_agent_did_is_replayed(tmp_path: Path) -> None:
        """Law: every plan of a real agent's lives follows from its journal, whatever ended them; and `explain` on the
        living one tells what was done for a network and why."""
        journal = tmp_path / "journal"
        try:
            with (
                Server(tmp_path / "server") as server,
                AgentProgram(tmp_path / "agent", server, arguments=["-o", f"dhcpcore.journal={journal}"]) as agent,
            ):
                network = server.served(ports=3)
                server.served("10.1.0.0/24")
                server.wait_active(server.port(network["id"])["network_id"])
                explained: dict[str, Any] = ask(agent.control, {"command": "explain", "network": network["id"]})
                seen = [one["text"] for one in explained["recent"] if one["of_network"]]
                assert any(text.startswith("enable done: pid ") for text in seen), seen
                assert any(text.startswith("port_create_end: port ") for text in seen), seen
                assert explained["instances"][0]["pid"] == agent.dnsmasq_pid(network["id"])
                told = agent.status()["agent"]["events"]
                until("all is written", lambda: _steps(journal)[-1] >= told)
                agent.kill()
                agent.start()
                server.served("10.2.0.0/24")
                code, out, err = command("explain", network["id"], "--socket", agent.control)
                assert (code, err) == (0, "")
                assert "taken over" in out
                assert agent.stop()[0] == 0
        finally:
            hosts.clear()
        assert _steps(journal)[0] == 2
        code, out, err = command("replay", str(journal), "--json")
        assert code == 0, err
        steps = [json.loads(line) for line in out.splitlines()]
        assert sum(one["kind"] == "checkpoint" for one in steps) == 2
        kinds = {action["kind"] for one in steps if one["plan"] for action in one["plan"]["actions"]}
        assert {"create_dhcp_port", "enable", "reload", "notify_ready", "observe"} <= kinds
        # The second life found all of the first, and started one network more.
        second = max(number for number, one in enumerate(steps) if one["kind"] == "checkpoint")
        started = [
            action["network"]
            for one in steps[second:]
            if one["plan"]
            for action in one["plan"]["actions"]
            if action["kind"] in ("enable", "restart")
        ]
        assert len(started) == 1

    def _steps(journal: Path) -> tuple[int, int]:
        """How many lives are in it, and the number of the last event of the last one."""
        steps = list(replay(JournalFiles(str(journal))))
        assert not any(step.differences for step in steps)
        return sum(step.checkpoint is not None for step in steps), steps[-1].seq

else:

    def test_the_flight_recorder(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=120)
