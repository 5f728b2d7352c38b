"""A process that a signal has stopped (SIGSTOP): nothing can be waited for from it, so nobody waits.

Knows that the core looks at the host after an action that failed, and starts such a process anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.process import proc

#: Seconds in which a process may go on: shells and debuggers stop one for a moment.
_MOMENT: Final = 0.5


def refuse_stopped(pid: int, what: str) -> None:
    """Return at once for a process that runs, or has gone; wait a moment for one that is stopped to go on.

    Raises:
        AdapterError: it does not go on.
    """
    if not those_that_stay([pid]):
        return
    raise AdapterError(
        f"{what} is stopped (SIGSTOP): process {pid} does nothing until it gets SIGCONT; "
        "the agent starts it anew when it next looks at the host"
    )


def those_that_stay(pids: Iterable[int]) -> set[int]:
    """Those of some processes that are stopped, and do not go on within a moment, all of them in the same one."""
    left = {pid for pid in pids if _is_stopped(pid)}

    def all_go_on() -> bool:
        # One that went on once is let go, whatever it is a moment later: cpulimit(1) stops and continues all the time.
        left.difference_update([pid for pid in left if not _is_stopped(pid)])
        return not left

    if left:
        proc.wait_until(all_go_on, _MOMENT, 0.01)
    return left


def _is_stopped(pid: int) -> bool:
    now = proc.status(pid)
    return now is not None and now.is_stopped
