"""A metadata proxy that cannot be had: tried again by itself; DHCP on its network does not wait for it."""

from __future__ import annotations

from dhcpcore import actions, events
from dhcpcore.status import describe_state
from support.as_served import observed
from support.script import Script, network, port, serving


def carry_out(script: Script) -> list[str]:
    """One plan; a proxy that is started or stopped fails at it."""
    plan = script.start()
    script.observed = observed(script)
    for action in plan:
        if isinstance(action, actions.StartProxy | actions.StopProxy):
            script.fail(action, reason="haproxy: not found")
        else:
            script.succeed(action)
    return [action.kind for action in plan if not isinstance(action, actions.ReportState)]


def without_proxy() -> Script:
    """An agent whose metadata proxy died and cannot be started again, for a while now."""
    script = serving(network(ports=(port(5),)), force_metadata=True)
    proxy = script.record().proxy
    assert proxy is not None
    script.tell(events.ProxyDied(network_id="net", pid=proxy.pid, exit_code=1))
    for _ in range(60):
        script.now += 1.0
        carry_out(script)
    assert script.record().proxy_retry is not None
    while carry_out(script):
        pass
    return script


def test_reservations_do_not_wait_for_it() -> None:
    """Law: a port that comes is loaded and reported at once."""
    script = without_proxy()
    script.tell(events.PortCreated(port=port(7, status="DOWN")))
    assert carry_out(script) == ["reload"]
    assert carry_out(script) == ["notify_ready"]
    waits = [one for one in describe_state(script.state, script.now)["pending"] if one["what"] == "proxy"]
    assert [one["retry"]["reason"] for one in waits] == ["haproxy: not found"]


def test_it_is_tried_again_with_a_growing_pause() -> None:
    """Law: and when it can be had it is started, and nothing is waited for."""
    script = without_proxy()
    retry = script.record().proxy_retry
    assert retry is not None
    assert retry.attempts >= 4
    script.now = retry.not_before
    assert carry_out(script) == ["start_proxy"]
    later = script.record().proxy_retry
    assert later is not None
    assert later.attempts == retry.attempts + 1
    script.now = later.not_before
    script.settle()
    assert script.record().proxy_retry is None
    assert describe_state(script.state, script.now)["pending"] == []


def test_nor_does_a_network_that_is_deleted() -> None:
    """Law: its dnsmasq is disabled at once; what cannot be stopped is tried again, and its namespace stays for that."""
    script = without_proxy()
    script.tell(events.NetworkDeleted(network_id="net"))
    assert "disable" in carry_out(script)
    for _ in range(5):
        assert "remove_namespace" not in carry_out(script)
    script.now += 100.0
    script.settle()
    assert "net" not in script.state.networks


def test_nor_does_it_wait_for_one_that_dies_at_every_start() -> None:
    """Law: the pause of a crash loop is the proxy's own."""
    script = serving(network(ports=(port(5),)), force_metadata=True)
    for _ in range(6):
        proxy = script.record().proxy
        assert proxy is not None
        script.tell(events.ProxyDied(network_id="net", pid=proxy.pid, exit_code=1))
        retry = script.record().proxy_retry
        if retry is not None:
            assert not [action for action in script.plan() if isinstance(action, actions.StartProxy)]
            script.now = retry.not_before
        script.settle()
    proxy = script.record().proxy
    assert proxy is not None
    script.tell(events.ProxyDied(network_id="net", pid=proxy.pid, exit_code=1))
    script.tell(events.PortCreated(port=port(7, status="DOWN")))
    assert [action.kind for action in script.plan()] == ["reload"]
