"""Networks as an agent finds them when its claims were answered: each instance has a DHCP port, with addresses.

Knows Neutron's wire form; uses nothing of dhcpcore.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import combinations

from support.option_values import Wire
from support.served_instance import ServedInstance


@dataclass(frozen=True, kw_only=True)
class ClaimedNetwork:
    """A render request of the generator whose network has DHCP ports of ours.

    Attributes:
        name: where it came from.
        instances: the dnsmasq instances that serve it.
    """

    name: str
    request: Wire
    instances: tuple[ServedInstance, ...]


def claimed_network(name: str, request: Wire) -> ClaimedNetwork | None:
    """The request with our DHCP ports put in; None where there is nothing to serve, or no such network.

    No server lets subnets of a network overlap. Two segments with one number are an instance too few, which is no
    matter of serving.
    """
    network = request["network"]
    segments = {segment["id"]: segment for segment in network.get("segments") or ()}
    groups: dict[str | None, list[Wire]] = {}
    for subnet in network["subnets"]:
        segment_id = subnet.get("segment_id")
        groups.setdefault(segment_id if segment_id in segments else None, []).append(subnet)
    numbers = [segments[group]["segmentation_id"] if group else None for group in groups]
    if len(set(numbers)) < len(numbers) or _overlap(network["subnets"]):
        return None
    instances = tuple(
        ServedInstance(network, request["settings"], subnets, _dhcp_port(request, subnets, number))
        for subnets, number in zip(groups.values(), numbers, strict=True)
        if any(subnet["enable_dhcp"] for subnet in subnets)
    )
    if not any(instance.served4 or instance.served6 for instance in instances):
        return None
    return ClaimedNetwork(name=name, request=request, instances=instances)


def _overlap(subnets: list[Wire]) -> bool:
    ranges = [ip_network(subnet["cidr"]) for subnet in subnets]
    return any(
        one.version == other.version and (one.network_address in other or other.network_address in one)
        for one, other in combinations(ranges, 2)
    )


def _dhcp_port(request: Wire, subnets: list[Wire], segmentation_id: int | None) -> Wire:
    """Our DHCP port for these subnets, with an address in each that has DHCP and one to spare."""
    network = request["network"]
    host = uuid.uuid5(uuid.NAMESPACE_DNS, request["settings"]["host"].split(".")[0])
    device_id = f"dhcp{host}-{network['id']}" + (f"-{segmentation_id}" if segmentation_id else "")
    port: Wire | None = next((one for one in network["ports"] if one["device_id"] == device_id), None)
    if port is None:
        number = len(network["ports"])
        port = {
            "id": f"c1a1{number:04x}-0000-4000-8000-000000000000",
            "network_id": network["id"],
            "mac_address": f"06:00:00:00:01:{number:02x}",
            "device_owner": "network:dhcp",
            "device_id": device_id,
            "fixed_ips": [],
            "admin_state_up": True,
        }
        network["ports"].append(port)
    taken = {fixed["ip_address"] for one in network["ports"] for fixed in one["fixed_ips"]}
    taken |= {subnet["gateway_ip"] for subnet in subnets} | {"::1"}
    covered = {fixed["subnet_id"] for fixed in port["fixed_ips"]}
    for subnet in subnets:
        if not subnet["enable_dhcp"] or subnet["id"] in covered:
            continue
        addresses = ip_network(subnet["cidr"])
        usable = (str(addresses[at]) for at in range(1, min(addresses.num_addresses - 1, 300)))
        free = next((address for address in usable if address not in taken), None)
        if free is not None:
            taken.add(free)
            port["fixed_ips"].append({"subnet_id": subnet["id"], "ip_address": free})
    return port
