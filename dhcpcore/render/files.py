"""The files that one dnsmasq instance re-reads, and its command line.

Puts together what the other modules of this package render; decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView, Warning
from dhcpcore.render.argv import command_line
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Lines, Templates
from dhcpcore.render.options import shared_dns_options, subnet_options
from dhcpcore.render.rows import Rows, distinct_rows, render_rows
from dhcpcore.render.rules import LineRules


@frozen(kw_only=True)
class RenderedFiles:
    """The texts of one instance.

    Attributes:
        argv: dnsmasq's command line, the program's name first.
        lines: what the next rendering can reuse; hand it on as it is.
    """

    host: str
    addn_hosts: str
    opts: str
    argv: tuple[str, ...]
    warnings: tuple[Warning, ...] = ()
    lines: Rows = field(eq=False, repr=False)


def render_files(
    view: InstanceView,
    *,
    settings: Settings,
    interface_name: str,
    interface_addresses: Sequence[str],
    bridged: bool = True,
    capabilities: DnsmasqCapabilities = DnsmasqCapabilities(),
    templates: Templates = DEFAULT_TEMPLATES,
    reuse: Rows | None = None,
) -> RenderedFiles:
    """Renders host, addn_hosts, opts and the command line; the leases file is apart (`render_initial_leases`).

    Args:
        interface_name, interface_addresses: the DHCP port's device and its addresses in CIDR notation.
        bridged: whether the interface driver puts taps on a bridge.
        reuse: `RenderedFiles.lines` of an earlier rendering of the same instance.

    Raises:
        PayloadError: an interface address is none.
        SettingsError: a template handed in by the user cannot be rendered.
    """
    rules = LineRules.of(view.all_subnets, settings, host_tags=capabilities.host_tags)
    raw = render_rows(view.ports, rules, reuse)
    rows = distinct_rows(raw)
    noted = [note.port for note in rows.notes]
    by_subnet = subnet_options(view, noted, settings=settings, interface_addresses=interface_addresses)
    shared_dns = shared_dns_options(view, noted)
    options = [*by_subnet.lines, *(line for note in rows.notes for line in note.options), *shared_dns.lines]
    command = command_line(view, settings=settings, interface_name=interface_name, bridged=bridged)

    def frame(name: str, lines: Lines) -> str:
        return templates.render(name, lines=lines, network_id=view.network.id, segmentation=view.key.segmentation)

    return RenderedFiles(
        host=frame("host", Lines(rows.host)),
        addn_hosts=frame("addn_hosts", Lines(rows.addn_hosts)),
        opts=frame("opts", Lines.of(options)),
        argv=command.argv,
        warnings=(
            *rules.warnings,
            *command.warnings,
            *by_subnet.warnings,
            *rows.warnings,
            *shared_dns.warnings,
        ),
        lines=raw,
    )
