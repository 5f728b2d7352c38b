"""Leases of nobody that could not be released: tried again by themselves; nothing else of a network waits for it."""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.errors import AdapterError
from dhcpcore.recipes import Call, follow, recipe
from dhcpcore.status import describe_state
from support.as_served import observed
from support.script import Script, network, port, serving

LEFT = events.LeasesLeft(reason="dnsmasq of net still has 1 of the leases")
STALE = "0 fa:16:3e:00:00:63 10.0.0.99 * *\n"


def reloaded() -> Script:
    """An agent whose last reload was loaded, and left a lease of nobody."""
    script = serving(network(ports=(port(5),)))
    script.tell(events.PortCreated(port=port(7, status="DOWN")))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    script.tell(events.ActionSucceeded(action=reload, result=LEFT, jitter=0.0))
    return script


def test_a_reload_is_one_though_a_lease_is_left() -> None:
    """Law: dnsmasq has loaded what is new, so that is reported; the release is tried again after a pause."""
    script = reloaded()
    (ready,) = script.start()
    assert isinstance(ready, actions.NotifyReady)
    script.succeed(ready)
    assert not script.plan()
    (pending,) = describe_state(script.state, script.now)["pending"]
    assert (pending["what"], pending["retry"]["reason"]) == ("leases", LEFT.reason)
    script.now += 5
    (release,) = script.start()
    assert isinstance(release, actions.ReleaseLeases)
    assert release.reasons == (f"leases of nobody are left: {LEFT.reason}",)
    script.succeed(release)
    assert not script.plan()
    assert not describe_state(script.state, script.now)["pending"]


def test_changes_do_not_wait_for_it() -> None:
    """Law: while releases fail, reservations are loaded at once."""
    script = reloaded()
    script.settle()
    for number in range(10, 15):  # the heartbeat comes in between
        script.now += 100
        actions_due = script.start()
        (release,) = [action for action in actions_due if isinstance(action, actions.ReleaseLeases)]
        script.succeed(*(action for action in actions_due if action is not release))
        script.fail(release)
        script.observed = observed(script)
        script.observed = evolve(
            script.observed, instances=tuple(evolve(each, leases=STALE) for each in script.observed.instances)
        )
        (look,) = script.start()
        assert isinstance(look, actions.ObserveHost)
        script.succeed(look)
        assert not script.plan(), "its time has not come again"
        script.tell(events.PortCreated(port=port(number, status="DOWN")))
        (reload,) = script.start()
        assert isinstance(reload, actions.ReloadInstance)
        script.tell(events.ActionSucceeded(action=reload, result=LEFT))
        (ready,) = script.start()
        assert isinstance(ready, actions.NotifyReady)
        script.succeed(ready)
    (pending,) = describe_state(script.state, script.now)["pending"]
    assert pending["retry"]["attempts"] == 11


def test_what_starts_or_ends_the_instance_ends_that() -> None:
    """Law: a start writes the leases file anew, and of what is not served nothing is left."""
    script = reloaded()
    script.settle()
    ((key, served),) = script.record().served.items()
    script.tell(events.ProcessDied(key=key, pid=served.pid))
    assert [action.kind for plan in script.settle() for action in plan] == ["restart"]
    script.now += 20
    assert not script.plan()
    script = reloaded()
    script.settle()
    script.tell(events.NetworkDeleted(network_id="net"))
    script.settle()
    script.now += 20
    assert not script.plan()
    assert "net" not in script.state.networks


def test_the_recipe_tells_it() -> None:
    """A release that fails after the reload is no failure of the reload."""
    script = serving(network(ports=(port(5),)))
    script.tell(events.PortDeleted(port_id=port(5).id, network_id="net"))
    (reload,) = script.start()

    def make(call: Call) -> object:
        if call.method == "release_leases":
            raise AdapterError("nobody takes it")
        return (
            {"host": "", "leases": STALE}.get(str(call.arguments[0]).rpartition("/")[2])
            if call.method == "read"
            else None
        )

    assert follow(recipe(reload, script.settings), make) == events.LeasesLeft(reason="nobody takes it")
