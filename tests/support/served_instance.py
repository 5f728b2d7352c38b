"""One dnsmasq instance and the network it serves, in the server's words: what both IP versions' answers rest on.

Knows Neutron's wire form and how dnsmasq 2.90 finds a reservation; uses nothing of dhcpcore.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from support.option_values import Wire

INFINITE: Final = 0xFFFFFFFF
# dnsmasq insists on two minutes (src/option.c, --dhcp-range).
_SHORTEST_LEASE: Final = 120
_UNSERVED_OWNERS: Final = frozenset(
    {"network:router_ha_interface", "network:floatingip", "network:dhcp", "network:distributed"}
)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What is reserved for one port: an address (of IPv6: several) under a host name, or options only."""

    port: Wire
    addresses: tuple[str, ...] = ()
    name: str | None = None


@dataclass(frozen=True)
class ServedInstance:
    """One dnsmasq instance.

    Args:
        network, options: the network and the agent's options, as sent.
        subnets: those this instance serves, as sent.
        own_port: its own DHCP port.
    """

    network: Wire
    options: Wire
    subnets: Sequence[Wire]
    own_port: Wire

    @cached_property
    def known(self) -> list[Wire]:
        """All subnets whose addresses may be reserved: those served here and those served elsewhere."""
        return [*self.subnets, *(self.network.get("non_local_subnets") or ())]

    @cached_property
    def ports(self) -> list[Wire]:
        """All ports of the network."""
        return list(self.network["ports"])

    @cached_property
    def reserved_ports(self) -> list[Wire]:
        """The ports that may have reservations."""
        return [port for port in self.ports if port["device_owner"] not in _UNSERVED_OWNERS]

    @cached_property
    def served4(self) -> list[Wire]:
        """IPv4 subnets that clients here can be offered addresses of: the server has an address there itself."""
        return [
            subnet
            for subnet in self.subnets
            if subnet["ip_version"] == 4 and subnet["enable_dhcp"] and self.own_addresses(subnet)
        ]

    @cached_property
    def served6(self) -> list[Wire]:
        """Likewise for DHCPv6, stateful or stateless; a prefix shorter than 64 bits is none that dnsmasq can serve.

        Last comes what is served everywhere.
        """
        served = [
            subnet
            for subnet in self.subnets
            if subnet["ip_version"] == 6 and subnet["enable_dhcp"]
            if self.own_addresses(subnet) or is_everywhere(subnet)
            if ip_network(subnet["cidr"]).prefixlen >= 64
            if address_mode(subnet) in ("dhcpv6-stateful", "dhcpv6-stateless")
            or (address_mode(subnet) is None and subnet.get("ipv6_ra_mode") is None)
        ]
        return sorted(served, key=is_everywhere)

    def own_addresses(self, subnet: Wire) -> list[str]:
        """The server's addresses in a subnet, in order."""
        return [fixed["ip_address"] for fixed in self.own_port["fixed_ips"] if fixed["subnet_id"] == subnet["id"]]

    @cached_property
    def own_addresses6(self) -> frozenset[str]:
        """Every IPv6 address of the server, in canonical form."""
        served = [subnet for subnet in self.subnets if subnet["enable_dhcp"] and subnet["ip_version"] == 6]
        return frozenset(str(IPv6Address(address)) for subnet in served for address in self.own_addresses(subnet))

    def all_servers(self, subnet: Wire) -> list[str]:
        """The addresses of all DHCP ports in a subnet, where there are several."""
        found = [
            fixed["ip_address"]
            for port in self.ports
            if port["device_owner"] == "network:dhcp"
            for fixed in port["fixed_ips"]
            if fixed["subnet_id"] == subnet["id"]
        ]
        return found if len(found) > 1 else []

    @cached_property
    def reservations4(self) -> list[Reservation]:
        """The IPv4 reservations in the order of the host file."""
        dhcp = {subnet["id"] for subnet in self.known if subnet["ip_version"] == 4 and subnet["enable_dhcp"]}
        return [
            self.reservation(port, fixed["ip_address"])
            for port in self.reserved_ports
            for fixed in port["fixed_ips"]
            if fixed["subnet_id"] in dhcp
        ]

    def reservation(self, port: Wire, *addresses: str) -> Reservation:
        """One of addresses, under the first one's name."""
        return Reservation(port=port, addresses=addresses, name=self.host_name(port, addresses[0]))

    def host_name(self, port: Wire, address: str) -> str:
        """The first label of the name of an address, which is what a server hands out (RFC 2132 section 3.14)."""
        name = "host-" + re.sub("[.:]", "-", address)
        for assignment in port.get("dns_assignment") or ():
            if assignment["ip_address"] == address:
                name = assignment["fqdn"]
        return name.split(".")[0]

    @property
    def domain(self) -> str:
        """The domain of all names; empty for none."""
        return str(self.options.get("dns_domain", "openstacklocal"))

    @property
    def lease_time(self) -> int:
        """Seconds, 2**32 - 1 for ever."""
        duration = self.options.get("dhcp_lease_duration", 86400)
        return INFINITE if duration == -1 else max(duration, _SHORTEST_LEASE)


def address_mode(subnet: Wire) -> str | None:
    """How clients get their IPv6 addresses."""
    mode: str | None = subnet.get("ipv6_address_mode")
    return mode


def is_everywhere(subnet: Wire) -> bool:
    """Whether a prefix is not delegated yet: it is "::", and dnsmasq takes a range that starts there for "DHCP on any
    interface" (src/option.c, --dhcp-range), every address included.
    """
    return subnet["ip_version"] == 6 and not int(ip_network(subnet["cidr"]).network_address)


def subnet_of(address: str, subnets: Iterable[Wire]) -> Wire | None:
    """The subnet that an address lies in."""
    for subnet in subnets:
        network = ip_network(subnet["cidr"])
        if isinstance(network, IPv6Network) != (":" in address):
            continue
        if ip_address(address) in network or is_everywhere(subnet):
            return subnet
    return None
