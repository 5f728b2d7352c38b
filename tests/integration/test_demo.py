"""`make demo`: it proves all that it says, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("starlette", reason="needs the extra 'reference-server'")

from demo.space import NoSpace, way_in
from demo.steps import STEPS
from support.namespace import found

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
#: Seconds in which the kernel has ended everything, on a busy machine too.
GONE_WITHIN: Final = 15.0
#: What is said when dnsmasq, server, agent and machines run.
IN_THE_MIDDLE: Final = "A network with two machines is served"


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    for program, package in (("dnsmasq", "dnsmasq-base"), ("haproxy", "haproxy")):
        if found(program) is None:
            pytest.skip(f"there is no {program} here: apt-get install {package}")
    try:
        way_in()
    except NoSpace as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class Run:
    """A demonstration that runs: the process outside, its unshare, and the process namespace of all the others."""

    outermost: subprocess.Popen[str]
    unshare: int
    space: str

    def processes(self) -> list[str]:
        """The pids, out here, of everything in its space."""
        return [pid for pid in os.listdir("/proc") if pid.isdigit() and _space_of(pid) == self.space]


def _space_of(pid: str | int) -> str | None:
    with suppress(OSError):
        # A zombie has none any more.
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


def _child(pid: int) -> int | None:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def _until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def _outside() -> dict[str, set[str]]:
    """What could be left in the network and the mounts of whoever runs it."""
    names = Path("/run/netns")
    return {
        "namespaces": set(os.listdir(names)) if names.exists() else set(),
        "devices": {name for _, name in socket.if_nameindex()},
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
    }


@contextmanager
def _running(folder: Path, *arguments: str) -> Iterator[Run]:
    """Start it, and see at the end that nothing of it is left: process, namespace, device, mount or file."""
    folder.mkdir()
    before = _outside()
    outermost = subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(EXAMPLES), TMPDIR=str(folder)),
    )
    run: list[Run] = []

    def inside() -> bool:
        assert outermost.poll() is None, outermost.communicate()
        # unshare also ends one trial, before the space is made that counts.
        unshare = _child(outermost.pid)
        first = _child(unshare) if unshare is not None else None
        if unshare is None or first is None or _space_of(first) in (None, _space_of("self")):
            return False
        with suppress(OSError):
            if "--inside" in Path(f"/proc/{first}/cmdline").read_text().split("\0"):
                run.append(Run(outermost, unshare, str(_space_of(first))))
        return bool(run)

    try:
        _until("the space is made", inside, 30)
        yield run[0]
        _until("all of its processes have ended", lambda: not run[0].processes(), GONE_WITHIN)
        outermost.wait(GONE_WITHIN)
        assert {kind: there - before[kind] for kind, there in _outside().items()} == {
            "namespaces": set(),
            "devices": set(),
            "mounts": set(),
        }
        assert list(folder.iterdir()) == []
    finally:
        outermost.kill()
        outermost.communicate()


def test_all_is_proven(tmp_path: Path) -> None:
    with _running(tmp_path / "tmp", "--json") as run:
        out, err = run.outermost.communicate(timeout=150)
        assert run.outermost.returncode == 0, err
    results = json.loads(out)
    assert [(proof["what"], proof["outcome"]) for proof in results["proofs"]] == [
        (step.what, "proven") for step in STEPS
    ]
    assert all(proof["how"] and proof["seconds"] >= 0 for proof in results["proofs"])
    assert (results["format_version"], results["ok"], results["logs"]) == (1, True, None)
    # In a pipe: plain lines.
    assert "\x1b" not in err
    assert "\r" not in err
    assert f"{len(STEPS)} of {len(STEPS)} proven" in err


@pytest.mark.parametrize(
    "whom, number, code",
    [
        ("outermost", signal.SIGKILL, -signal.SIGKILL),
        ("outermost", signal.SIGINT, 128 + signal.SIGINT),
        ("unshare", signal.SIGKILL, 1),
    ],
)
def test_interrupted_in_the_middle_it_leaves_nothing(tmp_path: Path, whom: str, number: int, code: int) -> None:
    with _running(tmp_path / "tmp") as run:
        assert run.outermost.stdout is not None
        for line in run.outermost.stdout:
            if IN_THE_MIDDLE in line:
                break
        # Itself, its child, server, agent and dnsmasq at least.
        assert len(run.processes()) >= 5
        os.kill({"outermost": run.outermost.pid, "unshare": run.unshare}[whom], number)
    assert run.outermost.returncode == code


def test_a_failure_is_told_and_keeps_the_logs(tmp_path: Path) -> None:
    """With a dnsmasq that does not run there is no agent, and without one nothing else can be tried."""
    folder, programs = tmp_path / "tmp", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    (programs / "dnsmasq").write_text("#!/bin/sh\nexit 1\n")
    (programs / "dnsmasq").chmod(0o755)
    path = f"{programs}:{os.environ.get('PATH', os.defpath)}"
    ran = subprocess.run(
        [sys.executable, "-m", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=150,
        env=dict(os.environ, PYTHONPATH=str(EXAMPLES), TMPDIR=str(folder), PATH=path),
    )
    assert ran.returncode == 1, ran.stderr
    results = json.loads(ran.stdout)
    assert results["ok"] is False
    assert [proof["outcome"] for proof in results["proofs"]] == [
        "proven",
        "FAILED",
        *["not tried"] * (len(STEPS) - 2),
    ]
    (kept,) = folder.iterdir()
    assert results["logs"] == str(kept)
    assert "the agent cannot run" in (kept / "logs" / "agent.log").read_text()
    assert str(kept) in ran.stderr
