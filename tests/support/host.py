"""A host of a test's own: its file is run again in new process, mount and network namespaces, with a /run of its own.

In there the test is root, and process 1: it sees the processes that it started, directly or not, and no others, and
may name namespaces and kill what it likes. Nothing outlives it: with process 1 the kernel ends every process in there,
and with the last of them the namespaces and their names go. So it is when the test is killed, too.

A test file has two halves: `if inside(): ...` the tests, `else: ...` one that calls `run_inside`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from support.namespace import found

_MARK: Final = "DHCPCORE_TEST_HOST"
_NAMESPACES: Final = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_SET_UP: Final = "mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up"
#: A descriptor of a pipe whose other end only the test outside has.
_LIFELINE: Final = "DHCPCORE_TEST_LIFELINE"


def inside() -> bool:
    """Whether this process is process 1 of a host of a test's own."""
    return os.getpid() == 1 and os.environ.get(_MARK) == "1"


@cache
def _entry() -> tuple[str, ...] | None:
    """How to get in, None where nothing works."""
    unshare = found("unshare")
    if unshare is None or found("ip") is None or found("mount") is None:
        return None
    for rights in ((), ("--user", "--map-root-user")):
        entry = (unshare, *rights, *_NAMESPACES)
        ran = subprocess.run([*entry, "sh", "-c", f"{_SET_UP} && ip netns add one"], capture_output=True, timeout=30)
        if ran.returncode == 0:
            return entry
    return None


def missing() -> str | None:
    """Why there is no such host here, for `pytest.skip`; None where there is."""
    if not sys.platform.startswith("linux"):
        return "namespaces are a thing of Linux"
    for program, package in (("dnsmasq", "dnsmasq-base"), ("haproxy", "haproxy"), ("ip", "iproute2")):
        if found(program) is None:
            return f"there is no {program} here: apt-get install {package}"
    if _entry() is None:
        return "no process and mount namespaces can be made here; it works as root, or with user namespaces allowed"
    return None


def run_inside(file: str, folder: Path, *, seconds: float = 300) -> None:
    """Run the tests of a file inside, with pytest; their failures are this test's.

    Args:
        folder: an empty directory, for the temporary directories of the tests.
        seconds: after which they are killed.
    """
    arguments = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={folder / 'inside'}", file]
    ran = run_program(arguments, seconds=seconds)
    print(ran.stdout)
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-5_000:]


def run_program(
    arguments: Sequence[str], *, seconds: float = 300, shown: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program inside, as process 1; it is killed after so many seconds.

    Args:
        shown: what it says goes where ours goes, instead of into the answer.
    """
    entry = _entry()
    assert entry is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    theirs, ours = os.pipe()
    try:
        return subprocess.run(
            [*entry, "sh", "-c", f'{_SET_UP} && exec "$@"', "sh", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=not shown,
            text=True,
            timeout=seconds,
            cwd=Path(__file__).resolve().parents[2],
            env=environment | {_MARK: "1", _LIFELINE: str(theirs)},
            pass_fds=[theirs],
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(ours)


def _end_with_the_test(lifeline: int) -> None:
    """Ends this process, and so all in here, when the test outside has ended, however it did."""
    os.read(lifeline, 1)
    os._exit(1)


def clear() -> None:
    """Kill every other process in here and remove every named namespace."""
    if not inside():
        raise RuntimeError("this process is not the first of its namespace: it must not kill all others")
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    for name in os.listdir("/run/netns"):
        ip("netns", "delete", name)


def ip(*arguments: str) -> None:
    """Run ip(8), which must succeed."""
    ran = subprocess.run([found("ip") or "ip", *arguments], capture_output=True, text=True, timeout=20)
    assert ran.returncode == 0, f"ip {' '.join(arguments)}: {ran.stderr}"


if inside() and (_descriptor := os.environ.pop(_LIFELINE, None)) is not None:
    os.set_inheritable(int(_descriptor), False)
    threading.Thread(target=_end_with_the_test, args=[int(_descriptor)], daemon=True).start()
