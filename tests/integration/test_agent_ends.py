"""When an agent ends by itself, or does not even start: it says why, and disturbs nothing that is served."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support import host as hosts
from support.clients.wire_latency import answered
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, dnsmasq_pids, running

if hosts.inside():

    def test_it_ends_with_its_children(tmp_path: Path) -> None:
        """Law: with check_child_processes_action = exit a dnsmasq that dies ends the agent; the next one serves all."""
        with running(tmp_path / "site", check_child_processes_action="exit") as (server, agent):
            first, second = server.served(), server.served()
            os.kill(agent.dnsmasq_pid(first["id"]), signal.SIGKILL)
            assert agent.process is not None
            assert agent.process.wait(20) == 1
            assert "check_child_processes_action says: exit" in agent.log
            assert len(dnsmasq_pids()) == 1
            agent.start()
            for network in (first, second):
                (port,) = network["ports"]
                answered(bridge(network["id"]), port["mac_address"], address(port), 5.0)

    @pytest.mark.parametrize(
        "instead, said",
        [("/dev/null", "there is no dnsmasq on this host"), ("old", "is version 2.66, older than 2.69")],
        ids=["missing", "old"],
    )
    def test_no_dnsmasq_that_will_do(instead: str, said: str, tmp_path: Path) -> None:
        """Law: without a dnsmasq, or with one that is too old, the agent does not start, and says what to install."""
        old = tmp_path / "old"
        old.write_text("#!/bin/sh\necho 'Dnsmasq version 2.66  Copyright (c) 2000-2013 Simon Kelley'\n")
        old.chmod(0o755)
        where = Path(found("dnsmasq") or "").resolve()
        script = f'mount --bind {tmp_path / instead} {where} && exec "$@"'
        prefix = [found("unshare") or "unshare", "--mount", "sh", "-c", script, "sh"]
        with Server(tmp_path / "server") as server:
            agent = AgentProgram(tmp_path / "agent", server, prefix=prefix)
            assert agent.launch().wait(20) == 1
            assert said in agent.log
            assert "install dnsmasq 2.81 or later" in agent.log
            assert "Traceback" not in agent.log

else:

    def test_ends(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
