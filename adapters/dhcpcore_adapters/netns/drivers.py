"""Interface drivers: how a DHCP port's device comes into its namespace and onto its network.

A driver does the link: device, MAC address, MTU, what it is plugged into.  `control` does the rest for every driver:
namespace, settings, up, addresses, routes.  Drivers are found by the name of an entry point or by a class path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from dhcpcore import DeviceSpec, Settings, SettingsError
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.plugging import make

GROUP: Final = "dhcpcore.interface_drivers"
_OPTION: Final = "interface_driver"
# Ours are found without an installation's metadata too: from a checkout, from a zip.
_OURS: Final = {
    "bridge": "dhcpcore_adapters.netns.bridge:BridgeDriver",
    "null": "dhcpcore_adapters.netns.null:NullDriver",
    "openvswitch": "dhcpcore_adapters.netns.openvswitch:OpenvswitchDriver",
}
# An agent's settings may come from the stock agent's file, where a class path is one of Neutron's own.
_NEUTRONS: Final = {
    "neutron.agent.linux.interface.NullDriver": "null",
    "neutron.agent.linux.interface.OVSInterfaceDriver": "openvswitch",
}


@runtime_checkable
class InterfaceDriver(Protocol):
    """What a third party fulfils.  All calls are idempotent and made from several threads, for different devices.

    Whatever goes wrong is an `AdapterError`; OSError and pyroute2's NetlinkError may be left to the caller, which turns
    them into one.

    One that looks after what it plugged has a method `unplugged` besides: see `Inspecting`.  One that is shaped by the
    agent's settings has a class method ``from_settings(settings, **options)``, by which it is made.

    Attributes:
        use_gateway_ips: whether the device serves on the subnets' gateway addresses (Neutron's property of that name).
    """

    use_gateway_ips: bool

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        """There is a device `spec.name` in the namespace, with MAC address and MTU, on the network `spec.network_id`.

        Args:
            namespace: a path, e.g. ``/run/netns/qdhcp-...``; the namespace is there.
        """
        ...

    def unplug(self, namespace: str, device: str) -> None:
        """There is no such device, and nothing of it is left outside.  None there is fine, and so is no namespace."""
        ...

    def forget(self, namespace: str) -> None:
        """The namespace goes, or has gone; nothing that was made for it is left outside."""
        ...


@runtime_checkable
class Leaving(Protocol):
    """An interface driver that can tell what it made outside and nobody uses any more."""

    def left(self) -> Sequence[str]:
        """Names of namespaces, there or not, for which something is left that `forget` would remove."""
        ...


@runtime_checkable
class Inspecting(Protocol):
    """A driver that can tell whether what it plugged is still plugged; an audit then has it plugged again."""

    def unplugged(self, namespace: str, devices: Sequence[Link]) -> Mapping[str, str]:
        """Which of the devices in a namespace do not reach their network as `plug` would have it: name to reason."""
        ...


def load_driver(
    name: str, options: Mapping[str, Any] | None = None, settings: Settings | None = None
) -> InterfaceDriver:
    """The driver of this name.

    Args:
        name: an entry point of the group ``dhcpcore.interface_drivers`` (``bridge``, ``null``, ``openvswitch``), or a
            class path ``package.module:Class`` (``package.module.Class``, as Neutron writes it, will do).
        options: keyword arguments for the class.
        settings: the agent's; for a class that asks for them.

    Raises:
        SettingsError: there is none, it cannot be imported or made, or it is no interface driver.
    """
    name = _NEUTRONS.get(name, name)

    def with_settings(found: Callable[..., object]) -> Callable[..., object]:
        ask = None if settings is None else getattr(found, "from_settings", None)
        return found if ask is None else partial(ask, settings)

    driver = make(name, options or {}, group=GROUP, ours=_OURS, option=_OPTION, kind="driver", by=with_settings)
    if not isinstance(driver, InterfaceDriver):
        got = f"{name}: {type(driver).__name__}"
        raise SettingsError(_OPTION, "a class with plug, unplug, forget and use_gateway_ips", got)
    return driver
