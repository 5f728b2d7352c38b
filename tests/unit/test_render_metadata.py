from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from dhcpcore.model.network import Network, Subnet
from dhcpcore.model.port import Port
from dhcpcore.model.settings import MetadataRateLimiting, Settings
from dhcpcore.render.metadata import (
    metadata_bind_interface,
    metadata_warnings,
    proxy_id,
    render_metadata_proxy,
    wants_metadata_proxy,
)
from support.render_input import network, port, subnet, subnet6, told

ISOLATED = Settings(enable_isolated_metadata=True)
FORCED = Settings(force_metadata=True)
NETWORK_TYPE = Settings(enable_isolated_metadata=True, enable_metadata_network=True)
ROUTER = port("r", "10.0.0.1", device_owner="network:router_interface", device_id="router-1")
ROUTED = network(ROUTER, subnets=[subnet(gateway_ip="10.0.0.1")])
METADATA_SUBNET = subnet("m", "169.254.192.0/18", gateway_ip="169.254.192.1")
ON_METADATA = port("r", "m/169.254.192.1", device_owner="network:router_interface_distributed", device_id="router-1")
OVN = port("o", "10.0.0.7", device_owner="network:distributed", device_id="ovnmeta-any")


@pytest.mark.parametrize(
    "of, settings, wanted",
    [
        (network(), Settings(), False),
        (network(), ISOLATED, True),
        (ROUTED, ISOLATED, False),
        (ROUTED, FORCED, True),
        (network(subnets=[subnet(enable_dhcp=False)]), FORCED, False),
        (network(subnets=[]), FORCED, False),
        (network(subnets=[], non_local=[subnet("far")]), ISOLATED, True),
        (network(OVN), FORCED, False),
        (network(subnets=[subnet6(gateway_ip="fd00::1")]), ISOLATED, True),
        (network(ON_METADATA, subnets=[METADATA_SUBNET]), ISOLATED, False),
        (network(ON_METADATA, subnets=[METADATA_SUBNET]), NETWORK_TYPE, True),
        (network(ON_METADATA, subnets=[METADATA_SUBNET]), Settings(enable_metadata_network=True), False),
        (network(ROUTER, subnets=[subnet(gateway_ip="10.0.0.1"), subnet6()]), ISOLATED, True),
    ],
)
def test_who_gets_a_proxy(of: Network, settings: Settings, wanted: bool) -> None:
    """Whether there is a proxy is a function of the network and the settings."""
    assert wants_metadata_proxy(of, settings) is wanted


# -- whose proxy it is


@pytest.mark.parametrize(
    "of, settings, id_",
    [
        (network(ON_METADATA, subnets=[METADATA_SUBNET]), NETWORK_TYPE, "router-1"),
        (network(ON_METADATA, subnets=[], non_local=[METADATA_SUBNET]), NETWORK_TYPE, "router-1"),
        (network(ON_METADATA, evolve(ON_METADATA, id="r2"), subnets=[METADATA_SUBNET]), NETWORK_TYPE, "router-1"),
        (network(ON_METADATA, subnets=[METADATA_SUBNET]), ISOLATED, "net"),
        (network(subnets=[METADATA_SUBNET]), NETWORK_TYPE, "net"),
        (ROUTED, NETWORK_TYPE, "net"),
    ],
)
def test_a_metadata_networks_proxy_is_its_routers(of: Network, settings: Settings, id_: str) -> None:
    """The key at the end is the key at the start: both are this function."""
    assert proxy_id(of, settings) == id_
    assert render_metadata_proxy(of, settings=settings, bind_interface=None).proxy_id == id_
    assert metadata_warnings(of, settings) == ()


@pytest.mark.parametrize("ids, owner", [("a b", "a"), ("b a", "a"), ("c a b", "a"), ("../a b", "b"), ("c ../a b", "b")])
def test_of_several_routers_it_is_the_same_one_in_any_order(ids: str, owner: str) -> None:
    """The server's answers have their ports in any order; a proxy is not replaced because of that."""
    routers = [
        port(f"r{n}", f"m/169.254.192.{n + 1}", device_owner="network:router_interface", device_id=id_)
        for n, id_ in enumerate(ids.split())
    ]
    of = network(*routers, subnets=[METADATA_SUBNET])
    assert proxy_id(of, NETWORK_TYPE) == owner
    assert told(metadata_warnings(of, NETWORK_TYPE)) == [("router-chosen", "network net")]
    assert metadata_warnings(of, ISOLATED) == ()


@pytest.mark.parametrize("id_", ["../x", "", "a/b", "a\nb", "x" * 300])
def test_a_router_id_that_is_no_file_name_is_not_used(id_: str) -> None:
    router = port("r", "m/169.254.192.1", device_owner="network:router_interface", device_id=id_)
    of = network(router, subnets=[METADATA_SUBNET])
    spec = render_metadata_proxy(of, settings=NETWORK_TYPE, bind_interface=None)
    assert spec.config_path == "/var/lib/neutron/ns-metadata-proxy/net.conf"
    assert "set-header X-Neutron-Network-ID net\n" in spec.config
    assert told(metadata_warnings(of, NETWORK_TYPE)) == [("router-id-refused", "network net")]
    assert metadata_warnings(of, ISOLATED) == ()


# -- what it is


def test_the_spec_of_a_proxy() -> None:
    settings = Settings(
        state_path="/srv/n", external_pids="$state_path/pids", metadata_proxy_user="u", metadata_proxy_group="g"
    )
    spec = render_metadata_proxy(network(), settings=settings, bind_interface=None)
    assert spec.argv == ("haproxy", "-f", "/srv/n/ns-metadata-proxy/net.conf")
    assert spec.config_path == spec.argv[-1]
    assert spec.pid_path == "/srv/n/pids/net.pid.haproxy"
    assert spec.process_tag == "haproxy-net"
    assert spec.namespace == "qdhcp-net"
    assert spec.bind_interface is None
    for line in (
        "    user        u\n",
        "    group       g\n",
        "    pidfile     /srv/n/pids/net.pid.haproxy\n",
        "    log-tag     haproxy-metadata-proxy-net\n",
        "    bind 169.254.169.254:80\n    \n    server metadata /srv/n/metadata_proxy\n",
        "    http-request del-header X-Neutron-Router-ID\n    http-request set-header X-Neutron-Network-ID net\n",
    ):
        assert line in spec.config


def test_without_user_and_group_haproxy_stays_what_it_was_started_as() -> None:
    config = render_metadata_proxy(network(), settings=Settings(), bind_interface=None).config
    assert "    user" not in config
    assert "    group" not in config
    assert "haproxy-metadata-proxy-net\n    maxconn     1024\n" in config


@pytest.mark.parametrize(
    "user, group, lines",
    [
        ("neutron", "nogroup", "    user        neutron\n    group       nogroup\n"),
        (1000, "1001", "    uid         1000\n    gid         1001\n"),
        ("0", "root", "    uid         0\n    group       root\n"),
        ("u1000", "", "    user        u1000\n    maxconn"),
    ],
)
def test_numbers_of_user_and_group_are_written_as_numbers(user: Any, group: Any, lines: str) -> None:
    """haproxy looks up what follows ``user`` and ``group`` by name only: "cannot find user id for '1000'"."""
    settings = Settings.from_mapping({"metadata_proxy_user": user, "metadata_proxy_group": group})
    assert lines in render_metadata_proxy(network(), settings=settings, bind_interface=None).config


@pytest.mark.parametrize("debug, level", [(False, "info"), (True, "debug")])
def test_the_log_level(debug: bool, level: str) -> None:
    config = render_metadata_proxy(network(), settings=Settings(debug=debug), bind_interface=None).config
    assert f"/dev/log local0 {level}\n" in config


@pytest.mark.parametrize(
    "versions, table", [((4,), "type ip size"), ((6,), "type ipv6 size"), ((4, 6), None), ((), None)]
)
def test_rates_are_limited_for_one_family_or_not_at_all(versions: tuple[int, ...], table: str | None) -> None:
    """haproxy has tables of IPv4 or of IPv6 addresses; asked for both, Neutron limits nothing."""
    limits = MetadataRateLimiting(rate_limit_enabled=True, ip_versions=versions, base_window_duration=30)
    config = render_metadata_proxy(
        network(), settings=Settings(metadata_rate_limiting=limits), bind_interface=None
    ).config
    assert ("stick-table" in config) is (table is not None)
    if table:
        assert f"{table} 10k expire 30s store http_req_rate(30s)" in config


# -- IPv6


def own_port(id_: str = "d5c0ffee-0000", **fields: Any) -> Port:
    return port(id_, "fd00::2", device_owner="network:dhcp", device_id=Settings().dhcp_device_id("net"), **fields)


@pytest.mark.parametrize(
    "ports, subnets, interface",
    [
        ([own_port()], [subnet6()], "tapd5c0ffee-00"),
        ([own_port()], [subnet()], None),
        ([own_port(), own_port("other")], [subnet6()], None),
        ([own_port(admin_state_up=False)], [subnet6()], None),
        ([port("d", device_owner="network:dhcp", device_id="dhcp-of-another-host")], [subnet6()], None),
    ],
)
def test_where_ipv6_metadata_is_bound(ports: list[Port], subnets: list[Subnet], interface: str | None) -> None:
    """An address is bound only on a device that has it: that of our own DHCP port, on networks with an IPv6 subnet."""
    assert metadata_bind_interface(network(*ports, subnets=subnets), Settings()) == interface


def test_the_bind_line() -> None:
    spec = render_metadata_proxy(network(), settings=Settings(), bind_interface="tap1")
    assert "    bind 169.254.169.254:80\n    bind [fe80::a9fe:a9fe]:80 interface tap1\n" in spec.config
    assert spec.bind_interface == "tap1"
