"""The connection to Open vSwitch's database: what a server may do on the wire, by a server that does it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import AdapterError
from dhcpcore_adapters.netns.ovsdb import Ovsdb, Refused, Unreachable, as_map, as_set, checked, mapping, some

Serve = Callable[[socket.socket, dict[str, Any]], None]


@contextmanager
def serving(folder: Path, serve: Serve, patience: float = 5) -> Iterator[Ovsdb]:
    """A connection to a server that answers each request with `serve`."""
    path = folder / "db.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(10)

        def run() -> None:
            with listening.accept()[0] as accepted, accepted.makefile("rb") as lines:
                accepted.settimeout(10)
                received = b""
                while chunk := lines.read1():
                    received += chunk
                    try:
                        request = json.loads(received)
                    except ValueError:
                        continue
                    received = b""
                    serve(accepted, request)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with Ovsdb(f"unix:{path}", patience) as database:
            yield database
        thread.join(10)
        assert not thread.is_alive()


def reply(request: dict[str, Any], *results: Any, error: Any = None) -> bytes:
    return json.dumps({"id": request["id"], "result": list(results), "error": error}, ensure_ascii=False).encode()


def test_a_transaction_and_its_answers(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def serve(connection: socket.socket, request: dict[str, Any]) -> None:
        asked.append(request)
        connection.sendall(reply(request, {"rows": []}, {"count": 1}) + b" \n")

    with serving(tmp_path, serve) as database:
        assert database.transact({"op": "a"}, {"op": "b"}) == [{"rows": []}, {"count": 1}]
        assert database.transact() == [{"rows": []}, {"count": 1}]
    assert [(each["method"], each["params"]) for each in asked] == [
        ("transact", ["Open_vSwitch", {"op": "a"}, {"op": "b"}]),
        ("transact", ["Open_vSwitch"]),
    ]


def test_an_answer_in_pieces_between_other_messages(tmp_path: Path) -> None:
    """Law: bytes may come singly, a character in two; an echo is answered; other answers and notices are not ours."""
    echoed: list[dict[str, Any]] = []

    def serve(connection: socket.socket, request: dict[str, Any]) -> None:
        if "method" not in request:
            echoed.append(request)
            return
        told = b'{"method":"update","params":[],"id":null}{"id":99,"result":[{"count":7}],"error":null}\n'
        told += b'{"method":"echo","params":["x"],"id":"echo"}' + reply(request, {"rows": [{"name": "dé}{ü"}]})
        for at in range(len(told)):
            connection.sendall(told[at : at + 1])

    with serving(tmp_path, serve) as database:
        assert database.transact({"op": "a"}) == [{"rows": [{"name": "dé}{ü"}]}]
    assert echoed == [{"result": ["x"], "error": None, "id": "echo"}]


@pytest.mark.parametrize(
    "results, error, said",
    [
        ([{"count": 1}, {"error": "constraint violation", "details": "two rows"}], None, r"violation \(two rows\)"),
        ([{"error": "timed out"}, None], None, "timed out"),
        ([{}, None, {"error": "aborted", "details": ""}], None, "aborted$"),
        ([], "unknown database", "unknown database"),
    ],
)
def test_a_refusal(tmp_path: Path, results: list[Any], error: Any, said: str) -> None:
    with serving(tmp_path, lambda told, request: told.sendall(reply(request, *results, error=error))) as database:
        with pytest.raises(Refused, match=said) as caught:
            database.transact({"op": "a"})
        assert caught.value.retryable


def test_no_answer(tmp_path: Path) -> None:
    """Law: the time is counted from the question, whatever else is said meanwhile."""

    def serve(connection: socket.socket, request: dict[str, Any]) -> None:
        connection.sendall(b'{"method":"update","params":[],"id":null}{"id":1,"result":[')

    with serving(tmp_path, serve, 0.2) as database:
        with pytest.raises(Unreachable, match="does not answer; look at ovsdb-server") as caught:
            database.transact({"op": "a"})
        assert (caught.value.silent, caught.value.retryable) == (True, True)


def test_a_connection_that_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path, lambda told, _: told.shutdown(socket.SHUT_RDWR)) as database:
        with pytest.raises(Unreachable, match="closed the connection; it will be tried again") as caught:
            database.transact({"op": "a"})
        assert not caught.value.silent


def test_no_server(tmp_path: Path) -> None:
    """Law: the error names the place, and what to look at; also for a socket that nobody listens on."""
    path = tmp_path / "db.sock"
    for _ in range(2):
        with pytest.raises(
            AdapterError, match=rf"unix:{path} .*openvswitch-switch running.*ovsdb_connection"
        ) as caught:
            Ovsdb(f"unix:{path}", 1)
        assert caught.value.retryable
        with socket.socket(socket.AF_UNIX) as left:
            if not path.exists():
                left.bind(str(path))


def test_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def run() -> None:
            with listening.accept()[0] as accepted:
                accepted.sendall(reply(json.loads(accepted.recv(4096)), {"count": 0}))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with Ovsdb(f"tcp:127.0.0.1:{port}", 5) as database:
            assert database.transact({"op": "a"}) == [{"count": 0}]
        thread.join(10)


def test_values() -> None:
    """RFC 7047, section 5.1: a set of one may stand without its brackets."""
    assert (some(["set", []]), some(["set", [1, 2]]), some(3), some("")) == ([], [1, 2], [3], [""])
    assert some(["uuid", "x"]) == [["uuid", "x"]]
    assert mapping(as_map({"a": "b", "c": ""})) == {"a": "b", "c": ""}
    assert as_set("a", ["uuid", "b"]) == ["set", ["a", ["uuid", "b"]]]
    assert checked("tcp:[::1]:6640", "o") == "tcp:[::1]:6640"
