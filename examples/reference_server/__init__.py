"""A Neutron-shaped server over SQLite: REST for operators, RPC for DHCP agents, in one small process.

An example, and a default for one machine; docs/reference-server.md says what it has and has not.
"""

from __future__ import annotations

from reference_server.core import Neutron
from reference_server.options import OptionError, Options
from reference_server.plugin import DhcpPlugin
from reference_server.schema import DatabaseError
from reference_server.server import ReferenceServer

__all__ = ["DatabaseError", "DhcpPlugin", "Neutron", "OptionError", "Options", "ReferenceServer"]
