"""Laws of the journal: what was written is read again exactly, and what an agent did follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, events, fold_events, initial_state, plan_sync
from dhcpcore.journal import JournalError, decode_event, encode_event, replay
from dhcpcore.plan.encode import plan_to_json
from dhcpcore.testing import Flavour, SeededChoices
from dhcpcore.testing.generate.events import event as generate_event
from dhcpcore.testing.generate.events import event_series
from dhcpcore.testing.generate.settings import settings as generate_settings
from support.recorded import Life, lives_of

SEEDS = st.integers(0, 1 << 40)
FLAVOURS = st.sampled_from(list(Flavour))


def refusal_of(read: Callable[[], object]) -> JournalError | None:
    """How a reader refuses; anything else that it raises is raised here too."""
    try:
        read()
    except JournalError as error:
        return error
    return None


def again(event: events.Event) -> events.Event:
    """The event as it comes back from a file."""
    return decode_event(json.loads(json.dumps(encode_event(event), allow_nan=False)))


@given(seed=SEEDS, flavour=FLAVOURS)
def test_an_event_comes_back_as_it_was(seed: int, flavour: Flavour) -> None:
    """decode(encode(event)) == event, for every kind of event and in every flavour."""
    event = generate_event(SeededChoices(seed), flavour)
    back = again(event)
    if isinstance(event, events.SettingsChanged) and isinstance(back, events.SettingsChanged):
        # Everything but the one option that may hold a password.
        told, wanted = back.settings.to_mapping(), event.settings.to_mapping()
        assert {**told, "transport_url": ""} == {**wanted, "transport_url": ""}
    else:
        assert back == event
    assert encode_event(back) == encode_event(event)


@given(seed=SEEDS, flavour=FLAVOURS)
def test_events_that_came_back_fold_into_the_same_state_and_plan(seed: int, flavour: Flavour) -> None:
    """fold(decode(encode(events))) == fold(events), and the next plan is the same, byte for byte."""
    told = [
        event for event in event_series(SeededChoices(seed), flavour) if not isinstance(event, events.SettingsChanged)
    ]
    start = initial_state(generate_settings(SeededChoices(seed), flavour), observed=bool(seed % 2))
    state, read = fold_events(told, start), fold_events(map(again, told), start)
    assert read == state
    now = told[-1].at + 1 if told else 1.0
    assert _bytes(plan_sync(read, now)) == _bytes(plan_sync(state, now))


@given(seed=SEEDS)
def test_a_history_is_replayed_exactly(seed: int) -> None:
    """Whatever happened to an agent: every state and every plan of its lives follows from its journal."""
    for life in lives_of(seed, 20):
        _replayed(life, life.lines, 0)


@given(seed=SEEDS)
def test_a_journal_may_begin_anywhere(seed: int) -> None:
    """A checkpoint, with actions under way or without, is as good as all that was before it."""
    begun: dict[int, list[tuple[int, int]]] = {}
    turn = 0

    def after(life: Life, now: float) -> None:
        nonlocal turn
        turn += 1
        if turn % 11 == 0:
            begun.setdefault(id(life), []).append((len(life.lines), len(life.states)))
            life.begin(life.states[-1], now, why="continued")

    for life in lives_of(seed, 20, after):
        _replayed(life, life.lines, 0)
        if places := begun.get(id(life)):
            line, state = places[seed % len(places)]
            _replayed(life, life.lines[line:], state)


def _replayed(life: Life, lines: list[str], first: int) -> None:
    steps = list(replay(lines))
    assert [step.after for step in steps] == life.states[first:]
    assert [difference for step in steps for difference in step.differences] == []
    plans = [step.plan for step in steps if step.plan is not None]
    assert [_bytes(plan) for plan in plans] == [_bytes(plan) for plan in life.plans[len(life.plans) - len(plans) :]]


def _bytes(plan: actions.Plan) -> str:
    return json.dumps(plan_to_json(plan, full=True)) + repr(plan.paced)


@given(seed=SEEDS, data=st.data())
def test_whatever_stands_in_a_line_is_read_or_refused(seed: int, data: st.DataObject) -> None:
    """A damaged event gives an event, or a `JournalError` that names a member; nothing else leaves the reader."""
    document = encode_event(generate_event(SeededChoices(seed), Flavour.TYPICAL))
    _damage(document, data)
    refusal = refusal_of(lambda: decode_event(document))
    if refusal is not None:
        assert refusal.expected
        assert "\n" not in str(refusal)


_JUNK: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 1 << 70),
    st.sampled_from(["", "x", "10.0.0.1", "inf", "Network", "\n"]),
    st.just([]),
    st.just({}),
    st.just({"is": "Network"}),
    st.just({"is": ["Port"]}),
)


def _damage(document: Any, data: st.DataObject) -> None:
    """Replace, remove or add one member somewhere."""
    while True:
        places = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not places:
            if isinstance(document, dict):
                document["more"] = data.draw(_JUNK)
            return
        place = data.draw(st.sampled_from(places))
        inner = document[place]
        if isinstance(inner, dict | list) and data.draw(st.integers(0, 3)):
            document = inner
            continue
        what = data.draw(st.integers(0, 4))
        if what == 0:
            del document[place]
        elif what == 1 and isinstance(document, dict):
            document["more"] = data.draw(_JUNK)
        else:
            document[place] = data.draw(_JUNK)
        return


@given(texts=st.lists(st.one_of(st.text(max_size=40), st.sampled_from(['{"seq":1}', '{"checkpoint":"start"}', "[]"]))))
def test_garbage_is_refused_with_its_line(texts: list[str]) -> None:
    """No file ends the reader otherwise than by a `JournalError` that says which line it does not understand."""
    refusal = refusal_of(lambda: list(replay(texts)))
    first = next((number for number, text in enumerate(texts, start=1) if text.strip()), None)
    assert (None if refusal is None else refusal.line) == first
