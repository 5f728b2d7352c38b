"""The tally that every run prints, and the order for several workers (tests/conftest.py), held against real runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: With what the copied conftest.py imports.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}

PROPERTIES = """
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

@given(st.integers())
def test_many(x): pass

@given(st.booleans())
def test_few(x): pass

class Machine(RuleBasedStateMachine):
    @rule()
    def step(self): pass

TestMachine = Machine.TestCase

def test_no_property(): pass
"""


def test_the_tally_counts_examples(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_properties.py").write_text(PROPERTIES)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env=ENVIRONMENT | {"DHCPCORE_HYPOTHESIS_PROFILE": "default", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # 100 integers, both booleans, 100 runs of the machine.
    assert "profile default: 3 properties, 202 examples (fewest: 2, test_properties.py::test_few)" in ran.stdout


def test_with_several_workers_the_long_tests_begin_first(tmp_path: Path) -> None:
    """Those of one file stay together, in their order; without workers all is as pytest has it.

    This is what one worker has; how several share the tests is in test_spread.py.
    """
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    two = "def test_2(): pass\n\ndef test_1(): pass\n"
    for file, text in {
        "agent/test_a": two,
        "integration/test_b": two,
        "integration/test_c": "def test_1(): pass\n",
    }.items():
        path = tmp_path / f"{file}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    plain = {name: value for name, value in ENVIRONMENT.items() if name != "PYTEST_XDIST_WORKER_COUNT"}
    told = []
    for environment in (plain, plain | {"PYTEST_XDIST_WORKER_COUNT": "1"}):
        ran = subprocess.run(
            [*command, str(tmp_path)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told.append([line.rpartition("/")[2] for line in ran.stdout.splitlines() if "::" in line])
    a, b, c = (
        ["test_a.py::test_2", "test_a.py::test_1"],
        ["test_b.py::test_2", "test_b.py::test_1"],
        ["test_c.py::test_1"],
    )
    assert told == [a + b + c, c + b + a]
