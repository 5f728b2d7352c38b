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

#: Seconds: how long the library's threads sleep while nothing arrives, at first after something has and in the end. Its
#: own are 0.001 and 5: ten naps for each message, and a clean stop may wait for the last.
_FIRST_NAP: Final = 0.1
_LONGEST_NAP: Final = 2.0


def set_naps() -> None:
    """Let the library's threads look up as often as is of use.

    What arrives wakes them at once.  The naps are for messages that another thread has done with and are to be
    acknowledged, as notifications of oslo.messaging are; calls and replies are acknowledged as they arrive.
    """
    # The second derives a bound of one of its options from the first's constant, when it is imported.
    from oslo_messaging._drivers import amqpdriver, impl_rabbit  # type: ignore[import-untyped]  # noqa: F401

    for name, value in (("MIN", _FIRST_NAP), ("MAX", _LONGEST_NAP)):
        if hasattr(amqpdriver, f"ACK_REQUEUE_EVERY_SECONDS_{name}"):
            setattr(amqpdriver, f"ACK_REQUEUE_EVERY_SECONDS_{name}", value)


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
