"""The transport to a server over WebSocket: JSON-RPC 2.0, on loopback, a unix socket or TLS.

Knows how two links make a transport: one for calls and notifications, one for state reports.  Needs the extra
``agent`` (websockets).  What goes over the wire: docs/transports.md.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from dhcpcore import SettingsError
from dhcpcore.contracts import NullReporter, Reporter, ServerRpc
from dhcpcore_adapters.rpc.address import Address
from dhcpcore_adapters.rpc.agreed import HOST, LARGEST_ANSWER, LARGEST_CALL, MAX_MESSAGE, NOTIFICATIONS, PAYLOAD
from dhcpcore_adapters.rpc.calls import Calls
from dhcpcore_adapters.rpc.jsonrpc import Request
from dhcpcore_adapters.rpc.telling import Teller
from dhcpcore_adapters.rpc.transport import CALL_TIMEOUT, REPORT_TIMEOUT, Listener

try:
    from dhcpcore_adapters.rpc.link import Link, Patience
except ImportError as error:  # pragma: no cover
    raise ImportError(f"{error}: pip install 'dhcpcore[agent]'") from error

__all__ = ["Patience", "WebSocketTransport"]

#: Seconds for `WebSocketTransport.close`.
_CLOSING: Final = 0.9


class WebSocketTransport:
    """A `Transport` to the endpoint of `dhcpcore_adapters.rpc.endpoint`, or any that speaks as it does.

    Args:
        url: ``ws://127.0.0.1:PORT/rpc``, ``wss://HOST/rpc`` or ``unix:///PATH/OF/SOCKET``.
        host: in whose name to call: the agent's option `host`.
        token_file: path of a file that holds the server's token, read at every connect; None: the server wants none.
        call_timeout, report_timeout: seconds.
        max_message: bytes of the largest answer or notification; max_request: of the largest call.
        patience: how long to wait for what else.
        reporter: is told of connections, and of messages that nobody can read.

    Raises:
        SettingsError: an option cannot be honoured.
    """

    def __init__(
        self,
        url: str,
        host: str,
        token_file: str | None = None,
        *,
        call_timeout: float = CALL_TIMEOUT,
        report_timeout: float = REPORT_TIMEOUT,
        max_message: int = LARGEST_ANSWER,
        max_request: int = LARGEST_CALL,
        patience: Patience | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        if not host or not isinstance(host, str):
            raise SettingsError("host", "the name of this agent's host", repr(host))
        self._reporter = NullReporter() if reporter is None else reporter
        self._teller: Teller | None = None
        self._closed = False
        address = Address.parse(url, token_file)
        query = {HOST: host, MAX_MESSAGE: str(max_message)}
        link = partial(
            Link,
            address,
            largest=max_message,
            largest_request=max_request,
            patience=Patience() if patience is None else patience,
            reporter=self._reporter,
        )
        self._calls = link(
            {**query, NOTIFICATIONS: "yes"},
            name="calls",
            on_up=self._connected,
            on_down=self._disconnected,
            on_told=self._notified,
        )
        self._reports = link(
            {**query, NOTIFICATIONS: "no"},
            name="reports",
            on_up=lambda: None,
            on_down=lambda reason: None,
            on_told=self._not_asked_for,
        )
        self.server: ServerRpc = Calls(lambda method, arguments: self._calls.call(method, arguments, call_timeout))
        self.heartbeat: ServerRpc = Calls(
            lambda method, arguments: self._reports.call(method, arguments, report_timeout)
        )

    def start(self, listener: Listener) -> None:
        """Connect in the background, again and again; every connection is told to the listener."""
        if self._closed or self._teller is not None:
            raise RuntimeError("a transport is started once, and not after its end")
        self._teller = Teller(listener, self._reporter)
        for link in (self._calls, self._reports):
            link.start()

    def close(self) -> None:
        """End all calls and both connections, within a second."""
        until = time.monotonic() + _CLOSING
        self._closed = True
        if self._teller is not None:
            self._teller.close(0)
        links = self._calls, self._reports
        for link in links:
            link.stop()
        for link in links:
            link.join(_CLOSING / 3)
        if self._teller is not None:
            self._teller.close(max(0.0, until - time.monotonic()))

    def _connected(self) -> None:
        if self._teller is not None:
            self._teller.connected()

    def _disconnected(self, reason: str) -> None:
        if self._teller is not None:
            self._teller.disconnected(reason)

    def _notified(self, told: Request) -> None:
        if set(told.params) != {PAYLOAD}:
            self._reporter.report(
                "a notification without a payload, or with more than that, is ignored", method=told.method
            )
        elif self._teller is not None:
            self._teller.notified(told.method, told.params[PAYLOAD])

    def _not_asked_for(self, told: Request) -> None:
        self._reporter.report("a notification that was not asked for is ignored", method=told.method)
