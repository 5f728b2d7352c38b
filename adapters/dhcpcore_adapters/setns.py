"""Entering a network namespace: by a thread of its own, which ends afterwards.

Knows setns(2) and nothing of names, devices or processes.  setns(2) moves a thread and no other: no process is started
to get in, and nobody else ever sees another network than his own.  A thread that could not find its way back would do
the next errand in the wrong network, so none is used for an errand outside afterwards.  What is made inside belongs to
the namespace wherever it is used later: a socket opened in there may be handed out, and asked from any thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

CLONE_NEWNET: Final = 0x40000000
# ioctl_ns(2): which kind of namespace a descriptor is of.
_NS_GET_NSTYPE: Final = 0xB703
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def in_a_thread(errand: Callable[[], T], name: str = "errand") -> T:
    """Run `errand` in a thread of its own and wait for it; what it returns or raises is passed on."""
    outcome: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(errand())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures.pop()
    return outcome[0]


def enter(path: str) -> None:
    """Move the calling thread, for good, into the network namespace at `path`.

    Raises:
        FileNotFoundError: there is none, or the name leads nowhere; another OSError: the kernel refuses.
    """
    with opened(path) as descriptor:
        if not is_network_namespace(descriptor):
            raise FileNotFoundError(errno.ENOENT, "no network namespace", path)
        # os.setns came with Python 3.12.
        call("setns", ctypes.c_int(descriptor), ctypes.c_int(CLONE_NEWNET), name=path)


def within(path: str, errand: Callable[[], T]) -> T:
    """Run `errand` inside the network namespace at `path`, in a thread of its own.

    Raises:
        FileNotFoundError: there is none, or the name leads nowhere; another OSError: the kernel refuses.
        Exception: whatever `errand` raises.
    """

    def run() -> T:
        enter(path)
        return errand()

    return in_a_thread(run, f"in {os.path.basename(path)}")


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of the namespace at `path`; it keeps the namespace alive while it is open.

    A symbolic link is none: what is done in one namespace must never reach another one.  Nor is a pipe waited for.

    Raises:
        FileNotFoundError: there is nothing, or a symbolic link; another OSError: the kernel refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FileNotFoundError(errno.ENOENT, "a symbolic link, no network namespace", path) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_network_namespace(descriptor: int) -> bool:
    """Whether an open file is a network namespace, and not a plain file that nothing is mounted on."""
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP):
            return False
        raise  # that it is none is not known


def call(function: str, *arguments: object, name: str | None = None) -> None:
    """A function of the C library that returns 0, or sets errno.

    Args:
        arguments: of ctypes, or None and bytes.
        name: of the file that it is about.

    Raises:
        OSError: it returned something else.
    """
    if getattr(_LIBC, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}", name)
