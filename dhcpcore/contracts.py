"""The contracts that adapters fulfil: what the loop calls, and what may come back.

Every method may raise `AdapterError`; nothing else is expected to leave an adapter.  Every method must be idempotent:
done twice it ends as done once.  None decides anything: what to do is in the arguments.  Observers look past the
adapter's own memory at the host itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec, MetadataProxySpec, Route
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedProcess

#: The contracts, and the values that their observers make.
__all__ = [
    "Clock",
    "FileStore",
    "NamespaceControl",
    "NullReporter",
    "ObservedDevice",
    "ObservedHost",
    "ObservedProcess",
    "ProcessControl",
    "Reporter",
    "Route",
    "ServerRpc",
    "Wire",
]

Wire = Mapping[str, Any]


@runtime_checkable
class ServerRpc(Protocol):
    """The server's side of the DHCP plugin RPC (Neutron: topic q-plugin) and of state reports (q-reports-plugin).

    Payloads are in wire form; parsing them is the loop's business.  A server's refusal is an `AdapterError` whose
    text starts with the remote exception's class name.  `port` is ``{"port": {...}}``, as on the wire.  No call is
    repeated by the adapter itself: the outcome of a create may be unknown.
    """

    def get_active_networks_info(self) -> Sequence[Wire]:
        """All networks this agent is to serve, with all their subnets (enable_dhcp_filter False)."""
        ...

    def get_network_info(self, network_id: str) -> Wire | None:
        """One network with all its subnets; None when there is none."""
        ...

    def create_dhcp_port(self, port: Wire) -> Wire | None:
        """A new DHCP port, bound to this host; None when network or subnet vanished."""
        ...

    def update_dhcp_port(self, port_id: str, port: Wire) -> Wire | None:
        """The changed port; None when it is not ours."""
        ...

    def release_dhcp_port(self, network_id: str, device_id: str) -> None:
        """Delete every port of the network with this device_id."""
        ...

    def dhcp_ready_on_ports(self, port_ids: Sequence[str]) -> None:
        """Their reservations are served: the server may turn them ACTIVE."""
        ...

    def report_state(self, agent_state: Wire) -> str | None:
        """Returns ``new``, ``alive``, ``revived`` or None."""
        ...


@runtime_checkable
class ProcessControl(Protocol):
    """dnsmasq and haproxy processes in a network namespace."""

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        """Start it and wait until it serves; returns its pid.

        One that runs with the same argv in the same, live namespace is left alone; any other of this instance goes.
        """
        ...

    def reload_dnsmasq(self, key: InstanceKey) -> None:
        """SIGHUP, then wait until the new files are in effect; an `AdapterError` where none runs, or it died of it."""
        ...

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        """Stop it and its children, wait for the end.  None running is fine."""
        ...

    def start_proxy(self, spec: MetadataProxySpec) -> int:
        """Start it, or replace one whose configuration differs; returns its pid."""
        ...

    def stop_proxy(self, network_id: str, proxy_id: str) -> None:
        """Stop it and wait for the end.  None running is fine."""
        ...

    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        """Release each from inside the namespace, and make sure that it is gone; unknown leases are fine."""
        ...

    def observe_processes(self) -> Sequence[ObservedProcess]:
        """Every live dnsmasq and haproxy of DHCP namespaces, whoever started it."""
        ...


@runtime_checkable
class NamespaceControl(Protocol):
    """Namespaces and devices."""

    def ensure_device(self, spec: DeviceSpec) -> None:
        """Namespace, device, MTU, addresses and routes as told; addresses and routes of ours that are not told go.

        Where the namespace is `DeviceSpec.shared`, the IPv4 metadata address has a label that is not the device's name.
        """
        ...

    def settled_addresses(self, namespace: str, device: str) -> Sequence[str]:
        """Wait until no address of the device is tentative; those that failed duplicate address detection.

        As ``address/length``, the way the kernel writes them.  An `AdapterError` where one stays tentative for longer
        than detection takes (some seconds), or there is no such device.
        """
        ...

    def remove_device(self, namespace: str, device: str) -> None:
        """Unplug it on both sides.  None there is fine."""
        ...

    def remove_namespace(self, namespace: str) -> None:
        """Remove it with all in it.  None there is fine."""
        ...

    def observe_devices(self) -> Sequence[ObservedDevice]:
        """Every device of every DHCP namespace; a namespace without any counts as one with an empty name.

        Addresses are those that are there: tentative ones, those that failed detection, and the kernel's own too.
        """
        ...


@runtime_checkable
class FileStore(Protocol):
    """The files of instances and proxies; paths are absolute."""

    def read(self, path: str) -> str | None:
        """The text, None when there is no such file; bytes that are not UTF-8 come as surrogate escapes."""
        ...

    def write(self, path: str, text: str) -> None:
        """Replace atomically: a reader sees the old text or the new one.  Makes the directories it needs."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all in it.  None there is fine."""
        ...

    def list(self, directory: str) -> Sequence[str]:
        """Names in a directory, sorted; none when there is no such directory."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Time, from outside."""

    def monotonic(self) -> float:
        """Seconds, never going back."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Where the loop tells what happens: constant text, values in fields."""

    def report(self, message: str, /, **fields: object) -> None:
        """`message` is constant text; what varies is in the fields."""
        ...


class NullReporter:
    """A reporter that keeps silent."""

    def report(self, message: str, /, **fields: object) -> None:
        """Does nothing."""
