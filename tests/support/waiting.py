"""Waiting for what others do in their own time; knows nothing of what that is."""

from __future__ import annotations

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
