"""Networks that an agent serves or should serve, and what the listing of the difference says."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.plan.assume import plan_difference
from dhcpcore.plan.listing import Listing
from dhcpcore.wire import parse_network

HOST = "host-1"
OURS = f"dhcp{uuid5(NAMESPACE_DNS, HOST)}"
SETTINGS = Settings(host=HOST)


def subnet(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "cidr": f"10.0.{number}.0/24", "gateway_ip": f"10.0.{number}.1", **fields}


def subnet6(number: int = 6, **fields: Any) -> dict[str, Any]:
    modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
    return {"id": f"s{number}", "cidr": f"fd00:{number}::/64", "gateway_ip": f"fd00:{number}::1", **modes, **fields}


def port(number: int, *addresses: str, **fields: Any) -> dict[str, Any]:
    """A port of a machine; an address is ``subnet/address``."""
    return {
        "id": f"port-{number}",
        "mac_address": f"fa:16:3e:00:00:{number:02x}",
        "device_owner": "compute:nova",
        "status": "ACTIVE",
        "fixed_ips": [dict(zip(("subnet_id", "ip_address"), text.split("/"), strict=True)) for text in addresses],
        **fields,
    }


def dhcp_port(network_id: str, *addresses: str, suffix: str = "", **fields: Any) -> dict[str, Any]:
    own = {
        "id": f"dhcp-{network_id}{suffix}",
        "device_owner": "network:dhcp",
        "device_id": f"{OURS}-{network_id}{suffix}",
    }
    return port(2, *addresses, **(own | fields))


def network(network_id: str = "net", **fields: Any) -> Network:
    """A network that this host serves: one subnet, our DHCP port, one machine; any of it replaced."""
    form = {
        "id": network_id,
        "subnets": [subnet()],
        "ports": [dhcp_port(network_id, "s0/10.0.0.2"), port(5, "s0/10.0.0.5")],
        **fields,
    }
    return parse_network(form)


def difference(current: Network | list[Network], desired: Network | list[Network], **options: Any) -> Listing:
    before = [current] if isinstance(current, Network) else current
    after = [desired] if isinstance(desired, Network) else desired
    return plan_difference(before, after, options.pop("settings", SETTINGS), **options)


def actions(listing: Listing) -> dict[str, str]:
    return {f"{c.network_id}{'/' + c.segment if c.segment else ''}": c.action for c in listing.changes}


def reasons(listing: Listing) -> tuple[str, ...]:
    (change,) = listing.changes
    return change.reasons
