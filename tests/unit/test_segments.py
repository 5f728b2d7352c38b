"""Routed networks: each segment that this host serves is an instance of its own."""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.network import Segment
from dhcpcore.model.port import FixedIP
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost, ObservedInstance
from support.as_served import observed
from support.script import Script, dhcp_port, network, subnet

KEY7 = InstanceKey(network_id="net", segmentation="7")


def _ip(number: int) -> tuple[FixedIP, ...]:
    return (FixedIP(subnet_id=f"net-s{number}", ip_address=f"10.{number}.255.2"),)


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

    def test_a_port_that_was_claimed_for_a_segment_and_is_not_wanted_any_more_is_given_back(self) -> None:
        """Nobody serves on it, and it would keep an address as long as the network is served elsewhere."""
        script = Script()
        segments = (Segment(id="seg-a", segmentation_id=7), Segment(id="seg-b", segmentation_id=8))
        a, b = (subnet(number=number, segment_id=segment.id) for number, segment in enumerate(segments))
        own = script.own_port(id="net-dhcp0", device_id=script.settings.dhcp_device_id("net", "7"))
        script.server["net"] = network(segments=segments, subnets=(a,), ports=(own,))
        script.settle()
        script.change(subnets=(a, b))
        script.tell(events.SubnetCreated(subnet=b))
        script.succeed(*script.start())
        claim, *others = sorted(script.start(), key=lambda action: action.kind != "create_dhcp_port")
        assert isinstance(claim, actions.CreateDhcpPort)
        script.succeed(*others)
        off = evolve(b, enable_dhcp=False)
        script.change(subnets=(a, off))
        script.tell(events.SubnetUpdated(subnet=off))
        script.succeed(*script.start())  # the fetch is answered before the claim is
        script.succeed(claim)
        script.history.clear()
        script.settle()
        assert [action.device_id for action in script.history if isinstance(action, actions.ReleaseDhcpPort)] == [
            script.settings.dhcp_device_id("net", "8")
        ]
        assert {key.directory for key in script.record().served} == {"7/net"}
        assert not script.record().owed

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

    def test_what_is_left_of_one_goes_where_the_whole_network_took_its_port_over(self) -> None:
        """A flat segment's port has the device id of the whole network's: it is not given back, nor kept in mind."""
        script = Script()
        self._routed(script)
        script.settle()
        flat = InstanceKey(network_id="net", segmentation="None")
        (own_id,) = {port.device_id for port in script.server["net"].ports if not port.device_id.endswith("-7")}
        script.change(subnets=(), segments=(), ports=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        disables = script.start().actions
        # Created again with its id, and not routed, while they are under way.
        script.change(subnets=(subnet(),), ports=(script.own_port(),))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        script.succeed(*disables)
        assert script.record().owed[flat] == own_id
        script.settle()
        assert [action.key for action in script.history if isinstance(action, actions.ForgetOwed)] == [flat]
        assert not [a for a in script.history if isinstance(a, actions.ReleaseDhcpPort) and a.key == flat]
        assert not script.record().owed
        assert script.server["net"].ports == (script.own_port(),)

    def test_what_is_left_of_one_and_cannot_be_removed_keeps_nobody_from_being_served(self) -> None:
        """The chain of the claim, and of the start, does not wait for a file of another instance."""
        script = Script()
        self._routed(script)
        script.settle()
        script.change(subnets=(), segments=(), ports=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        disables = script.start().actions
        del script.answers[actions.CreateDhcpPort]
        script.change(subnets=(subnet(),), ports=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        script.succeed(*disables)
        failed = 0
        for _ in range(20):
            script.now += 1.0
            for action in script.start().actions:
                if isinstance(action, actions.ForgetOwed):
                    failed += 1
                    script.fail(action, reason="read-only file system", retryable=bool(failed % 2))
                elif isinstance(action, actions.ObserveHost):
                    script.observed = observed(script)
                    script.succeed(action)
                else:
                    script.succeed(action)
        assert 1 <= failed <= 5
        assert InstanceKey(network_id="net") in script.record().served

    def _beside(self) -> Script:
        """A flat segment beside subnets of no segment: both are served on the port with the whole network's id."""
        script = Script()
        flat = Segment(id="seg-b", segmentation_id=None)
        subnets = (subnet(number=0), subnet(number=1, segment_id="seg-b"))
        script.server["net"] = network(segments=(flat,), subnets=subnets)
        return script

    def test_no_two_claims_for_one_device_id_are_in_a_plan(self) -> None:
        script = self._beside()
        script.settle()
        assert {key.directory for key in script.record().served} == {"net", "None/net"}
        (_,) = (action for action in script.history if isinstance(action, actions.CreateDhcpPort))

    def test_the_device_on_which_another_one_serves_stays(self) -> None:
        script = self._beside()
        script.settle()
        script.kinds()
        script.change(subnets=script.server["net"].subnets[:1], segments=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        (gone,) = (action for action in script.history if isinstance(action, actions.DisableInstance))
        assert (gone.key.directory, gone.device, gone.device_id) == ("None/net", "", None)
        assert {key.directory for key in script.record().served} == {"net"}

    def test_nothing_is_to_be_claimed_for_one_that_is_gone(self) -> None:
        script = Script()
        self._routed(script)
        script.settle()
        both = script.server["net"]
        nine = (*both.subnets, subnet(number=2, segment_id="seg-c"))
        script.change(subnets=nine, segments=(*both.segments, Segment(id="seg-c", segmentation_id=9)))
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        (claim,) = script.start().actions
        script.fail(claim)
        assert script.record().claim_retry
        script.change(subnets=both.subnets, segments=both.segments)
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.settle()
        assert not script.record().claim_retry

    def test_a_port_that_is_being_given_back_is_not_claimed_anew_beside_that(self) -> None:
        """The server would delete the new one, or we forget it and claim a third."""
        script = Script()
        self._routed(script)
        script.settle()
        script.change(subnets=(), segments=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        script.succeed(*script.start().actions)
        given_back = [action for action in script.start().actions if isinstance(action, actions.ReleaseDhcpPort)]
        assert given_back
        # Created again with its id, and not routed, while they are under way.
        del script.answers[actions.CreateDhcpPort]
        script.change(subnets=(subnet(),), ports=())
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        script.succeed(*script.start().actions)
        assert not script.start().actions
        script.succeed(*given_back)
        script.settle()
        created = [action for action in script.history if isinstance(action, actions.CreateDhcpPort)]
        assert [action.key for action in created[2:]] == [InstanceKey(network_id="net")]
        assert len(script.server["net"].ports) == 1

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
        script.tell(events.HostObserved(observed=observed(script)))
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
        seen = observed(script)
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
        plans = [
            [(a.kind, a.key.directory) for a in plan if isinstance(a, actions.ApplyAction)] for plan in script.settle()
        ]
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
