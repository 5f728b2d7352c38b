"""Processes as /proc tells of them (proc(5)), and a handle that can never mean another process.

Knows the kernel's formats; knows nothing of dnsmasq; lets any OSError pass.  A process id is used again after a while:
`Handle` holds a pidfd (pidfd_open(2)), so what it waits for or signals is the process it was opened for, or none.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final, Self

from attrs import frozen

#: A command line longer than that is none of ours.
_LONGEST: Final = 1 << 20
_AT_ONCE: Final = 1 << 15
#: Seconds between two looks at what takes long.
_SELDOM: Final = 0.02

#: A process id and the inode of its directory in /proc, which no other process with that id ever has.
Entry = tuple[int, int]


@frozen(kw_only=True)
class Status:
    """What one process is doing.

    Attributes:
        name: of its program, its first 15 bytes.
        state: as in ps(1): ``S`` sleeping, ``R`` running, ``Z`` zombie, ...
        session: the id of the process that began its session.
        started: clock ticks from the boot of the machine to its start; with the pid it is unique.
    """

    name: str
    state: str
    parent: int
    session: int
    started: str

    @property
    def is_alive(self) -> bool:
        """A zombie has no memory, no sockets and no future; only its entry waits for its parent."""
        return self.state not in "ZXx"

    @property
    def is_stopped(self) -> bool:
        """Stopped by a signal; not by a debugger (``t``), who lets it go on."""
        return self.state == "T"


def entries() -> list[Entry]:
    """Every process that there is now."""
    with os.scandir("/proc") as listed:
        # Processes begin with a digit.
        return [(int(each.name), each.inode()) for each in listed if each.name[0] in "123456789"]


def command_line(pid: int) -> tuple[str, ...]:
    """A process's command line; empty where it ended, or is a zombie."""
    return _arguments(_read(f"/proc/{pid}/cmdline") or b"")


def status(pid: int) -> Status | None:
    """What a process is doing; None where there is none."""
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    # The name, in parentheses, may hold anything, parentheses and spaces too.
    head, _, rest = data.rpartition(b")")
    fields = rest.split()
    return Status(
        name=os.fsdecode(head.partition(b"(")[2]),
        state=fields[0].decode(),
        parent=int(fields[1]),
        session=int(fields[3]),
        started=fields[19].decode(),
    )


def environment(pid: int, name: str) -> str | None:
    """One variable of the environment that a process was started with; None where it has none, or it is not told."""
    data = _read(f"/proc/{pid}/environ") or b""
    start = os.fsencode(name) + b"="
    return next((os.fsdecode(each[len(start) :]) for each in data.split(b"\0") if each.startswith(start)), None)


def is_replaced(pid: int) -> bool:
    """Whether the program that a process runs is no longer on the disk, as after an upgrade (proc(5), exe)."""
    try:
        return os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    except OSError:
        return False  # it ended, or must not be looked at


def wall_time_of(started: str) -> float:
    """Seconds since the epoch at which a process started, to some hundredths, unless the clock has been set since."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def pids_as_seen_inside(pid: int) -> tuple[int, ...]:
    """A process's ids in all process namespaces that it is in; its own is the last."""
    return tuple(int(each) for each in _status_field(pid, b"NSpid") or [str(pid).encode()])


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    return _in_mask(pid, b"SigCgt", number)


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal was sent to a process and its handler has not run yet."""
    return _in_mask(pid, b"ShdPnd", number) or _in_mask(pid, b"SigPnd", number)


class Handle:
    """One process, whatever becomes of its id; a context manager.

    Raises:
        ProcessLookupError: by the constructor, where it does not live.
    """

    def __init__(self, pid: int, started: str | None = None) -> None:
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)
        try:
            now = status(pid)
            if now is None or not now.is_alive or (started is not None and now.started != started):
                raise ProcessLookupError(pid)
        except BaseException:
            self.close()
            raise
        self.started = now.started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; it lives on."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; none where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    def ended(self, within: float = 0.0) -> bool:
        """Whether it ended by now, or ends within so many seconds; a zombie has ended."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(within * 1000))

    def reap(self) -> int | None:
        """Where it is our own child, as daemons are of a subreaper and of the first process: let it go for good.

        Returns:
            Its exit status, or the signal that ended it below zero; None where it lives, or is not our child.
        """
        try:
            result = os.waitid(os.P_PIDFD, self.descriptor, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return None
        return None if result is None else exit_code(result)


def exit_code(result: os.waitid_result) -> int:
    """What waitid(2) tells, as `subprocess` has it: a status, or a signal below zero."""
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.001) -> bool:
    """Whether a condition came true within so many seconds.

    It is looked at every `pause` seconds, and more seldom the longer it takes: an eighth of that is lost at most.
    """
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        if waited >= seconds:
            return False
        time.sleep(max(pause, min(waited / 8, _SELDOM)))
    return True


def _read(path: str) -> bytes | None:
    """A file of /proc; None where the process has gone, or must not be looked at.

    Any other error is one: with no descriptor left, a process that is there must not look as if it were not.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError, PermissionError):
        return None
    try:
        data = part = os.read(descriptor, _AT_ONCE)
        # One read is enough for nearly all: what is shorter than asked for is all there is.
        while len(part) == _AT_ONCE and len(data) < _LONGEST:
            part = os.read(descriptor, _AT_ONCE)
            data += part
        return data
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(descriptor)


def _arguments(data: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(each) for each in data.removesuffix(b"\0").split(b"\0")) if data else ()


def _status_field(pid: int, name: bytes) -> list[bytes]:
    for line in (_read(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(name + b":"):
            return line.split()[1:]
    return []


def _in_mask(pid: int, name: bytes, number: signal.Signals) -> bool:
    mask = _status_field(pid, name)
    return bool(mask) and bool(int(mask[0], 16) >> (number - 1) & 1)
