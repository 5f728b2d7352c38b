"""Letting dnsmasq read its files: it reads them after it has dropped its privileges, and says of one that it cannot
read no more than a line in the log, while its clients go without options.

Knows which files dnsmasq reads when it is told to reload; knows nothing of what is in them.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

#: What `dhcpcore.InstanceSpec` tells dnsmasq to read.
_NAMES: Final = ("host", "addn_hosts", "opts")
_EVERYBODY: Final = 0o444
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def let_everybody_read(directory: str) -> None:
    """Give the files of an instance back what somebody took of their modes; what links lead to is not touched."""
    for name in _NAMES:
        with suppress(OSError):  # not there, no file, or somebody else's: then it is as it was
            descriptor = os.open(f"{directory}/{name}", _FLAGS)
            try:
                found = os.fstat(descriptor)
                is_ours = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
                if is_ours and found.st_mode & _EVERYBODY != _EVERYBODY:
                    os.fchmod(descriptor, stat.S_IMODE(found.st_mode) | _EVERYBODY)
            finally:
                os.close(descriptor)
