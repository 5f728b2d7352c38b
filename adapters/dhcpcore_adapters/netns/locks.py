"""Locks by name: who holds one is alone with what is called so, and in nobody else's way.

Knows threads; remembers no name that nobody holds or waits for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Locks:
    """As many as there are names in use."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Wait for the lock of this name, and hold it."""
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(name)
                if users > 1:
                    self._locks[name] = lock, users - 1
