"""What the laws of `dhcpcore.contracts.NamespaceControl` are held against: the adapter, and a way past it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from attrs import frozen

from dhcpcore.contracts import NamespaceControl
from dhcpcore.model.spec import DeviceSpec, Route
from dhcpcore.testing.conformance.suite import Unsupported


@frozen(kw_only=True)
class DeviceState:
    """A device as the kernel tells of it.

    Attributes:
        addresses: ``address/length`` as the kernel writes them, without the link-local one that it made itself.
        routes: the default routes.
    """

    mac_address: str
    mtu: int
    up: bool
    addresses: frozenset[str]
    routes: frozenset[Route]


class NamespaceControlWorld(ABC):
    """Namespaces and devices, and a way to them past the adapter.

    Attributes:
        control: the adapter.
    """

    control: NamespaceControl

    @abstractmethod
    def device(self, number: int) -> DeviceSpec:
        """A device to make, each number in a namespace ``qdhcp-...`` of its own; nothing of it is there yet.

        With one IPv4 address, no route, MTU 1400.  The suite changes MAC address, MTU, addresses (in 10.0.0.0/8,
        fd00::/8, 169.254.169.254/32, fe80::a9fe:a9fe/128) and routes.
        """

    @abstractmethod
    def beside(self, spec: DeviceSpec) -> DeviceSpec:
        """Another device of the same network, in the same namespace."""

    @abstractmethod
    def state(self, namespace: str, name: str) -> DeviceState | None:
        """A device as it is now; None when it, or its namespace, is not there."""

    @abstractmethod
    def namespaces(self) -> Collection[str]:
        """Names of the DHCP namespaces that are there now."""

    @abstractmethod
    def add_address(self, namespace: str, name: str, address: str) -> None:
        """Add an address past the adapter."""

    @abstractmethod
    def remove_address(self, namespace: str, name: str, address: str) -> None:
        """Remove an address past the adapter."""

    @abstractmethod
    def remove_routes(self, namespace: str, name: str) -> None:
        """Remove the default routes past the adapter."""

    @abstractmethod
    def set_down(self, namespace: str, name: str) -> None:
        """Take a device down past the adapter."""

    @abstractmethod
    def delete_namespace(self, namespace: str) -> None:
        """``ip netns delete`` past the adapter."""

    @abstractmethod
    def create_namespace(self, namespace: str) -> None:
        """``ip netns add`` past the adapter."""

    @abstractmethod
    def reopen(self) -> NamespaceControl:
        """A new adapter for the same host, as after a restart of the agent."""

    def dangle(self, namespace: str) -> None:
        """Leave a name in /run/netns that leads to no namespace (Launchpad 1561695)."""
        raise Unsupported("this world has no dangling names")

    def set_foreign(self, namespace: str, name: str) -> None:
        """Set an attribute that belongs to somebody else (an Open vSwitch tag)."""
        raise Unsupported("this world's devices have no foreign attributes")

    def foreign(self, namespace: str, name: str) -> object:
        """That attribute, as it is now."""
        raise Unsupported("this world's devices have no foreign attributes")

    def conflict(self, spec: DeviceSpec, address: str) -> None:
        """Let another host on a device's network have an IPv6 address (without length); the device is not there yet."""
        raise Unsupported("this world has no other hosts")

    def setting(self, namespace: str, name: str) -> str | None:
        """A sysctl inside a namespace, e.g. ``net.ipv4.ip_nonlocal_bind``."""
        raise Unsupported("this world cannot read sysctls")
