"""How long a call waits for its answer: longer after each time that there was none, as neutron_lib's clients do it.

Knows numbers; neither time nor messaging.  A server that answers late is overloaded more often than gone; to ask it
again after the same time, its first answer on the way, makes that worse.
"""

from __future__ import annotations

import threading


class Patience:
    """The timeout of each method: doubled by a timeout up to `most`, the first one again after an answer in time.

    Args:
        first: seconds to begin with (``rpc_response_timeout``); most: ``rpc_response_max_timeout``.
    """

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = max(first, most)
        self._longer: dict[str, float] = {}
        self._lock = threading.Lock()

    def timeout(self, method: str) -> float:
        """Seconds for the next call of it."""
        with self._lock:
            return self._longer.get(method, self._first)

    def timed_out(self, method: str, after: float) -> float:
        """There was no answer after so many seconds; returns how long the next call waits."""
        with self._lock:
            # Calls side by side that end together count once.
            longer = self._longer[method] = max(self._longer.get(method, self._first), min(2 * after, self._most))
            return longer

    def answered(self, method: str, after: float) -> None:
        """There was an answer after so many seconds."""
        with self._lock:
            if after <= self._first:
                self._longer.pop(method, None)
