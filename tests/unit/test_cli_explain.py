"""`dhcpcore explain`: asked of a control socket, told to people and to programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, events, explain_network
from dhcpcore.testing.simulation import wander
from dhcpcore_adapters.agent.control import ControlServer
from dhcpcore_adapters.agent.recent import Recent
from dhcpcore_adapters.cli import main
from dhcpcore_adapters.cli.explain import explain_lines
from support.script import Script, network, port, serving

Capture = pytest.CaptureFixture[str]


class Asked:
    """An agent's control socket, with a state of the test's making behind it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.script = Script()
        self.recent = Recent()
        self.server = ControlServer(path, {"explain": self._explain})

    def _explain(self, request: dict[str, Any]) -> Any:
        network_id = request["network"]
        now = self.script.now
        return explain_network(self.script.state, network_id, now) | self.recent.about(network_id, now)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(str(tmp_path / "dhcpcore.sock"))
    yield made
    made.server.close()


SERVED = """\
Network  net
Wanted   1 subnet (1 with DHCP), 4 ports, MTU 1450
Serves   pid PID on tapnet-dhcp, 10.0.255.254/16 169.254.169.254/32, 2 reservations
Proxy    net, pid PID

Waiting:
  1 port to be reported once served

It would do now:
  ~ reload: file host differs; file addn_hosts differs

Last plan, 3.0 s ago:
  + enable: not served yet

Last events:
   5.0 s ago  connected to the server
   3.0 s ago  plan: enable
   0.0 s ago  port_create_end: port net-p9, revision 1
"""


def test_a_network(agent: Asked, capsys: Capture) -> None:
    script = Script(network(ports=(port(1), port(2))), force_metadata=True)
    script.settle()
    agent.script = script
    enable = next(action for action in script.history if isinstance(action, actions.EnableInstance))
    script.now = 105.0
    created = events.PortCreated(port=port(9), at=105.0)
    for event in (
        events.ServerConnected(at=100.0),
        events.PlanStarted(plan=actions.Plan(actions=(enable,)), at=102.0),
        created,
    ):
        agent.recent.record(event, script.state, script.state)
    script.tell(created)
    assert main(["explain", "net", "--socket", agent.path]) == 0
    out, err = capsys.readouterr()
    assert re.sub(r"pid \d+", "pid PID", out) == SERVED
    assert err == ""


def test_as_json(agent: Asked, capsys: Capture) -> None:
    agent.script = serving()
    assert main(["explain", "net", "--socket", agent.path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == explain_network(agent.script.state, "net", agent.script.now) | {"recent": [], "last_plan": None}


def test_one_that_nobody_knows(agent: Asked, capsys: Capture) -> None:
    assert main(["explain", "other", "--socket", agent.path]) == 0
    out = capsys.readouterr().out
    assert "Serves   nothing\n" in out
    assert "Because  neither the server nor this host has told of a network with this id\n" in out


def test_what_failed_and_waits(agent: Asked, capsys: Capture) -> None:
    script = agent.script = serving()
    script.tell(events.PortCreated(port=port(7)))
    for action in script.start():
        script.fail(action, reason="disk full")
    assert main(["explain", "net", "--socket", agent.path]) == 0
    out = capsys.readouterr().out
    assert "Because  work on the host waits: disk full; it is tried again\n" in out
    assert (
        "Waiting:\n  net: work on the host (to be looked at again); failed 1 time: disk full, again in 1.0 s\n" in out
    )
    assert "  1 port to be reported once served\n" in out


def test_no_agent(tmp_path: Path, capsys: Capture) -> None:
    assert main(["explain", "net", "--socket", str(tmp_path / "none")]) == 1
    assert "no agent answers on" in capsys.readouterr().err


@given(seed=st.integers(0, 1 << 40))
def test_any_state_can_be_told(seed: int) -> None:
    """Whatever happened, each network's text is made."""
    world = wander(seed, 25)
    state, now = world.agent.state, world.clock.monotonic()
    for network_id, record in state.networks.items():
        lines = list(explain_lines(explain_network(state, network_id, now)))
        assert lines[0] == f"Network  {network_id}"
        assert sum(" reservations" in line for line in lines) == len(record.served)
