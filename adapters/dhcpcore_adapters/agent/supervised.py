"""What the service manager is told: that the agent serves, that its loop lives, and one line for people (sd_notify(3)).

Knows systemd's protocol: a datagram of assignments to the unix socket that NOTIFY_SOCKET names; without that nothing is
told.  Says nothing by itself and has no thread: the loop calls it after each step, so one that is stuck falls silent,
and a watchdog (WatchdogSec=) ends the agent, which disturbs no dnsmasq.  A service manager that does not read holds
nobody up.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from dhcpcore import AgentState

#: Seconds between two lines for people, however fast they change.
_STATUS_PACE: Final = 1.0


class Supervised:
    """The agent as its service manager sees it.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are looked for here.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = _watchdog_seconds(environment) if self._address else None
        self._ready = False
        self._alive_at = float("-inf")
        self._status = ""
        self._status_at = float("-inf")
        #: Whether there is something to tell that could not be told at the last step.
        self._waiting = False

    def stepped(self, state: AgentState, now: float) -> None:
        """The loop has made a step, and this is what it knows; `now`: monotonic seconds."""
        if self._address is None:
            return
        # Before the host was looked at nothing is done: until then the agent only starts.
        ready = state.observation.done and not self._ready
        alive = self._interval is not None and now - self._alive_at >= self._interval / 4
        status = describe(state)
        fresh = status != self._status and now - self._status_at >= _STATUS_PACE
        lines = [
            *(["READY=1"] if ready else []),
            *(["WATCHDOG=1"] if alive else []),
            *([f"STATUS={status}"] if fresh else []),
        ]
        told = bool(lines) and self._tell(*lines)
        if told:
            self._ready = self._ready or ready
            self._alive_at = now if alive else self._alive_at
            self._status, self._status_at = (status, now) if fresh else (self._status, self._status_at)
        self._waiting = status != self._status or (bool(lines) and not told)

    def patience(self, seconds: float | None) -> float | None:
        """How long the loop may sleep that could sleep so many seconds; None: until something arrives."""
        wishes = [
            seconds,
            self._interval / 3 if self._interval is not None else None,
            _STATUS_PACE if self._waiting else None,
        ]
        return min((wish for wish in wishes if wish is not None), default=None)

    def reloading(self, now: float) -> None:
        """The settings are read again; the next step tells that this is done."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(now * 1e6)}")
        self._ready = False

    def stopping(self) -> None:
        """The agent ends."""
        self._tell("STOPPING=1", "STATUS=ends; what it serves goes on")

    def _tell(self, *lines: str) -> bool:
        """Whether it was told; never raises: an agent does not depend on who watches over it."""
        if self._address is None:
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.setblocking(False)
            told.sendto("\n".join(lines).encode(), self._address)
            return True
        return False


def describe(state: AgentState) -> str:
    """One line about an agent, for people; costs the same for any number of networks."""
    served = state.counts
    parts = [f"{served.networks} networks with {served.ports} ports served"]
    if state.waiting:
        parts.append(f"{len(state.waiting)} have something to be tried again")
    if state.brake is not None:
        parts.append(f"{len(state.brake.network_ids)} held by the brake")
    if state.sync.answered_seq < 0:
        parts.append("the server has not told its networks yet")
    return "; ".join(parts)


def _address(name: str) -> str | None:
    """A path, or, with ``@`` in place of its first byte, a name in the abstract namespace (unix(7))."""
    if name.startswith("@") and len(name) > 1:
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the watchdog wants to hear something; None where there is none, or it watches another process."""
    text = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID") not in (None, "", str(os.getpid())):
        return None
    return int(text) / 1e6 if text.isascii() and text.isdigit() and int(text) > 0 else None
