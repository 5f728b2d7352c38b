"""The order for several workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.spread import Kind, blocks, spread, waiting_workers

#: (kind, file) of each test.
suites = st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 5)), max_size=40)


@given(suites, st.integers(1, 8), st.integers(1, 8))
def test_every_test_is_handed_out_once(suite: list[tuple[Kind, int]], workers: int, processors: int) -> None:
    """Whatever the tests and the machine, none is lost and none runs twice."""
    tests = [(number, kind, file) for number, (kind, file) in enumerate(suite)]
    assert sorted(spread(tests, workers, processors)) == list(range(len(suite)))


def test_some_begin_with_what_waits_and_the_others_with_what_computes() -> None:
    tests = [(f"w{n}", Kind.WAITS, n) for n in range(4)]
    tests += [(f"c{n}", Kind.COMPUTES, n) for n in range(4)]
    tests += [(f"s{n}", Kind.SHORT, 0) for n in range(10)]
    assert spread(tests, workers=6, processors=2) == [
        *("w0", "s0", "s1"),
        *("w1", "s2", "s3"),
        *("w2", "s4", "s5"),
        *("w3", "s6", "s7"),
        *("c0", "c2", "s8"),
        *("c1", "c3", "s9"),
    ]


def test_what_waits_in_one_file_stays_together_where_there_is_room() -> None:
    tests = [(f"{file}{n}", Kind.WAITS, file) for file in "ab" for n in range(3)]
    tests += [(f"s{n}", Kind.SHORT, "") for n in range(10)]
    ordered = spread(tests, workers=4, processors=2)
    assert ordered[:4] == ["a0", "a1", "a2", "s0"]
    assert ordered[4:7] == ["b0", "b1", "b2"]


def test_more_than_a_block_holds_goes_to_the_next() -> None:
    tests = [(n, Kind.WAITS, "one file") for n in range(8)]
    assert spread(tests, workers=4, processors=2) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_blocks_are_those_of_xdist() -> None:
    assert blocks(4340, 6) == [723, 723, 723, 723, 724, 724]
    assert blocks(3, 4) == [0, 1, 1, 1]


def test_one_worker_for_each_processor_computes_and_half_of_them_at_most() -> None:
    assert [waiting_workers(*each) for each in ((6, 2), (4, 2), (4, 8), (2, 2), (1, 2))] == [4, 2, 2, 1, 0]
