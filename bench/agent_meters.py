"""What an agent took, read from outside: its age, CPU and memory from /proc, the time of its actions from its log."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Final

_DONE: Final = re.compile(r"action done action=(\w+) seconds=([\d.]+)").findall


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def age(pid: int) -> float:
    """Seconds since a process was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[19]) / os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has had."""
    return sum(user_and_kernel(pid))


def user_and_kernel(pid: int) -> tuple[float, float]:
    """Seconds of CPU in the agent's own code, and in the kernel for it."""
    fields, ticks = _stat(pid), os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def spent(log: str) -> list[tuple[str, int, float]]:
    """Where the time goes: how often each kind of action was done, and its seconds, those that took the most first.

    Of actions of different networks some are under way at the same time.
    """
    kinds: dict[str, list[float]] = {}
    for kind, seconds in _DONE(log):
        kinds.setdefault(kind, []).append(float(seconds))
    return sorted(((kind, len(each), sum(each)) for kind, each in kinds.items()), key=lambda each: -each[2])


def memory(pid: int) -> tuple[float, float]:
    """Resident now, and at most, in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    now, most = (int(lines[name].split()[0]) / 1000 for name in ("VmRSS", "VmHWM"))
    return now, most
