"""What a step is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demo.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to prove.

    Attributes:
        what: the claim, for people.
        run: proves it and returns the evidence in a few words; raises `NotSo` or an OSError where it does not hold.
        is_needed: without it nothing after it can be tried.
        needs_metadata: it is about the metadata proxy, and skipped where there is no haproxy.
    """

    what: str
    run: Callable[[Stage], str]
    is_needed: bool = False
    needs_metadata: bool = False
