"""`dhcpcore.testing.MemoryServer` as a `Plugin`, and a listener that remembers: what tests of transports share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer
from dhcpcore_adapters.rpc import Notify, RpcRefusal

#: No test waits longer for what has to come.
PATIENCE = 20.0


class Lost(AdapterError):
    """Raised inside the server where a request or an answer is lost: nobody ever answers."""


class MemoryPlugin:
    """A `MemoryServer` behind a lock.

    Args:
        hang: what a call does whose answer is lost: by default it waits for `close`.
    """

    def __init__(self, server: MemoryServer, hang: Callable[[], None] | None = None) -> None:
        self.server = server
        self.lock = threading.RLock()
        self.subscribers: list[tuple[str, Notify]] = []
        self._over = threading.Event()
        self._hang = hang

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        try:
            with self.lock:
                return getattr(self.server.agent(host), method)(**arguments)
        except Lost:
            if self._hang is None:
                self._over.wait(PATIENCE)
            else:
                self._hang()
            raise RuntimeError("nobody waits for this answer any more") from None
        except AdapterError as error:
            name, _, message = str(error).partition(": ")
            if name == "RuntimeError":
                raise RuntimeError(message) from None
            raise RpcRefusal(name, message) from None

    def subscribe(self, host: str, notify: Notify) -> Callable[[], None]:
        subscriber = host, notify
        with self.lock:
            self.subscribers.append(subscriber)

        def end() -> None:
            with self.lock:
                if subscriber in self.subscribers:
                    self.subscribers.remove(subscriber)

        return end

    def notify(self, host: str, method: str, payload: Mapping[str, Any]) -> None:
        with self.lock:
            told = [notify for name, notify in self.subscribers if name == host]
        for notify in told:
            notify(method, payload)

    def close(self) -> None:
        self._over.set()


class Heard:
    """A listener that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._news = threading.Condition()

    def notified(self, method: str, payload: Any) -> None:
        self._add("notified", method, payload)

    def connected(self) -> None:
        self._add("connected")

    def disconnected(self, reason: str) -> None:
        self._add("disconnected", reason)

    def kinds(self) -> list[str]:
        return [each[0] for each in self.told]

    def wait(self, condition: Callable[[list[tuple[Any, ...]]], object]) -> list[tuple[Any, ...]]:
        """What was told, once `condition` holds of it."""
        with self._news:
            assert self._news.wait_for(lambda: condition(self.told), PATIENCE), f"told in vain: {self.told[-5:]}"
            return list(self.told)

    def wait_for(self, *kinds: str) -> list[tuple[Any, ...]]:
        """What was told, once it is of these kinds, in this order."""
        return self.wait(lambda told: [each[0] for each in told] == list(kinds))

    def _add(self, *what: Any) -> None:
        with self._news:
            self.told.append(what)
            self._news.notify_all()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what has to come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)
