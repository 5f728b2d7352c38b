"""Errands in a network namespace: what is done there by a thread, without a process of its own.

A socket stays in the namespace that it was made in.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from ctypes import CDLL, get_errno
from typing import Final, TypeVar

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000


def in_namespace(name: str | None, errand: Callable[[], T]) -> T:
    """Call `errand` in a thread inside the namespace; None for the host's own network.

    Raises:
        OSError: there is no such namespace; and whatever `errand` raises.
    """
    if name is None:
        return errand()
    results: list[T] = []
    errors: list[BaseException] = []

    def there() -> None:
        try:
            with open(f"/run/netns/{name}") as file:
                # os.setns came with Python 3.12.
                if CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(get_errno(), f"cannot enter the namespace {name}: {os.strerror(get_errno())}")
            results.append(errand())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
