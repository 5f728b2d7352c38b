"""`dhcpcore agent` where it cannot run: one line of log says why, in the form that was asked for, and the code is 1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

URL = "dhcpcore.transport_options.url=unix:///nobody/there"


def agent(*argv: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "dhcpcore_adapters.cli", "agent", *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_nothing_says_where_the_server_is() -> None:
    code, said = agent()
    assert code == 1
    assert said.startswith("dhcpcore: nothing says where the server is: set url in the table ")


def test_a_wrong_setting_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("num_sync_threads = 0\n")
    code, said = agent("--config", str(config))
    assert code == 1
    assert said.startswith(f"dhcpcore: {config}: option num_sync_threads: expected ")


def test_the_log_is_lines(tmp_path: Path) -> None:
    code, said = agent(
        "-o", URL, "-o", "interface_driver=nope", "-o", "resync_interval=9", "-o", f"state_path={tmp_path}"
    )
    assert code == 1
    note, error = said.splitlines()
    assert ' INFO about the settings note="-o: resync_interval is read and has no effect: ' in note
    assert ' ERROR the agent cannot run error="SettingsError: option interface_driver: expected one of bridge' in error
    assert list(tmp_path.iterdir()) == []


def test_the_log_is_json(tmp_path: Path) -> None:
    code, said = agent("-o", URL, "-o", "interface_driver=nope", "--log-format", "json", "--log-level", "error")
    assert code == 1
    (line,) = said.splitlines()
    record = json.loads(line)
    assert (record["level"], record["message"]) == ("error", "the agent cannot run")
    assert record["fields"]["error"].startswith("SettingsError: option interface_driver: ")


@pytest.mark.parametrize("argv", [["--log-format", "xml"], ["--log-level", "loud"], ["network.json"]])
def test_wrong_usage(argv: list[str]) -> None:
    code, said = agent(*argv)
    assert code == 1
    assert said.endswith("--help\n")
