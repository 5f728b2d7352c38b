"""Real DHCP clients of ports that a real Neutron knows and our agent serves; ports of every kind, and metadata."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients import dns
from support.clients.dhclient import Dhclient4, Dhclient6, DhclientInformation6
from support.clients.http_get import get
from support.clients.metadata_agent import MetadataAgent
from support.clients.program import Identity, ipxe, pxe
from support.clients.router import Router, advertisement
from support.clients.station import DEVICE, Station
from support.clients.udhcpc import Udhcpc
from support.clients.wire_latency import answered
from support.neutron.control_plane import PROJECT, ControlPlane
from support.neutron.our_agent import OurAgent
from support.neutron.run import run_with_neutron
from support.neutron.wire import is_answered, is_told
from support.site import address, bridge, until

METADATA_4, METADATA_6 = "169.254.169.254", "fe80::a9fe:a9fe"
CLASSLESS = 121

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, OurAgent]]:
        folder = tmp_path_factory.mktemp("site")
        # One host's agent serves one segment of a routed network, and compute hosts are on either.
        words = ["host-1=physnet1", "compute-1=physnet1", "compute-2=physnet2"]
        with (
            ControlPlane(folder / "server", hosts=words, service_plugins=["segments"]) as server,
            OurAgent(folder / "agent", server, enable_isolated_metadata=True) as agent,
        ):
            yield server, agent

    @pytest.fixture(scope="module")
    def server(site: tuple[ControlPlane, OurAgent]) -> ControlPlane:
        return site[0]

    @pytest.fixture(scope="module")
    def agent(site: tuple[ControlPlane, OurAgent]) -> OurAgent:
        return site[1]

    @pytest.fixture
    def metadata() -> Iterator[MetadataAgent]:
        with MetadataAgent("/run/metadata-host-1.sock") as made:
            yield made

    def network_of(server: ControlPlane, *subnets: dict[str, Any], **network: Any) -> str:
        """A network with these subnets, for which the agent has its DHCP port."""
        made: str = server.create("network", **network)["id"]
        for subnet in subnets:
            server.create("subnet", network_id=made, **subnet)
        server.wait_for_dhcp_ports(made)
        return made

    def four(cidr: str = "10.0.0.0/24", **more: Any) -> dict[str, Any]:
        return {"cidr": cidr, "ip_version": 4, **more}

    def six(cidr: str, mode: str, **more: Any) -> dict[str, Any]:
        return {"cidr": cidr, "ip_version": 6, "ipv6_address_mode": mode, "ipv6_ra_mode": mode, **more}

    def of_version(port: dict[str, Any], version: int) -> str:
        (found,) = (each["ip_address"] for each in port["fixed_ips"] if (":" in each["ip_address"]) == (version == 6))
        return str(found)

    def asked(where: str, station: Station) -> tuple[int, bytes]:
        """Ask for metadata, patiently: the proxy starts after dnsmasq."""

        def once() -> tuple[int, bytes] | None:
            try:
                answer = get(
                    where, "/latest/meta-data/instance-id", namespace=station.namespace, device=DEVICE, seconds=5
                )
            except OSError:
                return None
            return answer.status, answer.body

        return until(f"{where} answers", once)

    # -- IPv4

    @pytest.mark.parametrize("client", [Udhcpc, Dhclient4])
    def test_a_client_is_told_what_its_port_says(
        server: ControlPlane, client: type[Udhcpc | Dhclient4], tmp_path: Path
    ) -> None:
        """Law: address, mask, gateway, classless routes, MTU, DNS servers, domain and name are those of the port."""
        route = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
        subnet = four(dns_nameservers=["10.0.0.53", "10.0.0.54"], host_routes=[route])
        network = network_of(server, subnet, mtu=1400)
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
            assert station.mtu() == 1400

    def test_several_subnets_on_a_network(server: ControlPlane, tmp_path: Path) -> None:
        """Law: each port has the address and the gateway of its own subnet."""
        network = server.create("network")["id"]
        subnets = [server.create("subnet", network_id=network, **four(f"10.{n}.0.0/24")) for n in range(3)]
        ports = [server.port(network, fixed_ips=[{"subnet_id": subnet["id"]}]) for subnet in subnets]
        for number, port in enumerate(ports):
            name = f"s{number}"
            is_answered(port)
            with Station(name, bridge(network), port["mac_address"], tmp_path / name) as station:
                with Udhcpc(station) as client:
                    got = client.configuration()
                assert (got.address, got.router) == (address(port), (f"10.{number}.0.1",))

    def test_network_boot_and_client_id(server: ControlPlane, tmp_path: Path) -> None:
        """Law: extra DHCP options of a port are its own, by number, by name and by tag; so is a client id."""
        network = network_of(server, four())
        options = [
            {"opt_name": "tag:ipxe,67", "opt_value": "http://boot.example.org/script.ipxe", "ip_version": 4},
            {"opt_name": "tag:!ipxe,67", "opt_value": "undionly.kpxe", "ip_version": 4},
            {"opt_name": "150", "opt_value": "10.0.0.9", "ip_version": 4},
            {"opt_name": "server-ip-address", "opt_value": "10.0.0.9", "ip_version": 4},
        ]
        named = [{"opt_name": "client-id", "opt_value": "01:de:ad:be:ef", "ip_version": 4}]
        boots, plain = server.port(network, extra_dhcp_opts=options), server.port(network)
        known = server.port(network, extra_dhcp_opts=named, dns_name="named")
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
        with (
            Station("named", bridge(network), known["mac_address"], tmp_path / "named") as station,
            Udhcpc(station, Identity(client_id=bytes.fromhex("01deadbeef"))) as asking,
        ):
            got = asking.configuration()
            assert (got.address, got.hostname) == (address(known), "named")

    def test_an_address_serves_the_next_port_at_once(server: ControlPlane, agent: OurAgent, tmp_path: Path) -> None:
        """Law: a deleted port's lease is released, and its address is leased to the port that has it next."""
        network = server.served()
        (first,) = network["ports"]
        with (
            Station("first", bridge(network["id"]), first["mac_address"], tmp_path / "first") as station,
            Udhcpc(station) as client,
        ):
            assert client.configuration().address == address(first)
        leases = agent.directory(network["id"]) / "leases"
        assert first["mac_address"] in leases.read_text()
        server.delete("port", first["id"])
        mine = {"subnet_id": network["subnet"]["id"], "ip_address": address(first)}
        second = server.port(network["id"], fixed_ips=[mine])
        is_answered(second)
        until("the old lease has gone", lambda: first["mac_address"] not in leases.read_text())
        answered(bridge(network["id"]), first["mac_address"], None, 0.5)

    # -- IPv6

    def test_dual_stack(server: ControlPlane, tmp_path: Path) -> None:
        """Law: a port has a lease of each version at the same time, options of its own, and one name with both."""
        network = network_of(server, four(), six("fd00:3::/64", "dhcpv6-stateful", dns_nameservers=["fd00:3::53"]))
        port = server.port(network, dns_name="both")
        server.wait_active(network)
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Udhcpc(station) as older,
            Dhclient6(station) as client,
        ):
            got = older.configuration()
            assert (got.address, got.hostname) == (of_version(port, 4), "both")
            told = client.configuration()
            assert (told.address, told.dns, told.search) == (of_version(port, 6), ("fd00:3::53",), ("example.org",))
            (way,) = (each for each in server.dhcp_addresses(network) if "." in each)
            for kind, version in (("A", 4), ("AAAA", 6)):
                answer = dns.query(way, "both.example.org", kind, namespace=station.namespace)
                assert answer is not None
                assert answer.values == [of_version(port, version)]
            backward = dns.reverse(way, of_version(port, 4), namespace=station.namespace)
            assert backward is not None
            assert backward.values == ["both.example.org"]

    def test_stateless(server: ControlPlane, tmp_path: Path) -> None:
        """Law: the address is what the client makes of a router's prefix, which is the port's; DHCP tells the rest."""
        network = network_of(server, six("fd00:2::/64", "dhcpv6-stateless", dns_nameservers=["fd00:2::53"]), mtu=1400)
        port = server.port(network)
        server.wait_active(network)
        with (
            Station("router", bridge(network), "fa:16:3e:00:00:01", tmp_path / "router") as router,
            Station("one", bridge(network), port["mac_address"], tmp_path / "one", accept_ra=True) as station,
            Router(router, advertisement(router.mac, ["fd00:2::/64"], other=True, mtu=1400)),
        ):
            assert station.slaac("fd00:2::/64").address == address(port)
            with DhclientInformation6(station) as client:
                told = client.configuration()
            assert (told.address, told.dns, told.search) == (None, ("fd00:2::53",), ("example.org",))

    def test_slaac_beside_ipv4(server: ControlPlane, tmp_path: Path) -> None:
        """Law: a subnet whose clients make their addresses themselves changes nothing for those of IPv4."""
        network = network_of(server, four(), six("fd00:5::/64", "slaac"))
        port = server.port(network)
        server.wait_active(network)
        assert len(port["fixed_ips"]) == 2
        with (
            Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station,
            Udhcpc(station) as client,
        ):
            assert client.configuration().address == of_version(port, 4)

    # -- metadata

    def test_metadata_of_an_isolated_network(server: ControlPlane, metadata: MetadataAgent, tmp_path: Path) -> None:
        """Law: where no router is, metadata is reached by the route that DHCP tells, with the network's id."""
        network = network_of(server, four(), six("fd00:4::/64", "dhcpv6-stateful"))
        port = server.port(network)
        server.wait_active(network)
        with Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station:
            with Udhcpc(station) as client:
                told = client.configuration()
            (way,) = (each for each in server.dhcp_addresses(network) if "." in each)
            assert (f"{METADATA_4}/32", way) in told.routes
            assert asked(METADATA_4, station) == (200, b"i-00000001")
            assert (metadata.requests[-1].network_id, metadata.requests[-1].client) == (network, of_version(port, 4))
            assert asked(METADATA_6, station) == (200, b"i-00000001")
            assert (metadata.requests[-1].network_id, metadata.requests[-1].client) == (network, station.link_local)

    def test_a_router_takes_metadata_over(server: ControlPlane, agent: OurAgent) -> None:
        """Law: with a router on its gateway address a subnet is isolated no more: the way is by it, without a proxy."""
        network = server.served()
        (port,) = network["ports"]

        def proxies() -> int:
            return sum(1 for each in agent.status()["metadata_proxies"] if each["network"] == network["id"])

        until("a proxy runs", lambda: proxies() == 1)
        router = server.create("router")["id"]
        server.rest("PUT", f"routers/{router}/add_router_interface", {"subnet_id": network["subnet"]["id"]})
        until("the proxy has gone", lambda: proxies() == 0)
        # The proxy ends before dnsmasq reads its options again.
        gateway = socket.inet_aton("10.0.0.1")
        is_told(port, CLASSLESS, b"\x20" + socket.inet_aton(METADATA_4) + gateway + b"\0" + gateway)
        is_answered(port)
        server.rest("PUT", f"routers/{router}/remove_router_interface", {"subnet_id": network["subnet"]["id"]})
        until("a proxy runs again", lambda: proxies() == 1)
        server.delete("router", router)

    def test_metadata_is_forced(server: ControlPlane, agent: OurAgent, metadata: MetadataAgent, tmp_path: Path) -> None:
        """Law: switched on in dhcp_agent.ini and with a signal, metadata is served beside a router, too."""
        network = server.served()
        (port,) = network["ports"]
        router = server.create("router")["id"]
        server.rest("PUT", f"routers/{router}/add_router_interface", {"subnet_id": network["subnet"]["id"]})
        (way,) = server.dhcp_addresses(network["id"])
        gateway = b"\0" + socket.inet_aton("10.0.0.1")
        host = b"\x20" + socket.inet_aton(METADATA_4)
        is_told(port, CLASSLESS, host + gateway[1:] + gateway)
        agent.change(force_metadata=True)
        is_told(port, CLASSLESS, host + socket.inet_aton(way) + gateway)
        with Station("one", bridge(network["id"]), port["mac_address"], tmp_path / "one") as station:
            with Udhcpc(station) as client:
                assert (f"{METADATA_4}/32", way) in client.configuration().routes
            assert asked(METADATA_4, station) == (200, b"i-00000001")
            assert metadata.requests[-1].network_id == network["id"]
        agent.change(force_metadata=False)
        is_told(port, CLASSLESS, host + gateway[1:] + gateway)

    # -- segments

    def test_a_routed_network(server: ControlPlane, agent: OurAgent, tmp_path: Path) -> None:
        """Law: of a routed network this host's segment is served, its ports and no others', under its own directory."""
        segments = [
            {
                "provider:network_type": "vlan",
                "provider:physical_network": f"physnet{n}",
                "provider:segmentation_id": tag,
            }
            for n, tag in ((1, 101), (2, 202))
        ]
        network = server.create("network", segments=segments)["id"]
        ids = {each["segmentation_id"]: each["id"] for each in server.list("segments", f"network_id={network}")}
        here = server.create("subnet", network_id=network, segment_id=ids[101], **four("10.1.0.0/24"))
        server.create("subnet", network_id=network, segment_id=ids[202], **four("10.2.0.0/24"))
        server.wait_for_dhcp_ports(network)
        near = server.port(network)
        assert near["fixed_ips"][0]["subnet_id"] == here["id"]
        far = server.port(network, binding__host_id="compute-2")
        assert address(far).startswith("10.2.0.")
        is_answered(near)
        assert (agent.state / "dhcp" / "101" / network / "host").exists()
        assert not (agent.state / "dhcp" / "202").exists()
        with (
            Station("near", bridge(network), near["mac_address"], tmp_path / "near") as station,
            Udhcpc(station) as client,
        ):
            got = client.configuration()
            assert (got.address, got.router) == (address(near), ("10.1.0.1",))
        answered(bridge(network), far["mac_address"], None, 0.5)
        until("the near port is ACTIVE", lambda: server.show("port", near["id"])["status"] == "ACTIVE")

    def test_a_reserved_port_is_used(server: ControlPlane) -> None:
        """Law: a DHCP port that an operator has reserved for a network is the one that is used."""
        network = server.create("network")["id"]
        server.update("network", network, admin_state_up=False)
        subnet = server.create("subnet", network_id=network, **four())
        mine = [{"subnet_id": subnet["id"], "ip_address": "10.0.0.200"}]
        owned = {"device_owner": "network:dhcp", "device_id": "reserved_dhcp_port", "project_id": PROJECT}
        reserved = server.create("port", network_id=network, fixed_ips=mine, **owned)
        server.update("network", network, admin_state_up=True)
        port = server.port(network)
        is_answered(port)
        (used,) = server.dhcp_ports(network)
        assert (used["id"], address(used)) == (reserved["id"], "10.0.0.200")
        assert used["device_id"].startswith("dhcp")

else:

    def test_clients(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        run_with_neutron(__file__, tmp_path, seconds=600)
