"""One network's ports inside its record: put one in, take one out, tell our own.

The order of ports is the server's: rendered files follow it.
"""

from __future__ import annotations

from immutables import Map

from dhcpcore.errors import PayloadError
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.agent import AgentState
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import NetworkRecord


def is_ours(state: AgentState, port: Port) -> bool:
    """Whether this is a DHCP port of this host, of the network or of one of its segments."""
    prefix = state.settings.dhcp_device_id(port.network_id, None)
    return port.device_id == prefix or port.device_id.startswith(f"{prefix}-")


def own_ports(state: AgentState, network: Network) -> dict[InstanceKey, str]:
    """The device ids of our DHCP ports on a network, by the instance they are for (as far as the id tells)."""
    prefix = state.settings.dhcp_device_id(network.id, None)
    found = {}
    for port in network.ports:
        if is_ours(state, port) and port.binding_host_id in (None, "", state.settings.host):
            segmentation = port.device_id[len(prefix) + 1 :] or None
            try:
                found[InstanceKey(network_id=network.id, segmentation=segmentation)] = port.device_id
            except PayloadError:
                continue  # a device id is free text: what no instance of ours can have given it is not ours
    return found


def may_wait(port: Port) -> bool:
    """Whether the server may wait for a port that is not ACTIVE: for one that is bound, or of which it does not say."""
    return port.is_bound or port.binding_host_id is None


def served_otherwise(before: Port, port: Port) -> bool:
    """Whether the server would have sent a notification for this: then it may wait for the port to be ready again.

    Whatever its status: a new address or MAC address blocks the port's provisioning at once (ml2, update_port), while
    the port stays ACTIVE until its layer 2 agent asks about it.  Not reported, it would not leave BUILD after that.
    """
    return port is not before and (
        port.mac_address != before.mac_address
        # In whichever order they are told.
        or set(port.fixed_ips) != set(before.fixed_ips)
        or set(port.extra_dhcp_opts) != set(before.extra_dhcp_opts)
        or set(port.dns_assignment or ()) != set(before.dns_assignment or ())
    )


def find_port(network: Network, port_id: str) -> tuple[int, Port | None]:
    """A port and its position; where it would be appended, and None, when the network has none of that id."""
    for position, port in enumerate(network.ports):
        if port.id == port_id:
            return position, port
    return len(network.ports), None


def with_port(record: NetworkRecord, port: Port, position: int, known: Port | None) -> NetworkRecord:
    """`record` with `port` at `position`, in place of `known` when there was one."""
    assert record.desired is not None
    ports = record.desired.ports
    addresses = record.addresses
    if known is not None and known.fixed_ips != port.fixed_ips:
        addresses = _without(addresses, known)
    if known is None or known.fixed_ips != port.fixed_ips:
        for ip in port.fixed_ips:
            addresses = addresses.set(ip.ip_address, port.id)
    network = replace_ports(record.desired, (*ports[:position], port, *ports[position + 1 :]))
    return evolve(record, desired=network, addresses=addresses)


def without_port(record: NetworkRecord, position: int, known: Port) -> NetworkRecord:
    """`record` without the port `known`, which is at `position`."""
    assert record.desired is not None
    ports = record.desired.ports
    awaiting = record.awaiting_ready
    return evolve(
        record,
        desired=replace_ports(record.desired, ports[:position] + ports[position + 1 :]),
        addresses=_without(record.addresses, known),
        awaiting_ready=awaiting.delete(known.id) if known.id in awaiting else awaiting,
    )


def replace_ports(network: Network, ports: tuple[Port, ...]) -> Network:
    """`network` with other ports, each of them a valid `Port` already.

    Says what `attrs.evolve` would, without looking at every port again: the cost of an event must not be that of
    validating its network.
    """
    copy = object.__new__(Network)
    for name in _NETWORK_FIELDS:
        object.__setattr__(copy, name, ports if name == "ports" else getattr(network, name))
    return copy


_NETWORK_FIELDS = tuple(attribute.name for attribute in Network.__attrs_attrs__)


def index_addresses(network: Network) -> Map[str, str]:
    """Address text to port id, of all ports; of two holders of one address the later one counts."""
    return Map({ip.ip_address: port.id for port in network.ports for ip in port.fixed_ips})


def _without(addresses: Map[str, str], port: Port) -> Map[str, str]:
    for ip in port.fixed_ips:
        if addresses.get(ip.ip_address) == port.id:
            addresses = addresses.delete(ip.ip_address)
    return addresses
