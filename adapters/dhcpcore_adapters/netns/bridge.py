"""The interface driver `bridge`: a veth pair from the namespace to the network's Linux bridge.

Names are those of Neutron's former Linux-bridge agent: the bridge ``brq<first 11 of the network id>``, the end on it
``tap<first 11 of the port id>``; the end in the namespace is named by the core (``ns-<first 11>``, ``tap<first 11>``).
Whoever plugs virtual machines into the same bridge is on the same network.  A bridge that is there is used as it is;
one made here bears a group and an alias, and goes with its last device.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from os.path import basename
from typing import Final

from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns import checksums
from dhcpcore_adapters.netns.devices import ensure_inner, made, other_end, remove_nobodys, without_ipv6
from dhcpcore_adapters.netns.locks import Locks
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.netns.netlink import Netlink
from dhcpcore_adapters.setns import opened, within

_ID_IN_NAME: Final = 11
_NAMESPACE_PREFIX: Final = "qdhcp-"
_DEVICE_PREFIXES: Final = ("ns-", "tap")
#: What `ip link show` tells of bridges made here; no other bridge is ever removed. The group is a bridge's from its
#: first moment, whatever happens to its maker in the next; the alias is for people, and what older agents left bears.
#: An alias goes on with the name of the namespace that the bridge was made for.
BRIDGE_ALIAS: Final = "dhcpcore"
BRIDGE_GROUP: Final = int.from_bytes(b"dhcp", "big")


class BridgeDriver:
    """Plugs DHCP ports into Linux bridges of the namespace that the agent runs in."""

    use_gateway_ips = False

    def __init__(self) -> None:
        # Between "this bridge has no device left" and its removal no other thread may plug one.
        self._bridges = Locks()

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        """Bridge, pair, MAC address, MTU of both ends, both on their places."""
        with Netlink() as here, within(namespace, Netlink) as there:
            inner = there.link(spec.name)
            if inner is not None and inner.kind != "veth":
                raise AdapterError(
                    f"there is a device {spec.name} in {basename(namespace)} that is no veth "
                    f"({inner.kind or 'hardware'}): it is another interface driver's; remove it, or choose that driver",
                    retryable=False,
                )
            name = _bridge_name(spec.network_id)
            with self._bridges.held(name):
                bridge = _ensure_bridge(here, name, _alias(namespace))
                outer = other_end(here, inner)
                if inner is None or outer is None:
                    if inner is not None:  # its other end is in a namespace that we do not know
                        there.delete_link(inner.index)
                    _make_pair(here, spec, namespace, bridge)
                else:
                    _ensure_outer(here, outer, bridge, spec.mtu or inner.mtu, _alias(namespace))
                    ensure_inner(there, inner, spec)
            checksums.complete_in_software(spec.name, there.descriptor)

    def unplug(self, namespace: str, device: str) -> None:
        """Remove both ends, and the bridge when it was made here and nothing else is on it."""
        with Netlink() as here:
            try:
                there = within(namespace, Netlink)
            except FileNotFoundError:
                there = None
            with there or nullcontext():
                bridge = _remove_pair(here, there, namespace, device)
            self._remove_if_empty(here, bridge)

    def forget(self, namespace: str) -> None:
        """Remove ends whose namespace was deleted by hand, and the network's bridge when nothing is on it."""
        with Netlink() as here:
            bridge = here.link(_bridge_of(namespace))
            if bridge is None or bridge.kind != "bridge":
                return
            for link in here.ports(bridge):
                if _is_of(namespace, link):
                    here.delete_link(link.index)
            self._remove_if_empty(here, bridge)

    def unplugged(self, namespace: str, devices: Sequence[Link]) -> Mapping[str, str]:
        """Ends that are elsewhere, on no bridge, or on another one, or down; what has no name of ours is not judged."""
        pairs = [each for each in devices if each.kind == "veth"]
        if not pairs:
            return {}
        with Netlink() as here:
            bridge = here.link(_bridge_of(namespace))
            amiss = {each.name: _amiss(each, other_end(here, each), bridge) for each in pairs}
        return {name: reason for name, reason in amiss.items() if reason}

    def left(self) -> list[str]:
        """Namespaces of bridges made here without any device: the pair went with its namespace, by somebody's hand."""
        with Netlink() as here:
            links = here.links()
        used = {link.master for link in links}
        empty = [link for link in links if _is_ours(link) and link.index not in used]
        namespaces = [link.alias.removeprefix(BRIDGE_ALIAS).strip() for link in empty]
        return [name for link, name in zip(empty, namespaces, strict=True) if name and _bridge_of(name) == link.name]

    def _remove_if_empty(self, here: Netlink, bridge: Link | None) -> None:
        if bridge is None or not _is_ours(bridge):
            return
        with self._bridges.held(bridge.name):
            if not any(here.ports(bridge)):
                here.delete_link(bridge.index)


def _is_ours(bridge: Link) -> bool:
    return bridge.kind == "bridge" and (bridge.alias.split(" ")[0] == BRIDGE_ALIAS or bridge.group == BRIDGE_GROUP)


def _amiss(inner: Link, outer: Link | None, bridge: Link | None) -> str:
    if outer is None:
        return f"the other end of {inner.name} is not in the agent's network namespace" if _is_a_ports(inner) else ""
    if bridge is None or outer.master != bridge.index:
        return f"the other end of {inner.name}, {outer.name}, is not on the network's bridge"
    if not outer.up or not bridge.up:
        return f"{(bridge if outer.up else outer).name}, on the way from {inner.name} to its network, is down"
    return f"MTU of {outer.name} is {outer.mtu}, that of {inner.name} {inner.mtu}" if outer.mtu != inner.mtu else ""


def _is_a_ports(inner: Link) -> bool:
    """Whether it is named as devices of DHCP ports are."""
    return inner.name.startswith(_DEVICE_PREFIXES)


def _bridge_name(network_id: str) -> str:
    return f"brq{network_id[:_ID_IN_NAME]}"


def _bridge_of(namespace: str) -> str:
    return _bridge_name(basename(namespace).removeprefix(_NAMESPACE_PREFIX))


def _remove_pair(here: Netlink, there: Netlink | None, namespace: str, device: str) -> Link | None:
    """Remove both ends; the bridge that they were on, or that they would be on."""
    inner = None if there is None else there.link(device)
    if there is not None and inner is not None and inner.kind != "veth":
        remove_nobodys(there, inner)
        return None
    outer = other_end(here, inner)
    if inner is None:
        # The namespace may have been deleted by hand while a process kept it alive.
        orphan = here.link(f"tap{device[-_ID_IN_NAME:]}")
        outer = orphan if orphan is not None and _is_of(namespace, orphan) else None
    if outer is not None:
        here.delete_link(outer.index)
    elif inner is not None and there is not None:
        there.delete_link(inner.index)
    return here.link_at(outer.master) if outer is not None and outer.master else here.link(_bridge_of(namespace))


def _is_of(namespace: str, link: Link) -> bool:
    return link.kind == "veth" and link.alias == _alias(namespace)


def _alias(namespace: str) -> str:
    return f"dhcpcore {basename(namespace)}"


def _ensure_bridge(here: Netlink, name: str, alias: str) -> int:
    """Its index."""
    bridge = here.link(name)
    if bridge is not None and bridge.kind != "bridge":
        kind = bridge.kind or "hardware"
        raise AdapterError(
            f"device {name} is no bridge ({kind}): the network's bridge must have that name", retryable=False
        )
    if bridge is None:
        here.add_bridge(name, BRIDGE_GROUP)
    if bridge is None or (_is_ours(bridge) and not bridge.alias):  # or whoever made it got no further
        without_ipv6(name)
        index = made(here, name)
        # The kernel heeds an alias in a change only, not when a device is made.
        here.set_link(index, alias=alias, up=True)
        return index
    if not bridge.up:
        here.set_link(bridge.index, up=True)
    return bridge.index


def _make_pair(here: Netlink, spec: DeviceSpec, namespace: str, bridge: int) -> None:
    name = f"tap{spec.port_id[:_ID_IN_NAME]}"
    try:
        _add_pair(here, name, spec, namespace, bridge)
    except NetlinkError as error:
        left = here.link(name) if error.code == errno.EEXIST else None
        if left is None:
            raise
        if left.kind != "veth":
            message = f"device {name} is no veth ({left.kind or 'hardware'}): remove it"
            raise AdapterError(message, retryable=False) from None
        here.delete_link(left.index)
        _add_pair(here, name, spec, namespace, bridge)
    without_ipv6(name)
    here.set_link(made(here, name), alias=_alias(namespace), up=True)


def _add_pair(here: Netlink, name: str, spec: DeviceSpec, namespace: str, bridge: int) -> None:
    with opened(namespace) as descriptor:
        here.add_veth(
            name,
            mtu=spec.mtu,
            master=bridge,
            peer=spec.name,
            peer_namespace=descriptor,
            peer_mac=spec.mac_address.lower(),
        )


def _ensure_outer(here: Netlink, outer: Link, bridge: int, wanted: int, alias: str) -> None:
    without_ipv6(outer.name)
    mtu = wanted if outer.mtu != wanted else None
    master = bridge if outer.master != bridge else None
    # Without: it was made by somebody who was stopped then.
    name = alias if not outer.alias else None
    if not outer.up or mtu is not None or master is not None or name is not None:
        here.set_link(outer.index, up=True, mtu=mtu, master=master, alias=name)
