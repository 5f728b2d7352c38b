"""A changed copy of a value of the state."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

import dhcpcore
from dhcpcore.model.settings import Settings
from dhcpcore.state.agent import AgentState, Heartbeat, initial_state
from dhcpcore.state.evolving import evolve
from dhcpcore.state.fold import fold_events
from dhcpcore.testing import strategies


def _without_slots() -> list[type[attrs.AttrsInstance]]:
    """The classes of the core whose values `evolve` would copy as a whole: those that have a ``__dict__``."""
    names = [each.name for each in pkgutil.walk_packages(dhcpcore.__path__, "dhcpcore.")]
    modules = [importlib.import_module(name) for name in names if not name.startswith("dhcpcore.testing")]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and attrs.has(kind) and kind.__module__ == module.__name__
    }
    with_dict = [kind for kind in kinds if any("__dict__" in vars(base) for base in kind.__mro__)]
    return sorted(with_dict, key=lambda kind: kind.__name__)


def _values(state: AgentState) -> Iterator[Any]:
    """The state, and the values of its classes in it."""
    yield from (state, state.sync, state.heartbeat, state.ready, state.observation, state.tombstones)
    for record in state.networks.values():
        yield record
        yield from record.served.values()


@given(strategies.event_series(), st.data())
def test_it_is_what_attrs_makes_of_it(series: list[Any], data: st.DataObject) -> None:
    """Law: for every value of a state and any of its members, the copy equals that of attrs, and the value stays."""
    state = fold_events(series, initial_state(Settings(host="host-1")))
    for value in _values(state):
        names = [each.name for each in attrs.fields(type(value))]
        changed = dict.fromkeys(data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3)), "changed")
        before = repr(value)
        copy = evolve(value, **changed)
        assert type(copy) is type(value)
        assert copy is not value
        assert copy == attrs.evolve(value, **changed)
        assert repr(copy) == repr(attrs.evolve(value, **changed))
        assert repr(value) == before


@pytest.mark.parametrize("kind", _without_slots(), ids=lambda kind: kind.__name__)
def test_what_is_copied_as_a_whole_checks_and_converts_nothing(kind: type[attrs.AttrsInstance]) -> None:
    assert kind.__bases__ == (object,), "a base could have members of its own, with slots or without"
    assert "__slots__" not in vars(kind)
    assert not any(isinstance(each, cached_property) for each in vars(kind).values())
    assert not hasattr(kind, "__attrs_post_init__")
    assert not hasattr(kind, "__attrs_pre_init__")
    for each in attrs.fields(kind):
        assert each.init, each.name
        assert each.alias == each.name
        assert each.validator is None, each.name
        assert each.converter is None, each.name


def test_the_state_and_its_records_are_among_them() -> None:
    assert {"AgentState", "NetworkRecord", "ServedInstance"} <= {kind.__name__ for kind in _without_slots()}


def test_a_member_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Heartbeat has no dew, fails"):
        evolve(Heartbeat(), dew=1.0, fails=2)  # type: ignore[call-arg]


def test_what_has_slots_is_checked_as_ever() -> None:
    with pytest.raises(ValueError, match="report_interval"):
        evolve(Settings(host="host-1"), report_interval=-1)


def test_the_copy_is_as_frozen() -> None:
    copy = evolve(Heartbeat(), failures=1)
    with pytest.raises(FrozenInstanceError):
        copy.failures = 2  # type: ignore[misc]
