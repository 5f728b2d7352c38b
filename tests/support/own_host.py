"""A host of a test's own: a process with its own network and its own /run, in which the test body runs.

`in_own_host` makes a test of a function. The test has a process of its own in new network and mount namespaces, once
as an ordinary user's (inside a new user namespace) and, where the tests run as root, once as root; there the function
is called. What it mounts under /run is nobody else's, and everything goes with the process, which is killed with the
test.

To import what a test needs costs more than most of these tests do. So there is one Python for each file of tests, a
cradle: it has imported the file, does nothing by itself, and forks a process for each test.

Knows Linux; knows nothing of DHCP. Run as a program, this file is the cradle.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib.util
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
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

    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    environment["PATH"] = environment.get("PATH", os.defpath) + _SBIN
    with tempfile.TemporaryDirectory(prefix="own-host-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {
            "kind": kind,
            "name": body.__name__,
            "environment": environment,
            "directory": str(Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
        code = _Cradle.of(body.__code__.co_filename).run(asked, seconds)
        said = [each.read_text(encoding="utf-8", errors="replace") if each.exists() else "" for each in (out, err)]
    if code is None:
        raise AssertionError(f"{body.__name__} took longer than {seconds} s: {said[1]!r}")
    if code == _SKIPPED:
        pytest.skip(said[1].strip())
    assert code == 0, f"{body.__name__} as {kind} ({code}):\n{said[0]}{said[1]}"
    return said[0]


class _Cradle:
    """The Python that has imported one file of tests, as those who run the tests have it."""

    _last: _Cradle | None = None

    def __init__(self, path: str) -> None:
        self.path = path
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(each for each in sys.path if each))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            bufsize=0,
        )

    @classmethod
    def of(cls, path: str) -> _Cradle:
        """The one for a file. There is never more than one: the tests of a file mostly follow one another."""
        if cls._last is not None and (cls._last.path != path or cls._last._process.poll() is not None):
            cls.close()
        if cls._last is None:
            cls._last = cls(path)
        return cls._last

    @classmethod
    def close(cls) -> None:
        """End it; it forks no more, and what it forked goes with it."""
        if (last := cls._last) is not None:
            cls._last = None
            last._process.kill()
            last._process.communicate()
            last._errors.close()

    def run(self, asked: dict[str, Any], seconds: float) -> int | None:
        """The exit status of a process that did what is asked; None when it took longer, and was killed."""
        deadline = time.monotonic() + seconds
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        child = self._answer(deadline)
        code = None if child is None else self._answer(deadline)
        if code is None:
            # It dies with the cradle.
            type(self).close()
        return code

    def _answer(self, deadline: float) -> int | None:
        assert self._process.stdout is not None
        read = b""
        while not read.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            more = self._process.stdout.read(1)
            if not more:
                self._errors.seek(0)
                why = self._errors.read().decode(errors="replace")
                type(self).close()
                raise AssertionError(f"{self.path} cannot be had in a process of its own:\n{why}")
            read += more
        return int(read)


atexit.register(_Cradle.close)


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


def _die_with_parent() -> None:
    _libc("prctl", ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL))


def _host(asked: dict[str, Any], module: ModuleType) -> int:
    for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        descriptor = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])
    random.seed()
    try:
        _enter(asked["kind"])
    except OSError as error:
        print(
            f"no host of one's own can be made here ({error}); as root: sysctl -w user.max_user_namespaces=10000 "
            "kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (those that exist)",
            file=sys.stderr,
        )
        return _SKIPPED
    # Only now: a process that changes its user loses the wish (prctl(2)).
    _die_with_parent()
    found = getattr(module, asked["name"])
    getattr(found, "inside", found)()
    return 0


def _main(path: str) -> int:
    _die_with_parent()
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            return _host(json.loads(line), module)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(_main(sys.argv[1]))
