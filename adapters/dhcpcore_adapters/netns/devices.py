"""What interface drivers do to devices in the same way, whatever they plug them into.

Knows netlink and sysctls; knows nothing of bridges, switches or names.  Everything may raise pyroute2's NetlinkError,
or OSError.
"""

from __future__ import annotations

import errno

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns import sysctl
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.netns.netlink import Netlink, suppress_errno


def other_end(here: Netlink, inner: Link | None) -> Link | None:
    """The end of a pair that is in our namespace; an index alone would say nothing, each namespace counts anew."""
    if inner is None or not inner.peer:
        return None
    outer = here.link_at(inner.peer)
    return outer if outer is not None and outer.kind == "veth" and outer.peer == inner.index else None


def made(here: Netlink, name: str) -> int:
    """The index of a device that was made a moment ago.

    Raises:
        AdapterError: it is gone.
    """
    index = here.index(name)
    if index is None:
        raise AdapterError(f"device {name} went while it was being set up; it will be tried again")
    return index


def ensure_inner(there: Netlink, inner: Link, spec: DeviceSpec) -> None:
    """MAC address and MTU of the device in the namespace."""
    if inner.mac_address.lower() != spec.mac_address.lower():
        # Down first: the kernel then makes a new link-local address, and forgets the one of the old MAC address.
        there.set_link(inner.index, up=False)
        there.set_link(inner.index, mac_address=spec.mac_address.lower())
    if spec.mtu and inner.mtu != spec.mtu:
        there.set_link(inner.index, mtu=spec.mtu)


def remove_nobodys(there: Netlink, link: Link) -> None:
    """Remove a device of the namespace that no driver made.

    Hardware stays, and whatever else the kernel cannot delete: an error would stop all else that its network needs.
    """
    with suppress_errno(errno.EOPNOTSUPP):
        there.delete_link(link.index)


def without_ipv6(device: str) -> None:
    """The host takes no part in the network: no address of its own on it for others to reach."""
    sysctl.ensure(f"net/ipv6/conf/{device}/disable_ipv6", "1")


def with_ipv6(device: str) -> bool:
    """IPv6 is not switched off on a device of the calling thread's namespace; True when it was."""
    return sysctl.ensure(f"net/ipv6/conf/{device}/disable_ipv6", "0")
