"""The process adapter over a host of a test's own, and an instance that has a reservation."""

from __future__ import annotations

from typing import Final

from dhcpcore import InstanceSpec
from dhcpcore_adapters.process import LinuxProcessControl
from support.real_instances import Host

MAC: Final = "fa:16:3e:00:00:05"
#: Far longer than any start or reload takes.
SECONDS: Final = 60.0


def control(host: Host, *, stop_seconds: float = 5, reload_seconds: float = SECONDS) -> LinuxProcessControl:
    """The adapter, for the directories of `host`."""
    return LinuxProcessControl(
        dhcp_confs=host.dhcp_confs,
        proxy_config_dir=host.proxy_config_dir,
        stop_seconds=stop_seconds,
        reload_seconds=reload_seconds,
        start_seconds=SECONDS,
    )


def reserved(host: Host, segmentation: str | None = None) -> InstanceSpec:
    """An instance on which the client `MAC` has 10.77.1.5."""
    spec = host.instance(1, segmentation)
    host.write_hosts(spec, {MAC: "10.77.1.5"})
    return spec
