"""Calls of the contracts that nobody has made yet, and how a recipe that asks for them is followed.

Knows no contract's methods and no action: what is asked for is the recipe's business, making the calls its follower's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Literal, TypeVar

from attrs import frozen

from dhcpcore.errors import AdapterError

T = TypeVar("T")

#: The contract that a call is made on: `ServerRpc`, `ProcessControl`, `NamespaceControl`, `FileStore`.
Contract = Literal["server", "processes", "namespaces", "files"]


@frozen
class Call:
    """One call of a contract's method. Its answer, or the `AdapterError` it raised, goes back into the recipe."""

    contract: Contract
    method: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.contract}.{self.method}"


#: Yields calls, is sent their answers, returns what came of it all.
Recipe = Generator[Call, Any, T]


def in_steps(recipe: Recipe[T], make: Callable[[Call], Any]) -> Generator[Call, None, T]:
    """Follow a recipe with pauses: one before each call, and one before its answer is looked at.

    Whoever iterates decides what else happens meanwhile, may end it there, as a killed agent does, and may throw an
    `AdapterError` in: the call fails, or its answer is lost.

    Raises:
        AdapterError: a call's, where the recipe does not know better.
    """
    failure: AdapterError | None = None
    try:
        call = next(recipe)
        while True:
            failure, answer = None, None
            try:
                yield call
                answer = make(call)
                yield call
            except AdapterError as error:
                failure = error
            call = recipe.send(answer) if failure is None else recipe.throw(failure)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        failure = None  # its traceback has this frame: no cycle is left for the collector
        recipe.close()


def follow(recipe: Recipe[T], make: Callable[[Call], Any]) -> T:
    """What a recipe returns when `make` makes its calls.

    Raises:
        AdapterError: a call's, where the recipe does not know better.
    """
    try:
        call = next(recipe)
        while True:
            try:
                answer = make(call)
            except AdapterError as error:
                call = recipe.throw(error)
            else:
                call = recipe.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        recipe.close()
