"""A host of a test's own: a process with its own network and its own /run, in which the test body runs.

`in_own_host` makes a test of a function. The test starts a new Python in new network and mount namespaces, once as an
ordinary user's (inside a new user namespace) and, where the tests run as root, once as root; there the function is
called. What it mounts under /run is nobody else's, and everything goes with the process, which is killed with the test.

Knows Linux; knows nothing of DHCP. Run as a program, this file is the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_MS_REC_PRIVATE: Final = 0x4000 | 0x40000
_PR_SET_PDEATHSIG: Final = 1
_SKIPPED: Final = 77
_SBIN: Final = ":/usr/local/sbin:/usr/sbin:/sbin"

#: How a host of one's own can be had by who runs the tests.
KINDS: Final = ("user", "root") if hasattr(os, "geteuid") and os.geteuid() == 0 else ("user",)


def run_in_own_host(kind: str, body: Callable[..., object], seconds: float = 90) -> str:
    """Call a function of a module in a host of its own; returns what it printed.

    It is found by the name that its test has in the module: ``<name>.inside``, or by its own.

    Raises:
        AssertionError: it raised, or took longer than `seconds`; the text has its traceback.
        pytest.skip.Exception: no such host can be made here.
    """
    import pytest

    code = body.__code__
    argv = [sys.executable, "-W", "error", __file__, kind, code.co_filename, body.__name__]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    environment["PATH"] = environment.get("PATH", os.defpath) + _SBIN
    try:
        ran = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"{body.__name__} took longer than {seconds} s: {error.stderr!r}") from None
    if ran.returncode == _SKIPPED:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, f"{body.__name__} as {kind}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def in_own_host(body: Callable[[], None]) -> Callable[[str], None]:
    """Make a test of a function without arguments that is to run in a host of its own."""
    import pytest

    @pytest.mark.parametrize("kind", KINDS)
    def test(kind: str) -> None:
        run_in_own_host(kind, body)

    test.__name__ = test.__qualname__ = body.__name__
    test.__module__, test.__doc__ = body.__module__, body.__doc__
    test.inside = body  # type: ignore[attr-defined]
    return test


# -- the process


def _libc(function: str, *arguments: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _enter(kind: str) -> None:
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS | _CLONE_NEWNET | (_CLONE_NEWUSER if kind == "user" else 0)
    _libc("unshare", ctypes.c_int(flags))
    if kind == "user":
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    _libc("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None)
    _libc("mount", b"none", b"/run", b"tmpfs", ctypes.c_ulong(0), None)


def _main(kind: str, path: str, name: str) -> int:
    try:
        _enter(kind)
    except OSError as error:
        print(
            f"no host of one's own can be made here ({error}); as root: sysctl -w user.max_user_namespaces=10000 "
            "kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (those that exist)",
            file=sys.stderr,
        )
        return _SKIPPED
    # Only now: a process that changes its user loses the wish (prctl(2)).
    _libc("prctl", ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL))
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, name)
    getattr(found, "inside", found)()
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(_main(*sys.argv[1:4]))
