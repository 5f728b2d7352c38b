"""The transport to a Neutron server, over oslo.messaging.

Knows how calls, notifications and the keeper make a `Transport`.  Needs the extra ``neutron``.  What goes over the
wire: docs/transports.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dhcpcore import AdapterError, SettingsError
from dhcpcore.contracts import NullReporter, Reporter, ServerRpc
from dhcpcore_adapters.rpc.calls import Calls
from dhcpcore_adapters.rpc.oslo.broker import Broker, read_files
from dhcpcore_adapters.rpc.oslo.failures import as_adapter_error
from dhcpcore_adapters.rpc.oslo.hearing import Ear
from dhcpcore_adapters.rpc.oslo.keeper import Keeper
from dhcpcore_adapters.rpc.oslo.library import oslo_messaging
from dhcpcore_adapters.rpc.oslo.neutron import EXCHANGE, METHODS, REPORTS, context
from dhcpcore_adapters.rpc.oslo.patience import Patience
from dhcpcore_adapters.rpc.oslo.pending import NoAnswer, Pending
from dhcpcore_adapters.rpc.oslo.proof import Proof
from dhcpcore_adapters.rpc.oslo.watch import set_naps
from dhcpcore_adapters.rpc.telling import Teller
from dhcpcore_adapters.rpc.transport import REPORT_TIMEOUT, Listener

__all__ = ["OsloTransport"]

#: Seconds for `OsloTransport.close`.
_CLOSING: Final = 0.95
#: A message that no queue takes comes back at once, instead of being dropped without a word (AMQP's flag `mandatory`).
_RETURNED: Final = oslo_messaging.TransportOptions(at_least_once=True)
#: Seconds until it is sent again.
_AGAIN: Final = 0.3
#: A network that there is nowhere: the server looks for it, and answers that there is none.
_NOBODYS: Final = "00000000-0000-0000-0000-000000000000"


class OsloTransport:
    """A `Transport` to Neutron's RPC servers.

    Options that are not given here are oslo.messaging's own, in ``cfg.CONF``: ``transport_url``,
    ``rpc_response_timeout``, and the group ``oslo_messaging_rabbit`` with TLS and the rest.

    Args:
        host: in whose name to call, and whose queues to consume: the agent's option `host`.
        transport_url: as ``transport_url``, and before it.
        control_exchange: where ``control_exchange`` is not set.
        config_files, config_dirs: ini files, and directories of them, that are read into ``cfg.CONF``; without either
            it is left as it is, for programs that have read their own.
        call_timeout: seconds for an answer to begin with; None: ``rpc_response_timeout``.
        max_call_timeout: to which that grows: ``rpc_response_max_timeout``.
        report_timeout: seconds for the answer to a state report.
        reporter: is told of connections, and of messages that nobody can read.

    Raises:
        SettingsError: an option cannot be honoured.
    """

    def __init__(
        self,
        host: str,
        *,
        transport_url: str | None = None,
        control_exchange: str = EXCHANGE,
        config_files: Sequence[str] = (),
        config_dirs: Sequence[str] = (),
        call_timeout: float | None = None,
        max_call_timeout: float = 600.0,
        report_timeout: float = REPORT_TIMEOUT,
        reporter: Reporter | None = None,
    ) -> None:
        if not host or not isinstance(host, str):
            raise SettingsError("host", "the name of this agent's host", repr(host))
        if config_files or config_dirs:
            read_files(config_files, config_dirs)
        set_naps()
        self._host = host
        self._reporter = NullReporter() if reporter is None else reporter
        self._broker = Broker.of(transport_url, control_exchange)
        self._teller: Teller | None = None
        self._started = False
        self._closed = False
        self._pending = Pending()
        self._proof = Proof(self._is_answered)
        first = self._broker.response_timeout if call_timeout is None else call_timeout
        self._patience = Patience(first, max_call_timeout)
        self._report_timeout = report_timeout
        # A client for each topic; their calls share connections, of which there are enough for all that is under way.
        self._clients = {
            topic: oslo_messaging.get_rpc_client(self._broker.transport, oslo_messaging.Target(topic=topic))
            for topic in {method.topic for method in METHODS.values()}
        }
        self._keeper = Keeper(
            self._broker,
            host,
            Ear(self._notified, self._missed, self._reporter),
            on_up=self._up,
            on_down=self._down,
            on_wait=self._pending.waiting_for,
            reporter=self._reporter,
        )
        self.server: ServerRpc = Calls(self._call)
        self.heartbeat: ServerRpc = Calls(self._call)

    def start(self, listener: Listener) -> None:
        """Connect in the background, again and again; every connection is told to the listener."""
        self._begin()
        self._teller = Teller(listener, self._reporter)
        self._keeper.start()

    def start_calls(self) -> None:
        """Connect in the background, for calls alone: the queues stay the agent's, to whom each message goes once."""
        self._begin()
        self._keeper.start(listens=False)

    def _begin(self) -> None:
        if self._closed or self._started:
            raise RuntimeError("a transport is started once, and not after its end")
        self._started = True
        self._pending.waiting_for("not connected yet")

    def close(self) -> None:
        """End all calls, and the connections: the fanout queue goes with them, where the broker is there to hear it."""
        until = time.monotonic() + _CLOSING
        self._closed = True
        if self._teller is not None:
            self._teller.close(0)
        self._pending.close()
        self._keeper.stop()
        self._keeper.join(max(0.0, until - time.monotonic()))
        if self._teller is not None:
            self._teller.close(max(0.0, until - time.monotonic()))

    def _call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        method = METHODS[name]
        try:
            json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise AdapterError(f"{name} cannot be sent as JSON: {error}", retryable=False) from error
        timeout = self._report_timeout if method.topic == REPORTS else self._patience.timeout(name)

        def call(left: float, is_wanted: Callable[[], bool]) -> Any:
            if method.topic != REPORTS:  # those come again by themselves, and soon
                left = self._proof.wait(name, left)
            until = time.monotonic() + left
            while True:
                if not is_wanted():
                    # Its caller has been told that its outcome is unknown, and has gone on: a second port, perhaps.
                    raise AdapterError(f"ConnectionError: {name} was not sent: nobody waits for it")
                client = self._clients[method.topic].prepare(
                    version=method.version,
                    timeout=max(0.001, until - time.monotonic()),
                    retry=1 if method.again else 0,
                    transport_options=_RETURNED,
                )
                try:
                    return client.call(context(), name, **method.arguments(arguments, self._host))
                except oslo_messaging.MessageUndeliverable:
                    # Nobody got it: that server has not been there since the broker's start. Connections are shared,
                    # so it may be another call's message that came back: what must not be done twice is not sent twice.
                    if not method.again:
                        why = f"{name} came back: no server listens on {method.topic}"
                        raise AdapterError(f"ConnectionError: {why}; it is tried again later") from None
                    if time.monotonic() + _AGAIN >= until:
                        waited = f"{name} was not sent: for {left:.3g} s no server has listened on {method.topic}"
                        raise NoAnswer(f"TimeoutError: {waited}; does neutron-rpc-server run?") from None
                    time.sleep(_AGAIN)
                except Exception as error:
                    raise as_adapter_error(error, name, left) from error

        began = time.monotonic()
        try:
            answer = self._pending.run(name, call, timeout)
        except NoAnswer:
            if method.topic != REPORTS:
                longer = self._patience.timed_out(name, timeout)
                self._reporter.report("the server did not answer in time", method=name, next_timeout=longer)
            raise
        self._patience.answered(name, time.monotonic() - began)
        return answer

    def _is_answered(self, seconds: float) -> bool:
        method = METHODS["get_network_info"]
        client = self._clients[method.topic].prepare(
            version=method.version, timeout=seconds, retry=1, transport_options=_RETURNED
        )
        try:
            client.call(context(), "get_network_info", **method.arguments({"network_id": _NOBODYS}, self._host))
        except (
            oslo_messaging.MessagingTimeout,
            oslo_messaging.MessageDeliveryFailure,
            oslo_messaging.MessageUndeliverable,
        ):
            return False
        except Exception:
            return True  # a refusal is an answer
        return True

    def _up(self) -> None:
        # First told, then used: whoever is called because of an answer knows of the connection already.
        if self._teller is not None:
            self._teller.connected()
        self._pending.up()

    def _down(self, why: str) -> None:
        self._proof.forget()
        self._pending.down(why)
        if self._teller is not None:
            self._teller.disconnected(why)

    def _notified(self, method: str, payload: Any) -> None:
        if self._teller is not None:
            self._teller.notified(method, payload)

    def _missed(self, why: str) -> None:
        if self._teller is not None:
            self._teller.lost(why)
