"""Whether a server hears us again: asked with something small until it answers, before anything else is asked.

Knows time and threads; no messaging.  A broker drops what is sent to a topic that nobody consumes yet, and says
nothing.  After its restart the server's queues may come back later than our connection; a call in between would be
waited for until its time is over, a minute (``rpc_response_timeout``), and with it all that was missed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from dhcpcore_adapters.rpc.oslo.pending import NoAnswer

#: Seconds that the server is given for each question: more than it takes, less than anybody minds.
_EACH: Final = 3.0
#: Seconds after one that nobody answered; some fail at once.
_BETWEEN: Final = 0.2


class Proof:
    """Whether a server is known to be there: it is taken to be, until a connection was lost.

    Args:
        ask: asks the server something small, with the seconds that it has; whether anything was answered.
    """

    def __init__(self, ask: Callable[[float], bool]) -> None:
        self._ask = ask
        self._turn = threading.Lock()
        self._lost = 0
        self._proved = 0

    def forget(self) -> None:
        """The connection was lost: on the next one the server is asked first."""
        self._lost += 1

    def wait(self, method: str, left: float) -> float:
        """Wait until the server has answered since then.

        Args:
            method: that is to be called; left: seconds that there are for it.

        Returns:
            the seconds that are left then.

        Raises:
            NoAnswer: there was none in time.
        """
        until = time.monotonic() + left
        # One asks for all who wait.
        if self._turn.acquire(timeout=left):
            try:
                while self._proved != (lost := self._lost) and time.monotonic() < until:
                    if self._ask(min(_EACH, until - time.monotonic())):
                        self._proved = lost
                    else:
                        time.sleep(_BETWEEN)
                if self._proved == self._lost:
                    return max(0.001, until - time.monotonic())
            finally:
                self._turn.release()
        waited = f"{method} was not sent: for {left:.3g} s no server has answered"
        raise NoAnswer(f"TimeoutError: {waited}; does neutron-rpc-server run?")
