"""A port's lines in the host and addn_hosts files.

Knows dnsmasq's reservation line (``MAC,tag,id:CLIENT,NAME,ADDRESS,set:TAG``) and Neutron's order of lines, on which
dnsmasq's choice between two lines of one MAC depends.  Every line returned is one that dnsmasq reads as it is meant;
what had to be repaired or left out for that is told in warnings.  One port at a time: what two ports may not both have
(an IPv4 address) is told by `taken`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from dhcpcore.model.port import FixedIP, Port
from dhcpcore.model.spec import Warning
from dhcpcore.render.names import address_name, assignments
from dhcpcore.render.rules import AddressRule, LineRules
from dhcpcore.render.syntax import client_id_problem, host_line_problem

# No line of 1024 bytes holds more than this many IPv6 addresses.
_MOST_ADDRESSES: Final = 1024 // len("[::],")


class PortLines(NamedTuple):
    """Lines of one port, without their ends.

    `reserved` are the IPv4 addresses in the host lines, in order.
    """

    host: list[str]
    addn_hosts: list[str]
    reserved: list[str]
    warnings: list[Warning]


class _Group(NamedTuple):
    """Addresses that share a reservation line."""

    addresses: list[str]
    rule: AddressRule


def port_tag(port_id: str) -> str:
    """The tag that a port's reservation sets and its options require; a function of the id only (Launchpad 1848738)."""
    return f"port-{port_id}"


def ordered_fixed_ips(port: Port, rules: LineRules) -> Sequence[FixedIP]:
    """A port's fixed IPs, those of stateless IPv6 subnets first.

    dnsmasq takes the last matching line, and its line for a stateless subnet holds no address: were it the last, the
    client would get none for IPv4 (Launchpad 1466144).
    """
    return sorted(port.fixed_ips, key=lambda fixed_ip: not rules.rule(fixed_ip.subnet_id).stateless)


def port_lines(port: Port, rules: LineRules, taken: Collection[str] = ()) -> PortLines:
    """The lines of one port that `requires_dhcp_configuration`.

    Args:
        taken: IPv4 addresses that earlier lines of the host file reserve: dnsmasq refuses a second one ("duplicate
            dhcp-host IP address", src/option.c).
    """
    lines = PortLines([], [], [], [])
    fixed_ips = ordered_fixed_ips(port, rules)
    assigned = assignments(port)
    named_in_reservation: set[str] = set()
    reserved: set[str] = set()
    client_id, client_id_note = _client_id(port)
    for group in _groups(fixed_ips, rules):
        if group.rule.stateless and port.extra_dhcp_opts:
            lines.host.append(f"{port.mac_address},{_family_tag(group.rule, rules)}set:{port_tag(port.id)}")
        if not group.rule.reserved:
            continue
        ipv4 = [address for address in group.addresses if ":" not in address]
        again = [address for address in ipv4 if address in taken or address in reserved]
        if again:
            message = f"{again[0]} has an earlier reservation: it gets no second one"
            lines.warnings.append(_warning("address-duplicate", port, message))
            continue
        named_in_reservation.add(group.addresses[0])
        name = address_name(assigned, group.addresses[0], rules, reserved=True)
        line = _reservation(port, group, rules, name.fqdn, client_id, lines.warnings)
        if line is not None:
            if len(group.addresses) > 1 and ipv4[:1] == group.addresses[:1]:
                # Neutron names a list by what stands before its first bracket, here more than one address.
                others = "its list begins with an IPv4 address, and the others would be fields of the name"
                message = f"{group.addresses[0]} is named {name.fqdn}: {others}"
                lines.warnings.append(_warning("host-name-replaced", port, message))
            lines.host.append(line)
            lines.reserved.extend(ipv4)
            reserved.update(ipv4)
    # Without a reservation there is no line that would have had it.
    if client_id_note is not None and named_in_reservation:
        lines.warnings.append(client_id_note)

    for fixed_ip in fixed_ips:
        address = fixed_ip.ip_address
        name = address_name(assigned, address, rules, reserved=address in named_in_reservation)
        # The full name goes first: it is what a reverse query is answered with.
        lines.addn_hosts.append(f"{address}\t{name.fqdn} {name.hostname}")
        if name.problem is not None:
            lines.warnings.append(
                _warning("host-name-replaced", port, f"{address} is named {name.fqdn}: {name.problem}")
            )
    return lines


def _warning(code: str, port: Port, message: str) -> Warning:
    return Warning(code=code, subject=f"port {port.id}", message=message)


def _groups(fixed_ips: Sequence[FixedIP], rules: LineRules) -> list[_Group]:
    """One group per address, or one per stateful subnet where dnsmasq may be given lists (Launchpad 1861032)."""
    groups: list[_Group] = []
    lists: dict[str, _Group] = {}
    for fixed_ip in fixed_ips:
        rule = rules.rule(fixed_ip.subnet_id)
        if rules.addr6_list and rule.stateful:
            lists.setdefault(fixed_ip.subnet_id, _Group([], rule)).addresses.append(fixed_ip.ip_address)
        else:
            groups.append(_Group([fixed_ip.ip_address], rule))
    return groups + list(lists.values())


def _family_tag(rule: AddressRule, rules: LineRules) -> str:
    """Keeps dnsmasq from answering DHCPv4 from an IPv6 line and the other way round (Launchpad 1876094)."""
    return "tag:dhcpv6," if rule.ipv6 and rules.host_tags else ""


def _client_id(port: Port) -> tuple[str, Warning | None]:
    """A port's client id, empty where it has none or one that would not stay one field."""
    client_id = port.client_id
    if not client_id:
        return "", None
    problem = client_id_problem(client_id)
    if problem is None:
        return client_id, None
    return "", _warning("client-id-dropped", port, f"served by its MAC address: {problem}")


def _reservation(
    port: Port, group: _Group, rules: LineRules, fqdn: str, client_id: str, warnings: list[Warning]
) -> str | None:
    """The reservation of a group's addresses; None where dnsmasq could not read it.

    A line that is too long gives up its client id, then whole addresses from its end.
    """
    # Neutron: a client id that is the port's only option leaves nothing for the tag to select.
    tagged = bool(port.extra_dhcp_opts) and not (port.client_id and len(port.extra_dhcp_opts) == 1)
    start = f"{port.mac_address},{_family_tag(group.rule, rules)}"
    end = f",set:{port_tag(port.id)}" if tagged else ""
    addresses = [f"[{address}]" if ":" in address else address for address in group.addresses]
    problem = None
    for key, count in _ever_shorter(f"id:{client_id}," if client_id else "", len(addresses)):
        line = f"{start}{key}{fqdn},{','.join(addresses[:count])}{end}"
        given_up, problem = problem, host_line_problem(line)
        if problem is None:
            if client_id and not key:
                warnings.append(_warning("client-id-dropped", port, f"served by its MAC address: {given_up}"))
            if count < len(addresses):
                message = f"only the first {count} of {len(addresses)} addresses in a subnet are reserved: {given_up}"
                warnings.append(_warning("addresses-left-out", port, message))
            return line
    warnings.append(_warning("reservation-dropped", port, f"{group.addresses[0]} is not served: {problem}"))
    return None


def _ever_shorter(key: str, count: int) -> Iterator[tuple[str, int]]:
    """What of a reservation to try: its client id's field and how many of its addresses."""
    if key:
        yield key, count
    yield "", count
    for fewer in range(min(count - 1, _MOST_ADDRESSES), 0, -1):
        yield "", fewer
