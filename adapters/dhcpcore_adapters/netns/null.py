"""The interface driver `null`: somebody else makes the device, moves it into the namespace, and removes it.

For virtual switches that plug by themselves, and for tests.  MAC address and MTU are theirs too; ours are the
namespace, addresses and routes.
"""

from __future__ import annotations

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns.netlink import Netlink
from dhcpcore_adapters.setns import within


class NullDriver:
    """Expects the device to be there."""

    use_gateway_ips = False

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        """Makes sure that it is there.

        Raises:
            AdapterError: it is not (retryable: it may come).
        """
        with within(namespace, Netlink) as inside:
            there = inside.index(spec.name) is not None
        if not there:
            raise AdapterError(
                f"there is no device {spec.name} in {namespace}, and the interface driver 'null' makes none: "
                f"plug it there, or choose another interface_driver"
            )

    def unplug(self, namespace: str, device: str) -> None:
        """Does nothing: the device is not ours."""

    def forget(self, namespace: str) -> None:
        """Does nothing."""
