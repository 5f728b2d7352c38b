"""What survives: kill -9, a restart, a database of another kind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reference_server import DatabaseError, Neutron, Options, ReferenceServer, schema

from .conftest import Api

EXAMPLES = Path(__file__).parents[2] / "examples"


class Remote:
    """What `Api` needs to know of a server in another process."""

    plugin = None

    def __init__(self, url: str) -> None:
        self.url = url


@contextmanager
def program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as a process, and where it listens."""
    environment = {**os.environ, "PYTHONPATH": f"{EXAMPLES}:{EXAMPLES.parent / 'adapters'}:{EXAMPLES.parent}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_server", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["listening"]
    finally:
        process.kill()
        process.communicate(timeout=20)


def _kill_when(enough: threading.Event, process: subprocess.Popen[str]) -> None:
    """SIGKILL, in the midst of the creates that follow."""
    enough.wait(60)
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)


def test_every_answered_create_is_there_after_kill_9(tmp_path: Path) -> None:
    database = str(tmp_path / "db")
    answered: list[str] = []
    for number in range(3):
        with program("--database", database, "--listen", "127.0.0.1:0") as (process, url):
            api = Api(Remote(url))  # type: ignore[arg-type]
            network, _ = api.network(f"10.{number}.0.0/24")
            enough = threading.Event()
            stop = threading.Thread(target=_kill_when, args=(enough, process))
            stop.start()
            made = 0
            try:
                while True:
                    answered.append(api.make("port", network_id=network)["id"])
                    made += 1
                    if made == 12:
                        enough.set()
            except (OSError, http.client.HTTPException):
                enough.set()
                stop.join()
            api.connection.close()
    assert len(answered) > 30
    with program("--database", database, "--listen", "127.0.0.1:0") as (_, url):
        api = Api(Remote(url))  # type: ignore[arg-type]
        ports = api.get("ports")
        assert set(answered) <= {port["id"] for port in ports}
        # At most one was under way each time; what is there is whole.
        assert len(ports) <= len(answered) + 3
        assert all(len(port["fixed_ips"]) == 1 for port in ports)
        api.connection.close()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_sigterm_ends_it_although_a_connection_is_open(tmp_path: Path) -> None:
    with program("--database", str(tmp_path / "db"), "--listen", "127.0.0.1:0") as (process, url):
        api = Api(Remote(url))  # type: ignore[arg-type]
        api.network()  # this connection stays open
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - begin < 5.0
        api.connection.close()


def test_what_was_made_is_there_after_a_restart(options: Options) -> None:
    with ReferenceServer(options) as server:
        api = Api(server)
        network, _ = api.network()
        api.report()
        port, before = api.make("port", network_id=network), api.get("networks")
        api.connection.close()
    with ReferenceServer(options) as server:
        api = Api(server)
        assert api.get("networks") == before
        assert api.get("ports") == [port]
        assert api.agent()["alive"] is True
        # And the next address is the next.
        assert api.make("port", network_id=network)["fixed_ips"][0]["ip_address"] == "10.0.0.3"
        api.connection.close()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    options = Options(database=str(tmp_path / "db"))
    Neutron(options).close()
    with closing(sqlite3.connect(options.database)) as connection:
        connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
    with pytest.raises(DatabaseError, match=r"schema version 2.*reads version 1.*move the file away"):
        Neutron(options)
    with closing(sqlite3.connect(options.database)) as connection:
        assert connection.execute("SELECT count(*) FROM networks").fetchone() == (0,)


def test_another_programs_database_and_no_database_at_all(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
    with pytest.raises(DatabaseError, match="another program"):
        Neutron(Options(database=str(path)))
    path.write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(DatabaseError, match=r"not a database.*Move the file away"):
        Neutron(Options(database=str(path)))
    with pytest.raises(DatabaseError, match="cannot open"):
        Neutron(Options(database="/proc/none/db"))


class _Counted(sqlite3.Connection):
    """Python 3.13 warns of connections that nobody has closed; here they are counted."""

    open = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _Counted.open += 1

    def close(self) -> None:
        super().close()
        _Counted.open -= 1


def test_every_connection_is_closed_however_the_opening_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Counted, "open", 0)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Counted))
    path = tmp_path / "db"
    neutron = Neutron(Options(database=str(path)))
    assert _Counted.open == 1
    neutron.close()
    assert _Counted.open == 0
    path.write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(DatabaseError):
        Neutron(Options(database=str(path)))
    assert _Counted.open == 0

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path.unlink()
    monkeypatch.setattr(schema, "_check_version", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Neutron(Options(database=str(path)))
    assert _Counted.open == 0


def test_the_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds what ports are told, and who is who."""
    path = tmp_path / "db"
    old = os.umask(0o022)
    try:
        with ReferenceServer(Options(database=str(path), listen="127.0.0.1:0")) as server:
            api = Api(server)
            api.network()
            api.connection.close()
            names = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert names == dict.fromkeys(("db", "db-wal", "db-shm", "db.lock"), 0o600)


def test_two_servers_on_one_database(tmp_path: Path) -> None:
    options = Options(database=str(tmp_path / "db"))
    first = Neutron(options)
    with pytest.raises(DatabaseError, match="in use by another server"):
        Neutron(options)
    first.close()
    Neutron(options).close()


def test_a_database_that_cannot_be_written_is_said_and_nothing_is_half_done(api: Api, options: Options) -> None:
    network, _ = api.network()
    with closing(sqlite3.connect(options.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, kind, message = api.refused("POST", "/v2.0/ports", {"port": {"network_id": network}})
        assert (status, kind) == (503, "ServiceUnavailable")
        assert "locked" in message
        other.execute("ROLLBACK")
    assert api.get("ports") == []
    assert api.make("port", network_id=network)["fixed_ips"][0]["ip_address"] == "10.0.0.2"
