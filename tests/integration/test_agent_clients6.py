"""Real clients of IPv6, beside IPv4 or alone, of ports that the reference server knows and the agent serves."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients import dns
from support.clients.dhclient import Dhclient6, DhclientInformation6
from support.clients.program import Identity
from support.clients.router import Router, advertisement
from support.clients.sample import missing
from support.clients.station import DEVICE, Station
from support.clients.udhcpc import Udhcpc
from support.dnsmasq_oracle import dnsmasq_version
from support.site import AgentProgram, Server, address, bridge, running, until

STRANGER = "fa:16:3e:ff:ff:99"

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        named = ("--dns-domain", "example.org")
        with running(tmp_path_factory.mktemp("site"), *named, dns_domain="example.org") as made:
            yield made

    def six(server: Server, network_id: str, cidr: str, mode: str, **more: Any) -> dict[str, Any]:
        modes = {"ipv6_address_mode": mode, "ipv6_ra_mode": mode}
        return server.create("subnet", network_id=network_id, cidr=cidr, ip_version=6, **modes, **more)

    def of_version(port: dict[str, Any], version: int) -> str:
        (found,) = (each["ip_address"] for each in port["fixed_ips"] if (":" in each["ip_address"]) == (version == 6))
        return str(found)

    def test_stateful(server: Server, tmp_path: Path) -> None:
        """Law: a port's own address, DNS servers and search list; renewed, confirmed after a reboot."""
        network = server.create("network")["id"]
        six(server, network, "fd00:1::/64", "dhcpv6-stateful", dns_nameservers=["fd00:1::53"])
        port = server.port(network)
        server.wait_active(network)
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Dhclient6(station) as client,
        ):
            told = client.configuration()
            assert (told.address, told.dns, told.search) == (address(port), ("fd00:1::53",), ("example.org",))
            assert [each.address for each in station.addresses(6)] == [address(port)]
            assert client.renew().address == address(port)
            assert client.reboot().address == address(port)

    @pytest.mark.parametrize("tagged", [True, False])
    def test_an_address_that_moved(server: Server, agent: AgentProgram, tagged: bool, tmp_path: Path) -> None:
        """Law: a port gets its address though the client that had it never gave its lease back.

        The agent is told at once that the one port went and the other came.  A tag in the hosts file makes it restart a
        dnsmasq before 2.91, which otherwise gets a SIGHUP.
        """
        network = server.create("network")["id"]
        subnet = six(server, network, f"fd00:{10 + tagged}::/64", "dhcpv6-stateful")["id"]
        option = {"opt_name": "dns-server", "opt_value": "fd00::54", "ip_version": 6}
        server.port(network, extra_dhcp_opts=[option] if tagged else [])
        first = server.port(network)
        server.wait_active(network)
        pid = agent.dnsmasq_pid(network)
        with Station("one", bridge(network), first["mac_address"], tmp_path / "one") as one, Dhclient6(one) as client:
            assert client.configuration().address == address(first)
        agent.send_signal(signal.SIGSTOP)
        try:
            server.delete("port", first["id"])
            second = server.port(network, fixed_ips=[{"subnet_id": subnet, "ip_address": address(first)}])
        finally:
            agent.send_signal(signal.SIGCONT)
        server.wait_active(network)
        with Station("two", bridge(network), second["mac_address"], tmp_path / "two") as two, Dhclient6(two) as client:
            assert client.configuration().address == address(first)
        if (dnsmasq_version() or ()) < (2, 91):
            assert (agent.dnsmasq_pid(network) != pid) == tagged

    def test_stateless(server: Server, tmp_path: Path) -> None:
        """Law: the address is what the client makes of a router's prefix, which is the port's; DHCP tells the rest."""
        network = server.create("network", mtu=1400)["id"]
        six(server, network, "fd00:2::/64", "dhcpv6-stateless")
        port = server.port(network)
        server.wait_active(network)
        (asked,) = server.dhcp_addresses(network)
        with (
            Station("router", bridge(network), "fa:16:3e:00:00:01", tmp_path / "router") as router,
            Station("one", bridge(network), port["mac_address"], tmp_path / "one", accept_ra=True) as station,
            Router(router, advertisement(router.mac, ["fd00:2::/64"], other=True, mtu=1400)),
        ):
            assert station.slaac("fd00:2::/64").address == address(port)
            with DhclientInformation6(station) as client:
                told = client.configuration()
            assert (told.address, told.dns, told.search) == (None, (asked,), ("example.org",))
            # Who made its address itself is known by name all the same.
            name = f"host-{address(port).replace(':', '-')}.example.org"
            answer = dns.query(asked, name, "AAAA", namespace=station.namespace)
            assert answer is not None
            assert answer.values == [address(port)]

    @pytest.mark.parametrize("tcp", [False, True])
    def test_dual_stack(server: Server, tcp: bool, tmp_path: Path) -> None:
        """Law: a port has one lease of each version at the same time, and one name with both addresses."""
        network = server.create("network")["id"]
        server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        six(server, network, "fd00:3::/64", "dhcpv6-stateful")
        port = server.port(network, dns_name="both")
        server.wait_active(network)
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Udhcpc(station) as four,
            Dhclient6(station) as client,
        ):
            assert four.configuration().address == of_version(port, 4)
            assert client.configuration().address == of_version(port, 6)
            assert four.configuration().hostname == "both"
            # DHCPv6 tells no prefix; that would be the router's business.
            station.run(["ip", "-6", "route", "add", "fd00:3::/64", "dev", DEVICE])
            for asked in server.dhcp_addresses(network):
                for kind, version in (("A", 4), ("AAAA", 6)):
                    answer = dns.query(asked, "both.example.org", kind, namespace=station.namespace, tcp=tcp)
                    assert answer is not None, asked
                    assert answer.values == [of_version(port, version)]
                    backward = dns.reverse(asked, of_version(port, version), namespace=station.namespace, tcp=tcp)
                    assert backward is not None
                    assert backward.values == ["both.example.org"]

    def test_stateful_and_stateless_on_one_network(server: Server, tmp_path: Path) -> None:
        """Law: a port with an address made by itself beside a reserved one is given the reserved one."""
        network = server.create("network")["id"]
        six(server, network, "fd00:4::/64", "dhcpv6-stateful")
        six(server, network, "fd00:5::/64", "slaac")
        port = server.port(network)
        server.wait_active(network)
        (reserved,) = (each for each in port["fixed_ips"] if each["ip_address"].startswith("fd00:4:"))
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Dhclient6(station) as client,
        ):
            assert client.configuration().address == reserved["ip_address"]

    def test_options_of_ipv6_ports(server: Server, tmp_path: Path) -> None:
        """Law: extra_dhcp_opts of version 6 go to DHCPv6 only, those of version 4 to DHCPv4 only."""
        network = server.create("network")["id"]
        server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        six(server, network, "fd00:6::/64", "dhcpv6-stateful")
        options = [
            {"opt_name": "dns-server", "opt_value": "10.0.0.99", "ip_version": 4},
            {"opt_name": "dns-server", "opt_value": "fd00:6::99", "ip_version": 6},
        ]
        port = server.port(network, extra_dhcp_opts=options)
        server.wait_active(network)
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Udhcpc(station, Identity()) as four,
            Dhclient6(station) as client,
        ):
            assert four.configuration().dns == ("10.0.0.99",)
            assert client.configuration().dns == ("fd00:6::99",)

    def test_a_deleted_ports_address_serves_the_next_at_once(
        server: Server, agent: AgentProgram, tmp_path: Path
    ) -> None:
        """Law: the DHCPv6 lease of a deleted port is released, and its address is leased to the next port."""
        network = server.create("network")["id"]
        subnet = six(server, network, "fd00:7::/64", "dhcpv6-stateful")
        first = server.port(network)
        server.wait_active(network)
        with (
            Station("first", bridge(network), first["mac_address"], tmp_path / "first") as station,
            Dhclient6(station) as client,
        ):
            assert client.configuration().address == address(first)
        leases = agent.directory(network) / "leases"
        # dnsmasq answers first, and then writes the file.
        until("the lease is in the file", lambda: f" {address(first)} " in leases.read_text())
        duid = leases.read_text().split(address(first))[1].split()[1]
        server.delete("port", first["id"])
        until("the lease has gone", lambda: duid not in leases.read_text())
        second = server.port(network, fixed_ips=[{"subnet_id": subnet["id"], "ip_address": address(first)}])
        server.wait_active(network)
        with (
            Station("second", bridge(network), second["mac_address"], tmp_path / "second") as station,
            Dhclient6(station) as client,
        ):
            assert client.configuration().address == address(first)

    def test_a_stranger_is_given_no_address(server: Server, tmp_path: Path) -> None:
        """Law: who has no port is given no address by DHCPv6 either."""
        network = server.create("network")["id"]
        six(server, network, "fd00:8::/64", "dhcpv6-stateful")
        server.port(network)
        server.wait_active(network)
        with (
            Station("other", bridge(network), STRANGER, tmp_path / "other") as station,
            Dhclient6(station) as client,
        ):
            client.stays_without(2.5)

else:

    def test_clients_of_ipv6(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
