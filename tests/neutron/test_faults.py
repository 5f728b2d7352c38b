"""Broker, database, server and agent go away and come back, under load: served is what is right, and without a gap."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients.wires import Wire
from support.neutron.control_plane import ControlPlane
from support.neutron.our_agent import OurAgent
from support.neutron.run import run_with_neutron
from support.neutron.wire import falls_silent, is_answered
from support.site import RestError, address, bridge, until

#: Seconds without a report until an agent counts as dead.
DOWN_TIME = 15

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, OurAgent]]:
        folder = tmp_path_factory.mktemp("site")
        with (
            ControlPlane(folder / "server", agent_down_time=DOWN_TIME) as server,
            OurAgent(folder / "agent", server, force_metadata=True) as agent,
        ):
            yield server, agent

    @pytest.fixture(scope="module")
    def server(site: tuple[ControlPlane, OurAgent]) -> ControlPlane:
        return site[0]

    @pytest.fixture(scope="module")
    def agent(site: tuple[ControlPlane, OurAgent]) -> OurAgent:
        return site[1]

    @pytest.fixture(scope="module")
    def networks(server: ControlPlane) -> list[dict[str, Any]]:
        """Three networks, each with a port that is served, and that is kept."""
        return [server.served() for _ in range(3)]

    class Load(threading.Thread):
        """Creates, moves and deletes ports, network by network, until it is told to stop; failures are retried."""

        def __init__(self, server: ControlPlane, networks: list[dict[str, Any]]) -> None:
            super().__init__(daemon=True)
            self._server, self._networks = server.another_client(), networks
            self._over = threading.Event()
            self.requests = 0

        def run(self) -> None:
            while True:
                for network in self._networks:
                    if self._over.is_set():
                        return
                    self._try(self._server.ports, network["id"], 2)
                    ports = self._try(self._ports, network["id"]) or []
                    if len(ports) > 6:
                        self._try(self._server.delete, "port", ports[0]["id"])

        def _ports(self, network_id: str) -> list[dict[str, Any]]:
            ports = self._server.list("ports", f"network_id={network_id}")
            kept = {port["id"] for network in self._networks for port in network["ports"]}
            ours = [port for port in ports if port["device_owner"] != "network:dhcp" and port["id"] not in kept]
            return sorted(ours, key=lambda port: str(port["created_at"]))

        def _try(self, request: Callable[..., Any], *arguments: Any) -> Any:
            try:
                got = request(*arguments)
            except (OSError, RestError):
                time.sleep(0.2)
                return None
            self.requests += 1
            return got

        def __enter__(self) -> Load:
            self.start()
            until("there is load", lambda: self.requests > 5)
            return self

        def __exit__(self, *_: object) -> None:
            self._over.set()
            self.join(120)
            assert not self.is_alive()
            self._server.disconnect()

    @contextmanager
    def kept(agent: OurAgent, networks: list[dict[str, Any]]) -> Iterator[None]:
        """What is in it restarts no dnsmasq of these networks."""
        before = [agent.dnsmasq_pid(network["id"]) for network in networks]
        yield
        assert [agent.dnsmasq_pid(network["id"]) for network in networks] == before

    def all_is_right(server: ControlPlane, networks: list[dict[str, Any]]) -> None:
        """Every port that the server has is answered with its address and becomes ACTIVE."""
        for network in networks:
            for port in server.list("ports", f"network_id={network['id']}"):
                if port["device_owner"] != "network:dhcp":
                    is_answered(port)
                    if port["binding:vif_type"] == "binding_failed":
                        server.bind(port)
                    server.plug(port)
        server.wait_active(*(network["id"] for network in networks))

    def is_offered(network: Mapping[str, Any]) -> bool:
        (port,) = network["ports"]
        with Wire(bridge(network["id"])) as wire:
            offer = wire.discover(port["mac_address"], seconds=3.0)
        return offer is not None and offer.address == address(port)

    def a_served_port(server: ControlPlane, network_id: str) -> dict[str, Any]:
        port = server.port(network_id)
        is_answered(port)
        return port

    # -- the broker

    def test_the_broker_restarts_under_load(
        server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]
    ) -> None:
        """Law: what happened while the broker was away is served when it is back; nobody is without DHCP meanwhile."""
        with kept(agent, networks):
            with Load(server, networks) as load:
                server.broker.kill()
                time.sleep(3)
                assert all(is_offered(network) for network in networks)
                server.broker.restart()
                before = load.requests
                until("the load goes on", lambda: load.requests > before + 6, 90)
            all_is_right(server, networks)

    # -- the server

    def test_the_rpc_server_restarts_under_load(
        server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]
    ) -> None:
        """Law: without an RPC server ports are served as they are notified, and are ACTIVE when it is back."""
        with kept(agent, networks):
            with Load(server, networks):
                server.rpc.kill()
                time.sleep(4)
                assert all(is_offered(network) for network in networks)
                server.restart_rpc()
            all_is_right(server, networks)

    def test_the_api_restarts_under_load(server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]) -> None:
        """Law: a killed API changes nothing that is served; what it says later takes effect."""
        with kept(agent, networks):
            with Load(server, networks) as load:
                server.restart_api()
                before = load.requests
                until("the load goes on", lambda: load.requests > before + 6, 60)
            all_is_right(server, networks)

    def test_the_database_stands_still(server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]) -> None:
        """Law: a database that answers nobody for 15 s restarts nothing, and clients are answered all the time."""

        def asking() -> None:
            for _ in range(3):
                time.sleep(2)
                assert all(is_offered(network) for network in networks)

        with kept(agent, networks):
            with Load(server, networks):
                server.mariadb.stand_still(15, asking)
            all_is_right(server, networks)

    # -- the agent

    def test_an_agent_that_stands_still_is_revived(
        server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]
    ) -> None:
        """Law: an agent that was taken for dead is alive again, has missed nothing and restarts no dnsmasq."""
        gone = a_served_port(server, networks[1]["id"])
        with kept(agent, networks):
            agent.send_signal(signal.SIGSTOP)
            until("it is taken for dead", lambda: not (server.agent("host-1") or {})["alive"], 40)
            new = server.ports(networks[0]["id"], 3)
            server.delete("port", gone["id"])
            assert is_offered(networks[2])
            agent.send_signal(signal.SIGCONT)
            server.wait_alive("host-1")
            for port in new:
                is_answered(port)
            falls_silent(gone)
            all_is_right(server, networks)

    def test_a_killed_agent_is_started_again(
        server: ControlPlane, agent: OurAgent, networks: list[dict[str, Any]]
    ) -> None:
        """Law: what changed while there was no agent is served by the next one, and no dnsmasq is restarted for it."""
        gone = a_served_port(server, networks[1]["id"])
        with kept(agent, networks):
            agent.kill()
            new = server.ports(networks[0]["id"], 3)
            server.delete("port", gone["id"])
            assert is_offered(networks[2])
            agent.start()
            for port in new:
                is_answered(port)
            falls_silent(gone)
            all_is_right(server, networks)

else:

    def test_faults(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        run_with_neutron(__file__, tmp_path, seconds=900)
