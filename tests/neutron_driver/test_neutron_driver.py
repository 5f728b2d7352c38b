"""The driver for Neutron's own agent, inside that agent: real classes of neutron 29.0.0, real dnsmasq, no server.

All run in a host of their own, by a Python that has Neutron (see `checks.py`); skipped where there is none.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
from pathlib import Path
from typing import Final

import pytest

from support import host as hosts
from support.namespace import found

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PYTHON: Final = Path(os.environ.get("DHCPCORE_STOCK_PYTHON") or ROOT / ".venv-stock/bin/python")
CHECKS: Final = [
    node.name
    for name in ("checks.py", "trouble.py")
    for node in ast.parse((HERE / name).read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]


def test_there_are_checks() -> None:
    assert len(CHECKS) > 10


def test_every_check_holds(tmp_path: Path) -> None:
    """Law: see the checks. They are one test, since importing Neutron takes longer than any of them."""
    if not PYTHON.is_file():
        pytest.skip(f"there is no {PYTHON}: make one with .ci/stock")
    if (why := hosts.missing()) is not None:
        pytest.skip(why)
    for tool, package in ("dhcp_release", "dnsmasq-utils"), ("haproxy", "haproxy"):
        if found(tool) is None:
            pytest.skip(f"there is no {tool} here, which Neutron's agent needs: apt-get install {package}")
    # Of what our packages need Neutron's environment has all but this one; it has no dependencies of its own.
    spec = importlib.util.find_spec("immutables")
    assert spec is not None
    assert spec.submodule_search_locations
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/immutables").symlink_to(spec.submodule_search_locations[0])
    path = os.pathsep.join(str(each) for each in (ROOT, ROOT / "adapters", ROOT / "tests", tmp_path / "beside"))
    program = [str(PYTHON), "-W", "ignore", "-m", "neutron_driver.checks", str(tmp_path)]
    ran = hosts.run_program([found("env") or "env", f"PYTHONPATH={path}", *program], seconds=500)
    print(ran.stderr[-20_000:])
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"check"')]
    failures = {each["check"]: each["failure"] for each in told}
    assert set(failures) == set(CHECKS), ran.stdout[-2000:]
    assert not any(failures.values()), "\n".join(f"{name}: {why}" for name, why in failures.items() if why)
