"""Addresses and MACs of ports."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Api


def _addresses(port: dict[str, Any]) -> list[str]:
    return [each["ip_address"] for each in port["fixed_ips"]]


def test_addresses_come_from_the_pools_without_the_gateway(api: Api) -> None:
    network, subnet = api.network(
        gateway_ip="10.0.0.3",
        allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.11"}, {"start": "10.0.0.1", "end": "10.0.0.2"}],
    )
    got = [_addresses(api.make("port", network_id=network))[0] for _ in range(4)]
    assert got == ["10.0.0.10", "10.0.0.11", "10.0.0.1", "10.0.0.2"]
    status, kind, _ = api.refused("POST", "/v2.0/ports", {"port": {"network_id": network}})
    assert (status, kind) == (409, "IpAddressGenerationFailure")
    # Outside the pools one has to ask.
    assert _addresses(api.make("port", network_id=network, fixed_ips=[{"ip_address": "10.0.0.77"}])) == ["10.0.0.77"]
    assert api.get(f"subnets/{subnet}")["allocation_pools"][0]["start"] == "10.0.0.10"


def test_default_pools_leave_the_gateway_out(api: Api) -> None:
    _, subnet = api.network("10.0.0.0/29", gateway_ip="10.0.0.3")
    assert api.get(f"subnets/{subnet}")["allocation_pools"] == [
        {"start": "10.0.0.1", "end": "10.0.0.2"},
        {"start": "10.0.0.4", "end": "10.0.0.6"},
    ]


def test_every_address_is_given_once_and_a_freed_one_again(api: Api) -> None:
    network, _ = api.network("10.0.0.0/27")
    ports = [api.make("port", network_id=network) for _ in range(29)]
    assert len({_addresses(port)[0] for port in ports}) == 29
    assert api.refused("POST", "/v2.0/ports", {"port": {"network_id": network}})[0] == 409
    for port in (ports[20], ports[3]):
        api.delete(f"ports/{port['id']}")
    again = sorted(_addresses(api.make("port", network_id=network)) for _ in range(2))
    assert again == sorted([_addresses(ports[20]), _addresses(ports[3])])


def test_a_refused_bulk_gives_its_addresses_back(api: Api) -> None:
    network, _ = api.network("10.0.0.0/29")
    body = {
        "ports": [
            {"network_id": network},
            {"network_id": network},
            {"network_id": network, "mac_address": "02:00:00:00:00:01"},
        ]
    }
    api.make("port", network_id=network, mac_address="02:00:00:00:00:01")
    assert api.refused("POST", "/v2.0/ports", body)[:2] == (409, "MacAddressInUse")
    assert [_addresses(api.make("port", network_id=network)) for _ in range(4)] == [
        [f"10.0.0.{n}"] for n in range(3, 7)
    ]


def test_the_last_address_being_taken_does_not_end_the_search(api: Api) -> None:
    network, _ = api.network()
    api.make("port", network_id=network, fixed_ips=[{"ip_address": "10.0.0.254"}])
    assert _addresses(api.make("port", network_id=network)) == ["10.0.0.2"]


def test_ipv6(api: Api) -> None:
    network, _ = api.network()
    stateful = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    slaac = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    for cidr, modes in (("fd00:1::/64", stateful), ("fd00:2::/64", slaac)):
        api.make("subnet", network_id=network, cidr=cidr, ip_version=6, **modes)
    port = api.make("port", network_id=network, mac_address="fa:16:3e:d8:20:62")
    assert _addresses(port) == ["10.0.0.2", "fd00:1::1", "fd00:2::f816:3eff:fed8:2062"]
    moved = api.change("port", port["id"], mac_address="fa:16:3e:d8:20:63")
    assert _addresses(moved) == ["10.0.0.2", "fd00:1::1", "fd00:2::f816:3eff:fed8:2063"]
    router = api.make("port", network_id=network, device_owner="network:router_interface", fixed_ips=[])
    assert _addresses(router) == []


def test_ports_that_there_are_get_an_address_on_a_new_slaac_subnet(api: Api) -> None:
    network, _ = api.network()
    port = api.make("port", network_id=network, mac_address="fa:16:3e:d8:20:62")
    subnet = api.make("subnet", network_id=network, cidr="fd00:2::/64", ip_version=6, ipv6_address_mode="slaac")
    assert _addresses(api.get(f"ports/{port['id']}")) == ["10.0.0.2", "fd00:2::f816:3eff:fed8:2062"]
    api.delete(f"subnets/{subnet['id']}")
    assert _addresses(api.get(f"ports/{port['id']}")) == ["10.0.0.2"]


def test_an_address_of_ones_own_on_a_slaac_subnet_is_refused(api: Api) -> None:
    network, _ = api.network("fd00:2::/64", ipv6_address_mode="slaac")
    body = {"network_id": network, "fixed_ips": [{"ip_address": "fd00:2::5"}]}
    assert api.refused("POST", "/v2.0/ports", {"port": body})[:2] == (400, "AllocationOnAutoAddressSubnet")


def test_a_subnet_without_an_address_keeps_the_one_there_is(api: Api) -> None:
    network, subnet = api.network()
    second = api.make("subnet", network_id=network, cidr="10.1.0.0/24", ip_version=4)["id"]
    api.make("port", network_id=network)
    port = api.make("port", network_id=network)
    changed = api.change("port", port["id"], fixed_ips=[{"subnet_id": subnet}, {"subnet_id": second}])
    assert _addresses(changed) == ["10.0.0.3", "10.1.0.2"]
    assert _addresses(api.change("port", port["id"], fixed_ips=[])) == []


def test_mac_addresses_are_unique_on_a_network(api: Api) -> None:
    network, _ = api.network()
    other, _ = api.network()
    mac = api.make("port", network_id=network)["mac_address"]
    assert mac.startswith("fa:16:3e:")
    body = {"network_id": network, "mac_address": mac.upper()}
    assert api.refused("POST", "/v2.0/ports", {"port": body})[:2] == (409, "MacAddressInUse")
    assert api.make("port", network_id=other, mac_address=mac.replace(":", "-"))["mac_address"] == mac


def test_extra_dhcp_opts_are_merged_by_name_and_version(api: Api) -> None:
    network, _ = api.network()
    options = [{"opt_name": "mtu", "opt_value": "1"}, {"opt_name": "mtu", "opt_value": "6", "ip_version": 6}]
    port = api.make("port", network_id=network, extra_dhcp_opts=options)
    changes = [{"opt_name": "mtu", "opt_value": "2"}, {"opt_name": "mtu", "opt_value": None, "ip_version": 6}]
    assert api.change("port", port["id"], extra_dhcp_opts=changes)["extra_dhcp_opts"] == [
        {"opt_name": "mtu", "opt_value": "2", "ip_version": 4}
    ]


def test_what_is_in_use_stays(api: Api) -> None:
    network, subnet = api.network()
    port = api.make(
        "port", network_id=network, device_owner="network:router_interface", fixed_ips=[{"ip_address": "10.0.0.1"}]
    )
    assert api.refused("DELETE", f"/v2.0/networks/{network}")[:2] == (409, "NetworkInUse")
    assert api.refused("DELETE", f"/v2.0/subnets/{subnet}")[:2] == (409, "SubnetInUse")
    body = {"subnet": {"gateway_ip": None}}
    assert api.refused("PUT", f"/v2.0/subnets/{subnet}", body)[:2] == (409, "GatewayIpInUse")
    api.delete(f"ports/{port['id']}")
    api.delete(f"networks/{network}")
    assert api.get("subnets") == []


@pytest.mark.parametrize("gateway", [None, "10.0.0.254", "192.0.2.1"])
def test_gateways(api: Api, gateway: str | None) -> None:
    _, subnet = api.network(gateway_ip=gateway)
    assert api.get(f"subnets/{subnet}")["gateway_ip"] == gateway
