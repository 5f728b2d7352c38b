"""Noticing at once that a process has died, also one that was not started here.

Knows pidfds; decides nothing: whoever watches is told and does what is to be done.  One thread waits for all, and lets
go of children of ours that nobody watches.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from dhcpcore import AdapterError, ObservedProcess
from dhcpcore_adapters.process import children
from dhcpcore_adapters.process.proc import Handle, command_line

#: Called with the process, and its exit status (a signal below zero); None where it was not our child.
OnDeath = Callable[[ObservedProcess, int | None], None]
#: Seconds after which orphans that nobody watches are let go at the latest.
_ORPHANS: Final = 5.0
#: Seconds after an error of the system before it is asked again.
_PAUSE: Final = 0.5


class DeathWatcher:
    """Tells of each watched process once, when it has died; a context manager.

    Args:
        on_death: called by the watcher's thread, so it has to return soon; what it raises ends the watching of nobody.
    """

    def __init__(self, on_death: OnDeath) -> None:
        self._on_death = on_death
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[Handle, ObservedProcess]] = {}
        #: Pid and start of every process that is watched.
        self._known: set[tuple[int, str]] = set()
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._wake, select.EPOLLIN)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="death watcher", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self, process: ObservedProcess) -> None:
        """Watch a process; one that is watched already is watched once, one that is dead already is told of at once.

        Its `started` mark must be the one that was observed: another process of that pid is another process.  Without
        one its command line must be of that program, and of that owner.

        Raises:
            AdapterError: it cannot be watched, for want of a descriptor say.
        """
        with self._lock:
            if self._closed:
                return
            if (process.pid, process.started) in self._known:
                return
            try:
                handle = _opened(process)
            except ProcessLookupError:
                dead = True
            except OSError as error:
                message = f"cannot watch process {process.pid}: {error}; are there descriptors left (ulimit -n)?"
                raise AdapterError(message) from error
            else:
                dead = False
                if (process.pid, handle.started) in self._known:
                    handle.close()
                    return
                self._take_up(handle, process)
        if dead:
            self._on_death(process, children.exit_code(process.pid, process.started))

    def close(self) -> None:
        """Watch nothing any more; returns when no call of `on_death` is under way, unless called by one."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._wake, 1)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _take_up(self, handle: Handle, process: ObservedProcess) -> None:
        try:
            self._poll.register(handle.descriptor, select.EPOLLIN)
        except OSError as error:
            handle.close()
            message = f"cannot watch process {process.pid}: {error}; raise fs.epoll.max_user_watches"
            raise AdapterError(message) from error
        self._known.add((process.pid, handle.started))
        self._watched[handle.descriptor] = handle, process

    def _drop(self, handle: Handle) -> None:
        self._poll.unregister(handle.descriptor)
        del self._watched[handle.descriptor]
        self._known.discard((handle.pid, handle.started))
        handle.close()

    def _run(self) -> None:
        try:
            while not self._closed:
                try:
                    self._round()
                except OSError as error:
                    # No descriptor is left, say. Nobody is forgotten by that: the next round sees the same ends.
                    self._say(error)
                    time.sleep(_PAUSE)
        finally:
            with self._lock:
                for handle, _ in list(self._watched.values()):
                    self._drop(handle)
                self._poll.close()
                os.close(self._wake)

    def _round(self) -> None:
        for descriptor, _ in self._poll.poll(_ORPHANS):
            with self._lock:
                # The number may mean another process by now, where one went and one came.
                if descriptor == self._wake or descriptor not in self._watched:
                    continue
                handle, process = self._watched[descriptor]
                if not handle.ended():
                    continue
                code = handle.reap()
                if code is None:
                    code = children.exit_code(handle.pid, handle.started)
                self._drop(handle)
            try:
                self._on_death(process, code)
            except Exception as error:
                self._say(error)
        with self._lock:
            # Who is watched is let go by the watching, which tells of it.
            children.reap({handle.pid for handle, _ in self._watched.values()})

    def _say(self, error: Exception) -> None:
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, self._thread)))


def _opened(process: ObservedProcess) -> Handle:
    """ProcessLookupError where it has died, and somebody else may have its pid."""
    handle = Handle(process.pid, process.started or None)
    try:
        if not process.started:
            # Read while the handle is open, and looked at again after that: the pid was this process's all the time.
            line = command_line(process.pid)
            of_owner = any(f"/{process.owner}/" in each or each.endswith(f"/{process.owner}.conf") for each in line)
            if handle.ended() or not (line and os.path.basename(line[0]) == process.program and of_owner):
                raise ProcessLookupError(process.pid)
    except BaseException:
        handle.close()
        raise
    return handle
