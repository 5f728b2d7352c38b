"""Errands in a network namespace, by its name under /run/netns.

A socket stays in the namespace that it was made in: what is opened by an errand is used from outside. Knows Linux;
knows nothing of DHCP.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from ctypes import CDLL, get_errno
from typing import Final, TypeVar

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000


def in_namespace(name: str | None, action: Callable[[], T]) -> T:
    """Call `action` in a thread inside the namespace; None for the one that we are in.

    Raises:
        OSError: there is no such namespace; and whatever `action` raises.
    """
    if name is None:
        return action()
    results: list[T] = []
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            with open(f"/run/netns/{name}") as file:
                if CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(get_errno(), f"cannot enter the namespace {name}: {os.strerror(get_errno())}")
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
