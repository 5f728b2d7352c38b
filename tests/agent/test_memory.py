"""An agent keeps nothing of what has gone: memory after many events is that after few."""

from __future__ import annotations

import sys

from dhcpcore_adapters.agent.recent import Recent
from support.turnover import Turnover

#: Memory is counted in the blocks that Python's allocator has given out, which costs nothing: a text, a tuple or an
#: instance is at least one.  So many come and go with the interpreter's own caches.
_NOISE = 100


def test_memory_does_not_grow_with_what_comes_and_goes() -> None:
    """Museum class MEM: of 250 more ports and 30 more networks, each created and deleted, nothing stays behind.

    `make bench-memory` does the same with 100,000 events, in bytes.
    """
    world = Turnover(networks=3, waiting=20, recent=Recent(of_one=10, of_all=150))
    world.fill()
    world.turn(200)
    world.networks_come_and_go(30)  # what is remembered of the latest only is full
    world.calm()
    before = sys.getallocatedblocks()
    world.turn(500)
    world.networks_come_and_go(30)
    world.calm()
    kept = sys.getallocatedblocks() - before
    assert kept < _NOISE
