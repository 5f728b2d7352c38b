"""What Neutron's server tells the agent takes effect on the wire; what changes is changed by its REST API."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients.station import Station
from support.namespace import found
from support.neutron.control_plane import ControlPlane
from support.neutron.our_agent import OurAgent
from support.neutron.run import run_with_neutron
from support.neutron.wire import falls_silent, is_answered, is_told
from support.site import address, bridge, until

ROUTER, DNS, HOSTNAME, MTU, CLASSLESS = 3, 6, 12, 26, 121

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, OurAgent]]:
        folder = tmp_path_factory.mktemp("site")
        with ControlPlane(folder / "server") as server, OurAgent(folder / "agent", server) as agent:
            yield server, agent

    @pytest.fixture(scope="module")
    def server(site: tuple[ControlPlane, OurAgent]) -> ControlPlane:
        return site[0]

    @pytest.fixture
    def network(server: ControlPlane, tmp_path: Path) -> Iterator[dict[str, Any]]:
        """A network with one port that is served. A machine is on its bridge, which so stays when the network goes."""
        made = server.served(allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.200"}])
        with Station("stays", bridge(made["id"]), "fa:16:3e:00:00:01", tmp_path / "stays"):
            yield made

    def in_namespace(network_id: str) -> str:
        """The addresses and routes of a network's namespace, in the words of ip(8)."""
        words = [found("ip") or "ip", "-n", f"qdhcp-{network_id}"]
        shown = [
            subprocess.run([*words, *what], capture_output=True, text=True, timeout=20).stdout
            for what in (["-4", "addr"], ["-4", "route"], ["link"])
        ]
        return "".join(shown)

    def has_namespace(network_id: str) -> bool:
        return Path(f"/run/netns/qdhcp-{network_id}").exists()

    # -- the agent

    def test_the_agents_list(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: the agent is alive there, and says how many networks, subnets and ports it has."""
        server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4, enable_dhcp=False)
        for _ in range(3):
            server.port(network["id"])
        ids = {each["id"] for each in server.hosted("host-1")}
        assert network["id"] in ids
        expected = {
            "networks": len(ids),
            "subnets": sum(1 for each in server.list("subnets") if each["network_id"] in ids),
            "ports": sum(1 for each in server.list("ports") if each["network_id"] in ids),
        }

        def told() -> bool:
            agent = server.agent("host-1")
            assert agent is not None
            assert agent["alive"]
            assert (agent["agent_type"], agent["topic"]) == ("DHCP agent", "dhcp_agent")
            return {name: agent["configurations"][name] for name in expected} == expected

        until(f"it says {expected}", told, told=lambda: str(server.agent("host-1")))

    def test_agent_updated(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: an agent that is administratively down serves nothing; up again it serves what it did."""
        (port,) = network["ports"]
        agent = server.agent("host-1")
        assert agent is not None
        server.update("agent", agent["id"], admin_state_up=False)
        falls_silent(port)
        until("no namespace is left", lambda: not list(Path("/run/netns").glob("qdhcp-*")))
        server.update("agent", agent["id"], admin_state_up=True)
        is_answered(port)

    def test_a_network_is_taken_and_given_back(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a network that is taken from the agent is silent, its DHCP port reserved; given back it uses that."""
        (port,) = network["ports"]
        (before,) = server.dhcp_ports(network["id"])
        server.unschedule("host-1", network["id"])
        falls_silent(port)
        until("its namespace has gone", lambda: not has_namespace(network["id"]))
        (reserved,) = server.dhcp_ports(network["id"])
        assert (reserved["id"], reserved["device_id"]) == (before["id"], "reserved_dhcp_port")
        server.schedule("host-1", network["id"])
        is_answered(port)
        (after,) = server.dhcp_ports(network["id"])
        assert (after["id"], after["device_id"], address(after)) == (before["id"], before["device_id"], address(before))
        assert address(after) in in_namespace(network["id"])

    # -- networks

    def test_network_create(server: ControlPlane, tmp_path: Path) -> None:
        """Law: a new network's port is answered and becomes ACTIVE."""
        network = server.network(ports=1)
        with Station("new", bridge(network["id"]), "fa:16:3e:00:00:01", tmp_path / "new"):
            is_answered(network["ports"][0])
        server.wait_active(network["id"])

    def test_network_update_admin_state(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a network that is administratively down is silent, and its namespace goes; up again it is served."""
        (port,) = network["ports"]
        server.update("network", network["id"], admin_state_up=False)
        falls_silent(port)
        until("its namespace has gone", lambda: not has_namespace(network["id"]))
        server.update("network", network["id"], admin_state_up=True)
        is_answered(port)

    def test_network_update_mtu(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a network's new MTU is told to clients, and is its device's."""
        server.update("network", network["id"], mtu=1342)
        is_told(network["ports"][0], MTU, (1342).to_bytes(2, "big"))
        assert "mtu 1342" in in_namespace(network["id"])

    def test_network_delete(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a deleted network is silent, and nothing of it is left."""
        (port,) = network["ports"]
        server.delete("port", port["id"])
        server.delete("network", network["id"])
        falls_silent(port)
        until("its namespace has gone", lambda: not has_namespace(network["id"]))

    # -- subnets

    def test_subnet_create(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a port of a second subnet is answered with its address, and the first one's as before."""
        subnet = server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
        port = server.port(network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
        assert address(port).startswith("10.1.0.")
        is_answered(port)
        is_answered(network["ports"][0])

    def test_subnet_update(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: DNS servers, routes and gateway are told anew, and the namespace's own route follows the gateway."""
        (port,) = network["ports"]
        subnet = network["subnet"]["id"]
        server.update("subnet", subnet, dns_nameservers=["10.0.0.53"])
        is_told(port, DNS, socket.inet_aton("10.0.0.53"))
        server.update("subnet", subnet, gateway_ip="10.0.0.254")
        is_told(port, ROUTER, socket.inet_aton("10.0.0.254"))
        until("the route follows", lambda: "default via 10.0.0.254" in in_namespace(network["id"]))
        server.update("subnet", subnet, host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}])
        way, gateway = b"\x10\x0a\x09" + socket.inet_aton("10.0.0.9"), b"\0" + socket.inet_aton("10.0.0.254")
        is_told(port, CLASSLESS, way + gateway)
        server.update("subnet", subnet, host_routes=[], gateway_ip=None)
        is_told(port, ROUTER, None)

    def test_subnet_update_enable_dhcp(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: without DHCP a subnet's ports are not answered."""
        (port,) = network["ports"]
        server.update("subnet", network["subnet"]["id"], enable_dhcp=False)
        falls_silent(port)
        server.update("subnet", network["subnet"]["id"], enable_dhcp=True)
        is_answered(port)

    def test_subnet_delete(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a deleted subnet's address goes from the namespace, and its ports are answered no more."""
        subnet = server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
        port = server.port(network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
        is_answered(port)
        assert "10.1.0." in in_namespace(network["id"])
        server.delete("port", port["id"])
        server.delete("subnet", subnet["id"])
        falls_silent(port)
        until("its address has gone", lambda: "10.1.0." not in in_namespace(network["id"]))
        is_answered(network["ports"][0])

    # -- ports

    def test_port_create_update_delete(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: a port is answered when it comes, as it is changed to, and no more when it goes."""
        # Not bound: Neutron changes no bound port's MAC address.
        port = server.port(network["id"], binding__host_id="")
        is_answered(port)
        moved = [{"subnet_id": network["subnet"]["id"], "ip_address": "10.0.0.77"}]
        is_answered(server.update("port", port["id"], fixed_ips=moved))
        old, port = port, server.update("port", port["id"], mac_address="fa:16:3e:00:00:77")
        is_answered(port)
        falls_silent(old)
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
        is_told(port, MTU, (1300).to_bytes(2, "big"))
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": None}])
        is_told(port, MTU, server.show("network", network["id"])["mtu"].to_bytes(2, "big"))
        server.update("port", port["id"], dns_name="renamed")
        is_told(port, HOSTNAME, b"renamed")
        server.delete("port", port["id"])
        falls_silent(port)

    def test_many_ports_at_once(server: ControlPlane, network: dict[str, Any]) -> None:
        """Law: thirty ports, ten of each request, are all answered, and all become ACTIVE."""
        # A request is to be answered in 30 s, and a busy machine takes one for each port.
        ports = [port for _ in range(3) for port in server.ports(network["id"], 10)]
        for port in ports:
            server.plug(port)
        for port in ports:
            is_answered(port)
        server.wait_active(network["id"])

else:

    def test_notifications_take_effect(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        run_with_neutron(__file__, tmp_path, seconds=600)
