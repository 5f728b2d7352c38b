"""Operations on ports, and what their status depends on."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from reference_server.addresses import allocate, free, is_auto_address, number_of
from reference_server.bodies import MAX_OPTIONS
from reference_server.errors import conflict, invalid, not_found
from reference_server.scheduling import RESERVED, hosting, listeners, schedule
from reference_server.schema import fixed_ips, networks, ports, subnets
from reference_server.transaction import PRIORITY_PORT_CREATE_HIGH, Transaction, Wire
from reference_server.views import find_networks, find_ports, port_view

#: Ports that go with their network or subnet (neutron AUTO_DELETE_PORT_OWNERS).
AUTO_DELETED: Final = ("network:dhcp", "network:distributed")
#: Ports that never wait for DHCP (neutron ml2 NO_PBLOCKS_TYPES).
_UNPROVISIONED: Final = (
    "network:floatingip",
    "network:router_ha_interface",
    "network:ha_router_replicated_interface",
)
#: Changes that a DHCP agent hears of (dhcp_rpc_agent_api._notification_is_needed).
_NOTIFIED: Final = ("fixed_ips", "mac_address", "extra_dhcp_opts", "dns_name", "dns_assignment")
#: Of a port of which no more is said.
_DEFAULTS: Final[Wire] = {
    "name": "",
    "description": "",
    "admin_state_up": True,
    "vnic_type": "normal",
    "profile": {},
    "dns_name": "",
    "allowed_address_pairs": [],
    "security_groups": [],
}


def get_port(tx: Transaction, port_id: str) -> Wire:
    """In wire form.

    Raises:
        ApiError: 404.
    """
    for port in find_ports(tx, ports.c.id == port_id):
        return port
    raise not_found("Port", port_id)


def create_port(tx: Transaction, attributes: Wire) -> Wire:
    """Returns the port. The network is given agents, if it has too few, and they are told.

    Args:
        attributes: of `bodies.PortCreate`; without fixed_ips it gets one IPv4 and one IPv6 address.
    """
    network_id = attributes["network_id"]

    def network() -> list[Wire]:
        return tx.once("network", network_id, lambda: find_networks(tx, networks.c.id == network_id))

    if not network():
        raise not_found("Network", network_id)
    row: Wire = {"device_owner": "", "device_id": "", "host_id": "", **attributes}
    requested = row.pop("fixed_ips", None)
    row["project_id"] = row.get("project_id") or network()[0]["project_id"]
    row["mac_address"] = _mac_address(tx, network_id, row.get("mac_address"))
    row["extra_dhcp_opts"] = _merged([], row.get("extra_dhcp_opts", []))
    its_subnets = tx.once("subnets", network_id, lambda: _subnets(tx, network_id))
    addresses = allocate(
        tx, its_subnets, requested, mac=row["mac_address"], owner=row["device_owner"], host=row["host_id"]
    )
    find_agents = hosting if row["device_id"] == RESERVED else schedule
    served_by = tx.once(find_agents.__name__, network_id, lambda: find_agents(tx, network_id))
    waits = bool(served_by) and _waits_for_dhcp(its_subnets, row["device_owner"], addresses)
    row |= {
        "id": str(uuid.uuid4()),
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
        "awaiting_dhcp": waits,
        "status": "ACTIVE" if row["host_id"] and not waits else "DOWN",
    }
    row = {**_DEFAULTS, **row}
    (row["seq"],) = tx.db.execute(sa.insert(ports).values(**row)).inserted_primary_key or (None,)
    _store_addresses(tx, row["id"], addresses)
    port = port_view(row, addresses, tx.options.dns_domain)
    if hosts := [agent["host"] for agent in served_by if agent["admin_state_up"]]:
        whole = {**port, "network": network()[0]}
        tx.tell(hosts[:-1], "port_create_end", {"port": whole})
        tx.cast(hosts[-1], "port_create_end", {"port": whole}, priority=PRIORITY_PORT_CREATE_HIGH)
    return port


def update_port(tx: Transaction, port_id: str, changes: Wire) -> Wire:
    """Change a port, and return it; agents are told when it is something that they serve.

    Args:
        changes: of `bodies.PortUpdate`; options of extra_dhcp_opts are merged into those that there are.
    """
    changes = dict(changes)
    old = get_port(tx, port_id)
    network_id, mac = old["network_id"], changes.get("mac_address") or old["mac_address"]
    its_subnets = _subnets(tx, network_id)
    if mac != old["mac_address"]:
        _mac_address(tx, network_id, mac)
    if "extra_dhcp_opts" in changes:
        changes["extra_dhcp_opts"] = _merged(old["extra_dhcp_opts"], changes["extra_dhcp_opts"])
    host: str = changes["host_id"] if "host_id" in changes else old["binding:host_id"]
    requested = changes.pop("fixed_ips", None)
    if requested is None and mac != old["mac_address"]:
        # An address made from the MAC changes with it.
        requested = _without_auto(its_subnets, old["fixed_ips"])
    deferred = requested is None and not old["fixed_ips"] and host != old["binding:host_id"]
    owner: str = changes["device_owner"] if "device_owner" in changes else old["device_owner"]
    addresses = old["fixed_ips"]
    if requested is not None or deferred:
        addresses = allocate(tx, its_subnets, requested, mac=mac, owner=owner, host=host, has=old["fixed_ips"])
    return _change(tx, old, changes, addresses)


def drop_subnet(tx: Transaction, port_id: str, subnet_id: str) -> None:
    """Take a port's addresses on a subnet away."""
    port = get_port(tx, port_id)
    _change(tx, port, {}, [each for each in port["fixed_ips"] if each["subnet_id"] != subnet_id])


def add_auto_addresses(tx: Transaction, network_id: str) -> None:
    """A subnet came where clients make their own addresses: ports have one from now on."""
    its_subnets = _subnets(tx, network_id)
    for port in find_ports(tx, ports.c.network_id == network_id):
        addresses = allocate(
            tx,
            its_subnets,
            port["fixed_ips"],
            mac=port["mac_address"],
            owner=port["device_owner"],
            host=port["binding:host_id"],
            has=port["fixed_ips"],
        )
        if addresses != port["fixed_ips"]:
            _change(tx, port, {}, addresses)


def delete_port(tx: Transaction, port_id: str) -> None:
    """Delete a port; agents are told."""
    port = get_port(tx, port_id)
    tx.db.execute(sa.delete(ports).where(ports.c.id == port_id))
    free(tx, port["fixed_ips"])
    payload = {"port_id": port_id, "network_id": port["network_id"], "fixed_ips": port["fixed_ips"]}
    tx.tell(listeners(tx, port["network_id"]), "port_delete_end", payload)


def ports_are_ready(tx: Transaction, port_ids: Sequence[str]) -> None:
    """An agent has reported that it serves these ports; unknown ones are nobody's fault."""
    for begin in range(0, len(port_ids), 500):
        these = ports.c.id.in_(port_ids[begin : begin + 500])
        tx.db.execute(
            sa.update(ports)
            .where(these, ports.c.host_id != "", ports.c.status != "ACTIVE")
            .values(status="ACTIVE", revision_number=ports.c.revision_number + 1, updated_at=tx.timestamp)
        )
        tx.db.execute(sa.update(ports).where(these, ports.c.awaiting_dhcp).values(awaiting_dhcp=False))


def stop_waiting(tx: Transaction, network_id: str) -> None:
    """Subnets changed: ports that wait for DHCP where there is none any more wait no longer."""
    waiting, its_subnets = ports.c.awaiting_dhcp, _subnets(tx, network_id)
    found = find_ports(tx, ports.c.network_id == network_id, waiting)
    over = [port["id"] for port in found if not _waits_for_dhcp(its_subnets, port["device_owner"], port["fixed_ips"])]
    ports_are_ready(tx, over)


def _change(tx: Transaction, old: Wire, changes: Wire, addresses: list[Wire]) -> Wire:
    """Store changes of columns and addresses, see to the status, tell the agents; returns the port."""
    port_id, network_id = old["id"], old["network_id"]
    moved = addresses != old["fixed_ips"] or changes.get("mac_address", old["mac_address"]) != old["mac_address"]
    if addresses != old["fixed_ips"]:
        tx.db.execute(sa.delete(fixed_ips).where(fixed_ips.c.port_id == port_id))
        free(tx, old["fixed_ips"])
        _store_addresses(tx, port_id, addresses)
    values = {**changes, "updated_at": tx.timestamp, "revision_number": ports.c.revision_number + 1}
    owner: str = changes["device_owner"] if "device_owner" in changes else old["device_owner"]
    waits = tx.column(sa.select(ports.c.awaiting_dhcp).where(ports.c.id == port_id))[0]
    if moved:
        waits = bool(hosting(tx, network_id)) and _waits_for_dhcp(_subnets(tx, network_id), owner, addresses)
        values["awaiting_dhcp"] = waits
    if not changes.get("host_id", old["binding:host_id"]):
        values["status"] = "DOWN"
    elif not waits:
        values["status"] = "ACTIVE"
    tx.db.execute(sa.update(ports).where(ports.c.id == port_id).values(**values))
    now = get_port(tx, port_id)
    if any(now[name] != old[name] for name in _NOTIFIED):
        tx.tell(listeners(tx, network_id), "port_update_end", {"port": now})
    return now


def _store_addresses(tx: Transaction, port_id: str, addresses: list[Wire]) -> None:
    if addresses:
        rows = [{"port_id": port_id, **each, "number": number_of(each["ip_address"])} for each in addresses]
        tx.db.execute(sa.insert(fixed_ips), rows)


def _mac_address(tx: Transaction, network_id: str, wanted: str | None) -> str:
    """The one that is wanted, or a new one of Neutron's default prefix; unique on the network."""
    mac = wanted
    while True:
        if wanted is None:
            mac = "fa:16:3e:" + ":".join(f"{octet:02x}" for octet in secrets.token_bytes(3))
        same = (ports.c.network_id == network_id, ports.c.mac_address == mac)
        if mac is not None and tx.row(sa.select(ports.c.id).where(*same)) is None:
            return mac
        if wanted is not None:
            raise conflict(
                "MacAddressInUse",
                f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
            )


def _merged(there: list[Wire], wanted: list[Wire]) -> list[Wire]:
    """Options by name and IP version: a value replaces, None takes away (neutron extradhcpopt_db)."""
    options = {(each["opt_name"], each["ip_version"]): each["opt_value"] for each in there}
    for each in wanted:
        key = (each["opt_name"], each.get("ip_version", 4))
        if each.get("opt_value") is None:
            options.pop(key, None)
        else:
            options[key] = each["opt_value"]
    if len(options) > MAX_OPTIONS:
        raise invalid(
            "port.extra_dhcp_opts", f"with those that there are it has {len(options)}, of {MAX_OPTIONS} at most"
        )
    return [{"opt_name": name, "opt_value": value, "ip_version": version} for (name, version), value in options.items()]


def _subnets(tx: Transaction, network_id: str) -> list[Wire]:
    return tx.rows(sa.select(subnets).where(subnets.c.network_id == network_id).order_by(subnets.c.seq))


def _without_auto(its_subnets: list[Wire], addresses: list[Wire]) -> list[Wire]:
    made = {subnet["id"] for subnet in its_subnets if is_auto_address(subnet)}
    return [{"subnet_id": each["subnet_id"]} if each["subnet_id"] in made else each for each in addresses]


def _waits_for_dhcp(its_subnets: list[Wire], owner: str, addresses: list[Wire]) -> bool:
    """Whether a port turns ACTIVE only when an agent has reported it, provided that there is one."""
    with_dhcp = {subnet["id"] for subnet in its_subnets if subnet["enable_dhcp"]}
    return owner not in _UNPROVISIONED and any(each["subnet_id"] in with_dhcp for each in addresses)
