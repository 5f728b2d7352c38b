"""`dhcpcore.contracts.NamespaceControl` over the kernel: namespaces in /run/netns, devices through netlink.

What is as told is left alone; a second call changes nothing.  Nothing is remembered: every call looks at the host.
How the device comes into its namespace is the interface driver's business.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import evolve
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore.contracts import ObservedDevice
from dhcpcore_adapters.netns import layer3, sysctl
from dhcpcore_adapters.netns.bridge import BridgeDriver
from dhcpcore_adapters.netns.devices import with_ipv6
from dhcpcore_adapters.netns.drivers import Inspecting, InterfaceDriver, Leaving
from dhcpcore_adapters.netns.errors import refusals
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.netns.namespaces import RUN_NETNS, Namespaces
from dhcpcore_adapters.netns.netlink import Netlink
from dhcpcore_adapters.setns import enter, in_a_thread, within

#: Namespaces of DHCP agents (Neutron: NS_PREFIX).
PREFIX: Final = "qdhcp-"
# Before a device is plugged: a router advertisement of the tenant's must not find one that listens (Launchpad 1656386);
# and dnsmasq may bind addresses before they are there (Neutron: set_ip_nonlocal_bind).
_SETTINGS: Final = {"net.ipv6.conf.default.accept_ra": "0", "net.ipv4.ip_nonlocal_bind": "1"}
# Seconds. The kernel waits up to one before it asks, and another one for an answer (RFC 4862, section 5.4); where there
# are several addresses, each for itself.
_DETECTION: Final = 5.0
_PAUSE: Final = 0.05
# Its index is the same in every namespace (linux/net/loopback.h).
_LOOPBACK: Final = 1


class NetnsControl:
    """Namespaces and devices of this host.

    May be called from several threads, for different devices.

    Args:
        driver: how devices are made and plugged; default `BridgeDriver`.
        directory: where namespaces have their names.
    """

    def __init__(self, driver: InterfaceDriver | None = None, directory: str = RUN_NETNS) -> None:
        self._driver: InterfaceDriver = BridgeDriver() if driver is None else driver
        self._namespaces = Namespaces(directory)

    def ensure_device(self, spec: DeviceSpec) -> None:
        """Namespace, device, MTU, addresses and routes as told; addresses and routes of ours that are not told go."""
        path = self._namespaces.path(spec.namespace)
        with refusals(f"namespace {spec.namespace}"):
            self._namespaces.ensure(spec.namespace)
            inside = within(path, _set_up_namespace)
        with inside, refusals(f"device {spec.namespace}/{spec.name}"):
            self._driver.plug(spec, path)
            _set_up_device(inside, spec, path)

    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        """Wait until no address of the device is tentative; those that failed duplicate address detection."""
        path = self._namespaces.path(namespace)
        with refusals(f"device {namespace}/{device}"), within(path, Netlink) as inside:
            index = inside.index(device)
            if index is None:
                raise AdapterError(f"there is no device {namespace}/{device}; it has to be set up first")
            deadline = time.monotonic() + _DETECTION
            while inside.is_tentative(index):
                if time.monotonic() >= deadline:
                    raise AdapterError(
                        f"device {namespace}/{device}: an address is still tentative after {_DETECTION:g} s; "
                        "is the device plugged, and its other end up?"
                    )
                time.sleep(_PAUSE)
            return layer3.texts(each for each in inside.addresses(index) if each.dadfailed)

    def remove_device(self, namespace: str, device: str) -> None:
        """Unplug it on both sides.  None there is fine."""
        with refusals(f"device {namespace}/{device}"):
            self._driver.unplug(self._namespaces.path(namespace), device)

    def remove_namespace(self, namespace: str) -> None:
        """Remove it with all in it.  None there is fine.

        Devices are unplugged one by one: the kernel removes what is in a namespace some time after its last process.
        """
        path = self._namespaces.path(namespace)
        with refusals(f"namespace {namespace}"):
            if self._namespaces.exists(namespace):
                with within(path, Netlink) as inside:
                    links = inside.links()
                for link in links:
                    self._driver.unplug(path, link.name)
            self._driver.forget(path)
            self._namespaces.remove(namespace)

    def observe_devices(self) -> Sequence[ObservedDevice]:
        """Every device of every DHCP namespace; a namespace without any counts as one with an empty name."""
        observed: list[ObservedDevice] = []
        with refusals("looking at the namespaces"):
            names = self._namespaces.names(PREFIX)
        # By one thread that goes from one to the next: starting hundreds takes longer than looking does.
        for name, links, found in in_a_thread(lambda: list(self._inside_of(names)), "looking at namespaces"):
            with refusals(f"namespace {name}"):
                observed += self._inspected(name, links, found)
        if isinstance(self._driver, Leaving):
            with refusals("looking at what is outside of the namespaces"):
                left = self._driver.left()
            # As if it were there and empty: its removal removes what is left.
            observed += [ObservedDevice(namespace=name) for name in left if name not in names]
        return observed

    def _inside_of(self, names: Sequence[str]) -> Iterator[tuple[str, list[Link], list[ObservedDevice]]]:
        """Devices by namespace; moves the calling thread, for good."""
        for name in names:
            with refusals(f"namespace {name}"):
                try:
                    enter(self._namespaces.path(name))
                except FileNotFoundError:  # it went meanwhile
                    continue
                with Netlink() as inside:
                    links = inside.links()
                    yield name, links, [_observed(inside, name, link) for link in links]

    def _inspected(self, namespace: str, links: list[Link], found: list[ObservedDevice]) -> list[ObservedDevice]:
        if isinstance(self._driver, Inspecting):
            amiss = self._driver.unplugged(self._namespaces.path(namespace), links)
            found = [evolve(each, unplugged=amiss.get(each.name, "")) for each in found]
        return found or [ObservedDevice(namespace=namespace)]


def _set_up_namespace() -> Netlink:
    """A socket of the namespace that the calling thread is in."""
    for name, value in _SETTINGS.items():
        sysctl.ensure(name, value)
    inside = Netlink()
    try:
        inside.set_link(_LOOPBACK, up=True)
    except BaseException:
        inside.close()
        raise
    return inside


def _set_up_device(inside: Netlink, spec: DeviceSpec, path: str) -> None:
    link = inside.link(spec.name)
    if link is None:
        raise AdapterError(f"device {spec.namespace}/{spec.name} went while it was being set up")
    if not link.up:
        inside.set_link(link.index, up=True)
    try:
        layer3.apply(inside, spec, link.index)
    except NetlinkError as error:
        # EACCES: an IPv6 address, or route, where somebody switched IPv6 off.
        if error.code != errno.EACCES or not within(path, lambda: with_ipv6(spec.name)):
            raise
        layer3.apply(inside, spec, link.index)


def _observed(netlink: Netlink, namespace: str, link: Link) -> ObservedDevice:
    addresses = netlink.addresses(link.index)
    return ObservedDevice(
        namespace=namespace,
        name=link.name,
        mac_address=link.mac_address,
        mtu=link.mtu,
        up=link.up,
        addresses=layer3.texts(addresses),
        tentative=layer3.texts(each for each in addresses if each.tentative),
        dadfailed=layer3.texts(each for each in addresses if each.dadfailed),
        routes=layer3.default_routes(netlink.routes(link.index)),
    )
