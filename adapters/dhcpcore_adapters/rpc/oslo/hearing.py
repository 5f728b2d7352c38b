"""What arrives on the agent's queues: notifications of the server, and our own question whether we still hear.

Knows the messages of RPC over oslo.messaging; nothing of what a notification says.  Nothing that arrives may raise: an
exception here would be logged by the library as a fault of ours, and whatever was told would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dhcpcore.contracts import Reporter
from dhcpcore_adapters.rpc.agreed import PAYLOAD

#: A call of this transport to itself.
ECHO: Final = "dhcpcore_echo"


class Ear:
    """A dispatcher of oslo.messaging's, without endpoints: what is told has no list of methods, and goes on as it came.

    Args:
        on_told: called with method and payload, in order.
        on_lost: called with a text when something was told that cannot be read.
    """

    def __init__(self, on_told: Callable[[str, Any], None], on_lost: Callable[[str], None], reporter: Reporter) -> None:
        self._on_told = on_told
        self._on_lost = on_lost
        self._reporter = reporter

    def dispatch(self, incoming: Any) -> Any:
        """Take one message; the answer goes to whoever waits for one."""
        message = incoming.message
        method = message.get("method") if isinstance(message, dict) else None
        arguments = message.get("args") if isinstance(message, dict) else None
        if method == ECHO:
            return arguments.get("token") if isinstance(arguments, dict) else None
        if not isinstance(method, str) or not isinstance(arguments, dict):
            self._reporter.report("a message of the server cannot be read, and is ignored")
            self._on_lost("a message of the server could not be read")
        elif PAYLOAD not in arguments:
            self._reporter.report("a notification without a payload is ignored", method=method)
        else:
            self._on_told(method, arguments[PAYLOAD])
        return None
