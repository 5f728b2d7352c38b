"""Our DHCP port: found, claimed, kept, lost and taken over, case by case."""

from __future__ import annotations

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.network import Segment
from dhcpcore.model.port import FixedIP
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProcess
from support.as_served import observed
from support.script import Script, dhcp_port, network, serving, subnet

KEY = InstanceKey(network_id="net")


def _reported(script: Script) -> set[str]:
    return {p for action in script.history if isinstance(action, actions.NotifyReady) for p in action.port_ids}


class TestOurPort:
    def test_a_subnet_more_is_an_update_then_a_restart(self) -> None:
        script = serving()
        script.change(subnets=(subnet(number=0), subnet(number=1)))
        script.tell(events.SubnetCreated(subnet=subnet(number=1)))
        plans = script.settle()
        kinds = [a.kind for plan in plans for a in plan]
        # The server waits for our own port, too, when it has another address (Neutron, ml2: update_port).
        assert kinds == ["fetch_network", "update_dhcp_port", "restart", "notify_ready", "forget_unreported"]
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

    @pytest.mark.parametrize("modes", [("slaac", None), (None, "slaac"), (None, "dhcpv6-stateless")])
    def test_an_address_that_clients_form_themselves_is_never_asked_away(
        self, modes: tuple[str | None, str | None]
    ) -> None:
        """Without DHCP, too: the server gives it to every port, whoever asks, and an agent that starts anew knows."""
        v6 = subnet(
            number=1,
            cidr="fd00::/64",
            ip_version=6,
            gateway_ip="fd00::1",
            enable_dhcp=False,
            ipv6_address_mode=modes[0],
            ipv6_ra_mode=modes[1],
        )
        script = Script()
        ips = script.own_port().fixed_ips
        own = script.own_port(fixed_ips=(*ips, FixedIP(subnet_id="net-s1", ip_address="fd00::f816:3eff:feff:ff02")))
        script.server["net"] = network(subnets=(subnet(), v6), ports=(own,))
        assert "update_dhcp_port" not in [a.kind for plan in script.settle() for a in plan]

    def test_a_reserved_port_comes_before_a_new_one(self) -> None:
        script = Script()
        reserved = dhcp_port(script.settings, id="net-res", device_id="reserved_dhcp_port", binding_host_id="")
        script.server["net"] = network(ports=(reserved,))
        kinds = [a.kind for plan in script.settle() for a in plan]
        assert "claim_reserved_port" in kinds
        assert "create_dhcp_port" not in kinds

    def test_a_reserved_port_is_reported_once_it_is_served_on(self) -> None:
        """ACTIVE or not: the server may have waited for it since before it was anybody's."""
        script = serving()
        reserved = dhcp_port(script.settings, id="net-res", device_id="reserved_dhcp_port", binding_host_id="")
        script.change(ports=(reserved,))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        assert _reported(script) == {"net-res"}

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

    def _owing(self) -> Script:
        """A network that was disabled, and created again before its port was given back."""
        script = serving()
        script.tell(events.NetworkDeleted(network_id="net"))
        script.succeed(*(action for action in script.start() if isinstance(action, actions.DisableInstance)))
        assert script.record().owed
        script.now = 10.0
        script.server["net"] = network()
        script.tell(events.NetworkCreated(network_id="net"))
        return script

    def test_what_is_left_of_an_instance_goes_when_the_network_comes_back_and_no_address_is_left(self) -> None:
        """It was disabled; before its port was given back the network was listed again, and cannot be served."""
        script = self._owing()
        for _ in range(8):
            for action in script.start():
                if isinstance(action, actions.ClaimAction):
                    script.fail(action, fault="address_exhausted")
                else:
                    script.succeed(action)
        assert not script.record().owed
        asked = [kind for kind in script.kinds() if kind in ("create_dhcp_port", "release_dhcp_port")]
        assert asked[-3:] == ["create_dhcp_port", "release_dhcp_port", "create_dhcp_port"]

    @pytest.mark.parametrize("retryable", [True, False])
    def test_giving_back_is_not_tried_over_and_over_without_a_pause(self, retryable: bool) -> None:
        script = self._owing()
        for _ in range(20):
            for action in script.start():
                if isinstance(action, actions.ClaimAction):
                    script.fail(action, fault="address_exhausted")
                elif isinstance(action, actions.ReleaseDhcpPort):
                    script.fail(action, retryable=retryable)
                else:
                    script.succeed(action)
        assert script.kinds().count("release_dhcp_port") <= 2
        script.now = 100.0
        script.succeed(*script.start())
        script.succeed(*script.start())
        assert script.kinds()

    def test_an_answer_from_before_a_port_was_given_back_does_not_bring_it_back(self) -> None:
        script = serving()
        listed = script.server["net"]
        script.change(admin_state_up=False)
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start())
        script.succeed(*script.start())
        (release,) = (action for action in script.start() if isinstance(action, actions.ReleaseDhcpPort))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        others = script.start().actions
        (fetch,) = (action for action in others if isinstance(action, actions.FetchNetwork))
        script.succeed(release, *(action for action in others if action is not fetch))
        script.tell(events.ActionSucceeded(action=fetch, result=listed))
        script.settle()
        assert script.kinds().count("create_dhcp_port") == 1

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

    @pytest.mark.parametrize("answer_first", [True, False])
    def test_a_claim_for_a_network_of_before_lets_nothing_go(self, answer_first: bool) -> None:
        """It was deleted and created again while its port was claimed."""
        script = serving(network("a"))
        script.server["net"] = network()
        script.tell(events.NetworkCreated(network_id="net"))
        script.succeed(*script.start())
        (claim,) = script.start()
        script.tell(events.NetworkDeleted(network_id="net"), events.NetworkCreated(network_id="net"))
        (fetch,) = script.start()
        if answer_first:
            script.succeed(fetch)
        script.fail(claim, fault="network_not_found")
        if not answer_first:
            script.succeed(fetch)
        script.settle()
        assert script.record().served

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
        whole = observed(script)
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

    def test_a_device_that_is_down_comes_up_and_dnsmasq_runs_on(self) -> None:
        script = serving()
        whole = observed(script)
        (instance,) = whole.instances
        assert instance.device is not None
        # With its link go its routes, and what the kernel does not keep.
        down = evolve(instance, device=evolve(instance.device, up=False, routes=()))
        script.tell(events.HostObserved(observed=evolve(whole, instances=(down,))))
        (repair,) = script.start().actions
        assert isinstance(repair, actions.UpdateDevice)
        assert f"device {instance.device.name} is down" in repair.reasons
        script.succeed(repair)
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


def test_a_device_id_that_no_instance_can_have_is_not_ours() -> None:
    script = Script()
    odd = dhcp_port(script.settings, device_id=script.settings.dhcp_device_id("net", None) + "-../../x y")
    script.server["net"] = network(ports=(odd,), subnets=())
    script.settle()
    del script.server["net"]
    script.tell(events.NetworkDeleted(network_id="net"))
    assert script.settle() == []
