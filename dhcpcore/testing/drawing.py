"""Choices made by Hypothesis, and generators turned into strategies."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from dhcpcore.testing.choices import Choices

T = TypeVar("T")


@lru_cache(maxsize=1024)
def _integers(low: int, high: int) -> SearchStrategy[int]:
    return st.integers(low, high)


@lru_cache(maxsize=64)
def _texts(alphabet: str, low: int, high: int) -> SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), min_size=low, max_size=high)


class DrawnChoices(Choices):
    """Choices made by Hypothesis through a `draw` function, as `hypothesis.strategies.composite` hands it out."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """See `Choices.integer`."""
        return self._draw(_integers(low, high)) if low < high else low

    def text(self, alphabet: str, low: int, high: int) -> str:
        """See `Choices.text`."""
        return self._draw(_texts(alphabet, low, high))


def drawn(generator: Callable[[Choices], T]) -> SearchStrategy[T]:
    """A Hypothesis strategy of what `generator` makes."""

    @st.composite
    def strategy(draw: DrawFn) -> T:
        return generator(DrawnChoices(draw))

    return strategy()
