"""A handle on a process that cannot be looked at leaves no descriptor behind: there may be none left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from dhcpcore import AdapterError, ObservedProcess
from dhcpcore_adapters.process import DeathWatcher, proc, watcher


def out_of_descriptors(*_: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def open_one() -> None:
    with pytest.raises(OSError, match="Too many open files"):
        proc.Handle(os.getpid())


def watch_one() -> None:
    process = ObservedProcess(program="dnsmasq", owner="net", pid=os.getpid(), argv=("dnsmasq",))
    with (
        DeathWatcher(lambda process, code: None) as watching,
        pytest.raises(AdapterError, match="are there descriptors left"),
    ):
        watching.watch(process)


@pytest.mark.parametrize("module, name, do", [(proc, "status", open_one), (watcher, "command_line", watch_one)])
def test_nothing_is_left_open(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, do: Callable[[], None]) -> None:
    before = descriptors()
    monkeypatch.setattr(module, name, out_of_descriptors)
    do()
    assert descriptors() == before
