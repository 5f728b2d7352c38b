"""Opening a file that somebody may have put something else in place of: that never waits, and what it reads is bounded.

Knows open(2); knows nothing of what is in the files.  A FIFO would hold up whoever opens it until somebody writes, a
device may have no end, and a file of some GB need not even be on the disk (lseek(2), of holes).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dhcpcore import AdapterError

#: Bytes that are read of a file: 600,000 leases have 25 MB.
LONGEST: Final = 64 << 20

_AT_LEAST: Final = 4096
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextmanager
def opened_plain(path: str) -> Iterator[int | None]:
    """A descriptor of the file at `path`, for reading.

    None where there is none, or something that is no file: a directory, FIFO, socket, device, or a symbolic link that
    leads nowhere, or to itself.

    Raises:
        OSError: there is one, and it cannot be opened.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) or _is_something_else(path):
            yield None
            return
        raise
    try:
        yield descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def read_plain(path: str) -> bytes | None:
    """All of the file at `path`; None where there is none.

    Raises:
        OSError: it cannot be read.
        AdapterError: it has more than `LONGEST` bytes.
    """
    with opened_plain(path) as descriptor:
        if descriptor is None:
            return None
        size = os.fstat(descriptor).st_size
        parts: list[bytes] = []
        had = 0
        # It may grow meanwhile, and what is no real file system tells no size (proc(5)).
        while size <= LONGEST and (part := os.read(descriptor, size - had + _AT_LEAST)):
            parts.append(part)
            had += len(part)
            size = max(size, had)
    if size > LONGEST:
        said = f"cannot read {path}: it has {size} bytes, and no more than {LONGEST} are read"
        raise AdapterError(f"{said}; move it away, and look for who filled it")
    return b"".join(parts)


def _is_something_else(path: str) -> bool:
    """A socket (ENXIO), a device without a driver, or where there are to be none (EACCES, mount(8), nodev)."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
