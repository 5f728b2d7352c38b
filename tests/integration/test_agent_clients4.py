"""Real DHCPv4 clients of ports that the reference server knows and the agent serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import host as hosts
from support.clients import dns
from support.clients.dhclient import Dhclient4
from support.clients.program import Identity, ipxe, pxe
from support.clients.sample import missing
from support.clients.station import Station
from support.clients.udhcpc import Udhcpc
from support.clients.wire_latency import answered, fell_silent
from support.clients.wires import Wire
from support.site import AgentProgram, Server, address, bridge, running, until

STRANGER = "fa:16:3e:ff:ff:99"

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        named = ("--dns-domain", "example.org")
        with running(tmp_path_factory.mktemp("site"), *named, dns_domain="example.org") as made:
            yield made

    @pytest.mark.parametrize("client", [Udhcpc, Dhclient4])
    def test_a_client_is_told_what_its_port_says(
        server: Server, client: type[Udhcpc | Dhclient4], tmp_path: Path
    ) -> None:
        """Law: address, mask, gateway, classless routes, MTU, DNS servers, domain and name are those of the port."""
        network = server.create("network", mtu=1400)["id"]
        route = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
        told = {"dns_nameservers": ["10.0.0.53", "10.0.0.54"], "host_routes": [route]}
        server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4, **told)
        port = server.port(network, dns_name="front")
        server.wait_active(network)
        with Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station:
            with client(station) as asking:
                got = asking.configuration()
            assert (got.address, got.prefix, got.lease_time) == (address(port), 24, 86400)
            assert (got.router, got.dns) == (("10.0.0.1",), ("10.0.0.53", "10.0.0.54"))
            assert set(got.routes) >= {("10.9.0.0/16", "10.0.0.9"), ("0.0.0.0/0", "10.0.0.1")}
            assert (got.domain, got.hostname, got.mtu) == ("example.org", "front", 1400)
            assert got.server in server.dhcp_addresses(network)
            # And the kernel took it all.
            assert station.mtu() == 1400
            assert set(station.routes(4)) >= {("default", "10.0.0.1"), ("10.9.0.0/16", "10.0.0.9")}

    def test_several_subnets_on_a_network(server: Server, tmp_path: Path) -> None:
        """Law: each port has the address and the gateway of its own subnet."""
        network = server.create("network")["id"]
        subnets = [server.create("subnet", network_id=network, cidr=f"10.{n}.0.0/24", ip_version=4) for n in range(3)]
        ports = [server.port(network, fixed_ips=[{"subnet_id": subnet["id"]}]) for subnet in subnets]
        server.wait_active(network)
        assert len(server.dhcp_addresses(network)) == 3
        for number, port in enumerate(ports):
            name = f"s{number}"
            with Station(name, bridge(network), port["mac_address"], tmp_path / name) as station:
                with Udhcpc(station) as client:
                    got = client.configuration()
                assert (got.address, got.router) == (address(port), (f"10.{number}.0.1",))

    def test_several_networks_with_the_same_addresses(server: Server, tmp_path: Path) -> None:
        """Law: networks are worlds of their own: the same address is leased on each, and even the same MAC's port."""
        mac = "fa:16:3e:00:aa:01"
        networks = [server.create("network")["id"] for _ in range(3)]
        for number, network in enumerate(networks):
            subnet = server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
            mine = {"subnet_id": subnet["id"], "ip_address": "10.0.0.50"}
            server.port(network, mac_address=mac, fixed_ips=[mine], dns_name=f"host{number}")
        server.wait_active(*networks)
        for number, network in enumerate(networks):
            with Station(f"n{number}", bridge(network), mac, tmp_path / f"n{number}") as station:
                with Udhcpc(station) as client:
                    got = client.configuration()
                assert (got.address, got.hostname) == ("10.0.0.50", f"host{number}")

    def test_network_boot(server: Server, tmp_path: Path) -> None:
        """Law: firmware is given the boot loader, and the boot loader, which says it is iPXE, its script."""
        network = server.served()["id"]
        options = [
            {"opt_name": "tag:ipxe,67", "opt_value": "http://boot.example.org/script.ipxe", "ip_version": 4},
            {"opt_name": "tag:!ipxe,67", "opt_value": "undionly.kpxe", "ip_version": 4},
            {"opt_name": "tag:!ipxe6,59", "opt_value": "tftp://[fd00::9]/snp.efi", "ip_version": 6},
            {"opt_name": "66", "opt_value": "10.0.0.9", "ip_version": 4},
            {"opt_name": "150", "opt_value": "10.0.0.9", "ip_version": 4},
            {"opt_name": "server-ip-address", "opt_value": "10.0.0.9", "ip_version": 4},
        ]
        boots = server.port(network, extra_dhcp_opts=options)
        plain = server.port(network)
        server.wait_active(network)
        with Station("boots", bridge(network), boots["mac_address"], tmp_path / "boots") as station:
            with Udhcpc(station, pxe(), name="first") as asking:
                got = asking.configuration()
                assert (got.address, got.boot_file, got.next_server) == (address(boots), "undionly.kpxe", "10.0.0.9")
            with Udhcpc(station, ipxe(), name="second") as asking:
                assert asking.configuration().boot_file == "http://boot.example.org/script.ipxe"
            with Udhcpc(station, Identity(request=(150,)), name="third") as asking:
                assert asking.configuration().raw.get("opt150") == "0a000009"
        with (
            Station("plain", bridge(network), plain["mac_address"], tmp_path / "plain") as station,
            Udhcpc(station, pxe()) as asking,
        ):
            assert asking.configuration().boot_file is None

    def test_a_client_known_by_its_client_id(server: Server, tmp_path: Path) -> None:
        """Law: a port with the option client-id is leased to the client that says so."""
        network = server.served()["id"]
        option = {"opt_name": "client-id", "opt_value": "01:de:ad:be:ef", "ip_version": 4}
        port = server.port(network, extra_dhcp_opts=[option], dns_name="named")
        server.wait_active(network)
        with (
            Station("named", bridge(network), port["mac_address"], tmp_path / "named") as station,
            Udhcpc(station, Identity(client_id=bytes.fromhex("01deadbeef"))) as asking,
        ):
            got = asking.configuration()
        assert (got.address, got.hostname) == (address(port), "named")

    @pytest.mark.parametrize("tcp", [False, True])
    def test_names(server: Server, tcp: bool, tmp_path: Path) -> None:
        """Law: names of a network's ports are told forward and reverse, by UDP and TCP, and no other network's."""
        here, other = server.served()["id"], server.served()["id"]
        port = server.port(here, dns_name="front")
        server.port(other, dns_name="elsewhere")
        server.wait_active(here, other)
        (asked,) = server.dhcp_addresses(here)
        with Station("asks", bridge(here), port["mac_address"], tmp_path / "asks") as station:
            with Udhcpc(station) as client:
                client.configuration()

            def forward(name: str) -> list[str]:
                answer = dns.query(asked, name, namespace=station.namespace, tcp=tcp)
                assert answer is not None
                return answer.values

            assert forward("front.example.org") == [address(port)]
            assert forward("elsewhere.example.org") == []
            first = server.list("ports", f"network_id={here}&device_owner=")[0]
            assert forward(f"host-{address(first).replace('.', '-')}.example.org") == [address(first)]
            answer = dns.reverse(asked, address(port), namespace=station.namespace, tcp=tcp)
            assert answer is not None
            assert answer.values == ["front.example.org"]

    def test_a_deleted_ports_address_serves_the_next_at_once(server: Server, agent: AgentProgram) -> None:
        """Law: the lease of a deleted port is released, and its address is leased to the port that has it next."""
        network = server.served(ports=2)
        first = network["ports"][0]
        wire = bridge(network["id"])
        with Wire(wire) as asking:
            assert asking.take_lease(first["mac_address"]).address == address(first)
        leases = agent.directory(network["id"]) / "leases"
        assert first["mac_address"] in leases.read_text()
        server.delete("port", first["id"])
        mine = {"subnet_id": network["subnet"]["id"], "ip_address": address(first)}
        second = server.port(network["id"], fixed_ips=[mine])
        answered(wire, second["mac_address"], address(first), 20.0)
        with Wire(wire) as asking:
            assert asking.take_lease(second["mac_address"]).address == address(first)
        fell_silent(wire, first["mac_address"], 20.0)
        until("the old lease has gone", lambda: first["mac_address"] not in leases.read_text())

    def test_a_stranger_is_told_nothing(server: Server, tmp_path: Path) -> None:
        """Law: a MAC address that no port of the network has is not answered, whoever asks and however."""
        network, other = server.served(), server.served()
        for mac in (STRANGER, other["ports"][0]["mac_address"]):
            answered(bridge(network["id"]), mac, None, 0.5)
        with (
            Station("other", bridge(network["id"]), STRANGER, tmp_path / "other") as station,
            Udhcpc(station) as client,
        ):
            client.stays_without(1.5)

else:

    def test_clients_of_ipv4(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
