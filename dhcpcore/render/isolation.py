"""Which subnets have no router, and which are a metadata network.

Knows ports and subnets only; what follows from the answers is decided by those who ask (options, metadata proxy).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Final

from dhcpcore.model.network import Subnet
from dhcpcore.model.port import ROUTER_INTERFACE_OWNERS, Port

METADATA_V4_ADDRESS: Final = "169.254.169.254"
METADATA_V4_CIDR: Final = "169.254.169.254/32"
METADATA_V6_ADDRESS: Final = "fe80::a9fe:a9fe"
METADATA_V6_CIDR: Final = "fe80::a9fe:a9fe/128"
_METADATA_NETWORK: Final = IPv4Network("169.254.0.0/16")


def routed_subnets(subnets: Iterable[Subnet], ports: Iterable[Port]) -> frozenset[str]:
    """Ids of the subnets that are not isolated: a router's interface stands on their gateway address.

    Addresses are compared as text, as the server wrote them.
    """
    gateways = {subnet.id: subnet.gateway_ip for subnet in subnets}
    return frozenset(
        fixed_ip.subnet_id
        for port in ports
        if port.device_owner in ROUTER_INTERFACE_OWNERS
        for fixed_ip in port.fixed_ips
        if gateways.get(fixed_ip.subnet_id) == fixed_ip.ip_address
    )


def has_metadata_subnet(subnets: Iterable[Subnet]) -> bool:
    """Whether a subnet lies in 169.254.0.0/16, which makes its network a metadata network."""
    return any(
        isinstance(subnet.range, IPv4Network) and subnet.range.subnet_of(_METADATA_NETWORK) for subnet in subnets
    )
