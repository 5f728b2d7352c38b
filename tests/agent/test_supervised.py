"""What a service manager hears from the agent, over a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import evolve

from dhcpcore import Settings, initial_state
from dhcpcore_adapters.agent.supervised import Supervised, describe
from support.script import network, port, serving


class Manager:
    """One end of the protocol: what was told, message by message."""

    def __init__(self, address: str) -> None:
        self.name = address if not address.startswith("\0") else "@" + address[1:]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[list[str]]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"\0dhcpcore-test-{os.getpid()}")
    yield made
    made.close()


STARTING = initial_state(Settings())
SERVING = initial_state(Settings(), observed=True)


def test_it_is_ready_once_the_host_was_seen_and_says_so_once(manager: Manager) -> None:
    agent = Supervised({"NOTIFY_SOCKET": manager.name})
    agent.stepped(STARTING, 0.0)
    assert manager.heard() == [[f"STATUS={describe(STARTING)}"]]
    agent.stepped(SERVING, 0.5)
    assert manager.heard() == [["READY=1"]]
    for now in (1.0, 2.0, 3.0):
        agent.stepped(SERVING, now)
    assert manager.heard() == []
    assert agent.patience(None) is None
    assert agent.patience(7.0) == 7.0


def test_the_watchdog_hears_from_steps_and_from_nothing_else(manager: Manager) -> None:
    """Law: without a step it hears nothing; with steps at the pace that is asked for, in time."""
    agent = Supervised({"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())})
    assert agent.patience(None) == agent.patience(100.0) == 1.0
    assert agent.patience(0.25) == 0.25
    at = []
    for tick in range(100):
        agent.stepped(SERVING, tick / 10)
        if ["WATCHDOG=1"] in [[line for line in heard if line == "WATCHDOG=1"] for heard in manager.heard()]:
            at.append(tick / 10)
    assert at[0] == 0.0
    assert max(later - before for before, later in pairwise(at)) < 1.0
    assert len(at) < 15
    assert manager.heard() == []


@pytest.mark.parametrize(
    "environment",
    [{"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {}],
    ids=repr,
)
def test_a_watchdog_of_somebody_else_or_none_hears_nothing(manager: Manager, environment: dict[str, str]) -> None:
    agent = Supervised({"NOTIFY_SOCKET": manager.name, **environment})
    agent.stepped(SERVING, 0.0)
    assert not any("WATCHDOG=1" in message for message in manager.heard())
    assert agent.patience(None) is None


def test_the_status_is_told_when_it_changes_and_not_more_often_than_once_a_second(manager: Manager) -> None:
    agent = Supervised({"NOTIFY_SOCKET": manager.name})
    script = serving(network(ports=(port(5), port(6))))
    agent.stepped(SERVING, 0.0)
    manager.heard()
    agent.stepped(script.state, 0.5)
    assert manager.heard() == []
    assert agent.patience(None) == 1.0  # it is owed
    agent.stepped(script.state, 1.0)
    assert manager.heard() == [["STATUS=1 networks with 3 ports served"]]
    assert agent.patience(None) is None


def test_reading_the_settings_again_is_begun_and_ended(manager: Manager) -> None:
    agent = Supervised({"NOTIFY_SOCKET": manager.name})
    agent.stepped(SERVING, 1.0)
    manager.heard()
    agent.reloading(2.5)
    assert manager.heard() == [["RELOADING=1", "MONOTONIC_USEC=2500000"]]
    agent.stepped(SERVING, 3.0)
    assert manager.heard() == [["READY=1"]]


def test_the_end_is_told(manager: Manager) -> None:
    Supervised({"NOTIFY_SOCKET": manager.name}).stopping()
    (message,) = manager.heard()
    assert message[0] == "STOPPING=1"


@pytest.mark.parametrize("name", ["", "@", "relative", "vsock:2:1234"])
def test_without_a_socket_that_it_knows_nothing_is_told(name: str) -> None:
    agent = Supervised({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
    agent.stepped(SERVING, 0.0)
    agent.reloading(1.0)
    agent.stopping()
    assert agent.patience(None) is None


def test_a_manager_that_is_not_there_is_told_later(tmp_path: Path) -> None:
    """Law: whatever becomes of the socket, the agent goes on; what could not be told is told at a later step."""
    path = str(tmp_path / "notify")
    agent = Supervised({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"})
    agent.stepped(SERVING, 0.0)
    assert agent.patience(None) == 1.0
    manager = Manager(path)
    agent.stepped(SERVING, 1.0)
    (message,) = manager.heard()
    manager.close()
    assert message[:2] == ["READY=1", "WATCHDOG=1"]


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    """Law: what does not fit into its socket is told at a later step, and no step waits for that."""
    manager = Manager(str(tmp_path / "notify"))
    agent = Supervised({"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "30000000"})
    began = time.monotonic()
    now = 0.0
    while agent.patience(None) != 1.0:
        now += 30.0
        assert now < 1e6, "its socket never fills up"
        agent.stepped(SERVING, now)
    assert time.monotonic() - began < 5.0
    assert len(manager.heard()) > 1
    agent.stepped(SERVING, now + 1.0)
    (message,) = manager.heard()
    assert message == ["WATCHDOG=1"]
    manager.close()


def test_the_line_for_people_tells_what_is_amiss() -> None:
    script = serving(network("a"), network("b"))
    assert describe(script.state) == "2 networks with 2 ports served"
    assert describe(STARTING).endswith("; the server has not told its networks yet")
    waiting = evolve(script.state, waiting=script.state.waiting.set("a", 1.0))
    assert "1 have something to be tried again" in describe(waiting)
