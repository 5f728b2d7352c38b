"""What-ifs and their listings: what is assumed, and what counts as which change."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.plan.assume import assume_served
from support.what_ifs import SETTINGS, actions, dhcp_port, difference, network, port, reasons, subnet, subnet6


class TestChanges:
    def test_equal_networks_are_unchanged(self) -> None:
        listing = difference(network(), network())
        assert not listing
        assert str(listing.summary) == "Plan: 0 to enable, 0 to disable, 0 to reload, 0 to restart, 1 unchanged."

    def test_a_new_network_with_its_port_is_enabled(self) -> None:
        listing = difference([], network())
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing) == ("not served yet", "to serve: 1 port on 1 subnet")
        assert listing.changes[0].files == ("addn_hosts", "host", "opts")

    def test_a_new_network_without_port_is_enabled_by_a_claim(self) -> None:
        listing = difference([], network(ports=[port(5, "s0/10.0.0.5")]))
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing) == ("claim a new DHCP port", "not served yet", "to serve: 1 port on 1 subnet")

    def test_a_reserved_port_is_claimed(self) -> None:
        reserved = dhcp_port("net", "s0/10.0.0.2", id="reserved") | {"device_id": "reserved_dhcp_port"}
        listing = difference([], network(ports=[reserved]))
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing)[0] == "claim reserved DHCP port reserved"

    def test_a_network_that_lost_its_port_is_enabled_by_a_claim(self) -> None:
        listing = difference(network(), network(ports=[port(5, "s0/10.0.0.5")]))
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing) == (
            "claim a new DHCP port",
            "the DHCP port it was served on (dhcp-net) is gone",
            "to serve: 1 port on 1 subnet",
        )
        assert listing.summary.enable == 1

    def test_a_network_that_is_listed_no_more_is_disabled(self) -> None:
        listing = difference([network(), network("other")], network())
        assert actions(listing) == {"other": "disable"}
        assert str(listing.summary) == "Plan: 0 to enable, 1 to disable, 0 to reload, 0 to restart, 1 unchanged."

    @pytest.mark.parametrize(
        "fields, reason",
        [
            ({"admin_state_up": False}, "network is administratively down"),
            ({"subnets": []}, "no subnet with DHCP"),
            ({"subnets": [subnet(enable_dhcp=False)]}, "no subnet with DHCP"),
        ],
    )
    def test_a_network_with_nothing_to_serve_is_disabled(self, fields: dict[str, Any], reason: str) -> None:
        listing = difference(network(), network(**fields))
        assert actions(listing) == {"net": "disable"}
        assert reasons(listing) == (reason,)
        assert actions(difference(network(**fields), network())) == {"net": "enable"}

    def test_another_port_is_a_reload_with_the_files_that_differ(self) -> None:
        more = [dhcp_port("net", "s0/10.0.0.2"), port(5, "s0/10.0.0.5"), port(6, "s0/10.0.0.6")]
        listing = difference(network(), network(ports=more))
        assert actions(listing) == {"net": "reload"}
        assert reasons(listing) == ("file host differs", "file addn_hosts differs")
        assert listing.changes[0].files == ("addn_hosts", "host")

    def test_another_mtu_is_a_restart_with_the_arguments_that_differ(self) -> None:
        listing = difference(network(mtu=1500), network(mtu=9000))
        (change,) = listing.changes
        assert change.action == "restart"
        assert change.argv_added == ("--dhcp-option-force=option:mtu,9000",)
        assert change.argv_removed == ("--dhcp-option-force=option:mtu,1500",)
        assert change.files == ()

    def test_a_restart_tells_which_files_differ_too(self) -> None:
        ports = [dhcp_port("net", "s0/10.0.0.2"), port(5, "s0/10.0.0.6")]
        (change,) = difference(network(mtu=1500), network(mtu=9000, ports=ports)).changes
        assert change.action == "restart"
        assert change.files == ("addn_hosts", "host")

    def test_a_default_route_alone_is_listed_as_a_reload(self) -> None:
        form: dict[str, Any] = {"ports": [dhcp_port("net", "s6/fd00:6::2")]}
        before = network(subnets=[subnet6()], **form)
        listing = difference(before, network(subnets=[subnet6(gateway_ip="fd00:6::ff")], **form))
        assert actions(listing) == {"net": "reload"}
        assert reasons(listing) == ("default routes differ",)
        assert listing.changes[0].files == ()

    def test_the_metadata_proxy_alone_is_listed_as_a_reload(self) -> None:
        # A router's interface on a subnet without DHCP makes nothing of dnsmasq's differ; the other one stays isolated.
        settings = evolve(SETTINGS, enable_metadata_network=True, enable_isolated_metadata=True)
        local = subnet(8, cidr="169.254.0.0/16", gateway_ip="169.254.0.1", enable_dhcp=False)
        router = port(9, "s8/169.254.0.1", device_owner="network:router_interface", device_id="router")
        before = network(subnets=[subnet(), local])
        after = network(
            subnets=[subnet(), local],
            ports=[dhcp_port("net", "s0/10.0.0.2"), port(5, "s0/10.0.0.5"), {**router, "fixed_ips": []}],
        )
        listing = difference(before, after, settings=settings)
        assert actions(listing) == {"net": "reload"}
        assert reasons(listing) == ("metadata proxy: it is router that the proxy serves now",)

    def test_a_subnet_more_restarts_and_says_that_the_port_needs_an_address(self) -> None:
        listing = difference(network(), network(subnets=[subnet(), subnet(1)]))
        (change,) = listing.changes
        assert change.action == "restart"
        assert change.reasons[0] == "DHCP port dhcp-net has no address on subnet s1"
        assert any(argument.startswith("--dhcp-range=set:subnet-s1,") for argument in change.argv_added)

    def test_a_new_network_whose_port_lacks_an_address_is_enabled(self) -> None:
        listing = difference([], network(subnets=[subnet(), subnet(1)]))
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing)[0] == "DHCP port dhcp-net has no address on subnet s1"

    def test_an_incomplete_port_that_stays_as_it_is_changes_nothing(self) -> None:
        """A is what is served: what the server did not give then is not asked for again."""
        incomplete = network(subnets=[subnet(), subnet(1)])
        assert not difference(incomplete, incomplete)
        more = network(
            subnets=[subnet(), subnet(1)],
            ports=[dhcp_port("net", "s0/10.0.0.2"), port(5, "s0/10.0.0.5"), port(6, "s1/10.0.1.6")],
        )
        assert reasons(difference(incomplete, more)) == ("file host differs", "file addn_hosts differs")

    def test_the_server_gives_the_missing_address(self) -> None:
        subnets = [subnet(), subnet(1)]
        given_now = network(subnets=subnets, ports=[dhcp_port("net", "s0/10.0.0.2", "s1/10.0.1.2")])
        listing = difference(network(subnets=subnets, ports=[dhcp_port("net", "s0/10.0.0.2")]), given_now)
        assert actions(listing) == {"net": "reload"}
        assert "address 10.0.1.2/24 is missing" in reasons(listing)

    def test_another_device_is_a_restart(self) -> None:
        other = dhcp_port("net", "s0/10.0.0.2", id="another-port-of-ours")
        listing = difference(network(), network(ports=[other, port(5, "s0/10.0.0.5")]))
        assert actions(listing) == {"net": "restart"}


class TestSegments:
    def routed(self, *segmentations: int, dhcp: bool = True) -> Network:
        return network(
            segments=[{"id": f"seg-{number}", "segmentation_id": number} for number in segmentations],
            subnets=[subnet(number, segment_id=f"seg-{number}") for number in segmentations],
            ports=[
                dhcp_port("net", f"s{number}/10.0.{number}.2", suffix=f"-{number}") for number in segmentations if dhcp
            ],
        )

    def test_each_segment_is_a_change_and_the_network_counts_once(self) -> None:
        listing = difference(self.routed(1, 2), self.routed(2, 3, 4))
        assert actions(listing) == {"net/1": "disable", "net/3": "enable", "net/4": "enable"}
        assert (listing.summary.enable, listing.summary.disable, listing.summary.unchanged) == (1, 0, 0)

    def test_sorted_by_network_and_segment(self) -> None:
        listing = difference([], [network("b"), self.routed(2, 1), network("a")])
        assert list(actions(listing)) == ["a", "b", "net/1", "net/2"]

    def test_a_segments_port_that_is_replaced_does_not_count_as_enable(self) -> None:
        """The server does not update ports of segments: they are released and created, and the instance goes on."""
        form: dict[str, Any] = {"segments": [{"id": "seg-1", "segmentation_id": 1}]}
        ports = [dhcp_port("net", "s0/10.0.0.2", suffix="-1")]
        before = network(subnets=[subnet(segment_id="seg-1")], ports=ports, **form)
        subnets = [subnet(segment_id="seg-1"), subnet(1, segment_id="seg-1")]
        listing = difference(before, network(subnets=subnets, ports=ports, **form))
        assert actions(listing) == {"net/1": "restart"}
        assert reasons(listing)[0] == "DHCP port dhcp-net-1 has no address on subnet s1"

    def test_the_proxy_of_a_routed_network_is_told_with_its_first_segment(self) -> None:
        settings = evolve(SETTINGS, force_metadata=True)
        listing = difference([], self.routed(1, 2), settings=settings)
        first, second = listing.changes
        assert "metadata proxy: the network needs a metadata proxy" in first.reasons
        assert not any("metadata" in reason for reason in second.reasons)


class TestStandIns:
    def test_without_a_port_of_ours_on_either_side_nothing_differs(self) -> None:
        bare = network(ports=[port(5, "s0/10.0.0.5")])
        assert not difference(bare, bare)
        assert not difference(network(), network(), settings=Settings(host="someone-else"))

    def test_and_the_rest_is_compared(self) -> None:
        before = network(ports=[port(5, "s0/10.0.0.5")])
        listing = difference(before, network(ports=[port(5, "s0/10.0.0.7")]))
        assert reasons(listing) == ("file host differs", "file addn_hosts differs")

    def test_a_port_that_only_the_desired_list_has_is_taken_as_the_one_that_serves(self) -> None:
        assert not difference(network(ports=[port(5, "s0/10.0.0.5")]), network())

    def test_the_assumed_state_serves_on_a_stand_in_without_addresses(self) -> None:
        state = assume_served([network(ports=[])], SETTINGS)
        (served,) = state.record("net").served.values()
        assert served.spec.device.addresses == ()
        assert served.spec.device.mac_address.startswith("02:")
        again = assume_served([network(ports=[])], SETTINGS)
        assert again.record("net").served == state.record("net").served

    def test_a_network_that_was_down_is_claimed_when_it_comes_up(self) -> None:
        listing = difference(network(admin_state_up=False, ports=[]), network(ports=[]))
        assert actions(listing) == {"net": "enable"}
        assert reasons(listing)[0] == "claim a new DHCP port"


class TestPartialSync:
    def test_only_the_named_and_the_new_are_touched(self) -> None:
        """Neutron's sync_state: with networks named, it configures those and the ones it does not know."""
        before = [network("a", mtu=1500), network("b", mtu=1500)]
        after = [network("a", mtu=9000), network("b", mtu=9000), network("new")]
        listing = difference(before, after, only=["b"])
        assert actions(listing) == {"b": "restart", "new": "enable"}
        assert listing.summary.unchanged == 1

    def test_a_missing_network_is_disabled_only_if_it_is_named(self) -> None:
        before = [network("a"), network("b")]
        assert actions(difference(before, [], only=["b"])) == {"b": "disable"}
        assert not difference(before, [], only=[])

    def test_an_id_that_nobody_knows_is_told(self) -> None:
        listing = difference(network(), network(), only=["who", "net"])
        assert listing.unknown == ("who",)
        assert list(listing.notes()) == ["network who is neither served nor wanted"]


class TestBrake:
    def test_it_hides_nothing_and_is_told(self) -> None:
        before = [network(f"n{number:02}") for number in range(10)]
        listing = difference(before, before[:4])
        assert listing.summary.disable == 6
        assert listing.to_json()["brake"] == {
            "networks": [f"n{number:02}" for number in range(4, 10)],
            "served": 10,
            "hold_seconds": 300.0,
        }
        (note,) = listing.notes()
        assert note.startswith("a full sync would hold 6 of 10 served networks")

    def test_it_is_not_told_where_it_would_not_hold(self) -> None:
        before = [network(f"n{number:02}") for number in range(10)]
        listing = difference(before, before[:7])
        assert listing.summary.disable == 3
        assert listing.to_json()["brake"] is None
