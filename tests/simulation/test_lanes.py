"""How jobs go on, call by call, in the simulation's hands."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from dhcpcore.errors import AdapterError
from dhcpcore.recipes import Call, Recipe, in_steps
from dhcpcore.testing.simulation.lanes import Lanes


class _Job:
    """Follows a recipe that asks once more after a failure; what it was answered, in `answers`."""

    def __init__(self) -> None:
        self.answers: list[object] = []

    def __iter__(self) -> Iterator[Call]:
        return in_steps(self._recipe(), lambda call: f"answer to {call}")

    def _recipe(self) -> Recipe[None]:
        try:
            self.answers.append((yield Call("server", "get_network_info", ("a",))))
        except AdapterError as error:
            self.answers.append(str(error))
            self.answers.append((yield Call("files", "read", ("/a",))))

    def __call__(self) -> None:
        raise AssertionError("it is taken from pause to pause")


def _submitted() -> tuple[Lanes, _Job]:
    lanes, job = Lanes({}), _Job()
    lanes.submit("server", job)
    assert isinstance(lanes.running[0].pauses, Generator)
    return lanes, job


def test_a_job_pauses_before_a_call_and_before_its_answer_is_looked_at() -> None:
    lanes, job = _submitted()
    (running,) = lanes.running
    assert (running.call, running.answered) == ("", False)
    assert not lanes.advance(running)
    assert (running.call, running.answered) == ("server.get_network_info", False)
    assert not lanes.advance(running)
    assert (running.call, running.answered) == ("server.get_network_info", True)
    assert lanes.advance(running)
    assert lanes.idle
    assert job.answers == ["answer to server.get_network_info"]


def test_a_job_whose_call_fails_pauses_before_the_next_one_and_before_its_answer() -> None:
    lanes, job = _submitted()
    (running,) = lanes.running
    lanes.advance(running)
    assert not lanes.fail("server.", lambda: AdapterError("cut off"))
    assert job.answers == ["cut off"]
    assert (running.call, running.answered) == ("files.read", False)
    assert not lanes.advance(running)
    assert (running.call, running.answered) == ("files.read", True)
    assert lanes.advance(running)
    assert job.answers == ["cut off", "answer to files.read"]


def test_only_the_calls_that_are_meant_fail() -> None:
    lanes, job = _submitted()
    (running,) = lanes.running
    lanes.advance(running)
    assert not lanes.fail("files.", lambda: AdapterError("disk full"))
    assert running.call == "server.get_network_info"
    assert job.answers == []
