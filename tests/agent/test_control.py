"""The control socket: who may ask, what comes back, and what a broken client or a dead agent leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.agent.control import LONGEST_REQUEST, Command, ControlError, ControlServer, ask
from support.waiting import eventually


def _broken(_: dict[str, Any]) -> Any:
    raise KeyError("it broke")


COMMANDS: dict[str, Command] = {
    "status": lambda _: {"format_version": 1, "instances": []},
    "sync": lambda request: {"asked": request.get("network")},
    "broken": _broken,
    "no-json": lambda _: {1, 2},
    "infinite": lambda _: float("inf"),
    "large": lambda _: ["x" * 1000] * 4000,
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "agent.sock")


@pytest.fixture
def server(path: str) -> Iterator[ControlServer]:
    made = ControlServer(path, COMMANDS, request_seconds=0.5)
    yield made
    made.close()


def say(path: str, data: bytes, *, end: bool = True) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    return json.loads(answer)


@pytest.mark.usefixtures("server")
class TestAsking:
    def test_a_command_is_answered(self, path: str) -> None:
        assert ask(path, {"command": "status"}) == {"format_version": 1, "instances": []}
        assert ask(path, {"command": "sync", "network": "net-1"}) == {"asked": "net-1"}
        assert ask(path, {"command": "sync", "network": None}) == {"asked": None}

    def test_a_large_answer_comes_whole(self, path: str) -> None:
        assert ask(path, {"command": "large"}) == ["x" * 1000] * 4000

    def test_only_the_agents_user_may_connect(self, path: str) -> None:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.listdir(os.path.dirname(path)) == ["agent.sock"]

    def test_an_unknown_command_is_told_the_known_ones(self, path: str) -> None:
        with pytest.raises(
            ControlError, match=r"expected one of broken, infinite, large, no-json, status, sync, got 'x'"
        ):
            ask(path, {"command": "x"})

    @pytest.mark.parametrize("command", ["broken", "no-json", "infinite"])
    def test_a_command_that_fails_takes_nothing_with_it(self, path: str, command: str) -> None:
        with pytest.raises(ControlError, match="a fault of the agent, please report it: "):
            ask(path, {"command": command})
        assert ask(path, {"command": "status"})

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\n",
            b"hello\n",
            b"[]\n",
            b"{}\n",
            b'{"command": 1}\n',
            b'{"command": "sync", "network": []}\n',
            b'{"command": "sync", "network": ""}\n',
            b'{"command": "sync", "network": "' + b"x" * 256 + b'"}\n',
            b'{"command": "status"}',
            b"\xff\xfe\n",
            b"[" * 60000 + b"\n",
            b"x" * (LONGEST_REQUEST + 1) + b"\n",
            b'{"command": "status", "' + b"x" * 2000 + b'": 1}\n',
        ],
    )
    def test_a_bad_request_gets_an_error_and_the_next_one_an_answer(self, path: str, data: bytes) -> None:
        error = say(path, data)["error"]
        assert error.startswith(("expected ", "network: expected ", "xxx"))
        assert len(error) < 400
        assert say(path, b'{"command": "status"}\n')["answer"]

    def test_silent_clients_hold_nobody_up_for_long(self, path: str) -> None:
        silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(12)]
        try:
            for one in silent:
                one.connect(path)
            began = time.monotonic()
            assert ask(path, {"command": "status"})
            assert time.monotonic() - began < 5
            assert b"no request came in 0.5 s" in silent[0].recv(1000)
        finally:
            for one in silent:
                one.close()

    def test_a_slow_trickle_is_cut_off(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
            slow.connect(path)
            began = time.monotonic()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while time.monotonic() - began < 10:
                    slow.sendall(b" ")
                    time.sleep(0.02)
            assert time.monotonic() - began < 5

    def test_many_at_once(self, path: str) -> None:
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append(ask(path, {"command": "sync", "network": f"n{n}"})))
            for n in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(answer["asked"] for answer in answers) == sorted(f"n{n}" for n in range(30))


class TestNobodyThere:
    def test_no_socket(self, path: str) -> None:
        with pytest.raises(ControlError, match=r"no agent answers on .*agent\.sock: is `dhcpcore agent` running"):
            ask(path, {"command": "status"})

    def test_a_socket_left_over(self, path: str) -> None:
        left_over(path)
        with pytest.raises(ControlError, match="no agent answers on"):
            ask(path, {"command": "status"})

    def test_one_that_does_not_answer(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
            mute.bind(path)
            mute.listen()
            with pytest.raises(ControlError, match=r"has not answered in 0\.2 s"):
                ask(path, {"command": "status"}, timeout=0.2)

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"{}\n", b"[1]\n"])
    def test_something_else(self, path: str, said: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.bind(path)
            other.listen()

            def answer() -> None:
                connection, _ = other.accept()
                connection.recv(1000)
                connection.sendall(said)
                connection.close()

            thread = threading.Thread(target=answer)
            thread.start()
            with pytest.raises(ControlError, match="is no dhcpcore agent"):
                ask(path, {"command": "status"})
            thread.join(5)

    def test_a_path_that_no_socket_can_have(self, tmp_path: Path) -> None:
        with pytest.raises(ControlError, match="too long for a unix socket: choose a control_socket of at most 107"):
            ask(str(tmp_path / ("x" * 120)), {"command": "status"})


def left_over(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(path)
        dead.listen()


class TestTheSocketFile:
    def test_a_stale_one_is_replaced(self, path: str) -> None:
        left_over(path)
        server = ControlServer(path, COMMANDS)
        assert ask(path, {"command": "status"})
        server.close()

    def test_one_that_answers_is_not(self, path: str, server: ControlServer) -> None:
        with pytest.raises(ControlError, match=r"a process answers on .* already"):
            ControlServer(path, {})
        assert ask(path, {"command": "status"})

    def test_what_is_no_socket_is_not_touched(self, path: str) -> None:
        Path(path).write_text("mine")
        with pytest.raises(ControlError, match="is no socket: move it away"):
            ControlServer(path, {})
        assert Path(path).read_text() == "mine"

    def test_it_goes_at_the_end_at_once_and_once(self, path: str, server: ControlServer) -> None:
        began = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - began < 3
        assert os.listdir(os.path.dirname(path)) == []

    def test_another_ones_stays(self, path: str, server: ControlServer) -> None:
        os.unlink(path)
        other = ControlServer(path, COMMANDS)
        server.close()
        assert ask(path, {"command": "status"})
        other.close()

    def test_one_that_somebody_removed_is_made_again(self, path: str, server: ControlServer) -> None:
        os.unlink(path)
        assert eventually(lambda: os.path.exists(path))
        assert ask(path, {"command": "status"})
        assert os.listdir(os.path.dirname(path)) == ["agent.sock"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        server.close()
        assert os.listdir(os.path.dirname(path)) == []

    def test_its_directory_is_moved_away(self, tmp_path: Path) -> None:
        """Law: it is where the settings say; the one that was moved is answered on no more, and so replaced later."""
        path = str(tmp_path / "state" / "agent.sock")
        reporter = RecordingReporter()
        server = ControlServer(path, COMMANDS, reporter=reporter)
        (tmp_path / "state").rename(tmp_path / "moved")
        assert eventually(lambda: os.path.exists(path))
        assert ask(path, {"command": "status"})
        assert reporter.messages() == ["the control socket was gone; it is made again"]
        server.close()
        with pytest.raises(ControlError, match="no agent answers"):
            ask(str(tmp_path / "moved" / "agent.sock"), {"command": "status"})

    def test_another_agents_is_told_and_left_alone(self, path: str) -> None:
        reporter = RecordingReporter()
        server = ControlServer(path, COMMANDS, reporter=reporter, look_seconds=0.05)
        os.unlink(path)
        other = ControlServer(path, {"other": lambda _: "mine"})
        assert eventually(reporter.messages)
        time.sleep(0.3)
        assert len(reporter.records) == 1
        assert "a process answers on" in str(reporter.records[0].fields["error"])
        assert ask(path, {"command": "other"}) == "mine"
        other.close()
        assert eventually(lambda: os.path.exists(path))
        assert ask(path, {"command": "status"})
        server.close()

    def test_one_that_cannot_be_made_again_is_told_once(self, path: str) -> None:
        """Law: what took its place is not touched; when it goes, the socket is back."""
        reporter = RecordingReporter()
        server = ControlServer(path, COMMANDS, reporter=reporter, look_seconds=0.05)
        os.unlink(path)
        Path(path).write_text("mine")
        assert eventually(reporter.messages)
        time.sleep(0.3)
        (told,) = reporter.records
        assert told.message == "the control socket is gone, and cannot be made again"
        assert "is no socket: move it away" in str(told.fields["error"])
        assert Path(path).read_text() == "mine"
        os.unlink(path)
        assert eventually(lambda: os.path.exists(path))
        assert ask(path, {"command": "status"})
        server.close()

    def test_missing_directories_are_made(self, tmp_path: Path) -> None:
        path = str(tmp_path / "a" / "b" / "agent.sock")
        server = ControlServer(path, COMMANDS)
        assert ask(path, {"command": "status"})
        server.close()

    def test_where_none_can_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ControlError, match=r"cannot be made: .*; choose another control_socket"):
            ControlServer(str(tmp_path / "file" / "agent.sock"), {})
        with pytest.raises(ControlError, match="too long for a unix socket"):
            ControlServer(str(tmp_path / ("x" * 120)), {})


def test_a_thread_that_cannot_be_started_is_one_answer_less(
    path: str, server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: where the host allows no more threads (pids.max), who asks gets none; the next one does."""
    start = threading.Thread.start
    refused: list[str] = []

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "control answer" and len(refused) < 20:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    for _ in range(20):
        with pytest.raises(ControlError):
            ask(path, {"command": "status"}, timeout=1)
    assert ask(path, {"command": "status"}) == COMMANDS["status"]({})
