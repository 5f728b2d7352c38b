"""The system calls that make namespaces and give them names; Python 3.11 has none of them.

Knows their flags; knows nothing of directories, devices or DHCP.  `os.unshare` came with 3.12, mount(2) never did.
Every function may raise OSError.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from dhcpcore_adapters.setns import CLONE_NEWNET, call

MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_SHARED: Final = 1 << 20
MNT_DETACH: Final = 2
UMOUNT_NOFOLLOW: Final = 8


def unshare(kind: int = CLONE_NEWNET) -> None:
    """Give the calling thread a new namespace (unshare(2))."""
    call("unshare", ctypes.c_int(kind))


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a file system type: bind mounts and changes of propagation."""
    call("mount", os.fsencode(source), os.fsencode(target), b"none", ctypes.c_ulong(flags), None, name=target)


def unmount(target: str) -> None:
    """umount2(2) with MNT_DETACH: at once, whoever still uses it; a symbolic link is not followed (EINVAL)."""
    call("umount2", os.fsencode(target), ctypes.c_int(MNT_DETACH | UMOUNT_NOFOLLOW), name=target)
