"""What operators and tenants do: single steps on a `MemoryServer`.

The server does them and sends what Neutron would send, so a step, its notifications and the next answer always fit.
Each operation says in words what it did; words that begin with ``nothing`` did nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dhcpcore.model.checks import parse_cidr
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.addresses import address_range
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.options import extra_dhcp_options
from dhcpcore.testing.generate.subnets import NEUTRON_MODES, host_route
from dhcpcore.testing.generate.texts import domain_name, free_text, host_name, uuid
from dhcpcore.testing.server.memory import MemoryServer
from dhcpcore.testing.server.refusals import Refusal
from dhcpcore.testing.wireform import WireDict, copied

#: An operation on one network: does it and says what it did; None where there is nothing to do it to.
Operation = Callable[[Choices, MemoryServer, Flavour, str], str | None]

_HOSTS: Final = ("host-1", "compute-1", "compute-2")


def _ports(server: MemoryServer, network_id: str) -> list[WireDict]:
    """Ports of machines: those that a tenant may change."""
    rows = server.tables.ports_of(network_id)
    return [row for row in rows if row["device_owner"] not in ("network:dhcp", "network:distributed")]


def _options(c: Choices, flavour: Flavour) -> list[dict[str, Any]]:
    return [
        {"opt_name": option.opt_name, "opt_value": option.opt_value, "ip_version": option.ip_version}
        for option in extra_dhcp_options(c, flavour)
    ]


def add_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A machine's port; the most frequent of all events."""
    if not server.tables.network_subnets.get(network_id):
        return None
    attributes: dict[str, Any] = {"device_owner": "compute:nova", "extra_dhcp_opts": _options(c, flavour)}
    if not c.chance(20):
        attributes["binding:host_id"] = c.pick(_HOSTS)
    port = server.create_port(network_id, device_id=uuid(c), **attributes)
    return f"port {port['id']} created"


def remove_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A machine's or router's port goes."""
    ports = _ports(server, network_id)
    if not ports:
        return None
    port = c.pick(ports)
    server.delete_port(port["id"])
    return f"port {port['id']} deleted"


def move_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A port gets another address, perhaps on another subnet, or one more."""
    ports = _ports(server, network_id)
    subnets = server.tables.subnets_of(network_id)
    if not ports or not subnets:
        return None
    port = c.pick(ports)
    wanted: list[dict[str, Any]] = [{"subnet_id": c.pick(subnets)["id"]}]
    if c.chance(30) and port["fixed_ips"]:
        wanted.insert(0, port["fixed_ips"][0])
    server.update_port(port["id"], fixed_ips=wanted)
    return f"port {port['id']} got other addresses"


def swap_addresses(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """The address of a deleted port goes to a new port at once (Launchpad 1913723)."""
    ports = [port for port in _ports(server, network_id) if port["fixed_ips"]]
    if not ports:
        return None
    old = copied(c.pick(ports))
    server.delete_port(old["id"])
    try:
        new = server.create_port(network_id, device_owner="compute:nova", fixed_ips=old["fixed_ips"][:1])
    except Refusal:  # an address outside its subnet can be had once, not asked for
        return f"port {old['id']} deleted"
    return f"port {new['id']} got the address of {old['id']}"


def change_mac(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A port gets another MAC address."""
    ports = _ports(server, network_id)
    if not ports:
        return None
    port = c.pick(ports)
    server.update_port(port["id"], mac_address=f"02:00:00:00:{c.integer(0, 255):02x}:{c.integer(0, 255):02x}")
    return f"port {port['id']} got another MAC address"


def change_options(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A port gets other extra DHCP options."""
    ports = _ports(server, network_id)
    if not ports:
        return None
    port = c.pick(ports)
    server.update_port(port["id"], extra_dhcp_opts=_options(c, flavour))
    return f"port {port['id']} got other options"


def change_names(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A port gets another DNS name."""
    ports = _ports(server, network_id)
    if not ports:
        return None
    port, name, domain = c.pick(ports), host_name(c, flavour), domain_name(c, flavour)
    names = [
        {"ip_address": fixed_ip["ip_address"], "hostname": name, "fqdn": f"{name}.{domain}."}
        for fixed_ip in port["fixed_ips"]
    ]
    server.update_port(port["id"], dns_name=name, dns_assignment=names)
    return f"port {port['id']} got another name"


def bind_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A machine starts, moves or stops: nobody is told, but the next answer says so."""
    ports = _ports(server, network_id)
    if not ports:
        return None
    port = c.pick(ports)
    server.update_port(port["id"], **{"binding:host_id": c.pick((*_HOSTS, ""))})
    return f"port {port['id']} was bound"


def rename_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A port gets another name: nobody is told."""
    ports = server.tables.ports_of(network_id)
    if not ports:
        return None
    port = c.pick(ports)
    server.update_port(port["id"], name=free_text(c, flavour))
    return f"port {port['id']} was renamed"


def add_router(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A router's port on a subnet's gateway address: the subnet is isolated no longer."""
    gateways = [
        subnet
        for subnet in server.tables.subnets_of(network_id)
        if subnet["gateway_ip"] and subnet["gateway_ip"] not in server.tables.taken[subnet["id"]]
    ]
    if not gateways:
        return None
    subnet = c.pick(gateways)
    wanted = [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
    owner = c.pick(("network:router_interface", "network:router_interface_distributed"))
    port = server.create_port(network_id, device_owner=owner, device_id=uuid(c), fixed_ips=wanted)
    return f"router port {port['id']} created"


def reserve_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """An operator reserves a DHCP port."""
    if not server.tables.network_subnets.get(network_id):
        return None
    port = server.create_port(network_id, device_owner="network:dhcp", device_id="reserved_dhcp_port")
    return f"reserved DHCP port {port['id']} created"


def lose_dhcp_port(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A DHCP port is deleted, reserved, or bound to another host behind its agent's back."""
    ports = [row for row in server.tables.ports_of(network_id) if row["device_owner"] == "network:dhcp"]
    if not ports:
        return None
    port, how = c.pick(ports), c.integer(0, 2)
    if how == 0:
        server.delete_port(port["id"])
    elif how == 1:
        server.update_port(port["id"], device_id="reserved_dhcp_port")
    else:
        server.update_port(port["id"], **{"binding:host_id": "elsewhere"})
    return f"DHCP port {port['id']} was {('deleted', 'reserved', 'bound elsewhere')[how]}"


def add_subnet(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """Another subnet, of a range that no subnet has."""
    rows = server.tables.subnets_of(network_id)
    if len(rows) >= 6:
        return None
    version = 6 if c.chance(35) else 4
    address_mode, ra_mode = c.pick(NEUTRON_MODES) if version == 6 else (None, None)
    range_ = address_range(c, 8 + c.integer(0, 7), version, Flavour.TYPICAL, slaac=version == 6)
    if any(range_.version == row["ip_version"] and range_.overlaps(parse_cidr(row["cidr"])) for row in rows):
        return None
    segments = server.tables.segments_of(network_id)
    subnet = server.create_subnet(
        network_id,
        str(range_),
        enable_dhcp=not c.chance(15),
        ipv6_address_mode=address_mode,
        ipv6_ra_mode=ra_mode,
        segment_id=c.pick(segments)["id"] if segments else None,
    )
    return f"subnet {subnet['id']} created"


def remove_subnet(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A subnet that only agents' ports use goes."""
    for subnet in c.shuffled(server.tables.subnets_of(network_id)):
        try:
            server.delete_subnet(subnet["id"])
        except Refusal:
            continue
        return f"subnet {subnet['id']} deleted"
    return None


def change_subnet(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """A subnet's name servers, gateway, routes or name change, or DHCP is switched on or off."""
    subnets = server.tables.subnets_of(network_id)
    if not subnets:
        return None
    subnet = c.pick(subnets)
    version = subnet["ip_version"]
    range_ = address_range(c, 0, version, Flavour.TYPICAL)
    routes = [host_route(c, range_) for _ in range(c.integer(0, 2))]
    changes: tuple[dict[str, Any], ...] = (
        {"enable_dhcp": not subnet["enable_dhcp"]},
        {"dns_nameservers": ["192.0.2.53" if version == 4 else "2001:db8::53"] * c.integer(0, 1)},
        {"gateway_ip": None if subnet["gateway_ip"] else _some_address(subnet)},
        {"host_routes": [{"destination": route.destination, "nexthop": route.nexthop} for route in routes]},
        {"name": free_text(c, flavour)},
    )
    change = c.pick(changes)
    server.update_subnet(subnet["id"], **change)
    return f"subnet {subnet['id']}: {', '.join(change)} changed"


def _some_address(subnet: WireDict) -> str:
    first: str = subnet["allocation_pools"][0]["start"]
    return first


def change_network(c: Choices, server: MemoryServer, flavour: Flavour, network_id: str) -> str | None:
    """The network's MTU, name or administrative state changes."""
    row = server.tables.networks[network_id]
    changes: tuple[dict[str, Any], ...] = (
        {"name": free_text(c, flavour)},
        {"mtu": c.pick((1400, 1450, 1500, 9000))},
        {"admin_state_up": not row["admin_state_up"]},
    )
    change = c.pick(changes)
    server.update_network(network_id, **change)
    return f"network {network_id}: {', '.join(change)} changed"


#: What can be done to one network, the frequent ones several times.
ON_A_NETWORK: Final[Sequence[Operation]] = (
    add_port,
    add_port,
    add_port,
    remove_port,
    remove_port,
    move_port,
    swap_addresses,
    change_mac,
    change_options,
    change_names,
    bind_port,
    rename_port,
    add_router,
    add_subnet,
    remove_subnet,
    change_subnet,
    change_subnet,
    change_network,
    reserve_port,
    lose_dhcp_port,
)


def operate(
    c: Choices,
    server: MemoryServer,
    flavour: Flavour = Flavour.TYPICAL,
    network_id: str | None = None,
    among: Sequence[Operation] = ON_A_NETWORK,
) -> str:
    """Do one thing to a network; returns what was done, in words.

    Args:
        network_id: default: one that the server has, at random.
        among: the operations to choose from.
    """
    if network_id is None:
        if not server.tables.networks:
            return "nothing: the server has no networks"
        network_id = c.pick(sorted(server.tables.networks))
    operation = c.pick(among)
    try:
        return operation(c, server, flavour, network_id) or f"nothing: no use for {operation.__name__}"
    except Refusal as refusal:
        return f"nothing: {operation.__name__} refused, {refusal}"


def create_network(c: Choices, server: MemoryServer, flavour: Flavour = Flavour.TYPICAL) -> str:
    """A new network with a subnet: scheduled, and its agents are told."""
    row = server.create_network(mtu=c.pick((1450, 1500)))
    version = 6 if c.chance(25) else 4
    modes = NEUTRON_MODES[c.integer(0, 2)] if version == 6 else (None, None)
    range_ = address_range(c, 0, version, Flavour.TYPICAL, slaac=version == 6)
    server.create_subnet(row["id"], str(range_), ipv6_address_mode=modes[0], ipv6_ra_mode=modes[1])
    return f"network {row['id']} created"


def delete_network(
    c: Choices, server: MemoryServer, flavour: Flavour = Flavour.TYPICAL, network_id: str | None = None
) -> str:
    """A network goes, after its machines' ports; default: one at random."""
    if network_id is None:
        if not server.tables.networks:
            return "nothing: the server has no networks"
        network_id = c.pick(sorted(server.tables.networks))
    for port in _ports(server, network_id):
        server.delete_port(port["id"])
    server.delete_network(network_id)
    return f"network {network_id} deleted"


def recreate_network(
    c: Choices, server: MemoryServer, flavour: Flavour = Flavour.TYPICAL, network_id: str | None = None
) -> str:
    """A network goes and comes back with the same id and another subnet; default: one at random."""
    said = delete_network(c, server, flavour, network_id)
    if said.startswith("nothing"):
        return said
    network_id = said.split()[1]
    server.create_network(id=network_id)
    server.create_subnet(network_id, str(address_range(c, 1, 4)))
    return f"network {network_id} deleted and created again"
