"""One WebSocket to the server that comes back when it breaks, and calls over it.

Knows WebSockets and JSON-RPC; neither what is called nor what is told.  Three threads: the keeper connects and reads,
the writer writes, and one of the library's moves bytes (a fourth pings).  A caller only waits, so no socket that takes
nothing can hold one up past its time.
"""

from __future__ import annotations

import itertools
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

from attrs import frozen
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from dhcpcore import AdapterError
from dhcpcore.contracts import Reporter
from dhcpcore_adapters.rpc import jsonrpc
from dhcpcore_adapters.rpc.address import Address, NoToken
from dhcpcore_adapters.rpc.agreed import WRONG_TOKEN
from dhcpcore_adapters.rpc.jsonrpc import Failure, Malformed, Request
from dhcpcore_adapters.rpc.pending import Pending
from dhcpcore_adapters.rpc.reasons import hint, reason, turned_away


@frozen(kw_only=True)
class Patience:
    """How long to wait for what, in seconds.  A peer that is dead is noticed after the first two in sum.

    Attributes:
        ping_interval: between pings; ping_timeout: for the answer to one.
        sending: until the peer takes something of what is sent; opening: until a connection is open.
        shortest, longest: before another try to connect; the first such wait, and the last, each less up to a half.
    """

    ping_interval: float = 10.0
    ping_timeout: float = 10.0
    sending: float = 10.0
    opening: float = 10.0
    shortest: float = 0.1
    longest: float = 10.0


class _Refused(Exception):
    """The server does not let us in; trying again soon is of no use."""


class Link:
    """A connection that is kept.

    Args:
        query: what to tell the server in the URI; name: of the link, for reports and threads.
        largest: bytes of the largest message to take; largest_request: of the largest to send.
        on_up, on_down: called when a connection stands, and when it is lost, with the reason.
        on_told: called with each notification, in order.
    """

    def __init__(
        self,
        address: Address,
        query: Mapping[str, str],
        *,
        name: str,
        largest: int,
        largest_request: int,
        patience: Patience,
        reporter: Reporter,
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_told: Callable[[Request], None],
    ) -> None:
        self._address = address
        self._uri = address.asking(**query)
        self._name = name
        self._largest = largest
        self._largest_request = largest_request
        self._patience = patience
        self._reporter = reporter
        self._on_up = on_up
        self._on_down = on_down
        self._on_told = on_told
        self._changed = threading.Condition()
        self._pending = Pending()
        self._numbers = itertools.count(1)
        self._outbox: queue.SimpleQueue[tuple[int, str] | None] | None = None
        self._socket: socket.socket | None = None
        self._closed = False
        self._why = "it was not started"
        self._told = ""
        self._keeper = threading.Thread(target=self._keep, name=f"rpc {name}", daemon=True)

    def start(self) -> None:
        """Connect, and go on connecting."""
        self._why = "not connected yet"
        self._keeper.start()

    def call(self, method: str, arguments: Mapping[str, Any], timeout: float) -> Any:
        """Send one call, once, and wait for its answer.

        Raises:
            AdapterError: the server's refusal; or no answer in `timeout` seconds, no connection, or no such arguments.
        """
        until = time.monotonic() + timeout
        number = next(self._numbers)
        try:
            text = jsonrpc.request(number, method, arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise AdapterError(f"{method} cannot be sent as JSON: {error}", retryable=False) from error
        if len(text) > self._largest_request:
            size = f"{len(text)} bytes, and the option max_request is {self._largest_request}"
            raise AdapterError(f"{method} is too large to be sent: {size}", retryable=False)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._outbox is not None, timeout)
            if self._closed:
                raise AdapterError(f"ConnectionError: {method} was not sent: the transport is closed")
            if self._outbox is None:
                where = self._address.url
                raise AdapterError(f"TimeoutError: {method} was not sent: no connection to {where}: {self._why}")
            future = self._pending.add(number, method)
            self._outbox.put((number, text))
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            with self._changed:
                sent = self._pending.give_up(number)
            if future.done():  # in between
                return future.result()
            outcome = "its outcome is unknown" if sent else "it was not sent"
            raise AdapterError(f"TimeoutError: no answer to {method} in {timeout:g} s, {outcome}") from None

    def stop(self) -> None:
        """Connect no more, end all calls; returns at once."""
        with self._changed:
            self._closed = True
            self._pending.fail_all("the transport is closed")
            if self._outbox is not None:
                self._outbox.put(None)
            self._changed.notify_all()

    def join(self, patience: float) -> None:
        """Wait for the end of the connection, `patience` seconds at most; then it is cut."""
        if self._keeper.ident is None or self._keeper is threading.current_thread():
            return
        self._keeper.join(patience)
        if self._keeper.is_alive():
            _cut(self._socket)
            self._keeper.join(patience / 4)

    def _keep(self) -> None:
        delay = self._patience.shortest
        while not self._closed:
            began = time.monotonic()
            try:
                self._serve()
                # One that is lost as soon as it stands is no reason for haste.
                delay = self._patience.shortest if time.monotonic() - began > 10 * self._patience.shortest else delay
            except _Refused as error:
                delay = self._patience.longest
                self._tell("the server does not let this agent in", error)
            except (OSError, NoToken, WebSocketException) as error:
                self._tell("there is no connection to the server", error)
            except Exception as error:
                # Whatever it is, an agent without a server is worse than a thread that tries again.
                self._tell("the connection to the server met an error of our own", error)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, random.uniform(delay / 2, delay))
            delay = min(2 * delay, self._patience.longest)

    def _serve(self) -> None:
        """Connect, and read until the connection breaks."""
        token = self._address.token()
        with closing(self._address.open(self._patience.opening, self._patience.sending)) as opened:
            self._socket = opened
            if self._closed:
                return
            try:
                with connect(
                    self._uri,
                    sock=opened,
                    additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
                    compression=None,
                    open_timeout=self._patience.opening,
                    ping_interval=self._patience.ping_interval,
                    ping_timeout=self._patience.ping_timeout,
                    close_timeout=0.3,
                    max_size=self._largest,
                ) as connection:
                    self._socket = connection.socket  # another one with TLS
                    self._use(connection)
            except InvalidStatus as error:
                if error.response.status_code in (401, 403):
                    raise _Refused(
                        turned_away(f"HTTP {error.response.status_code}", self._address.token_file)
                    ) from error
                raise

    def _use(self, connection: ClientConnection) -> None:
        outbox: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        threading.Thread(
            target=self._write, args=(connection, outbox), name=f"rpc {self._name} writer", daemon=True
        ).start()
        self._told = ""
        self._why = "an error of our own"
        refused = False
        self._on_up()
        try:
            self._reporter.report("connected to the server", url=self._address.url, link=self._name)
            with self._changed:
                if self._closed:
                    outbox.put(None)
                self._outbox = outbox
                self._changed.notify_all()
            while True:
                self._take(connection.recv())
        except ConnectionClosed as error:
            self._why = reason(error, self._largest)
            refused = error.rcvd is not None and error.rcvd.code == WRONG_TOKEN
        finally:
            with self._changed:
                self._outbox = None
                self._pending.fail_all(f"the connection was lost: {self._why}")
            outbox.put(None)
            self._on_down(self._why)
        if refused:
            raise _Refused(turned_away(self._why, self._address.token_file))
        if not self._closed:
            lost = "the connection to the server was lost"
            self._reporter.report(lost, url=self._address.url, link=self._name, error=self._why)

    def _write(self, connection: ClientConnection, outbox: queue.SimpleQueue[tuple[int, str] | None]) -> None:
        try:
            while (item := outbox.get()) is not None:
                number, text = item
                with self._changed:
                    due = self._pending.is_due(number)
                if due:
                    connection.send(text)
            connection.close()
        except Exception:
            # The keeper reads, so it learns why; here it is only made sure that it does. By now another connection may
            # stand, which is not to be cut.
            _cut(connection.socket)

    def _take(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            self._reporter.report("the server sent a binary message, which is ignored", size=len(text))
            return
        try:
            message = jsonrpc.parse(text)
        except Malformed as error:
            self._reporter.report("a message of the server cannot be read, and is ignored", error=error)
            return
        if isinstance(message, Request):
            if message.id is not None:
                self._reporter.report("the server calls us, which is ignored", method=message.method)
            else:
                self._on_told(message)
            return
        with self._changed:
            if self._pending.settle(message):
                return
        if isinstance(message, Failure):
            self._reporter.report(
                "the server reports an error that belongs to no call under way",
                id=message.id,
                code=message.code,
                error=message.message,
            )
        else:
            self._reporter.report("the server answered a call that is not under way", id=message.id)

    def _tell(self, message: str, error: BaseException) -> None:
        self._why = (str(error) or type(error).__name__) + hint(error)
        if self._why != self._told and not self._closed:
            self._told = self._why
            self._reporter.report(message, url=self._address.url, link=self._name, error=self._why)


def _cut(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
