"""From what a server says about a network to every file and command line that serves it.

    python examples/render_files.py [network.json [settings.json]]

Both files are JSON: a network in wire form, and Neutron's option names.  Prints; writes and starts nothing.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from dhcpcore import (
    PayloadError,
    Settings,
    instance_views,
    parse_network,
    render_files,
    render_initial_leases,
    render_metadata_proxy,
    wants_metadata_proxy,
)

DATA = Path(__file__).parent / "data"


def read(path: str | Path) -> Any:
    return json.loads(Path(path).read_text("utf-8"))


def main(network_path: str | Path = DATA / "network.json", settings_path: str | Path = DATA / "settings.json") -> int:
    settings = Settings.from_mapping(read(settings_path))
    try:
        network = parse_network(read(network_path))
    except PayloadError as error:
        print(f"{network_path}: {error}", file=sys.stderr)  # names the field: ports[3].fixed_ips[0].ip_address: ...
        return 1
    for view in instance_views(network):  # one, or one for each segment of a routed network
        # The DHCP port's device and its addresses; an agent learns them when it claims the port.
        files = render_files(view, settings=settings, interface_name="tap0", interface_addresses=["10.1.0.2/24"])
        leases, lease_warnings = render_initial_leases(view, settings=settings)
        for name, text in [
            ("host", files.host),
            ("addn_hosts", files.addn_hosts),
            ("opts", files.opts),
            ("leases", leases),
            ("command line", shlex.join(files.argv)),
        ]:
            print(f"== {view.key} {name}\n{text.rstrip()}\n")
        for warning in (*files.warnings, *lease_warnings):
            print(f"{warning.subject}: {warning.message} ({warning.code})", file=sys.stderr)
    if wants_metadata_proxy(network, settings):
        proxy = render_metadata_proxy(network, settings=settings, bind_interface=None)
        print(f"== {proxy.config_path}\n{proxy.config}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
