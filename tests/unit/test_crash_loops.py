"""Processes that die over and over: none is started again without a pause, whatever else happens in its network."""

from __future__ import annotations

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.network import Segment
from dhcpcore.model.port import FixedIP
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.agent import touch
from dhcpcore.state.deaths import is_unexpected as is_unexpected_death
from support.script import Script, network, port, serving, subnet

KEY = InstanceKey(network_id="net")
ONE, OTHER = (InstanceKey(network_id="net", segmentation=name) for name in ("7", "8"))
STARTS = actions.EnableInstance | actions.RestartInstance | actions.StartProxy


def _routed() -> Script:
    """Two instances of one network."""
    script = Script()
    ports = tuple(
        script.own_port(
            id=f"net-dhcp{number}",
            device_id=script.settings.dhcp_device_id("net", str(7 + number)),
            mac_address=f"fa:16:3e:ff:ff:0{number}",
            fixed_ips=(FixedIP(subnet_id=f"net-s{number}", ip_address=f"10.{number}.255.2"),),
        )
        for number in (0, 1)
    )
    segments = tuple(Segment(id=name, segmentation_id=number) for name, number in (("seg-a", 7), ("seg-b", 8)))
    subnets = tuple(subnet(number=number, segment_id=segment.id) for number, segment in enumerate(segments))
    script.server["net"] = network(segments=segments, subnets=subnets, ports=ports)
    script.settle()
    script.kinds()
    assert {*script.record().served} == {ONE, OTHER}
    return script


def _died(
    script: Script, who: InstanceKey | None, exit_code: int | None = -11
) -> events.ProcessDied | events.ProxyDied:
    """The death of an instance's dnsmasq, or of the network's metadata proxy."""
    if who is not None:
        return events.ProcessDied(key=who, pid=script.record().served[who].pid, exit_code=exit_code, detail="why")
    proxy = script.record().proxy
    assert proxy is not None
    return events.ProxyDied(network_id="net", pid=proxy.pid, exit_code=exit_code, detail="why")


@pytest.mark.parametrize("kind", ["segments", "proxy"])
def test_two_that_die_in_turn_are_paced(kind: str) -> None:
    """The start of one that succeeds is no reason to start the other at once."""
    script = _routed() if kind == "segments" else serving(force_metadata=True)
    pair = (ONE, OTHER) if kind == "segments" else (KEY, None)
    script.tell(_died(script, pair[0]))
    begun = 0
    for _ in range(20):
        plan = script.start()
        starts = [action for action in plan if isinstance(action, STARTS)]
        begun += len(starts)
        for who in pair if starts else ():
            one = script.record().served[who] if who is not None else script.record().proxy
            if one is not None and one.alive:
                script.tell(_died(script, who))
        script.succeed(*plan)
    assert begun <= 6


def test_one_that_dies_while_another_starts_keeps_its_pause() -> None:
    script = _routed()
    for who in (ONE, OTHER):
        script.tell(_died(script, who))
    first, second = (action for action in script.start() if isinstance(action, STARTS))
    pid = 4711
    assert isinstance(first, actions.RestartInstance)
    script.tell(events.ProcessDied(key=first.key, pid=pid, exit_code=-11, detail="why"))
    script.tell(events.ActionSucceeded(action=first, result=events.InstanceStarted(pid=pid)))
    retry = script.record().retry
    assert retry is not None
    script.succeed(second)
    assert script.record().retry == retry
    assert not script.plan()
    script.now = retry.not_before
    assert [action.kind for action in script.plan()] == ["restart"]


def test_ports_that_one_was_to_serve_wait_for_the_next() -> None:
    """A port whose dnsmasq died at its start is reported once the next one serves it, not never."""
    script = Script(network(ports=(port(5),)))
    while not (started := [action for action in script.start() if isinstance(action, actions.EnableInstance)]):
        script.succeed(*script.history)
        script.history.clear()
    (enable,) = started
    assert "net-p5" in (enable.unreported or ())
    script.tell(events.ProcessDied(key=KEY, pid=4711, exit_code=-11))
    script.tell(events.ActionSucceeded(action=enable, result=events.InstanceStarted(pid=4711)))
    assert "notify_ready" not in [action.kind for action in script.plan()]
    script.settle()
    reports = [action.port_ids for action in script.history if isinstance(action, actions.NotifyReady)]
    assert "net-p5" in {port_id for port_ids in reports for port_id in port_ids}


def test_nothing_is_reported_of_a_reload_that_its_dnsmasq_did_not_live_to_see() -> None:
    script = serving()
    script.tell(events.PortCreated(port=port(5, status="DOWN")))
    (reload,) = script.start()
    script.tell(_died(script, KEY))
    script.succeed(reload)
    assert "notify_ready" not in [action.kind for action in script.plan()]
    script.now = 100.0
    script.settle()
    assert "notify_ready" in script.kinds()


@pytest.mark.parametrize("exit_code", [None, 0, -11])
def test_one_that_dies_while_something_else_is_done_has_died(exit_code: int | None) -> None:
    """Only what an action under way ends is told to end."""
    script = serving(force_metadata=True)
    script.tell(_died(script, None))
    (start,) = script.start()
    assert isinstance(start, actions.StartProxy)
    death = _died(script, KEY, exit_code)
    assert is_unexpected_death(death, script.state)
    script.tell(death)
    assert script.record().served[KEY].deaths == 1
    script.succeed(start)
    script.settle()
    assert script.record().served[KEY].alive


def test_one_that_an_action_was_to_end_and_did_not_may_die_later() -> None:
    """An action that failed, or that was not begun, ends nothing any more."""
    for fault in ("error", "skipped"):
        script = serving()
        script.change(mtu=1400)
        script.tell(events.ResyncRequested(reason="a test", network_id="net"))
        script.succeed(*script.start())
        (restart,) = script.start()
        assert not is_unexpected_death(_died(script, KEY, 0), script.state)
        script.fail(restart, fault=fault)
        assert is_unexpected_death(_died(script, KEY, 0), script.state)


def test_a_signal_that_was_not_sent_kills_nobody() -> None:
    script = serving(reload_method="sighup")
    script.tell(events.ProcessDied(key=KEY, exit_code=2))
    script.settle()
    script.tell(events.PortCreated(port=port(5)))
    (reload,) = script.start()
    script.fail(reload, fault="skipped")
    script.tell(_died(script, KEY, 2))
    assert script.record().served[KEY].deaths == 2


def test_what_died_during_a_look_is_not_kept_in_mind() -> None:
    """Else another process that gets its pid would be taken for dead."""
    script = serving()
    looked_at = evolve(script.record(), observe=True)
    script.state = touch(evolve(script.state, networks=script.state.networks.set("net", looked_at)), "net")
    (look,) = script.start()
    assert isinstance(look, actions.ObserveHost)
    script.tell(_died(script, KEY))
    assert script.record().died
    script.succeed(look)
    assert not script.record().died
