"""Waiting for something to be so, never longer than a bound; and what is said when it is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds within which anything here happens, on a busy machine too; the table tells the time it took.
PATIENCE: Final = 15.0
_EVERY: Final = 0.01


class NotSo(Exception):
    """Something that should be so is not. The text says what was seen instead."""


def until(what: str, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The first true answer of `condition`, which is asked every 10 ms.

    Raises:
        NotSo: there was none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise NotSo(f"waited {seconds:g} s in vain: {what}")
        time.sleep(_EVERY)
    return answer


def expect(what: str, seen: object, wanted: object) -> None:
    """Holds one value against another.

    Raises:
        NotSo: they differ.
    """
    if seen == wanted:
        return
    if is_dataclass(seen) and is_dataclass(wanted) and type(seen) is type(wanted):
        for member in fields(wanted):
            expect(f"{what}: {member.name}", getattr(seen, member.name), getattr(wanted, member.name))
    raise NotSo(f"{what} is {seen!r}, should be {wanted!r}")


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def __str__(self) -> str:
        return shown(self.seconds)


def shown(seconds: float) -> str:
    """A time for people: ``87 ms``, ``2.3 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
