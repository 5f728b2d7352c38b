"""The Neutron of these tests is right: the stock agent, unchanged, serves a network, and a client gets its lease."""

from __future__ import annotations

from pathlib import Path

from support import host as hosts
from support.clients.station import Station
from support.clients.udhcpc import Udhcpc
from support.neutron.control_plane import ControlPlane
from support.neutron.run import run_with_neutron
from support.neutron.stock_agent import StockAgent
from support.site import address, bridge

if hosts.inside():

    def test_the_stock_agent_serves_a_network(tmp_path: Path) -> None:
        """Law: the agent is alive, the port becomes ACTIVE, and a real client is leased the port's address."""
        with ControlPlane(tmp_path / "server") as server, StockAgent(tmp_path / "agent", server) as agent:
            network = server.served()
            (port,) = network["ports"]
            with (
                Station("one", bridge(network["id"]), port["mac_address"], tmp_path / "one") as station,
                Udhcpc(station) as client,
            ):
                # Its helpers start one after the other at the first network, and the port does not wait for that.
                got = client.configuration(120)
            assert (got.address, got.router) == (address(port), ("10.0.0.1",))
            assert got.server in server.dhcp_addresses(network["id"])
            assert agent.dnsmasq_pid(network["id"])

else:

    def test_the_stock_agent(tmp_path: Path) -> None:
        """Law: see the test inside."""
        run_with_neutron(__file__, tmp_path, seconds=400)
