"""What-ifs and their listings: what is assumed, what counts as which change, and what people and scripts read."""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.actions import FetchNetworks, Plan, RemoveDevice, RemoveNamespace, ReportState, RestartInstance, Unplanned
from dhcpcore.events import ActionSucceeded, FetchedNetworks
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.plan import plan_sync
from dhcpcore.plan.assume import assume_served, plan_difference
from dhcpcore.plan.assume_host import settings_of_host
from dhcpcore.plan.encode import plan_to_json
from dhcpcore.plan.listing import Listing, list_plans
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.state.fold import fold_event
from dhcpcore.testing import Flavour, strategies
from dhcpcore.wire import parse_network

HOST = "host-1"
OURS = f"dhcp{uuid5(NAMESPACE_DNS, HOST)}"
SETTINGS = Settings(host=HOST)


def subnet(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "cidr": f"10.0.{number}.0/24", "gateway_ip": f"10.0.{number}.1", **fields}


def subnet6(number: int = 6, **fields: Any) -> dict[str, Any]:
    modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
    return {"id": f"s{number}", "cidr": f"fd00:{number}::/64", "gateway_ip": f"fd00:{number}::1", **modes, **fields}


def port(number: int, *addresses: str, **fields: Any) -> dict[str, Any]:
    """A port of a machine; an address is ``subnet/address``."""
    return {
        "id": f"port-{number}",
        "mac_address": f"fa:16:3e:00:00:{number:02x}",
        "device_owner": "compute:nova",
        "status": "ACTIVE",
        "fixed_ips": [dict(zip(("subnet_id", "ip_address"), text.split("/"), strict=True)) for text in addresses],
        **fields,
    }


def dhcp_port(network_id: str, *addresses: str, suffix: str = "", **fields: Any) -> dict[str, Any]:
    own = {
        "id": f"dhcp-{network_id}{suffix}",
        "device_owner": "network:dhcp",
        "device_id": f"{OURS}-{network_id}{suffix}",
    }
    return port(2, *addresses, **(own | fields))


def network(network_id: str = "net", **fields: Any) -> Network:
    """A network that this host serves: one subnet, our DHCP port, one machine; any of it replaced."""
    form = {
        "id": network_id,
        "subnets": [subnet()],
        "ports": [dhcp_port(network_id, "s0/10.0.0.2"), port(5, "s0/10.0.0.5")],
        **fields,
    }
    return parse_network(form)


def difference(current: Network | list[Network], desired: Network | list[Network], **options: Any) -> Listing:
    before = [current] if isinstance(current, Network) else current
    after = [desired] if isinstance(desired, Network) else desired
    return plan_difference(before, after, options.pop("settings", SETTINGS), **options)


def actions(listing: Listing) -> dict[str, str]:
    return {f"{c.network_id}{'/' + c.segment if c.segment else ''}": c.action for c in listing.changes}


def reasons(listing: Listing) -> tuple[str, ...]:
    (change,) = listing.changes
    return change.reasons


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
                dhcp_port("net", f"s{number}/10.0.{number}.2", suffix=f"-{number}")
                for number in segmentations
                if dhcp
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


class TestForms:
    def test_text(self) -> None:
        before = [network("kept"), network("gone"), network("mtu", mtu=1500)]
        after = [network("kept", ports=[dhcp_port("kept", "s0/10.0.0.2")]), network("mtu", mtu=1400), network("new")]
        assert list(difference(before, after).lines()) == [
            "- gone",
            "    the server no longer lists the network",
            "~ kept",
            "    file host differs",
            "    file addn_hosts differs",
            "! mtu",
            "    command line: -dhcp-option-force=option:mtu,1500 +dhcp-option-force=option:mtu,1400",
            "    MTU of tapdhcp-mtu is 1500, should be 1400",
            "+ new",
            "    not served yet",
            "    to serve: 1 port on 1 subnet",
            "Plan: 1 to enable, 1 to disable, 1 to reload, 1 to restart, 0 unchanged.",
        ]

    def test_json(self) -> None:
        listing = difference([network("a", mtu=1500), network("b")], [network("a", mtu=1400), network("b")])
        assert listing.to_json() == {
            "format_version": 1,
            "summary": {"enable": 0, "disable": 0, "reload": 0, "restart": 1, "unchanged": 1},
            "changes": [
                {
                    "network": "a",
                    "segment": None,
                    "action": "restart",
                    "reasons": [
                        "command line: -dhcp-option-force=option:mtu,1500 +dhcp-option-force=option:mtu,1400",
                        "MTU of tapdhcp-a is 1500, should be 1400",
                    ],
                    "files": [],
                    "argv": {
                        "added": ["--dhcp-option-force=option:mtu,1400"],
                        "removed": ["--dhcp-option-force=option:mtu,1500"],
                    },
                }
            ],
            "brake": None,
            "unplanned": [],
            "unknown": [],
        }

    def test_repairs_and_leftovers_of_a_live_host(self) -> None:
        """The same listing serves plans that were made of an observed host."""
        state = assume_served([network()], SETTINGS)
        (served,) = state.record("net").served.values()
        plan = Plan(
            actions=(
                ReportState(agent_state={}),
                FetchNetworks(),
                RemoveDevice(network_id="x", namespace="qdhcp-x", device="tap1", reasons=("it belongs to nobody",)),
                RemoveNamespace(network_id="y", namespace="qdhcp-y", reasons=("nothing is left in it",)),
                RestartInstance(key=served.spec.key, spec=served.spec, repair=True, reasons=("not running",)),
            )
        )
        listing = list_plans([(state, plan)], known={"net", "x", "z"})
        assert actions(listing) == {"net": "reload", "x": "reload", "y": "disable"}
        assert [change.reasons for change in listing.changes] == [
            ("not running",),
            ("device tap1: it belongs to nobody",),
            ("namespace qdhcp-y: nothing is left in it",),
        ]
        assert listing.summary.unchanged == 1


    def test_a_network_that_cannot_be_planned_is_told(self) -> None:
        state = assume_served([network()], SETTINGS)
        plan = Plan(unplanned=(Unplanned(network_id="net", reason="a template failed"),))
        listing = list_plans([(state, plan)], known={"net"})
        assert listing.summary.unchanged == 1
        assert listing.to_json()["unplanned"] == [{"network": "net", "reason": "a template failed"}]
        assert list(listing.notes()) == ["network net cannot be planned and stays as it is: a template failed"]

    def test_a_port_that_nobody_serves_on_is_no_change(self) -> None:
        """It is given back; a dnsmasq that does not run is not touched by that."""
        down = network(admin_state_up=False)
        assert not difference(down, down)
        assert not difference([], down)


class TestEncoding:
    def plan(self) -> Plan:
        state = assume_served([], SETTINGS)
        listed = FetchNetworks(sent_seq=state.seq)
        networks = (network(), network("claimed", ports=[]))
        state = fold_event(ActionSucceeded(action=listed, result=FetchedNetworks(networks=networks)), state)
        return plan_sync(state, 0.0)

    def test_actions_are_told_by_kind_and_specs_by_their_size(self) -> None:
        encoded = plan_to_json(self.plan())
        create, enable = encoded["actions"]
        assert create == {
            "kind": "create_dhcp_port",
            "network": "claimed",
            "segment": None,
            "reasons": ["claim a new DHCP port"],
            "device_id": f"{OURS}-claimed",
            "project_id": None,
            "subnet_ids": ["s0"],
        }
        assert enable["kind"] == "enable"
        assert enable["spec"]["lines"] == {"host": 1, "addn_hosts": 1, "opts": 1}
        assert enable["spec"]["addresses"] == ["10.0.0.2/24"]
        assert encoded["due"] is None

    def test_in_full_they_hold_the_texts(self) -> None:
        encoded = plan_to_json(self.plan(), full=True)
        spec = encoded["actions"][1]["spec"]
        assert spec["host"].startswith("fa:16:3e:00:00:05,")
        assert spec["argv"][0] == "dnsmasq"
        assert spec["key"] == {"network_id": "net", "segmentation": None}
        assert "view" not in spec
        assert json.loads(json.dumps(encoded, allow_nan=False)) == encoded


class TestHost:
    def of(self, host: str, network_id: str = "net", **fields: Any) -> Network:
        own = {"device_id": f"dhcp{uuid5(NAMESPACE_DNS, host)}-{network_id}", **fields}
        return network(network_id, ports=[dhcp_port(network_id, "s0/10.0.0.2") | own])

    def test_named_by_option_or_argument_it_is_not_told_from_ports(self) -> None:
        current = [self.of("h")]
        assert settings_of_host({}, host="mine", current=current).settings.host == "mine"
        for options in ({"host": "mine"}, {"DEFAULT": {"host": "mine"}}, {"DEFAULT.host": "mine"}):
            assert settings_of_host(options, current=current).settings.host == "mine"
        assert settings_of_host({}).settings.host == Settings().host

    def test_the_name_comes_from_the_binding(self) -> None:
        host = settings_of_host({}, current=[self.of("h.example", **{"binding:host_id": "h.example"})])
        assert host.settings.host == "h.example"
        assert host.note is None

    def test_without_a_name_the_uuid_will_do(self) -> None:
        for binding in (None, "another-name", "", "x" * 5000):
            fields: dict[str, Any] = {"binding:host_id": binding}
            found = self.of("h", **fields)
            settings = settings_of_host({}, desired=[found]).settings
            assert settings.dhcp_device_id("net", 7) == f"dhcp{uuid5(NAMESPACE_DNS, 'h')}-net-7"
            if binding != "x" * 5000:
                (served,) = assume_served([found], settings).record("net").served.values()
                assert served.spec.device.port_id == "dhcp-net"

    def test_of_several_the_one_on_most_current_networks(self) -> None:
        current = [self.of("a", "1"), self.of("b", "2"), self.of("b", "3")]
        desired = [self.of("a", str(number)) for number in range(4, 9)]
        host = settings_of_host({}, current=current, desired=desired)
        assert host.settings.dhcp_device_id("x") == f"dhcp{uuid5(NAMESPACE_DNS, 'b')}-x"
        uuid = uuid5(NAMESPACE_DNS, "b")
        assert host.note == (
            f"there are DHCP ports of 2 hosts; assuming the one with UUID {uuid}, which has ports on 2 of 3 networks"
        )

    @pytest.mark.parametrize(
        "fields",
        [
            {"device_owner": "compute:nova"},
            {"device_id": "reserved_dhcp_port"},
            {"device_id": f"dhcp{uuid5(NAMESPACE_DNS, 'h')}-othernet"},
            {"device_id": "dhcpzzz-net"},
        ],
    )
    def test_other_ports_tell_nothing(self, fields: dict[str, Any]) -> None:
        assert settings_of_host({}, current=[self.of("h", **fields)]).settings == Settings()

    def test_options_that_nobody_knows(self) -> None:
        assert settings_of_host({"dhcp_lease_duratoin": 3}).unknown == ("dhcp_lease_duratoin",)


# -- laws

flavours = st.sampled_from(list(Flavour))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[tuple[Network, ...], Settings, HostCapabilities]:
    flavour = draw(flavours)
    settings = draw(strategies.settings(flavour))
    if draw(st.booleans()):
        settings = evolve(settings, host="somebody-else")
    count = draw(st.integers(0, 2))
    return draw(strategies.network_lists(flavour, count=count)), settings, draw(strategies.capabilities())


@given(worlds())
def test_serving_what_is_wanted_needs_nothing(world: tuple[tuple[Network, ...], Settings, HostCapabilities]) -> None:
    """Whoever serves exactly what the server wants has nothing to do."""
    networks, settings, capabilities = world
    state = assume_served(networks, settings, capabilities)
    assert not plan_sync(state, 0.0)
    assert not state.touched
    served = {key for record in state.networks.values() for key in record.served}
    assert served == {
        view.key for one in networks if one.admin_state_up for view in instance_views(one) if serves_dhcp(view)
    }
    listing = plan_difference(networks, networks, settings, capabilities=capabilities)
    assert not listing
    assert listing.summary.unchanged == len(networks)


@given(worlds(), st.data())
def test_the_order_of_ports_means_nothing(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """The same ports in another order change nothing, where no two of them have one address or one device name."""
    networks, settings, capabilities = world
    networks = tuple(one for one in networks if _unambiguous(one))
    other = [evolve(one, ports=tuple(data.draw(st.permutations(one.ports)))) for one in networks]
    assert not plan_difference(networks, other, settings, capabilities=capabilities)


def _unambiguous(one: Network) -> bool:
    addresses = [ip.ip_address for each in one.ports for ip in each.fixed_ips]
    devices = [each.id[:11] for each in one.ports]
    return len(addresses) == len(set(addresses)) and len(devices) == len(set(devices))


@given(worlds(), st.data())
def test_every_network_counts_once(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """Each network of either list is enabled, disabled, reloaded, restarted or unchanged, and is just one of these."""
    networks, settings, capabilities = world
    desired = _another(data, networks)
    listing = plan_difference(networks, desired, settings, capabilities=capabilities)
    counts = listing.summary.to_json()
    assert sum(counts.values()) == len({one.id for one in (*networks, *desired)})
    changed = {change.network_id for change in listing.changes}
    assert sum(counts.values()) - counts["unchanged"] == len(changed)
    again = plan_difference(networks, desired, settings, capabilities=capabilities)
    assert json.dumps(listing.to_json(), allow_nan=False) == json.dumps(again.to_json())
    assert list(listing.lines())[-1] == str(listing.summary)
    keys = [InstanceKey(network_id=change.network_id, segmentation=change.segment) for change in listing.changes]
    assert len(set(keys)) == len(keys)
    assert all(change.reasons for change in listing.changes)


@given(worlds(), st.data())
def test_a_partial_sync_touches_no_other(
    world: tuple[tuple[Network, ...], Settings, HostCapabilities], data: st.DataObject
) -> None:
    """What is neither named nor new does not change; what is changes as in a full sync."""
    networks, settings, capabilities = world
    desired = _another(data, networks)
    known = {one.id for one in networks}
    only = data.draw(st.sets(st.sampled_from(sorted(known)))) if known else set()
    partial = plan_difference(networks, desired, settings, only=only, capabilities=capabilities)
    allowed = only | ({one.id for one in desired} - known)
    assert {change.network_id for change in partial.changes} <= allowed
    full = plan_difference(networks, desired, settings, capabilities=capabilities)
    expected = {key: action for key, action in actions(full).items() if key.partition("/")[0] in allowed}
    assert actions(partial) == expected


def _another(data: st.DataObject, networks: tuple[Network, ...]) -> tuple[Network, ...]:
    """Some of `networks`, some of them changed, and some new ones."""
    kept = []
    for one in networks:
        match data.draw(st.sampled_from(["same", "ports", "subnets", "gone"])):
            case "same":
                kept.append(one)
            case "ports":
                kept.append(evolve(one, ports=one.ports[1:]))
            case "subnets":
                kept.append(evolve(one, subnets=one.subnets[1:]))
    ids = {one.id for one in networks}
    count = data.draw(st.integers(0, 1))
    new = [one for one in data.draw(strategies.network_lists(data.draw(flavours), count=count)) if one.id not in ids]
    return (*kept, *new)
