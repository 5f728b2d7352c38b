"""Agents that kill themselves between two adapter calls: ``python -m support.agent_that_dies`` starts them on demand.

The agent is `dhcpcore agent`, whole, in a process of its own; only its adapters are wrapped: each call is counted as
two places, right before it and right after it, and at the place that a file names the process sends itself SIGKILL.
So nothing of it runs afterwards, no `finally` and no other thread. This program imports everything once and forks, so
that a start takes what an agent's start takes, and not what Python's takes.

Knows which adapters there are; knows nothing of what they do. The state report is not counted: it comes when its time
has come, and changes nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from dhcpcore_adapters.agent import build, service
from dhcpcore_adapters.apply import Adapters
from dhcpcore_adapters.cli import main
from dhcpcore_adapters.netns.rtnetlink import Rtnetlink

_CONTRACTS: Final = ("server", "processes", "namespaces", "files")


class Places:
    """Counts the places that the agent comes by, while there is a file that says at which of them it is to die.

    Args:
        armed: that file: the number of the place (0: none), and a word that no order before it had.
        trace: gets a line for each place.
    """

    def __init__(self, armed: Path, trace: Path) -> None:
        self._armed = armed
        self._trace = trace
        self._lock = threading.Lock()
        self._order, self._count = "", 0

    def passed(self, what: str) -> None:
        """One of them; does not return when it is the last."""
        try:
            order = self._armed.read_text()
        except FileNotFoundError:
            return
        last = int(order.split()[0])
        with self._lock:
            if order != self._order:
                self._order, self._count = order, 0
            self._count += 1
            with self._trace.open("a") as trace:
                trace.write(f"{what}\n")
            if self._count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, with a place on either side of it; one that raised has none behind it."""

        @wraps(call)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.passed(f"before {name}")
            answer = call(*arguments, **named)
            self.passed(f"after {name}")
            return answer

        return counted


class _Counted:
    def __init__(self, adapter: Any, contract: str, places: Places) -> None:
        self._adapter, self._contract, self._places = adapter, contract, places

    def __getattr__(self, method: str) -> Any:
        return self._places.around(f"{self._contract}.{method}", getattr(self._adapter, method))


def _become(order: dict[str, Any]) -> None:
    """This process is the agent from here on."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, to in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(descriptor, to)
    places = Places(Path(order["armed"]), Path(order["trace"]))

    def built(*arguments: Any, **named: Any) -> Adapters:
        adapters = build.build_adapters(*arguments, **named)
        return evolve(adapters, **{name: _Counted(getattr(adapters, name), name, places) for name in _CONTRACTS})

    service.build_adapters = built  # type: ignore[attr-defined]
    if order["kernel"]:
        # Inside the adapters too: each change that the kernel is asked for, and each file that takes another's place.
        Rtnetlink.change = places.around("kernel.change", Rtnetlink.change)  # type: ignore[method-assign]
        os.replace = places.around("os.replace", os.replace)
    os._exit(main(order["argv"]))


def serve() -> None:
    """Answer orders, a line of JSON each: ``start`` with a pid, ``look`` with an exit status or null while it runs."""
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            pid = os.fork()
            if pid == 0:
                _become(order)
            print(pid, flush=True)
        else:
            ended, status = os.waitpid(order["pid"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if ended else None), flush=True)


if __name__ == "__main__":
    serve()
