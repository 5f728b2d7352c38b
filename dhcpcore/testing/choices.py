"""Where generated values come from: one source of choices, drawn by Hypothesis or by a seed.

Every generator of `dhcpcore.testing.generate` is written once, over `Choices`.  `dhcpcore.testing.drawing` asks
Hypothesis, so a failing example shrinks; `SeededChoices` asks `random.Random`, which is much faster and needs nothing
but a number to be repeated (simulations, comparisons over many thousand networks).

The first answer of every question is the simplest one: a generator puts the plain case first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Choices(ABC):
    """Answers to questions that have several."""

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` (the simplest) to `high`, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`, the first being the simplest."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in about `percent` of a hundred cases; False is the simplest."""
        return self.integer(0, 99) >= 100 - percent

    def text(self, alphabet: str, low: int, high: int) -> str:
        """A string of `low` to `high` characters of `alphabet`."""
        return "".join(self.pick(alphabet) for _ in range(self.integer(low, high)))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The same items in some order; their own order is the simplest."""
        left = list(items)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(len(left))]

    def some(self, items: Sequence[T], low: int = 0, high: int | None = None) -> list[T]:
        """From `low` to `high` different items, in their own order; the first ones are the simplest."""
        most = len(items) if high is None else min(high, len(items))
        chosen = self.shuffled(range(len(items)))[: self.integer(min(low, most), most)]
        return [items[index] for index in sorted(chosen)]


class SeededChoices(Choices):
    """Choices made by one seed: the same seed, the same values, on every machine."""

    def __init__(self, seed: int | str | Random) -> None:
        self._random = seed if isinstance(seed, Random) else Random(seed)

    def integer(self, low: int, high: int) -> int:
        """See `Choices.integer`."""
        return self._random.randint(low, high)
