"""A listener's own thread: it is told one thing at a time, in order, and holds up nobody who has something to tell.

Knows `Listener`; no transport.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from dhcpcore.contracts import Reporter
from dhcpcore_adapters.rpc.transport import Listener

#: How many messages may wait for a listener.
MOST_WAITING: Final = 10_000


class Teller:
    """Tells a listener what its transport hears.

    A listener that falls behind too far is told that the connection was lost and is there again: what it did not hear
    it has to ask for, as after any other loss.

    Args:
        reporter: is told of a listener that raises; it is told the next thing all the same.
        most_waiting: how many messages may wait.
    """

    def __init__(self, listener: Listener, reporter: Reporter, *, most_waiting: int = MOST_WAITING) -> None:
        self._listener = listener
        self._reporter = reporter
        self._most_waiting = most_waiting
        self._waiting: deque[Callable[[], None]] = deque()
        self._behind = self._closed = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="rpc listener", daemon=True)
        self._thread.start()

    def connected(self) -> None:
        """There is a connection."""
        self._put(self._listener.connected)

    def disconnected(self, reason: str) -> None:
        """It was lost."""
        self._put(lambda: self._listener.disconnected(reason))

    def notified(self, method: str, payload: Any) -> None:
        """The server has told something."""
        with self._news:
            if self._behind:
                return
            if len(self._waiting) < self._most_waiting:
                self._put(lambda: self._listener.notified(method, payload))
                return
            self.lost(f"more than {self._most_waiting} messages waited for this agent, later ones are dropped")

    def lost(self, reason: str) -> None:
        """Something that the server told cannot be told: the same as a connection that was lost and is there again."""
        with self._news:
            if not self._behind:
                self._behind = True
                self._put(lambda: self._listener.disconnected(reason))
                self._put(self._catch_up)

    def close(self, patience: float) -> None:
        """Tell nothing more; wait up to `patience` seconds for what is being told, unless called by the listener."""
        with self._news:
            self._closed = True
            self._waiting.clear()
            self._news.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(patience)

    def _put(self, tell: Callable[[], None]) -> None:
        with self._news:
            if not self._closed:
                self._waiting.append(tell)
                self._news.notify()

    def _catch_up(self) -> None:
        with self._news:
            # From here on nothing is dropped, so a fetch that the listener sends now misses nothing.
            self._behind = False
        self._listener.connected()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                tell = self._waiting.popleft()
            try:
                tell()
            except Exception as error:
                self._reporter.report("a listener of the transport failed", error=error)
