"""What decides a port's lines besides the port itself.

Two renderings with equal `LineRules` write equal lines for equal ports: that is what reuse rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from dhcpcore.model.network import DHCPV6_STATEFUL, DHCPV6_STATELESS, SLAAC, Subnet
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import Warning
from dhcpcore.render.syntax import addn_name_problem, hostname_problem

# The longest names that can be generated: whatever domain fits these fits all.
_LONGEST_NAMES: Final = ("host-255-255-255-255", "host-ffff-ffff-ffff-ffff-ffff-ffff-255-255-255-255")


@frozen(kw_only=True)
class AddressRule:
    """How the addresses of one subnet are served.

    Attributes:
        ipv6: whether the subnet is IPv6.
        stateless, slaac, stateful: the subnet's ipv6_address_mode.
        reserved: whether its addresses get a line in the host file.
        leased: whether its addresses get a line in the initial leases file (IPv4 only).
    """

    ipv6: bool = False
    stateless: bool = False
    slaac: bool = False
    stateful: bool = False
    reserved: bool = False
    leased: bool = False

    @property
    def assigned_by_client(self) -> bool:
        """Whether clients make their addresses themselves, from router advertisements."""
        return self.stateless or self.slaac


#: For addresses of subnets that the server did not tell us of: in addn_hosts only.
UNKNOWN_SUBNET: Final = AddressRule()


def _address_rules(subnets: tuple[Subnet, ...]) -> dict[str, AddressRule]:
    # Should one id stand for several subnets, the last IPv6 one tells the mode and any may switch DHCP on (Neutron).
    modes = {subnet.id: subnet.ipv6_address_mode for subnet in subnets if subnet.ip_version == 6}
    served = {subnet.id for subnet in subnets if subnet.enable_dhcp}
    served_v4 = {subnet.id for subnet in subnets if subnet.enable_dhcp and subnet.ip_version == 4}
    rules = {}
    for subnet in subnets:
        mode = modes.get(subnet.id)
        by_client = mode in (SLAAC, DHCPV6_STATELESS)
        rules[subnet.id] = AddressRule(
            ipv6=subnet.id in modes,
            stateless=mode == DHCPV6_STATELESS,
            slaac=mode == SLAAC,
            stateful=mode == DHCPV6_STATEFUL,
            reserved=subnet.id in served and not by_client,
            leased=subnet.id in served_v4 and not by_client,
        )
    return rules


@frozen(kw_only=True)
class LineRules:
    """The subnets and settings that shape the lines of ports.

    Attributes:
        subnets: local and non-local ones, in order.
        dns_domain: appended to generated names; empty for none.
        addr6_list: whether one line reserves all addresses that a port has in a stateful IPv6 subnet.
        host_tags: whether dnsmasq knows ``tag:`` in the host file (2.81, Launchpad 1876094).
        by_subnet: the rule of each subnet; plain: ids of those whose addresses get a line in all three files.
        suffix: ``.`` and the domain, or empty.
        warnings: what is wrong with the domain.
    """

    subnets: tuple[Subnet, ...]
    dns_domain: str
    addr6_list: bool
    host_tags: bool
    by_subnet: Mapping[str, AddressRule] = field(init=False, eq=False, repr=False)
    plain: frozenset[str] = field(init=False, eq=False, repr=False)
    suffix: str = field(init=False, eq=False, repr=False)
    warnings: tuple[Warning, ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        rules = _address_rules(self.subnets)
        suffix = f".{self.dns_domain}" if self.dns_domain else ""
        warnings: tuple[Warning, ...] = ()
        for name in _LONGEST_NAMES:
            problem = hostname_problem(name + suffix) or addn_name_problem(name + suffix)
            if problem is not None:
                message = f"dns_domain is left out of generated names: {problem}"
                suffix, warnings = "", (Warning(code="domain-refused", subject="settings", message=message),)
                break
        # The one sanctioned way to fill derived fields of a frozen class.
        set_field = object.__setattr__
        set_field(self, "by_subnet", rules)
        set_field(self, "plain", frozenset(id_ for id_, rule in rules.items() if rule.leased and not rule.ipv6))
        set_field(self, "suffix", suffix)
        set_field(self, "warnings", warnings)

    @classmethod
    def of(cls, subnets: tuple[Subnet, ...], settings: Settings, *, host_tags: bool) -> LineRules:
        """The rules for these subnets under these settings."""
        return cls(
            subnets=subnets,
            dns_domain=settings.dns_domain,
            addr6_list=settings.dnsmasq_enable_addr6_list,
            host_tags=host_tags,
        )

    def rule(self, subnet_id: str) -> AddressRule:
        """The rule for addresses of one subnet."""
        return self.by_subnet.get(subnet_id, UNKNOWN_SUBNET)
