"""Bad input gets a 4xx that names the field; nothing of it is done, and the next request is served."""

from __future__ import annotations

from typing import Any

import pytest

from reference_server.http import MAX_BODY

from .conftest import Api

_ABSENT = object()


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"mac_address": "zz"}, "port.mac_address"),
        ({"mac_address": "01:00:5e:00:00:01"}, "port.mac_address"),
        ({"fixed_ips": [{"ip_address": "10.0.0.300"}]}, "port.fixed_ips[0].ip_address"),
        ({"fixed_ips": [{"ip_address": "fe80::1%eth0"}]}, "port.fixed_ips[0].ip_address"),
        ({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5"}]}, "fixed_ips[1].ip_address"),
        ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, "fixed_ips[0].ip_address"),
        ({"fixed_ips": [{"ip_address": "192.0.2.1"}]}, "fixed_ips[0].ip_address"),
        ({"fixed_ips": [{}]}, "port.fixed_ips[0]"),
        ({"fixed_ips": {"subnet_id": "x"}}, "port.fixed_ips"),
        ({"fixed_ips": ["10.0.0.1"]}, "port.fixed_ips[0]"),
        ({"extra_dhcp_opts": [{"opt_name": "", "opt_value": "x"}]}, "port.extra_dhcp_opts[0].opt_name"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": ""}]}, "port.extra_dhcp_opts[0]"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1", "ip_version": 5}]}, "ip_version"),
        ({"dns_name": "under_score"}, "port.dns_name"),
        ({"dns_name": "-a"}, "port.dns_name"),
        ({"name": "n" * 256}, "port.name"),
        ({"name": 7}, "port.name"),
        ({"admin_state_up": "perhaps"}, "port.admin_state_up"),
        ({"network_id": _ABSENT}, "port.network_id"),
        ({"network_id": None}, "port.network_id"),
        ({"colour": "blue"}, "port.colour"),
        ({"status": "ACTIVE"}, "port.status"),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.1/8"}]}, "port.allowed_address_pairs[0].ip_address"),
        ({"fixed_ips": [{"subnet_id": "s"}] * 101}, "port.fixed_ips. Reason: it may have at most 100 members"),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.1"}] * 101}, "port.allowed_address_pairs"),
        ({"security_groups": ["s"] * 101}, "port.security_groups"),
        ({"extra_dhcp_opts": [{"opt_name": f"{n}", "opt_value": "x"} for n in range(201)]}, "port.extra_dhcp_opts"),
        ({"binding:profile": {"x": float("inf")}}, "no JSON"),
    ],
)
def test_ports(api: Api, changes: dict[str, Any], field: str) -> None:
    network, _ = api.network()
    body = {name: value for name, value in ({"network_id": network} | changes).items() if value is not _ABSENT}
    status, _, message = api.refused("POST", "/v2.0/ports", {"port": body})
    assert status == 400
    assert field in message
    assert api.get("ports") == []
    assert api.make("port", network_id=network)["fixed_ips"][0]["ip_address"] == "10.0.0.2"


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"cidr": "10.1.0.0"}, "subnet.cidr"),
        ({"cidr": "10.1.0.1/24"}, "subnet.cidr"),
        ({"cidr": "0.0.0.0/0"}, "subnet.cidr"),
        ({"cidr": "10.1.0.0/31"}, "subnet.cidr"),
        ({"cidr": "10.0.0.128/25"}, "subnet.cidr"),
        ({"cidr": "224.0.0.0/24"}, "subnet.cidr"),
        ({"cidr": "fd00::/64"}, "subnet.cidr"),
        ({"ip_version": 5}, "subnet.ip_version"),
        ({"ip_version": _ABSENT}, "subnet.ip_version"),
        ({"gateway_ip": "10.1.0.255"}, "subnet.gateway_ip"),
        ({"gateway_ip": "fd00::1"}, "subnet.gateway_ip"),
        ({"gateway_ip": "gw"}, "subnet.gateway_ip"),
        ({"allocation_pools": [{"start": "10.1.0.9", "end": "10.1.0.2"}]}, "subnet.allocation_pools[0]"),
        ({"allocation_pools": [{"start": "10.1.0.9", "end": "10.2.0.2"}]}, "subnet.allocation_pools[0]"),
        ({"allocation_pools": [{"start": "10.1.0.9"}]}, "subnet.allocation_pools[0].end"),
        ({"dns_nameservers": ["10.1.0.5", "ns"]}, "subnet.dns_nameservers[1]"),
        ({"dns_nameservers": ["10.1.0.5", "10.1.0.5"]}, "subnet.dns_nameservers"),
        ({"dns_nameservers": [f"10.1.0.{n}" for n in range(6)]}, "subnet.dns_nameservers"),
        ({"host_routes": [{"destination": f"10.9.{n}.0/24", "nexthop": "10.1.0.9"} for n in range(21)]}, "host_routes"),
        ({"allocation_pools": [{"start": f"10.1.0.{n}", "end": f"10.1.0.{n}"} for n in range(2, 103)]}, "at most 100"),
        ({"host_routes": [{"destination": "10.9.0.0/16"}]}, "subnet.host_routes[0].nexthop"),
        ({"host_routes": [{"destination": "10.9.0.1/16", "nexthop": "10.1.0.9"}]}, "host_routes[0].destination"),
        ({"host_routes": [{"destination": "fd00::/64", "nexthop": "10.1.0.9"}]}, "host_routes[0].destination"),
        ({"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "fd00::1"}]}, "host_routes[0].nexthop"),
        ({"ipv6_ra_mode": "slaac"}, "subnet.ipv6_ra_mode"),
        ({"cidr": "fd00::/80", "ip_version": 6, "ipv6_address_mode": "slaac"}, "subnet.cidr"),
        ({"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "magic"}, "subnet.ipv6_address_mode"),
        (
            {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "dhcpv6-stateful"},
            "subnet.ipv6_ra_mode",
        ),
        (
            {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "enable_dhcp": False},
            "subnet.ipv6_address_mode",
        ),
        ({"subnetpool_id": "p"}, "subnet.subnetpool_id"),
    ],
)
def test_subnets(api: Api, changes: dict[str, Any], field: str) -> None:
    network, subnet = api.network()
    wanted = {"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4} | changes
    body = {name: value for name, value in wanted.items() if value is not _ABSENT}
    status, _, message = api.refused("POST", "/v2.0/subnets", {"subnet": body})
    assert status == 400
    assert field in message
    assert [each["id"] for each in api.get("subnets")] == [subnet]


@pytest.mark.parametrize(
    "attributes, kind",
    [
        ({"allocation_pools": [{"start": "10.1.0.1", "end": "10.1.0.9"}]}, "GatewayConflictWithAllocationPools"),
        (
            {"allocation_pools": [{"start": f"10.1.0.{n}", "end": "10.1.0.20"} for n in (5, 9)]},
            "OverlappingAllocationPools",
        ),
    ],
)
def test_pools_that_meet_something(api: Api, attributes: dict[str, Any], kind: str) -> None:
    network, _ = api.network()
    body = {"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4} | attributes
    assert api.refused("POST", "/v2.0/subnets", {"subnet": body})[:2] == (409, kind)


@pytest.mark.parametrize(
    "attributes, field",
    [
        ({"mtu": 0}, "network.mtu"),
        ({"mtu": 1 << 70}, "network.mtu"),
        ({"provider:network_type": "carrier-pigeon"}, "network.provider:network_type"),
        ({"provider:network_type": "vlan"}, "network.provider:physical_network"),
        (
            {"provider:network_type": "vlan", "provider:physical_network": "p", "provider:segmentation_id": 5000},
            "network.provider:segmentation_id",
        ),
        ({"provider:network_type": "vxlan", "provider:physical_network": "p"}, "network.provider:physical_network"),
    ],
)
def test_networks(api: Api, attributes: dict[str, Any], field: str) -> None:
    status, _, message = api.refused("POST", "/v2.0/networks", {"network": attributes})
    assert status == 400
    assert field in message
    assert api.get("networks") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"network": []}',
        b'{"network": null}',
        b'{"networks": []}',
        b'{"networks": {}}',
        b'{"network": {}, "port": {}}',
        b'{"network": {"mtu": NaN}}',
        b'{"network": {"mtu": 1e999}}',
        b'{"network": {"mtu": ' + b"9" * 5000 + b"}}",
        b'{"network": {"name": "\\ud800"}}',
        b'{"network": {"name": "\xff"}}',
        b"[" * 100_000,
    ],
)
def test_bodies_that_say_nothing(api: Api, body: bytes) -> None:
    assert api.refused("POST", "/v2.0/networks", body)[0] == 400
    assert api.get("networks") == []


@pytest.mark.parametrize("number", ["1e999", "-1e999", '[1, {"y": 1e999}]'])
def test_a_number_that_cannot_be_told_is_not_stored(api: Api, number: str) -> None:
    """JSON has a spelling for numbers that floats have not: they would be read as infinity, for which it has none."""
    network, _ = api.network()
    port = api.make("port", network_id=network, binding__profile={"x": 1e300})
    member = f'"binding:profile": {{"x": {number}}}'
    body = f'{{"port": {{"network_id": "{network}", {member}}}}}'.encode()
    assert api.refused("POST", "/v2.0/ports", body)[:2] == (400, "HTTPBadRequest")
    changes = f'{{"port": {{{member}}}}}'.encode()
    assert api.refused("PUT", f"/v2.0/ports/{port['id']}", changes)[:2] == (400, "HTTPBadRequest")
    assert api.get("ports") == [port]


def test_what_cannot_be_answered_is_not_done(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = api.network()
    port = api.make("port", network_id=network, name="before")
    before, heard = api.get("ports"), api.listen()
    with monkeypatch.context() as patch:
        patch.setattr("reference_server.http.public", lambda thing: {**thing, "x": float("inf")})
        assert api.refused("POST", "/v2.0/ports", {"port": {"network_id": network}})[0] == 500
        assert api.refused("PUT", f"/v2.0/ports/{port['id']}", {"port": {"name": "after"}})[0] == 500
    assert api.get("ports") == before
    assert heard == []


def test_lists_that_would_take_all_the_time(api: Api) -> None:
    """Everybody waits for the end of a transaction."""
    network, subnet = api.network("10.0.0.0/16")
    wanted = {"network_id": network, "fixed_ips": [{"subnet_id": subnet}] * 51}
    status, _, message = api.refused("POST", "/v2.0/ports", {"ports": [wanted] * 100})
    assert status == 400
    assert "5100 fixed_ips" in message
    assert api.get("ports") == []
    assert len(api.make("port", network_id=network, fixed_ips=[{"subnet_id": subnet}] * 100)["fixed_ips"]) == 100


def test_options_that_are_merged_are_bounded_as_a_whole(api: Api) -> None:
    network, _ = api.network()
    first = [{"opt_name": f"a{n}", "opt_value": "x"} for n in range(200)]
    port = api.make("port", network_id=network, extra_dhcp_opts=first)
    more = {"port": {"extra_dhcp_opts": [{"opt_name": "b", "opt_value": "x"}]}}
    status, _, message = api.refused("PUT", f"/v2.0/ports/{port['id']}", more)
    assert status == 400
    assert "port.extra_dhcp_opts" in message
    less = [{"opt_name": "a7", "opt_value": None}, {"opt_name": "b", "opt_value": "x"}]
    assert len(api.change("port", port["id"], extra_dhcp_opts=less)["extra_dhcp_opts"]) == 200


def test_a_network_whose_packets_are_too_small_for_ipv6(api: Api) -> None:
    """RFC 8200, section 5: every link carries 1280 bytes."""
    network = api.make("network", mtu=1279)["id"]
    api.make("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
    body = {"subnet": {"network_id": network, "cidr": "fd00::/64", "ip_version": 6}}
    told = f"MTU of {network} is not valid, subnet requires a minimum of 1280"
    assert api.refused("POST", "/v2.0/subnets", body) == (409, "NetworkMTUSubnetConflict", told)
    api.change("network", network, mtu=1280)
    assert api.ask("POST", "/v2.0/subnets", body)[0] == 201
    small = {"network": {"mtu": 1279, "name": "small"}}
    assert api.refused("PUT", f"/v2.0/networks/{network}", small) == (409, "NetworkMTUSubnetConflict", told)
    assert (api.get(f"networks/{network}")["mtu"], api.get(f"networks/{network}")["name"]) == (1280, "")
    api.change("network", network, mtu=1500)


def test_a_body_that_is_too_large(api: Api) -> None:
    body = b'{"network": {"name": "' + b"x" * MAX_BODY + b'"}}'
    assert api.refused("POST", "/v2.0/networks", body)[:2] == (413, "HTTPRequestEntityTooLarge")
    api.connection.close()
    assert api.get("networks") == []


def test_control_characters_are_kept_as_they_are(api: Api) -> None:
    """Neutron lets them through; an agent must cope."""
    network, _ = api.network()
    option = {"opt_name": "a\nb", "opt_value": "c\x00d\r\n", "ip_version": 4}
    assert api.make("port", network_id=network, name="e\tf", extra_dhcp_opts=[option])["extra_dhcp_opts"] == [option]


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/v2.0/routers", 404),
        ("GET", "/v3", 404),
        ("GET", "/v2.0/networks/none", 404),
        ("GET", "/v2.0/ports/%00%ff", 404),
        ("PUT", "/v2.0/networks/none", 404),
        ("DELETE", "/v2.0/subnets/none", 404),
        ("DELETE", "/v2.0/networks", 405),
        ("POST", "/v2.0/agents", 405),
        ("GET", "/v2.0/ports?colour=blue", 400),
        ("GET", "/v2.0/ports?admin_state_up=perhaps", 400),
        ("GET", "/v2.0/ports?fixed_ips=10.0.0.1", 400),
        ("GET", "/v2.0/ports?limit=many", 400),
        ("GET", "/v2.0/ports?sort_key=colour", 400),
        ("GET", "/v2.0/ports?sort_key=name&sort_dir=up", 400),
        ("GET", "/v2.0/ports?sort_key=name&sort_dir=asc&sort_dir=desc", 400),
        ("GET", "/v2.0/ports?sort_key=name&sort_dir=asc&sort_key=colour&sort_dir=asc", 400),
        ("GET", "/v2.0/ports?limit=1&page_reverse=True", 400),
        ("GET", "/v2.0/ports?page_reverse=perhaps", 400),
        ("GET", "/v2.0/ports?marker=none", 404),
        ("GET", "/v2.0/subnets?ip_version=99999999999999999999", 400),
        ("GET", "/v2.0/agents/none/dhcp-networks", 404),
        ("GET", "/v2.0/networks/none/dhcp-agents", 404),
    ],
)
def test_paths_and_queries(api: Api, method: str, path: str, status: int) -> None:
    body = {"network": {"name": "x"}} if method == "PUT" else None
    assert api.refused(method, path, body)[0] == status


def test_an_update_that_is_refused_changes_nothing(api: Api) -> None:
    network, subnet = api.network()
    port = api.make("port", network_id=network, name="before")
    taken = api.make("port", network_id=network)["fixed_ips"][0]
    status, kind, _ = api.refused("PUT", f"/v2.0/ports/{port['id']}", {"port": {"name": "after", "fixed_ips": [taken]}})
    assert (status, kind) == (409, "IpAddressAlreadyAllocated")
    assert api.get(f"ports/{port['id']}") == port
    before = api.get(f"subnets/{subnet}")
    refused: list[dict[str, Any]] = [{"gateway_ip": "10.0.0.7"}, {"cidr": "10.5.0.0/24"}, {"host_routes": [{}]}]
    for changes in refused:
        api.refused("PUT", f"/v2.0/subnets/{subnet}", {"subnet": {"name": "after", **changes}})
    assert api.get(f"subnets/{subnet}") == before


@pytest.mark.parametrize("header, value", [("Origin", "http://example.com"), ("Host", "rebound.example.com:80")])
def test_pages_in_browsers_are_turned_away(api: Api, header: str, value: str) -> None:
    api.headers = {header: value}
    assert api.refused("POST", "/v2.0/networks", {"network": {}})[0] == 403
    api.headers = {"Host": "localhost:1"}
    assert api.get("networks") == []
