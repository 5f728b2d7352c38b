"""A transport to a server in the same process, for tests and for those who embed an agent in their controller.

Knows threads; no wire.  What is said goes through JSON both ways, as it would over a wire: nothing is shared with the
server, and what no wire could carry is found here already.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from dhcpcore import AdapterError
from dhcpcore.contracts import NullReporter, Reporter, ServerRpc
from dhcpcore_adapters.rpc.calls import Calls
from dhcpcore_adapters.rpc.plugin import Plugin, RpcRefusal
from dhcpcore_adapters.rpc.refusals import refused
from dhcpcore_adapters.rpc.telling import Teller
from dhcpcore_adapters.rpc.transport import CALL_TIMEOUT, REPORT_TIMEOUT, Listener


class InProcessTransport:
    """Calls the plugin in the caller's thread; tells the listener on a thread of its own.

    So a call takes as long as the plugin takes, and no timeout ends it: its outcome is always known.  The timeouts are
    for calls that come before `start`.

    Args:
        plugin: the server; host: in whose name to call.
        call_timeout, report_timeout: seconds.
        reporter: is told of errors inside the plugin, and of a listener that raises.
    """

    def __init__(
        self,
        plugin: Plugin,
        host: str,
        *,
        call_timeout: float = CALL_TIMEOUT,
        report_timeout: float = REPORT_TIMEOUT,
        reporter: Reporter | None = None,
    ) -> None:
        self._plugin = plugin
        self._host = host
        self._reporter = NullReporter() if reporter is None else reporter
        self._changed = threading.Condition()
        self._closed = False
        self._teller: Teller | None = None
        self._end: Callable[[], None] | None = None
        self.server: ServerRpc = Calls(lambda method, arguments: self._call(method, arguments, call_timeout))
        self.heartbeat: ServerRpc = Calls(lambda method, arguments: self._call(method, arguments, report_timeout))

    def start(self, listener: Listener) -> None:
        """Subscribe, then tell the listener that it is connected."""
        with self._changed:
            if self._closed or self._teller is not None:
                raise RuntimeError("a transport is started once, and not after its end")
            teller = self._teller = Teller(listener, self._reporter)
            teller.connected()
            # What is told while we subscribe comes after `connected`, whichever thread it comes from.
            self._end = self._plugin.subscribe(self._host, lambda method, payload: self._tell(teller, method, payload))
            self._changed.notify_all()

    def close(self) -> None:
        """End the subscription; calls that wait for a start end, calls inside the plugin are the plugin's."""
        with self._changed:
            self._closed = True
            teller, self._teller = self._teller, None
            end, self._end = self._end, None
            self._changed.notify_all()
        if end is not None:
            end()
        if teller is not None:
            teller.close(patience=0.9)

    def _tell(self, teller: Teller, method: str, payload: Any) -> None:
        try:
            carried = _carried(payload)
        except (TypeError, ValueError) as error:
            self._reporter.report("a notification cannot be sent as JSON", method=method, host=self._host, error=error)
            teller.lost(f"{method} cannot be sent as JSON")
        else:
            teller.notified(method, carried)

    def _call(self, method: str, arguments: Mapping[str, Any], timeout: float) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._end is not None, timeout)
            if self._closed:
                raise AdapterError(f"ConnectionError: {method} was not sent: the transport is closed")
            if self._end is None:
                raise AdapterError(f"TimeoutError: {method} was not sent: no start of the transport in {timeout:g} s")
        try:
            sent = _carried(arguments)
        except (TypeError, ValueError) as error:
            raise AdapterError(f"{method} cannot be sent as JSON: {error}", retryable=False) from error
        try:
            return _carried(self._plugin.call(self._host, method, sent))
        except RpcRefusal as refusal:
            raise refused(refusal.name, refusal.message) from None
        except Exception as error:
            self._reporter.report("a call failed inside the server", method=method, host=self._host, error=error)
            raise AdapterError(f"InternalError: the server failed at {method}; its own log says why") from error


def _carried(data: Any) -> Any:
    return json.loads(json.dumps(data, allow_nan=False))
