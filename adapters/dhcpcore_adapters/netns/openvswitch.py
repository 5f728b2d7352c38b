"""The interface driver `openvswitch`: a port of the integration bridge for each DHCP port, as Neutron's driver has it.

By default the device is an internal port of Open vSwitch, ``tap<first 11 of the port id>``, moved into the namespace.
With `use_veth` it is one end of a veth pair, ``ns-<first 11>``, whose other end, ``tap<first 11>``, is the port.  The
port says which Neutron port it is (external_ids of its interface), and has no way to anybody until the host's L2 agent
gives it a VLAN; what that agent writes is never touched.  Who made a port that is as it should be (the stock agent, for
one) is not asked: it is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os.path import basename
from typing import Any, Final, TypeVar

from dhcpcore import DeviceSpec, Settings, SettingsError
from dhcpcore_adapters.netns import checksums
from dhcpcore_adapters.netns.devices import other_end, remove_nobodys
from dhcpcore_adapters.netns.messages import Link
from dhcpcore_adapters.netns.netlink import Netlink
from dhcpcore_adapters.netns.ovs_plugging import DELETABLE, INTERNAL, Plugging, pair_alias, remove_device
from dhcpcore_adapters.netns.ovs_ports import OvsPort, OvsPorts
from dhcpcore_adapters.netns.ovsdb import Ovsdb, Unreachable, checked
from dhcpcore_adapters.setns import within

_ID_IN_NAME: Final = 11
_TAP: Final = "tap"
_VETH_INNER: Final = "ns-"
#: external_ids of the port itself, for finding what nobody uses any more; the L2 agent looks at the interface's.
NAMESPACE_KEY: Final = "dhcpcore-namespace"
HOST_KEY: Final = "dhcpcore-host"
_OPTIONS: Final = "dhcpcore.interface_driver_options"
# Seconds: an audit does not wait for a database that hangs as long as a change does, nor for each network anew.
_GLANCE: Final = 2.0
_UNASKED: Final = 30.0

T = TypeVar("T")


class OpenvswitchDriver:
    """Plugs DHCP ports into the integration bridge.

    Args:
        integration_bridge, use_veth: Neutron's options ``ovs_integration_bridge`` and ``ovs_use_veth``.
        host: the agent's name, so that of two agents with one Open vSwitch each knows its own.
        ovsdb_connection: the database server, ``unix:<path>`` or ``tcp:<address>:<port>``.
        ovsdb_timeout: seconds that it, and ovs-vswitchd, may take for a change.

    Raises:
        SettingsError: an option is not what it must be.
    """

    use_gateway_ips = False

    def __init__(
        self,
        *,
        integration_bridge: str = "br-int",
        use_veth: bool = False,
        host: str = "",
        ovsdb_connection: str = "unix:/run/openvswitch/db.sock",
        ovsdb_timeout: float = 10,
    ) -> None:
        self._bridge = integration_bridge
        self._use_veth = use_veth
        self._kind = "" if use_veth else "internal"
        self._host = host
        self._remote = checked(ovsdb_connection, f"{_OPTIONS}.ovsdb_connection")
        self._patience = _seconds(ovsdb_timeout)
        self._asked_again_at = 0.0

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> OpenvswitchDriver:
        """As the agent's settings have it; `options` are the class's own."""
        told = {
            "integration_bridge": settings.ovs_integration_bridge,
            "use_veth": settings.ovs_use_veth,
            "host": settings.host,
        }
        return cls(**{**told, **options})

    def plug(self, spec: DeviceSpec, namespace: str) -> None:
        """The device, on its place, with MAC address and MTU; its port, known for the Neutron port that it is."""
        name = f"{_TAP}{spec.port_id[:_ID_IN_NAME]}" if self._use_veth else spec.name
        with self._ports(self._patience) as ports, Netlink() as here, within(namespace, Netlink) as there:
            port = ports.find([name]).get(name)
            if port is not None and (port.kind != self._kind or port.bridge != self._bridge):
                # Removed and added in one transaction it would not be a new one to ovs-vswitchd (Launchpad 1519926).
                ports.remove(port)
                port = None
            if port is None:
                ports.require_bridge()
            plugging = Plugging(
                ports=ports,
                here=here,
                there=there,
                spec=spec,
                namespace=namespace,
                name=name,
                owner=self._owner(namespace),
            )
            if self._use_veth:
                plugging.pair(port)
            else:
                plugging.internal(port)
            checksums.complete_in_software(spec.name, there.descriptor)

    def unplug(self, namespace: str, device: str) -> None:
        """Remove the port and the device."""
        if not device.startswith((_TAP, _VETH_INNER)):
            _remove_nobodys(namespace, device)
            return
        name, kind = (device, "internal") if device.startswith(_TAP) else (f"{_TAP}{device[-_ID_IN_NAME:]}", "")
        with ExitStack() as stack:
            ports = stack.enter_context(self._ports(self._patience))
            port = ports.find([name]).get(name)
            # The other kind: of the same Neutron port, plugged in the other way meanwhile.
            if port is not None and port.kind == kind and _is_of(port, device):
                ports.remove(port)
            here = stack.enter_context(Netlink())
            try:
                there = stack.enter_context(within(namespace, Netlink))
            except FileNotFoundError:
                pass
            else:
                remove_device(there, device, self._patience)
            # A veth whose namespace was deleted by hand while a process kept it alive, a device that nobody fetched.
            outer = here.link(name)
            if outer is not None and (outer.kind == "tun" if kind else outer.alias == pair_alias(namespace)):
                here.delete_link(outer.index)

    def forget(self, namespace: str) -> None:
        """Remove ports that were made for a namespace, and what is left outside of their devices."""
        with self._ports(self._patience) as ports, Netlink() as here:
            owners = ports.owners().items()
            names = [name for name, owner in owners if self._is_ours(owner, basename(namespace))]
            for port in ports.find(names).values():
                ports.remove(port)
                outer = here.link(port.name)
                if outer is not None and outer.kind in DELETABLE:
                    here.delete_link(outer.index)

    def unplugged(self, namespace: str, devices: Sequence[Link]) -> Mapping[str, str]:
        """Devices without a port, or whose port is elsewhere or cannot be used; none, where Open vSwitch is not to ask.

        A VLAN tag is the L2 agent's affair, and the dead one no fault.
        """
        ours = [
            each for each in devices if each.name.startswith((_TAP, _VETH_INNER)) and each.kind in DELETABLE | INTERNAL
        ]
        if not ours:
            return {}
        named = {each.name: f"{_TAP}{each.name[-_ID_IN_NAME:]}" if each.kind == "veth" else each.name for each in ours}
        found = self._glance(lambda ports: ports.find(named.values()))
        if found is None:
            return {}
        with Netlink() as here:
            amiss = {each.name: self._amiss(here, each, named[each.name], found) for each in ours}
        return {name: reason for name, reason in amiss.items() if reason}

    def left(self) -> list[str]:
        """Namespaces that ports were made for; of those that are there, no more is said by it."""
        owners = (self._glance(OvsPorts.owners) or {}).values()
        return sorted({owner[NAMESPACE_KEY] for owner in owners if self._is_ours(owner)})

    def _is_ours(self, owner: Mapping[str, str], namespace: str | None = None) -> bool:
        """Whether a port was made by this host's agent, for this namespace or any; others may have noted more on it."""
        of = owner.get(NAMESPACE_KEY)
        return of is not None and of == (namespace or of) and owner.get(HOST_KEY) == self._host

    def _owner(self, namespace: str) -> Mapping[str, str]:
        return {NAMESPACE_KEY: basename(namespace), HOST_KEY: self._host}

    @contextmanager
    def _ports(self, patience: float) -> Iterator[OvsPorts]:
        with Ovsdb(self._remote, patience) as database:
            yield OvsPorts(database, self._bridge, patience)

    def _glance(self, look: Callable[[OvsPorts], T]) -> T | None:
        """For observers: None where the database is not to be reached.  What is plugged serves without it."""
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            with self._ports(min(self._patience, _GLANCE)) as ports:
                return look(ports)
        except Unreachable as error:
            if error.silent:
                self._asked_again_at = time.monotonic() + _UNASKED
            return None

    def _amiss(self, here: Netlink, inner: Link, name: str, found: Mapping[str, OvsPort]) -> str:
        port = found.get(name)
        if port is None:
            return f"Open vSwitch has no port {name}"
        if port.bridge != self._bridge:
            return f"port {name} is on bridge {port.bridge}, not on {self._bridge}"
        if port.kind != ("" if inner.kind == "veth" else "internal"):
            return f"port {name} is of the type {port.kind or 'system'!r}, and {inner.name} is {inner.kind}"
        if not _is_of(port, inner.name):
            return f"iface-id of {name} is {port.told.get('iface-id')!r}: no L2 agent takes it for this port"
        if port.error or port.number == -1:
            return f"Open vSwitch cannot use {name}: {port.error or 'it gives no reason'}"
        if inner.kind == "veth":
            outer = other_end(here, inner)
            if outer is None or outer.name != name:
                return f"the other end of {inner.name} is not {name}"
            if not outer.up:
                return f"{name}, on the way from {inner.name} to its network, is down"
            return f"MTU of {name} is {outer.mtu}, that of {inner.name} {inner.mtu}" if outer.mtu != inner.mtu else ""
        outer = here.link(name)
        if outer is not None and outer.kind in INTERNAL:
            return f"Open vSwitch was restarted, and has made {name} anew; it is not in the namespace"
        return ""


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 3600:
        raise SettingsError(f"{_OPTIONS}.ovsdb_timeout", "seconds, more than 0 and up to 3600", repr(value))
    return float(value)


def _remove_nobodys(namespace: str, device: str) -> None:
    """Remove a device that has no name of ours; a port of Open vSwitch is its maker's affair."""
    try:
        there = within(namespace, Netlink)
    except FileNotFoundError:
        return
    with there:
        link = there.link(device)
        if link is not None and link.kind not in INTERNAL:
            remove_nobodys(there, link)


def _is_of(port: OvsPort, device: str) -> bool:
    """Whether a port is of the Neutron port that a device has its name from."""
    return port.told.get("iface-id", "").startswith(device[-_ID_IN_NAME:])
