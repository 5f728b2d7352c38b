"""Namespaces and devices on this host: `dhcpcore.contracts.NamespaceControl` over pyroute2.

`NetnsControl` is the adapter; `load_driver` finds the interface driver that it is given.  For authors of drivers there
are `InterfaceDriver` and `within`.  Needs the extra ``agent`` (pyroute2), and Linux.
"""

from __future__ import annotations

from dhcpcore_adapters.pyroute2_parts import prepare

prepare()

from dhcpcore_adapters.netns.bridge import BridgeDriver  # noqa: E402  pyroute2 is put in place above
from dhcpcore_adapters.netns.control import NetnsControl  # noqa: E402
from dhcpcore_adapters.netns.drivers import InterfaceDriver, load_driver  # noqa: E402
from dhcpcore_adapters.netns.namespaces import RUN_NETNS  # noqa: E402
from dhcpcore_adapters.netns.null import NullDriver  # noqa: E402
from dhcpcore_adapters.netns.openvswitch import OpenvswitchDriver  # noqa: E402
from dhcpcore_adapters.setns import within  # noqa: E402

__all__ = [
    "RUN_NETNS",
    "BridgeDriver",
    "InterfaceDriver",
    "NetnsControl",
    "NullDriver",
    "OpenvswitchDriver",
    "load_driver",
    "within",
]
