"""What fold and plan do, case by case; the bugs of the museum that are cases of this carry their numbers."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.port import ExtraDhcpOption, FixedIP
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state import fold_event
from support.as_served import observed
from support.script import HOST, Script, network, port, serving, subnet

KEY = InstanceKey(network_id="net")


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


class TestPorts:
    def test_a_changed_address_is_one_reload_and_one_report(self) -> None:
        script = serving(network(ports=(port(5),)))
        moved = port(5, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),), revision_number=2)
        script.tell(events.PortUpdated(port=moved))
        assert [a.kind for plan in script.settle() for a in plan] == ["reload", "notify_ready", "forget_unreported"]

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
        whole = observed(script)
        (instance,) = whole.instances
        assert instance.process is not None
        older = evolve(instance, process=evolve(instance.process, replaced=True))
        script.tell(events.HostObserved(observed=evolve(whole, instances=(older,))))
        assert not script.plan()
        script.tell(events.PortCreated(port=port(6)))
        (reload,) = script.start().actions
        assert isinstance(reload, actions.ReloadInstance)
        assert not reload.sighup

    def test_sighup_is_avoided_where_a_file_was_edited_while_no_agent_ran(self) -> None:
        """What lies there has no tag any more; what was loaded before had one, as far as anybody knows."""
        tagged = port(5, extra_dhcp_opts=(ExtraDhcpOption(opt_name="67", opt_value="pxe.0"),))
        before = serving(network(ports=(tagged,)))
        script = Script()
        script.server = before.server
        whole = observed(before)
        (instance,) = whole.instances
        script.observed = evolve(whole, instances=(evolve(instance, host="# nothing\n"),))
        script.settle()
        (reload,) = [action for action in script.history if isinstance(action, actions.ReloadInstance)]
        assert not reload.sighup

    @pytest.mark.parametrize("text", ["garbage,\udcff\n", None])
    def test_sighup_is_avoided_where_no_agent_wrote_what_lies_there(self, text: str | None) -> None:
        """Neither what lies there nor what is wanted has a tag; what was loaded in an earlier life may have had one."""
        before = serving(network(ports=(port(5),)))
        script = Script()
        script.server = before.server
        whole = observed(before)
        (instance,) = whole.instances
        script.observed = evolve(whole, instances=(evolve(instance, host=text),))
        script.settle()
        (reload,) = [action for action in script.history if isinstance(action, actions.ReloadInstance)]
        assert not reload.sighup

    def test_sighup_is_avoided_where_an_edited_file_was_seen_before_and_could_not_be_mended(self) -> None:
        """The first look saw that the file had changed; to the second it is what it was, and loaded it is not."""
        tagged = port(5, extra_dhcp_opts=(ExtraDhcpOption(opt_name="67", opt_value="pxe.0"),))
        script = serving(network(ports=(tagged,)))
        whole = observed(script)
        (instance,) = whole.instances
        script.observed = evolve(whole, instances=(evolve(instance, host="# nothing\n"),))
        script.tell(events.HostObserved(observed=script.observed))
        (reload,) = script.start()
        script.fail(reload, reason="the namespace could not be entered")
        script.now = 60.0
        script.settle()
        again = [action for action in script.history if isinstance(action, actions.ReloadInstance)]
        assert [action.sighup for action in again] == [False, False]

    def test_a_setting_overrides(self) -> None:
        assert self._tagged(HostCapabilities(), reload_method="sighup").sighup

    def test_sighup_is_used_where_nobody_has_a_tag(self) -> None:
        script = serving(network(ports=(port(5),)))
        script.tell(events.PortCreated(port=port(6)))
        (reload,) = script.plan().actions
        assert isinstance(reload, actions.ReloadInstance)
        assert reload.sighup


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

    def test_a_connection_or_an_operator_ends_the_pause_after_failed_fetches(self) -> None:
        """The pause spares a server that is away; now it is there, or somebody wants it asked."""
        for event in (events.ServerConnected(), events.ResyncRequested(reason="an operator asked for it")):
            script = serving()
            script.tell(events.ResyncRequested(reason="asked"))
            for _ in range(9):
                script.now += 100.0
                for action in script.start():
                    if isinstance(action, actions.FetchNetworks):
                        script.fail(action)
                    else:
                        script.succeed(action)
            script.now += 2.0
            assert "fetch_networks" not in [a.kind for a in script.plan()]
            script.tell(event)
            assert "fetch_networks" in [a.kind for a in script.plan()]

    def test_none_are_sent_when_switched_off(self) -> None:
        assert "report_state" not in [a.kind for a in Script(report_interval=0).plan()]


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


def test_shorter_intervals_hold_from_the_moment_they_are_read() -> None:
    """The audit that was due in five minutes by the old settings is due in one by the new."""
    script = serving(audit_interval=300, report_interval=250)
    script.now = 5.0
    script.tell(events.SettingsChanged(settings=evolve(script.settings, audit_interval=60, report_interval=30)))
    assert not script.plan()
    script.now = 35.0
    assert [a.kind for a in script.start()] == ["report_state"]
    script.now = 65.0
    assert "observe" in [a.kind for a in script.start()]


def test_longer_intervals_put_off_nothing_that_is_due_sooner() -> None:
    script = serving(audit_interval=60, report_interval=30)
    script.now = 5.0
    script.tell(events.SettingsChanged(settings=evolve(script.settings, audit_interval=300, report_interval=250)))
    script.now = 30.0
    assert [a.kind for a in script.start()] == ["report_state"]
    script.now = 75.0
    assert "observe" in [a.kind for a in script.start()]


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="not an event: str"):
        fold_event("network_create_end", Script().state)  # type: ignore[arg-type]
