"""Links, addresses and routes of one network namespace: that of the thread that opens the socket.

Looks and changes; decides nothing.  Everything may raise pyroute2's NetlinkError, or OSError (see `errors`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from socket import AF_INET, AF_INET6
from typing import Any, Final, Self

from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from dhcpcore_adapters.netns import messages
from dhcpcore_adapters.netns.messages import Address, Interface, KernelRoute, Link
from dhcpcore_adapters.netns.rtnetlink import Rtnetlink

# include/uapi/linux: rtnetlink.h, netlink.h
_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_RTM_GETLINK: Final = 18
_RTM_NEWADDR: Final = 20
_RTM_DELADDR: Final = 21
_RTM_GETADDR: Final = 22
_RTM_NEWROUTE: Final = 24
_RTM_DELROUTE: Final = 25
_RTM_GETROUTE: Final = 26
_CREATE: Final = 0x600  # and fail where it is there
# Devices that some modules put into every new namespace, and that cannot be removed (sysctl
# net.core.fb_tunnels_only_for_init_net).
_FALLBACK_DEVICES: Final = frozenset({"gretap0", "erspan0", "ip6gretap0", "ip6erspan0"})


class suppress_errno(suppress):
    """Like `contextlib.suppress`, for kernel errors of one errno."""

    def __init__(self, number: int) -> None:
        super().__init__(NetlinkError)
        self._number = number

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Whether the error is the one."""
        return isinstance(error, NetlinkError) and error.code == self._number


class Netlink:
    """A socket to the kernel, for the namespace that the calling thread is in; a context manager.

    It may be used by another thread afterwards, by one at a time.
    """

    def __init__(self) -> None:
        self._socket = Rtnetlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    @property
    def descriptor(self) -> int:
        """Of the socket; an ioctl on it is about devices of its namespace."""
        return self._socket.descriptor

    # -- links

    def links(self) -> list[Link]:
        """Those that can be a DHCP port's: no loopback, no tunnel that came by itself."""
        told = self._socket.dump(_RTM_GETLINK, messages.any_link())
        links = [messages.read_link(message) for message in told if messages.is_ethernet(message)]
        return [link for link in links if link.name not in _FALLBACK_DEVICES]

    def ports(self, bridge: Link) -> Iterator[Link]:
        """The devices on a bridge."""
        # The kernel chooses them: a host may have thousands of devices.
        for message in self._socket.dump(_RTM_GETLINK, messages.links_on(bridge.index)):
            link = messages.read_link(message)
            if link.master == bridge.index:
                yield link

    def link(self, name: str) -> Link | None:
        """The device of this name."""
        told = self._get_link(messages.link_named(name))
        return None if told is None else messages.read_link(told)

    def link_at(self, index: int) -> Link | None:
        """The device of this index."""
        told = self._get_link(messages.link_at(index))
        return None if told is None else messages.read_link(told)

    def index(self, name: str) -> int | None:
        """The index of the device of this name: what was made a moment ago has all else as it was told."""
        told = self._get_link(messages.link_named(name))
        return None if told is None else messages.index_of(told)

    def _get_link(self, message: Any) -> bytes | None:
        try:
            return self._socket.get(_RTM_GETLINK, message)
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return None
            raise

    def add_bridge(self, name: str, group: int) -> None:
        """A bridge of a group (`ip link show group`) that forwards at once: no spanning tree, no delay."""
        self._socket.change(_RTM_NEWLINK, messages.new_bridge(name, group), _CREATE)

    def add_veth(self, name: str, *, mtu: int, master: int, peer: str, peer_namespace: int, peer_mac: str) -> None:
        """A pair of devices in one message: there is no moment at which the peer is elsewhere, or has another MAC.

        Args:
            mtu: of both; 0: the kernel's.
            master: index of the bridge that the first is on; 0: none.
            peer_namespace: a descriptor of the peer's namespace.
        """
        pair = messages.new_veth(
            name, mtu=mtu, master=master, peer=peer, peer_namespace=peer_namespace, peer_mac=peer_mac
        )
        self._socket.change(_RTM_NEWLINK, pair, _CREATE)

    def set_link(
        self,
        index: int,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        mac_address: str | None = None,
        master: int | None = None,
        alias: str | None = None,
        namespace: int | None = None,
    ) -> None:
        """Change what is told of a device, in one message; the kernel tells nobody of what was so before.

        Args:
            namespace: a descriptor of the one that the device is moved to, before all else.
        """
        message = messages.changed_link(index, up, mtu, mac_address, master, alias, namespace)
        self._socket.change(_RTM_NEWLINK, message)

    def delete_link(self, index: int) -> None:
        """Remove a device, and with a veth its other end; none there is fine."""
        with suppress_errno(errno.ENODEV):
            self._socket.change(_RTM_DELLINK, messages.link_at(index))

    # -- addresses

    def addresses(self, index: int) -> list[Address]:
        """Those of one device, the kernel's own among them; none where there is no such device."""
        told: list[bytes] = []
        with suppress_errno(errno.ENODEV):
            told = self._socket.dump(_RTM_GETADDR, messages.addresses_of(index))
        read = [messages.read_address(message, index) for message in told]
        return [address for address in read if address is not None]

    def is_tentative(self, index: int) -> bool:
        """Whether duplicate address detection runs for an address of the device; cheaper than `addresses`."""
        told = self._socket.dump(_RTM_GETADDR, messages.addresses_of(index))
        return any(messages.is_tentative(message, index) for message in told)

    def add_address(self, index: int, address: Interface, label: str | None = None) -> None:
        """Add one; there already is fine."""
        # dnsmasq tells clients the broadcast address that the device has (option 28).
        broadcast = address.version == 4 and address.network.prefixlen < 31
        with suppress_errno(errno.EEXIST):
            self._socket.change(_RTM_NEWADDR, messages.address(index, address, label, broadcast=broadcast), _CREATE)

    def delete_address(self, index: int, address: Interface) -> None:
        """Remove one; not there is fine (an address may go with another of its subnet)."""
        with suppress_errno(errno.EADDRNOTAVAIL):
            self._socket.change(_RTM_DELADDR, messages.address(index, address))

    # -- routes

    def routes(self, index: int) -> list[KernelRoute]:
        """The routes through one device that are default routes, or lead to one host."""
        found = []
        for family in (AF_INET, AF_INET6):
            told: list[bytes] = []
            with suppress_errno(errno.ENODEV):
                told = self._socket.dump(_RTM_GETROUTE, messages.routes_through(index, family))
            found += [messages.read_route(message, index, family) for message in told]
        return [route for route in found if route is not None]

    def add_route(self, index: int, destination: Interface, gateway: str | None) -> None:
        """Add one; where another device has the same, ours comes second to it: both are kept."""
        try:
            self._socket.change(_RTM_NEWROUTE, messages.new_route(index, destination, gateway), _CREATE)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise
            second = messages.new_route(index, destination, gateway, priority=1024 + index)
            self._socket.change(_RTM_NEWROUTE, second, _CREATE)

    def delete_route(self, route: KernelRoute) -> None:
        """Remove one; not there is fine."""
        with suppress_errno(errno.ESRCH):
            self._socket.change(_RTM_DELROUTE, messages.old_route(route))
