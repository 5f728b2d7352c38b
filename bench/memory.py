"""What the agent keeps of ports and networks that have come and gone: nothing, whatever their number.

    python bench/memory.py [--events 100000] [--first 10000] [--blocks] [--check]

The real loop over in-memory adapters; ports and networks are created and deleted in balance.  Memory is what
tracemalloc counts after a garbage collection, and after a full sync has passed, in one process, server and host of the
simulation included; with --blocks it is the blocks that Python's allocator has given out (`sys.getallocatedblocks`),
which costs nothing to count.  With --check more growth than the goal makes the exit status 1.

What fills up to a bound is no leak, so the memory for ``explain`` and the caches are full before the first look.
"""

from __future__ import annotations

import argparse
import linecache
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests", "adapters", "")]

from dhcpcore_adapters.agent.recent import Recent  # noqa: E402  the path is made above
from support.turnover import Turnover  # noqa: E402

#: How much more may be in use after the last event than after the first ones.
GOAL: Final = 0.05
#: The table of interned strings has more bytes, no string that is interned has.
_LARGE: Final = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000, help="creates and deletes in all")
    parser.add_argument("--first", type=int, default=10_000, help="after which memory is first looked at")
    parser.add_argument("--blocks", action="store_true", help="count the allocator's blocks, in a quarter of the time")
    parser.add_argument("--check", action="store_true", help="exit 1 when the goal is missed")
    options = parser.parse_args()
    if not options.blocks:
        tracemalloc.start()
    unit = "blocks" if options.blocks else "bytes"
    world = Turnover(recent=Recent(of_all=500))
    world.fill()
    seen: list[tuple[int, int]] = []
    begun = time.process_time()
    while world.events < options.events:
        world.turn(options.first)
        world.calm()
        seen.append((world.events, sys.getallocatedblocks() if options.blocks else _bytes_in_use()))
        cpu = time.process_time() - begun
        print(f"{seen[-1][0]:8} events: {seen[-1][1]:9,} {unit} in use, {cpu:6.0f} s of CPU", flush=True)
    growth = seen[-1][1] / seen[0][1] - 1
    print(f"growth: {growth:+.2%} (goal: at most {GOAL:.0%})")
    return int(options.check and growth > GOAL)


def _bytes_in_use() -> int:
    """What tracemalloc counts, without Python's own table of interned strings.

    An insertion that finds the table's last place taken makes it anew, of twice the size if by chance a few strings
    more than a limit are there at that moment: a million bytes that tell nothing of what is kept.  The strings
    themselves are counted.
    """
    in_use = tracemalloc.get_traced_memory()[0]
    for trace in tracemalloc.take_snapshot().traces:
        place = trace.traceback[0]
        if trace.size > _LARGE and "sys.intern(" in linecache.getline(place.filename, place.lineno):
            in_use -= trace.size
    return in_use


if __name__ == "__main__":
    sys.exit(main())
