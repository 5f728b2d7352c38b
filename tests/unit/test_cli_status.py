"""`dhcpcore status`, `sync` and `force-disable`: asked of a control socket, told to people and to programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, describe_state, events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost, ObservedInstance
from dhcpcore.testing.simulation import wander
from dhcpcore_adapters.agent.control import ControlServer
from dhcpcore_adapters.cli import main
from dhcpcore_adapters.cli.status import status_lines
from support.script import Script, network, port, serving

SERVED = """\
Agent      host-1, up, dnsmasq 2.90
Host       looked at 12 s ago, again in 5 min
Heartbeat  answered 12 s ago, next in 18 s
Sync       answered 12 s ago
Serves     2 networks, 2 subnets, 4 ports; 2 of 2 dnsmasq processes alive
Ready      0 ports to be reported, 0 to be served first

NETWORK  SEGMENT  PID  DEVICE       PORTS  ADDRESSES                          REMARKS
a        -        PID  tapa-dhcp  0      10.0.255.2/16 169.254.169.254/32
b        -        PID  tapb-dhcp  2      10.0.255.2/16 169.254.169.254/32

METADATA PROXY OF  ID  PID  REMARKS
a                  a   PID
b                  b   PID
"""


class Asked:
    """An agent's control socket, with a state of the test's making behind it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.script = Script()
        self.requests: list[dict[str, Any]] = []
        commands = {"status": self._status, "sync": self._sync, "force-disable": self._force}
        self.server = ControlServer(path, commands)

    def _status(self, request: dict[str, Any]) -> Any:
        self.requests.append(request)
        return describe_state(self.script.state, self.script.now)

    def _sync(self, request: dict[str, Any]) -> Any:
        self.requests.append(request)
        return {"asked": request["network"] or "all networks"}

    def _force(self, request: dict[str, Any]) -> Any:
        self.requests.append(request)
        return {"let_go": ["a", "b"]}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(str(tmp_path / "dhcpcore.sock"))
    yield made
    made.server.close()


def text(script: Script) -> str:
    return "\n".join(status_lines(describe_state(script.state, script.now))) + "\n"


class TestText:
    def test_served_networks(self) -> None:
        script = serving(network("b", ports=(port(1, "b"), port(2, "b"))), network("a"), force_metadata=True)
        script.now += 12
        found = re.sub(r"\b[12]\d\d\b(?=\s)", "PID", text(script))
        assert re.sub(r" +", " ", found) == re.sub(r" +", " ", SERVED)

    def test_before_anything_happened(self) -> None:
        told = text(Script())
        assert "Host       not looked at yet\n" in told
        assert "Heartbeat  answered never, next now\n" in told
        assert "Sync       answered never; another one now: start\n" in told

    def test_what_failed(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(reason="a test", network_id="net"))
        script.tell(events.ResyncRequested(reason="another"))
        script.now += 30
        for action in script.start():
            script.fail(action, reason=f"no {action.kind}")
        told = text(script)
        assert "Heartbeat  answered 30 s ago; 1 failure since, next in 30 s\n" in told
        assert (
            "Sync       answered 30 s ago; another one in 1.0 s: another, the last sync failed; failed 1 time: no"
            in told
        )
        assert (
            "\nWaiting:\n  net: a fetch (a test, the last fetch failed); failed 1 time: no fetch_network, again in"
            in told
        )

    def test_a_claim_that_only_news_can_mend(self) -> None:
        script = Script(network())
        for _ in range(3):
            for action in script.start():
                if isinstance(action, actions.CreateDhcpPort):
                    script.fail(action, reason="IpAddressGenerationFailure: net", fault="address_exhausted")
                else:
                    script.succeed(action)
        assert "  net: a DHCP port; failed 1 time: IpAddressGenerationFailure: net, again when there is news\n" in text(
            script
        )

    def test_the_brake(self) -> None:
        script = serving(*(network(f"n{number}") for number in range(10)))
        script.server.clear()
        script.now += 100
        script.tell(events.ResyncRequested(reason="a test"))
        script.settle()
        told = "10 networks of 10 are no longer listed by the server and held for 5 min more; dhcpcore force-disable"
        assert told in text(script)

    @given(seed=st.integers(0, 1 << 40))
    def test_any_state_can_be_told(self, seed: int) -> None:
        """Whatever happened, the text is made, and has one row for each instance."""
        world = wander(seed, 25)
        status = describe_state(world.agent.state, world.clock.monotonic())
        lines = list(status_lines(status))
        assert all("\n" not in line for line in lines)
        for one in status["instances"]:
            assert any(line.startswith(one["network"]) for line in lines)


class TestAsking:
    def test_status(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        agent.script = serving()
        assert main(["status", "--socket", agent.path]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("Agent      host-1, up, dnsmasq 2.90\n")
        assert err == ""

    def test_status_as_json(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        agent.script = serving()
        assert main(["status", "--socket", agent.path, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == describe_state(agent.script.state, agent.script.now)

    def test_the_socket_is_found_by_the_settings(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["status", "-o", f"state_path={Path(agent.path).parent}"]) == 0
        assert main(["status", "-o", f"dhcpcore.control_socket={agent.path}"]) == 0
        assert len(agent.requests) == 2

    def test_nothing_on_the_host_steers_the_terminal(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        key = InstanceKey(network_id="net")
        agent.script.observed = ObservedHost(instances=(ObservedInstance(key=key),))
        agent.script.succeed(*agent.script.start())
        agent.script.tell(events.ResyncRequested(reason="\x1b[2Jcleared\nnext", network_id="net"))
        assert main(["status", "--socket", agent.path]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert r"\x1b[2Jcleared\nnext" in out

    def test_sync(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["sync", "--socket", agent.path]) == 0
        assert main(["sync", "net-1", "--socket", agent.path]) == 0
        told = "The agent asks the server for all networks.\nThe agent asks the server for net-1.\n"
        assert capsys.readouterr().out == told
        assert [request["network"] for request in agent.requests] == [None, "net-1"]

    def test_force_disable(self, agent: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["force-disable", "--socket", agent.path]) == 0
        assert capsys.readouterr().out == "- a\n- b\nThe brake held 2 networks.\n"

    @pytest.mark.parametrize("command", ["status", "sync", "force-disable"])
    def test_no_agent(self, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([command, "-o", f"state_path={tmp_path}"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            f"dhcpcore: no agent answers on {tmp_path}/dhcpcore.sock: is `dhcpcore agent` running, and with the same"
            " state_path?\n"
        )

    def test_a_senseless_timeout(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["status", "--socket", "x", "--timeout", "0"]) == 1
        assert main(["status", "--socket", "x", "--timeout", "nan"]) == 1
        assert capsys.readouterr().err.count("expected seconds, more than 0") == 2
