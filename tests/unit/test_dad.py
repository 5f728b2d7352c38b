"""Duplicate address detection of the IPv6 metadata address: waited for, told, and served without it where it failed."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve

from dhcpcore import AdapterError, Settings, actions, events
from dhcpcore.model.spec import MetadataProxySpec
from dhcpcore.recipes import Call, follow, recipe
from dhcpcore.testing import MemoryHost, MemoryServer, SimulatedAgent
from dhcpcore.testing.host.memory import START
from support.script import Script, network, serving, subnet

METADATA: Final = "fe80::a9fe:a9fe"
V6: Final = subnet(number=1, cidr="fd00::/64", ip_version=6, gateway_ip="fd00::1")
PROXY: Final = MetadataProxySpec(
    proxy_id="net",
    network_id="net",
    namespace="qdhcp-net",
    config="the text",
    config_path="/proxies/net.conf",
    pid_path="/pids/net.pid.haproxy",
    argv=("haproxy",),
    process_tag="haproxy-net",
    bind_interface="tap1",
)


def started(spec: MetadataProxySpec, failed: list[str] | AdapterError) -> tuple[events.Result, list[str]]:
    """What came of StartProxy, and the calls that it made."""
    calls: list[str] = []

    def make(call: Call) -> Any:
        calls.append(str(call))
        if call.method == "settled_addresses":
            assert call.arguments == (spec.namespace, spec.bind_interface)
            if isinstance(failed, AdapterError):
                raise failed
            return failed
        return 42 if call.method == "start_proxy" else None

    return follow(recipe(actions.StartProxy(spec=spec), Settings(host="h")), make), calls


def test_a_proxy_is_started_when_the_address_is_there_for_good() -> None:
    for failed in ([], ["fd00::5/64", "fe80::a9fe:a9ff/128"]):
        result, calls = started(PROXY, failed)
        assert result == events.ProxyStarted(pid=42)
        assert calls[0] == "namespaces.settled_addresses"
        assert calls[-1] == "processes.start_proxy"


def test_where_another_agent_has_the_address_nothing_is_touched() -> None:
    """Neither is a running proxy stopped: it may be right already."""
    assert started(PROXY, [f"{METADATA}/128"]) == (
        events.ProxyStarted(dadfailed=True),
        ["namespaces.settled_addresses"],
    )


def test_a_device_that_does_not_settle_is_an_error_like_any_other() -> None:
    with pytest.raises(AdapterError, match="tentative"):
        started(PROXY, AdapterError("still tentative"))


def test_without_a_device_to_bind_nobody_waits() -> None:
    result, calls = started(evolve(PROXY, bind_interface=None), AdapterError("asked in vain"))
    assert result == events.ProxyStarted(pid=42)
    assert "namespaces.settled_addresses" not in calls


def an_agent(conflict: bool) -> tuple[MemoryHost, SimulatedAgent, str]:
    """One with an isolated network of both families; another host may have the address."""
    server = MemoryServer()
    host = MemoryHost(server.clock)
    if conflict:
        host.dad_conflicts.add(METADATA)
    agent = SimulatedAgent(server, host, Settings(host="host-1", enable_isolated_metadata=True))
    agent.settle()
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    server.create_subnet(network_id, "fd00::/64")
    server.desk.bind(network_id, "host-1")
    agent.settle()
    return host, agent, network_id


@pytest.mark.parametrize("conflict", [False, True])
def test_the_proxy_binds_what_it_can(conflict: bool) -> None:
    """Started once, with the text that can be bound, and left alone by audits and by a new agent."""
    host, agent, network_id = an_agent(conflict)
    record = agent.state.networks[network_id]
    (served,) = record.served.values()
    assert served.dadfailed is conflict
    assert record.proxy is not None
    assert (METADATA in (record.proxy.config or "")) is not conflict
    assert record.retry is None
    assert host.counts[START, network_id] == 2  # dnsmasq and haproxy, both owned by this name
    before = dict(host.counts)
    agent.restart()
    agent.settle()
    assert dict(host.counts) == before


def test_a_restart_of_dnsmasq_does_not_forget_it() -> None:
    """The device stays, and with it the address that failed: no proxy is started again to find that out."""
    host, agent, network_id = an_agent(conflict=True)
    (served,) = agent.state.networks[network_id].served.values()
    host.kill(served.pid or 0)
    agent.fold(events.ProcessDied(key=served.spec.key, pid=served.pid, at=host.clock.monotonic()))
    agent.settle()
    (again,) = agent.state.networks[network_id].served.values()
    assert again.alive
    assert again.dadfailed
    asked = [action for plan in agent.plans for action in plan if isinstance(action, actions.StartProxy)]
    assert len(asked) == 2  # once in vain, once without the address


def test_an_answer_about_a_device_that_nothing_serves_on_is_waited_out() -> None:
    """It can be remembered by no instance; the same plan must not follow at once, for ever."""
    script: Script = serving(network(subnets=(subnet(), V6)), enable_isolated_metadata=True)
    action = actions.StartProxy(spec=evolve(PROXY, bind_interface="tap-of-nobody"))
    script.tell(
        events.PlanStarted(plan=actions.Plan(actions=(action,)), at=script.now),
        events.ActionSucceeded(action=action, result=events.ProxyStarted(dadfailed=True), at=script.now),
    )
    record = script.record()
    assert record.retry is not None
    assert record.retry.not_before > script.now
    assert not any(served.dadfailed for served in record.served.values())
