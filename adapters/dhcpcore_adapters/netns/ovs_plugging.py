"""How the device of an Open vSwitch port comes into its namespace: an internal port moved there, or a veth pair.

Knows what ovs-vswitchd does with devices.  That of the kernel's datapath lives in the namespace, whatever happens to
ovs-vswitchd.  That of the datapath in user space is a tap device: when ovs-vswitchd has ended it stays, dead, and the
next one makes another of the same name outside.  Deleted with its namespace, it is not made again until its port is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from os.path import basename
from typing import Final

from attrs import frozen

from dhcpcore import AdapterError, DeviceSpec
from dhcpcore_adapters.netns.devices import ensure_inner, made, other_end, remove_nobodys, without_ipv6
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.netns.netlink import Netlink
from dhcpcore_adapters.netns.ovs_ports import OvsPort, OvsPorts
from dhcpcore_adapters.setns import opened

#: Kinds of devices that Open vSwitch makes: in the kernel's datapath, and in the one in user space.
INTERNAL: Final = frozenset({"openvswitch", "tun"})
#: Those that go when they are told to; one of the kernel's datapath goes with its port only.
DELETABLE: Final = frozenset({"veth", "tun"})
_PAUSE: Final = 0.005


@frozen(kw_only=True)
class Plugging:
    """One device that is to be plugged.

    Attributes:
        here: the namespace of Open vSwitch; there: that of the device, whose path is `namespace`.
        name: of the port.
        owner: external_ids of the port itself.
    """

    ports: OvsPorts
    here: Netlink
    there: Netlink
    spec: DeviceSpec
    namespace: str
    name: str
    owner: Mapping[str, str]

    def internal(self, port: OvsPort | None) -> None:
        """An internal port, moved into the namespace.

        Args:
            port: the port of that name; None: there is none.
        """
        inner, outer = self._looked()
        if port is not None and (inner is None or port.number is None or port.number < 0) and outer is None:
            # Its maker, or ovs-vswitchd, has just been started or stopped; only a living one says what is so.
            self.ports.settle()
            port = self.ports.find([self.name]).get(self.name)
            inner, outer = self._looked()
            if port is not None and outer is None and (inner is None or port.number == -1):
                self.ports.remove(port)  # its device went with a namespace
                port = None
        if port is None:
            self._clear(self.here)
            self._clear(self.there)
            self.ports.add(self.name, "internal", self._told, self.owner)
            inner, outer = self._looked()
        else:
            self._tell(port)
        if outer is not None:
            if inner is not None:
                self.there.delete_link(inner.index)  # a dead one
            self._move(outer)
        elif inner is not None:
            ensure_inner(self.there, inner, self.spec)
        else:
            raise AdapterError(f"device {self.name} went while it was being set up; it will be tried again")

    def pair(self, port: OvsPort | None) -> None:
        """A veth pair, one end of it the port.

        Args:
            port: the port of that name; None: there is none.
        """
        inner = self.there.link(self.spec.name)
        outer = other_end(self.here, inner)
        if inner is None or outer is None or outer.name != self.name or self._is_on_a_bridge(outer):
            if port is not None:
                self.ports.remove(port)  # it is another device's
                port = None
            self._clear(self.there)
            self._clear(self.here)
            self._make_pair()
        else:
            without_ipv6(outer.name)
            mtu = self.spec.mtu or inner.mtu
            if not outer.up or outer.mtu != mtu:
                self.here.set_link(outer.index, up=True, mtu=mtu)
            ensure_inner(self.there, inner, self.spec)
        if port is not None and (port.number is None or port.number < 0):
            self.ports.settle()
            port = self.ports.find([self.name]).get(self.name)
            if port is not None and port.number == -1:
                self.ports.remove(port)
                port = None
        if port is None:
            self.ports.add(self.name, "", self._told, self.owner)
        else:
            self._tell(port)

    @property
    def _told(self) -> dict[str, str]:
        """What an L2 agent knows a port by (nova's, and Neutron's, keys)."""
        spec = self.spec
        return {"iface-id": spec.port_id, "iface-status": "active", "attached-mac": spec.mac_address.lower()}

    def _tell(self, port: OvsPort) -> None:
        told = {key: value for key, value in self._told.items() if port.told.get(key, "").lower() != value.lower()}
        if told:
            self.ports.tell(port, told)

    def _looked(self) -> tuple[Link | None, Link | None]:
        """The device inside, and the one of its name that Open vSwitch has made outside."""
        inner, outer = self.there.link(self.name), self.here.link(self.name)
        return (
            inner if inner is not None and inner.kind in INTERNAL else None,
            outer if outer is not None and outer.kind in INTERNAL else None,
        )

    def _clear(self, where: Netlink) -> None:
        """Make room for a device; what has its name has no port, or no more."""
        for name in dict.fromkeys([self.name] if where is self.here else [self.name, self.spec.name]):
            link = where.link(name)
            if link is None:
                continue
            if link.kind not in DELETABLE:
                raise AdapterError(
                    f"there is a device {name} that is in the way of Open vSwitch's ({link.kind or 'hardware'}): "
                    "if it does not go, remove it"
                )
            where.delete_link(link.index)

    def _move(self, outer: Link) -> None:
        spec = self.spec
        with opened(self.namespace) as descriptor:
            mac = spec.mac_address.lower()
            # All in one: there is no moment at which it is inside with another MAC address. The MTU comes with the move
            # or later, for outside it would be that of the bridge's smallest device.
            self.here.set_link(outer.index, namespace=descriptor, mac_address=mac, mtu=spec.mtu or None)

    def _make_pair(self) -> None:
        spec = self.spec
        with opened(self.namespace) as descriptor:
            self.here.add_veth(
                self.name,
                mtu=spec.mtu,
                master=0,
                peer=spec.name,
                peer_namespace=descriptor,
                peer_mac=spec.mac_address.lower(),
            )
        without_ipv6(self.name)
        self.here.set_link(made(self.here, self.name), alias=pair_alias(self.namespace), up=True)

    def _is_on_a_bridge(self, outer: Link) -> bool:
        """Whether it is on a Linux bridge; a port of the kernel's datapath is on a device of Open vSwitch's own."""
        master = self.here.link_at(outer.master) if outer.master else None
        return master is not None and master.kind == "bridge"


def pair_alias(namespace: str) -> str:
    """What `ip link show` tells of an outer end: whose it is."""
    return f"dhcpcore {basename(namespace)}"


def remove_device(there: Netlink, name: str, patience: float) -> None:
    """Remove a device of a namespace, whose port has been removed.

    Args:
        patience: seconds that ovs-vswitchd may take for it where only it can.

    Raises:
        AdapterError: it has not.
    """
    deadline = time.monotonic() + patience
    while (link := there.link(name)) is not None:
        if link.kind in DELETABLE:
            there.delete_link(link.index)
            return
        if link.kind not in INTERNAL:
            remove_nobodys(there, link)
            return
        if time.monotonic() >= deadline:
            raise AdapterError(f"ovs-vswitchd has not removed device {name} in {patience:g} s: is it running?")
        time.sleep(_PAUSE)
