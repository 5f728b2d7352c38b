"""Starting a daemon inside a namespace, and knowing that it serves.

Knows how daemons start: dnsmasq and haproxy bind their sockets, fork, and only then the process that was started exits
with 0.  That exit is the sign; any other is an error whose reason is on the standard error.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.process.children import waited_for
from dhcpcore_adapters.process.namespaces import NamedNamespaces
from dhcpcore_adapters.process.stopped import refuse_stopped

#: Where daemons live, and an ordinary user's PATH does not look.
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_LONGEST_REASON: Final = 600
#: Seconds after which one that starts is looked at.
_LOOK: Final = 1.0

#: dnsmasq(8), EXIT CODES, and what to do about each.
_DNSMASQ_EXITS: Final = {
    1: "its command line or configuration file is refused: correct the option it names, in dnsmasq_config_file too",
    2: "it could not use the network: look for another DNS or DHCP server in the namespace (ss -lnup)",
    3: "it could not use a file: see that the instance's directory and the log's exist and may be written",
    4: "it could not get memory: free some",
    5: "it could not do something else: without root it needs 'user=root' and 'group=' in dnsmasq_config_file",
}
_CRASHED: Final = {
    "dnsmasq": "it crashed: look for a damaged line in its leases file, and keep that file for a bug report",
    "": "it crashed: look for a core file, and for a newer version of it",
}


def find_program(name: str) -> str | None:
    """The path of a program, also where PATH does not look; None where it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def start_daemon(
    argv: Sequence[str],
    *,
    namespaces: NamedNamespaces,
    namespace: str,
    environment: Mapping[str, str],
    what: str,
    package: str,
    seconds: float,
) -> None:
    """Start a daemon in a namespace; it serves when this returns.

    Args:
        argv: its command line; the program is looked for where daemons live, the text stays as it is.
        environment: besides PATH, all that it is given.
        what: how errors call it; package: what to install where there is none.
        seconds: how long it may take.

    Raises:
        AdapterError: it did not start; nothing of it is left, but for a daemon that says one thing and does another.
    """
    program = find_program(argv[0])
    if program is None:
        raise AdapterError(f"{what}: there is no program {argv[0]!r}; install {package}", retryable=False)
    # Not a pipe: a daemon that keeps its end open would keep the reader waiting.
    said = os.memfd_create("stderr", os.MFD_CLOEXEC)
    try:
        code = namespaces.run_in(namespace, lambda: _run(argv, program, environment, said, seconds, what))
        reason = _tail(said)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise AdapterError(f"{what} could not be started: {error}") from None
    finally:
        os.close(said)
    if code is None:
        raise AdapterError(
            f"{what} was not ready within {seconds:g} s and was stopped: it must run as a daemon "
            f"(no 'keep-in-foreground', no 'no-daemon'); it said: {reason or 'nothing'}"
        )
    if code != 0:
        hint = _hint(os.path.basename(program), code)
        raise AdapterError(f"{what} ended with {_status(code)}: {reason or 'nothing was said'}; {hint}")


def _run(
    argv: Sequence[str], program: str, environment: Mapping[str, str], said: int, seconds: float, what: str
) -> int | None:
    """Its exit status; None where it did not end in time."""
    deadline = time.monotonic() + seconds

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(argv),
            executable=program,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={"PATH": f"{os.environ.get('PATH', os.defpath)}:{_SBIN}", **environment},
            cwd="/",
            # Signals for the agent's process group, from a terminal say, are none for its daemons.
            start_new_session=True,
        )

    with waited_for(start) as started:
        try:
            while (left := deadline - time.monotonic()) > 0:
                with suppress(subprocess.TimeoutExpired):
                    return started.wait(min(left, _LOOK))
                refuse_stopped(started.pid, what)
            return None
        finally:
            if started.returncode is None:
                started.kill()
                started.wait()


def _tail(descriptor: int) -> str:
    """The end of what was said, on one line; without what haproxy says of itself each time, where it says more."""
    length = os.fstat(descriptor).st_size
    start = max(0, length - _LONGEST_REASON)
    text = os.pread(descriptor, _LONGEST_REASON, start).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = " | ".join([line for line in lines if not line.startswith("[NOTICE]")] or lines)
    return "".join(character if character.isprintable() else "?" for character in joined)


def ended_with(program: str, code: int | None) -> str:
    """How a daemon that had served ended, and what to do."""
    if code is None:
        return "it was no child of this agent, which so was not told its exit status; look in the system's log"
    if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
        return "it was told to end (SIGTERM), or ended by itself: does another program stop it?"
    if code == -signal.SIGKILL:
        return "it was killed (SIGKILL): look for who did, the kernel's out-of-memory killer (dmesg) or an operator"
    return f"{_hint(program, code)}; look for its last words in the system's log"


def _status(code: int) -> str:
    return f"exit status {code}" if code > 0 else f"signal {-code}"


def _hint(program: str, code: int) -> str:
    if code < 0:
        return _CRASHED.get(program, _CRASHED[""])
    if program == "dnsmasq" and code in _DNSMASQ_EXITS:
        return _DNSMASQ_EXITS[code]
    by_hand = "run it by hand in its namespace (ip netns exec) to see more"
    return f"{by_hand}; haproxy -c -f FILE checks a configuration" if program == "haproxy" else by_hand
