"""The names of a port's addresses.

Neutron's DNS integration gives a name for each address (dns_assignment); an address without one gets a generated name.
A name that dnsmasq would refuse, or read as something else than a name, is replaced by the generated one, in host and
addn_hosts alike: forward and reverse names must agree (Launchpad 1826419).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from dhcpcore.model.port import DnsAssignment, Port
from dhcpcore.render.rules import LineRules
from dhcpcore.render.syntax import addn_name_problem, hostname_problem

# A domain name's (RFC 1035 section 2.3.4).  dnsmasq takes longer ones, and counts their length in one byte when it
# answers (option 81, src/rfc2131.c do_options).  With this limit a reservation without a client id fits its 1024 bytes.
_LONGEST_NAME: Final = 255


class Name(NamedTuple):
    """The short and the full name of an address; `problem` says why they are not those that the server gave."""

    hostname: str
    fqdn: str
    problem: str | None = None


def generated_name(address: str, rules: LineRules) -> Name:
    """``host-`` and the address, separators replaced by hyphens."""
    hostname = "host-" + address.replace(".", "-").replace(":", "-")
    return Name(hostname, hostname + rules.suffix)


def assignments(port: Port) -> dict[str, DnsAssignment]:
    """What the server assigned to each address of a port; of two assignments for one address the last."""
    return {assignment.ip_address: assignment for assignment in port.dns_assignment or ()}


def address_name(assigned: Mapping[str, DnsAssignment], address: str, rules: LineRules, *, reserved: bool) -> Name:
    """The name of one address of the port that `assigned` are the assignments of.

    Args:
        reserved: whether a line of the host file carries the name: its fields are told apart by what they look like
            (dnsmasq src/option.c, --dhcp-host), so a name must not look like an address, a time or a keyword there.
    """
    given = assigned.get(address)
    if given is None or given.hostname is None:
        return generated_name(address, rules)
    hostname = given.hostname
    # Neutron formats a missing name as text; a server that gives a host name gives the full one too.
    fqdn = str(given.fqdn)
    problem = names_problem(hostname, fqdn, reserved=reserved)
    if problem is None:
        return Name(hostname, fqdn)
    return generated_name(address, rules)._replace(problem=problem)


def names_problem(hostname: str, fqdn: str, *, reserved: bool) -> str | None:
    """Why an address cannot have these names.  An empty name is none, which both files may say."""
    if reserved and fqdn:
        if len(fqdn) > _LONGEST_NAME:
            return f"longer than {_LONGEST_NAME} bytes"
        if (problem := hostname_problem(fqdn)) is not None:
            return problem
    for name in (fqdn, hostname):
        if name and (problem := addn_name_problem(name)) is not None:
            return problem
    return None


def plain_name(port: Port, address: str, rules: LineRules) -> tuple[str, str] | None:
    """Host name and FQDN of a port's only address, None where they are neither generated nor beyond doubt."""
    if not port.dns_assignment:
        # As `generated_name`, for an IPv4 address, spelt out: this is called once for each of 10,000 ports.
        hostname = "host-" + address.replace(".", "-")
        return hostname, hostname + rules.suffix
    given = port.dns_assignment[0]
    if len(port.dns_assignment) > 1 or given.ip_address != address or not given.hostname or not given.fqdn:
        return None
    if names_problem(given.hostname, given.fqdn, reserved=True) is not None:
        return None
    return given.hostname, given.fqdn
