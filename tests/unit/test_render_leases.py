from __future__ import annotations

import pytest

from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.render.leases import render_initial_leases
from support.render_input import mac, network, port, subnet, subnet6, told, view

DUID = "duid 00:01:00:01:2a:2b"
LEASE = "1795429324 1041123 fd00::5 host-fd00--5 00:01:00:01:aa:bb"
V6_PORT = network(port("p", "fd00::5"), subnets=[subnet6()])


def leases(
    of: Network, previous: str | None = None, settings: Settings | None = None
) -> tuple[str, list[tuple[str, str]]]:
    text, warnings = render_initial_leases(view(of), settings=settings or Settings(), previous=previous)
    return text, told(warnings)


def test_ipv4_leases_never_expire_until_they_are_renewed() -> None:
    ports = (port("p", "10.0.0.5", mac_address=mac(1)), port("q", "10.0.0.6", mac_address=mac(2)))
    assert leases(network(*ports)) == (f"0 {mac(1)} 10.0.0.5 * *\n0 {mac(2)} 10.0.0.6 * *\n", [])


def test_who_gets_no_lease() -> None:
    subnets = [subnet(), subnet("off", "10.1.0.0/24", enable_dhcp=False), subnet6()]
    ports = (
        port("p", "off/10.1.0.5", "elsewhere/10.2.0.5", "fd00::5"),
        port("q", "10.0.0.6", device_owner="network:floatingip"),
    )
    assert leases(network(*ports, subnets=subnets)) == ("", [])


def test_subnets_served_elsewhere_have_leases_too() -> None:
    of = network(port("p", "far/10.9.0.5"), non_local=[subnet("far", "10.9.0.0/24")])
    assert leases(of)[0] == "0 fa:16:3e:00:00:01 10.9.0.5 * *\n"


# -- what is kept of the file before


def test_ipv6_leases_of_live_ports_are_kept_as_they_are() -> None:
    """The lease of a live port survives a restart byte for byte; those of ports that are gone do not."""
    gone = "1795429324 77 fd00::99 * 00:01:00:01:cc:dd"
    old_v4 = "1795429324 fa:16:3e:00:00:01 10.0.0.5 * 01:fa:16:3e:00:00:01"
    of = network(port("p", "10.0.0.5", "fd00::5"), subnets=[subnet(), subnet6()])
    assert leases(of, f"{old_v4}\n{gone}\n{DUID}\n{LEASE}\n") == (
        f"{DUID}\n0 fa:16:3e:00:00:01 10.0.0.5 * *\n{LEASE}\n",
        [],
    )


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_leases_of_addresses_that_are_not_leased_any_more_go(mode: str) -> None:
    assert leases(network(port("p", "fd00::5"), subnets=[subnet6(mode=mode)]), f"{LEASE}\n") == ("", [])
    assert leases(network(port("p", "fd00::5"), subnets=[subnet6(enable_dhcp=False)]), f"{LEASE}\n") == ("", [])


def test_addresses_are_compared_as_addresses() -> None:
    spelt = LEASE.replace("fd00::5", "FD00:0::5")
    assert leases(V6_PORT, f"{spelt}\n")[0] == f"{spelt}\n"
    again = LEASE.replace("1041123", "7")
    assert leases(V6_PORT, f"{LEASE}\n{again}\n")[0] == f"{again}\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_read_as_python_reads_them(end: str) -> None:
    assert leases(V6_PORT, f"{DUID}{end}{LEASE}{end}") == (f"{DUID}\n{LEASE}\n", [])


@pytest.mark.parametrize("garbage", ["", "\n\n", "garbage", "\0\0", "# comment\n", "1 2 3\n", "x " * 4000, "duid"])
def test_garbage_that_is_no_lease_goes_without_a_word(garbage: str) -> None:
    assert leases(V6_PORT, garbage) == ("", [])
    assert leases(V6_PORT, f"{garbage}\n{LEASE}\n") == (f"{LEASE}\n", [])


def test_a_temporary_address_is_kept() -> None:
    assert leases(V6_PORT, LEASE.replace(" 1041123 ", " T1041123 ") + "\n")[1] == []
