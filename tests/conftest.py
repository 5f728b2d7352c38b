"""Hypothesis profiles, and a tally of the examples that ran, and the order for several workers.

The profile is chosen by the environment, because xdist's workers inherit it:

- DHCPCORE_HYPOTHESIS_PROFILE: `default` (100 examples, random), `test` and `ci` (100 and 1,000 examples, the same ones
  every time, so that a red build is red again when it is repeated) or `fuzz` (random; what `make fuzz` uses).
- DHCPCORE_FUZZ_EXAMPLES, DHCPCORE_FUZZ_UNTIL (fuzz only): examples for each property; the time, in seconds of the
  Unix epoch, after which no further property is begun.

With several workers the longest tests begin first, so that none of them is begun last.

Knows nothing of dhcpcore itself.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings

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


#: Where the long tests are, the longest first.
_LONG: Final = ("integration", "property", "simulation", "conformance", "reference_server")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers: long tests first.

    A file of the integration tests with one test runs all that is in it on a host of its own, so that test is long.
    A worker with nothing left takes from the end of another's list (``--dist worksteal``), where the short ones are.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (_folder(item), tests[item.path]))


def _folder(item: pytest.Item) -> int:
    name = item.path.parent.name
    return _LONG.index(name) if name in _LONG else len(_LONG)


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
