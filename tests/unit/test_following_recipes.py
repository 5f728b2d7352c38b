"""Recipes are followed call by call, whole or in steps; a failure is told to the recipe, and kept by nobody."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dhcpcore.errors import AdapterError
from dhcpcore.recipes import Call, Recipe, follow, in_steps

READ, WRITE = Call("files", "read", ("/a",)), Call("files", "write", ("/a", "text"))


def _reads_or_writes() -> Recipe[str]:
    try:
        answer: str = yield READ
    except AdapterError as error:
        yield WRITE
        return f"written, for {error}"
    return answer


def _in_one_go(recipe: Recipe[str], make: Callable[[Call], object]) -> str:
    steps = in_steps(recipe, make)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: str = end.value
        return result


def _fail(why: str, kept: list[weakref.ref[AdapterError]]) -> None:
    """Raise an error of which nobody but a weak reference in `kept` knows."""
    error = AdapterError(why)
    kept.append(weakref.ref(error))
    try:
        raise error
    finally:
        del error


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


ways = pytest.mark.parametrize("way", [follow, _in_one_go], ids=["whole", "in steps"])


@ways
def test_an_answer_goes_back_into_the_recipe(way: Callable[..., str]) -> None:
    assert way(_reads_or_writes(), lambda call: "text") == "text"


@ways
def test_a_failure_does_too(way: Callable[..., str]) -> None:
    made: list[Call] = []

    def make(call: Call) -> None:
        made.append(call)
        if call == READ:
            raise AdapterError("no such file")

    assert way(_reads_or_writes(), make) == "written, for no such file"
    assert made == [READ, WRITE]


@ways
def test_a_failure_that_the_recipe_does_not_expect_ends_it_and_is_kept_by_nobody(way: Callable[..., str]) -> None:
    """Its traceback holds every frame on the way, and all that is in them, until it is gone."""

    def unprepared() -> Recipe[str]:
        yield READ
        return "read"

    kept: list[weakref.ref[AdapterError]] = []

    def make(call: Call) -> None:
        _fail(f"{call} failed", kept)

    with _without_collector():
        with pytest.raises(AdapterError, match=r"files\.read failed") as raised:
            way(unprepared(), make)
        del raised
        assert [each() for each in kept] == [None]


@ways
def test_a_failure_that_the_recipe_knows_how_to_mend_is_kept_by_nobody(way: Callable[..., str]) -> None:
    kept: list[weakref.ref[AdapterError]] = []

    def make(call: Call) -> None:
        if call == READ:
            _fail("no such file", kept)

    with _without_collector():
        assert way(_reads_or_writes(), make) == "written, for no such file"
        assert [each() for each in kept] == [None]
