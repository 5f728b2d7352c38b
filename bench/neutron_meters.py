"""What an agent costs, seen from outside, for both agents alike: its processes, the calls that it makes, its dnsmasqs.

An agent's processes are all that were started, directly or not, while `launching` was on: they have its mark in their
environment. dnsmasq and haproxy are not among them: what they cost is no agent's. Knows /proc; knows no agent.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from support.neutron.control_plane import ControlPlane
from support.neutron.daemon import VENV

_MARK: Final = "DHCPCORE_BENCH_AGENT"
_NOT_COUNTED: Final = ("dnsmasq", "haproxy")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One of them; `started` is in clock ticks since the machine was, and with the pid tells it from all others."""

    pid: int
    started: int


@contextmanager
def launching() -> Iterator[None]:
    """What is started meanwhile is an agent's, and so is everything that starts."""
    os.environ[_MARK] = "yes"
    try:
        yield
    finally:
        del os.environ[_MARK]


def _stat(pid: int | str) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _alive(*names: str) -> Iterator[tuple[int, str, list[str]]]:
    """Pid, name and stat of each process that lives, of these names or of all."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                name, stat = Path(f"/proc/{entry}/comm").read_text().strip(), _stat(entry)
                if stat[0] != "Z" and (not names or name in names):
                    yield int(entry), name, stat


def dnsmasqs() -> set[Process]:
    """All that live."""
    return {Process(pid, int(stat[19])) for pid, _, stat in _alive("dnsmasq")}


def newest(processes: set[Process]) -> float:
    """When the last of them was started, in seconds of the monotonic clock; 0 for none."""
    if not processes:
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - max(each.started for each in processes) / _TICKS
    return time.monotonic() - age


class Tree:
    """An agent's processes, whichever live at the moment."""

    def __init__(self) -> None:
        self._ours: dict[Process, bool] = {}

    def processes(self) -> list[tuple[int, list[str]]]:
        """Pid and stat of each."""
        found = []
        for pid, name, stat in _alive():
            key = Process(pid, int(stat[19]))
            if key not in self._ours:
                with suppress(OSError):
                    # A process that was forked has its parent's environment until it has become another program.
                    self._ours[key] = f"{_MARK}=yes".encode() in Path(f"/proc/{pid}/environ").read_bytes()
            if self._ours.get(key) and name not in _NOT_COUNTED:
                found.append((pid, stat))
        return found

    def cpu(self) -> float:
        """Seconds of CPU that those that live have used, and those that ended and were waited for by them."""
        return sum(sum(int(each) for each in stat[11:15]) for _, stat in self.processes()) / _TICKS

    def memory(self) -> float:
        """Megabytes now: the sum of their proportional set sizes, so that shared pages count once."""
        total = 0
        for pid, _ in self.processes():
            with suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1000


class Peak:
    """The most memory that an agent's processes had together, looked at twice a second; a context manager."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self.megabytes, self.processes = tree, 0.0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            now = self._tree.memory()
            if now > self.megabytes:
                self.megabytes, self.processes = now, len(self._tree.processes())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Call(NamedTuple):
    """A call to the server; `at` in seconds of the monotonic clock."""

    at: float
    method: str


class Calls:
    """The calls of all DHCP agents, and what that of `host` is told; a context manager (neutron_call_counter.py)."""

    def __init__(self, server: ControlPlane, host: str = "host-1") -> None:
        program = Path(__file__).with_name("neutron_call_counter.py")
        self._argv = [str(VENV / "bin/python"), str(program), server.broker.url(), host]
        self._calls: list[Call] = []
        self._told: list[Call] = []
        self._log = server.folder / "calls.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        assert said == "ready", f"{said!r}: {self._log.read_text()[-2000:]}"
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, method = line.split()
            kind, _, name = method.rpartition(":")
            (self._told if kind else self._calls).append(Call(float(at), name))

    def since(self, at: float) -> list[Call]:
        """Those made after a moment."""
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        return [call for call in self._calls if call.at >= at]

    def told_since(self, at: float) -> list[Call]:
        """Notifications after a moment."""
        return [call for call in self._told if call.at >= at]

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)


class Tail:
    """What is written to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.mark()

    def mark(self) -> None:
        """Forget what was written until now."""
        self._from = self._path.stat().st_size if self._path.exists() else 0

    def text(self) -> str:
        """All of it since the last `mark`."""
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")
