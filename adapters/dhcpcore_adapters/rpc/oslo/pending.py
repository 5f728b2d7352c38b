"""Calls under way: each on a thread of its own, so that its caller can leave it.

Knows threads and futures; no messaging.  The library's call returns when it has an answer or its time is over, and
nothing else ends it; a caller, though, is to be let go when the connection breaks or the agent stops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from dhcpcore import AdapterError

#: Makes a call: is given the seconds that are left, and what tells whether somebody still waits for it; that is to be
#: asked right before it is sent.  Raises `AdapterError` and nothing else.
Call = Callable[[float, Callable[[], bool]], Any]


class NoAnswer(AdapterError):
    """The server was asked, and did not answer in time."""


class Pending:
    """The calls of one transport, and whether they may be made at all: without a connection they wait for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: dict[Future[Any], str] = {}
        self._up = False
        self._closed = False
        self._why = "the transport was not started"

    def up(self) -> None:
        """There is a connection."""
        with self._changed:
            self._up = True
            self._changed.notify_all()

    def down(self, why: str) -> None:
        """There is none; calls under way end, and new ones wait."""
        with self._changed:
            self._up = False
            self._why = why
            self._fail_all(f"the connection was lost: {why}")

    def waiting_for(self, why: str) -> None:
        """There is still none, and this is why."""
        with self._changed:
            self._why = why

    def close(self) -> None:
        """All calls end, and no new one is made."""
        with self._changed:
            self._closed = True
            self._fail_all("the transport is closed")
            self._changed.notify_all()

    def run(self, method: str, call: Call, timeout: float) -> Any:
        """Make one call, once there is a connection.

        Args:
            call: see `Call`.
            timeout: seconds in all.

        Raises:
            AdapterError: what the call raised; or there was no connection, or no answer, in time.
        """
        until = time.monotonic() + timeout
        future: Future[Any] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._up, timeout)
            if self._closed:
                raise AdapterError(f"ConnectionError: {method} was not sent: the transport is closed")
            if not self._up:
                raise AdapterError(f"TimeoutError: {method} was not sent: no connection: {self._why}")
            self._calls[future] = method
        left = max(0.001, until - time.monotonic())
        threading.Thread(target=_make, args=[future, call, left], name=f"rpc {method}", daemon=True).start()
        try:
            # The library keeps the time; this is for what it does before it looks at the clock.
            return future.result(left + 1.0)
        except TimeoutError:
            raise NoAnswer(f"TimeoutError: no answer to {method} in {left:.3g} s, its outcome is unknown") from None
        finally:
            with self._changed:
                self._calls.pop(future, None)

    def _fail_all(self, why: str) -> None:
        for future, method in self._calls.items():
            with suppress(InvalidStateError):
                error = f"ConnectionError: {method} was sent, its outcome is unknown: {why}"
                future.set_exception(AdapterError(error))
        self._calls.clear()


def _make(future: Future[Any], call: Call, left: float) -> None:
    try:
        answer = call(left, lambda: not future.done())
    except BaseException as error:
        with suppress(InvalidStateError):  # nobody waits any more
            future.set_exception(error)
    else:
        with suppress(InvalidStateError):
            future.set_result(answer)
