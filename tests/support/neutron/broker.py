"""RabbitMQ of a test's own: own node, own port mapper, own directory; nothing of a broker of the machine's is touched.

Made inside a host of a test's own only, whose network nobody else is on: it listens on every address in there, so that
agents with a network of their own reach it, too.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from support.neutron.daemon import RABBITMQ, STARTING, Daemon
from support.site import until

_USER: Final = "neutron"
_PASSWORD: Final = "for-this-test-only"
_PORT: Final = 5672
_PORT_MAPPER: Final = 4370  # not 4369, where a machine's own is


class Broker:
    """A RabbitMQ server; a context manager, at whose end it is gone.

    Args:
        folder: an empty directory, for its files.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        home = folder / "home"
        home.mkdir()
        cookie = home / ".erlang.cookie"
        cookie.write_text("DHCPCORETESTONLY")
        cookie.chmod(0o400)
        (folder / "plugins").write_text("[].\n")
        # The user `guest` may come from the loopback address only.
        (folder / "rabbitmq.conf").write_text(
            f"default_user = {_USER}\ndefault_pass = {_PASSWORD}\nlisteners.tcp.1 = 0.0.0.0:{_PORT}\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        self._log = folder / "rabbitmq.log"
        self._environment = {
            "HOME": str(home),
            "RABBITMQ_NODENAME": "dhcpcore-test@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": "25672",
            "ERL_EPMD_PORT": str(_PORT_MAPPER),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Its schedulers would otherwise spin before they sleep, on the processors that the tests need.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self.daemon = Daemon([str(RABBITMQ)], self._log, self._environment)

    def url(self, address: str = "127.0.0.1") -> str:
        """For `transport_url`, of an agent that reaches it by this address."""
        return f"rabbit://{_USER}:{_PASSWORD}@{address}:{_PORT}/"

    def launch(self) -> None:
        """Start it; `wait` for it."""
        self.daemon.launch()

    def wait(self) -> None:
        """Wait until it accepts connections.

        Raises:
            AssertionError: it ended, or does not in time; with the end of its log.
        """
        until("RabbitMQ accepts connections", self._accepts, STARTING, told=lambda: self.daemon.log[-3000:])

    def _accepts(self) -> bool:
        assert self.daemon.is_running, self.daemon.log[-3000:]
        # A connection alone says little: the port is open before the node has its users.
        with suppress(OSError), socket.create_connection(("127.0.0.1", _PORT), 1) as connection:
            connection.settimeout(5)
            connection.sendall(b"AMQP\0\0\x09\x01")
            return connection.recv(8) != b""
        return False

    def restart(self, *, down: float = 0.0) -> None:
        """Kill it and start it again, with what it has on its disk; it accepts connections when this returns.

        Args:
            down: seconds between the two.
        """
        self.kill()
        time.sleep(down)
        self.launch()
        self.wait()

    def kill(self) -> None:
        """SIGKILL for it and its helpers."""
        self.daemon.kill()

    def __enter__(self) -> Self:
        self.launch()
        self.wait()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()
