from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.model.network import Subnet
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import DeviceSpec, Route
from dhcpcore.render.device import render_device
from dhcpcore.render.instance import render_instance
from support.render_input import network, port, subnet, subnet6, view

DHCP_PORT = port("d5c0ffee-0000-4000", "10.0.0.2", "fd00::2", device_owner="network:dhcp")
METADATA = Settings(enable_isolated_metadata=True)


def device(*subnets: Subnet, settings: Settings | None = None, **arguments: Any) -> DeviceSpec:
    of = network(DHCP_PORT, subnets=subnets, mtu=arguments.pop("mtu", None))
    return render_device(view(of), DHCP_PORT, settings or Settings(), **arguments)


def test_the_device_of_a_port() -> None:
    spec = device(subnet(gateway_ip="10.0.0.1"), mtu=1450)
    assert spec == DeviceSpec(
        name="tapd5c0ffee-00",
        namespace="qdhcp-net",
        network_id="net",
        port_id=DHCP_PORT.id,
        mac_address=DHCP_PORT.mac_address,
        mtu=1450,
        addresses=("10.0.0.2/24",),
        routes=(Route(gateway="10.0.0.1"),),
    )
    assert device(subnet()).mtu == 0
    assert device(subnet(), settings=Settings(ovs_use_veth=True)).name == "ns-d5c0ffee-00"


def test_only_addresses_of_served_subnets_are_set() -> None:
    assert device(subnet(enable_dhcp=False), subnet6()).addresses == ("fd00::2/64",)
    assert device(subnet()).addresses == ("10.0.0.2/24",)


@pytest.mark.parametrize("settings", [METADATA, Settings(force_metadata=True)])
def test_metadata_addresses(settings: Settings) -> None:
    """Set whenever metadata may be served, on networks with a router too; the IPv6 one where a subnet is IPv6."""
    assert device(subnet(), settings=settings).addresses == ("10.0.0.2/24", "169.254.169.254/32")
    both = ("10.0.0.2/24", "169.254.169.254/32", "fe80::a9fe:a9fe/128")
    assert device(subnet(), subnet6(enable_dhcp=False), settings=settings).addresses == both
    assert device(subnet(), subnet6(), settings=settings, ipv6=False).addresses[-1] == "169.254.169.254/32"


def test_drivers_that_serve_on_the_gateway_address() -> None:
    subnets = (subnet(gateway_ip="10.0.0.1"), subnet("b", "10.1.0.0/16"), subnet("c", "10.2.0.0/16", enable_dhcp=False))
    assert device(*subnets, use_gateway_ips=True).addresses == ("10.0.0.2/24", "10.0.0.1/24")


def test_ipv6_addresses_are_written_as_the_kernel_writes_them() -> None:
    of = port("d", "FD00:0:0::2", device_owner="network:dhcp")
    assert render_device(view(network(of, subnets=[subnet6()])), of, Settings()).addresses == ("fd00::2/64",)


# -- default routes


@pytest.mark.parametrize(
    "gateway, onlink",
    [("10.0.0.1", False), ("10.1.0.1", True), ("10.0.0.0", True), ("10.0.0.255", True)],
)
def test_a_gateway_outside_its_subnet_is_made_reachable_first(gateway: str, onlink: bool) -> None:
    """Neither the network's own nor the broadcast address is one of its hosts."""
    assert device(subnet(gateway_ip=gateway)).routes == (Route(gateway=gateway, onlink=onlink),)


def test_small_subnets_have_no_broadcast_address() -> None:
    assert device(subnet(cidr="10.0.0.4/31", gateway_ip="10.0.0.5")).routes[0].onlink is False
    assert device(subnet(cidr="10.0.0.4/31", gateway_ip="10.0.0.4")).routes[0].onlink is True


def test_link_local_gateways_are_on_the_link() -> None:
    assert device(subnet6(gateway_ip="fe80::1")).routes == (Route(gateway="fe80::1", onlink=True),)
    assert device(subnet6(gateway_ip="fd00::")).routes == (Route(gateway="fd00::"),)


def test_one_route_per_family_from_the_first_subnet_that_offers_one() -> None:
    subnets = (
        subnet("none"),
        subnet("off", "10.1.0.0/16", gateway_ip="10.1.0.1", enable_dhcp=False),
        subnet6("v6", gateway_ip="fd00::1"),
        subnet("first", "10.2.0.0/16", gateway_ip="10.2.0.1"),
        subnet("second", "10.3.0.0/16", gateway_ip="10.3.0.1"),
    )
    everywhere = port("d", *(f"{of.id}/10.0.0.9" for of in subnets), device_owner="network:dhcp")
    spec = render_device(view(network(everywhere, subnets=subnets)), everywhere, Settings())
    assert spec.routes == (Route(gateway="10.2.0.1"), Route(gateway="fd00::1"))


def test_no_route_through_a_subnet_where_the_port_has_no_address() -> None:
    """The kernel knows no way to such a gateway; the other subnets are served nevertheless."""
    full = subnet("full", "10.9.0.0/16", gateway_ip="10.9.0.1")
    assert device(full, subnet(gateway_ip="10.0.0.1")).routes == (Route(gateway="10.0.0.1"),)
    assert device(full).routes == ()
    assert device(full, use_gateway_ips=True).routes == (Route(gateway="10.9.0.1"),)


@pytest.mark.parametrize(
    "of, offered",
    [
        (subnet6(gateway_ip="fd00::1", subnetpool_id="prefix_delegation"), False),
        (subnet6(cidr="::/0", gateway_ip="fd00::1"), False),
        (subnet6(cidr="fd00::/127", gateway_ip="fd00::1"), False),
        (subnet6(cidr="fd00::/126", gateway_ip="fd00::1"), True),
        (subnet6(cidr="fd00::/80", mode="slaac", gateway_ip="fd00::1"), False),
        (subnet6(cidr="fd00::/80", mode="dhcpv6-stateless", gateway_ip="fd00::1"), False),
        (subnet6(cidr="fd00::/80", mode=None, gateway_ip="fd00::1"), True),
        (subnet6(mode="slaac", gateway_ip="fd00::1"), True),
    ],
)
def test_which_ipv6_subnets_offer_their_gateway(of: Subnet, offered: bool) -> None:
    assert bool(device(of).routes) is offered


# -- the instance as a whole


def test_an_instance_is_rendered_with_its_device() -> None:
    of = view(network(DHCP_PORT, port("p", "10.0.0.5"), subnets=[subnet(gateway_ip="10.0.0.1")]))
    spec = render_instance(of, dhcp_port=DHCP_PORT, settings=Settings(force_metadata=True), bridged=False)
    assert spec.key == of.key
    assert spec.view is of
    assert spec.directory == "/var/lib/neutron/dhcp/net"
    assert spec.process_tag == "dnsmasq-net"
    assert spec.device.addresses == ("10.0.0.2/24", "169.254.169.254/32")
    assert "--bridge-interface=tapd5c0ffee-00,tap*" in spec.argv
    assert "169.254.169.254/32,10.0.0.2" in spec.opts
    assert spec.host.endswith(",10.0.0.5\n")
    assert spec.warnings == ()
