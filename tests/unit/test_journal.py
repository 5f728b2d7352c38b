"""The journal: its lines, what it must not hold, and what is said of one that is damaged or of another version."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

import dhcpcore.events
from dhcpcore import Event, Settings, Templates, actions, events, initial_state
from dhcpcore.journal import JournalError, Recorder, decode_event, encode_event, replay
from dhcpcore.journal.form import _EVENTS
from support.as_served import observed
from support.recorded import Life, RecordedScript
from support.script import HOST, network, port, serving

PASSWORD = "s3cret-of-the-broker"


def served(*, ports: int = 2, **options: Any) -> RecordedScript:
    """An agent that serves one network, and has told of a port."""
    script = RecordedScript(network(ports=tuple(port(number) for number in range(1, ports + 1))), **options)
    script.settle()
    script.now += 10
    script.tell(events.PortCreated(port=port(ports + 1)))
    script.settle()
    return script


def changed(lines: list[str], place: int, change: Callable[[dict[str, Any]], None]) -> list[str]:
    """The lines, one of them changed."""
    document = json.loads(lines[place])
    change(document)
    return [*lines[:place], json.dumps(document), *lines[place + 1 :]]


def where(lines: list[str], member: str, nth: int = 0) -> int:
    """The place of a line that has a member."""
    return [number for number, line in enumerate(lines) if member in json.loads(line)][nth]


def refused(lines: list[str]) -> str:
    with pytest.raises(JournalError) as caught:
        list(replay(lines))
    return str(caught.value)


class TestLines:
    def test_every_event_and_action_has_a_form(self) -> None:
        """Whoever adds one adds it here."""

        def below(base: Any) -> set[Any]:
            return {base}.union(*(below(each) for each in base.__subclasses__()))

        # By name: attrs makes a class anew to give it slots, and the first one is there until the garbage is collected.
        known = {each.__name__ for each in below(Event) - {Event} if each.__module__ == dhcpcore.events.__name__}
        assert known == {each.__name__ for each in _EVENTS}
        concrete = {each for each in below(actions.Action) if "kind" in vars(each) and each is not actions.Action}
        assert concrete == set(actions.ORDER)

    def test_all_actions_and_plans_come_back(self) -> None:
        script = RecordedScript(
            network("a", ports=(port(1, "a"),)), network("b"), force_metadata=True, enable_isolated_metadata=True
        )
        script.settle()
        script.server.pop("a")
        script.now += 10
        script.tell(events.NetworkDeleted(network_id="a"))
        script.tell(events.ProcessDied(key=next(iter(script.state.record("b").served)), pid=None, exit_code=-9))
        script.settle()
        seen = {type(event.action) for event in script.life.events if isinstance(event, events.ActionSucceeded)}
        assert {actions.EnableInstance, actions.DisableInstance, actions.StartProxy, actions.StopProxy} <= seen
        for event in script.life.events:
            assert decode_event(json.loads(json.dumps(encode_event(event)))) == event

    def test_a_plan_over_what_another_life_left_comes_back(self) -> None:
        """It hands on what was rendered of instances that are right, which is no part of it."""
        script = RecordedScript(*serving(network("a", ports=(port(1, "a"),))).server.values())
        before = serving(*script.server.values())
        script.observed = observed(before)
        script.settle()
        plans = [event.plan for event in script.life.events if isinstance(event, events.PlanStarted)]
        assert any(plan.rendered for plan in plans)
        for event in script.life.events:
            assert decode_event(json.loads(json.dumps(encode_event(event)))) == event

    def test_a_port_event_costs_a_line_of_its_own_size(self) -> None:
        """However many ports the network has: neither plan nor outcome repeats them."""
        few, many = served(ports=2).life.lines, served(ports=300).life.lines
        told = where(few, "event")
        tail = [len(line) for line in few[told:]]
        assert len(tail) == len(many) - where(many, "event")
        for small, large in zip(tail, many[where(many, "event") :], strict=True):
            assert len(large) <= small + 20

    def test_the_broker_s_address_is_in_no_line(self) -> None:
        url = f"rabbit://agent:{PASSWORD}@broker:5672/"
        script = RecordedScript(network(), transport_url=url)
        script.settle()
        script.tell(events.SettingsChanged(settings=evolve(script.settings, debug=True)))
        assert PASSWORD in script.state.settings.transport_url
        assert PASSWORD not in "".join(script.life.lines)
        last = list(replay(script.life.lines))[-1].after
        assert evolve(last, settings=evolve(last.settings, transport_url=url)) == script.state

    def test_templates_of_one_s_own_come_back(self) -> None:
        templates = Templates(host="# ours\n{{ lines }}")
        state = initial_state(Settings(host=HOST), templates=templates)
        (step,) = replay(Recorder().checkpoint(state))
        assert step.after.templates == templates

    def test_what_is_no_value_of_the_core_is_refused_when_it_is_written(self) -> None:
        with pytest.raises(JournalError, match="the line: expected"):
            Recorder().event(events.PayloadRefused(message=b"bytes"), 1)  # type: ignore[arg-type]
        odd = events.ActionSucceeded(action=actions.FetchNetworks(), result={"a": 1})  # type: ignore[arg-type]
        with pytest.raises(JournalError, match=r"event\.result: expected one of"):
            Recorder().event(odd, 1)


class TestReplay:
    def test_states_plans_and_failures(self) -> None:
        script = served()
        script.tell(events.PortDeleted(port_id="net-p1", network_id="net"))
        (reload,) = script.start()
        script.fail(reload, reason="disk full", jitter=0.5)
        steps = list(replay(script.life.lines))
        assert [step.after for step in steps] == script.life.states
        assert steps[0].before is None
        assert [step.before for step in steps[1:]] == script.life.states[:-1]
        assert [step.plan for step in steps if step.plan is not None] == script.life.plans
        failed = steps[-1].event
        assert isinstance(failed, events.ActionFailed)
        assert (failed.reason, failed.jitter, failed.action) == ("disk full", 0.5, reload)

    def test_how_long_an_action_took_is_known_again(self) -> None:
        """It is not what lies between plan and outcome where the action waited for its turn; paces follow from it."""
        script = RecordedScript(network())
        script.settle()
        script.now = 10.0
        for number in range(1, 13):
            script.tell(events.PortCreated(port=port(number)))
            for action in script.start():
                if isinstance(action, actions.ReloadInstance):
                    script.tell(events.PortCreated(port=port(number + 100)))
                    script.now += 0.5
                    script.tell(events.ActionSucceeded(action=action, seconds=0.01))
                else:
                    script.succeed(action)
            script.now += 0.05
        pace = script.record().pace
        assert pace is not None
        assert pace.gap > 0
        script.life.begin(script.state, script.now, why="continued")
        steps = list(replay(script.life.lines))
        assert [step.differences for step in steps if step.differences] == []
        assert [step.after for step in steps] == script.life.states

    def test_a_journal_of_a_version_that_did_not_write_it_is_read(self) -> None:
        lines = served().life.lines
        at = where(lines, "outcome")
        told = events.ActionSucceeded(action=actions.FetchNetworks(), seconds=0.25)
        assert decode_event(encode_event(told)) == told
        assert "seconds" not in json.loads(lines[at])["outcome"]  # nobody measured
        timed = changed(lines, at, lambda line: line["outcome"].update(seconds=0.25))
        seconds = [
            next(step.event.seconds for step in replay(each) if isinstance(step.event, events.ActionSucceeded))
            for each in (lines, timed)
        ]
        assert seconds == [None, 0.25]

    def test_an_outcome_of_a_plan_before_the_checkpoint(self) -> None:
        """What runs is in the checkpoint, with the network that it was planned from."""
        script = served()
        script.tell(events.PortCreated(port=port(9)))
        (reload,) = script.start()
        script.tell(events.PortCreated(port=port(10)))
        place = len(script.life.lines)
        script.life.begin(script.state, script.now, why="continued")
        script.succeed(reload)
        script.settle()
        steps = list(replay(script.life.lines[place:]))
        assert steps[-1].after == script.state
        assert not any(step.differences for step in replay(script.life.lines))

    def test_only_what_runs_is_remembered(self) -> None:
        script = served()
        assert not any("running" in json.loads(line) for line in script.life.recorder.checkpoint(script.state))

    def test_an_outcome_whose_plan_was_lost_is_whole(self) -> None:
        script = served()
        script.tell(events.PortCreated(port=port(9)))
        (reload,) = script.start()
        life = script.life = Life()
        life.begin(script.state, script.now, why="gap", lost=3)
        script.succeed(reload)
        script.settle()
        steps = list(replay(life.lines))
        assert steps[0].checkpoint is not None
        assert steps[0].checkpoint.lost == 3
        assert [step.after for step in steps] == life.states

    def test_another_version_plans_otherwise(self) -> None:
        lines = served().life.lines
        place = next(
            number
            for number, line in enumerate(lines)
            if any(one["kind"] == "reload" for one in json.loads(line).get("plan", {}).get("actions", ()))
        )

        def other_reload(line: dict[str, Any]) -> None:
            line["plan"]["digest"] = line["plan"]["actions"][0]["digest"] = "0" * 16

        steps = list(replay(changed(lines, place, other_reload)))
        assert [step.differences for step in steps if step.differences] == [
            ("planned otherwise than recorded: reload net",)
        ]
        assert len(steps) == len(list(replay(lines)))

        def restart(line: dict[str, Any]) -> None:
            line["plan"]["digest"] = "0" * 16
            line["plan"]["actions"][0]["kind"] = "restart"

        told = [step.differences for step in replay(changed(lines, place, restart)) if step.differences]
        assert told[0] == ("recorded and not planned now: restart net", "planned now and not recorded: reload net")
        # Its outcome belongs to nothing that this version asked for.
        assert told[1][0].startswith("the outcome of action 0 of plan ")

        def later(line: dict[str, Any]) -> None:
            line["plan"]["digest"] = "0" * 16

        told = [step.differences for step in replay(changed(lines, place, later)) if step.differences]
        assert told == [("the plan looks at other networks, or is due at another time, than the recorded one",)]

    def test_a_checkpoint_that_is_not_what_was_computed(self) -> None:
        script = served()
        script.life.begin(evolve(script.state, admin_state_up=False), script.now, why="continued")
        assert list(replay(script.life.lines))[-1].differences == (
            "the state of the checkpoint is not the one that was computed: in what is about no network",
        )
        record = evolve(script.state.record("net"), observe=True)
        other = evolve(script.state, networks=script.state.networks.set("net", record))
        script.life.begin(other, script.now, why="start")
        script.life.begin(script.state, script.now, why="continued")
        steps = list(replay(script.life.lines))
        assert steps[-2].differences == ()  # another life may begin with anything
        assert steps[-1].differences[0].endswith("in net and 0 more networks")


class TestDamaged:
    @pytest.fixture
    def lines(self) -> list[str]:
        return served().life.lines

    def test_it_begins_with_a_checkpoint(self, lines: list[str]) -> None:
        assert (
            refused(lines[1:])
            == "line 1: the line: expected a checkpoint, with which a journal begins, got another line"
        )

    def test_lines_are_missing(self, lines: list[str]) -> None:
        place = where(lines, "event")
        seq = json.loads(lines[place])["seq"]
        assert (
            refused([*lines[:place], *lines[place + 1 :]])
            == f"line {place + 1}: seq: expected {seq}: lines are missing, got {seq + 1}"
        )

    def test_a_checkpoint_without_all_its_networks(self) -> None:
        script = served()
        checkpoint = list(Recorder().checkpoint(script.state))
        assert len(checkpoint) == 2
        assert "expected 1 networks, got the end after 0" in refused(checkpoint[:1])
        line = Recorder().event(events.AgentKnown(), script.state.seq + 1)
        assert "line 2: networks: expected 1 networks of the checkpoint" in refused([checkpoint[0], line])
        assert "line 3: network: expected the networks that the checkpoint has" in refused([*checkpoint, checkpoint[1]])

    def test_another_format(self, lines: list[str]) -> None:
        other = changed(lines, 0, lambda line: line.update(format_version=2, state="of another kind"))
        assert refused(other) == "line 1: format_version: expected 1, as this dhcpcore reads, got 2"

    @pytest.mark.parametrize(
        "change, said",
        [
            (lambda line: line["event"]["port"].update(mac_address="zz"), "event.port.mac_address: expected a MAC"),
            (lambda line: line["event"]["port"].update(colour="red"), "event.port.colour: expected no such member"),
            (lambda line: line["event"]["port"].pop("id"), "event.port.id: expected a value, got none"),
            (lambda line: line["event"]["port"].update(fixed_ips=[{}]), "event.port.fixed_ips[0].subnet_id: expected"),
            (lambda line: line["event"].update(port=3), "event.port: expected the number of a Port before it in the"),
            (lambda line: line["event"].update({"is": "PortPainted"}), "event.is: expected one of NetworkCreated, "),
            (lambda line: line["event"].update(at="soon"), "event.at: expected a number, got 'soon'"),
            (lambda line: line.update(seq="1"), "seq: expected a whole number, got '1'"),
            (lambda line: line.pop("event"), "the line: expected an event, a plan or an outcome, got 0 of them"),
        ],
    )
    def test_a_member_is_named(self, lines: list[str], change: Callable[[dict[str, Any]], None], said: str) -> None:
        place = where(lines, "event")
        assert f"line {place + 1}: {said}" in refused(changed(lines, place, change))

    @pytest.mark.parametrize("garbage", ["{", "[]", "null", "\x00", "[" * 100_000, '{"a": 1}', '{"seq": NaN}'])
    def test_garbage(self, lines: list[str], garbage: str) -> None:
        assert refused([*lines, garbage]).startswith(f"line {len(lines) + 1}: ")
