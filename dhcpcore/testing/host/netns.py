"""`dhcpcore.contracts.NamespaceControl` over a `MemoryHost`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dhcpcore.errors import AdapterError
from dhcpcore.model.spec import DeviceSpec
from dhcpcore.observed import ObservedDevice
from dhcpcore.testing.host.kernel import Device, KernelError, Namespace, canonical_address
from dhcpcore.testing.host.memory import DEVICE, MemoryHost

#: Namespaces of DHCP agents (Neutron: NS_PREFIX).
PREFIX = "qdhcp-"
#: sysctls of a DHCP namespace (Neutron: DeviceManager, ip_lib.set_ip_nonlocal_bind).
SETTINGS = {"net.ipv6.conf.default.accept_ra": "0", "net.ipv4.ip_nonlocal_bind": "1"}


class MemoryNamespaceControl:
    """Makes what is missing, changes what differs, leaves alone what is right or not ours."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    def ensure_device(self, spec: DeviceSpec) -> None:
        """Namespace, device, MTU, addresses and routes as told."""
        subject = f"{spec.namespace}/{spec.name}"
        with self._host.faults.call("netns.ensure_device", subject) as within:
            try:
                self._ensure(spec, subject, within)
            except (KernelError, ValueError) as error:
                raise AdapterError(f"device {subject}: {error}") from None

    def _ensure(self, spec: DeviceSpec, subject: str, within: Callable[[str], None]) -> None:
        host = self._host

        def changing(step: str) -> None:
            host.counts[DEVICE, subject] += 1
            within(step)

        host.dangling.discard(spec.namespace)
        if spec.namespace not in host.namespaces:
            host.namespaces[spec.namespace] = Namespace()
            changing("setting it up")
        namespace = host.namespaces[spec.namespace]
        if not namespace.loopback or not SETTINGS.items() <= namespace.settings.items():
            namespace.loopback = True
            namespace.settings |= SETTINGS
            changing("plugging the device")
        device = host.device(spec.namespace, spec.name)
        if device is None:
            device = Device(name=spec.name, mac_address=spec.mac_address.lower(), up=False)
            host.plug(spec.namespace, device)
            changing("setting it up")
        if device.mac_address != spec.mac_address.lower():
            device.mac_address = spec.mac_address.lower()
            changing("setting its MTU")
        if spec.mtu and device.mtu != spec.mtu:
            device.mtu = spec.mtu
            changing("taking it up")
        if not device.up:
            device.up = True
            changing("setting its addresses")
        wanted = [canonical_address(address) for address in spec.addresses]
        for address in [each for each in device.addresses if each not in wanted]:
            device.addresses.remove(address)
            device.tentative.discard(address)
            device.dadfailed.discard(address)
            changing("setting its addresses")
        for address in wanted:
            if address not in device.addresses:
                device.addresses.append(address)
                if ":" in address:
                    device.tentative.add(address)
                changing("setting its routes")
        families = {route.ip_version for route in spec.routes}
        if any(route.ip_version not in families for route in device.routes):
            device.routes = [route for route in device.routes if route.ip_version in families]
            changing("setting its routes")
        for route in spec.routes:
            before = list(device.routes)
            device.add_route(route)
            if sorted(before, key=str) != sorted(device.routes, key=str):
                changing("done with a route")

    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        """Those that failed detection; it takes no time here."""
        with self._host.faults.call("netns.settled_addresses", f"{namespace}/{device}"):
            found = self._host.device(namespace, device)
            if found is None:
                raise AdapterError(f"there is no device {namespace}/{device}")
            self._detect(found)
            return sorted(found.dadfailed)

    def _detect(self, device: Device) -> None:
        """Duplicate address detection comes to its end."""
        conflicts = self._host.dad_conflicts
        device.dadfailed |= {each for each in device.tentative if each.partition("/")[0] in conflicts}
        device.tentative.clear()

    def remove_device(self, namespace: str, device: str) -> None:
        """Unplug it."""
        subject = f"{namespace}/{device}"
        with self._host.faults.call("netns.remove_device", subject):
            found = self._host.namespaces.get(namespace)
            if found is not None and found.devices.pop(device, None) is not None:
                self._host.counts[DEVICE, subject] += 1

    def remove_namespace(self, namespace: str) -> None:
        """Remove it with all in it."""
        with self._host.faults.call("netns.remove_namespace", namespace) as within:
            self._host.dangling.discard(namespace)
            if (found := self._host.namespaces.get(namespace)) is not None:
                for name in list(found.devices):
                    del found.devices[name]
                    self._host.counts[DEVICE, f"{namespace}/{name}"] += 1
                    within("removing the next device")
                self._host.delete_namespace(namespace)

    def observe_devices(self) -> Sequence[ObservedDevice]:
        """Every device of every DHCP namespace; addresses of the kernel's own making among theirs."""
        with self._host.faults.call("netns.observe_devices"):
            observed = []
            for name, namespace in sorted(self._host.namespaces.items()):
                if not name.startswith(PREFIX):
                    continue
                if not namespace.devices:
                    observed.append(ObservedDevice(namespace=name))
                for _, device in sorted(namespace.devices.items()):
                    # The time since it was set up was long enough.
                    self._detect(device)
                    observed.append(
                        ObservedDevice(
                            namespace=name,
                            name=device.name,
                            mac_address=device.mac_address,
                            mtu=device.mtu,
                            up=device.up,
                            addresses=(*device.addresses, device.link_local),
                            tentative=tuple(sorted(device.tentative)),
                            dadfailed=tuple(sorted(device.dadfailed)),
                            routes=tuple(device.routes),
                        )
                    )
            return observed
