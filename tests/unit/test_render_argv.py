from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.model.network import Subnet
from dhcpcore.model.settings import Settings
from dhcpcore.render.argv import CommandLine, command_line, stored_leases_max
from support.render_input import network, subnet, subnet6, told, view


def command(*subnets: Subnet, settings: Settings | None = None, bridged: bool = True, **fields: Any) -> CommandLine:
    of = view(network(subnets=subnets, **fields))
    return command_line(of, settings=settings or Settings(), interface_name="tap0", bridged=bridged)


def values(line: CommandLine, name: str) -> list[str]:
    return [argument.partition("=")[2] for argument in line.argv if argument.partition("=")[0] == name]


def test_the_whole_line() -> None:
    assert command(subnet(), mtu=1450).argv == (
        "dnsmasq",
        "--no-hosts",
        "--no-resolv",
        "--pid-file=/var/lib/neutron/dhcp/net/pid",
        "--dhcp-hostsfile=/var/lib/neutron/dhcp/net/host",
        "--addn-hosts=/var/lib/neutron/dhcp/net/addn_hosts",
        "--dhcp-optsfile=/var/lib/neutron/dhcp/net/opts",
        "--dhcp-leasefile=/var/lib/neutron/dhcp/net/leases",
        "--dhcp-match=set:ipxe,175",
        "--dhcp-userclass=set:ipxe6,iPXE",
        "--local-service",
        "--bind-dynamic",
        "--dhcp-range=set:subnet-s4,10.0.0.0,static,255.255.255.0,86400s",
        "--dhcp-option-force=option:mtu,1450",
        "--dhcp-lease-max=256",
        "--conf-file=/dev/null",
        "--domain=openstacklocal",
    )


@pytest.mark.parametrize(
    "mode, ra_mode, served",
    [
        (None, None, True),
        (None, "slaac", False),
        ("slaac", "slaac", False),
        ("slaac", None, False),
        ("dhcpv6-stateless", "dhcpv6-stateless", True),
        ("dhcpv6-stateless", None, True),
        ("dhcpv6-stateful", "dhcpv6-stateful", True),
        ("dhcpv6-stateful", None, True),
        (None, "dhcpv6-stateful", False),
    ],
)
def test_which_ipv6_modes_have_a_range(mode: str | None, ra_mode: str | None, served: bool) -> None:
    line = command(subnet("s6", "fd00::/64", ipv6_address_mode=mode, ipv6_ra_mode=ra_mode))
    assert values(line, "--dhcp-range") == (["set:subnet-s6,fd00::,static,64,86400s"] if served else [])


@pytest.mark.parametrize("length", [0, 1, 56, 63])
def test_ipv6_prefixes_shorter_than_64_have_no_range(length: int) -> None:
    """dnsmasq: "prefix length must be at least 64" (Launchpad 1645616)."""
    line = command(subnet6(cidr=f"::/{length}"))
    assert values(line, "--dhcp-range") == []
    assert stored_leases_max(view(network(subnets=[subnet6(cidr=f"::/{length}")])), Settings()) is None


@pytest.mark.parametrize(
    "cidr, written",
    [
        ("10.0.0.5/24", "10.0.0.0,static,255.255.255.0"),
        ("10.0.0.7", "10.0.0.7,static,255.255.255.255"),
        ("0.0.0.0/0", "0.0.0.0,static,0.0.0.0"),
        ("FD00:0:0:1::5/64", "fd00:0:0:1::,static,64"),
        ("1:0:0:2::/64", "1:0:0:2::,static,64"),
        ("::ffff:10.0.0.0/120", "::ffff:10.0.0.0,static,120"),
        ("::1.2.3.0/120", "::1.2.3.0,static,120"),
        ("::1:0/112", "::0.1.0.0,static,112"),
        ("::/64", "::,static,64"),
        ("::1/128", "::1,static,128"),
    ],
)
def test_ranges_are_written_as_inet_ntop_writes_addresses(cidr: str, written: str) -> None:
    line = command(subnet("s", cidr))
    assert values(line, "--dhcp-range") == [f"set:subnet-s,{written},86400s"]
    assert line.warnings == ()


def test_leases_are_counted_over_served_subnets_and_capped() -> None:
    subnets = (subnet(), subnet("b", "10.1.0.0/16"), subnet("c", "10.2.0.0/16", enable_dhcp=False))
    assert values(command(*subnets), "--dhcp-lease-max") == ["65792"]
    assert values(command(subnet6()), "--dhcp-lease-max") == [str(1 << 24)]
    assert values(command(), "--dhcp-lease-max") == ["0"]
    assert values(command(subnet(), settings=Settings(dnsmasq_lease_max=10)), "--dhcp-lease-max") == ["10"]
    assert stored_leases_max(view(network()), Settings(dnsmasq_lease_max=10)) == 10
    assert stored_leases_max(view(network()), Settings()) == 256


def test_a_maximum_beyond_an_int_is_lowered() -> None:
    """dnsmasq reads the number with atoi: 2**40 would be 0, and the first lease one too many."""
    line = command(subnet6(), settings=Settings(dnsmasq_lease_max=1 << 40))
    assert values(line, "--dhcp-lease-max") == [str((1 << 31) - 1)]
    assert told(line.warnings) == [("lease-max-lowered", "settings")]


def test_every_option_has_its_argument_in_its_place() -> None:
    settings = Settings(
        state_path="/srv/n",
        dnsmasq_dns_servers=("8.8.8.8", "10.0.0.53#5353"),
        dnsmasq_config_file=" /etc/x.conf ",
        dnsmasq_base_log_dir="/var/log/",
        dhcp_broadcast_reply=True,
        dnsmasq_txt_record="version,1",
        dhcp_renewal_time=60,
        dhcp_rebinding_time=90,
        dhcp_lease_duration=-1,
        dns_domain="",
    )
    line = command(subnet(), settings=settings, bridged=False).argv
    assert line[3] == "--pid-file=/srv/n/dhcp/net/pid"
    assert line[12:] == (
        "--bridge-interface=tap0,tap*",
        "--dhcp-range=set:subnet-s4,10.0.0.0,static,255.255.255.0,infinite",
        "--dhcp-lease-max=256",
        "--dhcp-option-force=option:T1,60s",
        "--dhcp-option-force=option:T2,90s",
        "--txt-record=version,1",
        "--conf-file=/etc/x.conf",
        "--server=8.8.8.8",
        "--server=10.0.0.53#5353",
        "--dhcp-broadcast",
        "--log-queries",
        "--log-dhcp",
        "--log-facility=/var/log/net/dhcp_dns_log",
    )


@pytest.mark.parametrize(
    "settings, argument",
    [
        (Settings(), "--no-resolv"),
        (Settings(dnsmasq_local_resolv=True), ""),
        (Settings(dnsmasq_local_resolv=True, dnsmasq_dns_servers=("8.8.8.8",)), "--no-resolv"),
    ],
)
def test_the_hosts_resolver_is_used_when_asked_for(settings: Settings, argument: str) -> None:
    """Where there is nothing to say, Neutron says an empty argument."""
    assert command(subnet(), settings=settings).argv[2] == argument


@pytest.mark.parametrize("mtu", [None, 0])
def test_an_unknown_mtu_is_not_announced(mtu: int | None) -> None:
    assert values(command(subnet(), mtu=mtu), "--dhcp-option-force") == []
