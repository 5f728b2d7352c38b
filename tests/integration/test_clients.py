"""Real DHCP clients of the integration tests, each against a real dnsmasq that was started by hand.

What they say of it must be what the network says, what the kernel has, and what dnsmasq wrote down.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from support import host as hosts
from support.clients.dhclient import Dhclient4, Dhclient6, DhclientInformation6
from support.clients.program import Identity, NoLease, ipxe, pxe
from support.clients.router import Router, advertisement
from support.clients.sample import BOOTING, MAC, NAMED, SETTINGS, STRANGER, missing, network
from support.clients.served import ServedNetwork
from support.clients.station import Station
from support.clients.udhcpc import Udhcpc
from support.clients.wires import Wire
from support.waiting import eventually

ROUTES: Final = (("10.9.0.0/16", "10.0.0.9"), ("169.254.169.254/32", "10.0.0.2"), ("0.0.0.0/0", "10.0.0.1"))

if hosts.inside():
    # -- DHCPv4

    def test_udhcpc(served: ServedNetwork, station: Station) -> None:
        """Law: it is told what the network says, the kernel has it, and dnsmasq wrote the lease down."""
        with Udhcpc(station) as client:
            told = client.configuration()
            assert (told.address, told.prefix, told.lease_time) == ("10.0.0.5", 24, 86400)
            assert (told.router, told.dns, told.routes) == (("10.0.0.1",), ("10.0.0.2",), ROUTES)
            assert (told.domain, told.hostname, told.mtu) == ("example.org", "host-10-0-0-5", 1400)
            assert (told.server, told.boot_file) == ("10.0.0.2", None)
            assert [(each.address, each.prefix) for each in station.addresses(4)] == [("10.0.0.5", 24)]
            assert set(station.routes(4)) >= {("default", "10.0.0.1"), ("10.9.0.0/16", "10.0.0.9")}
            assert station.mtu() == 1400
            assert f"{MAC} 10.0.0.5 " in served.leases()
            assert client.renew().address == "10.0.0.5"
            client.release()
            assert not station.addresses(4)
            assert client.is_alive()
        assert not client.is_alive()
        assert eventually(lambda: "10.0.0.5" not in served.leases())

    def test_dhclient(served: ServedNetwork, station: Station) -> None:
        """Law: it is told the same as udhcpc; it renews by itself, rebinds when the server is back, and releases."""
        with Udhcpc(station) as client:
            expected = client.configuration()
        with Dhclient4(station, renew_after=2, rebind_after=4) as other:
            told = other.configuration()
            for name in ("address", "prefix", "router", "dns", "domain", "hostname", "mtu", "routes", "server"):
                assert getattr(told, name) == getattr(expected, name), name
            assert other.renewed().address == "10.0.0.5"
            served.stop()
            at = other.position()
            other.wait_until_rebinding(after=at)
            with pytest.raises(NoLease):
                other.rebound(0.1, after=at)
            served.start()
            assert other.rebound(after=at).address == "10.0.0.5"
            assert other.reboot().address == "10.0.0.5"
            assert other.events()[-1].reason == "REBOOT"
            other.release()
            assert not other.is_alive()
        assert eventually(lambda: "10.0.0.5" not in served.leases())

    @pytest.mark.parametrize("client", [Udhcpc, Dhclient4])
    def test_what_a_client_tells_of_itself(
        served: ServedNetwork, client: type[Udhcpc | Dhclient4], tmp_path: Path
    ) -> None:
        """Law: client id, host name and network boot classes reach the server, and change what it answers."""
        identity = Identity(client_id=bytes.fromhex("01deadbeef"), hostname="mine", request=(150,))
        # Known by its client id only: the MAC address is another's.
        with Station("named", served.bridge, NAMED, tmp_path / "named") as named, client(named, identity) as asking:
            told = asking.configuration()
            assert (told.address, told.hostname) == ("10.0.0.7", "front")
            assert " 10.0.0.7 front 01:de:ad:be:ef\n" in served.leases()
            assert "client provides name: mine" in served.said()
        with Station("boots", served.bridge, BOOTING, tmp_path / "boots") as boots:
            with client(boots, pxe(), name="first") as asking:
                assert asking.configuration().boot_file == "undionly.kpxe"
                assert "PXEClient:Arch:00007" in served.said()
            with client(boots, ipxe(), name="second") as asking:
                assert asking.configuration().boot_file == "http://boot.example.org/script.ipxe"
            with client(boots, Identity(request=(150,)), name="third") as asking:
                raw = asking.configuration().raw
                assert "0a00004d" in (raw.get("opt150"), "".join(_octets(raw.get("new_asked_150", ""))))

    def test_a_stranger_is_told_nothing(served: ServedNetwork, tmp_path: Path) -> None:
        """Law: each client tells silence from an answer."""
        with Station("other", served.bridge, STRANGER, tmp_path / "other") as other:
            with Udhcpc(other) as client, Wire(served.bridge) as wire:
                client.stays_without(1.5)
                assert wire.discover(STRANGER, seconds=0.3) is None
                with pytest.raises(NoLease):
                    client.configuration(0.1)
            with Dhclient4(other) as also:
                also.stays_without(1.5)
            assert not other.addresses(4)
        assert f"DHCPDISCOVER(ns-{served.device.port_id[:11]}) {STRANGER} no address available" in served.said()

    # -- DHCPv6

    def test_stateful_dhcpv6(served: ServedNetwork, station: Station) -> None:
        """Law: its reserved address, which the kernel has; it renews, rebinds, confirms after a reboot, releases."""
        with Dhclient6(station) as client:
            told = client.configuration()
            assert (told.address, told.dns, told.search) == ("fd00::5", ("fd00::2",), ("example.org",))
            assert [each.address for each in station.addresses(6)] == ["fd00::5"]
            assert eventually(lambda: " fd00::5 " in served.leases())
            assert client.renew().address == "fd00::5"
            assert client.rebind().address == "fd00::5"
            assert client.reboot().address == "fd00::5"
            said = served.said()
            for message in ("DHCPRENEW", "DHCPREBIND", "DHCPCONFIRM"):
                assert message in said
            client.release()
            assert not client.is_alive()
        # dnsmasq answers first, and then writes the file.
        assert eventually(lambda: " fd00::5 " not in served.leases())
        assert not station.addresses(6)

    def test_a_stranger_gets_no_ipv6_address(served: ServedNetwork, tmp_path: Path) -> None:
        with Station("other", served.bridge, STRANGER, tmp_path / "other") as other, Dhclient6(other) as client:
            assert eventually(lambda: "no addresses available" in served.said())
            client.stays_without(1)

    def test_stateless_dhcpv6_and_slaac(tmp_path: Path) -> None:
        """Law: the kernel makes the address of a router's advertisement, and the client is told the rest."""
        try:
            with ExitStack() as stack:
                served = stack.enter_context(
                    ServedNetwork(network(mode="dhcpv6-stateless"), SETTINGS, tmp_path / "served")
                )
                router = stack.enter_context(Station("router", served.bridge, "fa:16:3e:00:00:01", tmp_path / "router"))
                station = stack.enter_context(Station("one", served.bridge, MAC, tmp_path / "one", accept_ra=True))
                assert not station.addresses(6)
                message = advertisement(router.mac, ["fd00::/64"], other=True, mtu=1400)
                stack.enter_context(Router(router, message))
                address = station.slaac("fd00::/64")
                assert address.address == station.address_of("fd00::/64")
                assert (address.prefix, address.is_dynamic) == (64, True)
                assert station.router_mtu() == 1400
                assert ("default", router.link_local) in station.routes(6)
                client = stack.enter_context(DhclientInformation6(station))
                told = client.configuration()
                assert (told.address, told.dns, told.search) == (None, ("fd00::2",), ("example.org",))
        finally:
            hosts.clear()

    # -- the end

    @pytest.mark.parametrize("client", [Udhcpc, Dhclient4])
    def test_a_second_client_begins_anew(
        served: ServedNetwork, station: Station, client: type[Udhcpc | Dhclient4]
    ) -> None:
        """Law: what one client of a station was told is no answer to the next one of the same name."""
        with client(station) as first:
            assert first.configuration().address == "10.0.0.5"
        served.stop()
        with client(station) as second, pytest.raises(NoLease):
            second.configuration(1)

    def test_nothing_is_left(served: ServedNetwork, tmp_path: Path) -> None:
        with Station("one", served.bridge, MAC, tmp_path / "one") as station:
            four, six = Udhcpc(station), Dhclient6(station)
            station.start(["sh", "-c", "sleep 77 & sleep 77"], tmp_path / "log")
            four.configuration()
            assert station.namespace in os.listdir("/run/netns")
        assert station.namespace not in os.listdir("/run/netns")
        assert not four.is_alive()
        assert not six.is_alive()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            assert b"77" not in words, words

    def _octets(text: str) -> list[str]:
        return [f"{int(octet, 16):02x}" for octet in text.split(":") if octet]

else:

    def test_on_a_host_of_its_own(tmp_path: Path) -> None:
        if reason := missing():
            pytest.skip(reason)
        hosts.run_inside(__file__, tmp_path)
