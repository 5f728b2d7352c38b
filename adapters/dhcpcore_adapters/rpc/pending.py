"""Calls that wait for their answers.

Knows JSON-RPC's answers and failures; no connection.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from dhcpcore import AdapterError
from dhcpcore_adapters.rpc import jsonrpc
from dhcpcore_adapters.rpc.jsonrpc import Answer, Failure, Id
from dhcpcore_adapters.rpc.refusals import refused


class Pending:
    """The calls of one connection.  Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._calls: dict[Id, _Call] = {}

    def add(self, id: Id, method: str) -> Future[Any]:
        """A call that waits to be sent."""
        call = self._calls[id] = _Call(method)
        return call.future

    def is_due(self, id: Id) -> bool:
        """Whether the call is still to be sent; from now on it counts as sent."""
        call = self._calls.get(id)
        if call is not None:
            call.sent = True
        return call is not None

    def give_up(self, id: Id) -> bool:
        """Wait for it no longer; whether it was sent."""
        call = self._calls.pop(id, None)
        return call is not None and call.sent

    def settle(self, reply: Answer | Failure) -> bool:
        """End the call that this answers; False where none is under way."""
        call = self._calls.pop(reply.id, None) if reply.id is not None else None
        if call is None:
            return False
        if isinstance(reply, Answer):
            call.future.set_result(reply.result)
        else:
            call.future.set_exception(as_error(reply, call.method))
        return True

    def fail_all(self, why: str) -> None:
        """End them all, retryably."""
        for call in self._calls.values():
            outcome = "was sent, its outcome is unknown" if call.sent else "was not sent"
            call.future.set_exception(AdapterError(f"ConnectionError: {call.method} {outcome}: {why}"))
        self._calls.clear()


class _Call:
    def __init__(self, method: str) -> None:
        self.method = method
        self.sent = False
        self.future: Future[Any] = Future()


def as_error(failure: Failure, method: str) -> AdapterError:
    """What a call ends with that the server did not carry out.

    A text that begins with the name of an exception has that of the remote one; the rest are ours.
    """
    match failure.code:
        case jsonrpc.REFUSED if failure.name is not None and failure.name.isidentifier():
            return refused(failure.name, failure.message)
        case jsonrpc.METHOD_NOT_FOUND:
            return refused("UnsupportedVersion", f"the server has no method {method}")
        case jsonrpc.INVALID_REQUEST | jsonrpc.INVALID_PARAMS:
            return AdapterError(
                f"InvalidRequest: the server does not take {method}: {failure.message}", retryable=False
            )
        case jsonrpc.INTERNAL_ERROR:
            return AdapterError(f"InternalError: the server failed at {method}; its own log says why")
    return AdapterError(f"RemoteError: {method} failed with code {failure.code}: {failure.message}")
