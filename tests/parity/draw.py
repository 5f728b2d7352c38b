"""The dice of the request generator: a seeded source of choices that remembers which features it drew.

Knows nothing of networks. Equal seeds give equal choices, on every Python from 3.11.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices from one seed. `features` holds the names noted since the last reset, for one request."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.features: set[str] = set()

    def note(self, feature: str) -> None:
        self.features.add(feature)

    def chance(self, probability: float, feature: str | None = None) -> bool:
        """True with the given probability; a True is noted under `feature`."""
        hit = self.rng.random() < probability
        if hit and feature:
            self.note(feature)
        return hit

    def one(self, options: Sequence[T]) -> T:
        return options[self.rng.randrange(len(options))]

    def weighted(self, options: Sequence[tuple[float, T]]) -> T:
        weights = [weight for weight, _ in options]
        return self.rng.choices([option for _, option in options], weights)[0]

    def some(self, options: Sequence[T], low: int, high: int) -> list[T]:
        """Between `low` and `high` different options, in random order; fewer where there are no more."""
        most = min(high, len(options))
        return self.rng.sample(list(options), self.rng.randint(min(low, most), most))

    def number(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return self.rng.randint(low, high)

    def hex(self, digits: int) -> str:
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        return f"{self.hex(8)}-{self.hex(4)}-4{self.hex(3)}-{self.one('89ab')}{self.hex(3)}-{self.hex(12)}"

    def octets(self, count: int) -> str:
        return ":".join(self.hex(2) for _ in range(count))
