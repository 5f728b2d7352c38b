from __future__ import annotations

import pytest

from dhcpcore.model.port import ExtraDhcpOption
from dhcpcore.model.settings import Settings
from support.render_input import MAC, files, named, network, option, port, subnet, subnet6, told


def lines(text: str) -> list[str]:
    assert text == "" or text.endswith("\n")
    return text.splitlines()


def test_a_plain_port() -> None:
    rendered = files(network(port("p", "10.0.0.5")))
    assert rendered.host == f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5\n"
    assert rendered.addn_hosts == "10.0.0.5\thost-10-0-0-5.openstacklocal host-10-0-0-5\n"
    assert rendered.warnings == ()


def test_without_a_domain_names_have_no_dot() -> None:
    rendered = files(network(port("p", "10.0.0.5")), Settings(dns_domain=""))
    assert rendered.host == f"{MAC},host-10-0-0-5,10.0.0.5\n"
    assert rendered.addn_hosts == "10.0.0.5\thost-10-0-0-5 host-10-0-0-5\n"


@pytest.mark.parametrize(
    "owner", ["network:dhcp", "network:floatingip", "network:router_ha_interface", "network:distributed"]
)
def test_ports_that_ask_for_no_address_get_no_line(owner: str) -> None:
    rendered = files(network(port("p", "10.0.0.5", device_owner=owner)))
    assert (rendered.host, rendered.addn_hosts) == ("", "")


def test_router_ports_are_named() -> None:
    rendered = files(network(port("p", "10.0.0.1", device_owner="network:router_interface")))
    assert lines(rendered.host) == [f"{MAC},host-10-0-0-1.openstacklocal,10.0.0.1"]


def test_addresses_outside_dhcp_subnets_are_named_but_not_reserved() -> None:
    subnets = [subnet(), subnet("off", "10.1.0.0/24", enable_dhcp=False)]
    rendered = files(network(port("p", "10.0.0.5", "off/10.1.0.5", "elsewhere/10.2.0.5"), subnets=subnets))
    assert lines(rendered.host) == [f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5"]
    assert [line.partition("\t")[0] for line in lines(rendered.addn_hosts)] == ["10.0.0.5", "10.1.0.5", "10.2.0.5"]


def test_addresses_of_non_local_subnets_are_reserved_too() -> None:
    rendered = files(network(port("p", "far/10.9.0.5"), non_local=[subnet("far", "10.9.0.0/24")]))
    assert lines(rendered.host) == [f"{MAC},host-10-9-0-5.openstacklocal,10.9.0.5"]


# -- IPv6


@pytest.mark.parametrize("host_tags, tag", [(True, "tag:dhcpv6,"), (False, "")])
def test_ipv6_lines_are_tagged_where_dnsmasq_knows_tags(host_tags: bool, tag: str) -> None:
    rendered = files(network(port("p", "fd00::5"), subnets=[subnet6()]), host_tags=host_tags)
    assert lines(rendered.host) == [f"{MAC},{tag}host-fd00--5.openstacklocal,[fd00::5]"]


def test_a_slaac_address_is_named_and_never_reserved() -> None:
    rendered = files(
        network(port("p", "fd00::5", extra_dhcp_opts=(option("59", "x", 6),)), subnets=[subnet6(mode="slaac")])
    )
    assert rendered.host == ""
    assert lines(rendered.addn_hosts) == ["fd00::5\thost-fd00--5.openstacklocal host-fd00--5"]


def test_a_stateless_address_gets_a_line_for_its_options_only_and_first() -> None:
    """dnsmasq takes the last line of a MAC that matches: one without an address must not hide the IPv4 line."""
    subnets = [subnet(), subnet6(mode="dhcpv6-stateless")]
    options = (option("59", "tftp://[fd00::9]/x", 6),)
    rendered = files(network(port("p", "10.0.0.5", "fd00::5", extra_dhcp_opts=options), subnets=subnets))
    assert lines(rendered.host) == [
        f"{MAC},tag:dhcpv6,set:port-p",
        f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5,set:port-p",
    ]
    assert lines(rendered.addn_hosts)[0].startswith("fd00::5")
    assert len(lines(files(network(port("p", "10.0.0.5", "fd00::5"), subnets=subnets)).host)) == 1


def test_addresses_of_a_stateful_subnet_share_a_line_where_asked_for() -> None:
    ports = (port("p", "fd00::5", "10.0.0.5", "fd00::6"), port("q", "fd00::7", mac_address="fa:16:3e:00:00:02"))
    of = network(*ports, subnets=[subnet(), subnet6()])
    merged = files(of, Settings(dnsmasq_enable_addr6_list=True))
    assert lines(merged.host) == [
        f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5",
        f"{MAC},tag:dhcpv6,host-fd00--5.openstacklocal,[fd00::5],[fd00::6]",
        "fa:16:3e:00:00:02,tag:dhcpv6,host-fd00--7.openstacklocal,[fd00::7]",
    ]
    apart = files(of)
    assert len(lines(apart.host)) == 4
    assert merged.addn_hosts == apart.addn_hosts


def test_a_shared_line_has_the_name_of_its_first_address() -> None:
    names = named("fd00::5", "a", "a.x.") + named("fd00::6", "ignore", "ignore.x.")
    rendered = files(
        network(port("p", "fd00::5", "fd00::6", dns_assignment=names), subnets=[subnet6()]),
        Settings(dnsmasq_enable_addr6_list=True),
    )
    assert lines(rendered.host) == [f"{MAC},tag:dhcpv6,a.x.,[fd00::5],[fd00::6]"]
    assert lines(rendered.addn_hosts) == ["fd00::5\ta.x. a", "fd00::6\tignore.x. ignore"]


# -- names


def test_the_servers_names_are_used_address_by_address() -> None:
    of = port("p", "10.0.0.5", "10.0.0.6", dns_assignment=named("10.0.0.6", "web", "web.example.org."))
    rendered = files(network(of))
    assert lines(rendered.host) == [
        f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5",
        f"{MAC},web.example.org.,10.0.0.6",
    ]
    assert lines(rendered.addn_hosts)[1] == "10.0.0.6\tweb.example.org. web"


def test_of_two_names_for_an_address_the_last_counts() -> None:
    names = named("10.0.0.5", "old", "old.x.") + named("10.0.0.5", "new", "new.x.")
    assert lines(files(network(port("p", "10.0.0.5", dns_assignment=names))).host) == [f"{MAC},new.x.,10.0.0.5"]


@pytest.mark.parametrize(
    "hostname, fqdn, written",
    [
        (None, "web.x.", "host-10-0-0-5.openstacklocal"),
        ("web", None, "None"),
        ("web", "", ""),
        ("", "web.x.", "web.x."),
    ],
)
def test_missing_names_are_written_as_neutron_writes_them(hostname: str | None, fqdn: str | None, written: str) -> None:
    rendered = files(network(port("p", "10.0.0.5", dns_assignment=named("10.0.0.5", hostname, fqdn))))
    assert lines(rendered.host) == [f"{MAC},{written},10.0.0.5"]
    assert rendered.warnings == ()


def test_a_name_that_only_addn_hosts_holds_may_look_like_a_keyword() -> None:
    names = named("10.0.0.5", "12h", "12h")
    off = network(port("p", "10.0.0.5", dns_assignment=names), subnets=[subnet(enable_dhcp=False)])
    assert files(off).addn_hosts == "10.0.0.5\t12h 12h\n"
    assert files(off).warnings == ()


# -- options and client ids


def test_without_a_reservation_no_client_id_is_left_out_of_one() -> None:
    """A stateless subnet's line never has a client id, so nothing differs."""
    options = (option("client-id", "a,b"), option("67", "x"))
    of = network(port("p", "fd00::5", extra_dhcp_opts=options), subnets=[subnet6(mode="dhcpv6-stateless")])
    rendered = files(of)
    assert lines(rendered.host) == [f"{MAC},tag:dhcpv6,set:port-p"]
    assert told(rendered.warnings) == []


@pytest.mark.parametrize(
    "options, before, after",
    [
        ((), "", ""),
        ((option("67", "x"),), "", ",set:port-p"),
        ((option("client-id", "01:02"),), "id:01:02,", ""),
        ((option("61", "abc"), option("67", "x")), "id:abc,", ",set:port-p"),
        ((option("client-id", ""),), "", ",set:port-p"),
        ((option("client-id", "*"),), "id:*,", ""),
    ],
)
def test_tags_and_client_ids(options: tuple[ExtraDhcpOption, ...], before: str, after: str) -> None:
    rendered = files(network(port("p", "10.0.0.5", extra_dhcp_opts=options)))
    assert lines(rendered.host) == [f"{MAC},{before}host-10-0-0-5.openstacklocal,10.0.0.5{after}"]
    assert told(rendered.warnings) == []
