"""Named network namespaces: files in a directory (/run/netns), each with a namespace mounted on it.

The convention is iproute2's (ip-netns(8)), so `ip netns` lists what is made here and the other way round.  Knows
names; knows nothing of devices, and leaves entering one to `dhcpcore_adapters.setns`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.netns.syscalls import MS_BIND, MS_REC, MS_SHARED, mount, unmount, unshare
from dhcpcore_adapters.setns import in_a_thread, is_network_namespace, opened

RUN_NETNS: Final = "/run/netns"
# Several mounts may lie on top of each other (Launchpad bugs tell of `ip netns attach` twice); no more than this.
_MOST_MOUNTS: Final = 16
# Seconds. Who takes the directory's lock makes a namespace: that is done in milliseconds. Longer than this would keep
# the threads that wait from other networks' work.
_PATIENCE: Final = 5.0
_PAUSE: Final = 0.02


class Namespaces:
    """The namespaces of one directory.

    Raises:
        OSError: by every method, when the kernel refuses.
        AdapterError: for a name that is none.
    """

    def __init__(self, directory: str = RUN_NETNS) -> None:
        self._directory = directory
        # Before that of the directory: our own threads take turns without asking again and again.
        self._turn = threading.Lock()

    def path(self, name: str) -> str:
        """Where a namespace of this name is, or would be."""
        if not name or name in (".", "..") or "/" in name or "\0" in name or len(os.fsencode(name)) > 255:
            raise AdapterError(f"{name[:80]!r} is no name of a namespace", retryable=False)
        return os.path.join(self._directory, name)

    def names(self, prefix: str = "") -> list[str]:
        """The names of those that are there, sorted; names that lead nowhere are not among them."""
        try:
            listed = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(name for name in listed if name.startswith(prefix) and self.exists(name))

    def exists(self, name: str) -> bool:
        """Whether the name leads to a namespace."""
        try:
            with opened(self.path(name)) as descriptor:
                return is_network_namespace(descriptor)
        except OSError as error:
            # EACCES: a name that leads nowhere has mode 0, a namespace may be opened by everybody.
            if error.errno in (errno.ENOENT, errno.ENXIO, errno.ELOOP, errno.ENOTDIR, errno.EACCES):
                return False
            raise

    def ensure(self, name: str) -> bool:
        """Make it unless it is there; True when it was made.

        A name that leads nowhere goes first (Launchpad 1561695); what somebody mounted over a namespace goes, and the
        namespace stays.

        Raises:
            AdapterError: another program does not let go of the directory's lock.
        """
        if self.exists(name):
            return False
        path = self.path(name)
        with self._locked():
            while not (there := self.exists(name)) and _unmounted(path):
                pass
            if there:
                return False
            self._share()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
            try:
                in_a_thread(lambda: _make(path))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                raise
        return True

    def remove(self, name: str) -> None:
        """Take the name away; the namespace goes with the last process in it.  None there is fine."""
        path = self.path(name)
        for _ in range(_MOST_MOUNTS):
            if not _unmounted(path):
                break
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in the directory, iproute2 included, which takes the same lock."""
        os.makedirs(self._directory, mode=0o755, exist_ok=True)
        with contextlib.ExitStack() as stack:
            deadline = time.monotonic() + _PATIENCE
            if self._turn.acquire(timeout=_PATIENCE):
                stack.callback(self._turn.release)
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            while not _has_locked(descriptor):
                if time.monotonic() >= deadline:
                    raise AdapterError(
                        f"another program has held the lock of {self._directory} (flock) for {_PATIENCE:g} s: no "
                        f"namespace can be made; look who holds it (fuser -v {self._directory}, lslocks) and end it"
                    )
                time.sleep(_PAUSE)
            yield

    def _share(self) -> None:
        """As iproute2 does; after all mounts in the directory that are to go, for they are copied.

        Without it, a mount namespace made later (systemd's, a container's) would keep its own copy of each name, and a
        removed namespace would live on there.
        """
        try:
            mount("", self._directory, MS_SHARED | MS_REC)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: the directory is no mount yet
                raise
            mount(self._directory, self._directory, MS_BIND | MS_REC)
            mount("", self._directory, MS_SHARED | MS_REC)


def _has_locked(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unmounted(path: str) -> bool:
    """Take off what is mounted on a path, the topmost only; False where there is nothing (a link is not followed)."""
    try:
        unmount(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
        return False
    return True


def _make(path: str) -> None:
    unshare()
    mount("/proc/thread-self/ns/net", path, MS_BIND)
