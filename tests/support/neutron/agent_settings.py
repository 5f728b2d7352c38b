"""``neutron.conf`` and ``dhcp_agent.ini`` of a DHCP agent, as an operator has them: of the stock agent and of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from support.neutron.control_plane import ControlPlane
from support.neutron.daemon import ini

#: Options that are not in [DEFAULT].
_SECTIONS: Final = {"report_interval": "AGENT", "root_helper": "AGENT", "check_child_processes_interval": "AGENT"}


def write_settings(folder: Path, server: ControlPlane, *, host: str, broker: str, **options: Any) -> list[str]:
    """Write both files; returns the arguments that name them.

    Args:
        broker: the address by which the agent reaches it.
        options: Neutron's, by name; more than what is set here, and instead of it.
    """
    (folder / "state/lock").mkdir(parents=True, exist_ok=True)
    extra = folder / "dnsmasq.conf"
    # In a user namespace there is one user and one group to be.
    extra.write_text("user=root\ngroup=\n")
    common = {
        "host": host,
        "state_path": folder / "state",
        "transport_url": server.broker.url(broker),
        "dns_domain": "example.org",
    }
    settings: dict[str, Any] = {
        "interface_driver": "bridge",
        "dnsmasq_config_file": extra,
        "metadata_proxy_user": "root",
        "metadata_proxy_group": "root",
        "metadata_proxy_socket": f"/run/metadata-{host}.sock",
        "report_interval": 2,
        **options,
    }
    neutron: dict[str, dict[str, Any]] = {"DEFAULT": common, "oslo_concurrency": {"lock_path": folder / "state/lock"}}
    sections: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        sections.setdefault(_SECTIONS.get(name, "DEFAULT"), {})[name] = value
    arguments = []
    for file, text in (("neutron.conf", ini(neutron)), ("dhcp_agent.ini", ini(sections))):
        (folder / file).write_text(text)
        arguments += ["--config-file", str(folder / file)]
    return arguments
