"""One agent on a host: two that share a state path would fight over every dnsmasq.

Knows lock files and /proc; decides nothing about networks.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from dhcpcore import DhcpCoreError

_STOCK: Final = "neutron-dhcp-agent"
_STOCK_STATE_PATH: Final = "/var/lib/neutron"


class AlreadyRuns(DhcpCoreError):
    """Another agent serves this host; the message says which."""


class AgentLock:
    """Held by a descriptor, so the kernel gives it back however the agent ends; the file stays.

    Args:
        path: of the lock file, made where it is missing.

    Raises:
        AlreadyRuns: another process holds it.
        OSError: it cannot be made.
    """

    def __init__(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        self._descriptor = _open(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRuns(
                f"another dhcpcore agent holds {path} (process {holder}); stop it, or give this one another state_path"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give it back."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def _open(path: str) -> int:
    """A descriptor of a file, and of nothing else: the directory may be another user's, who could lead us elsewhere."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link; remove it", path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file; remove it", path)
    with contextlib.suppress(OSError):  # it is another user's, or its file system has no modes
        os.fchmod(descriptor, 0o600)  # whoever can read it could hold the lock
    return descriptor


def refuse_stock_agent(state_path: str, *, proc: str = "/proc") -> None:
    """Make sure that no neutron-dhcp-agent with this state path runs in the agent's process namespace.

    Raises:
        AlreadyRuns: one does.
    """
    for pid, argv in _command_lines(proc):
        if any(os.path.basename(word) == _STOCK for word in argv[:3]):
            theirs = _state_path(argv, root=f"{proc}/{pid}/root")
            if os.path.normpath(theirs) == os.path.normpath(state_path):
                raise AlreadyRuns(
                    f"neutron-dhcp-agent runs with the same state_path {state_path} (process {pid}); stop it first: "
                    "its dnsmasq processes go on and are taken over as they are"
                )


def _command_lines(proc: str) -> Iterator[tuple[int, Sequence[str]]]:
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            words = Path(proc, name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        argv = [word.decode("utf-8", "replace") for word in words if word]
        yield int(name), _own_words(argv)


def _own_words(argv: Sequence[str]) -> Sequence[str]:
    """The command line behind a title that the process gave itself.

    ``neutron-dhcp-agent (/usr/bin/python3 ...)``, or, from Neutron 29 on, with oslo.service's threads (cotyledon),
    ``neutron-dhcp-agent: master process [/usr/bin/neutron-dhcp-agent ...]``.
    """
    for begins in (f"{_STOCK} (", f"{_STOCK}: master process ["):
        if argv and (title := argv[0].strip()).startswith(begins):
            # A title has as much room as the command line had: its end may be missing.
            return [_STOCK, *title[len(begins) :].removesuffix(")").removesuffix("]").split()]
    return argv


def _state_path(argv: Sequence[str], *, root: str) -> str:
    """What a stock agent's configuration files say; the last one wins, as in oslo.config."""
    found = _STOCK_STATE_PATH
    for path in _config_files(argv, root):
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(path)
            found = parser["DEFAULT"].get("state_path") or found
    return found


def _config_files(argv: Sequence[str], root: str) -> Iterator[str]:
    """Those that are read, in their order: of a directory each ``*.conf``, by name (oslo.config, --config-dir)."""
    for index, word in enumerate(argv):
        name, separator, value = word.partition("=")
        path = root + (value if separator else "".join(argv[index + 1 : index + 2]))
        if name == "--config-file":
            yield path
        elif name == "--config-dir":
            with contextlib.suppress(OSError):
                yield from (f"{path}/{each}" for each in sorted(os.listdir(path)) if each.endswith(".conf"))
