"""The laws of `dhcpcore.contracts.NamespaceControl`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from ipaddress import ip_interface

from attrs import evolve

from dhcpcore.contracts import NamespaceControl
from dhcpcore.model.spec import DeviceSpec, Route
from dhcpcore.observed import ObservedDevice
from dhcpcore.testing.conformance.namespace_world import NamespaceControlWorld
from dhcpcore.testing.conformance.suite import (
    adapter_error,
    ensure,
    ensure_equal,
    no_error,
)


def _canonical(addresses: tuple[str, ...]) -> frozenset[str]:
    return frozenset(str(ip_interface(address)) for address in addresses)


def _ensure_as_told(world: NamespaceControlWorld, spec: DeviceSpec, when: str) -> None:
    state = world.state(spec.namespace, spec.name)
    if state is None:
        ensure(False, f"{when}: the device is in its namespace", namespaces=sorted(world.namespaces()))
        return
    ensure_equal(state.mac_address.lower(), spec.mac_address.lower(), f"{when}: MAC address")
    if spec.mtu:
        ensure_equal(state.mtu, spec.mtu, f"{when}: MTU")
    ensure(state.up, f"{when}: the device is up")
    ensure_equal(set(state.addresses), set(_canonical(spec.addresses)), f"{when}: addresses")
    ensure_equal(_gateways(state.routes), _gateways(spec.routes), f"{when}: default routes (gateways)")


def _gateways(routes: Collection[Route]) -> list[str]:
    return sorted(str(ip_interface(route.gateway).ip) for route in routes)


def _observed(control: NamespaceControl, spec: DeviceSpec) -> ObservedDevice | None:
    found = [seen for seen in control.observe_devices() if (seen.namespace, seen.name) == (spec.namespace, spec.name)]
    ensure(len(found) <= 1, "a device is observed once", observed=found)
    return found[0] if found else None


class NamespaceControlConformance:
    """Held against a `NamespaceControlWorld`."""

    def test_fulfils_the_contract(self, world: NamespaceControlWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.control, NamespaceControl), "the adapter is a NamespaceControl")

    def test_makes_everything(self, world: NamespaceControlWorld) -> None:
        """From nothing: the namespace, and in it the device with MAC, MTU, addresses and default routes, up."""
        spec = world.device(1)
        spec = evolve(
            spec,
            addresses=(*spec.addresses, "10.77.0.2/24", "fd77::2/64", "169.254.169.254/32"),
            routes=(Route(gateway="10.77.0.1"), Route(gateway="fd77::1")),
        )
        world.control.ensure_device(spec)
        ensure(spec.namespace in world.namespaces(), "the namespace is there", namespaces=sorted(world.namespaces()))
        _ensure_as_told(world, spec, "made from nothing")

    def test_twice_is_once(self, world: NamespaceControlWorld) -> None:
        """Asked for the same again, nothing changes: no second device, address or route."""
        spec = world.device(1)
        spec = evolve(spec, addresses=(*spec.addresses, "10.77.0.2/24"), routes=(Route(gateway="10.77.0.1"),))
        world.control.ensure_device(spec)
        before = world.state(spec.namespace, spec.name)
        with no_error("ensure_device() of what is there"):
            world.control.ensure_device(spec)
            world.reopen().ensure_device(spec)
        ensure_equal(world.state(spec.namespace, spec.name), before, "the device is as before")
        names = [seen.name for seen in world.control.observe_devices() if seen.namespace == spec.namespace]
        ensure_equal(names, [spec.name], "there is one device")

    def test_changes_addresses(self, world: NamespaceControlWorld) -> None:
        """Addresses that are not told any more go, new ones come, in both families."""
        spec = world.device(1)
        own = spec.addresses
        for addresses in (
            (*own, "10.77.0.2/24", "fd77::2/64"),
            (*own, "10.78.0.2/24", "fd77::2/64", "fd78::2/64"),
            ("10.78.0.2/24",),
            (*own, "fe80::a9fe:a9fe/128", "169.254.169.254/32"),
            (),
        ):
            changed = evolve(spec, addresses=addresses)
            world.control.ensure_device(changed)
            _ensure_as_told(world, changed, f"addresses changed to {addresses}")

    def test_same_address_other_spelling(self, world: NamespaceControlWorld) -> None:
        """An address is the same however it is spelt; so is a MAC address."""
        spec = world.device(1)
        first = evolve(spec, addresses=(*spec.addresses, "fd77::a/64"))
        world.control.ensure_device(first)
        again = evolve(first, addresses=(*spec.addresses, "FD77:0:0:0::A/64"), mac_address=first.mac_address.upper())
        with no_error("ensure_device() with other spellings"):
            world.control.ensure_device(again)
        _ensure_as_told(world, first, "spelt otherwise")

    def test_changes_routes(self, world: NamespaceControlWorld) -> None:
        """Default routes are replaced, added and removed as told; one outside the subnet is reached on the link."""
        spec = world.device(1)
        spec = evolve(spec, addresses=(*spec.addresses, "10.77.0.2/24", "fd77::2/64"))
        for routes in (
            (Route(gateway="10.77.0.1"),),
            (Route(gateway="10.77.0.254"), Route(gateway="fd77::1")),
            (Route(gateway="10.99.0.1", onlink=True), Route(gateway="fd99::1", onlink=True)),
            (Route(gateway="fd77::1"),),
            (),
        ):
            changed = evolve(spec, routes=routes)
            world.control.ensure_device(changed)
            _ensure_as_told(world, changed, f"routes changed to {routes}")

    def test_changes_addresses_and_routes_together(self, world: NamespaceControlWorld) -> None:
        """A new subnet with its gateway replaces the old one in one call."""
        spec = world.device(1)
        for number in (77, 78, 79):
            changed = evolve(spec, addresses=(f"10.{number}.0.2/24",), routes=(Route(gateway=f"10.{number}.0.1"),))
            world.control.ensure_device(changed)
            _ensure_as_told(world, changed, f"moved to 10.{number}.0.0/24")

    def test_changes_mtu_and_mac(self, world: NamespaceControlWorld) -> None:
        """MTU and MAC address become as told; MTU 0 means: as it is."""
        spec = world.device(1)
        world.control.ensure_device(spec)
        changed = evolve(spec, mtu=1300, mac_address="fa:16:3e:77:77:77")
        world.control.ensure_device(changed)
        _ensure_as_told(world, changed, "MTU and MAC changed")
        world.control.ensure_device(evolve(changed, mtu=0))
        _ensure_as_told(world, changed, "MTU 0")

    def test_repairs(self, world: NamespaceControlWorld) -> None:
        """What somebody removed, added or took down is as told again after one call."""
        spec = world.device(1)
        spec = evolve(spec, addresses=(*spec.addresses, "10.77.0.2/24"), routes=(Route(gateway="10.77.0.1"),))
        at = (spec.namespace, spec.name)
        world.control.ensure_device(spec)
        damages: tuple[Callable[[], None], ...] = (
            lambda: world.remove_address(*at, "10.77.0.2/24"),
            lambda: world.add_address(*at, "10.66.0.66/24"),
            lambda: world.remove_routes(*at),
            lambda: world.set_down(*at),
            lambda: world.delete_namespace(spec.namespace),
        )
        for damage in damages:
            damage()
            world.control.ensure_device(spec)
            _ensure_as_told(world, spec, "repaired")

    def test_dangling_name(self, world: NamespaceControlWorld) -> None:
        """A name in /run/netns that leads nowhere is in nobody's way, and no device is made in vain."""
        spec = world.device(1)
        world.dangle(spec.namespace)
        with no_error("ensure_device() where the name dangles"):
            world.control.ensure_device(spec)
        _ensure_as_told(world, spec, "after a dangling name")

    def test_touches_nothing_else(self, world: NamespaceControlWorld) -> None:
        """Other devices and namespaces stay as they are."""
        spec, other = world.device(1), world.device(2)
        second = world.beside(spec)
        for each in (spec, other, second):
            world.control.ensure_device(each)
        world.control.ensure_device(evolve(spec, mtu=1300, addresses=("10.77.0.2/24",)))
        world.control.remove_device(spec.namespace, spec.name)
        _ensure_as_told(world, second, "another device of the namespace")
        _ensure_as_told(world, other, "a device of another namespace")

    def test_leaves_foreign_attributes(self, world: NamespaceControlWorld) -> None:
        """What belongs to others (an Open vSwitch port's tag and other_config) is left as it is."""
        spec = world.device(1)
        world.control.ensure_device(spec)
        world.set_foreign(spec.namespace, spec.name)
        before = world.foreign(spec.namespace, spec.name)
        world.control.ensure_device(evolve(spec, mtu=1300))
        ensure_equal(world.foreign(spec.namespace, spec.name), before, "the foreign attribute is as before")

    def test_settings_of_the_namespace(self, world: NamespaceControlWorld) -> None:
        """No router advertisement is accepted in it, and addresses may be bound before they are there."""
        spec = world.device(1)
        world.control.ensure_device(spec)
        for name, value in (("net.ipv6.conf.default.accept_ra", "0"), ("net.ipv4.ip_nonlocal_bind", "1")):
            ensure_equal(world.setting(spec.namespace, name), value, f"{name} in the namespace")

    def test_removes_a_device(self, world: NamespaceControlWorld) -> None:
        """The device goes, its namespace and the others in it stay; none there is fine."""
        spec = world.device(1)
        second = world.beside(spec)
        world.control.ensure_device(spec)
        world.control.ensure_device(second)
        with no_error("remove_device(), also of what is not there"):
            world.control.remove_device(spec.namespace, spec.name)
            world.control.remove_device(spec.namespace, spec.name)
            world.control.remove_device("qdhcp-no-such-network", spec.name)
        ensure_equal(world.state(spec.namespace, spec.name), None, "the device went")
        ensure(world.state(second.namespace, second.name) is not None, "the other device stayed")

    def test_removes_a_namespace(self, world: NamespaceControlWorld) -> None:
        """The namespace goes with all in it, others stay; none there is fine."""
        spec, other = world.device(1), world.device(2)
        for each in (spec, world.beside(spec), other):
            world.control.ensure_device(each)
        with no_error("remove_namespace(), also of what is not there"):
            world.control.remove_namespace(spec.namespace)
            world.control.remove_namespace(spec.namespace)
            world.control.remove_namespace("qdhcp-no-such-network")
        ensure(spec.namespace not in world.namespaces(), "the namespace went", namespaces=sorted(world.namespaces()))
        _ensure_as_told(world, other, "another network's device")
        world.control.ensure_device(spec)
        _ensure_as_told(world, spec, "made anew after the removal")

    def test_observes_what_is_there(self, world: NamespaceControlWorld) -> None:
        """Every device is told of, with everything it has; a namespace without any is told of with an empty name."""
        spec = world.device(1)
        spec = evolve(
            spec, addresses=(*spec.addresses, "10.77.0.2/24", "fd77::2/64"), routes=(Route(gateway="10.77.0.1"),)
        )
        empty = world.device(2).namespace
        world.control.ensure_device(spec)
        world.create_namespace(empty)
        seen = _observed(world.control, spec)
        if seen is None:
            ensure(False, "the device is observed", observed=list(world.control.observe_devices()))
            return
        ensure_equal(seen.mac_address.lower(), spec.mac_address.lower(), "observed MAC address")
        ensure_equal((seen.mtu, seen.up), (spec.mtu, True), "observed MTU and state")
        ensure(
            set(_canonical(spec.addresses)) <= set(seen.addresses),
            "observed addresses, as the kernel writes them",
            expected=spec.addresses,
            got=seen.addresses,
        )
        extra = [each for each in seen.addresses if each not in _canonical(spec.addresses)]
        ensure(
            all(each.startswith("fe80:") for each in extra), "no address is observed that nobody set", too_many=extra
        )
        ensure_equal(_gateways(seen.routes), ["10.77.0.1"], "observed default routes")
        nameless = [each for each in world.control.observe_devices() if each.namespace == empty]
        ensure_equal([each.name for each in nameless], [""], "a namespace without devices is observed once, nameless")

    def test_observes_the_host_not_its_memory(self, world: NamespaceControlWorld) -> None:
        """What others did is observed: a change, a removal, and what another adapter object made."""
        spec = world.device(1)
        world.reopen().ensure_device(spec)
        ensure(_observed(world.control, spec) is not None, "another adapter's device is observed")
        world.add_address(spec.namespace, spec.name, "10.66.0.66/24")
        world.set_down(spec.namespace, spec.name)
        seen = _observed(world.control, spec)
        ensure(
            seen is not None and "10.66.0.66/24" in seen.addresses and not seen.up,
            "a foreign address and a device that is down are observed",
            observed=seen,
        )
        world.delete_namespace(spec.namespace)
        ensure_equal(_observed(world.control, spec), None, "what is gone is not observed")

    def test_a_new_adapter_removes_what_an_old_one_made(self, world: NamespaceControlWorld) -> None:
        """Removal needs no memory of having made it."""
        spec = world.device(1)
        world.control.ensure_device(spec)
        fresh = world.reopen()
        fresh.remove_device(spec.namespace, spec.name)
        ensure_equal(world.state(spec.namespace, spec.name), None, "the device went")
        fresh.remove_namespace(spec.namespace)
        ensure(spec.namespace not in world.namespaces(), "the namespace went")

    def test_addresses_settle(self, world: NamespaceControlWorld) -> None:
        """Afterwards no address is tentative: each may be bound, or failed detection; asked again, it is the same."""
        spec = world.device(1)
        spec = evolve(spec, addresses=(*spec.addresses, "fd77::2/64", "fe80::a9fe:a9fe/128"))
        world.control.ensure_device(spec)
        for control in (world.control, world.reopen()):
            ensure_equal(list(control.settled_addresses(spec.namespace, spec.name)), [], "addresses that failed")
            seen = _observed(world.control, spec)
            ensure(seen is not None and not seen.tentative, "no address is tentative afterwards", observed=seen)

    def test_tells_addresses_that_failed_detection(self, world: NamespaceControlWorld) -> None:
        """Of the addresses that another host has, and of no others, it is told that they failed; asked at once."""
        spec = world.device(1)
        spec = evolve(spec, addresses=(*spec.addresses, "fd77::2/64", "fe80::a9fe:a9fe/128"))
        world.conflict(spec, "fe80::a9fe:a9fe")
        world.control.ensure_device(spec)
        for control in (world.control, world.reopen()):
            failed = list(control.settled_addresses(spec.namespace, spec.name))
            ensure_equal(failed, ["fe80::a9fe:a9fe/128"], "addresses that failed detection")
            world.control.ensure_device(spec)
        seen = _observed(world.control, spec)
        ensure(
            seen is not None and list(seen.dadfailed) == ["fe80::a9fe:a9fe/128"],
            "an address that failed is observed as such, and left at that",
            observed=seen,
        )

    def test_addresses_of_no_device(self, world: NamespaceControlWorld) -> None:
        """Where there is no device, no address can be said to be settled."""
        spec = world.device(1)
        with adapter_error("the addresses of a device in no namespace"):
            world.control.settled_addresses(spec.namespace, spec.name)
        world.control.ensure_device(spec)
        with adapter_error("the addresses of a device that is not there"):
            world.control.settled_addresses(spec.namespace, "no-such-device")

    def test_what_the_kernel_refuses(self, world: NamespaceControlWorld) -> None:
        """What cannot be done is an AdapterError, and the next call works."""
        spec = world.device(1)
        unreachable = evolve(spec, routes=(Route(gateway="10.99.0.1"),))
        with adapter_error("a gateway that is on no subnet of the device"):
            world.control.ensure_device(unreachable)
        world.control.ensure_device(spec)
        _ensure_as_told(world, spec, "after a refusal")
