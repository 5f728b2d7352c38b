"""Reading back what was rendered: files of an instance, a command line, and the leases that are stale.

Pure and total: every parser takes any text (surrogate escapes included) or any bytes, and never raises.
"""

from __future__ import annotations

from dhcpcore.render.readback.addn_hosts import AddnHost, parse_addn_hosts
from dhcpcore.render.readback.command_line import DnsmasqCommandLine, parse_command_line
from dhcpcore.render.readback.hosts import HostEntry, ipv6_reservations, parse_hosts, removed_hosts
from dhcpcore.render.readback.leases import LeasesFile, parse_lease_line, parse_leases
from dhcpcore.render.readback.opts import OptionEntry, parse_opts
from dhcpcore.render.readback.stale import StaleLeases, moved_addresses, sort_leases, stale_leases

__all__ = [
    "AddnHost",
    "DnsmasqCommandLine",
    "HostEntry",
    "LeasesFile",
    "OptionEntry",
    "StaleLeases",
    "ipv6_reservations",
    "moved_addresses",
    "parse_addn_hosts",
    "parse_command_line",
    "parse_hosts",
    "parse_lease_line",
    "parse_leases",
    "parse_opts",
    "removed_hosts",
    "sort_leases",
    "stale_leases",
]
