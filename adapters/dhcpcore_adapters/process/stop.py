"""Ending processes: asked first, then made to, and always waited for.

Knows signals and pidfds; knows nothing of what the processes are.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import ExitStack

from dhcpcore import AdapterError, ObservedProcess
from dhcpcore_adapters.process import children
from dhcpcore_adapters.process.proc import Handle


def stop(
    asked: Sequence[ObservedProcess], at_once: Sequence[ObservedProcess] = (), *, what: str, patience: float
) -> None:
    """SIGTERM to those that are asked, SIGKILL to what lives after `patience` seconds; returns when all have ended.

    One that somebody has stopped (SIGSTOP) goes on, and ends.

    Args:
        at_once: those that get SIGKILL without being asked.

    Raises:
        AdapterError: one does not end even so, or may not be signalled.
    """
    with ExitStack() as stack:
        to_ask = _handles(asked, stack)
        handles = [*to_ask, *_handles(at_once, stack)]
        try:
            for handle in to_ask:
                handle.send(signal.SIGTERM)
                handle.send(signal.SIGCONT)  # one that is stopped hears nothing before
            if not all(handle.ended(patience) for handle in to_ask) or at_once:
                for handle in handles:
                    handle.send(signal.SIGKILL)
        except PermissionError:
            raise AdapterError(f"{what} runs as another user; run the agent as root") from None
        for handle in handles:
            if not handle.ended(patience):
                message = f"{what}: process {handle.pid} does not end on SIGKILL: it hangs in the kernel"
                raise AdapterError(f"{message}; look at /proc/{handle.pid}/stack")
            children.let_go(handle)


def _handles(processes: Sequence[ObservedProcess], stack: ExitStack) -> list[Handle]:
    handles = []
    for each in processes:
        try:
            handles.append(stack.enter_context(Handle(each.pid, each.started)))
        except ProcessLookupError:
            continue
    return handles
