"""What the kernel refuses, as an `AdapterError` an operator can use: what was tried, the errno, what to do next.

`retryable` is said by errno: whether the same call may succeed later although nobody told us anything new.  Knows
errnos; knows nothing of what was tried.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError  # type: ignore[import-untyped]

from dhcpcore import AdapterError

# Errors that stay until the server, the settings or the machine's set-up change; all others may pass.
_PERMANENT: Final = {
    errno.EPERM: "the agent needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for namespaces",
    errno.EACCES: "the agent needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for namespaces; with an IPv6 address, look at "
    "the sysctl net.ipv6.conf.all.disable_ipv6 too",
    errno.EROFS: "/proc/sys or the directory of namespaces is mounted read-only: give the agent a writable one",
    errno.ENETUNREACH: "the gateway is on no subnet of the device: look at the subnet's gateway_ip",
    errno.EHOSTUNREACH: "the gateway is on no subnet of the device: look at the subnet's gateway_ip",
    errno.EINVAL: "the kernel takes no such value: look at the MTU, the MAC address and the addresses of the port",
    errno.ERANGE: "the kernel takes no such value: look at the MTU of the network",
    errno.EADDRNOTAVAIL: "the kernel takes no such address: look at the port's MAC address and fixed_ips",
    errno.EOPNOTSUPP: "this kernel cannot do that: are the modules veth and bridge there, and is IPv6 switched on?",
    errno.EAFNOSUPPORT: "this kernel has no such address family: is IPv6 switched off (ipv6.disable=1)?",
    errno.EISDIR: "a directory has the namespace's name: remove it",
    errno.ENOTDIR: "a part of the path of namespaces is no directory: remove it",
}
_PASSING: Final = {
    errno.ENOSPC: "a limit of namespaces is reached: raise the sysctl user.max_net_namespaces",
    errno.EMFILE: "the agent has too many files open: raise its limit (LimitNOFILE)",
    errno.ENFILE: "the machine has too many files open: raise the sysctl fs.file-max",
    errno.ENOMEM: "the machine has no memory left",
    errno.EBUSY: "somebody else is using it; it will be tried again",
    errno.EEXIST: "somebody else made it at the same time; it will be tried again",
    errno.ENODEV: "it went while it was being set up; it will be tried again",
    errno.ENOENT: "it went while it was being set up; it will be tried again",
    errno.ETIMEDOUT: "the kernel did not answer in time; it will be tried again",
}


def adapter_error(what: str, number: int, said: str) -> AdapterError:
    """The error for a refusal.

    Args:
        what: what was tried, as ``device qdhcp-1/tap1``.
        number: errno; said: the words that came with it.
    """
    name = errno.errorcode.get(number, f"errno {number}")
    advice = _PERMANENT.get(number) or _PASSING.get(number, "it will be tried again")
    return AdapterError(f"{what}: {name}: {said}; {advice}", retryable=number not in _PERMANENT)


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn whatever the kernel, or the library that talks to it, refuses within the block into an `AdapterError`."""
    try:
        yield
    except NetlinkError as error:
        said = str(error.args[1]) if len(error.args) > 1 else os.strerror(error.code)
        raise adapter_error(what, error.code, said) from error
    except OSError as error:
        said = error.strerror or str(error)
        raise adapter_error(what, error.errno or 0, f"{said} ({error.filename})" if error.filename else said) from error
    except ValueError as error:  # an address that is none
        raise AdapterError(f"{what}: {error}", retryable=False) from error
    except NetlinkDecodeError as error:
        raise AdapterError(f"{what}: the kernel's answer cannot be read: {error.exception}") from error
