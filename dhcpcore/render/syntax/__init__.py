"""dnsmasq's grammar (2.90): what it would refuse, split, misread or die of, known before anything is written.

Each function takes text without a newline and returns None when it is fine, else one short reason in English that
never repeats the text. Where dnsmasq logs an error, the reason is what it logs.
"""

from __future__ import annotations

from dhcpcore.render.syntax.arguments import argument_problem
from dhcpcore.render.syntax.hosts import (
    client_id_problem,
    duplicate_host_addresses,
    host_line_problem,
    tag_problem,
)
from dhcpcore.render.syntax.leases import harms_no_other_lease, lease_line_problem
from dhcpcore.render.syntax.names import addn_name_problem, hostname_problem
from dhcpcore.render.syntax.options import option_line_problem
from dhcpcore.render.syntax.reader import DEADLY

__all__ = [
    "DEADLY",
    "addn_name_problem",
    "argument_problem",
    "client_id_problem",
    "duplicate_host_addresses",
    "harms_no_other_lease",
    "host_line_problem",
    "hostname_problem",
    "lease_line_problem",
    "option_line_problem",
    "tag_problem",
]
