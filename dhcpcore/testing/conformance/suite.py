"""What all conformance suites share: laws as test methods, worlds, failures that explain themselves, and a runner.

A *suite* is a class of test methods, each the law that its docstring states.  A *world* gives a suite one adapter and
observers that look past it.  Under pytest one subclasses the suite and supplies a fixture ``world``::

    class TestOurFileStore(FileStoreConformance):
        @pytest.fixture
        def world(self, tmp_path):
            return OurWorld(tmp_path)

`run_suite` does the same without pytest.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from attrs import frozen

from dhcpcore.errors import AdapterError

World = TypeVar("World")


class Unsupported(unittest.SkipTest):
    """This world cannot look there, or cannot make this fault: the law is skipped (pytest and unittest know how)."""


class LawBroken(AssertionError):
    """An adapter breaks a law of its contract. The text says which, and what was seen."""


def ensure(condition: bool, what: str, **seen: object) -> None:
    """Raise `LawBroken` unless `condition`.

    Args:
        what: what must be so, as a sentence.
        seen: what was seen instead, by name.
    """
    if not condition:
        details = "".join(f"\n    {name} = {_short(value)}" for name, value in seen.items())
        raise LawBroken(f"{what}{details}")


def ensure_equal(got: object, expected: object, what: str) -> None:
    """Raise `LawBroken` unless the two are equal."""
    ensure(got == expected, what, expected=expected, got=got)


@contextmanager
def adapter_error(what: str) -> Iterator[list[AdapterError]]:
    """The block must raise an `AdapterError` that says something, and nothing else; the list yielded then holds it."""
    caught: list[AdapterError] = []
    try:
        yield caught
    except AdapterError as error:
        ensure(bool(str(error).strip()), f"{what}: the AdapterError says what went wrong", got=str(error))
        caught.append(error)
        return
    except Exception as error:
        raise LawBroken(f"{what}: nothing but an AdapterError leaves an adapter\n    got = {error!r}") from error
    raise LawBroken(f"{what}: must raise AdapterError, but nothing was raised")


@contextmanager
def no_error(what: str) -> Iterator[None]:
    """The block must not raise."""
    try:
        yield
    except (LawBroken, Unsupported):
        raise
    except Exception as error:
        raise LawBroken(f"{what}: must not raise\n    got = {error!r}") from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:300]} … {text[-80:]}"


@frozen(kw_only=True)
class Failure:
    """A law that an adapter breaks.

    Attributes:
        test: the method's name; law: its docstring; message: what was seen.
    """

    test: str
    law: str
    message: str

    def __str__(self) -> str:
        return f"{self.test}: {self.law}\n  {self.message}"


@frozen(kw_only=True)
class Report:
    """What became of a suite's laws, by test name."""

    kept: tuple[str, ...]
    broken: tuple[Failure, ...]
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.kept)} laws kept, {len(self.broken)} broken, {len(self.skipped)} skipped"]
        return "\n".join([*lines, *(str(failure) for failure in self.broken)])


def laws(suite: type) -> dict[str, str]:
    """The laws of a suite: test name to docstring, in the order of the source."""
    found = {}
    for kind in reversed(suite.__mro__):
        for name, member in vars(kind).items():
            if name.startswith("test_"):
                found[name] = " ".join((inspect.getdoc(member) or "").split())
    return found


def run_suite(suite: type, open_world: Callable[[], AbstractContextManager[Any]], only: Sequence[str] = ()) -> Report:
    """Hold an adapter against a suite, without pytest.

    Args:
        suite: e.g. `FileStoreConformance`.
        open_world: makes a new world for each law, as a context manager.
        only: names of tests; default all.
    """
    kept, broken, skipped = [], [], []
    for name, law in laws(suite).items():
        if only and name not in only:
            continue
        try:
            with open_world() as world:
                getattr(suite(), name)(world)
        except unittest.SkipTest:
            skipped.append(name)
        except Exception as error:
            kind = "" if isinstance(error, LawBroken) else f"{type(error).__name__}: "
            broken.append(Failure(test=name, law=law, message=f"{kind}{error}"))
        else:
            kept.append(name)
    return Report(kept=tuple(kept), broken=tuple(broken), skipped=tuple(skipped))
