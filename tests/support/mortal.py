"""An agent of a site that can be told at which place to die (`support.agent_that_dies`), and be started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from support.site import PATIENCE, ROOT, AgentProgram, until


class MortalAgent:
    """`agent`, started by a process that forks; a context manager, killed at the end.

    Args:
        agent: its settings; it is not started by itself.
        folder: where its trace and its order to die are.
    """

    def __init__(self, agent: AgentProgram, folder: Path) -> None:
        self.agent = agent
        self._armed, self._trace, self._log = folder / "armed", folder / "trace", folder / "mortal.log"
        path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters", "examples", "tests"))
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "support.agent_that_dies"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._pid: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._nursery.kill()
        self._nursery.communicate()

    def _ask(self, **order: Any) -> Any:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        return json.loads(self._nursery.stdout.readline())

    @property
    def nursery(self) -> int:
        """The pid of the process that forks."""
        return self._nursery.pid

    @property
    def pid(self) -> int | None:
        """The agent's; None where none runs."""
        return self._pid

    @property
    def log(self) -> str:
        """What it said, in all its lives."""
        return self._log.read_text(errors="replace")

    @property
    def trace(self) -> list[str]:
        """The places that it came by since it was armed."""
        return self._trace.read_text().splitlines() if self._trace.exists() else []

    def arm(self, place: int) -> None:
        """From now on count places, and die at this one; 0: only count."""
        self._trace.unlink(missing_ok=True)
        fresh = self._armed.with_suffix(".new")
        fresh.write_text(f"{place} {time.monotonic_ns()}")
        fresh.replace(self._armed)

    def start(self, *, kernel: bool = False) -> None:
        """Start it; it counts nothing unless it is armed.

        Args:
            kernel: it can die inside adapters, too.
        """
        argv = ["agent", "--config", str(self.agent.settings_file)]
        files = {"log": str(self._log), "armed": str(self._armed), "trace": str(self._trace)}
        self._pid = self._ask(do="start", argv=argv, kernel=kernel, **files)

    def disarm(self) -> None:
        """Count no longer."""
        self._armed.unlink(missing_ok=True)

    def has_died(self) -> bool:
        """Whether it has killed itself, as it was told to.

        Raises:
            AssertionError: it ended in another way.
        """
        if self._pid is None:
            return True
        status = self._ask(do="look", pid=self._pid)
        if status is None:
            return False
        assert status == -signal.SIGKILL, f"{status}\n{self.log[-5000:]}"
        self._pid = None
        return True

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            until("it is dead", self.has_died, PATIENCE)

    def is_calm(self) -> bool:
        """Whether it has seen the host and heard the server, and neither does nor waits for anything."""
        try:
            status = self.agent.status()
        except Exception:
            return False
        seen = status["agent"]["host_observed"] and status["sync"]["answered_seconds_ago"] is not None
        waits = status["in_flight"].keys() - {"report_state"}
        ready = status["ready_ports"]
        waits |= {*status["sync"]["pending_reasons"], *(["ready"] if ready["queued"] + ready["being_reported"] else [])}
        return bool(seen and not waits and not status["pending"])
