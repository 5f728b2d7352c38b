"""What the agent keeps of ports and networks that have come and gone: nothing, whatever their number.

    python bench/memory.py [--events 100000] [--first 10000] [--blocks] [--check]

The real loop over in-memory adapters; ports and networks are created and deleted in balance.  Memory is what
tracemalloc counts after a garbage collection, and after a full sync has passed, in one process, server and host of the
simulation included; with --blocks it is the blocks that Python's allocator has given out (`sys.getallocatedblocks`),
which costs nothing to count.  With --check more growth than the goal makes the exit status 1.

What fills up to a bound is no leak, so it is full before the first look: the memory for ``explain``, the caches, and
Python's own table of interned strings.
"""

from __future__ import annotations

import argparse
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
#: The table of interned strings has more bytes than this, and has no room for so many strings.
_TABLE: Final = 100_000
_MOST_INTERNED: Final = 1_000_000


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
    if not options.blocks:
        _count_interned()
    seen: list[tuple[int, int]] = []
    begun = time.process_time()
    while world.events < options.events:
        world.turn(options.first)
        world.calm()
        seen.append((world.events, sys.getallocatedblocks() if options.blocks else tracemalloc.get_traced_memory()[0]))
        cpu = time.process_time() - begun
        print(f"{seen[-1][0]:8} events: {seen[-1][1]:9,} {unit} in use, {cpu:6.0f} s of CPU", flush=True)
    growth = seen[-1][1] / seen[0][1] - 1
    print(f"growth: {growth:+.2%} (goal: at most {GOAL:.0%})")
    return int(options.check and growth > GOAL)


def _count_interned() -> None:
    """Have Python make its table of interned strings anew, so that it is counted from the beginning.

    It was made before tracemalloc looked, and is made anew, about as large, whenever so many strings have come, even if
    as many have gone: some fifty thousand events later this megabyte would look like growth.
    """
    before = tracemalloc.get_traced_memory()[0]
    for number in range(_MOST_INTERNED):
        sys.intern(f"a text of nobody's: {number}")
        if tracemalloc.get_traced_memory()[0] > before + _TABLE:
            return


if __name__ == "__main__":
    sys.exit(main())
