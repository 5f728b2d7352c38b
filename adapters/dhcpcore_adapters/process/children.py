"""Children that nobody started here: daemons whose parent has gone, and how each of them ended.

A daemon leaves the process that was started for it, and becomes a child of the nearest ancestor that asks for such
orphans (prctl(2), PR_SET_CHILD_SUBREAPER), of process 1 otherwise.  Only a parent is told an exit status; so an agent
that wants to say why a dnsmasq died asks for them, and has to let each go when it has ended.

Knows who waits for which child, so that no status is taken from whoever waits for it: `subprocess` takes a child whose
status is gone for one that succeeded.  Knows nothing of what the processes serve.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Final

from dhcpcore_adapters.process import proc
from dhcpcore_adapters.setns import call

_PR_SET_CHILD_SUBREAPER: Final = 36
#: Programs whose orphans are let go although they lead a session, as a child of `subprocess` may.
_DAEMONS: Final = frozenset({"dnsmasq", "haproxy"})
#: So many exit statuses are kept for those who come to ask after the end.
_KEPT: Final = 256

_lock = threading.Lock()
#: Children that somebody waits for.
_waited: set[int] = set()
#: Pid and start to exit status, in the order in which they ended.
_ended: dict[tuple[int, str], int] = {}


def become_subreaper() -> None:
    """Be the parent of every orphan among the descendants of this process from now on.

    Raises:
        OSError: the kernel refuses.
    """
    call("prctl", ctypes.c_int(_PR_SET_CHILD_SUBREAPER), *(ctypes.c_ulong(each) for each in (1, 0, 0, 0)))


@contextlib.contextmanager
def waited_for(start: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
    """A child from `start`, whose status is for whoever waits for it in here."""
    with _lock:  # nobody looks for orphans between its start and its entry
        started = start()
        _waited.add(started.pid)
    try:
        yield started
    finally:
        with _lock:
            _waited.discard(started.pid)


def reap(watched: Collection[int] = ()) -> None:
    """Let go of every orphan of ours that has ended; those that are `watched` are somebody's business."""
    with _lock:
        while (pid := _first_ended()) is not None:
            if not _let_go(pid, watched):
                break
        else:
            return
        # The first is not for us, and hides the others.
        for pid in _children():
            _let_go(pid, watched)


def let_go(handle: proc.Handle) -> None:
    """Let go of a process that has ended, where it is a child of ours; whoever watches it can still ask how."""
    with _lock:
        if (code := handle.reap()) is not None:
            _remember(handle.pid, handle.started, code)


def exit_code(pid: int, started: str) -> int | None:
    """How a child of ours ended, as `subprocess` has it: a status, or a signal below zero; it is let go.

    None where it has not ended, or its status is not ours to know.
    """
    with _lock:
        if (known := _known(pid, started)) is None and _ours_ended(pid, started):
            _let_go(pid, ())
            known = _known(pid, started)
        return known


def _known(pid: int, started: str) -> int | None:
    if started:
        return _ended.get((pid, started))
    # Whoever had the pid last.
    return next((status for (one, _), status in reversed(_ended.items()) if one == pid), None)


def _ours_ended(pid: int, started: str) -> bool:
    now = proc.status(pid)
    return now is not None and not now.is_alive and now.parent == os.getpid() and started in ("", now.started)


def _first_ended() -> int | None:
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if result is None else result.si_pid


def _children() -> list[int]:
    """Orphans become children of the first thread of the process; the kernel may be built without this list."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def _let_go(pid: int, watched: Collection[int]) -> bool:
    """Whether it had ended and was an orphan."""
    if pid in _waited or pid in watched:
        return False
    now = proc.status(pid)
    if now is None or now.is_alive or now.parent != os.getpid():
        return False
    # `subprocess` has its children in our session, or at the head of one of their own; a daemon has left ours.
    if now.session == os.getsid(0) or (now.session == pid and now.name not in _DAEMONS):
        return False
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return False
    if result is not None:
        _remember(pid, now.started, proc.exit_code(result))
    return result is not None


def _remember(pid: int, started: str, code: int) -> None:
    _ended[pid, started] = code
    while len(_ended) > _KEPT:
        del _ended[next(iter(_ended))]
