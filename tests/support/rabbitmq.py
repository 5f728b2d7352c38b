"""A RabbitMQ of a test's own: node, ports, epmd, cookie and data are its own, all of it on loopback.

Knows how Debian's package lays it out; nothing is installed from here.  It ends with the process that started it,
killed or not.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

_PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
#: A broker takes some seconds; on a machine that is busy, many.
_PATIENCE: Final = 90.0
_MORTAL: Final = ("setpriv", "--pdeathsig", "KILL", "--")


def why_not() -> str | None:
    """Why no RabbitMQ can be run here; None where one can."""
    if not _PROGRAM.exists():
        return f"no RabbitMQ: {_PROGRAM} is not there (Debian, Ubuntu: apt install rabbitmq-server)"
    for program in ("erl", "epmd", "setpriv"):
        if shutil.which(program) is None:
            return f"no RabbitMQ: {program} is not on PATH"
    return None


class RabbitMQ:
    """A broker; a context manager, started by it, stopped in the end.

    Args:
        folder: an empty directory for all that it writes.
        tls: files of a certificate and its key; with them it listens for TLS too.
    """

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        self._folder = folder
        self.tls = tls
        self.port, self.tls_port, self._epmd_port, self._dist_port = _free_ports(4)
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For ``transport_url``."""
        return f"rabbit://guest:guest@127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        options = [f"listeners.tcp.1 = 127.0.0.1:{self.port}"]
        if self.tls is not None:
            certificate, key = self.tls
            options += [
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {certificate}",
                f"ssl_options.certfile = {certificate}",
                f"ssl_options.keyfile = {key}",
                "ssl_options.verify = verify_none",
            ]
        (self._folder / "rabbitmq.conf").write_text("\n".join([*options, ""]))
        (self._folder / "plugins").write_text("[].\n")
        (self._folder / "rabbitmq-env.conf").write_text("")
        epmd = [*_MORTAL, "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        self._epmd = subprocess.Popen(epmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert self._server is None
        # The log of earlier lives stays.
        with (self._folder / "out").open("ab") as out:
            self._server = subprocess.Popen(
                [*_MORTAL, str(_PROGRAM)], env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._listens():
            assert self._server.poll() is None, f"RabbitMQ did not start:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"RabbitMQ does not listen:\n{self.log[-3000:]}"
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, as an operator's restart has it."""
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(_PATIENCE)
            self._server = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def restart(self) -> None:
        """Stop it and start it again; what was not durable is gone."""
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        """What it said."""
        return (self._folder / "out").read_text(errors="replace")

    def queues(self) -> set[str]:
        """The names of all queues."""
        command = [str(_PROGRAM.with_name("rabbitmqctl")), "--quiet", "list_queues", "--no-table-headers", "name"]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
        return set(done.stdout.split())

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                # It listens before it serves; once it does, it answers nonsense with its version (AMQP 0-9-1, 4.2.2).
                connection.settimeout(2)
                connection.sendall(b"NONSENSE")
                return connection.recv(8).startswith(b"AMQP")
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        node = {
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self._folder / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
            # The Erlang machine takes the place of the script, so that a signal reaches it.
            "RABBITMQ_ALLOW_INPUT": "1",
        }
        return kept | node


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
