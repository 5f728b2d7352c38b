"""One dnsmasq instance as it should run: files, command line and device together."""

from __future__ import annotations

from attrs import evolve, frozen

from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec, InstanceView
from dhcpcore.render.argv import CommandLine, beside_others, instance_directory
from dhcpcore.render.device import render_device
from dhcpcore.render.files import render_files
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Templates
from dhcpcore.render.rows import Rows
from dhcpcore.render.views import segment_warnings


@frozen(kw_only=True, eq=False)
class Rendered:
    """What a rendering leaves for the next one, in `InstanceSpec.lines`.

    Attributes:
        network: what was rendered, known again by its identity; inputs: all else that it was rendered from.
        spec: what came of it, without `lines`.
    """

    network: Network
    inputs: tuple[object, ...]
    spec: InstanceSpec
    rows: Rows


def render_instance(
    view: InstanceView,
    *,
    dhcp_port: Port,
    settings: Settings,
    capabilities: DnsmasqCapabilities = DnsmasqCapabilities(),
    bridged: bool = True,
    use_gateway_ips: bool = False,
    ipv6: bool = True,
    templates: Templates | None = None,
    reuse: InstanceSpec | None = None,
    shared: bool = False,
) -> InstanceSpec:
    """The spec of one instance.

    Args:
        dhcp_port: our DHCP port on the network, which has it among its ports.
        bridged, use_gateway_ips: what the interface driver does, see `render_files` and `render_device`.
        ipv6: whether this host has IPv6.
        reuse: the spec this one replaces: what did not change is taken from there, lines of ports or all of it.
        shared: whether other instances of the network serve on this host: all are in the network's one namespace.

    Raises:
        SettingsError: a template handed in by the user cannot be rendered.
    """
    before = reuse.lines if reuse is not None and isinstance(reuse.lines, Rendered) else None
    of = (view.key, view.subnets, view.segment, dhcp_port)
    inputs = (*of, settings, capabilities, bridged, use_gateway_ips, ipv6, templates, shared)
    # Most plans ask about instances of which only what is served has changed, or is found to be as it was.  The very
    # same network: to compare equal ones takes longer than to render one.
    if before is not None and before.network is view.network and before.inputs == inputs:
        return evolve(before.spec, lines=before)
    device = render_device(view, dhcp_port, settings, use_gateway_ips=use_gateway_ips, ipv6=ipv6)
    files = render_files(
        view,
        settings=settings,
        interface_name=device.name,
        interface_addresses=device.addresses,
        bridged=bridged,
        capabilities=capabilities,
        templates=templates or DEFAULT_TEMPLATES,
        reuse=before.rows if before is not None else None,
    )
    command = CommandLine(argv=files.argv, warnings=files.warnings)
    if shared:
        command = beside_others(command, device.name, view.network.id)
        device = evolve(device, shared=True)
    spec = InstanceSpec(
        key=view.key,
        directory=instance_directory(view, settings),
        process_tag=f"dnsmasq-{view.key.directory}",
        argv=command.argv,
        host=files.host,
        addn_hosts=files.addn_hosts,
        opts=files.opts,
        device=device,
        view=view,
        warnings=segment_warnings(view) + command.warnings,
        leases_template=templates.leases if templates is not None else None,
    )
    return evolve(spec, lines=Rendered(network=view.network, inputs=inputs, spec=spec, rows=files.lines))
