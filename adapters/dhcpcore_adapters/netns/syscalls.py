"""The system calls for namespaces that Python 3.11 does not have, as functions that raise OSError.

Knows their numbers and flags; knows nothing of names, devices or DHCP.  `os.setns` and `os.unshare` came with 3.12.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from typing import Final

CLONE_NEWNET: Final = 0x40000000
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_SHARED: Final = 1 << 20
MNT_DETACH: Final = 2
# ioctl_ns(2): which kind of namespace a descriptor is of.
_NS_GET_NSTYPE: Final = 0xB703

_libc = ctypes.CDLL(None, use_errno=True)


def _check(outcome: int, function: str, *names: str) -> None:
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}", *names)


def setns(descriptor: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into a namespace (setns(2)); other threads of the process stay where they are."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def unshare(kind: int = CLONE_NEWNET) -> None:
    """Give the calling thread a new namespace (unshare(2))."""
    _check(_libc.unshare(ctypes.c_int(kind)), "unshare")


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a file system type: bind mounts and changes of propagation."""
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), b"none", ctypes.c_ulong(flags), None), "mount", target)


def unmount(target: str) -> None:
    """umount2(2) with MNT_DETACH: at once, whoever still uses it."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)), "umount", target)


def is_network_namespace(descriptor: int) -> bool:
    """Whether an open file is a network namespace, and not a plain file that nothing is mounted on."""
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError:
        return False
