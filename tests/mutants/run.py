"""Bring bugs of other DHCP agents back, one at a time, and see the named test fail.

    PYTHONPATH=tests python -m mutants.run [--workers N] [NAME]...

The checkout is copied to a temporary directory, never changed.  First all named tests must pass there; then each mutant
is applied alone, and its one test must run and fail, with the exception that the catalogue names: a mutant that cannot
be imported is no kill.  Exit status 0 when every mutant was killed, 1 when one was not, 2 when the catalogue no longer
fits the source.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from attrs import field, frozen

from mutants.catalogue import CATALOGUE
from mutants.mutant import Mutant, StaleMutant

ROOT: Final = Path(__file__).resolve().parents[2]
#: Beside what begins with a dot: nothing in them is imported by a test.
_LEFT_OUT: Final = frozenset({"bench", "__pycache__", "dist"})
_TIMEOUT: Final = 120.0
#: How pytest spells an assertion that failed: `assert` was rewritten, the exception has no name in front.
_ASSERTIONS: Final = ("assert ", "AssertionError", "Failed: DID NOT RAISE")


@frozen(kw_only=True)
class TestRun:
    """What pytest said.

    Attributes:
        passed, failed, errors: how many tests; failures: the first line of each failure.
    """

    __test__ = False  # no test class, for whoever collects this module

    passed: int
    failed: int
    errors: int
    failures: tuple[str, ...]
    output: str


@frozen(kw_only=True)
class Verdict:
    """What became of one mutant; `problem` None where its test killed it."""

    mutant: Mutant
    seconds: float
    problem: str | None


@frozen
class Copy:
    """A copy of the checkout, in which one mutant at a time lives."""

    root: Path
    # A compiled module counts as fresh while time (in whole seconds) and size of its source stay the same: no two
    # versions of a file may have one time.
    _times: Iterator[int] = field(factory=lambda: count(int(time.time()), 2), repr=False)

    @contextmanager
    def with_mutant(self, mutant: Mutant) -> Iterator[None]:
        """The bug is in the copy while this is open."""
        changed = mutant.changed(self.root)
        before = {path: (self.root / path).read_text(encoding="utf-8") for path in changed}
        self._write(changed)
        try:
            yield
        finally:
            self._write(before)

    def _write(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            path = self.root / name
            path.write_text(text, encoding="utf-8")
            now = next(self._times)
            os.utime(path, (now, now))

    def run(self, tests: Sequence[str], *, first_failure: bool) -> TestRun:
        """Run these tests, by node id, in the copy."""
        report = self.root / "mutants.xml"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line"]
        command += [f"--junitxml={report}", "--hypothesis-seed=0", *(["-x"] if first_failure else []), *tests]
        try:
            ran = subprocess.run(
                command,
                cwd=self.root,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_TIMEOUT if first_failure else None,
            )
        except subprocess.TimeoutExpired:
            return TestRun(passed=0, failed=0, errors=1, failures=(), output=f"no end after {_TIMEOUT:.0f} s")
        if not report.exists():
            return TestRun(passed=0, failed=0, errors=1, failures=(), output=ran.stdout)
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
        failures = tuple(each.get("message", "").strip() for each in suite.iter("failure"))
        errors = int(suite.get("errors", "0"))
        passed = int(suite.get("tests", "0")) - len(failures) - errors - int(suite.get("skipped", "0"))
        return TestRun(passed=passed, failed=len(failures), errors=errors, failures=failures, output=ran.stdout)

    def environment(self) -> dict[str, str]:
        """What Python needs to find the copy before the checkout, whatever is installed."""
        paths = os.pathsep.join(str(self.root / name) for name in ("", "adapters", "tests"))
        return os.environ | {"PYTHONPATH": paths, "DHCPCORE_HYPOTHESIS_PROFILE": "default"}

    def is_what_python_finds(self) -> bool:
        """Whether `import dhcpcore` in the copy imports the copy."""
        command = [sys.executable, "-c", "import dhcpcore; print(dhcpcore.__file__)"]
        found = subprocess.run(command, cwd=self.root, env=self.environment(), stdout=subprocess.PIPE, text=True)
        return Path(found.stdout.strip()).is_relative_to(self.root)


def copied(to: Path) -> Copy:
    """A copy of the checkout at `to`."""

    def left_out(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name.startswith(".") or name in _LEFT_OUT}

    shutil.copytree(ROOT, to, ignore=left_out)
    return Copy(to)


def judged(mutant: Mutant, ran: TestRun) -> str | None:
    """Why the mutant does not count as killed; None where it does."""
    if ran.errors:
        return f"the test did not run: {ran.output.strip()[-300:]}"
    if not ran.failed:
        return "SURVIVED"
    expected = _ASSERTIONS if mutant.fails_with == "AssertionError" else (mutant.fails_with,)
    first = ran.failures[0]
    kind = first.partition("\n")[0]
    # An exception of a library of ours comes with its module in front.
    if not kind.startswith(expected) and not kind.partition(":")[0].rpartition(".")[2].startswith(expected):
        return f"failed with something else than {mutant.fails_with}: {kind[:200]}"
    return None


def verdicts(mutants: Sequence[Mutant], copies: Sequence[Copy]) -> Iterator[Verdict]:
    """Each mutant's verdict, in order; as many at a time as there are copies."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def verdict(mutant: Mutant) -> Verdict:
        copy = free.get()
        began = time.monotonic()
        try:
            with copy.with_mutant(mutant):
                problem = judged(mutant, copy.run([mutant.killer], first_failure=True))
        finally:
            free.put(copy)
        return Verdict(mutant=mutant, seconds=time.monotonic() - began, problem=problem)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(verdict, mutants)


def row(verdict: Verdict) -> str:
    """One line of the table."""
    mutant = verdict.mutant
    bugs = ", ".join([*mutant.museum, *mutant.bugs])
    killer = " ".join(verdict.problem.split()) if verdict.problem else mutant.killer.removeprefix("tests/")
    return f"| {mutant.name} | {bugs}: {mutant.brings_back} | {killer} | {verdict.seconds:.1f} |"


def main(argv: Sequence[str]) -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="mutants.run", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to run; default: all")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many at a time (2)")
    asked = parser.parse_args(argv)
    mutants = [mutant for mutant in CATALOGUE if not asked.names or mutant.name in asked.names]
    if unknown := set(asked.names) - {mutant.name for mutant in mutants}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    try:
        for mutant in mutants:
            mutant.changed(ROOT)
    except StaleMutant as stale:
        print(f"mutants: the catalogue does not fit the source: {mutant.name}: {stale}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dhcpcore-mutants-") as directory:
        copies = [copied(Path(directory).resolve() / f"copy{number}") for number in range(max(1, asked.workers))]
        if not copies[0].is_what_python_finds():
            print("mutants: Python imports another dhcpcore than the copy's", file=sys.stderr)
            return 2
        killers = sorted({mutant.killer for mutant in mutants})
        control = copies[0].run(killers, first_failure=False)
        if control.failed or control.errors or control.passed < len(killers):
            print(control.output, file=sys.stderr)
            print("mutants: without any mutant every named test must pass", file=sys.stderr)
            return 2
        print("| mutant | brings back | killed by | seconds |")
        print("| --- | --- | --- | --- |")
        alive = 0
        for verdict in verdicts(mutants, copies):
            print(row(verdict), flush=True)
            alive += verdict.problem is not None
    told = f"{len(mutants) - alive} of {len(mutants)} mutants killed, {time.monotonic() - began:.0f} s"
    print(f"mutants: {told}" if not alive else f"mutants: FAILED, {told}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
