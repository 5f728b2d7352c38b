"""MariaDB of a test's own, with Neutron's schema: own directory, and a unix socket and no port.

The schema takes half a minute to make, so it is made once, beside neutron's environment, and copied. Made inside a host
of a test's own only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from support.neutron.daemon import MARIADB, STARTING, VENV, Daemon, ini
from support.site import ROOT, until

_NAME: Final = "neutron"
_OPTIONS: Final = (
    "--no-defaults",
    "--user=root",
    "--skip-networking",
    "--skip-grant-tables",
    "--skip-log-bin",
    "--skip-log-error",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=200",
    "--character-set-server=utf8mb3",
)


class Database:
    """A MariaDB server with a database for Neutron; a context manager, at whose end it is gone.

    Args:
        folder: where its files are, made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._data = folder / "data"
        # A socket's path is at most 107 bytes; /run is the test's own.
        self.socket = Path(f"/run/{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}.mariadb")
        pid = folder / "pid"
        where = [f"--datadir={self._data}", f"--socket={self.socket}", f"--pid-file={pid}"]
        self.daemon = Daemon([str(MARIADB), *_OPTIONS, *where], folder / "mariadb.log")

    @property
    def url(self) -> str:
        """For ``[database] connection``."""
        return f"mysql+pymysql://root@localhost/{_NAME}?unix_socket={self.socket}&charset=utf8"

    def launch(self) -> None:
        """Start it, with the schema; `wait` for it."""
        if not self._data.exists():
            shutil.copytree(_template(), self._data)
        self.daemon.launch()

    def wait(self) -> None:
        """Wait until it accepts connections.

        Raises:
            AssertionError: it ended, or does not in time; with the end of its log.
        """
        until("MariaDB accepts connections", self._accepts, STARTING, told=lambda: self.daemon.log[-3000:])

    def _accepts(self) -> bool:
        assert self.daemon.is_running, self.daemon.log[-3000:]
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.socket))
            # It greets who connects.
            return connection.recv(4) != b""
        return False

    def stand_still(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Answer nobody for so long (SIGSTOP), then go on.

        Args:
            meanwhile: called as soon as it stands.
        """
        until_then = time.monotonic() + seconds
        self.daemon.send_signal(signal.SIGSTOP)
        try:
            meanwhile()
            time.sleep(max(0.0, until_then - time.monotonic()))
        finally:
            self.daemon.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, and wait until everything is on the disk."""
        assert self.daemon.process is not None
        self.daemon.process.terminate()
        self.daemon.process.wait(STARTING)

    def __enter__(self) -> Self:
        self.launch()
        self.wait()
        return self

    def __exit__(self, *_: Any) -> None:
        self.daemon.kill()


def _template() -> Path:
    """A data directory with the schema of this neutron, made where there is none yet."""
    versions = (ROOT / ".ci/neutron.lock").read_bytes() + subprocess.check_output([str(MARIADB), "--version"])
    template = VENV / f"database-{hashlib.sha256(versions).hexdigest()[:12]}"
    if not template.exists():
        with tempfile.TemporaryDirectory(dir=VENV, prefix="database-") as folder:
            made = _make(Path(folder))
            # Somebody else may have been faster.
            with suppress(OSError):
                os.rename(made, template)
    return template


def _make(folder: Path) -> Path:
    data = folder / "data"
    install = ["mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db", f"--datadir={data}"]
    _run([*install, "--auth-root-authentication-method=normal"])
    with Database(folder) as database:
        _run([str(VENV / "bin/python"), "-c", _CREATE, str(database.socket), _NAME])
        settings = folder / "neutron.conf"
        settings.write_text(ini({"DEFAULT": {"core_plugin": "ml2"}, "database": {"connection": database.url}}))
        _run([str(VENV / "bin/neutron-db-manage"), "--config-file", str(settings), "upgrade", "heads"])
        database.stop()
    return data


_CREATE: Final = """
import pymysql, sys
connection = pymysql.connect(unix_socket=sys.argv[1], user="root")
connection.cursor().execute(f"CREATE DATABASE {sys.argv[2]} CHARACTER SET utf8mb3")
"""


def _run(argv: list[str]) -> None:
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0, f"{' '.join(argv[:2])} ended with {ran.returncode}: {ran.stdout}{ran.stderr}"
