"""What other libraries log, beside our own: said, but not again and again.

Knows logging.  oslo.messaging says of each of its connections, every second and more, that the broker is gone; the
agent says it once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

#: Seconds in which a message of a library is not said twice.
INTERVAL: Final = 60.0
_MOST: Final = 1000


class Repeats(logging.Filter):
    """Lets each message of other libraries through once in `INTERVAL`, whatever stands in it.

    Args:
        ours: the logger whose records always pass, those below it too.
        clock: seconds that never go back.
    """

    def __init__(self, ours: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._ours = ours
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is said."""
        if record.name == self._ours or record.name.startswith(f"{self._ours}."):
            return True
        # The template, not what was filled in: of a thousand messages about as many places there is one.
        message, now = (record.name, str(record.msg)), self._clock()
        if now - self._said.get(message, -INTERVAL) < INTERVAL:
            return False
        if len(self._said) >= _MOST:  # a library that fills in by itself
            self._said.clear()
        self._said[message] = now
        return True
