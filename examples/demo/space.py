"""The space that a demonstration runs in: its own user, mount, network and process namespaces.

In there it is root, with an empty network, a /run of its own in memory, and no process but its own.  Nothing is left of
it: the first process in there ends when the one outside does, however it ends, and with it the kernel ends all others;
with the last of them its networks, devices, mounts and files go.

Knows Linux; knows nothing of DHCP.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

#: The only directory that is written to in there, unless the logs are kept.
FOLDER: Final = Path("/run/demo")
_EXAMPLES: Final = Path(__file__).resolve().parents[1]
_NAMESPACES: Final = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_SET_UP: Final = f"mount -t tmpfs -o mode=755 demo /run && mkdir /run/netns {FOLDER} && ip link set lo up"
_TRIAL: Final = f"{_SET_UP} && ip netns add one && ip link add two type bridge && ip link add type veth"
#: Seconds that the kernel is given to end everything in there.
_END: Final = 10.0


class NoSpace(Exception):
    """No such space can be had here. The text says what to do."""


class Interrupted(Exception):
    """A signal asks for the end; its number is the argument."""


def found(program: str) -> str | None:
    """The path of a program, also where an ordinary user's PATH does not look."""
    return shutil.which(program, path=_path())


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def way_in() -> tuple[str, ...]:
    """The command that gets in there.  Root takes the same way as everybody, another one only where that is closed."""
    unshare = found("unshare")
    if unshare is None:
        raise NoSpace("there is no unshare here: apt-get install util-linux")
    if Path(sys.executable).is_relative_to("/run") or _EXAMPLES.is_relative_to("/run"):
        raise NoSpace("this checkout is below /run, which the demonstration hides: clone it elsewhere")
    said = ""
    for rights in (("--user", "--map-root-user"), ()):
        entry = (unshare, *rights, *_NAMESPACES)
        ran = subprocess.run([*entry, "sh", "-c", _TRIAL], capture_output=True, text=True, env=_environment())
        if ran.returncode == 0:
            return entry
        said = said or ran.stderr.strip()
    raise NoSpace(
        f"this system lets this user have no network of its own ({said}). As root: sysctl -w "
        "user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1 "
        "kernel.apparmor_restrict_unprivileged_userns=0 (those that exist); or run it as root. In a container: it has "
        "to be started with more rights (docker run --privileged)"
    )


def _environment() -> dict[str, str]:
    return dict(
        os.environ,
        PATH=_path(),
        PYTHONPATH=os.pathsep.join(filter(None, (str(_EXAMPLES), os.environ.get("PYTHONPATH")))),
        # Not one file in the checkout either.
        PYTHONDONTWRITEBYTECODE="1",
    )


def run_inside(arguments: Sequence[str], seconds: float) -> int:
    """Run ``python -m demo --inside ...`` in there; returns its exit code when everything in there has gone.

    Args:
        seconds: after which it is ended.

    Raises:
        NoSpace: there is no way in.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; everything has gone.
        TimeoutError: it took too long; everything has gone.
    """
    entry = way_in()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    theirs, ours = os.pipe()
    argv = [*entry, "sh", "-c", f'{_SET_UP} && exec "$@"', "sh", sys.executable, "-m", "demo"]
    process = subprocess.Popen(
        [*argv, "--inside", str(theirs), *arguments],
        stdin=subprocess.DEVNULL,
        env=_environment(),
        pass_fds=[theirs],
        start_new_session=True,  # Ctrl-C is for us: the end in there is not to be seen as a failure
    )
    os.close(theirs)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it took longer than {seconds:g} s and was ended") from None
    finally:
        os.close(ours)  # the first process in there has been waiting for this
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _interrupt(number: int, _: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # once is enough
    raise Interrupted(number)


def as_first_process(lifeline: int, body: Callable[[], int]) -> int:
    """Be process 1 of the space: `body` runs in a child; here the orphans end up that are daemons, and must be reaped.

    Args:
        lifeline: a pipe whose other end only the process outside has.
    """
    if os.getpid() != 1:
        raise NoSpace("--inside is for the first process of a space of its own: run it without")
    os.set_inheritable(lifeline, False)
    child = os.fork()
    if child == 0:
        os.close(lifeline)
        return body()
    threading.Thread(target=_end_with, args=[lifeline], daemon=True).start()
    while True:
        with suppress(InterruptedError):
            pid, status = os.wait()
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)
