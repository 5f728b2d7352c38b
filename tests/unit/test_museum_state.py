"""Fold and plan, where other agents' bugs were: one case each, named after what went wrong.

The laws behind them, over generated histories, are in tests/property/test_museum_state.py; more cases are in
test_state_and_plan.py and its neighbours.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.lease import Lease
from dhcpcore.model.network import Segment
from dhcpcore.model.port import FixedIP
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedInstance
from dhcpcore.testing import MemoryClock, MemoryHost, MemoryServer, SimulatedAgent
from dhcpcore.testing.host.memory import SIGNAL, START, WRITE
from support.as_served import observed
from support.script import HOST, Script, network, port, serving, subnet

KEY = InstanceKey(network_id="net")


def simulated(server: MemoryServer, **options: Any) -> SimulatedAgent:
    """An agent that serves what `server` has, at rest."""
    agent = SimulatedAgent(server, MemoryHost(server.clock), Settings(host=HOST, **options))
    agent.settle()
    return agent


def one_network(clock: MemoryClock | None = None) -> tuple[MemoryServer, str]:
    """A server with one network of one subnet, given to our host."""
    server = MemoryServer(clock)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    server.desk.bind(network_id, HOST)
    return server, network_id


def counts(agent: SimulatedAgent) -> list[int]:
    """Starts, signals and writes on the host so far."""
    return [agent.host.count(what) for what in (START, SIGNAL, WRITE)]


class TestRestartOfTheAgent:
    def test_it_restarts_nothing(self) -> None:
        """L11: every agent restart restarted every dnsmasq."""
        server, network_id = one_network()
        server.create_port(network_id, **{"binding:host_id": "compute-1"})
        agent = simulated(server, enable_isolated_metadata=True)
        before = counts(agent)
        agent.restart()
        agent.settle()
        assert agent.differences() == []
        assert counts(agent) == before

    def test_what_was_deleted_meanwhile_is_removed(self) -> None:
        """Launchpad 1195770: networks deleted while the agent was down left directories for ever."""
        clock = MemoryClock()
        server, network_id = one_network(clock)
        agent = simulated(server)
        assert agent.host.disk.files(agent.settings.confs_dir)
        server.delete_network(network_id)
        server.notices.take_all(HOST)
        agent.restart()
        agent.settle()
        clock.advance(2.0)  # an answer counts once the server has heard of the agent
        agent.settle()
        assert not agent.host.disk.files(agent.settings.confs_dir)
        assert not agent.host.namespaces
        assert not agent.host.processes


class TestRestartOfDnsmasq:
    def test_port_namespace_and_leases_are_kept(self) -> None:
        """Launchpad 1410982: restart() was disable() and enable(), and the first removed what the second needed."""
        server, network_id = one_network()
        server.create_subnet(network_id, "fd00::/64", ip_version=6, ipv6_address_mode="dhcpv6-stateful")
        machine = server.create_port(network_id, **{"binding:host_id": "compute-1"})
        agent = simulated(server)
        (port_of_ours,) = (p["id"] for p in server.tables.ports_of(network_id) if p["device_owner"] == "network:dhcp")
        key = InstanceKey(network_id=network_id)
        address = machine["fixed_ips"][1]["ip_address"]
        lease = Lease(expiry=0, ip_address=address, iaid=7, client_id="00:01:02", server_id="00:01:00:01")
        agent.host.lease(key, lease)
        before = agent.host.leases(key)[address]
        server.update_network(network_id, mtu=1400)
        agent.receive_all()
        agent.plans.clear()
        agent.settle()
        kinds = {action.kind for plan in agent.plans for action in plan}
        assert "restart" in kinds
        assert not kinds & {"disable", "enable", "release_dhcp_port", "create_dhcp_port", "remove_namespace"}
        assert agent.host.leases(key)[address] == before
        assert port_of_ours in server.tables.ports
        assert agent.differences() == []

    def test_the_death_of_an_earlier_process_starts_no_second_one(self) -> None:
        """Never two live pids: the news of a death may come when its successor runs already."""
        script = serving()
        old = script.record().served[KEY].pid
        script.change(mtu=1400)
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        assert script.record().served[KEY].pid != old
        script.tell(events.ProcessDied(key=KEY, pid=old, exit_code=0))
        assert [action.kind for action in script.plan()] == []

    def test_a_permutation_of_the_answer_signals_nobody(self) -> None:
        """Unchanged in meaning is unchanged: no write, no signal."""
        server, network_id = one_network()
        for _ in range(3):
            server.create_port(network_id)
        agent = simulated(server)
        before = counts(agent)
        server.garble("get_network_info", lambda answer: answer | {"ports": answer["ports"][::-1]})
        agent.fold(events.ResyncRequested(network_id=network_id, reason="asked", at=server.clock.monotonic()))
        agent.settle()
        assert counts(agent) == before


class TestCleaning:
    def test_devices_of_nobody_go(self) -> None:
        """Launchpad 1561695, 1625325: each retry of a failed set-up left one more tap behind."""
        script = serving()
        stray = ObservedDevice(namespace="qdhcp-net", name="tap-stray")
        script.tell(events.HostObserved(observed=observed(script, stray_devices=(stray,))))
        removed = [action.device for action in script.plan() if isinstance(action, actions.RemoveDevice)]
        assert removed == ["tap-stray"]

    def test_a_directory_without_a_network_goes(self) -> None:
        """Launchpad 1195770, and that only directories with a process in them were found."""
        script = serving()
        gone = ObservedInstance(key=InstanceKey(network_id="gone"), host="")
        script.now = 10.0
        script.tell(events.HostObserved(observed=observed(script, gone)))
        script.settle()
        disabled = [action.key.network_id for action in script.history if isinstance(action, actions.DisableInstance)]
        assert disabled == ["gone"]


class TestSync:
    def test_one_full_sync_at_a_time(self) -> None:
        """Launchpad 1257514: a second sync was started before the first had ended."""
        script = serving(network())
        script.now = 10.0
        script.tell(events.ResyncRequested(reason="asked"))
        (fetch,) = script.start().actions
        script.now = 100.0
        script.tell(events.ResyncRequested(reason="asked again"))
        assert [action.kind for action in script.plan() if action.kind == "fetch_networks"] == []
        script.succeed(fetch)
        assert [action.kind for action in script.plan() if action.kind == "fetch_networks"] == ["fetch_networks"]

    def test_a_port_event_does_not_wait_for_a_sync(self) -> None:
        """L8: one lock for the whole agent, and port events waited until a sync of everything was over."""
        script = serving(network("a"), network("b"))
        script.now = 10.0
        script.tell(events.ResyncRequested(reason="asked"))
        assert [action.kind for action in script.start()] == ["fetch_networks"]
        script.tell(events.PortCreated(port=port(5, "a")))
        first = script.start()
        assert [(action.kind, action.network_id) for action in first] == [("reload", "a")]
        script.tell(events.PortCreated(port=port(5, "b")))
        assert [(action.kind, action.network_id) for action in script.plan()] == [("reload", "b")]
        assert len({action.scope for action in (*first, *script.plan())}) == 2

    def test_a_port_event_asks_the_server_nothing_and_looks_at_one_network(self) -> None:
        """A reload cost a call to the server (Launchpad 1290068), a reschedule of one network all of them."""
        script = serving(*(network(f"n{number}") for number in range(20)))
        script.tell(events.PortCreated(port=port(5, "n7")))
        plan = script.plan()
        assert plan.examined == ("n7",)
        assert [(action.kind, action.network_id) for action in plan] == [("reload", "n7")]

    def test_a_port_first_seen_in_an_answer_is_reported(self) -> None:
        """Launchpad 1639806: ports first seen in a refresh of a subnet were never reported: machines waited in vain."""
        script = serving()
        script.change(ports=(*script.server["net"].ports, port(5, status="DOWN")))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        reported = [p for action in script.history if isinstance(action, actions.NotifyReady) for p in action.port_ids]
        assert reported == ["net-p5"]

    def test_heartbeats_go_on_whatever_else_is_under_way(self) -> None:
        """Launchpad 1496410: heartbeats waited behind a burst of calls, and the agent was taken for dead."""
        script = Script(network())
        plan = script.start()
        script.succeed(plan.actions[0])
        assert [action.kind for action in plan.actions[1:]] == ["observe", "fetch_networks"]
        for tick in range(1, 5):
            script.now = 30.0 * tick
            again = script.start()
            assert [action.kind for action in again] == ["report_state"]
            script.succeed(*again.actions)

    def test_enabling_dhcp_on_a_subnet_restarts(self) -> None:
        """Launchpad 1805824: of a subnet only id and range were compared, so enable_dhcp was taken for nothing new."""
        off = subnet(number=1, enable_dhcp=False)
        script = serving(network(subnets=(subnet(), off)))
        script.change(subnets=(subnet(), subnet(number=1)))
        script.tell(events.SubnetUpdated(subnet=subnet(number=1)))
        kinds = [action.kind for plan in script.settle() for action in plan]
        assert kinds == ["fetch_network", "update_dhcp_port", "restart", "notify_ready", "forget_unreported"]

    def test_neighbours_without_dhcp_are_on_the_link_too(self) -> None:
        """Launchpad 1652654: after a restart of the agent the routes to subnets without DHCP were gone."""
        script = serving(network(subnets=(subnet(), subnet(number=1, enable_dhcp=False))))
        assert "10.1.0.0/16,0.0.0.0" in script.record().served[KEY].spec.opts

    def test_a_failed_reload_forgets_nothing_that_waits(self) -> None:
        """L4: an exception in one handler dropped the network's queued events, and nothing asked for them again."""
        script = serving()
        script.tell(events.PortCreated(port=port(5)))
        (reload,) = script.start().actions
        script.tell(events.PortCreated(port=port(6)))
        script.fail(reload, reason="disk full")
        script.observed = observed(script)
        script.now = 5.0
        script.settle()
        assert "10.0.0.5" in script.record().served[KEY].spec.host
        assert "10.0.0.6" in script.record().served[KEY].spec.host


class TestDhcpPort:
    def test_a_reserved_port_that_another_agent_was_faster_to_claim_is_not_served_on(self) -> None:
        """Launchpad 1425402, 1651512: two agents took the same reserved port."""
        script = Script()
        reserved = script.own_port(id="net-res", device_id="reserved_dhcp_port", binding_host_id="")
        script.server["net"] = network(ports=(reserved,))
        theirs = evolve(reserved, device_id="dhcp-of-host-2", binding_host_id="host-2", revision_number=2)
        script.answers[actions.ClaimReservedPort] = lambda _: script._stored(theirs)
        script.settle()
        assert not [action for action in script.history if isinstance(action, actions.EnableInstance)]
        script.now = 100.0
        kinds = [action.kind for plan in script.settle() for action in plan]
        assert kinds.count("create_dhcp_port") == 1
        assert {served.spec.device.port_id for served in script.record().served.values()} == {"net-dhcp"}

    def test_no_claim_before_the_server_was_asked_again(self) -> None:
        """Launchpad 1829332: a redundant port, created while what was known of the network was out of date."""
        script = Script(network())
        script.settle()
        script.tell(events.PortDeleted(port_id="net-dhcp", network_id="net"))
        plan = script.start()
        assert [action.kind for action in plan] == ["fetch_network"]
        assert [action.kind for action in script.plan()] == []
        script.succeed(*plan.actions)  # the notification was late: the server has the port still, under the same id
        assert not [action for plan in script.settle() for action in plan if action.kind == "create_dhcp_port"]


class TestSegments:
    SEGMENTS = (Segment(id="seg-a", segmentation_id=7), Segment(id="seg-b", segmentation_id=None))
    SUBNETS = (subnet(number=0, segment_id="seg-a"), subnet(number=1, segment_id="seg-b"))

    def routed(self) -> Script:
        """An agent that serves a network of two segments, one of them flat."""
        script = Script()
        names = {"net-s0": "a", "net-s1": "b"}

        def create(action: actions.Action) -> events.Result:
            assert isinstance(action, actions.CreateDhcpPort)
            (subnet_id,) = action.subnet_ids
            ip = FixedIP(subnet_id=subnet_id, ip_address=f"10.{subnet_id[-1]}.255.2")
            return script._stored(
                script.own_port(id=f"{names[subnet_id]}{'0' * 12}", device_id=action.device_id, fixed_ips=(ip,))
            )

        script.answers[actions.CreateDhcpPort] = create
        script.server["net"] = network(segments=self.SEGMENTS, subnets=self.SUBNETS)
        script.settle()
        script.kinds()
        return script

    def test_the_second_reload_serves_all_segments_too(self) -> None:
        """L2: a reload overwrote the cached network's subnets with one segment's."""
        script = self.routed()
        for number in (5, 6):
            script.tell(events.PortCreated(port=port(number)))
            reloads = [action for plan in script.settle() for action in plan if action.kind == "reload"]
            assert [action.key.directory for action in reloads] == ["7/net", "None/net"]  # type: ignore[attr-defined]
        desired = script.record().desired
        assert desired is not None
        assert desired.subnets == self.SUBNETS

    def test_a_segment_that_goes_takes_nothing_of_the_others_along(self) -> None:
        """L1: with one segment's instance the namespace went, under the other segment."""
        script = self.routed()
        script.change(subnets=self.SUBNETS[:1], segments=self.SEGMENTS[:1])
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        told = [(action.kind, getattr(action, "key", None)) for action in script.history]
        assert told == [
            ("fetch_network", None),
            ("disable", InstanceKey(network_id="net", segmentation="None")),
            ("release_dhcp_port", InstanceKey(network_id="net", segmentation="None")),
        ]

    def test_a_segments_instance_gives_its_own_port_back(self) -> None:
        """Launchpad 2051690: registered under one key, taken off under another."""
        script = self.routed()
        (created,) = {port.device_id for port in script.server["net"].ports if port.id.startswith("a")}
        script.change(subnets=self.SUBNETS[1:], segments=self.SEGMENTS[1:])
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        (disable,) = (action for action in script.history if isinstance(action, actions.DisableInstance))
        assert disable.device_id == created
        released = [action.device_id for action in script.history if isinstance(action, actions.ReleaseDhcpPort)]
        assert released == [created]

    def test_a_network_that_gets_segments_keeps_what_its_segments_serve_on(self) -> None:
        """Launchpad 2049615: the instance without segment was disabled after the segments' were enabled, and took
        their port along: a flat segment's port has the device id of the whole network's."""
        script = serving()
        flat = Segment(id="seg", segmentation_id=None)
        script.change(segments=(flat,), subnets=(subnet(segment_id="seg"),))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        (disable,) = (action for action in script.history if isinstance(action, actions.DisableInstance))
        assert disable.key == KEY
        assert disable.device_id is None
        assert {key.directory for key in script.record().served} == {"None/net"}


class TestMemory:
    def test_tombstones_age_in_both_generations(self) -> None:
        """Launchpad 1732458, 1930838: deleted ports were kept for ever; the fix aged one of two structures."""
        script = serving(tombstone_age=100)
        for number in range(1000):
            script.now = float(number)
            script.tell(events.PortDeleted(port_id=f"p{number}", network_id="net"))
        assert len(script.state.tombstones) <= 100
        script.now = 2000.0
        script.tell(events.PortDeleted(port_id="last", network_id="net"))
        assert len(script.state.tombstones) == 1

    def test_a_tombstone_lives_no_longer_than_its_age_whenever_others_come(self) -> None:
        """The generations turn by the clock, not by when somebody looked: nothing lives for one and a half ages."""
        script = serving(tombstone_age=100)
        script.tell(events.PortDeleted(port_id="first", network_id="net"))
        for now in (49.0, 99.0):
            script.now = now
            script.tell(events.PortDeleted(port_id=f"at {now}", network_id="net"))
            assert "first" in script.state.tombstones
        script.now = 101.0
        script.tell(events.PortDeleted(port_id="last", network_id="net"))
        assert "first" not in script.state.tombstones
        assert "at 99.0" in script.state.tombstones

    def test_a_full_sync_settles_all_tombstones(self) -> None:
        script = serving(tombstone_age=100)
        for number in range(100):
            script.now = float(number)
            script.tell(events.PortDeleted(port_id=f"p{number}", network_id="net"))
        script.tell(events.ResyncRequested(reason="asked"))
        script.settle()
        assert len(script.state.tombstones) == 0


class TestReload:
    def test_events_that_wait_cost_one_more_reload(self) -> None:
        """One rewrite and signal for each event could not keep up with ten machines a second."""
        script = serving()
        script.tell(events.PortCreated(port=port(1)))
        first = script.start()
        for number in range(2, 20):
            script.tell(events.PortCreated(port=port(number)))
            assert [action.kind for action in script.plan()] == []
        script.succeed(*first.actions)
        kinds = [action.kind for plan in script.settle() for action in plan]
        assert kinds.count("reload") == 1

    def test_releases_come_after_the_reload(self) -> None:
        """Launchpad 1237028: released first, the machine renewed its lease before dnsmasq had forgotten it."""
        server, network_id = one_network()
        machine = server.create_port(network_id)
        agent = simulated(server)
        key, address = InstanceKey(network_id=network_id), machine["fixed_ips"][0]["ip_address"]
        agent.host.lease(key, Lease(expiry=0, ip_address=address, mac_address=machine["mac_address"]))
        server.delete_port(machine["id"])
        agent.receive_all()
        plan = agent.plan()
        assert [action.kind for action in plan] == ["reload"]
        agent.settle()
        assert address not in agent.host.leases(key)
