"""The opts file: what dnsmasq announces for each subnet and each port.

Knows DHCP options, RFC 3442's order of routes and Neutron's rules for metadata routes.  A line is written as Neutron
writes it or not at all: a value cut short, or split by dnsmasq into something else, would reach clients as a different
option.  The exception is a blank value, which has a form that dnsmasq understands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from dhcpcore.errors import PayloadError, shown
from dhcpcore.model.checks import parse_cidr
from dhcpcore.model.network import SLAAC, Subnet
from dhcpcore.model.port import DEVICE_OWNER_DHCP, DEVICE_OWNER_DISTRIBUTED, OVN_METADATA_PREFIX, ExtraDhcpOption, Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView, Warning
from dhcpcore.render.hosts import port_tag
from dhcpcore.render.isolation import METADATA_V4_CIDR, routed_subnets
from dhcpcore.render.syntax import option_line_problem

_DEFAULT_ROUTE: Final = "0.0.0.0/0"
#: Microsoft's number for option 121 (RFC 3442), from before there was one.
_MICROSOFT_STATIC_ROUTE: Final = "249"
# An option's name may carry tags that a client must have set as well: "tag:ipxe,67".
_TAGS_AND_NAME: Final = re.compile(r"(?:(tag:.*),)?(.*)\Z").match


class OptionLines(NamedTuple):
    """Lines of the opts file without their ends, and what was left out of them."""

    lines: list[str]
    warnings: list[Warning]


def subnet_tag(subnet_id: str) -> str:
    """The tag that a subnet's range sets and its options require; a function of the id only (Launchpad 1848738)."""
    return f"subnet-{subnet_id}"


def option_line(ip_version: int, tag: str, name: str, *values: str) -> str:
    """One line of the opts file, as Neutron formats it: name and values end at their first line feed.

    dnsmasq knows an IPv4 option by bare number or by ``option:name``, an IPv6 option by ``option6:`` and either.
    """
    tags, option = _split_name(name)
    if ip_version == 6:
        option = f"option6:{option}"
    elif not option.isdigit():
        option = f"option:{option}"
    fields = [f"tag:{tag}", tags, option] if tags else [f"tag:{tag}", option]
    return ",".join([*fields, *(value.partition("\n")[0] for value in values)])


def _split_name(name: str) -> tuple[str, str]:
    match = _TAGS_AND_NAME(name.partition("\n")[0])
    tags, option = match.groups() if match is not None else (None, name)
    return tags or "", option


class _Options:
    """Collects lines; one that dnsmasq would refuse is left out with a warning."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[Warning] = []

    def add(self, subject: str, label: str, line: str) -> None:
        problem = option_line_problem(line)
        if problem is None:
            self.lines.append(line)
        else:
            self.warn("option-dropped", subject, f"option {label} is left out: {problem}")

    def warn(self, code: str, subject: str, message: str) -> None:
        self.warnings.append(Warning(code=code, subject=subject, message=message))


# -- options of subnets


def subnet_options(
    view: InstanceView, ports: Sequence[Port], *, settings: Settings, interface_addresses: Iterable[str]
) -> OptionLines:
    """The options of every subnet that clients get options for.

    Args:
        ports: those of the network that matter here: router interfaces, DHCP ports and metadata ports, in order.
        interface_addresses: CIDR texts, the DHCP device's addresses.
    """
    options = _Options()
    routes = _Routes(view, ports, settings, interface_addresses)
    for subnet in view.all_subnets:
        if not subnet.enable_dhcp or (subnet.ip_version == 6 and subnet.ipv6_address_mode == SLAAC):
            continue

        if announces_no_dns(subnet):
            _announce(options, subnet, "dns-server")
        elif subnet.dns_nameservers:
            servers = _literal(subnet.ip_version, subnet.dns_nameservers)
            _announce(options, subnet, "dns-server", ",".join(servers))
        if subnet.ip_version == 6:
            if settings.dns_domain:
                _announce(options, subnet, "domain-search", settings.dns_domain)
            continue
        classless = ",".join(routes.of(subnet))
        if classless:
            # Clients that understand option 121 ignore option 3 (RFC 3442, page 3), so 121 repeats the default route.
            _announce(options, subnet, "classless-static-route", classless)
            _announce(options, subnet, _MICROSOFT_STATIC_ROUTE, classless)
        gateway = routes.gateway(subnet)
        _announce(options, subnet, "router", *([gateway] if gateway else []))
    return OptionLines(options.lines, options.warnings)


def _announce(options: _Options, subnet: Subnet, name: str, *values: str) -> None:
    line = option_line(subnet.ip_version, subnet_tag(subnet.id), name, *values)
    options.add(f"subnet {subnet.id}", name, line)


def announces_no_dns(subnet: Subnet) -> bool:
    """Whether the subnet's only DNS server is the "any" address, which stands for "announce none"."""
    if len(subnet.dns_nameservers) != 1:
        return False
    server = subnet.dns_nameservers[0]
    if subnet.ip_version == 4:
        return server == "0.0.0.0"
    return ":" in server and not int(IPv6Address(server))


def _literal(ip_version: int, addresses: Iterable[str]) -> list[str]:
    return [f"[{address}]" if ip_version == 6 else address for address in addresses]


class _Routes:
    """Gateways and classless routes of the IPv4 subnets of one instance."""

    def __init__(
        self, view: InstanceView, ports: Sequence[Port], settings: Settings, interface_addresses: Iterable[str]
    ) -> None:
        self.view = view
        self.settings = settings
        self.routed = routed_subnets(view.all_subnets, ports)
        self.ovn_addresses = _ovn_metadata_addresses(view.network.id, ports)
        self.own_addresses = _own_addresses(view.subnets, interface_addresses)
        self.ipv4 = [subnet for subnet in view.all_subnets if subnet.ip_version == 4]

    def gateway(self, subnet: Subnet) -> str | None:
        """The subnet's gateway, else the next hop of its first default route."""
        defaults = (route.nexthop for route in subnet.host_routes if route.destination == _DEFAULT_ROUTE)
        return subnet.gateway_ip or next(defaults, None)

    def of(self, subnet: Subnet) -> list[str]:
        """The classless routes of a subnet, in RFC 3442's order of use: what is on the link first, the default last."""
        routes = [
            f"{route.destination},{route.nexthop}"
            for route in subnet.host_routes
            if route.destination != _DEFAULT_ROUTE
        ]
        metadata = self._metadata_server(subnet)
        if metadata:
            routes.append(f"{METADATA_V4_CIDR},{metadata}")
        on_link = [
            f"{other.cidr},0.0.0.0"
            for other in reversed(self.ipv4)
            if other.cidr != subnet.cidr and other.segment_id == subnet.segment_id
        ]
        gateway = self.gateway(subnet)
        routes = on_link + routes
        if routes and gateway:
            routes.append(f"{_DEFAULT_ROUTE},{gateway}")
        return routes

    def _metadata_server(self, subnet: Subnet) -> str | None:
        """Where clients of a subnet find 169.254.169.254: OVN's port, this DHCP server, or their router."""
        ovn = self.ovn_addresses.get(subnet.id)
        if ovn:
            return ovn
        isolated = subnet.id not in self.routed
        if self.settings.force_metadata or (isolated and self.settings.enable_isolated_metadata):
            return self.own_addresses.get(subnet.id)
        return None if isolated else self.gateway(subnet)


def _ovn_metadata_addresses(network_id: str, ports: Sequence[Port]) -> dict[str, str]:
    """Subnet id to address of the network's OVN metadata port."""
    for port in ports:
        if port.device_owner == DEVICE_OWNER_DISTRIBUTED and port.device_id == OVN_METADATA_PREFIX + network_id:
            # Reversed: of several addresses in a subnet the first is meant.
            return {fixed_ip.subnet_id: fixed_ip.ip_address for fixed_ip in reversed(port.fixed_ips)}
    return {}


def _own_addresses(subnets: Sequence[Subnet], interface_addresses: Iterable[str]) -> dict[str, str]:
    """Subnet id to the DHCP device's address in it; among several, the last."""
    by_range = {subnet.range: subnet.id for subnet in subnets}
    own = {}
    for index, cidr in enumerate(interface_addresses):
        try:
            subnet_id = by_range.get(parse_cidr(cidr))
        except ValueError:
            raise PayloadError(f"interface_addresses[{index}]", "an address like 10.0.0.2/24", shown(cidr)) from None
        if subnet_id is not None:
            own[subnet_id] = cidr.partition("/")[0]
    return own


# -- DNS servers of a subnet that names none


def shared_dns_options(view: InstanceView, ports: Sequence[Port]) -> OptionLines:
    """Where a subnet names no DNS server, its clients ask dnsmasq; where several serve it, they are told of all."""
    unnamed = {
        subnet.id
        for subnet in view.all_subnets
        if subnet.enable_dhcp and not subnet.dns_nameservers
        if not (subnet.ip_version == 6 and subnet.ipv6_address_mode == SLAAC)
    }
    servers: dict[str, list[str]] = {}
    for port in ports:
        if port.device_owner == DEVICE_OWNER_DHCP:
            for fixed_ip in port.fixed_ips:
                if fixed_ip.subnet_id in unnamed:
                    servers.setdefault(fixed_ip.subnet_id, []).append(fixed_ip.ip_address)
    options = _Options()
    for subnet_id, addresses in servers.items():
        for ip_version in (4, 6):
            family = [address for address in addresses if (":" in address) == (ip_version == 6)]
            if len(family) > 1:
                value = ",".join(_literal(ip_version, family))
                line = option_line(ip_version, subnet_tag(subnet_id), "dns-server", value)
                options.add(f"subnet {subnet_id}", "dns-server", line)
    return OptionLines(options.lines, options.warnings)


# -- options of ports


def port_options(port: Port) -> OptionLines:
    """The options of one port, of the IP versions it has addresses of; its client id is no option but a key."""
    options = _Options()
    versions = {6 if ":" in fixed_ip.ip_address else 4 for fixed_ip in port.fixed_ips}
    for option in port.extra_dhcp_opts:
        if option.ip_version in versions and not option.is_client_id:
            _port_option(port, option, options)
    return OptionLines(options.lines, options.warnings)


def _port_option(port: Port, option: ExtraDhcpOption, options: _Options) -> None:
    subject, tag, label = f"port {port.id}", port_tag(port.id), shown(option.opt_name)
    injected = _injection(option)
    if injected is not None:
        options.warn("option-injection", subject, f"option {label} is left out: {injected}")
        return
    line = option_line(option.ip_version, tag, option.opt_name, option.opt_value)
    if option.opt_value == "" and option_line_problem(line) is not None:
        # "option:router," is refused, "option:router" tells dnsmasq to announce no router (man page, --dhcp-option).
        blank = option_line(option.ip_version, tag, option.opt_name)
        if option_line_problem(blank) is None:
            options.warn("option-blank", subject, f"option {label} is written without a value")
            options.lines.append(blank)
            return
    if "\n" in option.opt_name or "\n" in option.opt_value:
        # As Neutron has it since Launchpad 1939733 and 1943930.
        options.warn("option-cut", subject, f"option {label} ends at its first line break")
    options.add(subject, label, line)


def _injection(option: ExtraDhcpOption) -> str | None:
    """Why an option's name would add fields of its own to the line, if it would."""
    tags, name = _split_name(option.opt_name)
    if "," in name or (tags and not all(tag.startswith("tag:") for tag in tags.split(","))):
        return "its name holds more than tags and a name"
    if option.ip_version == 4 and name.isdigit() and not name.isascii():
        # str.isdigit() takes other scripts' digits for a number, and dnsmasq such a number for one more tag: the value
        # would be read as the option.
        return "its number is not written in ASCII digits"
    return None
