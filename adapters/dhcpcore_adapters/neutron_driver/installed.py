"""The installed dnsmasq, asked once for each program that is installed while the agent runs."""

from __future__ import annotations

import os
from functools import lru_cache

from dhcpcore import AdapterError, DnsmasqCapabilities
from dhcpcore_adapters.process import find_program, probe_dnsmasq


def installed_dnsmasq() -> DnsmasqCapabilities:
    """What it can do.

    Raises:
        AdapterError: there is none, or it is too old; the message says what to install.
    """
    path = find_program("dnsmasq")
    if path is None:
        return probe_dnsmasq()  # which says what to install
    try:
        found = os.stat(path)
    except OSError as error:
        raise AdapterError(f"{path} cannot be looked at: {error.strerror}") from None
    return _probed(path, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _probed(path: str, inode: int, changed: int) -> DnsmasqCapabilities:
    """One answer for one file: another file, or another time of its last change, is another program."""
    return probe_dnsmasq(path)
