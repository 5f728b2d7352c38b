"""Which addresses a port gets (Neutron: ipam_pluggable_backend, and EUI-64 on subnets where clients make their own)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from dhcpcore.testing.identity import slaac_address
from dhcpcore.testing.server.refusals import Refusal
from dhcpcore.testing.server.tables import Tables
from dhcpcore.testing.wireform import WireDict

_AUTO = ("slaac", "dhcpv6-stateless")


def is_auto_address(subnet: WireDict) -> bool:
    """Whether clients form their addresses themselves (neutron ipv6_utils.is_auto_address_subnet)."""
    return subnet.get("ipv6_address_mode") in _AUTO or subnet.get("ipv6_ra_mode") in _AUTO


def next_address(tables: Tables, subnet: WireDict) -> str:
    """The first free address of the subnet's pools.

    Raises:
        Refusal: IpAddressGenerationFailure.
    """
    taken = tables.taken[subnet["id"]]
    pools = subnet["allocation_pools"]
    # Below this offset of the first pool everything was in use when last looked at, and nothing has been freed since.
    begin = tables.full_below.get(subnet["id"], 0)
    for number, pool in enumerate(pools):
        first, last = ip_address(pool["start"]), ip_address(pool["end"])
        start = begin if number == 0 else 0
        # One of the next len(taken) + 2 addresses is free, or none is.
        for offset in range(start, min(int(last) - int(first), start + len(taken) + 1) + 1):
            address = str(first + offset)
            if address not in taken and address != subnet["gateway_ip"]:
                if number == 0:
                    tables.full_below[subnet["id"]] = offset
                return address
    raise Refusal("IpAddressGenerationFailure", f"No more IP addresses available on network {subnet['network_id']}.")


def _one(tables: Tables, network_id: str, wanted: WireDict, mac: str, own: Iterable[str]) -> dict[str, Any]:
    subnet_id, address = wanted.get("subnet_id"), wanted.get("ip_address")
    if subnet_id is None and address is not None:
        inside = (row["id"] for row in tables.subnets_of(network_id) if _lies_in(address, row))
        subnet_id = next(inside, None)
        if subnet_id is None:
            raise Refusal("InvalidInput", f"IP address {address} is not a valid IP for any of the subnets.")
    if subnet_id is None or subnet_id not in tables.network_subnets.get(network_id, ()):
        raise Refusal("SubnetNotFound", f"Subnet {subnet_id} could not be found.")
    subnet = tables.subnets[subnet_id]
    if address is None:
        made = slaac_address(subnet["cidr"], mac) if is_auto_address(subnet) else next_address(tables, subnet)
        return {"subnet_id": subnet_id, "ip_address": made}
    if not _lies_in(address, subnet):
        raise Refusal("InvalidIpForSubnet", f"IP address {address} is not a valid IP for the specified subnet.")
    if address in tables.taken[subnet_id] and address not in own:
        raise Refusal("IpAddressAlreadyAllocated", f"IP address {address} already allocated in subnet {subnet_id}")
    return {"subnet_id": subnet_id, "ip_address": address}


def _lies_in(address: str, subnet: WireDict) -> bool:
    parsed = ip_address(address)
    network = ip_network(subnet["cidr"], strict=False)
    return parsed.version == network.version and parsed in network


def allocate(
    tables: Tables,
    network_id: str,
    requested: list[WireDict] | None,
    *,
    mac: str,
    owner: str,
    own: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Addresses for a port; nothing is marked as used yet.

    Args:
        requested: members with ``subnet_id``, ``ip_address`` or both; None: one IPv4 and one IPv6 address.
        own: addresses the port has already, which it may ask for again.

    Raises:
        Refusal: as Neutron does.
    """
    subnets = tables.subnets_of(network_id)
    automatic = [row for row in subnets if is_auto_address(row) and row["cidr"].endswith("/64")]
    chosen: list[dict[str, Any]] = []
    if requested is None:
        for version in (4, 6):
            candidates = [row for row in subnets if row["ip_version"] == version and not is_auto_address(row)]
            failure: Refusal | None = None
            for row in candidates:
                try:
                    chosen.append({"subnet_id": row["id"], "ip_address": next_address(tables, row)})
                    break
                except Refusal as refusal:
                    failure = refusal
            else:
                if failure is not None:
                    raise failure
    else:
        marked: list[tuple[str, str]] = []
        try:
            for wanted in requested:
                made = _one(tables, network_id, wanted, mac, own)
                chosen.append(made)
                if made["ip_address"] not in tables.taken[made["subnet_id"]]:
                    tables.taken[made["subnet_id"]].add(made["ip_address"])
                    marked.append((made["subnet_id"], made["ip_address"]))
        finally:
            for subnet_id, address in marked:
                tables.taken[subnet_id].discard(address)
    if not owner.startswith("network:router_interface"):
        # Addresses on SLAAC and stateless subnets are included whether or not one asks.
        has = {fixed_ip["subnet_id"] for fixed_ip in chosen}
        for row in automatic:
            if row["id"] not in has:
                chosen.append({"subnet_id": row["id"], "ip_address": slaac_address(row["cidr"], mac)})
    return chosen
