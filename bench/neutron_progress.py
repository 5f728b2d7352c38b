"""What a run of `neutron_run` still has to do, and how long that takes: its steps, timed as they are done.

Knows steps by what they are, and guesses from those that were done here; before there is one, from numbers of a machine
with two cores and nothing else to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One of them.

    Attributes:
        what: ``starts``, ``takeover`` or ``events``; side: whose; networks: on how many.
        guess: seconds, where none was done yet.
    """

    what: str
    side: str
    networks: int
    guess: float


class Progress:
    """The steps of a run, in order."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._left = list(steps)
        self._number = len(self._left)
        self._took: dict[tuple[str, str], list[float]] = {}

    @contextmanager
    def step(self, step: Step) -> Iterator[None]:
        """It is done meanwhile."""
        begun = time.monotonic()
        yield
        # How much longer, or shorter, than was guessed; the same for more networks.
        self._took.setdefault((step.what, step.side), []).append((time.monotonic() - begun) / step.guess)
        self._left.remove(step)

    @property
    def left(self) -> float:
        """Seconds that the rest may take."""
        return sum(step.guess * self._factor(step) for step in self._left)

    def _factor(self, step: Step) -> float:
        like = self._took.get((step.what, step.side)) or [each for times in self._took.values() for each in times]
        return sum(like) / len(like) if like else 1.0

    def __str__(self) -> str:
        done = self._number - len(self._left)
        return f"{done} of {self._number} steps; some {self.left / 60:.0f} min left" if self._left else "all is done"
