"""After a loss of the connection the server is asked something small first, by one caller for all."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dhcpcore_adapters.rpc.oslo.pending import NoAnswer
from dhcpcore_adapters.rpc.oslo.proof import Proof


class Server:
    """Answers from the `deaf` plus first question on; counts them."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.asked: list[float] = []

    def ask(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return len(self.asked) > self.deaf


def test_nothing_is_asked_before_a_connection_was_lost() -> None:
    server = Server()
    assert Proof(server.ask).wait("m", 60.0) == pytest.approx(60.0, abs=1.0)
    assert server.asked == []


def test_it_asks_until_there_is_an_answer_and_then_no_more() -> None:
    server = Server(deaf=2)
    proof = Proof(server.ask)
    proof.forget()
    assert 50.0 < proof.wait("m", 60.0) < 60.0
    proof.wait("n", 60.0)
    assert len(server.asked) == 3
    assert all(seconds <= 3.0 for seconds in server.asked)
    proof.forget()
    proof.wait("m", 60.0)
    assert len(server.asked) == 4


def test_a_call_that_nobody_would_hear_is_over_in_its_time() -> None:
    server = Server(deaf=10**6)
    proof = Proof(server.ask)
    proof.forget()
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match=r"m was not sent: for 0\.5 s no server has answered"):
        proof.wait("m", 0.5)
    assert 0.4 < time.monotonic() - begun < 5.0


def test_one_asks_for_all_who_wait() -> None:
    hears = threading.Event()
    asked = []

    def ask(seconds: float) -> bool:
        asked.append(seconds)
        return hears.wait(10)

    proof = Proof(ask)
    proof.forget()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(proof.wait, "m", 30.0) for _ in range(8)]
        time.sleep(0.2)
        hears.set()
        assert all(call.result(10) > 0 for call in calls)
    assert len(asked) == 1


def test_an_answer_over_a_connection_that_is_lost_by_then_counts_for_nothing() -> None:
    server = Server()

    def ask(seconds: float) -> bool:
        if not server.asked:
            proof.forget()
        return server.ask(seconds)

    proof = Proof(ask)
    proof.forget()
    proof.wait("m", 30.0)
    assert len(server.asked) == 2
