"""A look at the host that began before a network ended, and is answered after that: it shows what is no more."""

from __future__ import annotations

from dhcpcore import actions, events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.deaths import is_unexpected
from support.as_served import observed
from support.script import Script, network, serving


def _looked_at_too_early(script: Script, *, fails: bool = False) -> actions.ObserveHost:
    """An audit begins; while it looks, network b is deleted, disabled, and forgotten."""
    script.now += 400.0
    script.tell(events.ResyncRequested(reason="nothing"))
    plan = script.start()
    (look,) = [action for action in plan if isinstance(action, actions.ObserveHost)]
    script.succeed(*(action for action in plan if action is not look))
    script.observed = observed(script)
    del script.server["b"]
    script.tell(events.NetworkDeleted(network_id="b"))
    script.settle()
    assert "b" not in script.state.networks
    script.kinds()
    if fails:
        script.fail(look)
    else:
        script.succeed(look)
    return look


def test_a_network_that_ended_meanwhile_does_not_come_back() -> None:
    script = serving(network("a"), network("b"))
    _looked_at_too_early(script)
    assert "b" not in script.state.networks
    script.settle()
    assert not {"fetch_networks", "fetch_network", "disable"} & set(script.kinds())


def test_the_end_of_its_process_is_nothing_unexpected() -> None:
    """With check_child_processes_action = exit the agent would end because of it."""
    script = serving(network("a"), network("b"))
    _looked_at_too_early(script)
    (instance,) = [each for each in script.observed.instances if each.key.network_id == "b"]
    assert instance.process is not None
    died = events.ProcessDied(key=InstanceKey(network_id="b"), pid=instance.process.pid, at=script.now)
    assert not is_unexpected(died, script.state)


def test_what_the_next_look_shows_counts() -> None:
    """Only what that one look shows is out of date: after it, a leftover is one."""
    for fails in (False, True):
        script = serving(network("a"), network("b"))
        _looked_at_too_early(script, fails=fails)
        script.now += 400.0
        script.settle()
        assert "disable" in script.kinds()


def test_a_network_that_came_back_meanwhile_is_served_by_what_was_started_since() -> None:
    script = serving(network("a"), network("b"))
    script.now += 400.0
    plan = script.start()
    (look,) = [action for action in plan if isinstance(action, actions.ObserveHost)]
    script.succeed(*(action for action in plan if action is not look))
    script.observed = observed(script)
    server = script.server.pop("b")
    script.tell(events.NetworkDeleted(network_id="b"))
    script.settle()
    script.server["b"] = server
    script.tell(events.NetworkCreated(network_id="b"))
    (fetch,) = script.start()
    script.succeed(look)  # b is known again, and nothing of it runs
    assert not script.record("b").served
    script.succeed(fetch)
    script.settle()
    assert "enable" in script.kinds()
