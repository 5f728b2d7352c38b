"""Real adapters, wired by hand from settings and options.

The one place that names them all; a composition of your own is as short (see `examples/reference_agent`).
"""

from __future__ import annotations

from pathlib import Path

from dhcpcore import DnsmasqCapabilities, HostCapabilities, Settings
from dhcpcore.contracts import Reporter
from dhcpcore_adapters.agent.options import AgentOptions
from dhcpcore_adapters.apply import Adapters
from dhcpcore_adapters.clock import SystemClock
from dhcpcore_adapters.files import DiskFileStore
from dhcpcore_adapters.netns import InterfaceDriver, NetnsControl, load_driver
from dhcpcore_adapters.process import LinuxProcessControl
from dhcpcore_adapters.rpc import Transport, load_transport


def build_transport(settings: Settings, options: AgentOptions, *, reporter: Reporter) -> Transport:
    """The way to the server, not started; beside its own options every transport is given `host` and `reporter`.

    Raises:
        SettingsError: there is no such transport, or it does not take the options.
    """
    given = {"host": settings.host, "reporter": reporter}
    return load_transport(options.transport, {**given, **options.transport_options})


def build_driver(settings: Settings, options: AgentOptions) -> InterfaceDriver:
    """The interface driver.

    Raises:
        SettingsError: there is no such driver, or it does not take the options.
    """
    return load_driver(settings.interface_driver, options.interface_driver_options, settings)


def build_adapters(
    settings: Settings, options: AgentOptions, *, transport: Transport, driver: InterfaceDriver, reporter: Reporter
) -> Adapters:
    """Everything that an agent works with on this host."""
    return Adapters(
        server=transport.server,
        heartbeat=transport.heartbeat,
        processes=LinuxProcessControl(
            dhcp_confs=settings.confs_dir,
            proxy_config_dir=settings.proxy_config_dir,
            netns_directory=options.netns_directory,
        ),
        namespaces=NetnsControl(driver, options.netns_directory),
        files=DiskFileStore(durable=options.durable_files),
        clock=SystemClock(),
        reporter=reporter,
    )


def speaks_ipv6(setting: Path = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")) -> bool:
    """Whether the kernel has IPv6, and it is not switched off for new devices."""
    try:
        return setting.read_text().strip() == "0"
    except OSError:
        return False


def host_capabilities(dnsmasq: DnsmasqCapabilities, driver: InterfaceDriver) -> HostCapabilities:
    """What this host can do."""
    return HostCapabilities(
        dnsmasq=dnsmasq,
        ipv6_enabled=speaks_ipv6(),
        bridged=bool(getattr(driver, "bridged", True)),
        use_gateway_ips=driver.use_gateway_ips,
    )
