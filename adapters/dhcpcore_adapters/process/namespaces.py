"""Named network namespaces: which is which, and doing something inside one.

Knows /run/netns and setns(2); makes and removes nothing.  A namespace is entered by a thread of its own that ends
afterwards: no process is started to get in, and no other thread ever sees another network than its own.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from dhcpcore import AdapterError

_CLONE_NEWNET: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")

#: What tells one namespace from all others: device and inode of its file in nsfs.
Identity = tuple[int, int]


class NamedNamespaces:
    """The network namespaces that have a name.

    Args:
        directory: where the names are, as ip-netns(8) has them.
    """

    def __init__(self, directory: str = "/run/netns") -> None:
        self._directory = directory

    def identity(self, name: str) -> Identity | None:
        """What tells this namespace from others; None where there is none of that name."""
        return _identity(f"{self._directory}/{name}")

    def names(self) -> dict[Identity, str]:
        """All names, by what they name; of several names of one namespace the first in order."""
        try:
            names = sorted(os.listdir(self._directory), reverse=True)
        except OSError:
            return {}
        found = ((self.identity(name), name) for name in names)
        return {identity: name for identity, name in found if identity is not None}

    def run_in(self, name: str, action: Callable[[], T]) -> T:
        """What `action` returns or raises, called by a thread inside the namespace.

        Processes and sockets made by it belong to the namespace.

        Raises:
            AdapterError: there is no such namespace, or it may not be entered.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                self._enter(name)
                results.append(action())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=inside, name=f"in {name}", daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self, name: str) -> None:
        path = f"{self._directory}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise AdapterError(f"there is no network namespace {path}; its device has to be set up first") from None
        except OSError as error:
            raise AdapterError(f"cannot open the network namespace {path}: {error.strerror}") from None
        try:
            # os.setns came with Python 3.12.
            if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
                reason = os.strerror(ctypes.get_errno())
                hint = "run the agent as root, or with CAP_SYS_ADMIN; a plain file is left by a crash: ip netns delete"
                raise AdapterError(f"cannot enter the network namespace {path}: {reason}; {hint}")
        finally:
            os.close(descriptor)


def namespace_of_process(pid: int) -> Identity | None:
    """The network namespace of a process; None where it ended, or must not be looked at."""
    return _identity(f"/proc/{pid}/ns/net")


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
