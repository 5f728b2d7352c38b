"""The death watcher outlives what the system refuses: no death goes unnoticed because one look at it failed."""

from __future__ import annotations

import errno
import queue
import subprocess
import sys

import pytest

from dhcpcore import ObservedProcess
from dhcpcore_adapters.process import DeathWatcher, children

PATIENCE = 20.0


def sleeper() -> tuple[subprocess.Popen[bytes], ObservedProcess]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    return process, ObservedProcess(program="dnsmasq", owner="net", pid=process.pid, argv=())


def test_a_refusal_of_the_system_ends_no_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [OSError(errno.EMFILE, "Too many open files")]
    real = children.reap
    said: queue.Queue[object] = queue.Queue()
    monkeypatch.setattr("threading.excepthook", lambda hooked: said.put(hooked.exc_value))

    def reap(*arguments: object) -> None:
        if refusals:
            raise refusals.pop()
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(children, "reap", reap)
    told: queue.Queue[int] = queue.Queue()
    first, second = sleeper(), sleeper()
    try:
        with DeathWatcher(lambda process, code: told.put(process.pid)) as watcher:
            watcher.watch(first[1])
            first[0].kill()
            assert told.get(timeout=PATIENCE) == first[0].pid
            assert isinstance(said.get(timeout=PATIENCE), OSError)
            watcher.watch(second[1])
            second[0].kill()
            assert told.get(timeout=PATIENCE) == second[0].pid
    finally:
        for process, _ in (first, second):
            process.kill()
            process.wait(PATIENCE)
