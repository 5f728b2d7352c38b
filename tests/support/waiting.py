"""Waiting for what others do in their own time; knows nothing of what that is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 10, *, pause: float = 0.005) -> T:
    """The first true value that `look` returns, or the last false one, looked at anew every `pause` seconds."""
    deadline = time.monotonic() + seconds
    while not (value := look()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value


def in_time(call: Callable[[], T], seconds: float = 3) -> T:
    """What `call` returns or raises; fails when that takes longer, and leaves the call to itself then."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    assert returned, f"it takes longer than {seconds:g} s"
    return returned[0]
