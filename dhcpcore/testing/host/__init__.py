"""A network host in memory, and the adapters that act on it."""

from __future__ import annotations

from dhcpcore.testing.host.disk import DiskError, Inode, MemoryDisk
from dhcpcore.testing.host.files import MemoryFileStore
from dhcpcore.testing.host.kernel import Device, KernelError, Namespace, Process
from dhcpcore.testing.host.leaks import leaks
from dhcpcore.testing.host.memory import MemoryHost
from dhcpcore.testing.host.netns import MemoryNamespaceControl
from dhcpcore.testing.host.processes import MemoryProcessControl

__all__ = [
    "Device",
    "DiskError",
    "Inode",
    "KernelError",
    "MemoryDisk",
    "MemoryFileStore",
    "MemoryHost",
    "MemoryNamespaceControl",
    "MemoryProcessControl",
    "Namespace",
    "Process",
    "leaks",
]
