"""Conformance suites: the laws of each contract, for anybody's adapter.

See `dhcpcore.testing.conformance.suite` for how to use one, and docs/testing-your-adapter.md for examples.
"""

from __future__ import annotations

from dhcpcore.testing.conformance.clock import ClockConformance, ClockWorld
from dhcpcore.testing.conformance.file_store import FileStoreConformance, FileStoreWorld
from dhcpcore.testing.conformance.namespace_control import NamespaceControlConformance
from dhcpcore.testing.conformance.namespace_world import DeviceState, NamespaceControlWorld
from dhcpcore.testing.conformance.process_control import ProcessControlConformance, ProcessControlWorld
from dhcpcore.testing.conformance.reporter import ReporterConformance, ReporterWorld
from dhcpcore.testing.conformance.server_rpc import ServerRpcConformance, ServerRpcWorld
from dhcpcore.testing.conformance.suite import Failure, LawBroken, Report, Unsupported, laws, run_suite
from dhcpcore.testing.conformance.worlds import (
    MemoryClockWorld,
    MemoryFileStoreWorld,
    MemoryNamespaceControlWorld,
    MemoryProcessControlWorld,
    MemoryReporterWorld,
    MemoryServerWorld,
)

__all__ = [
    "ClockConformance",
    "ClockWorld",
    "DeviceState",
    "Failure",
    "FileStoreConformance",
    "FileStoreWorld",
    "LawBroken",
    "MemoryClockWorld",
    "MemoryFileStoreWorld",
    "MemoryNamespaceControlWorld",
    "MemoryProcessControlWorld",
    "MemoryReporterWorld",
    "MemoryServerWorld",
    "NamespaceControlConformance",
    "NamespaceControlWorld",
    "ProcessControlConformance",
    "ProcessControlWorld",
    "Report",
    "ReporterConformance",
    "ReporterWorld",
    "ServerRpcConformance",
    "ServerRpcWorld",
    "Unsupported",
    "laws",
    "run_suite",
]
