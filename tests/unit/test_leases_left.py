"""Leases of nobody that could not be released: tried again by themselves; nothing else of a network waits for it."""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.errors import AdapterError
from dhcpcore.journal import decode_event, encode_event
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
        assert not script.plan(), "nothing but the leases is in doubt"
        host = observed(script)
        host = evolve(host, instances=tuple(evolve(each, leases=STALE) for each in host.instances))
        script.tell(events.HostObserved(observed=host))
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


def of_kind(script: Script, kind: type[actions.Action]) -> actions.Action:
    """Start what is due, answer all but the one action of this kind, and give that."""
    due = script.start()
    (found,) = [action for action in due if isinstance(action, kind)]
    script.succeed(*(action for action in due if action is not found))
    return found


def reported(script: Script) -> tuple[str, ...]:
    """The ports that are reported now."""
    ready = of_kind(script, actions.NotifyReady)
    assert isinstance(ready, actions.NotifyReady)
    script.succeed(ready)
    return ready.port_ids


def test_whose_address_another_still_has_is_not_ready() -> None:
    """Law: dnsmasq gives it to nobody else as long as the lease is there; the others are reported meanwhile."""
    script = serving(network(ports=(port(5),)))
    script.tell(
        events.PortDeleted(port_id=port(5).id, network_id="net"),
        events.PortCreated(port=port(7, status="DOWN", fixed_ips=port(5).fixed_ips)),
        events.PortCreated(port=port(8, status="DOWN")),
    )
    left = evolve(LEFT, addresses=frozenset({"10.0.0.5", "10.0.0.99"}))
    script.tell(events.ActionSucceeded(action=of_kind(script, actions.ReloadInstance), result=left))
    assert reported(script) == (port(8).id,)
    assert not script.plan()
    script.now += 100
    script.tell(events.ActionSucceeded(action=of_kind(script, actions.ReleaseLeases), result=left))
    assert not script.plan()
    script.now += 100
    script.fail(of_kind(script, actions.ReleaseLeases))
    assert not script.plan(), "nobody could look: it may be there still"
    script.tell(events.PortCreated(port=port(9, status="DOWN")))
    script.tell(events.ActionSucceeded(action=of_kind(script, actions.ReloadInstance), result=LEFT))
    assert reported(script) == (port(9).id,)
    script.now += 100
    script.succeed(of_kind(script, actions.ReleaseLeases))
    assert reported(script) == (port(7).id,)


def test_who_has_another_address_by_now_does_not_wait() -> None:
    """Law: only who has the address itself waits; a start, which writes the leases anew, ends that too."""
    for restarted in (False, True):
        script = serving(network(ports=(port(5),)))
        script.tell(
            events.PortDeleted(port_id=port(5).id, network_id="net"),
            events.PortCreated(port=port(7, status="DOWN", fixed_ips=port(5).fixed_ips)),
        )
        left = evolve(LEFT, addresses=frozenset({"10.0.0.5"}))
        script.tell(events.ActionSucceeded(action=of_kind(script, actions.ReloadInstance), result=left))
        assert not script.plan()
        if restarted:
            ((key, served),) = script.record().served.items()
            script.tell(events.ProcessDied(key=key, pid=served.pid))
            script.succeed(of_kind(script, actions.RestartInstance))
        else:
            script.tell(events.PortUpdated(port=port(7, status="DOWN", revision_number=2)))
            script.tell(events.ActionSucceeded(action=of_kind(script, actions.ReloadInstance), result=left))
        assert reported(script) == (port(7).id,)


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

    left = events.LeasesLeft(reason="nobody takes it", addresses=frozenset({"10.0.0.99"}))
    assert follow(recipe(reload, script.settings), make) == left
    assert isinstance(reload, actions.ReloadInstance)
    release = actions.ReleaseLeases(key=reload.key, spec=reload.spec, reasons=("again",))
    assert follow(recipe(release, script.settings), make) == left
    event = events.ActionSucceeded(action=release, result=left)
    assert decode_event(encode_event(event)) == event
