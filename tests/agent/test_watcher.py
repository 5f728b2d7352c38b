"""The death watcher outlives what the system refuses: no death goes unnoticed because one look at it failed."""

from __future__ import annotations

import errno
import queue
import subprocess
import sys

import pytest

from dhcpcore import ObservedProcess
from dhcpcore_adapters.process import DeathWatcher, children, proc

PATIENCE = 20.0


def sleeper() -> tuple[subprocess.Popen[bytes], ObservedProcess]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    now = proc.status(process.pid)
    assert now is not None
    return process, ObservedProcess(program="dnsmasq", owner="net", pid=process.pid, argv=(), started=now.started)


def test_a_bare_pid_is_no_promise() -> None:
    """Whoever has the pid of a process that was just started may be another one by now: then ours has died."""
    told: queue.Queue[int] = queue.Queue()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with DeathWatcher(lambda process, code: told.put(process.pid)) as watcher:
            watcher.watch(ObservedProcess(program="dnsmasq", owner="net", pid=other.pid, argv=()))
            assert told.get(timeout=2.0) == other.pid
            assert other.poll() is None
    finally:
        other.kill()
        other.wait(PATIENCE)


@pytest.mark.parametrize(
    "program, argument",
    [("dnsmasq", "--dhcp-hostsfile=/srv/dhcp/net/host"), ("haproxy", "/srv/ns-metadata-proxy/net.conf")],
)
def test_a_bare_pid_of_ours_is_watched(program: str, argument: str) -> None:
    told: queue.Queue[int] = queue.Queue()
    ours = subprocess.Popen([program, "-c", "import time; time.sleep(600)", argument], executable=sys.executable)
    try:
        with DeathWatcher(lambda process, code: told.put(process.pid)) as watcher:
            watcher.watch(ObservedProcess(program=program, owner="net", pid=ours.pid, argv=()))
            with pytest.raises(queue.Empty):
                told.get(timeout=0.2)
            ours.kill()
            assert told.get(timeout=PATIENCE) == ours.pid
    finally:
        ours.kill()
        ours.wait(PATIENCE)


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
