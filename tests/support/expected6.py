"""What the DHCPv6 clients of one network must be told, worked out from the network as the server sent it.

The other half of `support.expected4`, by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Final

from support.option_values import Options, Wire, addresses_in, domain_list, own_options, selects_options
from support.served_instance import Reservation, ServedInstance, address_mode, is_everywhere, subnet_of

_BY_CLIENT: Final = ("slaac", "dhcpv6-stateless")
# RFC 3646, RFC 4704
_DNS, _DOMAIN_SEARCH, _FQDN = 23, 24, 39


@dataclass(frozen=True, kw_only=True)
class Expected6:
    """An answer to a SOLICIT or INFORMATION-REQUEST.

    Attributes:
        address: that of the IA_NA, None where the server has none for the client (and then no option for it either).
        lifetimes: preferred and valid lifetime of the address, in seconds.
        dns: the DNS servers in order, None where there is no such option; "::" stands for addresses of the server
            itself, at least one: which ones, if it has several, is its choice.
        options: all others that must be there, and no more.
    """

    address: str | None
    lifetimes: tuple[int, int] = (0, 0)
    dns: tuple[str, ...] | None = None
    options: Options


class Expectations6:
    """What the DHCPv6 clients of an instance must be told."""

    def __init__(self, instance: ServedInstance) -> None:
        self._instance = instance

    def _reservations(self, port: Wire) -> list[Reservation]:
        """A port's IPv6 reservations in the order of the host file."""
        dhcp6 = [subnet for subnet in self._instance.known if subnet["ip_version"] == 6 and subnet["enable_dhcp"]]
        known = {subnet["id"]: subnet for subnet in dhcp6}
        if not any(port is reserved for reserved in self._instance.reserved_ports):
            return []
        fixed_ips = [fixed for fixed in port["fixed_ips"] if fixed["subnet_id"] in known]
        addresses = [(fixed["ip_address"], known[fixed["subnet_id"]]) for fixed in fixed_ips]
        # Those without an address come first, or dnsmasq, which takes the last, would never find an address.
        stateless = [address for address, subnet in addresses if address_mode(subnet) == "dhcpv6-stateless"]
        lines = [Reservation(port=port) for _ in stateless if port.get("extra_dhcp_opts")]
        lists: dict[str, list[str]] = {}
        for address, subnet in addresses:
            if address_mode(subnet) in _BY_CLIENT:
                continue
            if self._instance.options.get("dnsmasq_enable_addr6_list") and address_mode(subnet) == "dhcpv6-stateful":
                lists.setdefault(subnet["id"], []).append(address)
            else:
                lines.append(self._instance.reservation(port, address))
        return lines + [self._instance.reservation(port, *group) for group in lists.values()]

    def _reservation(self, port: Wire) -> Reservation | None:
        """The reservation that dnsmasq finds for a port: the last of those that have no address, or one of its own."""
        lines = self._reservations(port)
        fitting = [
            line
            for line in lines
            if not line.addresses or any(subnet_of(address, self._instance.served6) for address in line.addresses)
        ]
        return fitting[-1] if fitting else None

    def _named(self, port: Wire) -> list[Reservation]:
        """What dnsmasq may take for IPv6 reservations of a port that has IPv4 reservations only.

        It reads addn_hosts for that too: a reservation without an IPv6 address gets the one that its name has there
        (src/dhcp-common.c, dhcp_update_configs). The addresses of clients that make their own are found in this way,
        and where an owner gives two ports one name, the other port's.
        """
        own = {str(line.name).lower() for line in self._instance.reservations4 if line.port is port}
        return [
            Reservation(port=port, addresses=(fixed["ip_address"],), name=name)
            for other in self._instance.reserved_ports
            for fixed in other["fixed_ips"]
            if ":" in fixed["ip_address"] and subnet_of(fixed["ip_address"], self._instance.served6)
            if (name := self._instance.host_name(other, fixed["ip_address"])).lower() in own
        ]

    def advertised(self, port: Wire, tags: frozenset[str] = frozenset()) -> list[Expected6]:
        """What may be advertised to a port that asks for one address; nothing at all for silence.

        It is one answer, but for what `_named` says.
        """
        if not self._instance.served6:
            return []
        line = self._reservation(port)
        if line is not None and line.addresses:
            # Of a list, the last is given to the first who asks.
            address = [one for one in line.addresses if subnet_of(one, self._instance.served6)][-1]
            return [self._advertised(line, address, tags)]
        none = Expected6(address=None, options={})
        if line is not None:
            return [none]
        return [none, *(self._advertised(one, one.addresses[0], tags) for one in self._named(port))]

    def _advertised(self, line: Reservation, address: str, tags: frozenset[str]) -> Expected6:
        subnet = subnet_of(address, self._instance.served6)
        assert subnet is not None
        answer = self._answer(subnet, line, tags)
        # Where dnsmasq serves everywhere, it has no device's address whose lifetime the client's could follow.
        lifetimes = (0 if is_everywhere(subnet) else self._instance.lease_time, self._instance.lease_time)
        return replace(answer, address=str(IPv6Address(address)), lifetimes=lifetimes)

    def informed(self, port: Wire | None, tags: frozenset[str] = frozenset()) -> list[Expected6]:
        """What may be answered to an INFORMATION-REQUEST of a port, or of a stranger; nothing at all for silence.

        The client does not say in which subnet its addresses are, so with several there is nothing that dnsmasq could
        announce for one of them (src/rfc3315.c, DHCP6IREQ).
        """
        if not self._instance.served6:
            return []
        only = self._instance.served6[0] if len(self._instance.served6) == 1 else None
        if port is None:
            return [self._answer(only, None, tags)]
        line = self._reservation(port)
        by_name = [] if line is not None else self._named(port)
        return [self._answer(only, one, tags) for one in (line, *by_name)]

    def _answer(self, subnet: Wire | None, line: Reservation | None, tags: frozenset[str]) -> Expected6:
        options: Options = {}
        given = [] if subnet is None else subnet["dns_nameservers"] or self._instance.all_servers(subnet)
        # Without any it is the server itself; one "::" alone means none, and dnsmasq then sends an empty list.
        dns = tuple(str(IPv6Address(one)) for one in given)
        dns = ("::",) if not given else () if dns == ("::",) else dns
        if subnet is not None and self._instance.domain:
            options[_DOMAIN_SEARCH] = domain_list(self._instance.domain)
        if line is not None and (not line.addresses or selects_options(line.port)):
            options.update(own_options(line.port, 6, tags))
        if line is not None and line.name is not None:
            # Flags: the server does the update (RFC 4704 section 4.1). The domain may follow.
            options[_FQDN] = bytes([1, len(line.name)]) + line.name.encode()
        own = options.pop(_DNS, None)
        if own is not None:
            dns = addresses_in(own)
        return Expected6(address=None, dns=dns, options=options)
