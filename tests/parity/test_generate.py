"""The request generator: repeatable, complete, and valid in the ways that need no stock agent to check."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from typing import Any

import pytest

import hostile
from generate import FEATURES, requests


@pytest.fixture(scope="module")
def many() -> list[dict[str, Any]]:
    return list(requests(seed=11, count=3000))


@pytest.mark.parametrize("mode", ["valid", "hostile"])
def test_equal_seeds_give_equal_requests(mode: str) -> None:
    """requests(s, n) is a function of s and n, and a longer run begins with the shorter one."""
    first = [json.dumps(request) for request in requests(5, 60, mode)]
    again = [json.dumps(request) for request in requests(5, 80, mode)]
    assert first == again[:60]
    assert first != [json.dumps(request) for request in requests(6, 60, mode)]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="valid or hostile"):
        next(requests(1, 1, "friendly"))


def test_every_named_feature_is_reached(many: list[dict[str, Any]]) -> None:
    """Each name in FEATURES, or a name that continues it, is drawn within 3,000 requests."""
    drawn = {feature for request in many for feature in request["features"]}
    missing = [name for name in FEATURES if not any(f"{found}/".startswith(f"{name}/") for found in drawn)]
    assert not missing


def test_every_ipv6_mode_and_prefix_class_is_reached(many: list[dict[str, Any]]) -> None:
    """Each allowed pair of modes comes with each class of prefix length, within 3,000 requests."""
    drawn = {feature for request in many for feature in request["features"]}
    for mode in (None, "dhcpv6-stateful"):
        for size in ("<64", "64", ">64"):
            assert f"ipv6/address-mode={mode},ra-mode={mode},prefix{size}" in drawn
    for mode in ("slaac", "dhcpv6-stateless"):
        assert f"ipv6/address-mode={mode},ra-mode={mode},prefix64" in drawn
        assert any(found.startswith(f"ipv6/address-mode={mode},ra-mode={mode},prefix<") for found in drawn)


def test_valid_networks_break_no_constraint_of_neutrons_database(many: list[dict[str, Any]]) -> None:
    """Ids, MACs and the addresses of ports are unique; an address lies in its subnet; options are unique in a port."""
    for request in many:
        network = request["network"]
        subnets = network["subnets"] + network.get("non_local_subnets", [])
        nets = {subnet["id"]: ipaddress.ip_network(subnet["cidr"]) for subnet in subnets}
        ports = network["ports"]
        assert len(nets) == len(subnets)
        assert len({port["id"] for port in ports}) == len(ports)
        assert len({port["mac_address"].lower() for port in ports}) == len(ports)
        fixed = [(fixed["subnet_id"], fixed["ip_address"]) for port in ports for fixed in port["fixed_ips"]]
        assert len(set(fixed)) == len(fixed)
        assert all(ipaddress.ip_address(address) in nets[subnet] for subnet, address in fixed if subnet in nets)
        for port in ports:
            options = [(option["opt_name"], option["ip_version"]) for option in port.get("extra_dhcp_opts") or ()]
            assert max(Counter(options).values(), default=1) == 1


def test_each_hostile_kind_is_reached() -> None:
    """Every spoiler finds something to spoil within 1,500 requests."""
    drawn = {feature for request in requests(3, 1500, "hostile") for feature in request["features"]}
    assert {f"hostile/{kind}" for kind, _ in hostile.SPOILERS} <= drawn
