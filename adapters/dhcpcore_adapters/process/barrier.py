"""A reload that has taken effect, and knowing so.

Knows dnsmasq's main loop (src/dnsmasq.c).  SIGHUP is no barrier: a DISCOVER that arrives just after it may still meet
the old reservations.  An answered DNS query is one: each turn of the loop first deals with a signal that has come, and
so reads the files, and answers queries afterwards.  A query may arrive between the two in the very turn in which the
signal comes, so the second of two queries counts, one after the other.

Where DNS is off (``port=0``) nobody answers.  Then dnsmasq has done what the signal asked for when the signal is no
longer pending and it sleeps again: it sleeps nowhere but in poll(2), at the end of a turn with nothing left to do.
"""

from __future__ import annotations

import select
import signal
import socket
import time
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.process import proc
from dhcpcore_adapters.process.namespaces import NamedNamespaces
from dhcpcore_adapters.process.proc import Handle
from dhcpcore_adapters.process.stopped import refuse_stopped

# version.bind, TXT, class CHAOS: dnsmasq answers it by itself, whatever its upstream servers do.
_HEAD: Final = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
_QUESTION: Final = b"\7version\4bind\0\0\x10\0\3"
#: A query may be lost where the socket's buffer is full; then it is asked again, after so many seconds.
_AGAIN: Final = 1.0
_HANDLERS: Final = 2.0


def reload(handle: Handle, *, namespaces: NamedNamespaces, namespace: str, what: str, seconds: float) -> None:
    """Send SIGHUP and return when the files have been read anew.

    Raises:
        AdapterError: it died of it, it did not answer within so many seconds, or somebody has stopped it (SIGSTOP).
    """
    refuse_stopped(handle.pid, what)
    # A SIGHUP before its handler is there would kill it.
    if not proc.wait_until(lambda: handle.ended() or proc.catches(handle.pid, signal.SIGHUP), _HANDLERS):
        raise AdapterError(f"{what}: process {handle.pid} does not handle SIGHUP; is it a dnsmasq?", retryable=False)
    deadline = time.monotonic() + seconds
    asking = namespaces.run_in(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with asking:
        handle.send(signal.SIGHUP)
        done = False
        try:
            asking.connect(("127.0.0.1", 53))
            done = all(_answered(asking, handle, number, deadline, what) for number in (1, 2))
        except OSError:
            # Nobody listens: DNS is off, or the loopback device is down.
            done = has_settled(handle, deadline, what)
    # dnsmasq before 2.91 may free memory twice when it reloads (upstream commit f006be7), and dies of it.
    if handle.ended():
        raise AdapterError(
            f"{what} died when it was told to read its files anew (SIGHUP); it has to be started again; "
            "dnsmasq 2.91 and later do not die of that"
        )
    if not done:
        raise AdapterError(f"{what} did not read its files anew within {seconds:g} s; is the host overloaded?")


def _answered(asking: socket.socket, handle: Handle, number: int, deadline: float, what: str) -> bool:
    poll = select.poll()
    poll.register(asking, select.POLLIN)
    poll.register(handle.descriptor, select.POLLIN)
    asked = number.to_bytes(2, "big")
    while (left := deadline - time.monotonic()) > 0:
        asking.send(asked + _HEAD + _QUESTION)
        ready = {descriptor for descriptor, _ in poll.poll(min(left, _AGAIN) * 1000)}
        if handle.descriptor in ready:
            return False
        if not ready and has_settled(handle, time.monotonic(), what):
            return True  # a packet filter, or a setting, keeps queries from it
        if ready and asking.recv(4096)[:2] == asked:
            return True
    return False


def has_settled(handle: Handle, deadline: float, what: str) -> bool:
    """Whether a process has dealt with a SIGHUP that was sent to it, or has ended, by so many monotonic seconds.

    Raises:
        AdapterError: it does not, since somebody has stopped it (SIGSTOP); `what` is how the error calls it.
    """

    def sleeps() -> bool:
        now = proc.status(handle.pid)
        if now is not None and now.is_stopped:
            refuse_stopped(handle.pid, what)
        return handle.ended() or (
            now is not None and now.state == "S" and not proc.is_pending(handle.pid, signal.SIGHUP)
        )

    left = deadline - time.monotonic()
    # Twice, some time apart: the first sleep may be one on the way, for a page of a file say.
    return proc.wait_until(sleeps, left) and not handle.ended(0.005) and proc.wait_until(sleeps, left)
