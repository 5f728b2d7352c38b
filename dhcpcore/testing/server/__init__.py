"""A Neutron server in memory."""

from __future__ import annotations

from dhcpcore.testing.server.dhcp_rpc import MemoryServerRpc
from dhcpcore.testing.server.memory import MemoryServer, ServerCall
from dhcpcore.testing.server.notices import Notices, Notification
from dhcpcore.testing.server.refusals import PERMANENT, Refusal

__all__ = ["PERMANENT", "MemoryServer", "MemoryServerRpc", "Notices", "Notification", "Refusal", "ServerCall"]
