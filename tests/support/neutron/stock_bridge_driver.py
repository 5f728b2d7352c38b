"""An interface driver `bridge` for the stock agent, with the names of our own: what its Linux-bridge driver made.

Neutron 29 ships drivers for Open vSwitch only. Runs inside the stock agent, found by an entry point that `stock_agent`
writes: a class path would make stevedore search for it at every call of the driver.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

from typing import Any

from neutron.agent.linux import bridge_lib, interface, ip_lib

_ID_IN_NAME = 11


class BridgeInterfaceDriver(interface.LinuxInterfaceDriver):
    """A veth pair from the namespace to ``brq<network id>``."""

    DEV_NAME_PREFIX = "ns-"

    def _tap(self, device_name: str, prefix: str | None) -> str:
        return device_name.replace(prefix or self.DEV_NAME_PREFIX, "tap", 1)

    def plug_new(
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
        mtu: int | None = None,
    ) -> None:
        """Make the pair and connect it; the bridge too, where there is none."""
        name = f"brq{network_id[:_ID_IN_NAME]}"
        if not ip_lib.device_exists(name):
            bridge_lib.BridgeDevice.addbr(name).link.set_up()
        tap = self._tap(device_name, prefix)
        root, inner = ip_lib.IPWrapper().add_veth(tap, device_name, namespace2=namespace)
        root.disable_ipv6()
        inner.link.set_address(mac_address)
        bridge_lib.BridgeDevice(name).addif(tap)
        if mtu:
            self.set_mtu(device_name, mtu, namespace=namespace, prefix=prefix)
        root.link.set_up()
        inner.link.set_up()

    def unplug(
        self, device_name: str, bridge: str | None = None, namespace: str | None = None, prefix: str | None = None
    ) -> None:
        """Remove the pair; the bridge stays."""
        ip_lib.IPDevice(device_name, namespace=namespace).link.delete()

    def set_mtu(self, device_name: str, mtu: int, namespace: str | None = None, prefix: str | None = None) -> None:
        """Both ends' MTU, bytes."""
        devices: list[Any] = [
            ip_lib.IPDevice(self._tap(device_name, prefix)),
            ip_lib.IPDevice(device_name, namespace=namespace),
        ]
        for device in devices:
            device.link.set_mtu(mtu)
