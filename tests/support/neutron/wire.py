"""What a raw DISCOVER of a port is answered with, as soon as that is right; patient with Neutron on a busy machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from support.clients.wire_latency import answered, fell_silent
from support.clients.wires import Wire
from support.site import address, bridge, until

#: Seconds. Neutron's part of a change is one or two of them here; ours takes milliseconds.
PATIENCE: Final = 30.0


def is_answered(port: Mapping[str, Any], seconds: float = PATIENCE) -> float:
    """Wait until a port is offered its address; the seconds that it took."""
    return answered(bridge(port["network_id"]), port["mac_address"], address(port), seconds, every=0.02)


def falls_silent(port: Mapping[str, Any], seconds: float = PATIENCE) -> None:
    """Wait until a port is offered nothing more."""
    fell_silent(bridge(port["network_id"]), port["mac_address"], seconds, quiet=0.4, every=0.02)


def is_told(port: Mapping[str, Any], option: int, value: bytes | None) -> None:
    """Wait until a port is offered an option with this value; None for without it."""
    with Wire(bridge(port["network_id"])) as wire:

        def told() -> bool:
            offer = wire.discover(port["mac_address"], seconds=0.2)
            return offer is not None and offer.options.get(option) == value

        until(f"option {option} is {value!r}", told, PATIENCE)
