"""The examples run as their first lines say, without privileges, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *argv], capture_output=True, text=True, timeout=60, cwd="/"
    )


def test_plan_a_sync() -> None:
    done = run("plan_a_sync.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Plan: 2 to enable, 1 to disable, 1 to reload, 1 to restart, 1 unchanged.\n" in done.stdout
    assert done.stdout.endswith(
        "reload 17f48623-912f-5ff4-a203-e92dd3a6e3cf: file host differs, file addn_hosts differs\n"
    )


def test_render_files() -> None:
    done = run("render_files.py")
    assert (done.returncode, done.stderr) == (0, "")
    network_id = "17f48623-912f-5ff4-a203-e92dd3a6e3cf"
    assert f"== {network_id} host\nfa:16:3e:01:00:0b,front.example.org.,10.1.0.11\n" in done.stdout
    assert f"== {network_id} command line\ndnsmasq --no-hosts " in done.stdout
    assert f"== /var/lib/neutron/ns-metadata-proxy/{network_id}.conf\n" in done.stdout


def test_render_files_names_the_field(tmp_path: Path) -> None:
    (tmp_path / "n.json").write_text('{"id": "n", "ports": [{"id": "p", "mac_address": "zz"}]}', "utf-8")
    done = run("render_files.py", str(tmp_path / "n.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "ports[0].mac_address: expected a MAC address" in done.stderr


@pytest.mark.parametrize("name", ["plan_a_sync.py", "render_files.py"])
def test_an_example_is_read_in_one_sitting(name: str) -> None:
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= 70
