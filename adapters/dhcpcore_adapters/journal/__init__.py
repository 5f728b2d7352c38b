"""The journal on disk: written beside a running agent, read for ``dhcpcore replay``.

Knows files, compression and one thread; what the lines say is the core's (`dhcpcore.journal`).
"""

from __future__ import annotations

from dhcpcore_adapters.journal.reader import JournalFiles, Unreadable
from dhcpcore_adapters.journal.writer import JournalWriter

__all__ = ["JournalFiles", "JournalWriter", "Unreadable"]
