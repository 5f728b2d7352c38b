"""How long until a server answers a client rightly, or no more: DISCOVERs every few milliseconds, each a new one.

Measures what a client would see, on the wire; asks no agent and reads no file.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from typing import Final

from support.clients.wires import Wire, discover_frame, new_transaction
from support.dhcp_packets import OFFER

#: Seconds between two DISCOVERs.
EVERY: Final = 0.005


class NotAnswered(AssertionError):
    """The right answer did not come; the message says which came instead."""


def answered(
    device: str, mac: str, expected: str | None, within: float, *, namespace: str | None = None, every: float = EVERY
) -> float:
    """Seconds until a DISCOVER of this MAC address is answered with `expected`.

    Args:
        device: a bridge, or a device in `namespace`, on the client's network.
        expected: the address that it is to be offered; None for: it must be offered nothing, all the time `within`.
        within: seconds after which it is too late.

    Raises:
        NotAnswered: it came too late, or, where nothing was expected, something came.
    """
    begun = time.monotonic()
    others: set[str] = set()
    for at, address in _asking(device, mac, within, namespace, every):
        if address is None:
            continue
        if expected is None:
            raise NotAnswered(f"{mac} is offered {address} after {at - begun:.3f} s")
        if address == expected:
            return at - begun
        others.add(address)
    if expected is None:
        return time.monotonic() - begun
    instead = f"was offered {sorted(others)}" if others else "was offered nothing"
    raise NotAnswered(f"{mac} {instead} and not {expected} in {within} s")


def fell_silent(
    device: str, mac: str, within: float, *, quiet: float = 0.5, namespace: str | None = None, every: float = EVERY
) -> float:
    """Seconds until the last answer to this MAC address, after which `quiet` seconds brought none; 0 for none at all.

    Raises:
        NotAnswered: it was still answered when `within` seconds were over.
    """
    begun = last = time.monotonic()
    address = None
    for at, offered in _asking(device, mac, within + quiet, namespace, every):
        if offered is not None:
            last, address = at, offered
        elif at - last >= quiet:
            return last - begun
    raise NotAnswered(f"{mac} is still offered {address} after {last - begun:.3f} s")


def _asking(
    device: str, mac: str, seconds: float, namespace: str | None, every: float
) -> Iterator[tuple[float, str | None]]:
    """For each turn the time, and the address of an OFFER that came, or None; a DISCOVER is sent in the first."""
    deadline = time.monotonic() + seconds
    with _opened(device, namespace, deadline, every) as wire:
        ours: set[int] = set()
        due = time.monotonic()
        while (now := time.monotonic()) < deadline:
            if now >= due:
                transaction = new_transaction()
                ours.add(transaction)
                wire.send(discover_frame(mac, transaction))
                # Not to hurry after a delay of our own.
                due = max(due + every, now)
            reply = wire.receive(max(0.0, min(due, deadline) - time.monotonic()))
            is_ours = reply is not None and reply.kind == OFFER and reply.transaction in ours
            yield time.monotonic(), reply.address if reply is not None and is_ours else None


def _opened(device: str, namespace: str | None, deadline: float, every: float) -> Wire:
    """The wire, as soon as its device is there; a client waits as long as that takes, too."""
    while True:
        try:
            return Wire(device, namespace)
        except OSError as error:
            if error.errno != errno.ENODEV or time.monotonic() >= deadline:
                raise
        time.sleep(every)
