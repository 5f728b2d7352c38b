"""The processes of a real Neutron, as parts of a host of a test's own (`support.host`), and what they need to be there.

Knows where .ci/neutron puts things; knows nothing of what the processes do.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from support import host as hosts
from support.site import ROOT, Program

#: Made by .ci/neutron; DHCPCORE_NEUTRON_VENV names another, where neutron 29.0.0 is installed with what goes with it.
VENV: Final = Path(os.environ.get("DHCPCORE_NEUTRON_VENV", ROOT / ".venv-neutron"))
RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MARIADB: Final = Path("/usr/sbin/mariadbd")
_WANTED: Final = {
    RABBITMQ: "RabbitMQ",
    MARIADB: "MariaDB",
    Path("/usr/sbin/iptables"): "iptables",
    VENV / "bin/neutron-rpc-server": "neutron",
}
#: Seconds that a process may take to be there, on a slow machine with others on it.
STARTING: Final = 120.0


def missing() -> str | None:
    """Why no Neutron can be run here, for `pytest.skip`; None where one can."""
    for path, what in _WANTED.items():
        if not path.exists():
            return f"there is no {what} here ({path}): .ci/neutron installs it"
    return hosts.missing()


class Daemon(Program):
    """A process and all that it has started; they are killed together.

    Args:
        environment: more of it than ours.
    """

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(argv, log)
        self._environment = dict(environment or {})

    def launch(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=os.environ | self._environment,
                start_new_session=True,
            )
        return self.process

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def send_signal_to_all(self, number: signal.Signals) -> None:
        """Signal it and what it has started."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.send_signal_to_all(signal.SIGKILL)
            self.process.wait(30)


def ini(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of a file of oslo.config: a list is an option that is given several times."""

    def lines(options: Mapping[str, Any]) -> Iterable[str]:
        for name, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                yield f"{name} = {each}\n"

    return "".join(f"[{section}]\n{''.join(lines(options))}" for section, options in sections.items())
