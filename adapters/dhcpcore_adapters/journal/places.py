"""A journal's files: ``journal-00000001.jsonl.gz`` and so on in one directory, the newest with the highest number.

A file gets its name when its checkpoint is whole; until then it ends in ``.part``.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Final

_NAME: Final = re.compile(r"journal-([0-9]{8,})\.jsonl\.gz").fullmatch
PART: Final = ".part"
#: For one file of full size, how many there may be when they are short: an agent that ends at every start makes many.
_SHORT: Final = 16


def numbered(directory: str) -> dict[int, str]:
    """Paths by number, oldest first; OSError where the directory cannot be read."""
    found = {}
    for name in os.listdir(directory):
        match = _NAME(name)
        if match is not None:
            found[int(match[1])] = os.path.join(directory, name)
    return dict(sorted(found.items()))


def next_path(directory: str) -> str:
    """The path of another file."""
    number = max(numbered(directory), default=0) + 1
    return os.path.join(directory, f"journal-{number:08}.jsonl.gz")


def prune(directory: str, *, size: int, files: int) -> None:
    """Remove the oldest, so that all are no more than `files` of `size` bytes; and what was left unfinished.

    The newest always stays.
    """
    for name in os.listdir(directory):
        if name.endswith(PART) and _NAME(name.removesuffix(PART)):
            os.unlink(os.path.join(directory, name))
    total = 0
    for place, path in enumerate(reversed(numbered(directory).values())):
        with contextlib.suppress(FileNotFoundError):
            total += os.stat(path).st_size
            # The newest is not full yet: room for it to become so.
            if place and (total + size > size * files or place >= files * _SHORT):
                os.unlink(path)
