"""How the suites are tested: an adapter broken on purpose must be caught, and the failure must say by what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from dhcpcore.testing.conformance import run_suite


def assert_caught(suite: type, world: Callable[[], Any], law: str) -> None:
    """`law` is among those that the suite finds broken, and its failure says what was expected of whom."""
    report = run_suite(suite, lambda: nullcontext(world()))
    broken = {failure.test: failure for failure in report.broken}
    assert law in broken, f"not caught by {law}; {report}"
    failure = broken[law]
    assert failure.law, "a law states itself in its docstring"
    # A sentence about the adapter, not the accident that the adapter's mistake led to in the suite.
    assert len(failure.message) > 20
    for accident in ("TypeError", "AttributeError", "KeyError", "IndexError", "ValueError"):
        assert not failure.message.startswith(accident), failure.message
