"""The namespace suite catches controls that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from conformance.breaking import assert_caught
from dhcpcore.contracts import NamespaceControl
from dhcpcore.model.spec import DeviceSpec
from dhcpcore.observed import ObservedDevice
from dhcpcore.testing import MemoryHost, MemoryNamespaceControl
from dhcpcore.testing.conformance import MemoryNamespaceControlWorld, NamespaceControlConformance
from dhcpcore.testing.host import Device, KernelError


class Broken(MemoryNamespaceControl):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.host = host


class OnlyAddsAddresses(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        device = self.host.device(spec.namespace, spec.name)
        kept = [each for each in device.addresses if each not in spec.addresses] if device else []
        super().ensure_device(evolve(spec, addresses=(*spec.addresses, *kept)))


class OnlyWhenMissing(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        if self.host.device(spec.namespace, spec.name) is None:
            super().ensure_device(spec)


class AddsAddressesAsTheyAreSpelt(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(spec)
        device = self.host.namespaces[spec.namespace].devices[spec.name]
        device.addresses += [each for each in spec.addresses if each not in device.addresses]


class ForgetsTheRoutes(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(evolve(spec, routes=()))


class KeepsOldRoutes(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        device = self.host.device(spec.namespace, spec.name)
        kept = [route for route in device.routes if not spec.routes] if device else []
        super().ensure_device(evolve(spec, routes=(*spec.routes, *kept)))


class NeverTakesItUp(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        device = self.host.device(spec.namespace, spec.name)
        was_up = device is None or device.up
        super().ensure_device(spec)
        self.host.namespaces[spec.namespace].devices[spec.name].up = was_up


class SetsZeroMtu(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(spec)
        self.host.namespaces[spec.namespace].devices[spec.name].mtu = spec.mtu or 1500


class StumblesOverDanglingNames(Broken):
    """Plugs another device at every try, as in Launchpad 1561695."""

    def ensure_device(self, spec: DeviceSpec) -> None:
        if spec.namespace in self.host.dangling:
            raise KernelError("EEXIST: the name is taken")
        super().ensure_device(spec)


class ResetsForeignAttributes(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(spec)
        self.host.namespaces[spec.namespace].devices[spec.name].foreign.clear()


class ReplugsEveryTime(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().remove_device(spec.namespace, spec.name)
        super().ensure_device(spec)
        device = self.host.namespaces[spec.namespace].devices[spec.name]
        device.dadfailed = set()


class SweepsTheNamespace(Broken):
    def remove_device(self, namespace: str, device: str) -> None:
        self.host.delete_namespace(namespace)


class KeepsTheNamespaceWithDevices(Broken):
    def remove_namespace(self, namespace: str) -> None:
        found = self.host.namespaces.get(namespace)
        if found is None or not found.devices:
            super().remove_namespace(namespace)


class RaisesForMissing(Broken):
    def remove_device(self, namespace: str, device: str) -> None:
        del self.host.namespaces[namespace].devices[device]


class RemembersWhatItMade(Broken):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.made: dict[tuple[str, str], DeviceSpec] = {}

    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(spec)
        self.made[spec.namespace, spec.name] = spec

    def remove_device(self, namespace: str, device: str) -> None:
        if self.made.pop((namespace, device), None) is not None:
            super().remove_device(namespace, device)

    def observe_devices(self) -> Sequence[ObservedDevice]:
        return [seen for seen in super().observe_devices() if (seen.namespace, seen.name) in self.made]


class HidesEmptyNamespaces(Broken):
    def observe_devices(self) -> Sequence[ObservedDevice]:
        return [seen for seen in super().observe_devices() if seen.name]


class ObservesWithoutLengths(Broken):
    def observe_devices(self) -> Sequence[ObservedDevice]:
        return [
            evolve(seen, addresses=tuple(each.partition("/")[0] for each in seen.addresses))
            for seen in super().observe_devices()
        ]


class LeaksKernelErrors(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(evolve(spec, routes=()))
        device = self.host.namespaces[spec.namespace].devices[spec.name]
        for route in spec.routes:
            device.add_route(route)


class SwallowsRefusals(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(evolve(spec, routes=()))
        device = self.host.namespaces[spec.namespace].devices[spec.name]
        for route in spec.routes:
            try:
                device.add_route(route)
            except KernelError:
                continue


class WithoutSettings(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        super().ensure_device(spec)
        self.host.namespaces[spec.namespace].settings = {}


class PlugsTwice(Broken):
    def ensure_device(self, spec: DeviceSpec) -> None:
        known = self.host.device(spec.namespace, spec.name) is not None
        super().ensure_device(spec)
        if known:
            self.host.plug(spec.namespace, Device(name="tap-again", mac_address=spec.mac_address))


class DoesNotWait(Broken):
    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        return sorted(self.host.namespaces[namespace].devices[device].dadfailed)


class TellsTentativeOnes(Broken):
    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        tentative = sorted(self.host.namespaces[namespace].devices[device].tentative)
        return tentative or super().settled_addresses(namespace, device)


class SettlesWhatIsNotThere(Broken):
    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        return super().settled_addresses(namespace, device) if self.host.device(namespace, device) else ()


@pytest.mark.parametrize(
    "broken, law",
    [
        (DoesNotWait, "test_tells_addresses_that_failed_detection"),
        (TellsTentativeOnes, "test_addresses_settle"),
        (SettlesWhatIsNotThere, "test_addresses_of_no_device"),
        (OnlyAddsAddresses, "test_changes_addresses"),
        (OnlyWhenMissing, "test_repairs"),
        (AddsAddressesAsTheyAreSpelt, "test_same_address_other_spelling"),
        (ForgetsTheRoutes, "test_makes_everything"),
        (KeepsOldRoutes, "test_changes_routes"),
        (NeverTakesItUp, "test_repairs"),
        (SetsZeroMtu, "test_changes_mtu_and_mac"),
        (StumblesOverDanglingNames, "test_dangling_name"),
        (ResetsForeignAttributes, "test_leaves_foreign_attributes"),
        (ReplugsEveryTime, "test_leaves_foreign_attributes"),
        (SweepsTheNamespace, "test_removes_a_device"),
        (KeepsTheNamespaceWithDevices, "test_removes_a_namespace"),
        (RaisesForMissing, "test_removes_a_device"),
        (RemembersWhatItMade, "test_a_new_adapter_removes_what_an_old_one_made"),
        (RemembersWhatItMade, "test_observes_the_host_not_its_memory"),
        (HidesEmptyNamespaces, "test_observes_what_is_there"),
        (ObservesWithoutLengths, "test_observes_what_is_there"),
        (LeaksKernelErrors, "test_what_the_kernel_refuses"),
        (SwallowsRefusals, "test_what_the_kernel_refuses"),
        (WithoutSettings, "test_settings_of_the_namespace"),
        (PlugsTwice, "test_twice_is_once"),
    ],
)
def test_is_caught(broken: Callable[[MemoryHost], NamespaceControl], law: str) -> None:
    assert_caught(NamespaceControlConformance, lambda: MemoryNamespaceControlWorld(broken), law)
