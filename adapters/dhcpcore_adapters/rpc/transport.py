"""The contract that every transport to the server fulfils, and how one is found by name.

Knows no transport but by name.  A third party's is an entry point of the group ``dhcpcore.transports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, runtime_checkable

from dhcpcore import SettingsError
from dhcpcore.contracts import ServerRpc
from dhcpcore_adapters.plugging import make

GROUP: Final = "dhcpcore.transports"
#: Seconds: Neutron's rpc_response_timeout, and the stock agent's patience with state reports.
CALL_TIMEOUT: Final = 60.0
REPORT_TIMEOUT: Final = 30.0
_OPTION: Final = "transport"
# Ours is found without an installation's metadata too: from a checkout, from a zip.
_OURS: Final = {
    "oslo": "dhcpcore_adapters.rpc.oslo.transport:OsloTransport",
    "websocket": "dhcpcore_adapters.rpc.websocket:WebSocketTransport",
}


@runtime_checkable
class Listener(Protocol):
    """Whoever is told; by a transport's threads, one call at a time, in order.  Must return soon."""

    def notified(self, method: str, payload: Any) -> None:
        """The server has something to tell, e.g. ``port_update_end``; the payload is in wire form, and unchecked."""
        ...

    def connected(self) -> None:
        """There is a connection, the first or another one; what the server told before may be lost: a sync is due.

        From now on nothing is, until `disconnected`: what the server answers to a fetch that is sent now, or tells
        after that answer, is complete.
        """
        ...

    def disconnected(self, reason: str) -> None:
        """The connection was lost; another one is on its way."""
        ...


@runtime_checkable
class Transport(Protocol):
    """One agent's way to its server and back.

    Calls are made from any number of threads at once and run side by side.  A call that finds no connection waits for
    one.  What takes longer than the transport's timeout in all, that waiting included, is a retryable `AdapterError`.
    No call is ever sent twice: one whose connection breaks is a retryable `AdapterError` at once, its outcome unknown.
    A server's refusal is what `refusals.refused` makes of it.

    Attributes:
        server: calls.
        heartbeat: calls that never wait behind a call of `server`: on a connection of their own, say.
    """

    server: ServerRpc
    heartbeat: ServerRpc

    def start(self, listener: Listener) -> None:
        """Begin to receive.  Returns at once; connecting, and connecting anew, goes on in the background.

        To be called once at most.
        """
        ...

    def close(self) -> None:
        """Stop for good, within a second; calls that wait end with a retryable `AdapterError`.

        The listener is called no more afterwards, except to the end of a call that was under way.  Called twice, or
        without a start, it is harmless.
        """
        ...


@runtime_checkable
class CallsAlone(Protocol):
    """A transport on which what the server tells a host goes to one listener only: another would take it away."""

    def start_calls(self) -> None:
        """Begin without a listener, and leave to the agent of this host what it is told; in place of `start`."""
        ...


def start_calls(transport: Transport) -> None:
    """Start a transport for calls alone, beside an agent of the same host."""
    if isinstance(transport, CallsAlone):
        transport.start_calls()
    else:
        transport.start(_Deaf())


class _Deaf:
    """Listens to nothing."""

    def notified(self, method: str, payload: Any) -> None:
        pass

    def connected(self) -> None:
        pass

    def disconnected(self, reason: str) -> None:
        pass


def load_transport(name: str, options: Mapping[str, Any] | None = None) -> Transport:
    """The transport of this name, not started.

    Args:
        name: an entry point of the group ``dhcpcore.transports`` (``oslo``, ``websocket``), or a class path
            ``package.module:Class``.
        options: keyword arguments for the class.

    Raises:
        SettingsError: there is none, it cannot be imported or made, or it is no transport.
    """
    transport = make(name, options or {}, group=GROUP, ours=_OURS, option=_OPTION, kind="transport")
    if not isinstance(transport, Transport):
        got = f"{name}: {type(transport).__name__}"
        raise SettingsError(_OPTION, "a class with server, heartbeat, start and close", got)
    return transport
