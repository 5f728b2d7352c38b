"""Kernel settings of the network namespace that the calling thread is in.

/proc/sys/net shows each thread the settings of its own namespace, so nothing here takes a namespace.
"""

from __future__ import annotations


def _path(name: str) -> str:
    # A device's name may have a dot in it: callers write such names with slashes.
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def read(name: str) -> str | None:
    """The setting, None when this kernel has none of that name (IPv6 switched off)."""
    try:
        with open(_path(name), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def ensure(name: str, value: str) -> bool:
    """Set it unless it is so; True when it was changed.  A kernel without it has nothing to set.

    Args:
        name: ``net.ipv4.ip_nonlocal_bind``, or with slashes in place of dots.
    """
    if read(name) in (value, None):
        return False
    with open(_path(name), "w", encoding="ascii") as file:
        file.write(value)
    return True
