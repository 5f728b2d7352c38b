"""One agent on a host: a second one is refused, and told what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dhcpcore_adapters.agent.lock import AgentLock, AlreadyRuns, refuse_stock_agent


def test_a_second_one_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "dhcpcore.lock")
    held = AgentLock(path)
    with pytest.raises(AlreadyRuns, match=r"process \d+.*another state_path"):
        AgentLock(path)
    held.close()
    AgentLock(path).close()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "dhcpcore.lock")
    program = (
        "import os, sys; from dhcpcore_adapters.agent.lock import AgentLock; lock = AgentLock(sys.argv[1]); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, path], timeout=60).returncode == 9
    AgentLock(path).close()


@pytest.mark.parametrize("left", [None, 0o644])
def test_nobody_else_can_hold_it(tmp_path: Path, left: int | None) -> None:
    """A lock is taken by whoever can read the file (flock(2)): another user could keep the agent from starting."""
    path = tmp_path / "dhcpcore.lock"
    if left is not None:
        path.touch()
        path.chmod(left)
    AgentLock(str(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("what", ["link", "dangling", "fifo", "directory"])
def test_what_is_no_file_is_not_written_through(tmp_path: Path, what: str) -> None:
    """The state path may be another user's: what he puts there must not lead an agent that is root elsewhere."""
    path, precious = tmp_path / "dhcpcore.lock", tmp_path / "precious"
    precious.write_text("precious")
    if what == "fifo":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    else:
        path.symlink_to(precious if what == "link" else tmp_path / "nobody")
    with pytest.raises(OSError, match=r"symbolic link|no file|directory") as caught:
        AgentLock(str(path))
    assert caught.value.filename == str(path)
    assert precious.read_text() == "precious"
    assert not (tmp_path / "nobody").exists()


def fake_process(proc: Path, pid: int, *argv: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes(b"\0".join(word.encode() for word in argv) + b"\0")
    (proc / str(pid) / "root").symlink_to("/")


def test_a_stock_agent_with_the_same_state_path_is_in_the_way(tmp_path: Path) -> None:
    proc, config = tmp_path / "proc", tmp_path / "neutron.conf"
    config.write_text("[DEFAULT]\nstate_path = /srv/neutron\n[AGENT]\nstate_path = /elsewhere\n")
    fake_process(proc, 1, "/sbin/init")
    fake_process(proc, 77, "/usr/bin/python3", "/usr/bin/neutron-dhcp-agent", f"--config-file={config}")
    (proc / "meminfo").write_text("")
    with pytest.raises(AlreadyRuns, match=r"process 77.*stop it first"):
        refuse_stock_agent("/srv/neutron/", proc=str(proc))
    refuse_stock_agent("/var/lib/neutron", proc=str(proc))


@pytest.mark.parametrize("text", ["", "state_path = lost before any section\n", "[DEFAULT]\nstate_path\n", "\xff"])
def test_a_stock_agent_without_a_readable_state_path_has_the_default(tmp_path: Path, text: str) -> None:
    proc, config = tmp_path / "proc", tmp_path / "neutron.conf"
    config.write_text(text, encoding="latin-1")
    fake_process(proc, 77, "neutron-dhcp-agent", "--config-file", str(config))
    with pytest.raises(AlreadyRuns):
        refuse_stock_agent("/var/lib/neutron", proc=str(proc))
    refuse_stock_agent("/srv/neutron", proc=str(proc))


@pytest.mark.parametrize("form", ["--config-dir={}", "--config-dir {}"])
def test_what_lies_in_a_directory_of_configuration_wins_over_the_file_before_it(tmp_path: Path, form: str) -> None:
    proc, config, more = tmp_path / "proc", tmp_path / "neutron.conf", tmp_path / "neutron.conf.d"
    config.write_text("[DEFAULT]\nstate_path = /in/the/file\n")
    more.mkdir()
    for name, path in (("b.conf", "/srv/neutron"), ("a.conf", "/overruled"), ("c.conf.old", "/no/conf")):
        (more / name).write_text(f"[DEFAULT]\nstate_path = {path}\n")
    fake_process(proc, 77, "neutron-dhcp-agent", "--config-file", str(config), *form.format(more).split())
    with pytest.raises(AlreadyRuns, match=r"process 77.*stop it first"):
        refuse_stock_agent("/srv/neutron", proc=str(proc))
    refuse_stock_agent("/in/the/file", proc=str(proc))


@pytest.mark.parametrize(
    "title",
    [
        "neutron-dhcp-agent (/usr/bin/python3 /usr/bin/neutron-dhcp-agent --config-file={})",
        "neutron-dhcp-agent: master process [/usr/bin/neutron-dhcp-agent --config-file {}]",
        "neutron-dhcp-agent: master process [/usr/bin/neutron-dhcp-agent --config-file {}",
    ],
)
def test_a_stock_agent_that_gave_itself_a_title_is_seen(tmp_path: Path, title: str) -> None:
    """The whole command line is one word then, as setproctitle leaves it; Neutron 29's is the second."""
    proc, config = tmp_path / "proc", tmp_path / "neutron.conf"
    config.write_text("[DEFAULT]\nstate_path = /srv/neutron\n")
    fake_process(proc, 77, title.format(config))
    fake_process(proc, 78, "neutron-dhcp-agent: ServiceWrapper worker(0)")
    with pytest.raises(AlreadyRuns, match=r"process 77.*stop it first"):
        refuse_stock_agent("/srv/neutron", proc=str(proc))
    refuse_stock_agent("/var/lib/neutron", proc=str(proc))
