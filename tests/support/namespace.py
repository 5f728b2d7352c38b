"""A network namespace of a test's own, with its own processes, made without privileges.

`Namespace` starts a child that enters new user, network and process namespaces and does there what it is told: run a
program, open a socket and hand it over, begin anew with an empty network. Sockets handed over stay in the namespace, so
a test talks on its wire without going there itself. No file system is changed: files are where they are outside.

Nothing outlives the test. The child is the first process of its process namespace, and the kernel kills every process
in there (daemons too) with it; it ends with its socket, and is killed with whoever started it. An empty network
namespace goes by itself.

Knows Linux; knows nothing of DHCP or dnsmasq. Run as a program, this file is the child: standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWPID: Final = 0x20000000
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_LARGEST_MESSAGE: Final = 1 << 17
_LONGEST_OUTPUT: Final = 40_000
_SBIN: Final = ":/usr/local/sbin:/usr/sbin:/sbin"


class NamespaceError(RuntimeError):
    """The namespace could not be made, or what was asked for could not be done in it."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that ended: its exit status (negative: killed by that signal) and the beginning of what it said."""

    code: int
    out: str
    err: str


def found(program: str) -> str | None:
    """The path of a program, also where an ordinary user's PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + _SBIN)


@cache
def missing() -> str | None:
    """Why tests cannot have a network here, for `pytest.skip`; None when they can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are a thing of Linux"
    if found("ip") is None:
        return "there is no 'ip' here: apt-get install iproute2"
    if not os.path.exists("/proc/net/if_inet6"):
        return "this kernel has IPv6 switched off (boot parameter ipv6.disable, or a container without it)"
    try:
        with Namespace() as namespace:
            # Systems that restrict user namespaces let one be made and then refuse everything in it.
            namespace.check(["ip", "link", "add", "one", "type", "veth", "peer", "name", "two"])
            namespace.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except NamespaceError as error:
        return (
            f"no network namespace can be made here ({error}); as root: sysctl -w user.max_user_namespaces=10000 "
            "kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (those that exist)"
        )
    return None


class Namespace:
    """A network namespace with its own processes; in it the user is root. A context manager, for one thread.

    Raises:
        NamespaceError: by every method, when it cannot do what it says.
    """

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # -I -S: nothing of the environment, no site packages; it starts in 10 ms.
            command = [sys.executable, "-I", "-S", os.path.abspath(__file__), str(theirs.fileno())]
            try:
                self._child = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            except OSError as error:
                self._socket.close()
                raise NamespaceError(f"the child cannot be started: {error}") from error
        self._socket.settimeout(60)
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        try:
            self._child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def run(self, argv: Sequence[str], *, text: str = "", seconds: float = 20) -> Finished:
        """Run a program in the namespace until it ends or, after `seconds`, is killed; `text` is its standard input.

        A daemon stays behind until `renew`, or the end.
        """
        program = found(argv[0])
        if program is None:
            raise NamespaceError(f"there is no {argv[0]!r} here")
        answer = self._ask({"run": [program, *argv[1:]], "text": text, "seconds": seconds})
        return Finished(code=answer["code"], out=answer["out"], err=answer["err"])

    def check(self, argv: Sequence[str], *, text: str = "") -> str:
        """Like `run`, for programs that must succeed; returns what was printed."""
        finished = self.run(argv, text=text)
        if finished.code != 0:
            raise NamespaceError(f"{' '.join(argv)} failed with {finished.code}: {finished.err.strip()}")
        return finished.out

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this namespace, to be closed by the caller."""
        self._ask({"socket": [family, kind, protocol]}, answered=False)
        _, descriptors = self._answer()
        return socket.socket(family, kind, protocol, fileno=descriptors[0])

    def is_alive(self, process: int) -> bool:
        """Whether a process runs, by its id in here; one that ended does not, even when nobody waited for it."""
        return bool(self._ask({"alive": process})["alive"])

    def renew(self) -> None:
        """Kill every process and begin with a new network: a loopback device that is down, and nothing else."""
        self._ask({"renew": True})

    def _ask(self, question: dict[str, Any], *, answered: bool = True) -> dict[str, Any]:
        try:
            self._socket.send(json.dumps(question).encode())
        except OSError as error:
            raise NamespaceError(f"the child has gone: {error}") from error
        return self._answer()[0] if answered else {}

    def _answer(self) -> tuple[dict[str, Any], list[int]]:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._socket, _LARGEST_MESSAGE, 1)
        except OSError as error:
            raise NamespaceError(f"no answer from the child: {error}") from error
        if not message:
            raise NamespaceError("the child has gone")
        answer: dict[str, Any] = json.loads(message)
        if "error" in answer:
            raise NamespaceError(answer["error"])
        return answer, descriptors


# -- the child


def _libc(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*map(ctypes.c_ulong, arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _enter() -> None:
    """Enter new namespaces; the next process forked is the first of the process namespace."""
    user, group = os.geteuid(), os.getegid()
    try:
        _libc("unshare", _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID)
    except OSError:
        # Containers that forbid user namespaces may still let root have the others.
        if user != 0:
            raise
        _libc("unshare", _CLONE_NEWNET | _CLONE_NEWPID)
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _kill_all() -> None:
    """Kill all processes of the process namespace but this one, its first, and wait until they have gone."""
    if os.getpid() != 1:
        raise OSError("this process is not the first of its namespace: it must not kill all others")
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _run(question: dict[str, Any]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment["LC_ALL"] = "C.UTF-8"
    try:
        ran = subprocess.run(
            question["run"],
            input=question["text"].encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=question["seconds"],
            env=environment,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"error": f"{question['run'][0]}: {error}"}
    out, err = (said.decode("utf-8", "replace")[:_LONGEST_OUTPUT] for said in (ran.stdout, ran.stderr))
    return {"code": ran.returncode, "out": out, "err": err}


def _handle(question: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    if "run" in question:
        return _run(question), []
    if "socket" in question:
        return {}, [socket.socket(*question["socket"]).detach()]
    if "alive" in question:
        _reap()
        with contextlib.suppress(ProcessLookupError):
            os.kill(question["alive"], 0)
            return {"alive": True}, []
        return {"alive": False}, []
    _kill_all()
    _libc("unshare", _CLONE_NEWNET)
    return {}, []


def _serve(asked: socket.socket) -> None:
    while message := asked.recv(_LARGEST_MESSAGE):
        descriptors: list[int] = []
        try:
            answer, descriptors = _handle(json.loads(message))
        except OSError as error:
            answer = {"error": str(error)}
        socket.send_fds(asked, [json.dumps(answer).encode()], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _main(descriptor: int) -> int:
    _libc("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    asked = socket.socket(fileno=descriptor)
    # Programs that close whatever they may have inherited do so up to this number.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 1024 if most == resource.RLIM_INFINITY else min(1024, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
    try:
        _enter()
    except OSError as error:
        asked.send(json.dumps({"error": str(error)}).encode())
        return 1
    first = os.fork()
    if first:
        asked.close()
        os.waitpid(first, 0)
        return 0
    _libc("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    asked.send(b"{}")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(asked)
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1])))
