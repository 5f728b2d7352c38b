"""Ways to a server: calls one way, notifications the other.

`load_transport` finds one by name, `InProcessTransport` is for those who have the server at hand.  For authors of
transports there are `Transport`, `Listener`, `Calls` and `refused`; for authors of servers `Plugin` and `RpcRefusal`,
and `dhcpcore_adapters.rpc.endpoint`, which needs Starlette.
"""

from __future__ import annotations

from dhcpcore_adapters.rpc.calls import Calls
from dhcpcore_adapters.rpc.in_process import InProcessTransport
from dhcpcore_adapters.rpc.plugin import METHODS, Notify, Plugin, RpcRefusal
from dhcpcore_adapters.rpc.refusals import refused
from dhcpcore_adapters.rpc.telling import Teller
from dhcpcore_adapters.rpc.transport import CallsAlone, Listener, Transport, load_transport, start_calls

__all__ = [
    "METHODS",
    "Calls",
    "CallsAlone",
    "InProcessTransport",
    "Listener",
    "Notify",
    "Plugin",
    "RpcRefusal",
    "Teller",
    "Transport",
    "load_transport",
    "refused",
    "start_calls",
]
