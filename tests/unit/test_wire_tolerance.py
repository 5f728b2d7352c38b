"""What Neutron's servers, old and new, leave out, send as null or add: all of it is fine."""

from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.events import NetworkUpdated, PayloadRefused, PortDeleted, SubnetDeleted
from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import ExtraDhcpOption, Port
from dhcpcore.wire import (
    event_or_refusal,
    fetched_networks,
    network_id_of,
    parse_event,
    parse_network,
    parse_networks,
    parse_port,
    parse_segment,
    parse_subnet,
    segment_to_wire,
)

MAC = "fa:16:3e:00:00:01"


def port_form(**changes: Any) -> dict[str, Any]:
    return {"id": "p", "network_id": "n", "mac_address": MAC, **changes}


def test_an_id_is_enough_for_a_network() -> None:
    assert parse_network({"id": "n"}) == Network(id="n")


@pytest.mark.parametrize("absent", [{}, {"mtu": None}, {"ports": None, "subnets": None, "non_local_subnets": None}])
def test_absent_and_null_members_of_a_network(absent: dict[str, Any]) -> None:
    assert parse_network({"id": "n", "segments": None, **absent}) == Network(id="n")


def test_project_id_under_its_old_name() -> None:
    assert parse_network({"id": "n", "tenant_id": "t"}).project_id == "t"
    assert parse_network({"id": "n", "project_id": "p", "tenant_id": "t"}).project_id == "p"


def test_absent_and_null_members_of_a_port() -> None:
    plain = Port(id="p", network_id="n", mac_address=MAC)
    assert parse_port(port_form()) == plain
    nulls = ("fixed_ips", "device_id", "device_owner", "dns_assignment", "extra_dhcp_opts", "status", "revision_number")
    assert parse_port(port_form(**dict.fromkeys(nulls))) == plain
    assert parse_port(port_form(**{"binding:host_id": None, "binding:vif_type": None})) == plain


def test_an_empty_dns_assignment_is_not_a_missing_one() -> None:
    assert parse_port(port_form(dns_assignment=[])).dns_assignment == ()
    assert parse_port(port_form(dns_assignment=[{"ip_address": "10.0.0.5"}])).dns_assignment is not None


def test_flags_are_true_where_absent_and_false_where_null() -> None:
    """The API's default is true; in Neutron's database the columns may hold null, which its agent reads as false."""
    assert parse_network({"id": "n"}).admin_state_up is True
    assert parse_network({"id": "n", "admin_state_up": None}).admin_state_up is False
    subnet = {"id": "s", "network_id": "n", "cidr": "10.0.0.0/24"}
    assert parse_subnet(subnet).enable_dhcp is True
    assert parse_subnet({**subnet, "enable_dhcp": None}).enable_dhcp is False


def test_members_without_a_network_id_belong_to_the_network_they_are_in() -> None:
    network = parse_network(
        {
            "id": "n",
            "subnets": [{"id": "s", "cidr": "10.0.0.0/24"}],
            "ports": [{"id": "p", "mac_address": MAC}],
        }
    )
    assert network.subnets == (Subnet(id="s", network_id="n", cidr="10.0.0.0/24", ip_version=4),)
    assert network.ports == (Port(id="p", network_id="n", mac_address=MAC),)


@pytest.mark.parametrize("cidr, version", [("10.0.0.0/24", 4), ("fd00::/64", 6)])
def test_a_subnet_without_ip_version_is_of_its_ranges_version(cidr: str, version: int) -> None:
    subnet = {"id": "s", "network_id": "n", "cidr": cidr}
    assert parse_subnet(subnet).ip_version == version
    assert parse_subnet({**subnet, "ip_version": None}).ip_version == version


def test_null_lists_of_a_subnet() -> None:
    subnet = parse_subnet(
        {"id": "s", "network_id": "n", "cidr": "fd00::/64", "host_routes": None, "dns_nameservers": None}
    )
    assert (subnet.host_routes, subnet.dns_nameservers, subnet.segment_id) == ((), (), None)


def test_a_segment_of_an_id_alone() -> None:
    assert parse_segment({"id": "s"}) == Segment(id="s")
    assert parse_segment(segment_to_wire(Segment(id="s", segmentation_id=7))) == Segment(id="s", segmentation_id=7)


@pytest.mark.parametrize("version", [4, 6, None])
def test_extra_dhcp_options_of_every_spelling(version: object) -> None:
    port = parse_port(port_form(extra_dhcp_opts=[{"opt_name": 61, "opt_value": "x", "ip_version": version}]))
    assert port.extra_dhcp_opts == (ExtraDhcpOption(opt_name="61", opt_value="x", ip_version=int(str(version or 4))),)


def test_an_option_without_ip_version_is_for_ipv4() -> None:
    port = parse_port(port_form(extra_dhcp_opts=[{"opt_name": "router", "opt_value": ""}]))
    assert port.extra_dhcp_opts == (ExtraDhcpOption(opt_name="router", opt_value="", ip_version=4),)


def test_an_option_with_a_null_value_has_a_blank_one() -> None:
    options = [{"opt_name": "router", "opt_value": None, "ip_version": 4}, {"opt_name": "mtu", "opt_value": "1400"}]
    assert [option.opt_value for option in parse_port(port_form(extra_dhcp_opts=options)).extra_dhcp_opts] == [
        "",
        "1400",
    ]


def test_a_port_may_carry_its_whole_network() -> None:
    network: dict[str, Any] = {"id": "n", "subnets": ["s"]}
    network["self"] = network
    event = parse_event("port_create_end", {"port": port_form(network=network), "priority": 5})
    assert event.port == Port(id="p", network_id="n", mac_address=MAC)  # type: ignore[attr-defined]


def test_old_servers_name_no_network_in_deletes() -> None:
    assert parse_event("port_delete_end", {"port_id": "p"}) == PortDeleted(port_id="p")
    assert parse_event("port_delete_end", {"port_id": "p", "fixed_ips": None}) == PortDeleted(port_id="p")
    assert parse_event("subnet_delete_end", {"subnet_id": "s", "network_id": None}) == SubnetDeleted(subnet_id="s")


def test_a_network_update_says_only_what_it_knows() -> None:
    assert parse_event("network_update_end", {"network": {"id": "n"}}) == NetworkUpdated(network_id="n")
    down = parse_event("network_update_end", {"network": {"id": "n", "admin_state_up": False, "subnets": []}})
    assert down == NetworkUpdated(network_id="n", admin_state_up=False, subnet_ids=())
    objects = parse_event("network_update_end", {"network": {"id": "n", "subnets": [{"id": "s", "cidr": "x"}]}})
    assert objects == NetworkUpdated(network_id="n", subnet_ids=("s",))


def test_one_bad_network_of_an_answer_is_named_and_the_others_stay() -> None:
    answer = [
        {"id": "a"},
        {"id": "b", "ports": [{"id": "p"}]},
        None,
        {"id": "../c"},
        {"id": "d"},
        {"id": "a", "mtu": 9},
    ]
    networks, refused = parse_networks(answer)
    assert [network.id for network in networks] == ["a", "d"]
    assert networks[0].mtu is None
    assert [(one.network_id, one.error.path) for one in refused] == [
        ("b", "networks[1].ports[0].mac_address"),
        (None, "networks[2]"),
        (None, "networks[3].id"),
        ("a", "networks[5].id"),
    ]
    fetched = fetched_networks(answer)
    assert fetched.networks == networks
    assert [one.network_id for one in fetched.failed] == ["b", None, None, "a"]
    assert fetched.failed[0].message.startswith("networks[1].ports[0].mac_address: expected a MAC address")


def test_a_refused_notification_names_the_network_to_fetch() -> None:
    payload = {"port": {"id": "p", "network_id": "n", "mac_address": "zz"}}
    refused = event_or_refusal("port_create_end", payload, at=3.0)
    assert isinstance(refused, PayloadRefused)
    assert (refused.network_id, refused.at) == ("n", 3.0)
    assert refused.message.startswith("port.mac_address: expected a MAC address")
    assert event_or_refusal("port_delete_end", {"port_id": "p"}) == PortDeleted(port_id="p")


@pytest.mark.parametrize(
    "payload", [None, [], "n", {}, {"network_id": "../n"}, {"port": None}, {"subnet": [1]}, {"network": {"id": 7}}]
)
def test_a_network_that_cannot_be_read_is_none(payload: object) -> None:
    assert network_id_of(payload) is None
