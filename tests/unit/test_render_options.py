from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.errors import PayloadError
from dhcpcore.model.network import HostRoute, Subnet
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.render.options import option_line
from support.render_input import files, network, option, port, subnet, subnet6


def opts(*ports: Port, subnets: list[Subnet] | None = None, **arguments: Any) -> list[str]:
    settings = arguments.pop("settings", None)
    addresses = arguments.pop("addresses", ("10.0.0.2/24",))
    text = files(network(*ports, subnets=subnets, **arguments), settings, addresses=addresses).opts
    assert not text.endswith("\n")
    return text.split("\n") if text else []


def routes(*pairs: tuple[str, str]) -> tuple[HostRoute, ...]:
    return tuple(HostRoute(destination=destination, nexthop=nexthop) for destination, nexthop in pairs)


ROUTER = port("r", "10.0.0.1", device_owner="network:router_interface")


# -- subnets


def test_a_subnet_without_a_gateway_announces_no_router() -> None:
    assert opts() == ["tag:subnet-s4,option:router"]


def test_a_subnet_that_serves_no_dhcp_has_no_options() -> None:
    assert opts(subnets=[subnet(enable_dhcp=False), subnet6(mode="slaac")]) == []


@pytest.mark.parametrize(
    "of, line",
    [
        (subnet(dns_nameservers=("8.8.8.8", "1.1.1.1")), "tag:subnet-s4,option:dns-server,8.8.8.8,1.1.1.1"),
        (subnet(dns_nameservers=("0.0.0.0",)), "tag:subnet-s4,option:dns-server"),
        (subnet(dns_nameservers=("0.0.0.0", "1.1.1.1")), "tag:subnet-s4,option:dns-server,0.0.0.0,1.1.1.1"),
        (subnet6(dns_nameservers=("fd00::53",)), "tag:subnet-s6,option6:dns-server,[fd00::53]"),
        (subnet6(dns_nameservers=("::",)), "tag:subnet-s6,option6:dns-server"),
        (subnet6(dns_nameservers=("0:0::0",)), "tag:subnet-s6,option6:dns-server"),
    ],
)
def test_dns_servers_and_the_any_address_that_means_none(of: Subnet, line: str) -> None:
    """The "any" address alone announces no DNS server, in both families alike."""
    assert opts(subnets=[of])[0] == line


def test_ipv6_subnets_announce_the_search_domain() -> None:
    assert opts(subnets=[subnet6()]) == ["tag:subnet-s6,option6:domain-search,openstacklocal"]
    assert opts(subnets=[subnet6(mode="dhcpv6-stateless")], settings=Settings(dns_domain="")) == []


def test_classless_routes_repeat_the_default_route_and_are_said_twice() -> None:
    """If option 121 is not empty and there is a gateway, 121 holds 0.0.0.0/0; 249 equals 121."""
    of = subnet(gateway_ip="10.0.0.1", host_routes=routes(("10.9.0.0/16", "10.0.0.9")))
    value = "10.9.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1"
    assert opts(subnets=[of]) == [
        f"tag:subnet-s4,option:classless-static-route,{value}",
        f"tag:subnet-s4,249,{value}",
        "tag:subnet-s4,option:router,10.0.0.1",
    ]


def test_the_first_default_route_stands_in_for_a_missing_gateway() -> None:
    default = routes(("0.0.0.0/0", "10.0.0.8"), ("0.0.0.0/0", "10.0.0.9"))
    assert opts(subnets=[subnet(host_routes=default)]) == ["tag:subnet-s4,option:router,10.0.0.8"]
    assert opts(subnets=[subnet(host_routes=default, gateway_ip="10.0.0.1")]) == [
        "tag:subnet-s4,option:router,10.0.0.1"
    ]


def test_neighbours_on_the_link_come_first() -> None:
    """Every on-link route that we add precedes the routes via it; the tenant's own order stays."""
    own = routes(("10.9.0.0/16", "10.1.0.9"), ("10.8.0.0/16", "10.0.0.9"))
    subnets = [subnet(host_routes=own), subnet("b", "10.1.0.0/24"), subnet("c", "10.2.0.0/24"), subnet6()]
    assert opts(subnets=subnets)[0] == (
        "tag:subnet-s4,option:classless-static-route,"
        "10.2.0.0/24,0.0.0.0,10.1.0.0/24,0.0.0.0,10.9.0.0/16,10.1.0.9,10.8.0.0/16,10.0.0.9"
    )


def test_only_subnets_of_the_same_segment_are_on_the_link() -> None:
    subnets = [subnet(segment_id="a"), subnet("b", "10.1.0.0/24", segment_id="b")]
    far = [subnet("c", "10.2.0.0/24", segment_id="a")]
    lines = opts(subnets=subnets, non_local=far)
    assert lines[0] == "tag:subnet-s4,option:classless-static-route,10.2.0.0/24,0.0.0.0"
    assert "tag:subnet-b,option:router" in lines
    assert not any(line.startswith("tag:subnet-b,option:classless") for line in lines)


# -- metadata routes


@pytest.mark.parametrize(
    "settings, ports, server",
    [
        (Settings(), [ROUTER], "10.0.0.1"),
        (Settings(), [], None),
        (Settings(enable_isolated_metadata=True), [], "10.0.0.2"),
        (Settings(enable_isolated_metadata=True), [ROUTER], "10.0.0.1"),
        (Settings(force_metadata=True), [ROUTER], "10.0.0.2"),
        (
            Settings(force_metadata=True),
            [port("o", "10.0.0.7", "10.0.0.8", device_owner="network:distributed", device_id="ovnmeta-net")],
            "10.0.0.7",
        ),
    ],
)
def test_who_serves_metadata(settings: Settings, ports: list[Port], server: str | None) -> None:
    lines = opts(*ports, subnets=[subnet(gateway_ip="10.0.0.1")], settings=settings)
    expected = [f"169.254.169.254/32,{server},0.0.0.0/0,10.0.0.1"] if server else []
    assert [line.split(",", 2)[2] for line in lines if "classless" in line] == expected


def test_a_router_elsewhere_in_the_subnet_leaves_it_isolated() -> None:
    other = port("r", "10.0.0.3", device_owner="network:router_interface")
    lines = opts(other, subnets=[subnet(gateway_ip="10.0.0.1")], settings=Settings(enable_isolated_metadata=True))
    assert "169.254.169.254/32,10.0.0.2" in lines[0]


def test_without_an_address_of_our_own_there_is_no_metadata_route() -> None:
    assert opts(settings=Settings(force_metadata=True), addresses=()) == ["tag:subnet-s4,option:router"]
    far = [subnet("far", "10.9.0.0/24")]
    lines = opts(subnets=[], non_local=far, settings=Settings(force_metadata=True), addresses=("10.9.0.2/24",))
    assert lines == ["tag:subnet-far,option:router"]


def test_an_interface_address_that_is_none_is_refused_by_its_place() -> None:
    with pytest.raises(PayloadError) as caught:
        opts(addresses=("10.0.0.2/24", "nonsense"))
    assert caught.value.path == "interface_addresses[1]"


# -- DNS servers of several agents


def test_clients_are_told_of_all_dns_servers_where_several_agents_serve() -> None:
    subnets = [subnet(), subnet6(), subnet("named", "10.1.0.0/24", dns_nameservers=("8.8.8.8",))]
    servers = [
        port(f"d{number}", f"10.0.0.{number}", f"fd00::{number}", f"named/10.1.0.{number}", device_owner="network:dhcp")
        for number in (2, 3)
    ]
    lines = opts(*servers, subnets=subnets)
    assert lines[-2:] == [
        "tag:subnet-s4,option:dns-server,10.0.0.2,10.0.0.3",
        "tag:subnet-s6,option6:dns-server,[fd00::2],[fd00::3]",
    ]
    assert not any("dns-server" in line for line in opts(servers[0]))


# -- ports


def test_port_options_are_named_or_numbered() -> None:
    wanted = (
        option("bootfile-name", "pxelinux.0"),
        option("150", "10.0.0.9"),
        option("tag:ipxe,67", "http://10.0.0.9/x"),
        option("tag:!ipxe,tag:efi,bootfile-name", "grub.efi"),
        option("client-id", "01:02"),
        option("61", "x"),
    )
    assert opts(port("p", "10.0.0.5", extra_dhcp_opts=wanted), subnets=[]) == [
        "tag:port-p,option:bootfile-name,pxelinux.0",
        "tag:port-p,150,10.0.0.9",
        "tag:port-p,tag:ipxe,67,http://10.0.0.9/x",
        "tag:port-p,tag:!ipxe,tag:efi,option:bootfile-name,grub.efi",
    ]


def test_a_port_gets_options_of_the_families_it_has_addresses_of() -> None:
    wanted = (option("67", "a"), option("59", "tftp://[fd00::9]/b", 6))
    assert opts(port("p", "10.0.0.5", extra_dhcp_opts=wanted), subnets=[]) == ["tag:port-p,67,a"]
    assert opts(port("p", "fd00::5", extra_dhcp_opts=wanted), subnets=[]) == [
        "tag:port-p,option6:59,tftp://[fd00::9]/b"
    ]
    assert opts(port("p", extra_dhcp_opts=wanted), subnets=[]) == []


@pytest.mark.parametrize(
    "name, line",
    [
        ("67", "tag:t,67"),
        ("mtu", "tag:t,option:mtu"),
        ("tag:a,67", "tag:t,tag:a,67"),
        ("tag:a,b,mtu", "tag:t,tag:a,b,option:mtu"),
        ("tag:a", "tag:t,option:tag:a"),
        ("a,tag:b,67", "tag:t,option:a,tag:b,67"),
        ("67\nevil", "tag:t,67"),
    ],
)
def test_a_name_is_taken_apart_as_neutron_does(name: str, line: str) -> None:
    assert option_line(4, "t", name) == line
