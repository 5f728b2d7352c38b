"""Lanes of threads: none waits for another, the lowest rank goes first, and a crash is told."""

from __future__ import annotations

import threading
import time
from functools import partial

from dhcpcore_adapters.agent import ThreadExecutor

#: Far more than anything here takes; a test that needs it has failed.
PATIENCE = 10.0


def executor(host_threads: int = 2, crashes: list[BaseException] | None = None) -> ThreadExecutor:
    told: list[BaseException] = [] if crashes is None else crashes
    return ThreadExecutor(host_threads=host_threads, on_crash=told.append)


def test_a_blocked_lane_holds_up_no_other() -> None:
    lanes = executor(host_threads=1)
    gate, reported = threading.Event(), threading.Event()
    for _ in range(8):
        lanes.submit("server", lambda: gate.wait(PATIENCE))
        lanes.submit("host", lambda: gate.wait(PATIENCE))
    lanes.submit("report", reported.set)
    assert reported.wait(PATIENCE)
    gate.set()
    assert lanes.close(PATIENCE)


def test_host_threads_work_side_by_side() -> None:
    lanes = executor(host_threads=3)
    together = threading.Barrier(3)
    passed = threading.Semaphore(0)

    def job() -> None:
        together.wait(PATIENCE)
        passed.release()

    for _ in range(3):
        lanes.submit("host", job)
    assert all(passed.acquire(timeout=PATIENCE) for _ in range(3))
    assert lanes.close(PATIENCE)


def test_the_lowest_rank_goes_first_then_the_oldest() -> None:
    lanes = executor(host_threads=1)
    gate, done = threading.Event(), threading.Event()
    order: list[str] = []
    lanes.submit("host", lambda: gate.wait(PATIENCE))
    for name in ("first start 1", "first start 2"):
        lanes.submit("host", partial(order.append, name), rank=1)
    for name in ("reload 1", "reload 2"):
        lanes.submit("host", partial(order.append, name), rank=0)
    lanes.submit("host", done.set, rank=2)
    gate.set()
    assert done.wait(PATIENCE)
    assert order == ["reload 1", "reload 2", "first start 1", "first start 2"]
    assert lanes.close(PATIENCE)


def test_a_crash_is_told_and_the_lane_goes_on() -> None:
    crashes: list[BaseException] = []
    lanes = executor(host_threads=1, crashes=crashes)
    after = threading.Event()

    def crash() -> None:
        raise LookupError("a bug")

    lanes.submit("host", crash)
    lanes.submit("host", after.set)
    assert after.wait(PATIENCE)
    assert [type(error) for error in crashes] == [LookupError]
    assert lanes.close(PATIENCE)


def test_closing_waits_for_what_runs_and_drops_what_waits() -> None:
    lanes = executor(host_threads=1)
    began, gate = threading.Event(), threading.Event()
    ran: list[str] = []

    def long() -> None:
        began.set()
        gate.wait(PATIENCE)
        ran.append("long")

    lanes.submit("host", long)
    lanes.submit("host", lambda: ran.append("dropped"))
    assert began.wait(PATIENCE)
    assert not lanes.close(0.01), "it says that something still runs"
    gate.set()
    assert lanes.close(PATIENCE)
    assert ran == ["long"]
    lanes.submit("host", lambda: ran.append("too late"))
    assert ran == ["long"]


def test_closing_has_one_deadline_for_all() -> None:
    lanes = executor(host_threads=6)
    gate = threading.Event()
    for _ in range(6):
        lanes.submit("host", lambda: gate.wait(PATIENCE))
    begun = time.monotonic()
    assert not lanes.close(0.2)
    # Six threads, each waited for anew, would take six times as long.
    assert time.monotonic() - begun < 0.2 * 5
    gate.set()
    assert lanes.close(PATIENCE)
