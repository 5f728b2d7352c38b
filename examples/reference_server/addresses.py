"""Which addresses a port gets (Neutron: ipam_pluggable_backend), and EUI-64 where clients make their own."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

import sqlalchemy as sa

from reference_server.errors import ApiError, conflict, invalid, not_found
from reference_server.schema import fixed_ips, segments
from reference_server.segments import hosts_of_segment
from reference_server.transaction import Transaction, Wire

_AUTO: Final = ("slaac", "dhcpv6-stateless")
#: Router ports ask for what they need; nothing is added (neutron-lib ROUTER_INTERFACE_OWNERS_SNAT).
ROUTER_OWNERS: Final = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_centralized_snat",
)


def is_auto_address(subnet: Wire) -> bool:
    """Whether clients form their addresses themselves (neutron ipv6_utils.is_auto_address_subnet)."""
    return subnet["ipv6_address_mode"] in _AUTO or subnet["ipv6_ra_mode"] in _AUTO


def number_of(address: str) -> bytes:
    """The address as 16 bytes that sort as addresses do."""
    return int(ip_address(address)).to_bytes(16, "big")


def eui64(cidr: str, mac: str) -> str:
    """The address that a client of a /64 makes from its MAC (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes((octets[0] ^ 2,)) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ip_network(cidr)[int.from_bytes(identifier, "big")])


def allocate(
    tx: Transaction,
    all_subnets: list[Wire],
    requested: Sequence[Wire] | None,
    *,
    mac: str,
    owner: str,
    host: str,
    has: Sequence[Wire] = (),
) -> list[Wire]:
    """Addresses for a port; nothing is stored yet.

    Args:
        all_subnets: rows of the network's subnets, the oldest first.
        requested: members with ``subnet_id``, ``ip_address`` or both; None: one IPv4 and one IPv6 address.
        host: that the port is bound to; on a routed network it says which subnets there are.
        has: the addresses that the port has: it may keep them.

    Raises:
        ApiError: as Neutron does.
    """
    reachable = _reachable(tx, all_subnets, host)
    chosen: list[Wire] = []
    if requested is None:
        for version in (4, 6):
            fit = [row for row in reachable if row["ip_version"] == version and not is_auto_address(row)]
            chosen.extend(_from_first_with_room(tx, fit))
    else:
        kept = [dict(fixed_ip) for fixed_ip in has]
        for number, wanted in enumerate(requested):
            chosen.append(_one(tx, all_subnets, wanted, f"fixed_ips[{number}]", mac, kept, chosen))
    if owner not in ROUTER_OWNERS:
        # Addresses that clients make themselves are there whether or not one asks.
        on = {fixed_ip["subnet_id"] for fixed_ip in chosen}
        for row in reachable:
            if is_auto_address(row) and row["id"] not in on:
                chosen.append(_made(row, eui64(row["cidr"], mac)))
    for fixed_ip in chosen:
        if fixed_ip not in has and _is_taken(tx, fixed_ip):
            raise conflict(
                "IpAddressAlreadyAllocated",
                f"IP address {fixed_ip['ip_address']} already allocated in subnet {fixed_ip['subnet_id']}",
            )
    return chosen


def _reachable(tx: Transaction, rows: list[Wire], host: str) -> list[Wire]:
    """The subnets that a port on `host` can use: of a routed network those of its segments, and none while unbound."""
    wanted = {row["segment_id"] for row in rows if row["segment_id"]}
    if not wanted:
        return rows
    parts = tx.rows(sa.select(segments).where(segments.c.id.in_(wanted)))
    mapped = {part["id"] for part in parts if host and host in hosts_of_segment(tx, part, host)}
    return [row for row in rows if row["segment_id"] in mapped]


def _one(
    tx: Transaction, rows: list[Wire], wanted: Wire, path: str, mac: str, kept: list[Wire], chosen: list[Wire]
) -> Wire:
    subnet_id, address = wanted.get("subnet_id"), wanted.get("ip_address")
    if subnet_id is None:
        subnet = next((row for row in rows if _lies_in(str(address), row)), None)
        if subnet is None:
            raise invalid(f"{path}.ip_address", f"{address} is in no subnet of the network")
    else:
        subnet = next((row for row in rows if row["id"] == subnet_id), None)
        if subnet is None:
            raise not_found("Subnet", subnet_id)
    if address is None:
        if is_auto_address(subnet):
            return _made(subnet, eui64(subnet["cidr"], mac))
        for old in kept:
            if old["subnet_id"] == subnet_id and all(old["ip_address"] != each["ip_address"] for each in chosen):
                kept.remove(old)
                return _made(subnet, old["ip_address"])
        return _made(subnet, _next_free(tx, subnet, chosen))
    if not _lies_in(address, subnet):
        raise ApiError(
            "InvalidIpForSubnet", f"{path}.ip_address: {address} is not a valid IP for the subnet {subnet['cidr']}."
        )
    if is_auto_address(subnet) and address != eui64(subnet["cidr"], mac) and address != subnet["gateway_ip"]:
        raise ApiError(
            "AllocationOnAutoAddressSubnet",
            f"{path}.ip_address: {address} cannot be given on subnet {subnet['id']}: its clients make their own.",
        )
    if any(each["subnet_id"] == subnet["id"] and each["ip_address"] == address for each in chosen):
        raise invalid(f"{path}.ip_address", f"{address} is asked for twice")
    return _made(subnet, address)


def _lies_in(address: str, subnet: Wire) -> bool:
    """Whether a port may have it: within the range, and neither its network's own nor its broadcast address."""
    parsed, network = ip_address(address), ip_network(subnet["cidr"])
    if parsed.version != network.version or parsed not in network:
        return False
    if network.version == 4 and network.prefixlen < 31:
        return parsed not in (network.network_address, network.broadcast_address)
    return True


def _made(subnet: Wire, address: str) -> Wire:
    return {"subnet_id": subnet["id"], "ip_address": address}


def _is_taken(tx: Transaction, fixed_ip: Wire) -> bool:
    same = (fixed_ips.c.subnet_id == fixed_ip["subnet_id"], fixed_ips.c.number == number_of(fixed_ip["ip_address"]))
    return tx.row(sa.select(fixed_ips.c.port_id).where(*same)) is not None


def _from_first_with_room(tx: Transaction, rows: list[Wire]) -> list[Wire]:
    failure: ApiError | None = None
    for row in rows:
        try:
            return [_made(row, _next_free(tx, row, []))]
        except ApiError as refusal:
            failure = refusal
    if failure is not None:
        raise failure
    return []


def _next_free(tx: Transaction, subnet: Wire, chosen: list[Wire]) -> str:
    """The first free address of the subnet's pools."""
    also = {each["ip_address"] for each in chosen if each["subnet_id"] == subnet["id"]} | {subnet["gateway_ip"]}
    for index, pool in enumerate(subnet["allocation_pools"]):
        first, last = ip_address(pool["start"]), ip_address(pool["end"])
        begin = max(int(first), tx.free_from.get(subnet["id"], 0)) if index == 0 else int(first)
        taken = tx.db.execute(
            sa.select(fixed_ips.c.number)
            .where(
                fixed_ips.c.subnet_id == subnet["id"],
                fixed_ips.c.number.between(begin.to_bytes(16, "big"), int(last).to_bytes(16, "big")),
            )
            .order_by(fixed_ips.c.number)
        ).scalars()
        candidate = begin
        following = next(taken, None)
        while candidate <= int(last):
            if following is not None and int.from_bytes(following, "big") == candidate:
                following = next(taken, None)
            elif (address := str(first + (candidate - int(first)))) not in also:
                taken.close()
                if index == 0:
                    tx.free_from[subnet["id"]] = candidate
                return address
            candidate += 1
        taken.close()
    raise conflict("IpAddressGenerationFailure", f"No more IP addresses available on network {subnet['network_id']}.")


def free(tx: Transaction, addresses: Sequence[Wire]) -> None:
    """These addresses are given up: searches begin at the front again."""
    for fixed_ip in addresses:
        tx.free_from.pop(fixed_ip["subnet_id"], None)
