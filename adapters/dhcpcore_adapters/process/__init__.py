"""Real processes: dnsmasq and haproxy in network namespaces, what is installed, and who has died.

Linux 5.4 or later (pidfds). See docs/processes.md.
"""

from __future__ import annotations

from dhcpcore_adapters.process.capabilities import probe_dnsmasq
from dhcpcore_adapters.process.children import become_subreaper
from dhcpcore_adapters.process.control import LinuxProcessControl
from dhcpcore_adapters.process.spawn import ended_with, find_program
from dhcpcore_adapters.process.watcher import DeathWatcher

__all__ = [
    "DeathWatcher",
    "LinuxProcessControl",
    "become_subreaper",
    "ended_with",
    "find_program",
    "probe_dnsmasq",
]
