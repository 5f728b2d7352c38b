"""The interface driver `bridge`: a veth pair from the namespace to the network's Linux bridge.

Names are those of Neutron's former Linux-bridge agent: the bridge ``brq<first 11 of the network id>``, the end on it
``tap<first 11 of the port id>``; the end in the namespace is named by the core (``ns-<first 11>``, ``tap<first 11>``).
Whoever plugs virtual machines into the same bridge is on the same network.  A bridge that is there is used as it is;
one made here bears an alias, and goes with its last device.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from os.path import basename
from typing import Final, TypeVar

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns import checksums, sysctl
from dhcpcore_adapters.netns.namespaces import in_a_thread, opened, within
from dhcpcore_adapters.netns.netlink import Link, Netlink

T = TypeVar("T")

_ID_IN_NAME: Final = 11
_NAMESPACE_PREFIX: Final = "qdhcp-"
#: What `ip link show` tells of bridges made here; no other bridge is ever removed.
BRIDGE_ALIAS: Final = "dhcpcore"


class BridgeDriver:
    """Plugs DHCP ports into Linux bridges of the namespace that the agent runs in."""

    use_gateway_ips = False

    def __init__(self) -> None:
        # Between "this bridge has no device left" and its removal no other thread may plug one.
        self._lock = threading.Lock()

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        """Bridge, pair, MAC address, MTU of both ends, both on their places."""
        # In a thread of its own: pyroute2 would otherwise take over an event loop that the caller runs.
        with self._lock:
            in_a_thread(lambda: self._plug(spec, namespace))

    def unplug(self, namespace: str, device: str) -> None:
        """Remove both ends, and the bridge when it was made here and nothing else is on it."""
        with self._lock:
            in_a_thread(lambda: self._unplug(namespace, device))

    def forget(self, namespace: str) -> None:
        """Remove ends whose namespace was deleted by hand, and the network's bridge when nothing is on it."""
        with self._lock:
            in_a_thread(lambda: self._forget(namespace))

    def _plug(self, spec: DeviceSpec, namespace: str) -> None:
        with Netlink() as here:
            bridge = _ensure_bridge(here, _bridge_name(spec.network_id))
            inner = _look(namespace, spec.name)
            if inner is not None and inner.kind != "veth":
                raise AdapterError(
                    f"there is a device {spec.name} in {basename(namespace)} that is no veth "
                    f"({inner.kind or 'hardware'}): it is another interface driver's; remove it, or choose that driver",
                    retryable=False,
                )
            outer = _other_end(here, inner)
            if inner is None or outer is None:
                if inner is not None:  # its other end is in a namespace that we do not know
                    _inside(namespace, lambda netlink: netlink.delete_link(inner.index))
                outer = _make_pair(here, spec, namespace)
            _ensure_outer(here, outer, bridge, spec.mtu)
        _inside(namespace, lambda netlink: _ensure_inner(netlink, spec))

    def _unplug(self, namespace: str, device: str) -> None:
        with Netlink() as here:
            inner = _look(namespace, device)
            if inner is not None and inner.kind != "veth":
                return  # not made here
            outer = _other_end(here, inner)
            if inner is None:
                # The namespace may have been deleted by hand while a process kept it alive.
                orphan = here.link(f"tap{device[-_ID_IN_NAME:]}")
                outer = orphan if orphan is not None and _is_of(namespace, orphan) else None
            if outer is not None and outer.master:
                bridge = here.link_at(outer.master)
            else:
                bridge = here.link(_bridge_of(namespace))
            if outer is not None:
                here.delete_link(outer.index)
            elif inner is not None:
                _inside(namespace, lambda netlink: netlink.delete_link(inner.index))
            _remove_if_empty(here, bridge)

    def _forget(self, namespace: str) -> None:
        with Netlink() as here:
            bridge = here.link(_bridge_of(namespace))
            if bridge is None or bridge.kind != "bridge":
                return
            for link in here.ports(bridge):
                if _is_of(namespace, link):
                    here.delete_link(link.index)
            _remove_if_empty(here, bridge)


def _bridge_name(network_id: str) -> str:
    return f"brq{network_id[:_ID_IN_NAME]}"


def _bridge_of(namespace: str) -> str:
    return _bridge_name(basename(namespace).removeprefix(_NAMESPACE_PREFIX))


def _remove_if_empty(here: Netlink, bridge: Link | None) -> None:
    if bridge is None or bridge.kind != "bridge" or bridge.alias != BRIDGE_ALIAS:
        return
    if not here.ports(bridge):
        here.delete_link(bridge.index)


def _is_of(namespace: str, link: Link) -> bool:
    return link.kind == "veth" and link.alias == _alias(namespace)


def _alias(namespace: str) -> str:
    return f"dhcpcore {basename(namespace)}"


def _inside(namespace: str, errand: Callable[[Netlink], T]) -> T:
    def run() -> T:
        with Netlink() as netlink:
            return errand(netlink)

    return within(namespace, run)


def _look(namespace: str, device: str) -> Link | None:
    try:
        return _inside(namespace, lambda netlink: netlink.link(device))
    except FileNotFoundError:
        return None


def _other_end(here: Netlink, inner: Link | None) -> Link | None:
    """The end of the pair that is in our namespace; an index alone would say nothing, each namespace counts anew."""
    if inner is None or not inner.peer:
        return None
    outer = here.link_at(inner.peer)
    return outer if outer is not None and outer.kind == "veth" and outer.peer == inner.index else None


def _ensure_bridge(here: Netlink, name: str) -> Link:
    bridge = here.link(name)
    if bridge is None:
        here.add_bridge(name, BRIDGE_ALIAS)
        _without_ipv6(name)
        bridge = here.link(name)
    if bridge is None or bridge.kind != "bridge":
        kind = "has gone" if bridge is None else f"is no bridge ({bridge.kind or 'hardware'})"
        raise AdapterError(f"device {name} {kind}: the network's bridge must have that name", retryable=bridge is None)
    if not bridge.up:
        here.set_link(bridge.index, state="up")
    return bridge


def _make_pair(here: Netlink, spec: DeviceSpec, namespace: str) -> Link:
    name = f"tap{spec.port_id[:_ID_IN_NAME]}"
    left = here.link(name)
    if left is not None:
        if left.kind != "veth":
            raise AdapterError(f"device {name} is no veth ({left.kind or 'hardware'}): remove it", retryable=False)
        here.delete_link(left.index)
    with opened(namespace) as descriptor:
        here.add_veth(
            name,
            alias=_alias(namespace),
            mtu=spec.mtu,
            peer=spec.name,
            peer_namespace=descriptor,
            peer_mac=spec.mac_address.lower(),
        )
    made = here.link(name)
    if made is None:
        raise AdapterError(f"device {name} went while it was being set up; it will be tried again")
    return made


def _ensure_outer(here: Netlink, outer: Link, bridge: Link, mtu: int) -> None:
    _without_ipv6(outer.name)
    if mtu and outer.mtu != mtu:
        here.set_link(outer.index, mtu=mtu)
    if outer.master != bridge.index:
        here.set_link(outer.index, master=bridge.index)
    if not outer.up:
        here.set_link(outer.index, state="up")


def _without_ipv6(device: str) -> None:
    """The host takes no part in the network: no address of its own on it for others to reach."""
    sysctl.ensure(f"net/ipv6/conf/{device}/disable_ipv6", "1")


def _ensure_inner(netlink: Netlink, spec: DeviceSpec) -> None:
    inner = netlink.link(spec.name)
    if inner is None:
        raise AdapterError(f"device {spec.name} went while it was being set up; it will be tried again")
    if inner.mac_address.lower() != spec.mac_address.lower():
        # Down first: the kernel then makes a new link-local address, and forgets the one of the old MAC address.
        netlink.set_link(inner.index, state="down")
        netlink.set_link(inner.index, address=spec.mac_address.lower())
    if spec.mtu and inner.mtu != spec.mtu:
        netlink.set_link(inner.index, mtu=spec.mtu)
    checksums.complete_in_software(spec.name)
