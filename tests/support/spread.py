"""In which order tests are handed to several workers, so that the processors are busy from the first to the last.

xdist (``--dist worksteal``) cuts the list of tests into one block for each worker, all of a length, and a worker whose
block is done takes half of what the longest other one has left, from its end. What takes its time has to stand at the
beginning of the blocks, and what waits (for daemons, leases, timers) has to run while something else computes: so some
blocks begin with tests that wait, the others with tests that compute, and all end with short ones.

Knows nothing of pytest and of what the tests are about.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Kind(Enum):
    """What a test does most of its time."""

    WAITS = "waits"
    COMPUTES = "computes"
    SHORT = "short"


def blocks(total: int, workers: int) -> list[int]:
    """How many tests each worker is given at first (xdist/scheduler/worksteal.py, check_schedule)."""
    sizes: list[int] = []
    for left in range(workers, 0, -1):
        sizes.append((total - sum(sizes)) // left)
    return sizes


def waiting_workers(workers: int, processors: int) -> int:
    """How many workers begin with tests that wait: all but one for each processor, and not less than half."""
    return max(workers // 2, workers - processors)


def spread(tests: Sequence[tuple[T, Kind, Hashable]], workers: int, processors: int) -> list[T]:
    """The tests in the order in which to hand them out.

    Args:
        tests: each with its kind and its file, the long ones of each kind first. What waits or computes in one file
            stays together where a block has room for it, because the fixtures of a file are made once for each worker.
    """
    sizes = blocks(len(tests), workers)
    waiting = waiting_workers(workers, processors)
    begun: list[list[T]] = [[] for _ in sizes]
    for kind, mine in ((Kind.WAITS, begun[:waiting] or begun), (Kind.COMPUTES, begun[waiting:])):
        files: dict[Hashable, list[T]] = {}
        for test, its_kind, file in tests:
            if its_kind is kind:
                files.setdefault(file, []).append(test)
        for of_one_file in files.values():
            min(mine, key=len).extend(of_one_file)
    left = [test for size, block in zip(sizes, begun, strict=True) for test in block[size:]]
    left += [test for test, kind, _ in tests if kind is Kind.SHORT]
    ordered: list[T] = []
    for size, block in zip(sizes, begun, strict=True):
        room = size - len(block[:size])
        ordered += [*block[:size], *left[:room]]
        del left[:room]
    return ordered
