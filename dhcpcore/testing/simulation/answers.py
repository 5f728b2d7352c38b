"""A server whose answers can be wrong for a while, and that tells of every call without keeping it.

Knows the in-memory server; knows nothing of who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from dhcpcore.contracts import Clock
from dhcpcore.testing.faults import Faults
from dhcpcore.testing.server import MemoryServer

Change = Callable[[Any], Any]
_METHODS: Final = ("get_active_networks_info", "get_network_info")


class SimulatedServer(MemoryServer):
    """A server that remembers no calls: a history has thousands.

    Args:
        host: whose agent's calls are told of; on_call: who is told.
    """

    def __init__(
        self, clock: Clock, faults: Faults, host: str, on_call: Callable[[str, tuple[Any, ...]], None]
    ) -> None:
        super().__init__(clock, faults)
        self._host, self._on_call = host, on_call

    def record(self, host: str, method: str, *arguments: Any) -> None:
        """Tell of a call."""
        if host == self._host:
            self._on_call(method, arguments)


class Answers:
    """What the server answers instead of the truth, and until when."""

    def __init__(self, server: MemoryServer, clock: Clock) -> None:
        self._clock = clock
        self._changes: list[tuple[str, float, Change]] = []
        for method in _METHODS:
            server.garble(method, partial(self._changed, method))

    def change(self, method: str, seconds: float, change: Change) -> None:
        """Answer `change(answer)` to `method` for so long."""
        self._changes.append((method, self._clock.monotonic() + seconds, change))

    def truth(self) -> None:
        """Answer nothing but the truth from now on."""
        self._changes.clear()

    def _changed(self, method: str, answer: Any) -> Any:
        if self._changes:
            now = self._clock.monotonic()
            for name, until, change in self._changes:
                if name == method and now < until:
                    answer = change(answer)
        return answer
