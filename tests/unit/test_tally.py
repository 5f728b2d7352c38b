"""The tally that every run prints (tests/conftest.py), held against the statistics that Hypothesis really writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROPERTIES = '''
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
'''


def test_the_tally_counts_examples(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_properties.py").write_text(PROPERTIES)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env=os.environ | {"DHCPCORE_HYPOTHESIS_PROFILE": "default", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # 100 integers, both booleans, 100 runs of the machine.
    assert "profile default: 3 properties, 202 examples (fewest: 2, test_properties.py::test_few)" in ran.stdout
