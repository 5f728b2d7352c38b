"""The leases file that dnsmasq starts with.

Knows dnsmasq's reader (src/lease.c, read_leases): five words a lease, two for the server's DUID, line ends mean nothing
to it.  So one word too many or too few shifts everything after it, a client id that is no hex ends in undefined
behaviour, and more leases than --dhcp-lease-max end the process.  No such file leaves here.

IPv4 leases are made from the ports, so that a client that renews is known (Launchpad 1457900); they never expire before
the client has renewed (Launchpad 2124215).  IPv6 leases cannot be made, their IAIDs are the clients': those of live
ports are kept from the previous file, line by line, but for addresses that another port had then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv6Address
from typing import NamedTuple

from dhcpcore.errors import shown
from dhcpcore.model.checks import is_ipv6
from dhcpcore.model.port import DHCP_CONFIG_NOT_REQUIRED_OWNERS
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView, Warning
from dhcpcore.render.argv import stored_leases_max
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Lines, Templates
from dhcpcore.render.hosts import ordered_fixed_ips
from dhcpcore.render.readback.hosts import HostEntry
from dhcpcore.render.readback.stale import moved_addresses
from dhcpcore.render.rules import UNKNOWN_SUBNET, LineRules
from dhcpcore.render.syntax import harms_no_other_lease


class _Previous(NamedTuple):
    """What an earlier leases file holds that may be kept, each line as it is, without its end."""

    duids: list[str]
    ipv6: dict[IPv6Address, str]
    #: The last line, where it had no end.
    unended: str | None


class _Leases(NamedTuple):
    """Lines of leases, and for each the subnet that its address is of."""

    lines: list[str]
    subnet_ids: list[str]


def render_initial_leases(
    view: InstanceView,
    *,
    settings: Settings,
    previous: str | None = None,
    removed: Iterable[HostEntry] = (),
    templates: Templates = DEFAULT_TEMPLATES,
) -> tuple[str, tuple[Warning, ...]]:
    """The text of a leases file, and what could not be taken into it.

    Args:
        previous: the text of the file it replaces, None where there is none; may be garbage.
        removed: reservations of the dnsmasq that wrote it, of which there are none any more; only their IPv6 addresses
            matter, where they are another port's now: it would not be given them while the old lease lasts.
    """
    rules = LineRules.of(view.all_subnets, settings, host_tags=True)
    lease_max = stored_leases_max(view, settings)
    warnings: list[Warning] = []
    before = _read(previous or "")
    for address in moved_addresses(view.ports, removed):
        before.ipv6.pop(IPv6Address(address), None)
    kept = []
    for line in before.duids:
        if harms_no_other_lease(line):
            kept.append(_ended(line, before, warnings))
        else:
            warnings.append(_warning("lease-dropped", f"no server DUID is kept: {shown(line)}"))
    leases = _lease_lines(view, rules, before, warnings)
    lines = leases.lines
    if lease_max is not None and len(lines) > lease_max:
        message = f"{len(lines)} leases are known and dnsmasq ends at start with more than {lease_max}"
        warnings.append(_warning("leases-left-out", message))
        lines = _most_useful(leases, lease_max, {subnet.id for subnet in view.subnets})
    # Each of them was made of checked parts, or matched as a whole.
    body = Lines("".join([f"{line}\n" for line in kept + lines]))
    text = templates.render("leases", lines=body, network_id=view.network.id, segmentation=view.key.segmentation)
    return text, tuple(warnings)


def _warning(code: str, message: str) -> Warning:
    return Warning(code=code, subject="leases", message=message)


def _read(text: str) -> _Previous:
    # Neutron reads the file as Python does any text file: all three line ends are one.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    unended = lines.pop() or None
    duids: list[str] = []
    ipv6: dict[IPv6Address, str] = {}
    for line in lines if unended is None else [*lines, unended]:
        if line.startswith("duid "):
            duids.append(line)
            continue
        words = line.split(" ")
        if len(words) == 5 and is_ipv6(words[2]):
            ipv6[IPv6Address(words[2])] = line
    return _Previous(duids, ipv6, unended)


def _ended(line: str, before: _Previous, warnings: list[Warning]) -> str:
    """The line, with a warning where it had no end: the next line would have been read as its rest."""
    if line == before.unended:
        warnings.append(_warning("lease-ended", f"the last line had no end: {shown(line)}"))
    return line


def _lease_lines(view: InstanceView, rules: LineRules, before: _Previous, warnings: list[Warning]) -> _Leases:
    served_v6 = {subnet.id for subnet in view.all_subnets if subnet.ip_version == 6 and subnet.enable_dhcp}
    owned: set[str] = set()
    leases = _Leases([], [])
    for port in view.ports:
        if port.device_owner in DHCP_CONFIG_NOT_REQUIRED_OWNERS:
            continue
        for fixed_ip in port.fixed_ips if len(port.fixed_ips) < 2 else ordered_fixed_ips(port, rules):
            address, subnet_id = fixed_ip.ip_address, fixed_ip.subnet_id
            rule = rules.by_subnet.get(subnet_id, UNKNOWN_SUBNET)
            if rule.leased:
                # An address has one owner: a second lease would keep it from the port with the reservation, the first.
                if address in owned:
                    continue
                if ":" not in address:
                    owned.add(address)
                line = f"0 {port.mac_address} {address} * *"
            elif before.ipv6 and ":" in address and subnet_id in served_v6 and not rule.assigned_by_client:
                known = before.ipv6.get(IPv6Address(address))
                if known is None:
                    continue
                if not harms_no_other_lease(known):
                    warnings.append(_warning("lease-dropped", f"a lease of port {port.id} is not kept: {shown(known)}"))
                    continue
                line = _ended(known, before, warnings)
            else:
                continue
            leases.lines.append(line)
            leases.subnet_ids.append(subnet_id)
    return leases


def _most_useful(leases: _Leases, count: int, local: Collection[str]) -> list[str]:
    """The first `count` leases, in order; those of subnets that are served elsewhere give way first."""
    spare = count - sum(subnet_id in local for subnet_id in leases.subnet_ids)
    kept = []
    for line, subnet_id in zip(leases.lines, leases.subnet_ids, strict=True):
        if subnet_id not in local:
            spare -= 1
            if spare < 0:
                continue
        kept.append(line)
    return kept[:count]
