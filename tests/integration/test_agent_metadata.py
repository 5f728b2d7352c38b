"""Metadata: a virtual machine's request reaches the metadata agent's socket through the network's haproxy."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import host as hosts
from support.clients.http_get import METADATA_4, METADATA_6, get
from support.clients.metadata_agent import MetadataAgent
from support.clients.sample import missing
from support.clients.station import DEVICE, Station
from support.clients.udhcpc import Udhcpc
from support.site import AgentProgram, Server, address, bridge, running, until

PATH = "/latest/meta-data/instance-id"

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site"), enable_isolated_metadata=True) as made:
            yield made

    @pytest.fixture
    def metadata() -> Iterator[MetadataAgent]:
        with MetadataAgent("/run/metadata.sock") as made:
            yield made

    def test_it_reaches_the_socket_with_the_networks_id(
        server: Server, metadata: MetadataAgent, tmp_path: Path
    ) -> None:
        """Law: at 169.254.169.254, by the route that DHCP tells, each network's clients are told apart by headers."""
        networks = [server.served() for _ in range(2)]
        for number, network in enumerate(networks):
            (port,) = network["ports"]
            name = f"n{number}"
            with Station(name, bridge(network["id"]), port["mac_address"], tmp_path / name) as station:
                with Udhcpc(station) as client:
                    told = client.configuration()
                (way,) = server.dhcp_addresses(network["id"])
                assert (f"{METADATA_4}/32", way) in told.routes
                answer = _asked(METADATA_4, station)
                assert answer == (200, b"i-00000001")
                asked = metadata.requests[-1]
                assert (asked.path, asked.network_id, asked.client) == (PATH, network["id"], address(port))

    def test_at_the_link_local_address(server: Server, metadata: MetadataAgent, tmp_path: Path) -> None:
        """Law: at fe80::a9fe:a9fe too, where a network has IPv6."""
        network = server.create("network")["id"]
        modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
        server.create("subnet", network_id=network, cidr="fd00::/64", ip_version=6, **modes)
        port = server.port(network)
        server.wait_active(network)
        with Station("one", bridge(network), port["mac_address"], tmp_path / "one") as station:
            assert _asked(METADATA_6, station) == (200, b"i-00000001")
            asked = metadata.requests[-1]
            assert (asked.network_id, asked.client) == (network, station.link_local)

    def test_a_proxy_that_dies_is_back(server: Server, agent: AgentProgram, metadata: MetadataAgent) -> None:
        """Law: a haproxy that is killed is back, and goes when its network goes."""
        network = server.served()

        def proxy() -> int | None:
            proxies = agent.status()["metadata_proxies"]
            return next((each["pid"] for each in proxies if each["network"] == network["id"] and each["alive"]), None)

        killed = until("a proxy runs", proxy)
        os.kill(killed, signal.SIGKILL)
        until("another proxy runs", lambda: (pid := proxy()) is not None and pid != killed)
        server.delete("port", network["ports"][0]["id"])
        server.delete("network", network["id"])
        until("its proxy has gone", lambda: proxy() is None)
        config = agent.state / "ns-metadata-proxy" / f"{network['id']}.conf"
        until("its configuration has gone", lambda: not config.exists())

    def test_rate_limiting_begins_with_a_signal(
        server: Server, agent: AgentProgram, metadata: MetadataAgent, tmp_path: Path
    ) -> None:
        """Law: rate limiting that is switched on in the settings takes effect at SIGHUP: 429 for who asks too often."""
        network = server.served()
        (port,) = network["ports"]
        with Station("asks", bridge(network["id"]), port["mac_address"], tmp_path / "asks") as station:
            with Udhcpc(station) as client:
                client.configuration()
            assert {_asked(METADATA_4, station)[0] for _ in range(15)} == {200}
            limits = {
                "metadata_rate_limiting.rate_limit_enabled": True,
                "metadata_rate_limiting.base_query_rate_limit": 5,
                "metadata_rate_limiting.base_window_duration": 60,
                "metadata_rate_limiting.burst_query_rate_limit": 4,
                "metadata_rate_limiting.burst_window_duration": 60,
            }
            agent.write_settings(**(agent.settings | limits))
            agent.send_signal(signal.SIGHUP)
            until("too many are refused", lambda: _asked(METADATA_4, station)[0] == 429)
            assert {_asked(METADATA_4, station)[0] for _ in range(5)} == {429}

    def _asked(where: str, station: Station) -> tuple[int, bytes]:
        """Ask, patiently: the proxy starts after dnsmasq, and again with other settings."""

        def once() -> tuple[int, bytes] | None:
            try:
                answer = get(where, PATH, namespace=station.namespace, device=DEVICE, seconds=5)
            except OSError:
                return None
            return answer.status, answer.body

        return until(f"{where} answers", once)

else:

    def test_metadata(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
