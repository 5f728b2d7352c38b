"""The memory of what happened lately: bounded, by network, in short texts."""

from __future__ import annotations

import json
import threading
from itertools import pairwise

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import Event, actions, events, fold_event, initial_state
from dhcpcore.model.settings import Settings
from dhcpcore_adapters.agent.recent import Recent
from support.hand_executor import HOST, Rig
from support.script import Script, dhcp_port, network, port

STATE = initial_state(Settings(host=HOST))


def told(recent: Recent, network_id: str, now: float = 100.0) -> list[str]:
    return [one["text"] for one in recent.about(network_id, now)["recent"]]


def deleted(number: int, network_id: str, at: float = 0.0) -> Event:
    return events.PortDeleted(port_id=str(number), network_id=network_id, at=at)


class Followed(Script):
    """A hand-driven agent whose events are remembered."""

    def __init__(self, *networks: object) -> None:
        super().__init__(*networks)  # type: ignore[arg-type]
        self.recent = Recent()

    def tell(self, *many: Event) -> None:
        for event in many:
            event = evolve(event, at=self.now)
            before = self.state
            self.state = fold_event(event, before)
            self.recent.record(event, before, self.state)


def test_what_happened_to_a_network_and_its_last_plan() -> None:
    script = Followed(network("a"), network("b"))
    script.settle()
    script.now = 10.0
    script.tell(events.PortCreated(port=port(1, "a")))
    script.settle()
    script.now = 12.0
    found = script.recent.about("a", script.now)
    assert [one["text"] for one in found["recent"] if one["of_network"]][-3:] == [
        "port_create_end: port a-p1, revision 1",
        "plan: reload",
        "reload done",
    ]
    assert found["recent"][-1] == {"seconds_ago": 2.0, "of_network": False, "text": "notify_ready done"}
    assert found["last_plan"]["seconds_ago"] == 2.0
    (action,) = found["last_plan"]["actions"]
    assert (action["kind"], action["segment"]) == ("reload", None)
    assert "differs" in action["reasons"][0]
    other = told(script.recent, "b")
    assert "port_create_end: port a-p1, revision 1" not in other
    assert "fetch_networks done: 2 networks" in other
    json.dumps(found, allow_nan=False)


def test_an_answer_about_all_is_remembered_where_it_changed_something() -> None:
    script = Followed(*(network(name, ports=(dhcp_port(Settings(host=HOST), name),)) for name in ("a", "b")))
    script.settle()
    script.server["b"] = network("b", ports=(*script.server["b"].ports, port(3, "b")))
    script.now = 50.0
    script.tell(events.ResyncRequested(reason="a test"))
    script.settle()
    mine = [one for one in script.recent.about("b", 50.0)["recent"] if one["of_network"] and one["seconds_ago"] == 0]
    assert mine[0]["text"] == "fetch_networks done: 2 networks; this network is to be looked at"
    assert not any(one["of_network"] and one["seconds_ago"] == 0 for one in script.recent.about("a", 50.0)["recent"])


def test_heartbeats_are_not_remembered() -> None:
    recent = Recent()
    action = actions.ReportState(agent_state={})
    recent.record(events.PlanStarted(plan=actions.Plan(actions=(action,))), STATE, STATE)
    for result in ("alive", "new", None):
        recent.record(events.ActionSucceeded(action=action, result=result), STATE, STATE)
    assert len(recent) == 0
    recent.record(events.ActionFailed(action=action, reason="no answer"), STATE, STATE)
    assert told(recent, "any") == ["report_state failed (error): no answer"]


def test_a_busy_network_displaces_its_own_past_only() -> None:
    recent = Recent(of_one=5, of_all=20)
    recent.record(deleted(0, "quiet"), STATE, STATE)
    for number in range(1000):
        recent.record(deleted(number, "busy"), STATE, STATE)
    assert told(recent, "quiet") == ["port_delete_end: port 0"]
    assert told(recent, "busy") == [f"port_delete_end: port {number}" for number in range(995, 1000)]


@given(which=st.lists(st.integers(0, 6), max_size=120))
def test_it_is_bounded_and_keeps_the_newest(which: list[int]) -> None:
    """At most so many of one network and of all; what is kept of one are its newest, in order."""
    recent = Recent(of_one=4, of_all=10)
    for number, network_id in enumerate(which):
        recent.record(deleted(number, f"n{network_id}"), STATE, STATE)
        assert len(recent) <= 10
    kept = 0
    for network_id in range(7):
        mine = [f"port_delete_end: port {number}" for number, each in enumerate(which) if each == network_id]
        found = told(recent, f"n{network_id}")
        assert len(found) <= 4
        assert found == mine[len(mine) - len(found) :]
        kept += len(found)
    assert kept == len(recent)
    if which:
        assert told(recent, f"n{which[-1]}")[-1] == f"port_delete_end: port {len(which) - 1}"


def test_it_is_asked_while_it_is_written() -> None:
    recent = Recent(of_one=5, of_all=50)
    ended = threading.Event()
    wrong: list[BaseException] = []

    def ask() -> None:
        try:
            while not ended.is_set():
                recent.about("n3", 0.0)
        except BaseException as error:
            wrong.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    for number in range(3000):
        recent.record(deleted(number, f"n{number % 40}"), STATE, STATE)
    ended.set()
    asker.join(10)
    assert wrong == []
    assert len(recent) == 50


def test_the_loop_tells_every_event_with_its_states() -> None:
    rig = Rig()
    seen: list[tuple[Event, object, object]] = []
    rig.agent._record = lambda event, before, after: seen.append((event, before, after))
    rig.network(ports=2)
    first = rig.agent.state
    rig.settle()
    assert seen[0][1] is first
    assert all(one[2] is two[1] for one, two in pairwise(seen))
    assert seen[-1][2] is rig.agent.state
    assert len(seen) == rig.agent.state.seq
