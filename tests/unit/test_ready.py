"""Which ports are reported as ready, when, and how many at a time."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP
from dhcpcore.state.records import ReadyPort
from support.script import Script, network, port, serving, subnet

UNBOUND = {"status": "DOWN", "binding_host_id": "", "binding_vif_type": "unbound"}


def _reported(script: Script) -> set[str]:
    return {p for action in script.history if isinstance(action, actions.NotifyReady) for p in action.port_ids}


class TestReady:
    def test_batches_of_64_those_that_somebody_waits_for_first(self) -> None:
        """Launchpad 1834257: 10,000 ports in one call."""
        script = Script()
        waiting = tuple(port(n, status="DOWN") for n in range(1, 200))
        script.server["net"] = network(ports=(*waiting, script.own_port()))
        plans = script.settle()
        batches = [a for plan in plans for a in plan if isinstance(a, actions.NotifyReady)]
        assert [len(batch.port_ids) for batch in batches] == [64, 64, 64, 8]
        assert {p for batch in batches for p in batch.port_ids} == {p.id for p in waiting} | {"net-dhcp"}

    def test_a_port_that_is_created_during_a_long_report_is_in_the_next_batch(self) -> None:
        """A server takes seconds for each batch; whoever starts a machine then does not wait for all of them."""
        script = Script()
        waiting = tuple(port(n, status="DOWN") for n in range(1, 200))
        script.server["net"] = network(ports=(*waiting, script.own_port()))
        plan = script.start()
        while not any(isinstance(action, actions.NotifyReady) for action in plan):
            script.succeed(*plan.actions)
            plan = script.start()
        (first,) = [action for action in plan if isinstance(action, actions.NotifyReady)]
        script.tell(events.PortCreated(port=port(999, status="DOWN")))
        script.succeed(*script.start().actions, first)
        (second,) = [action for action in script.start() if isinstance(action, actions.NotifyReady)]
        assert second.port_ids[0] == "net-p999"

    def test_a_port_that_the_server_fails_at_keeps_no_other_waiting(self) -> None:
        """A report that failed is halved, and comes after all others, until the one port is told alone."""
        script = Script()
        script.server["net"] = network(ports=(*(port(n, status="DOWN") for n in range(1, 202)), script.own_port()))
        reported: set[str] = set()
        for _ in range(200):
            plan = script.start()
            for action in plan:
                if isinstance(action, actions.NotifyReady):
                    if "net-p100" in action.port_ids:
                        script.fail(action, fault="error")
                        continue
                    reported.update(action.port_ids)
                script.succeed(action)
            if not plan:
                script.now += 30.0
            if len(reported) == 201:
                break
        assert reported == {f"net-p{n}" for n in range(1, 202)} - {"net-p100"} | {"net-dhcp"}

    def test_a_port_of_which_only_a_stale_or_early_notice_came_is_not_reported_before_it_is_served(self) -> None:
        """The news of its subnet is late: it is served as it was, and the server is asked."""
        script = serving(network(ports=(port(5), port(6))))
        moved = port(5, fixed_ips=(FixedIP(subnet_id="net-s9", ip_address="10.9.0.5"),), revision_number=2)
        script.tell(events.PortUpdated(port=moved))
        assert [action.kind for action in script.start()] == ["fetch_network"]

    def test_urgent_ports_come_first(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(9)))
        (reload,) = script.start().actions
        script.succeed(reload)
        other = ReadyPort(network_id="net", urgent=False)
        script.state = evolve(
            script.state, ready=evolve(script.state.ready, queue=script.state.ready.queue.set("aaa", other))
        )
        (ready,) = script.plan().actions
        assert isinstance(ready, actions.NotifyReady)
        assert ready.port_ids == ("net-p9", "aaa")

    def test_none_is_reported_again_where_all_are_active(self) -> None:
        """Launchpad 1639086: every port was sent again at each sync."""
        script = serving(network(ports=(port(5),)))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks"]

    def test_a_failed_report_is_made_again(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(9)))
        script.succeed(*script.start().actions)
        (ready,) = script.start().actions
        script.fail(ready, fault="timeout")
        assert not script.plan()
        script.now = 1.0
        assert [a.kind for a in script.plan()] == ["notify_ready"]

    def test_a_port_is_not_reported_before_it_is_served(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(9)))
        (reload,) = script.start().actions
        script.fail(reload)
        script.now = 0.5
        assert not any(isinstance(a, actions.NotifyReady) for a in script.plan())

    def test_a_network_without_dhcp_reports_nothing(self) -> None:
        """Launchpad 1953478: reported though the network has no DHCP."""
        script = Script(network(subnets=(subnet(enable_dhcp=False),), ports=(port(5, status="DOWN"),)))
        assert "notify_ready" not in [a.kind for plan in script.settle() for a in plan]

    def test_a_deleted_port_is_reported_no_more(self) -> None:
        script = serving()
        script.tell(events.PortCreated(port=port(9)))
        script.succeed(*script.start().actions)
        script.tell(events.PortDeleted(port_id="net-p9", network_id="net"))
        assert "notify_ready" not in [a.kind for a in script.plan()]


class TestReadyWithoutANotification:
    """Ports that a fetch tells of, not a notification (Launchpad 1639806: never reported, boot timeout)."""

    def test_a_port_that_is_served_from_now_on_is_reported_bound_or_not(self) -> None:
        script = Script(network(ports=(port(5, **UNBOUND),)))
        script.settle()
        assert _reported(script) >= {"net-p5"}

    @pytest.mark.parametrize("moved", [False, True], ids=["created again", "moved away and back"])
    def test_a_port_that_is_new_to_an_instance_that_serves_on_is_reported_active_or_not(self, moved: bool) -> None:
        """It may have been changed, and wait for DHCP, while nobody told this agent of the network."""
        old, new = port(5), port(6, status="ACTIVE")
        script = serving(network(ports=(old,)))
        script.settle()
        script.history.clear()
        script.server["net"] = network(ports=(old, new, script.own_port()))
        script.tell(events.NetworkDeleted(network_id="net"), events.NetworkCreated(network_id="net"))
        if not moved:
            script.tell(events.PortUpdated(port=new))
        script.settle()
        assert script.record().served
        assert _reported(script) == {new.id}

    def test_a_port_that_went_while_its_network_was_asked_for_is_not(self) -> None:
        script = Script()
        script.settle()
        script.now = 60.0
        script.server["net"] = network(ports=(script.own_port(),))
        script.tell(events.NetworkCreated(network_id="net"), events.PortUpdated(port=port(6)))
        script.settle()
        assert not script.record().awaiting_ready
        assert port(6).id not in _reported(script)

    def test_one_without_binding_members_is_reported(self) -> None:
        script = Script(network(ports=(port(5, status=None, binding_host_id=None, binding_vif_type=None),)))
        script.settle()
        assert _reported(script) >= {"net-p5"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"fixed_ips": (FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),)},
            {"mac_address": "fa:16:3e:99:99:99"},
            {"extra_dhcp_opts": (ExtraDhcpOption(opt_name="mtu", opt_value="1400"),)},
            {"dns_assignment": (DnsAssignment(ip_address="10.0.0.5", hostname="db", fqdn="db.example.org."),)},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_a_port_that_is_served_otherwise_from_now_on_is_reported_active_or_not(self, changes: Any) -> None:
        """The server waits for a changed port again, and ACTIVE is what it may still be called when it is listed."""
        script = serving(network(ports=(port(5), port(6))))
        own = script.own_port()
        script.change(ports=(port(5, revision_number=2, **changes), port(6), own))
        script.tell(events.ResyncRequested(reason="a notification may be lost"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == [
            "fetch_networks",
            "reload",
            "notify_ready",
            "forget_unreported",
        ]
        assert _reported(script) == {"net-p5"}

    def test_a_port_that_is_only_told_otherwise_is_not_reported(self) -> None:
        ips = tuple(FixedIP(subnet_id=f"net-s{number}", ip_address=f"10.{number}.0.5") for number in range(2))
        subnets = (subnet(), subnet(number=1, enable_dhcp=False))
        script = serving(network(ports=(port(5, fixed_ips=ips), port(6)), subnets=subnets))
        told = port(5, fixed_ips=ips[::-1], revision_number=2, binding_host_id="host-8", dns_assignment=())
        script.change(ports=(told, port(6), script.own_port()))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [[a.kind for a in plan] for plan in script.settle()] == [["fetch_networks"]]

    def test_an_unbound_port_is_not_reported_again_at_each_sync(self) -> None:
        script = serving(network(ports=(port(5, **UNBOUND),)))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.settle()
        assert _reported(script) == set()
