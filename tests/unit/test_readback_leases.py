"""Lines of a leases file, sound and damaged, and which leases are stale."""

from __future__ import annotations

from time import process_time

import pytest

from dhcpcore.model.lease import Lease
from dhcpcore.model.network import DHCPV6_STATEFUL, SLAAC, Network, Subnet
from dhcpcore.model.port import ExtraDhcpOption, FixedIP, Port
from dhcpcore.model.spec import InstanceKey, InstanceView
from dhcpcore.render.readback import (
    parse_hosts,
    parse_leases,
    removed_hosts,
    sort_leases,
    stale_leases,
)
from dhcpcore.render.syntax import lease_line_problem

MAC, OTHER_MAC = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
SERVER = "00:01:00:01:2c:aa:bb:cc:fa:16:3e:00:00:09"
DUID = "00:04:aa:bb"
V4 = f"1795429324 {MAC} 10.0.0.11 host-10-0-0-11 01:{MAC}"
V6 = f"1795429324 7 fd00::11 host-6 {DUID}"


class TestParse:
    def test_both_families_and_the_server_id(self) -> None:
        found = parse_leases(f"{V4}\n0 {OTHER_MAC} 10.0.0.12 * *\nduid {SERVER}\n{V6}\n0 T9 fd00::12 * *\n")
        assert found.damaged == ()
        assert found.server_id == SERVER
        assert found.leases == (
            Lease(
                expiry=1795429324,
                ip_address="10.0.0.11",
                mac_address=MAC,
                hostname="host-10-0-0-11",
                client_id=f"01:{MAC}",
            ),
            Lease(expiry=0, ip_address="10.0.0.12", mac_address=OTHER_MAC),
            Lease(
                expiry=1795429324,
                ip_address="fd00::11",
                iaid=7,
                hostname="host-6",
                client_id=DUID,
                server_id=SERVER,
            ),
            Lease(expiry=0, ip_address="fd00::12", iaid=9, temporary=True, server_id=SERVER),
        )

    def test_a_cut_off_last_line_is_damaged_even_where_it_has_five_words(self) -> None:
        found = parse_leases(f"{V4}\n0 {OTHER_MAC} 10.0.0.12 * 01:02")
        assert [lease.ip_address for lease in found.leases] == ["10.0.0.11"]
        assert found.damaged == (2,)

    def test_damage_does_not_spread(self) -> None:
        found = parse_leases(f"# comment\n{V4}\n0 zz:zz 10.0.0.9 * *\n\n0 {OTHER_MAC} 10.0.0.12 * *\n")
        assert [lease.ip_address for lease in found.leases] == ["10.0.0.11", "10.0.0.12"]
        assert found.damaged == (1, 3)

    def test_the_last_sound_duid_counts(self) -> None:
        assert parse_leases("duid 00:01\nduid 00:02\nduid zz\n").server_id == "00:02"

    @pytest.mark.parametrize(
        "line",
        [
            "",
            " \t",
            V4,
            V6,
            f"0\t{MAC}  10.0.0.11 * *\r",
            f"0 20-{MAC} 10.0.0.11 * *",
            "0 20- 10.0.0.11 * ff:00:01",
            f"0 {MAC} 10.0.0.11 {'a' * 255} {':'.join(['ab'] * 255)}",
            f"0 {MAC} 10.0.0.11 caf\u00e9 *",
            f"0 {MAC} 10.0.0.11 * 1:2:3",
            f"9223372036854775807 {MAC} 10.0.0.11 * *",
            "0 4294967295 fd00::11 * 00:01",
            "duid 00:01",
        ],
    )
    def test_sound_lines(self, line: str) -> None:
        assert lease_line_problem(line) is None
        assert parse_leases(line + "\n").damaged == ()

    # What dnsmasq 2.90 made of each, when it was tried, is in the comment.
    @pytest.mark.parametrize(
        "line",
        [
            f"zz {MAC} 10.0.0.11 * *",  # expiry 0, which is never
            f"12x {MAC} 10.0.0.11 * *",  # 12: expired
            f"-1 {MAC} 10.0.0.11 * *",  # expired
            f"99999999999999999999 {MAC} 10.0.0.11 * *",  # another number
            f"9223372036854775808 {MAC} 10.0.0.11 * *",
            "0 zz:zz 10.0.0.11 * *",  # abort: heap corruption
            "0 fa:16:3e:00:00:zz 10.0.0.11 * *",
            "0 fa-16-3e-00-00-01 10.0.0.11 * *",  # five bytes of hardware type 0xfa
            "0 * 10.0.0.11 * *",  # MAC 2a
            "0 fa:*:3e:00:00:01 10.0.0.11 * *",  # fa:61:3e:00:00:01
            f"0 {':'.join(['aa'] * 17)} 10.0.0.11 * *",  # cut after 16 bytes
            f"0 {MAC} 010.0.0.11 * *",  # ignored
            f"0 {MAC} 10.0.0.11 * zz",  # client id dropped
            f"0 {MAC} 10.0.0.11 * {':'.join(['ab'] * 256)}",  # the next lease lost
            f"0 {MAC} 10.0.0.11 {'a' * 256} *",  # the next lease lost
            f"0 {MAC} 10.0.0.11 {chr(0xE9) * 128} *",  # 256 bytes
            f"0 {MAC} 10.0.0.11 a\0b *",  # name cut
            f"0 {MAC} 10.0.0.11 a\x1cb *",
            f"0 {MAC} 10.0.0.11 *",  # the next lease lost
            f"0 {MAC} 10.0.0.11 * * *",  # the next lease lost
            "# c",  # all that follow lost
            "duid",  # the next lease lost
            "duid zz",  # all that follow lost
            "duid " + ":".join(["ab"] * 130),  # split: all that follow lost
            "0 x7 fd00::5 * 00:01",  # IAID 0
            "0 -1 fd00::5 * 00:01",  # IAID 4294967295
            "0 4294967296 fd00::5 * 00:01",  # IAID 0
            "0 7 [fd00::5] * 00:01",  # ignored
            "0 7 fd00::5%lo * 01",  # ignored
            f"{V4}\n{V4}",
            f"{V4} {V4}",
        ],
    )
    def test_damaged_lines(self, line: str) -> None:
        problem = lease_line_problem(line)
        assert problem is not None
        assert problem.isprintable()


def port(mac: str, *addresses: str, client_id: str | None = None, owner: str = "compute:nova") -> Port:
    return Port(
        id=f"port-{mac.replace(':', '')}",
        network_id="net",
        mac_address=mac,
        device_owner=owner,
        fixed_ips=tuple(FixedIP(subnet_id="v6" if ":" in a else "v4", ip_address=a) for a in addresses),
        extra_dhcp_opts=() if client_id is None else (ExtraDhcpOption(opt_name="client-id", opt_value=client_id),),
    )


def view(*ports: Port, v4_dhcp: bool = True, v6_mode: str | None = DHCPV6_STATEFUL) -> InstanceView:
    subnets = (
        Subnet(id="v4", network_id="net", cidr="10.0.0.0/24", ip_version=4, enable_dhcp=v4_dhcp),
        Subnet(id="v6", network_id="net", cidr="fd00::/64", ip_version=6, ipv6_address_mode=v6_mode),
    )
    return InstanceView(
        key=InstanceKey(network_id="net"), network=Network(id="net", subnets=subnets, ports=ports), subnets=subnets
    )


def addresses(leases: tuple[Lease, ...]) -> list[str]:
    return [lease.ip_address for lease in leases]


class TestStaleV4:
    def test_a_lease_of_no_port_is_stale(self) -> None:
        assert stale_leases(f"{V4}\n", view()) == parse_leases(f"{V4}\n").leases

    @pytest.mark.parametrize("client_id", [None, "", "text", "01:02", "ff:zz", f"01:{MAC}"])
    @pytest.mark.parametrize("lease_client", ["*", "01:02", f"01:{MAC}", "66:6f:6f"])
    def test_a_live_port_keeps_its_lease_whatever_the_client_ids(
        self, client_id: str | None, lease_client: str
    ) -> None:
        # Launchpad 1806770, and the same where the port's client id is set.
        text = f"0 {MAC} 10.0.0.11 * {lease_client}\n"
        live = view(port(MAC, "10.0.0.11", client_id=client_id))
        assert stale_leases(text, live) == ()
        assert stale_leases(parse_leases(text), live) == ()

    @pytest.mark.parametrize("lease_mac", [MAC, MAC.upper(), f"01-{MAC}", f"06-{MAC}", "fa:16:3e:0:0:1"])
    def test_a_mac_address_may_be_spelt_otherwise(self, lease_mac: str) -> None:
        assert stale_leases(f"0 {lease_mac} 10.0.0.11 * *\n", view(port(MAC.upper(), "10.0.0.11"))) == ()

    def test_an_address_given_to_another_port_is_released(self) -> None:
        # dnsmasq gives it to nobody while the old lease stands.
        assert addresses(stale_leases(f"{V4}\n", view(port(OTHER_MAC, "10.0.0.11")))) == ["10.0.0.11"]

    def test_the_old_address_of_a_port_is_released(self) -> None:
        assert addresses(stale_leases(f"{V4}\n", view(port(MAC, "10.0.0.12")))) == ["10.0.0.11"]

    @pytest.mark.parametrize(
        "client_id, lease_client, is_live",
        [
            ("ff:00:01", "ff:00:01", True),
            ("FF:0:1", "ff:00:01", True),
            ("ff00:01", "ff:00:01", True),
            ("text", "74:65:78:74", True),
            ("text", "00:74:65:78:74", True),
            ("text", "01:74:65:78:74", False),
            ("ff:00:01", "*", False),
            (None, "ff:00:01", False),
        ],
    )
    def test_a_client_without_mac_address_is_known_by_its_client_id(
        self, client_id: str | None, lease_client: str, is_live: bool
    ) -> None:
        # InfiniBand, RFC 4390.
        stale = stale_leases(f"0 20- 10.0.0.11 * {lease_client}\n", view(port(MAC, "10.0.0.11", client_id=client_id)))
        assert addresses(stale) == ([] if is_live else ["10.0.0.11"])

    @pytest.mark.parametrize("owner", ["network:dhcp", "network:floatingip", "network:router_interface"])
    def test_ports_without_a_reservation_are_live_too(self, owner: str) -> None:
        assert stale_leases(f"{V4}\n", view(port(MAC, "10.0.0.11", owner=owner))) == ()

    def test_two_ports_with_one_address_are_both_live(self) -> None:
        text = f"0 {MAC} 10.0.0.11 * *\n0 {OTHER_MAC} 10.0.0.11 * *\n0 fa:16:3e:00:00:03 10.0.0.11 * *\n"
        stale = stale_leases(text, view(port(MAC, "10.0.0.11"), port(OTHER_MAC, "10.0.0.11")))
        assert [lease.mac_address for lease in stale] == ["fa:16:3e:00:00:03"]

    def test_outside_the_ranges_a_release_has_no_effect(self) -> None:
        elsewhere = f"0 {MAC} 10.9.0.11 * *\n"
        found = sort_leases(f"{V4}\n{elsewhere}", view())
        assert addresses(found.release) == ["10.0.0.11"]
        assert addresses(found.stuck) == ["10.9.0.11"]
        assert addresses(sort_leases(f"{V4}\n", view(v4_dhcp=False)).stuck) == ["10.0.0.11"]

    def test_without_an_address_of_ours_in_its_subnet_nobody_takes_a_release(self) -> None:
        own = ("10.0.0.2/24", "169.254.169.254/32", "fe80::1/64")
        assert addresses(stale_leases(f"{V4}\n", view(), own=own)) == ["10.0.0.11"]
        found = sort_leases(f"{V4}\n", view(), own=own[1:])
        assert not found.release
        assert addresses(found.stuck) == ["10.0.0.11"]

    def test_with_ports_alone_every_address_may_be_released(self) -> None:
        assert addresses(stale_leases(f"{V4}\n", [])) == ["10.0.0.11"]
        assert addresses(stale_leases(f"{V4}\n".encode(), iter([port(OTHER_MAC, "10.0.0.9")]))) == ["10.0.0.11"]

    def test_damaged_lines_are_not_released(self) -> None:
        assert stale_leases(f"0 {MAC} 10.0.0.11 *\n0 {MAC} 10.0.0.1", view()) == ()
        assert stale_leases(f"0 {MAC} 10.0.0.11 * 01:02", view()) == ()


class TestStaleV6:
    TEXT = f"duid {SERVER}\n{V6}\n"

    def test_a_lease_of_no_port_is_stale_and_has_all_that_a_release_needs(self) -> None:
        (lease,) = stale_leases(self.TEXT, view())
        assert (lease.ip_address, lease.iaid, lease.client_id, lease.server_id) == ("fd00::11", 7, DUID, SERVER)

    @pytest.mark.parametrize(
        "spelling", ["fd00::11", "FD00::11", "fd00:0:0:0:0:0:0:11", "fd00::0:0011", "fd00::0.0.0.17"]
    )
    def test_a_live_port_keeps_its_lease_however_its_address_is_spelt(self, spelling: str) -> None:
        for live in (port(MAC, spelling), port(MAC, "10.0.0.11", "fd00::12", spelling, client_id="00:04:cc")):
            assert stale_leases(self.TEXT, view(live)) == ()
            assert stale_leases(self.TEXT.replace("fd00::11", "fd00:0::11"), view(live)) == ()

    @pytest.mark.parametrize("mode", [None, SLAAC])
    def test_a_live_port_keeps_its_lease_whatever_the_mode_of_its_subnet(self, mode: str | None) -> None:
        assert stale_leases(self.TEXT, view(port(MAC, "fd00::11"), v6_mode=mode)) == ()

    @pytest.mark.parametrize("text", [f"{V6}\n", f"duid {SERVER}\n0 7 fd00::11 * *\n"])
    def test_without_server_id_or_duid_it_is_stuck(self, text: str) -> None:
        assert stale_leases(text, view()) == ()
        assert addresses(sort_leases(text, view()).stuck) == ["fd00::11"]

    def test_without_a_dhcpv6_range_it_is_stuck(self) -> None:
        assert addresses(sort_leases(self.TEXT, view(v6_mode=SLAAC)).stuck) == ["fd00::11"]
        assert addresses(sort_leases(self.TEXT, view(v6_mode=None)).release) == ["fd00::11"]

    def test_nor_without_an_address_of_ours_in_a_range(self) -> None:
        assert addresses(sort_leases(self.TEXT, view(), own=("fd00::2/64",)).release) == ["fd00::11"]
        assert addresses(sort_leases(self.TEXT, view(), own=("10.0.0.2/24", "fe80::1/64")).stuck) == ["fd00::11"]

    @pytest.mark.parametrize("spelling", ["fd00::11", "FD00:0::11"])
    def test_an_address_that_moved_to_another_port_is_released(self, spelling: str) -> None:
        before = f"{MAC},tag:dhcpv6,h,[fd00::12],[{spelling}]\n"
        removed = removed_hosts(before, f"{OTHER_MAC},tag:dhcpv6,g,[fd00::11]\n")
        moved = view(port(OTHER_MAC, "fd00::11"))
        assert addresses(stale_leases(self.TEXT, moved, removed=removed)) == ["fd00::11"]
        assert addresses(stale_leases(parse_leases(self.TEXT), moved, removed=removed)) == ["fd00::11"]

    def test_an_address_that_only_got_another_name_did_not_move(self) -> None:
        removed = parse_hosts(f"{MAC.upper()},h,[fd00::11]\n")
        assert stale_leases(self.TEXT, view(port(MAC, "fd00::11")), removed=removed) == ()

    def test_a_name_of_every_address_may_change_at_once(self) -> None:
        """A new dns_domain takes all reservations away and gives them back; that is one walk over the ports."""
        count = 4000
        ports = [port(f"fa:16:3e:00:{n >> 8:02x}:{n & 255:02x}", f"fd00::{n + 16:x}") for n in range(count)]
        before = "".join(f"{each.mac_address},h,[{each.fixed_ips[0].ip_address}]\n" for each in ports)
        removed = parse_hosts(before)
        text = "".join(f"0 {n} fd00::{n + 16:x} * {DUID}\n" for n in range(count))
        begin = process_time()
        assert stale_leases(text, view(*ports), removed=removed) == ()
        assert process_time() - begin < 1
