"""Hypothesis profiles, and a tally of the examples that ran, and the order for several workers.

The profile is chosen by the environment, because xdist's workers inherit it:

- DHCPCORE_HYPOTHESIS_PROFILE: `default` (100 examples, random), `test` and `ci` (100 and 1,000 examples, the same ones
  every time, so that a red build is red again when it is repeated) or `fuzz` (random; what `make fuzz` uses).
- DHCPCORE_FUZZ_EXAMPLES, DHCPCORE_FUZZ_UNTIL (fuzz only): examples for each property; the time, in seconds of the
  Unix epoch, after which no further property is begun.

With several workers the longest tests begin first, so that none of them is begun last, and those that wait for
something run beside those that compute.

Knows nothing of dhcpcore itself.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from support.spread import Kind, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

PROFILE: Final = os.environ.get("DHCPCORE_HYPOTHESIS_PROFILE", "default")
FUZZ_UNTIL: Final = float(os.environ.get("DHCPCORE_FUZZ_UNTIL", "inf"))

# A machine shared by two workers is slow now and then; that is no property of the code under test.
_PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("default", _PATIENT, max_examples=100)
settings.register_profile("test", _PATIENT, max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("ci", _PATIENT, max_examples=1000, derandomize=True, print_blob=True)
settings.register_profile(
    "fuzz", _PATIENT, max_examples=int(os.environ.get("DHCPCORE_FUZZ_EXAMPLES", "1000")), print_blob=True
)
settings.load_profile(PROFILE)

# The line of Hypothesis's own statistics, one for each phase; tests/unit/test_tally.py holds it against the real text.
_COUNTS: Final = re.compile(r"^ +- (\d+) passing, (\d+) failing, and \d+ invalid test cases", re.MULTILINE)


#: Where the long tests are, the longest first, and what they do most of their time.
_LONG: Final = {
    "integration": Kind.WAITS,
    "property": Kind.COMPUTES,
    "simulation": Kind.COMPUTES,
    "conformance": Kind.WAITS,
    "reference_server": Kind.WAITS,
    "rpc": Kind.WAITS,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers: long tests first, those that wait beside those that compute (`support.spread`).

    A file of the integration tests with one test runs all that is in it on a host of its own, so that test is long.
    """
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        tests = Counter(item.path for item in items)
        folders = list(_LONG)
        items.sort(key=lambda item: (_place(folders, item), tests[item.path]))
        items[:] = spread([(item, _kind(item), item.path) for item in items], workers, os.cpu_count() or 1)


def _place(folders: list[str], item: pytest.Item) -> int:
    name = item.path.parent.name
    return folders.index(name) if name in folders else len(folders)


def _kind(item: pytest.Item) -> Kind:
    if (kind := _LONG.get(item.path.parent.name)) is not None:
        return kind
    return Kind.COMPUTES if is_hypothesis_test(getattr(item, "obj", None)) else Kind.SHORT


def examples_in(statistics: str) -> int:
    """How many examples one property ran, from the statistics text of Hypothesis (invalid ones do not count)."""
    return sum(int(passing) + int(failing) for passing, failing in _COUNTS.findall(statistics))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if PROFILE == "fuzz" and time.time() >= FUZZ_UNTIL:
        pytest.skip("the time for fuzzing is over")


def _tallies(reporter: pytest.TerminalReporter) -> Iterator[tuple[int, str]]:
    for reports in reporter.stats.values():
        for report in reports:
            if statistics := getattr(report, "_hypothesis_stats", None):
                yield examples_in(statistics), report.nodeid


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tallies = sorted(_tallies(terminalreporter))
    if tallies or PROFILE == "fuzz":  # .ci/fuzz.py reads this line
        total = sum(count for count, _ in tallies)
        fewest, where = tallies[0] if tallies else (0, "none ran")
        terminalreporter.write_line(
            f"profile {PROFILE}: {len(tallies):,} properties, {total:,} examples (fewest: {fewest:,}, {where})"
        )
