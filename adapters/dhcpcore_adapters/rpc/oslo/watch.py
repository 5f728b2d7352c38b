"""Whether the agent's queues are consumed, and over which connection: oslo.messaging tells nobody.

Knows the insides of oslo.messaging's AMQP drivers, and is the only one here who does.  The library comes back by itself
after a broker was gone, without a word to the program; but what was told in between is lost with the broker, so a sync
is due.  What is looked at: `RPCServer.listener`, its poll-style listener's `conn` (`impl_rabbit.Connection`), of
which `channel` is another object after every reconnection, and `connection.connected` (kombu).
"""

from __future__ import annotations

from typing import Any, Final

#: Stands for the connection of a driver that has none, as the one in memory.
ALWAYS: Final = object()

#: Seconds: how long the library's threads sleep while nothing arrives.  Its own 5 would be the time of a clean stop.
_NAP: Final = 0.3


def nap_shorter() -> None:
    """Let the library's consumers look up several times a second, so that a stop takes no longer."""
    # The second derives a bound of one of its options from the first's constant, when it is imported.
    from oslo_messaging._drivers import amqpdriver, impl_rabbit  # type: ignore[import-untyped]  # noqa: F401

    if hasattr(amqpdriver, "ACK_REQUEUE_EVERY_SECONDS_MAX"):
        amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MAX = _NAP


def connection_of(server: Any) -> object | None:
    """What stands for the connection over which this server consumes now; None while there is none.

    Another connection is another object.  Hold on to it, and compare by identity.

    Args:
        server: `oslo_messaging.RPCServer`, started.
    """
    listener = getattr(server.listener, "_poll_style_listener", None)
    held = getattr(listener, "conn", None)
    # What the driver holds is a loan from its pool, and the connection an attribute of that.
    connection = getattr(held, "connection", ALWAYS)
    channel = getattr(connection, "channel", None if connection is None else ALWAYS)
    if channel is None or channel is ALWAYS:
        return channel
    wire = getattr(connection, "connection", None)
    return channel if wire is not None and wire.connected else None
