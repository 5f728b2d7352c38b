"""The heart: one database, one lock, one transaction at a time, and the agents that listen.

What agents are to be told leaves after the commit, in the order of commits, and never while the lock is held: an
agent in the same process may call back.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reference_server.options import Options
from reference_server.scheduling import reschedule_dead
from reference_server.schema import open_database
from reference_server.transaction import Notice, Transaction

_LOG = logging.getLogger(__name__)

Subscriber = Callable[[str, Mapping[str, Any]], None]


class Neutron:
    """Any thread may use it.

    Args:
        clock: seconds since the epoch.

    Raises:
        DatabaseError: the database cannot be used.
    """

    def __init__(self, options: Options, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._clock = clock
        self._engine, self._file_lock = open_database(options.database)
        self._lock = threading.Lock()
        self._closed = False
        self._free_from: dict[str, int] = {}
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._outbox: deque[Notice] = deque()
        self._delivering = threading.Lock()
        self._started = time.monotonic()

    def close(self) -> None:
        """Close the database; twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._engine.dispose()
                os.close(self._file_lock)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing: an exception undoes what was done, and nobody is told."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is closed")
            try:
                with self._engine.begin() as connection:
                    tx = Transaction(db=connection, options=self.options, now=self._clock(), free_from=self._free_from)
                    yield tx
            except BaseException:
                # Addresses that were taken in it are free again.
                self._free_from.clear()
                raise
            self._outbox.extend(tx.notices)
        self._deliver()

    def subscribe(self, host: str, subscriber: Subscriber) -> Callable[[], None]:
        """Tell `subscriber` what the agent on `host` is to hear; the function returned ends it."""
        with self._lock:
            self._subscribers = {**self._subscribers, host: [*self._subscribers.get(host, ()), subscriber]}

        def end() -> None:
            with self._lock:
                rest = [each for each in self._subscribers.get(host, ()) if each is not subscriber]
                others = {name: each for name, each in self._subscribers.items() if name != host}
                self._subscribers = {**others, host: rest} if rest else others

        return end

    def fail_over(self) -> list[str]:
        """Move networks of dead agents to live ones; returns their ids.

        Not before agent_down_time has passed since the start: after an outage of the server every agent looks dead.
        """
        options = self.options
        if not options.allow_automatic_dhcp_failover or time.monotonic() - self._started < options.agent_down_time:
            return []
        with self.transaction() as tx:
            return reschedule_dead(tx)

    def _deliver(self) -> None:
        """Empty the outbox, unless another thread is at it: that one takes ours along."""
        while self._outbox and self._delivering.acquire(blocking=False):
            try:
                while self._outbox:
                    self._send(self._outbox.popleft())
            finally:
                self._delivering.release()

    def _send(self, notice: Notice) -> None:
        """To those who listen, and who only read; who does not listen synchronises when it comes back."""
        subscribers = self._subscribers
        for host in subscribers if notice.host is None else [notice.host]:
            for subscriber in subscribers.get(host, ()):
                try:
                    subscriber(notice.method, notice.payload)
                except Exception:
                    _LOG.exception("the transport of the agent on %s does not take %s", host, notice.method)
