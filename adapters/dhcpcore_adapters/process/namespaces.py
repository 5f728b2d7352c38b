"""Named network namespaces: which is which, and doing something inside one.

Knows /run/netns; makes and removes nothing.  How a namespace is entered is the business of `dhcpcore_adapters.setns`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from dhcpcore import AdapterError
from dhcpcore_adapters.setns import enter, in_a_thread

T = TypeVar("T")

#: What tells one namespace from all others: device and inode of its file in nsfs.
Identity = tuple[int, int]
#: Of DHCP agents' namespaces (Neutron NS_PREFIX); a network's id follows.
_PREFIX: Final = "qdhcp-"


class NamedNamespaces:
    """The network namespaces that have a name.

    Args:
        directory: where the names are, as ip-netns(8) has them.
    """

    def __init__(self, directory: str = "/run/netns") -> None:
        self._directory = directory

    def identity(self, name: str) -> Identity | None:
        """What tells this namespace from others; None where there is none of that name.

        A symbolic link is no name of where it leads to.
        """
        return _identity(f"{self._directory}/{name}", follow=False)

    def names(self) -> Mapping[Identity, Sequence[str]]:
        """All names, by what they name: a namespace may be given more of them (ip netns attach)."""
        found: dict[Identity, list[str]] = {}
        try:
            names = sorted(os.listdir(self._directory))
        except OSError:
            return found
        for name in names:
            if (identity := self.identity(name)) is not None:
                found.setdefault(identity, []).append(name)
        return found

    def run_in(self, name: str, action: Callable[[], T]) -> T:
        """What `action` returns or raises, called by a thread inside the namespace.

        Processes and sockets made by it belong to the namespace.

        Raises:
            AdapterError: there is no such namespace, or it may not be entered.
        """

        def inside() -> T:
            self._enter(name)
            return action()

        return in_a_thread(inside, f"in {name}")

    def _enter(self, name: str) -> None:
        path = f"{self._directory}/{name}"
        try:
            enter(path)
        except FileNotFoundError:
            raise AdapterError(
                f"there is no network namespace {path}; its device has to be set up first "
                "(a plain file of that name is left by a crash: ip netns delete)"
            ) from None
        except OSError as error:
            hint = "run the agent as root, or with CAP_SYS_ADMIN"
            raise AdapterError(f"cannot enter the network namespace {path}: {error.strerror}; {hint}") from None


def name_for(names: Sequence[str], network_id: str) -> str | None:
    """Of the names of one namespace the network's own, else a DHCP agent's, else the first; None where it has none."""
    if len(names) > 1:
        return min(names, key=lambda name: (name != _PREFIX + network_id, not name.startswith(_PREFIX)))
    return names[0] if names else None


def namespace_of_process(pid: int) -> Identity | None:
    """The network namespace of a process; None where it ended, or must not be looked at."""
    return _identity(f"/proc/{pid}/ns/net", follow=True)


def _identity(path: str, *, follow: bool) -> Identity | None:
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    return found.st_dev, found.st_ino
