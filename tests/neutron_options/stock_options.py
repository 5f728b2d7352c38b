"""Every option that neutron-dhcp-agent has registered by the time it serves, as JSON on stdout.

Run by a Python that has Neutron (`make parity` makes one).  Each as ``group.option``: its default; null where that is
the host's or the program's own name.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from typing import Any

#: Defaults that are another one on every machine.
_OF_THE_HOST = {
    "DEFAULT.host",
    "DEFAULT.my_ip",
    "DEFAULT.my_ipv6",
    "oslo_messaging_rabbit.hostname",
    "oslo_messaging_rabbit.processname",
}


def _registered() -> dict[str, Any]:
    import oslo_messaging  # type: ignore[import-untyped]
    from neutron.agent import dhcp_agent  # type: ignore[import-not-found]
    from neutron.common import config as common  # type: ignore[import-not-found]
    from neutron.conf.agent import common as agent  # type: ignore[import-not-found]
    from neutron_lib import rpc  # type: ignore[import-not-found]
    from oslo_config import cfg
    from oslo_service import service  # type: ignore[import-untyped]

    # What its main function does, up to where it would serve.
    dhcp_agent.register_options(cfg.CONF)
    common.init(["--config-file", "/dev/null"])
    common.setup_gmr()
    agent.setup_privsep()
    # What its parts register when they are imported, and made.
    import neutron.agent.dhcp.agent  # type: ignore[import-not-found]
    import neutron.agent.linux.interface  # type: ignore[import-not-found]
    import neutron.agent.ovsdb.native.connection  # type: ignore[import-not-found]  # noqa: F401

    target = oslo_messaging.Target(topic="topic", server="server")
    rpc.get_server(target, [])
    rpc.get_client(target)
    service.ServiceLauncher(cfg.CONF)

    groups = {"DEFAULT": cfg.CONF._opts, **{name: group._opts for name, group in cfg.CONF._groups.items()}}
    found: dict[str, Any] = {}
    for group, options in groups.items():
        for known in options.values():
            option = known["opt"]
            name = f"{group}.{option.name.replace('-', '_')}"
            found[name] = None if name in _OF_THE_HOST else option.default
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        options = _registered()
    print(json.dumps(options, indent=1, sort_keys=True, default=str))
