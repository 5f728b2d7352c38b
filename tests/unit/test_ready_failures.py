"""Reports of ready ports that fail: whom that keeps waiting, and how often a server is asked that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from attrs import evolve

from dhcpcore import AdapterError, actions, events
from dhcpcore.events import Fault
from dhcpcore.recipes.failures import fault_of
from dhcpcore.state.records import ReadyPort
from support.script import Script, port, serving

Report = tuple[float, tuple[str, ...]]
Answer = Callable[[tuple[str, ...]], Fault | None]


def drive(script: Script, until: float, answer: Answer) -> list[Report]:
    """The reports made until then: when, and of which ports. `answer` says with what fault each fails, if it does."""
    made: list[Report] = []
    while script.now < until:
        plan = script.start()
        for action in plan:
            fault = None
            if isinstance(action, actions.NotifyReady):
                made.append((script.now, action.port_ids))
                fault = answer(action.port_ids)
            if fault is None:
                script.succeed(action)
            else:
                script.fail(action, fault=fault)
        if not plan:
            script.now += 0.5
    return made


def created(script: Script, *numbers: int) -> None:
    script.tell(*(events.PortCreated(port=port(number, status="DOWN")) for number in numbers))


def poisoned(fault: Fault) -> Answer:
    return lambda port_ids: fault if "net-p99" in port_ids else None


def queued(script: Script, count: int, failures: int = 0) -> None:
    """Ports that wait to be reported."""
    waiting = ReadyPort(network_id="net", urgent=True, failures=failures)
    ready = script.state.ready
    queue = ready.queue.update({f"net-p{number}": waiting for number in range(1, count + 1)})
    desired = evolve(script.server["net"], ports=(script.own_port(), *(port(number) for number in range(1, count + 1))))
    record = evolve(script.record(), desired=desired)
    networks = script.state.networks.set("net", record)
    script.state = evolve(script.state, networks=networks, ready=evolve(ready, queue=queue))


@pytest.mark.parametrize("fault", ["error", "timeout", "unreachable"])
def test_a_port_that_the_server_fails_at_delays_none_that_comes_later(fault: Fault) -> None:
    """It is tried ever more rarely; whoever is new is reported at once, and that does not try it again either."""
    script = serving()
    created(script, 1)
    drive(script, 10.0, poisoned(fault))
    created(script, 99)
    drive(script, 400.0, poisoned(fault))
    # The server has answered since then, so that what fails now is this port's doing.
    created(script, 2)
    drive(script, 500.0, poisoned(fault))
    told = script.now
    created(script, 3, 4, 5)
    made = drive(script, told + 900.0, poisoned(fault))
    assert made[0] == (told, ("net-p3", "net-p4", "net-p5"))
    assert {ids for _, ids in made[1:]} == {("net-p99",)}
    assert 10 <= len(made) - 1 <= 16


def test_a_new_port_goes_before_one_that_was_refused_and_never_with_it() -> None:
    script = serving()
    created(script, 99)
    drive(script, 400.0, poisoned("error"))
    created(script, 1, 2, 3)
    assert drive(script, 402.0, poisoned("error"))[0] == (400.0, ("net-p1", "net-p2", "net-p3"))


def test_a_batch_is_of_ports_that_failed_as_often() -> None:
    script = serving()
    queued(script, 4)
    queue = script.state.ready.queue
    for number in (2, 4):
        queue = queue.set(f"net-p{number}", evolve(queue[f"net-p{number}"], failures=1))
    script.state = evolve(script.state, ready=evolve(script.state.ready, queue=queue))
    reports = [ids for _, ids in drive(script, 1.0, lambda _: None)]
    assert reports == [("net-p1", "net-p3"), ("net-p2", "net-p4")]


def test_one_that_failed_once_does_not_wait_for_one_that_failed_often() -> None:
    script = serving()
    created(script, 99)
    made = drive(script, 400.0, poisoned("error"))
    script.now = made[-1][0] + 1.0  # a minute from the next try
    created(script, 6)
    drive(script, script.now + 1.0, poisoned("error"))
    created(script, 7)
    told = script.now
    refused_once = iter(["error"])

    def answer(port_ids: tuple[str, ...]) -> Fault | None:
        if "net-p7" in port_ids and next(refused_once, None):
            return "error"
        return poisoned("error")(port_ids)

    assert [each for each in drive(script, told + 3.0, answer) if "net-p7" in each[1]] == [
        (told, ("net-p7",)),
        (told + 1.0, ("net-p7",)),
    ]


@pytest.mark.parametrize("fault", ["error", "timeout", "unreachable"])
def test_a_server_that_answers_nobody_is_asked_ever_more_rarely(fault: Fault) -> None:
    """However many ports wait, and though each of them was in no report yet."""
    script = serving()
    queued(script, 3000)
    made = drive(script, 600.0, lambda _: fault)
    assert len(made) <= 16
    at = [when for when, _ in made]
    assert max(after - before for before, after in pairwise(at)) <= 61.0
    # It is back: all of them are told of, at once after the next try.
    told = {port_id for _, ids in drive(script, 700.0, lambda _: None) for port_id in ids}
    assert told == {f"net-p{number}" for number in range(1, 3001)}


@pytest.mark.parametrize("fault", ["timeout", "unreachable"])
def test_while_nobody_answers_those_that_come_wait_with_the_others(fault: Fault) -> None:
    """A port a second is created, and each report fails: that is the server's doing, and nobody asks it at each."""
    script = serving()
    made = []
    for number in range(1, 301):
        created(script, number)
        made += drive(script, float(number), lambda _: fault)
    assert len(made) <= 12


def test_refusals_of_one_new_port_after_the_other_have_their_pace_too() -> None:
    script = serving()
    made = []
    for number in range(1, 301):
        created(script, number)
        made += drive(script, float(number), lambda _: "error")
    assert len(made) <= 20


def test_none_starves_however_often_all_of_them_have_failed() -> None:
    """One is refused for good; the others are no worse for having failed as long while the server was ill."""
    script = serving()
    queued(script, 3, failures=40)
    refused = {"net-p1"}
    made = drive(script, 300.0, lambda port_ids: "error" if set(port_ids) & refused else None)
    assert {ids for _, ids in made} == {("net-p1",), ("net-p2",), ("net-p3",)}
    assert set(script.state.ready.queue) == refused


def test_what_could_not_be_sent_is_told_from_what_was_refused() -> None:
    """As docs/transports.md has the texts of errors."""
    assert fault_of(AdapterError("ConnectionError: dhcp_ready_on_ports was not sent: it is closed")) == "unreachable"
    assert fault_of(AdapterError("TimeoutError: no answer to dhcp_ready_on_ports in 60 s")) == "timeout"
    assert fault_of(AdapterError("InternalError: the server failed at dhcp_ready_on_ports")) == "error"
