"""`dhcpcore apply` and `dhcpcore plan --observe` in the simulated world: what is read, believed, done, and left."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from dhcpcore import DnsmasqCapabilities, HostCapabilities, Settings
from dhcpcore.contracts import NullReporter
from dhcpcore.testing import (
    Faults,
    MemoryClock,
    MemoryHost,
    MemoryServer,
    SimulatedAgent,
)
from dhcpcore.testing.host.memory import SIGNAL, START, WRITE
from dhcpcore_adapters.cli import apply, main, plan
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.live import Live
from dhcpcore_adapters.cli.once import Once
from dhcpcore_adapters.cli.terminal import Terminal
from support.memory_adapters import memory_adapters

HOST = "host-1"


class World:
    """A server with networks, a host with nothing on it, and an agent that may run there."""

    def __init__(self, **options: Any) -> None:
        self.clock = MemoryClock()
        self.faults = Faults()
        self.server = MemoryServer(self.clock, self.faults)
        self.host = MemoryHost(self.clock, self.faults)
        self.settings = Settings(host=HOST, num_sync_threads=1, **options)
        self.server.desk.report(HOST, {})
        self.live = Live(
            adapters=memory_adapters(self.server, self.host, NullReporter(), HOST),
            settings=self.settings,
            capabilities=HostCapabilities(dnsmasq=DnsmasqCapabilities(version=(2, 90))),
        )
        self.out, self.err = io.StringIO(), io.StringIO()

    def network(self, ports: int = 1) -> str:
        """A network with ports, scheduled to this host; its id."""
        network_id: str = self.server.create_network()["id"]
        self.server.create_subnet(network_id, cidr=f"10.{len(self.server.tables.networks)}.0.0/24")
        for _ in range(ports):
            self.server.create_port(network_id)
        self.server.desk.bind(network_id, HOST)
        return network_id

    def delete(self, network_id: str) -> None:
        """The network and its ports go, and nobody tells this host."""
        for port in self.server.tables.ports_of(network_id):
            self.server.delete_port(port["id"])
        self.server.delete_network(network_id)

    def forget_agent(self) -> None:
        """The server has never heard of this host's agent."""
        del self.server.tables.agents[HOST]

    def agent(self) -> SimulatedAgent:
        """An agent that has served everything, and ended."""
        agent = SimulatedAgent(self.server, self.host, self.settings)
        agent.settle()
        self.asked()
        return agent

    def apply(self, **options: Any) -> int:
        given = {"only": None, "yes": True, "force": False, "json": False} | options
        return apply.apply(self.live, argparse.Namespace(**given), self._terminal())

    def plan(self, **options: Any) -> int:
        given = {"only": None, "json": False, "detailed_exitcode": True} | options
        return plan.plan_observed(self.live, argparse.Namespace(**given), self._terminal())

    def done(self) -> dict[str, int]:
        return {what: self.host.count(what) for what in (START, SIGNAL, WRITE)}

    def _terminal(self) -> Terminal:
        self.out, self.err = io.StringIO(), io.StringIO()
        return Terminal(out=self.out, err=self.err, colour=False, live=False)

    def asked(self) -> list[str]:
        """The calls that reached the server since the last time."""
        methods = [call.method for call in self.server.calls]
        self.server.calls.clear()
        return methods


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(apply, "Once", partial(Once, sleep=made.clock.advance))
    monkeypatch.setattr(plan, "Once", partial(Once, sleep=made.clock.advance))
    yield made
    assert "report_state" not in made.asked()


class TestApply:
    def test_from_nothing(self, world: World) -> None:
        a, b = sorted([world.network(), world.network(2)])
        assert world.apply() == 0
        out = world.out.getvalue()
        assert f"+ {a}\n    claim a new DHCP port\n" in out
        assert f"+ {b}\n" in out
        assert "Plan: 2 to enable, 0 to disable, 0 to reload, 0 to restart, 0 unchanged.\n" in out
        assert out.endswith(" s: everything is as the server wants it.\n")
        assert world.err.getvalue() == ""
        assert world.agent().differences() == []
        reported = {port_id for _, ids in world.server.ready_reports for port_id in ids}
        assert len(reported) == 5  # with the two DHCP ports

    def test_where_nothing_is_to_be_done_nothing_is_done(self, world: World) -> None:
        world.network()
        world.agent()
        before, _ = world.done(), world.asked()
        assert world.apply(yes=False) == 0
        assert world.out.getvalue() == "Plan: 0 to enable, 0 to disable, 0 to reload, 0 to restart, 1 unchanged.\n"
        assert world.done() == before
        assert world.asked() == ["get_active_networks_info"]

    def test_a_network_that_is_gone_goes(self, world: World) -> None:
        kept, gone = world.network(), world.network()
        world.agent()
        world.delete(gone)
        assert world.apply() == 0
        assert f"- {gone}\n    the server no longer lists the network\n" in world.out.getvalue()
        assert [process.program for process in world.host.processes.values()] == ["dnsmasq"]
        assert world.host.namespaces.keys() == {f"qdhcp-{kept}"}

    def test_only_what_is_named(self, world: World) -> None:
        a, b = world.network(), world.network()
        world.agent()
        world.server.create_port(a)
        world.server.create_port(b)
        assert world.apply(only=[b]) == 0
        assert "1 to reload, 0 to restart, 0 unchanged" in world.out.getvalue()
        assert a not in world.out.getvalue()
        assert world.plan() == 2
        assert f"~ {a}\n" in world.out.getvalue()
        assert b not in world.out.getvalue()

    def test_only_what_nobody_knows(self, world: World) -> None:
        world.network()
        assert world.apply(only=["unheard-of"]) == 3
        assert world.err.getvalue() == "dhcpcore: network unheard-of is neither served nor wanted\n"

    def test_an_empty_answer_is_not_believed(self, world: World) -> None:
        network_id = world.network()
        world.agent()
        before = world.done()
        world.forget_agent()
        assert world.apply() == 3
        assert "Plan: 0 to enable, 0 to disable" in world.out.getvalue()
        assert "1 network is served here, and the server lists none at all" in world.err.getvalue()
        assert f"network {network_id} is not as the server wants it: not listed by" in world.err.getvalue()
        assert world.done() == before

    def test_an_empty_answer_is_believed_when_forced(self, world: World) -> None:
        world.network()
        world.agent()
        world.forget_agent()
        assert world.apply(force=True) == 0
        assert not world.host.namespaces

    def test_the_brake_holds_until_it_is_forced(self, world: World) -> None:
        names = [world.network() for _ in range(12)]
        world.agent()
        for name in names[1:]:
            world.delete(name)
        before = world.done()
        assert world.apply() == 3
        assert "the brake holds 11 of 12 served networks that the server no longer lists" in world.err.getvalue()
        assert world.done() == before
        assert len(world.host.namespaces) == 12
        assert world.plan() == 2
        assert "0 to enable, 11 to disable" in world.out.getvalue()
        assert "a full sync would hold 11 of 12 served networks back" in world.err.getvalue()
        assert world.apply(force=True) == 0
        assert world.host.namespaces.keys() == {f"qdhcp-{names[0]}"}

    @pytest.mark.parametrize("slow", ["operator", "server"])
    def test_the_brake_holds_however_long_it_takes(
        self, world: World, monkeypatch: pytest.MonkeyPatch, slow: str
    ) -> None:
        """An agent believes an answer that stands; whoever was told that nothing goes without --force does not."""
        names = [world.network() for _ in range(12)]
        world.agent()
        for name in names[1:]:
            world.delete(name)
        world.network()

        def waited() -> bool:
            world.clock.advance(400)
            return True

        if slow == "operator":
            monkeypatch.setattr(apply, "_agreed", lambda _: waited())
        else:
            create = world.live.adapters.server.create_dhcp_port
            monkeypatch.setattr(
                world.live.adapters.server, "create_dhcp_port", lambda of: create(of) if waited() else None
            )
        assert world.apply(yes=slow == "server") == 3
        assert "--force disables them" in world.err.getvalue()
        assert len(world.host.namespaces) == 13

    def test_what_changes_while_somebody_is_asked_is_shown_and_asked_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody agrees to what he has not seen, and nothing is done for what was true an hour ago."""
        kept, gone = world.network(), world.network()
        changes: list[Callable[[], object]] = [
            lambda: world.delete(gone),
            lambda: world.server.create_port(kept),
            lambda: None,
        ]

        def agreed(_: Terminal) -> bool:
            changes.pop(0)()
            return True

        monkeypatch.setattr(apply, "_agreed", agreed)
        assert world.apply(yes=False) == 0
        assert not changes
        assert world.err.getvalue().count("has changed while you were asked") == 2
        assert "Plan: 2 to enable" in world.out.getvalue()
        assert world.out.getvalue().count("Plan: 1 to enable") == 2
        assert world.host.namespaces.keys() == {f"qdhcp-{kept}"}
        assert world.agent().differences() == []

    def test_a_failure_is_told_and_takes_no_other_network_with_it(self, world: World) -> None:
        bad, good = world.network(), world.network()
        world.faults.arm("process.start_dnsmasq", subject=f"*{bad}*", times=None)
        assert world.apply() == 3
        err = world.err.getvalue()
        assert f"dhcpcore: enable of network {bad} failed: " in err
        assert world.out.getvalue().endswith(" s: 1 thing is left.\n")
        assert good not in err
        world.faults.disarm()
        assert world.apply() == 0
        assert world.agent().differences() == []

    def test_a_server_that_cannot_be_asked(self, world: World) -> None:
        world.network()
        world.agent()
        before = world.done()
        world.faults.arm("server.get_active_networks_info", times=None)
        with pytest.raises(CommandError, match=r"fetch_networks failed: .*; nothing was changed"):
            world.apply()
        assert world.done() == before

    def test_a_host_that_cannot_be_observed(self, world: World) -> None:
        world.network()
        world.faults.arm("process.observe*", times=None)
        with pytest.raises(CommandError, match=r"observe failed: .*; nothing was changed"):
            world.apply()

    def test_without_yes_and_without_a_terminal_nothing_is_done(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.network()
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        with pytest.raises(CommandError, match=r"nobody can be asked .*: say --yes; nothing was changed"):
            world.apply(yes=False)
        assert world.done() == {START: 0, SIGNAL: 0, WRITE: 0}

    @pytest.mark.parametrize("said, code, starts", [("y\n", 0, 1), ("n\n", 3, 0), ("", 3, 0)])
    def test_somebody_is_asked(
        self, world: World, monkeypatch: pytest.MonkeyPatch, said: str, code: int, starts: int
    ) -> None:
        world.network()
        stdin = io.StringIO(said)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", stdin)
        assert world.apply(yes=False) == code
        assert world.err.getvalue() == "Carry it out? [y/N] "
        assert world.host.count(START) == starts

    def test_json(self, world: World) -> None:
        bad, good = sorted([world.network(), world.network()])
        world.faults.arm("process.start_dnsmasq", subject=f"*{bad}*", times=None)
        assert world.apply(json=True) == 3
        document = json.loads(world.out.getvalue())
        assert list(document) == ["format_version", "plan", "actions", "failures", "left", "doubted"]
        assert [change["network"] for change in document["plan"]["changes"]] == [bad, good]
        assert document["actions"]["enable"] == 1
        assert [(one["action"], one["network"]) for one in document["failures"]] == [("enable", bad)]
        assert [one["network"] for one in document["left"]] == [bad]
        assert document["doubted"] == []


class TestPlanObserve:
    def test_it_lists_what_an_agent_would_do_and_only_reads(self, world: World) -> None:
        served, gone = world.network(), world.network()
        world.agent()
        world.network()
        world.server.create_port(served)
        world.delete(gone)
        before, ports = world.done(), len(world.server.tables.ports)
        world.asked()
        assert world.plan() == 2
        assert "Plan: 1 to enable, 1 to disable, 1 to reload, 0 to restart, 0 unchanged.\n" in world.out.getvalue()
        assert world.err.getvalue() == ""
        assert world.done() == before
        assert len(world.server.tables.ports) == ports
        assert set(world.asked()) <= {"get_active_networks_info", "get_network_info"}

    def test_it_says_what_apply_then_does(self, world: World) -> None:
        a, b = world.network(), world.network()
        world.agent()
        world.server.create_port(a)
        world.delete(b)
        assert world.plan(json=True) == 2
        planned = json.loads(world.out.getvalue())
        assert world.apply(json=True) == 0
        assert json.loads(world.out.getvalue())["plan"] == planned
        assert world.plan(json=True) == 0
        assert json.loads(world.out.getvalue())["changes"] == []

    def test_an_empty_answer_is_not_believed(self, world: World) -> None:
        world.network()
        world.agent()
        world.forget_agent()
        assert world.plan() == 0
        assert "the server lists none at all" in world.err.getvalue()

    def test_a_report_interval_of_zero_changes_nothing_of_that(self, world: World) -> None:
        world.network()
        world.agent()
        world.forget_agent()
        world.live = evolve(world.live, settings=evolve(world.settings, report_interval=0))
        assert world.plan() == 0
        assert "the server lists none at all" in world.err.getvalue()


@pytest.mark.parametrize(
    "argv, said",
    [
        (["plan"], "expected --current A.json and --desired B.json, or --observe"),
        (["plan", "--observe", "--current", "x", "--host", "h"], "--observe takes no --current, --host: "),
        (["plan", "--current", "x", "--desired", "y", "-o", "host=a"], "-o: only with --observe"),
        (["apply", "--json"], "--json: expected --yes beside it"),
        (["apply", "--config", "/no/such.toml"], "/no/such.toml: cannot be read: No such file or directory"),
        (["plan", "--observe", "-o", "dhcpcore.transport=nope"], "option transport: expected one of "),
        (
            ["apply", "-o", "interface_driver=nope", "-o", "dhcpcore.transport_options.url=unix:///x"],
            "interface_driver",
        ),
    ],
)
def test_wrong_usage(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("dhcpcore: ")
    assert said in err


def _apply(state_path: str) -> int:
    url = "dhcpcore.transport_options.url=unix:///nobody/there"
    return main(["apply", "-o", url, "-o", "interface_driver=null", "-o", f"state_path={state_path}"])


def test_a_state_path_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert _apply("/dev/null/none") == 1
    told = "dhcpcore: /dev/null/none: Not a directory; choose another state_path, or free space\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    "number, advice",
    [
        (errno.EACCES, "run this as root"),
        (errno.EPERM, "run this as root"),
        (errno.ENOSPC, "choose another state_path, or free space"),
        (errno.EROFS, "choose another state_path, or free space"),
    ],
)
def test_to_be_root_helps_where_something_is_forbidden(
    number: int, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(path: str) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("dhcpcore_adapters.agent.lock.AgentLock", refused)
    assert _apply("/state") == 1
    said = capsys.readouterr().err
    assert said.startswith("dhcpcore: /state/")
    assert said.endswith(f": {os.strerror(number)}; {advice}\n")
