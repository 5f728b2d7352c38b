"""What fold and plan do, case by case; the bugs of the museum that are cases of this carry their numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.network import Segment
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProcess
from dhcpcore.state import fold_event
from dhcpcore.state.records import LastDeath, ReadyPort
from support.script import HOST, Script, dhcp_port, network, port, serving, subnet

KEY = InstanceKey(network_id="net")
KEY7 = InstanceKey(network_id="net", segmentation="7")


def test_start_looks_at_the_host_asks_the_server_and_reports_at_once() -> None:
    script = Script(network())
    assert [a.kind for a in script.plan()] == ["report_state", "observe", "fetch_networks"]


def test_a_new_network_is_claimed_enabled_and_reported_then_there_is_nothing_to_do() -> None:
    script = Script(network(ports=(port(5, status="DOWN"),)))
    plans = script.settle()
    assert [[a.kind for a in plan] for plan in plans] == [
        ["report_state", "observe", "fetch_networks"],
        ["create_dhcp_port"],
        ["enable"],
        ["notify_ready"],
    ]
    ready = plans[-1].actions[0]
    assert isinstance(ready, actions.NotifyReady)
    assert set(ready.port_ids) == {"net-p5", "net-dhcp"}


def test_nothing_is_planned_on_the_host_before_it_was_looked_at() -> None:
    script = Script(network())
    plan = script.start()
    observe = next(a for a in plan if isinstance(a, actions.ObserveHost))
    script.succeed(*(a for a in plan if a is not observe))
    assert not script.plan()
    script.succeed(observe)
    assert [a.kind for a in script.plan()] == ["create_dhcp_port"]


class TestFullSync:
    def test_an_unchanged_answer_changes_nothing(self) -> None:
        script = serving(network(ports=(port(5),)))
        before = script.state
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks"]
        assert script.state.networks == before.networks

    def test_networks_that_the_server_no_longer_lists_are_disabled(self) -> None:
        script = serving(network("net"), network("other"))
        del script.server["other"]
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        plans = script.settle()
        disabled = [a.network_id for plan in plans for a in plan if isinstance(a, actions.DisableInstance)]
        assert disabled == ["other"]
        assert "other" not in script.state.networks

    def test_a_permutation_of_ports_and_subnets_needs_nothing(self) -> None:
        """Launchpad 1848738: tags were positional."""
        net = network(ports=(port(5), port(6)), subnets=(subnet(number=0), subnet(number=1, enable_dhcp=False)))
        script = serving(net)
        served = script.server["net"]
        script.change(ports=served.ports[::-1], subnets=served.subnets[::-1])
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks"]

    def test_a_failed_full_sync_is_asked_again_and_nothing_else(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.fail(fetch)
        assert not script.plan()
        assert script.plan().due == pytest.approx(11.0)
        script.now = 11.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]

    def test_one_unreadable_network_loses_none(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks(
            networks=(script.server["a"],), failed=(events.FailedNetwork(network_id="b", message="no MAC"),)
        )
        script.settle()
        assert set(script.record("b").served) == {InstanceKey(network_id="b")}
        assert not any(isinstance(a, actions.DisableInstance) for a in script.history)
        script.now = 20.0
        assert [(a.kind, a.network_id) for a in script.plan()] == [("fetch_network", "b")]

    def test_a_network_whose_id_cannot_be_read_makes_none_missing(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks(
            failed=(events.FailedNetwork(network_id=None, message="no id"),)
        )
        script.settle()
        assert len(script.state.networks) == 2

    def test_resyncs_are_throttled(self) -> None:
        script = serving(resync_throttle=3)
        script.now = 10.0
        script.tell(events.ResyncRequested(reason="asked"))
        script.settle()
        script.now = 11.0
        script.tell(events.ResyncRequested(reason="asked"))
        assert not script.plan()
        assert script.plan().due == pytest.approx(13.0)

    def test_events_after_the_question_win_over_the_answer(self) -> None:
        """Launchpad 1732456: a port deleted between query and cache put came back."""
        script = serving(network(ports=(port(5), port(6))))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.tell(events.PortDeleted(port_id="net-p5", network_id="net"))
        moved = port(6, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),), revision_number=2)
        script.tell(events.PortUpdated(port=moved), events.PortCreated(port=port(7)))
        script.succeed(fetch)
        desired = script.record().desired
        assert desired is not None
        assert {p.id for p in desired.ports} == {"net-p6", "net-p7", "net-dhcp"}
        assert moved in desired.ports

    def test_an_older_revision_in_the_answer_wins_where_no_event_came_since(self) -> None:
        """A restored backup has old revisions."""
        newer = port(5, revision_number=9, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),))
        script = serving(network(ports=(newer,)))
        script.change(ports=(port(5, revision_number=2), script.own_port()))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.settle()
        desired = script.record().desired
        assert desired is not None
        assert port(5, revision_number=2) in desired.ports

    def test_a_network_deleted_after_the_question_stays_deleted(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.tell(events.NetworkDeleted(network_id="net"))
        script.succeed(fetch)
        done = [a.kind for plan in script.settle() for a in plan]
        assert done == ["disable", "release_dhcp_port", "remove_namespace"]
        assert not script.state.networks

    def test_a_network_deleted_while_unknown_and_being_listed_is_not_served(self) -> None:
        script = Script(network())
        plan = script.start()
        script.tell(events.NetworkDeleted(network_id="net"))
        script.succeed(*plan.actions)
        assert script.settle() == []
        assert not script.state.networks

    def test_a_port_of_an_unknown_network_that_is_being_listed_is_not_lost(self) -> None:
        """Launchpad 1659919: network unknown, event lost."""
        script = Script(network(ports=(port(5),)))
        plan = script.start()
        script.tell(events.PortCreated(port=port(6)))
        script.succeed(*plan.actions)
        script.change(ports=(port(5), port(6)))
        script.settle()
        desired = script.record().desired
        assert desired is not None
        assert "net-p6" in {p.id for p in desired.ports}


class TestPartialSync:
    def test_it_fetches_and_touches_the_named_network_only(self) -> None:
        """L10, and Launchpad 1495592: a resync of one network fetched all."""
        script = serving(network("a"), network("b"))
        for network_id in ("a", "b"):
            script.change(network_id, mtu=1400)
        script.tell(events.ResyncRequested(network_id="a", reason="asked"))
        plans = script.settle()
        assert [(a.kind, a.network_id) for plan in plans for a in plan] == [("fetch_network", "a"), ("restart", "a")]

    def test_its_failure_asks_again_for_exactly_that(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(network_id="a", reason="asked"))
        (fetch,) = script.start().actions
        script.fail(fetch)
        assert not script.plan()
        script.now = 1.0
        assert [(a.kind, a.network_id) for a in script.plan()] == [("fetch_network", "a")]

    def test_retries_back_off(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        times = []
        for _ in range(9):
            (fetch,) = script.start().actions
            times.append(script.now)
            script.fail(fetch)
            due = script.plan().due
            assert due is not None
            script.now = min(due, script.record().need_retry.not_before)  # type: ignore[union-attr]
            script.tell(events.ActionSucceeded(action=actions.ReportState(agent_state={}), result="alive"))
            script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, due=1e9))
            script.now = script.record().need_retry.not_before  # type: ignore[union-attr]
        gaps = [round(b - a, 3) for a, b in pairwise(times)]
        assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_the_server_knows_none(self) -> None:
        script = serving()
        script.server.clear()
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        done = [a.kind for plan in script.settle() for a in plan]
        assert done == ["fetch_network", "disable", "release_dhcp_port", "remove_namespace"]


class TestPorts:
    def test_a_changed_address_is_one_reload_and_one_report(self) -> None:
        script = serving(network(ports=(port(5),)))
        moved = port(5, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),), revision_number=2)
        script.tell(events.PortUpdated(port=moved))
        assert [a.kind for plan in script.settle() for a in plan] == ["reload", "notify_ready"]

    def test_events_that_wait_while_an_action_runs_cost_one_more_reload_together(self) -> None:
        """Museum class HUP: 300 ports, 300 reloads."""
        script = serving()
        script.tell(events.PortCreated(port=port(1)))
        (reload,) = script.start().actions
        script.tell(*(events.PortCreated(port=port(n)) for n in range(2, 300)))
        assert not script.plan()
        script.succeed(reload)
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert kinds.count("reload") == 1

    def test_told_again_changes_nothing(self) -> None:
        """Launchpad 1824802: a re-delivered create scheduled a resync."""
        script = serving(network(ports=(port(5),)))
        script.tell(events.PortCreated(port=port(5)), events.PortUpdated(port=port(5)))
        assert not script.plan()

    def test_an_older_revision_changes_nothing(self) -> None:
        script = serving(network(ports=(port(5, revision_number=3),)))
        script.tell(events.PortUpdated(port=port(5, revision_number=2, mac_address="fa:16:3e:99:99:99")))
        assert not script.plan()

    def test_a_late_create_does_not_bring_a_deleted_port_back(self) -> None:
        """L5: a create that arrives after the delete."""
        script = serving()
        script.tell(events.PortDeleted(port_id="net-p5", network_id="net"), events.PortCreated(port=port(5)))
        assert not script.plan()
        assert script.record().desired == script.server["net"]

    def test_a_reused_address_asks_the_server_which_port_has_it(self) -> None:
        """Launchpad 1913723: a create of a reused address overtakes the delete."""
        script = serving(network(ports=(port(5),)))
        successor = port(6, fixed_ips=port(5).fixed_ips)
        script.tell(events.PortCreated(port=successor))
        assert [a.kind for a in script.plan()] == ["fetch_network"]
        script.change(ports=(successor, script.own_port()))
        assert "reload" in [a.kind for plan in script.settle() for a in plan]

    def test_a_port_without_a_reservation_needs_no_reload(self) -> None:
        """Launchpad 1913269: floating IP and HA ports triggered reloads."""
        script = serving()
        script.tell(events.PortCreated(port=port(7, device_owner="network:floatingip")))
        assert "reload" not in [a.kind for plan in script.settle() for a in plan]

    def test_a_deleted_port_is_a_reload(self) -> None:
        script = serving(network(ports=(port(5), port(6))))
        script.tell(events.PortDeleted(port_id="net-p5", network_id="net"))
        assert [a.kind for plan in script.settle() for a in plan] == ["reload"]

    def test_old_servers_send_no_network_id(self) -> None:
        script = serving(network(ports=(port(5),)))
        script.tell(events.PortDeleted(port_id="net-p5"))
        assert [a.kind for a in script.plan()] == ["reload"]
        script.tell(events.SubnetDeleted(subnet_id="net-s0"))
        assert "fetch_network" in [a.kind for a in script.plan()]


class TestOurPort:
    def test_a_subnet_more_is_an_update_then_a_restart(self) -> None:
        script = serving()
        script.change(subnets=(subnet(number=0), subnet(number=1)))
        script.tell(events.SubnetCreated(subnet=subnet(number=1)))
        plans = script.settle()
        kinds = [a.kind for plan in plans for a in plan]
        # The server waits for our own port, too, when it has another address (Neutron, ml2: update_port).
        assert kinds == ["fetch_network", "update_dhcp_port", "restart", "notify_ready"]
        assert _reported(script) == {"net-dhcp"}
        claim = plans[1].actions[0]
        assert isinstance(claim, actions.UpdateDhcpPort)
        assert claim.new_subnet_ids == ("net-s1",)
        assert claim.payload["port"]["fixed_ips"] == [
            {"subnet_id": "net-s0", "ip_address": "10.0.255.2"},
            {"subnet_id": "net-s1"},
        ]

    def test_an_address_that_was_asked_for_is_given_up_when_its_subnet_is_no_longer_served(self) -> None:
        """Whoever claimed the port: an agent that starts anew would give it up too."""
        script = Script(network(subnets=(subnet(number=0), subnet(number=1))))
        script.settle()
        script.kinds()
        script.change(subnets=(subnet(number=0), subnet(number=1, enable_dhcp=False)))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        (update,) = (action for action in script.history if isinstance(action, actions.UpdateDhcpPort))
        assert [ip.subnet_id for ip in update.fixed_ips] == ["net-s0"]
        assert update.new_subnet_ids == ()

    def test_an_address_that_the_server_insists_on_is_asked_away_once(self) -> None:
        script = Script(network(subnets=(subnet(number=0), subnet(number=1))))
        script.settle()
        script.kinds()
        (own,) = script.server["net"].ports
        script.answers[actions.UpdateDhcpPort] = lambda _: own
        for gone in (1, 1, 0):
            script.change(subnets=tuple(subnet(number=number, enable_dhcp=number != gone) for number in range(2)))
            script.tell(events.ResyncRequested(network_id="net", reason="asked"))
            script.settle()
        updates = [action for action in script.history if isinstance(action, actions.UpdateDhcpPort)]
        assert [[ip.subnet_id for ip in update.fixed_ips] for update in updates] == [["net-s0"], ["net-s1"]]

    def test_a_reserved_port_comes_before_a_new_one(self) -> None:
        script = Script()
        reserved = dhcp_port(script.settings, id="net-res", device_id="reserved_dhcp_port", binding_host_id="")
        script.server["net"] = network(ports=(reserved,))
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert "claim_reserved_port" in kinds
        assert "create_dhcp_port" not in kinds

    def test_a_port_bound_to_another_host_is_not_ours(self) -> None:
        script = Script()
        script.server["net"] = network(ports=(dhcp_port(script.settings, binding_host_id="host-2"),))
        assert "create_dhcp_port" in [a.kind for plan in script.settle() for a in plan]

    def test_when_it_is_deleted_the_server_is_asked_before_anything_is_claimed(self) -> None:
        script = serving()
        script.change(ports=())
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
        assert [a.kind for plan in script.settle() for a in plan][:2] == ["fetch_network", "create_dhcp_port"]

    def test_a_claim_whose_outcome_is_unknown_is_followed_by_a_fetch(self) -> None:
        script = Script(network())
        plan = script.start()
        script.succeed(*plan.actions)
        (claim,) = script.start().actions
        script.fail(claim, fault="timeout")
        assert [a.kind for a in script.plan()] == ["fetch_network"]
        script.server["net"] = network(ports=(script.own_port(),))  # it had been created after all
        script.now = 5.0
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert "create_dhcp_port" not in kinds
        assert "enable" in kinds

    def test_exhaustion_waits_for_news(self) -> None:
        """Launchpad 1447883: address exhaustion, endless resync."""
        script = Script(network())
        script.succeed(*script.start().actions)
        (claim,) = script.start().actions
        script.fail(claim, fault="address_exhausted")
        script.now = 1e6
        script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, supported=False))
        script.settle()
        assert "create_dhcp_port" not in script.kinds()[4:]
        script.tell(events.PortDeleted(port_id="net-p5", network_id="net"))
        script.tell(events.SubnetUpdated(subnet=subnet(gateway_ip=None)))
        script.change(subnets=(subnet(gateway_ip=None),))
        assert "create_dhcp_port" in [a.kind for plan in script.settle() for a in plan]

    def test_an_answer_without_the_address_asked_for_backs_off(self) -> None:
        """Launchpad 1627480: the port comes back without the requested fixed IP."""
        script = Script(network())
        script.answers[actions.CreateDhcpPort] = lambda _: script._stored(script.own_port(fixed_ips=()))
        script.answers[actions.UpdateDhcpPort] = lambda _: script._stored(script.own_port(fixed_ips=()))
        for _ in range(6):
            script.succeed(*script.start().actions)
        assert script.record().claim_retry is not None
        assert sum(a.kind in ("create_dhcp_port", "update_dhcp_port") for a in script.history) == 1

    def test_an_agent_that_does_not_host_the_network_lets_go(self) -> None:
        script = serving()
        script.change(ports=())
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
        script.succeed(*script.start().actions)
        (claim,) = script.start().actions
        script.fail(claim, fault="network_not_found")
        assert [a.kind for a in script.plan()] == ["disable"]

    def test_of_several_ports_of_ours_the_plugged_one_is_kept(self) -> None:
        script = serving()
        second = script.own_port(
            id="net-aaaa",
            mac_address="fa:16:3e:ff:ff:03",
            fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.255.3"),),
        )
        script.change(ports=(second, script.own_port()))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        assert not {"restart", "update_device"} & {a.kind for plan in script.settle() for a in plan}

    def test_the_device_of_a_replaced_port_goes_before_the_new_one_comes(self) -> None:
        """With the same plan, not with the next audit: the new port may have the old one's address and MAC address."""
        script = serving()
        old = script.record().served[KEY].spec.device.name
        script.change(ports=(script.own_port(id="net-aaaa"),))
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
        script.succeed(*script.start().actions)
        remove, restart = script.plan().actions
        assert isinstance(remove, actions.RemoveDevice)
        assert isinstance(restart, actions.RestartInstance)
        assert (remove.device, remove.scope) == (old, restart.scope)
        assert restart.spec.device.name != old
        assert remove.reasons == (f"{restart.spec.device.name} replaces it",)
        script.settle()
        assert script.record().strays == ()

    def test_a_removed_device_whose_replacement_failed_is_looked_at_and_replaced(self) -> None:
        script = serving()
        script.change(ports=(script.own_port(id="net-aaaa"),))
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
        script.succeed(*script.start().actions)
        remove, restart = script.start().actions
        script.succeed(remove)
        script.fail(restart)
        script.now = 100.0
        spec = script.record().served[KEY].spec
        left = ObservedInstance(
            key=KEY,
            directory=spec.directory,
            process=ObservedProcess(program="dnsmasq", owner="net", pid=7, argv=spec.argv, namespace="qdhcp-net"),
            host=spec.host,
            addn_hosts=spec.addn_hosts,
            opts=spec.opts,
            interface=spec.device.name,
        )
        made = ObservedDevice(namespace="qdhcp-net", name="tapnet-aaaa")  # it came so far before it failed
        script.observed = ObservedHost(instances=(left,), namespaces=("qdhcp-net",), stray_devices=(made,))
        look = next(a for a in script.start() if isinstance(a, actions.ObserveHost))
        script.succeed(look)
        assert [a.kind for a in script.plan() if a.network_id == "net"] == ["restart"]

    def test_a_device_that_is_unplugged_is_plugged_again_and_dnsmasq_runs_on(self) -> None:
        script = serving()
        whole = _as_served(script)
        (instance,) = whole.instances
        assert instance.device is not None
        cut = evolve(instance, device=evolve(instance.device, unplugged="its other end is on no bridge"))
        for _ in range(2):
            script.tell(events.HostObserved(observed=evolve(whole, instances=(cut,))))
            (repair,) = script.start().actions
            assert isinstance(repair, actions.UpdateDevice)
            assert repair.reasons == ("its other end is on no bridge",)
            script.succeed(repair)
            assert not script.plan()
        script.tell(events.HostObserved(observed=whole))
        assert not script.plan()

    def test_a_device_that_another_instance_serves_on_stays(self) -> None:
        """Segments whose ports were mixed up: what one leaves is the other's."""
        segments = tuple(Segment(id=f"g{tag}", network_id="net", segmentation_id=tag) for tag in (1, 2))
        subnets = tuple(subnet(number=tag, segment_id=f"g{tag}") for tag in (1, 2))
        script = Script(network(segments=segments, subnets=subnets))
        script.settle()
        first, second = (script.record().served[InstanceKey(network_id="net", segmentation=tag)] for tag in "12")
        swapped = {first.spec.device.port_id: "2", second.spec.device.port_id: "1"}
        ports = []
        for known in script.server["net"].ports:
            tag = swapped[known.id]
            ip = FixedIP(subnet_id=f"net-s{tag}", ip_address=f"10.{tag}.0.77")
            ports.append(evolve(known, device_id=script.settings.dhcp_device_id("net", tag), fixed_ips=(ip,)))
        script.change(ports=tuple(ports))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        assert [a.kind for a in script.plan()] == ["restart", "restart"]


class TestNetworks:
    def test_a_rename_changes_nothing(self) -> None:
        """L11: any network update restarts dnsmasq."""
        script = serving()
        script.tell(events.NetworkUpdated(network_id="net", mtu=1450, subnet_ids=("net-s0",)))
        assert not script.plan()

    def test_a_new_mtu_restarts(self) -> None:
        """Launchpad 1671634: an MTU change was not applied to the DHCP port."""
        script = serving()
        script.change(mtu=1400)
        script.tell(events.NetworkUpdated(network_id="net", mtu=1400, subnet_ids=("net-s0",)))
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert kinds == ["fetch_network", "restart"]

    def test_admin_down_disables_and_up_enables(self) -> None:
        script = serving()
        script.change(admin_state_up=False)
        script.tell(events.NetworkUpdated(network_id="net", admin_state_up=False, mtu=1450))
        assert "disable" in [a.kind for plan in script.settle() for a in plan]
        script.change(admin_state_up=True, ports=())
        script.tell(events.NetworkUpdated(network_id="net", admin_state_up=True, mtu=1450))
        assert "enable" in [a.kind for plan in script.settle() for a in plan]

    def test_no_subnet_with_dhcp_left_disables(self) -> None:
        script = serving()
        script.change(subnets=(subnet(enable_dhcp=False),))
        script.tell(events.SubnetUpdated(subnet=subnet(enable_dhcp=False)))
        assert "disable" in [a.kind for plan in script.settle() for a in plan]

    def test_created_deleted_created_with_one_id(self) -> None:
        script = serving()
        script.tell(events.NetworkDeleted(network_id="net"))
        script.change(ports=())
        script.tell(events.NetworkCreated(network_id="net"))
        script.settle()
        assert KEY in script.record().served

    def test_after_creates_and_deletes_the_state_is_as_small_as_before(self) -> None:
        """Museum class MEM."""
        script = serving(tombstone_age=100)
        before = len(script.state.networks)
        for number in range(50):
            extra = network(f"n{number}", ports=(port(1, f"n{number}"),))
            script.server[extra.id] = extra
            script.tell(events.NetworkCreated(network_id=extra.id))
            script.settle()
            del script.server[extra.id]
            script.tell(events.PortDeleted(port_id=f"n{number}-p1", network_id=extra.id))
            script.tell(events.NetworkDeleted(network_id=extra.id))
            script.settle()
        script.now = 300.0
        script.tell(events.PortDeleted(port_id="last", network_id="net"))
        state = script.state
        assert len(state.networks) == before
        assert len(state.tombstones) == 1
        for leftover in (state.touched, state.waiting, state.recent, state.late, state.in_flight, state.ready.queue):
            assert not leftover


def _ip(number: int) -> tuple[FixedIP, ...]:
    return (FixedIP(subnet_id=f"net-s{number}", ip_address=f"10.{number}.255.2"),)


def _as_served(script: Script) -> ObservedHost:
    """The host as this script's state has it."""
    found = []
    for key, served in script.record().served.items():
        spec = served.spec
        assert served.pid is not None
        process = ObservedProcess(
            program="dnsmasq", owner=key.directory, pid=served.pid, argv=spec.argv, namespace=spec.device.namespace
        )
        device = ObservedDevice(
            namespace=spec.device.namespace,
            name=spec.device.name,
            mac_address=spec.device.mac_address,
            mtu=spec.device.mtu,
            addresses=spec.device.addresses,
            routes=spec.device.routes,
        )
        found.append(
            ObservedInstance(
                key=key,
                directory=spec.directory,
                process=process,
                device=device,
                interface=device.name,
                host=spec.host,
                addn_hosts=spec.addn_hosts,
                opts=spec.opts,
            )
        )
    return ObservedHost(instances=tuple(found), namespaces=("qdhcp-net",))


class TestSegments:
    def _routed(self, script: Script) -> None:
        segments = (Segment(id="seg-a", segmentation_id=7), Segment(id="seg-b", segmentation_id=None))
        subnets = (subnet(number=0, segment_id="seg-a"), subnet(number=1, segment_id="seg-b"))
        script.server["net"] = network(segments=segments, subnets=subnets)
        numbers = {"net-s0": "a", "net-s1": "b"}
        script.answers[actions.CreateDhcpPort] = lambda action: script._stored(
            script.own_port(
                id=f"{numbers[action.subnet_ids[0]]}{'0' * 12}",  # type: ignore[attr-defined]
                device_id=action.device_id,  # type: ignore[attr-defined]
                mac_address=f"fa:16:3e:ff:ff:0{action.subnet_ids[0][-1]}",  # type: ignore[attr-defined]
                fixed_ips=(
                    FixedIP(
                        subnet_id=action.subnet_ids[0],  # type: ignore[attr-defined]
                        ip_address=f"10.{action.subnet_ids[0][-1]}.255.2",  # type: ignore[attr-defined]
                    ),
                ),
            )
        )

    def test_each_segment_is_an_instance_of_its_own(self) -> None:
        """L2: a multi-segment reload served one segment only."""
        script = Script()
        self._routed(script)
        script.settle()
        assert {key.directory for key in script.record().served} == {"7/net", "None/net"}

    def test_one_segment_going_leaves_the_other_and_the_namespace(self) -> None:
        """L1, and Launchpad 2051729: the namespace went under another segment."""
        script = Script()
        self._routed(script)
        script.settle()
        script.kinds()
        script.change(
            subnets=(subnet(number=0, segment_id="seg-a"),), segments=(Segment(id="seg-a", segmentation_id=7),)
        )
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        kinds = script.kinds()
        assert kinds.count("disable") == 1
        assert "remove_namespace" not in kinds
        assert {key.directory for key in script.record().served} == {"7/net"}

    def test_those_that_stay_are_not_started_again_when_others_go(self) -> None:
        """Launchpad 2051729: what happened to one segment reached the others."""
        script = Script()
        self._routed(script)
        script.settle()
        script.kinds()
        script.change(
            subnets=(subnet(number=0, segment_id="seg-a"),), segments=(Segment(id="seg-a", segmentation_id=7),)
        )
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        assert "restart" not in script.kinds()
        script.tell(events.HostObserved(observed=_as_served(script)))
        assert script.plan().actions == ()

    def test_one_that_is_left_alone_keeps_the_label_with_the_command_line(self) -> None:
        """Else another that joins it later would find the metadata address taken, by one that is not started again."""
        script = Script()
        self._routed(script)
        script.settle()
        both = script.server["net"].subnets
        script.change(subnets=both[:1])
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        seen = _as_served(script)
        (one,) = seen.instances
        assert one.device is not None
        bare = evolve(seen, instances=(evolve(one, device=evolve(one.device, addresses=())),))
        script.tell(events.HostObserved(observed=bare))
        (repair,) = script.plan().actions
        assert isinstance(repair, actions.UpdateDevice)
        assert repair.spec.device.shared

    def test_each_of_several_listens_on_its_own_device_only(self) -> None:
        """Else the first takes port 53 of all of them, and the next ends at its start."""
        script = Script()
        self._routed(script)
        script.settle()
        for served in script.record().served.values():
            assert f"--interface={served.spec.device.name}" in served.spec.argv
            assert served.spec.device.shared
            assert [warning.code for warning in served.spec.warnings] == ["namespace-shared"]

    def test_one_that_listens_everywhere_makes_way_before_another_starts(self) -> None:
        script = Script()
        self._routed(script)
        both = script.server["net"]
        script.change(subnets=(subnet(number=0, segment_id="seg-a"),))
        script.settle()
        assert not any("interface" in argument for argument in script.record().served[KEY7].spec.argv)
        script.change(subnets=both.subnets)
        script._stored(dhcp_port(script.settings, id="b" + "0" * 12, fixed_ips=_ip(1), mac_address="fa:16:3e:ff:ff:09"))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        plans = [[(a.kind, a.key.directory) for a in plan if hasattr(a, "key")] for plan in script.settle()]
        assert [plan for plan in plans if plan] == [[("restart", "7/net")], [("enable", "None/net")]]

    def test_one_that_is_dead_keeps_nobody_waiting(self) -> None:
        script = Script()
        self._routed(script)
        both = script.server["net"]
        script.change(subnets=(subnet(number=0, segment_id="seg-a"),))
        script.settle()
        pid = script.record().served[KEY7].pid
        script.change(subnets=both.subnets)
        script._stored(dhcp_port(script.settings, id="b" + "0" * 12, fixed_ips=_ip(1), mac_address="fa:16:3e:ff:ff:09"))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        script.tell(events.ProcessDied(key=KEY7, pid=pid, exit_code=1))
        assert {a.kind for a in script.plan()} == {"enable", "restart"}

    def test_observation_finds_instances_of_segments(self) -> None:
        """L3: at start, directories of multi-segment instances are not found, so never cleaned."""
        script = Script()
        key = InstanceKey(network_id="gone", segmentation="7")
        script.observed = ObservedHost(instances=(ObservedInstance(key=key, host=""),), namespaces=("qdhcp-gone",))
        script.settle()
        script.now = 1.0
        script.settle()
        kinds = script.kinds()
        assert "disable" in kinds
        assert "remove_namespace" in kinds


class TestReload:
    def _tagged(self, capabilities: HostCapabilities, **options: Any) -> actions.ReloadInstance:
        tagged = port(5, extra_dhcp_opts=(ExtraDhcpOption(opt_name="67", opt_value="pxe.0"),))
        script = Script(capabilities=capabilities, **options)
        script.server["net"] = network(ports=(tagged, script.own_port()))
        script.settle()
        script.tell(events.PortCreated(port=port(6)))
        (reload,) = script.plan().actions
        assert isinstance(reload, actions.ReloadInstance)
        return reload

    def test_sighup_is_avoided_where_it_can_kill(self) -> None:
        assert not self._tagged(HostCapabilities()).sighup

    def test_sighup_is_used_where_it_is_safe(self) -> None:
        assert self._tagged(HostCapabilities(dnsmasq=DnsmasqCapabilities(version=(2, 91)))).sighup

    def test_sighup_is_avoided_for_one_that_was_started_before_an_upgrade(self) -> None:
        """The installed dnsmasq does not die of it; the one that runs is older."""
        script = Script(capabilities=HostCapabilities(dnsmasq=DnsmasqCapabilities(version=(2, 91))))
        tagged = port(5, extra_dhcp_opts=(ExtraDhcpOption(opt_name="67", opt_value="pxe.0"),))
        script.server["net"] = network(ports=(tagged, script.own_port()))
        script.settle()
        whole = _as_served(script)
        (instance,) = whole.instances
        assert instance.process is not None
        older = evolve(instance, process=evolve(instance.process, replaced=True))
        script.tell(events.HostObserved(observed=evolve(whole, instances=(older,))))
        assert not script.plan()
        script.tell(events.PortCreated(port=port(6)))
        (reload,) = script.start().actions
        assert isinstance(reload, actions.ReloadInstance)
        assert not reload.sighup

    def test_a_setting_overrides(self) -> None:
        assert self._tagged(HostCapabilities(), reload_method="sighup").sighup

    def test_sighup_is_used_where_nobody_has_a_tag(self) -> None:
        script = serving(network(ports=(port(5),)))
        script.tell(events.PortCreated(port=port(6)))
        (reload,) = script.plan().actions
        assert isinstance(reload, actions.ReloadInstance)
        assert reload.sighup


class TestBrake:
    def _many(self) -> Script:
        return serving(*(network(f"n{number}") for number in range(10)))

    def _empty_answer(self, script: Script) -> None:
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now += 10.0
        script.settle()

    def test_an_empty_answer_disables_nothing(self) -> None:
        script = self._many()
        self._empty_answer(script)
        assert "disable" not in script.kinds()
        held = script.plan().held
        assert held is not None
        assert len(held.network_ids) == 10
        assert held.until == pytest.approx(script.now + 300.0)

    def test_the_same_answer_standing_long_enough_is_believed(self) -> None:
        script = self._many()
        script.answers[actions.FetchNetwork] = lambda _: None
        self._empty_answer(script)
        for _ in range(5):
            script.now += 60.0
            script.settle()
        assert script.kinds().count("disable") == 10
        assert script.plan().held is None

    def test_networks_that_come_back_are_kept(self) -> None:
        script = self._many()
        self._empty_answer(script)
        del script.answers[actions.FetchNetworks]
        script.now += 60.0
        script.settle()
        script.now += 1000.0
        script.settle()
        assert "disable" not in script.kinds()
        assert script.plan().held is None

    def test_a_held_network_that_went_elsewhere_is_disabled_at_once(self) -> None:
        script = self._many()
        script.change("n3", ports=())
        self._empty_answer(script)
        disabled = [a.network_id for a in script.history if isinstance(a, actions.DisableInstance)]
        assert disabled == ["n3"]

    def test_force_lets_go(self) -> None:
        script = self._many()
        self._empty_answer(script)
        script.tell(events.DisableForced())
        script.settle()
        assert script.kinds().count("disable") == 10

    def test_an_agent_that_is_down_disables_without_a_brake(self) -> None:
        script = self._many()
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks()
        script.tell(events.AgentUpdated(admin_state_up=False))
        script.now += 10.0
        script.settle()
        assert script.kinds().count("disable") == 10

    def test_notifications_are_never_braked(self) -> None:
        script = self._many()
        script.tell(*(events.NetworkDeleted(network_id=f"n{number}") for number in range(10)))
        assert [a.kind for a in script.plan()].count("disable") == 10

    def test_a_held_network_is_still_served_well(self) -> None:
        script = self._many()
        self._empty_answer(script)
        script.tell(events.PortCreated(port=port(5, "n1")))
        assert [(a.kind, a.network_id) for a in script.plan()] == [("reload", "n1")]

    def test_few_networks_have_no_brake(self) -> None:
        script = serving(network("a"), network("b"))
        self._empty_answer(script)
        assert script.kinds().count("disable") == 2


class TestFirstContact:
    def test_nothing_is_disabled_before_the_server_knows_the_agent(self) -> None:
        script = Script()
        instance = ObservedInstance(key=KEY, host="")
        script.observed = ObservedHost(instances=(instance,), namespaces=("qdhcp-net",))
        plan = script.start()
        report = plan.actions[0]
        script.succeed(*plan.actions[1:])
        assert not script.plan()
        script.succeed(report)
        script.now = 1.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]
        assert "disable" in [a.kind for p in script.settle() for a in p]

    def test_a_server_without_state_reports_is_trusted(self) -> None:
        script = Script()
        script.observed = ObservedHost(instances=(ObservedInstance(key=KEY, host=""),), namespaces=("qdhcp-net",))
        plan = script.start()
        script.fail(plan.actions[0], fault="unsupported")
        script.succeed(*plan.actions[1:])
        script.now = 100.0
        kinds = [a.kind for p in script.settle() for a in p]
        assert "disable" in kinds
        assert "report_state" not in kinds

    def test_a_new_agent_asks_again(self) -> None:
        script = Script()
        script.heartbeat_answer = "new"
        plan = script.start()
        script.succeed(*plan.actions)
        script.now = 1.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]

    def test_events_are_served_without_a_heartbeat(self) -> None:
        """L12: events are not handled until the first heartbeat has succeeded."""
        script = Script()
        plan = script.start()
        script.succeed(*plan.actions[1:])
        script.server["net"] = network()
        script.tell(events.NetworkCreated(network_id="net"))
        assert "enable" in [a.kind for p in script.settle() for a in p]


class TestHeartbeat:
    def test_it_counts_and_drops_the_start_flag_once_answered(self) -> None:
        script = serving(network(ports=(port(5),)))
        script.now = 30.0
        (report,) = script.plan().actions
        assert isinstance(report, actions.ReportState)
        assert report.agent_state == {
            "binary": "neutron-dhcp-agent",
            "host": HOST,
            "availability_zone": "nova",
            "topic": "dhcp_agent",
            "configurations": {
                "dhcp_driver": Settings().dhcp_driver,
                "dhcp_lease_duration": 86400,
                "log_agent_heartbeats": False,
                "networks": 1,
                "subnets": 1,
                "ports": 2,
            },
            "agent_type": "DHCP agent",
        }

    def test_the_start_flag_stays_until_an_answer(self) -> None:
        script = Script()
        plan = script.start()
        script.fail(plan.actions[0])
        script.now = 30.0
        report = script.plan().actions[0]
        assert isinstance(report, actions.ReportState)
        assert report.agent_state["start_flag"] is True

    def test_it_goes_on_while_a_fetch_runs(self) -> None:
        """Launchpad 1496410: heartbeats starved."""
        script = Script(network())
        plan = script.start()
        script.succeed(plan.actions[0])
        for tick in range(1, 5):
            script.now = 30.0 * tick
            (report,) = script.start().actions
            assert report.kind == "report_state"
            script.succeed(report)

    def test_revived_asks_for_everything(self) -> None:
        """Launchpad 1505166."""
        script = serving()
        script.now = 30.0
        script.heartbeat_answer = "revived"
        script.succeed(*script.start().actions)
        assert [a.kind for a in script.plan()] == ["fetch_networks"]

    @pytest.mark.parametrize("answer", ["revived", "new"])
    @pytest.mark.parametrize("first", ["fetch_networks", "report_state"])
    def test_what_was_asked_before_the_server_knew_that_we_live_is_asked_again(self, answer: str, first: str) -> None:
        """A server gives no network to an agent that it holds for dead; the report may be read after the question."""
        script = serving()
        script.now = 30.0
        script.heartbeat_answer = answer
        script.tell(events.ServerConnected())
        script.succeed(*sorted(script.start().actions, key=lambda action: action.kind != first))
        script.now = 32.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]
        script.heartbeat_answer = "alive"
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert kinds == ["fetch_networks"]

    def test_none_are_sent_when_switched_off(self) -> None:
        assert "report_state" not in [a.kind for a in Script(report_interval=0).plan()]


class TestReady:
    def test_batches_of_64_those_that_somebody_waits_for_first(self) -> None:
        """Launchpad 1834257: 10,000 ports in one call."""
        script = Script()
        waiting = tuple(port(n, status="DOWN") for n in range(1, 200))
        script.server["net"] = network(ports=(*waiting, script.own_port()))
        plans = script.settle()
        batches = [a for a in plans[-1] if isinstance(a, actions.NotifyReady)]
        assert [len(batch.port_ids) for batch in batches] == [64, 64, 64, 7]
        assert {p for batch in batches for p in batch.port_ids} == {p.id for p in waiting}

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

    def test_none_is_reported_where_all_are_active(self) -> None:
        """Launchpad 1639086: every port was sent again at each sync."""
        script = Script()
        script.server["net"] = network(ports=(port(5), script.own_port()))
        assert "notify_ready" not in [a.kind for plan in script.settle() for a in plan]

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


class TestFailures:
    def test_a_failed_action_is_retried_after_a_look_at_the_host_and_loses_no_event(self) -> None:
        """L4: an exception in one event's handler silently drops that network's queued events."""
        script = serving()
        script.tell(events.PortCreated(port=port(5)))
        (reload,) = script.start().actions
        script.tell(events.PortCreated(port=port(6)))
        script.fail(reload, reason="disk full")
        assert not script.plan()
        script.now = 1.0
        (look,) = script.start().actions
        assert isinstance(look, actions.ObserveHost)
        assert look.network_id == "net"
        served = script.record().served[KEY]
        device = served.spec.device
        script.observed = ObservedHost(
            instances=(
                ObservedInstance(
                    key=KEY,
                    process=ObservedProcess(
                        program="dnsmasq",
                        owner="net",
                        pid=served.pid or 1,
                        argv=served.spec.argv,
                        namespace="qdhcp-net",
                    ),
                    host=served.spec.host,
                    addn_hosts=served.spec.addn_hosts,
                    opts=served.spec.opts,
                    device=ObservedDevice(
                        namespace="qdhcp-net",
                        name=device.name,
                        mac_address=device.mac_address,
                        mtu=device.mtu,
                        addresses=device.addresses,
                        routes=device.routes,
                    ),
                ),
            ),
            namespaces=("qdhcp-net",),
        )
        script.succeed(look)
        (again,) = script.plan().actions
        assert isinstance(again, actions.ReloadInstance)
        assert "10.0.0.5" in again.spec.host
        assert "10.0.0.6" in again.spec.host

    def test_it_never_shows_in_another_networks_plan(self) -> None:
        """Launchpad 1384402: one failing network restarted every dnsmasq."""
        script = serving(network("a"), network("b"))
        script.tell(events.PortCreated(port=port(5, "a")))
        (reload,) = script.start().actions
        script.fail(reload)
        script.tell(events.PortCreated(port=port(5, "b")))
        assert [(a.kind, a.network_id) for a in script.plan()] == [("reload", "b")]

    def test_reasons_are_short_strings(self) -> None:
        """L14: exception objects are kept as resync reasons."""
        script = serving()
        script.tell(events.PortCreated(port=port(5)))
        (reload,) = script.start().actions
        script.fail(reload, reason="x" * 100_000 + "\nsecond line")
        retry = script.record().retry
        assert retry is not None
        assert len(retry.reason) <= 400
        assert "\n" not in retry.reason

    def test_a_dead_dnsmasq_is_back_at_once(self) -> None:
        script = serving()
        script.now = 1000.0
        script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, due=1e9))
        script.state = evolve(script.state, observation=evolve(script.state.observation, due=1e9))
        script.tell(events.ProcessDied(key=KEY, exit_code=-11))
        (restart,) = script.plan().actions
        assert isinstance(restart, actions.RestartInstance)
        assert restart.repair

    def test_one_that_dies_at_every_start_is_paced(self) -> None:
        script = serving()
        script.tell(events.ProcessDied(key=KEY, exit_code=2))
        script.succeed(*script.start().actions)
        script.tell(events.ProcessDied(key=KEY, exit_code=2, detail="port 53 in use"))
        assert not script.plan()
        retry = script.record().retry
        assert retry is not None
        assert "port 53 in use" in retry.reason
        assert "exit code 2" in retry.reason

    def test_one_that_is_stopped_to_be_started_anew_has_not_died(self) -> None:
        """Several restarts within a minute are no reason to wait before the next; a crash in one of them is told."""
        script = serving()
        for mtu in (1400, 1401, 1402, 1403):
            script.change(mtu=mtu)
            script.tell(events.ResyncRequested(reason="a test", network_id="net"))
            script.succeed(*script.start())
            (restart,) = script.start()
            assert isinstance(restart, actions.RestartInstance)
            script.tell(events.ProcessDied(key=KEY, pid=script.record().served[KEY].pid, exit_code=mtu % 2 and None))
            script.succeed(restart)
            served = script.record().served[KEY]
            assert (served.alive, served.deaths, served.last_death, script.record().retry) == (True, 0, None, None)
        script.change(mtu=1500)
        script.tell(events.ResyncRequested(reason="a test", network_id="net"))
        script.succeed(*script.start())
        (restart,) = script.start()
        script.tell(events.ProcessDied(key=KEY, pid=script.record().served[KEY].pid, exit_code=-6))
        assert script.record().served[KEY].deaths == 1
        script.succeed(restart)

    def test_how_it_died_is_remembered_after_it_is_back(self) -> None:
        script = serving(force_metadata=True)
        script.now = 100.0
        script.tell(events.ProcessDied(key=KEY, exit_code=-9, detail="killed\n" + "x" * 1000))
        script.tell(events.ProxyDied(network_id="net", exit_code=1, detail="why"))
        script.settle()
        record = script.record()
        assert record.served[KEY].alive
        death = record.served[KEY].last_death
        assert death is not None
        assert (death.at, death.exit_code, death.detail[:8], len(death.detail)) == (100.0, -9, "killed x", 400)
        assert record.proxy is not None
        assert record.proxy.last_death == LastDeath(at=100.0, exit_code=1, detail="why")

    def test_the_death_of_an_earlier_process_means_nothing(self) -> None:
        script = serving()
        script.tell(events.ProcessDied(key=KEY, pid=99999))
        assert not script.plan()


def test_an_unreadable_notification_asks_for_its_network() -> None:
    script = serving()
    script.tell(events.PayloadRefused(network_id="net", message="port.mac_address: ..."))
    assert [a.kind for a in script.plan()] == ["fetch_network"]


@pytest.mark.parametrize("network_id", ["another", None])
def test_an_unreadable_notification_of_what_is_not_known_asks_for_everything(network_id: str | None) -> None:
    """It may have given us that network; a method that is none of ours may not."""
    script = serving()
    script.now += 60.0
    script.tell(events.PayloadRefused(network_id=network_id, message="security_group: ...", understood=False))
    assert not {"fetch_networks", "fetch_network"} & {a.kind for a in script.plan()}
    script.tell(events.PayloadRefused(network_id=network_id, message="network.id: ..."))
    assert "fetch_networks" in [a.kind for a in script.plan()]


def test_changed_settings_reach_every_network() -> None:
    script = serving(network("a"), network("b"))
    script.tell(events.SettingsChanged(settings=evolve(script.settings, dns_domain="example.org")))
    assert [(a.kind, a.network_id) for a in script.plan()] == [("restart", "a"), ("restart", "b")]


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="not an event: str"):
        fold_event("network_create_end", Script().state)  # type: ignore[arg-type]


UNBOUND = {"status": "DOWN", "binding_host_id": "", "binding_vif_type": "unbound"}


class TestReadyWithoutANotification:
    """Ports that a fetch tells of, not a notification (Launchpad 1639806: never reported, boot timeout)."""

    def test_a_port_that_is_served_from_now_on_is_reported_bound_or_not(self) -> None:
        script = Script(network(ports=(port(5, **UNBOUND),)))
        script.settle()
        assert _reported(script) >= {"net-p5"}

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
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks", "reload", "notify_ready"]
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


def _reported(script: Script) -> set[str]:
    return {p for action in script.history if isinstance(action, actions.NotifyReady) for p in action.port_ids}


def test_a_device_id_that_no_instance_can_have_is_not_ours() -> None:
    script = Script()
    odd = dhcp_port(script.settings, device_id=script.settings.dhcp_device_id("net", None) + "-../../x y")
    script.server["net"] = network(ports=(odd,), subnets=())
    script.settle()
    del script.server["net"]
    script.tell(events.NetworkDeleted(network_id="net"))
    assert script.settle() == []
