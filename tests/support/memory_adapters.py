"""An agent's adapters in memory, over one server and one host."""

from __future__ import annotations

from dhcpcore.contracts import Reporter
from dhcpcore.testing import MemoryFileStore, MemoryHost, MemoryNamespaceControl, MemoryProcessControl, MemoryServer
from dhcpcore_adapters.apply import Adapters


def memory_adapters(server: MemoryServer, host: MemoryHost, reporter: Reporter, name: str) -> Adapters:
    """Those of the agent that the server knows as `name`; the host's clock is its clock."""
    rpc = server.agent(name)
    return Adapters(
        server=rpc,
        heartbeat=rpc,
        processes=MemoryProcessControl(host),
        namespaces=MemoryNamespaceControl(host),
        files=MemoryFileStore(host),
        clock=host.clock,
        reporter=reporter,
    )
