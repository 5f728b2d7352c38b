"""Each of the server's notifications takes effect on the wire: the right answer to a raw DISCOVER, or silence."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import host as hosts
from support.clients.station import Station
from support.clients.wire_latency import answered, fell_silent
from support.clients.wires import Wire
from support.namespace import found
from support.site import AgentProgram, Server, address, bridge, running, until

ROUTER, DNS, HOSTNAME, MTU, CLASSLESS = 3, 6, 12, 26, 121

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site")) as made:
            yield made

    @pytest.fixture
    def network(server: Server, tmp_path: Path) -> Iterator[dict[str, Any]]:
        """A network with one port that is served. A machine is on its bridge, which so stays when the network goes."""
        made = server.served(allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.200"}])
        with Station("stays", bridge(made["id"]), "fa:16:3e:00:00:01", tmp_path / "stays"):
            yield made

    def is_answered(port: dict[str, Any]) -> None:
        """Wait until a port is offered its address."""
        answered(bridge(port["network_id"]), port["mac_address"], address(port), 30.0)

    def falls_silent(port: dict[str, Any]) -> None:
        """Wait until a port is offered nothing more."""
        fell_silent(bridge(port["network_id"]), port["mac_address"], 30.0, quiet=0.3)

    def is_told(port: dict[str, Any], option: int, value: bytes | None) -> None:
        """Wait until a port is offered an option with this value; None for without it."""
        with Wire(bridge(port["network_id"])) as wire:

            def told() -> bool:
                offer = wire.discover(port["mac_address"], seconds=0.2)
                return offer is not None and offer.options.get(option) == value

            until(f"option {option} is {value!r}", told, 30.0)

    def in_namespace(network_id: str) -> str:
        """The addresses and routes of a network's namespace, in the words of ip(8)."""
        words = [found("ip") or "ip", "-n", f"qdhcp-{network_id}"]
        shown = [
            subprocess.run([*words, *what], capture_output=True, text=True, timeout=20).stdout
            for what in (["-4", "addr"], ["-4", "route"], ["link"])
        ]
        return "".join(shown)

    # -- networks

    def test_network_create(server: Server, tmp_path: Path) -> None:
        """Law: a new network's port is answered as soon as it has one."""
        network = server.network(ports=1)
        with Station("new", bridge(network["id"]), "fa:16:3e:00:00:01", tmp_path / "new"):
            is_answered(network["ports"][0])

    def test_network_update_admin_state(server: Server, network: dict[str, Any]) -> None:
        """Law: a network that is administratively down is silent, and its namespace goes; up again it is served."""
        (port,) = network["ports"]
        server.update("network", network["id"], admin_state_up=False)
        falls_silent(port)
        until("its namespace has gone", lambda: not Path(f"/run/netns/qdhcp-{network['id']}").exists())
        server.update("network", network["id"], admin_state_up=True)
        is_answered(port)

    def test_network_update_mtu(server: Server, network: dict[str, Any]) -> None:
        """Law: a network's new MTU is told to clients, and is its device's."""
        server.update("network", network["id"], mtu=1342)
        is_told(network["ports"][0], MTU, (1342).to_bytes(2, "big"))
        assert "mtu 1342" in in_namespace(network["id"])

    def test_network_delete(server: Server, network: dict[str, Any]) -> None:
        """Law: a deleted network is silent, and nothing of it is left."""
        (port,) = network["ports"]
        server.delete("port", port["id"])
        server.delete("network", network["id"])
        falls_silent(port)
        until("its namespace has gone", lambda: not Path(f"/run/netns/qdhcp-{network['id']}").exists())

    # -- subnets

    def test_subnet_create(server: Server, network: dict[str, Any]) -> None:
        """Law: a port of a second subnet is answered with its address, and the first one's as before."""
        subnet = server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
        port = server.port(network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
        assert address(port).startswith("10.1.0.")
        is_answered(port)
        is_answered(network["ports"][0])

    def test_subnet_update(server: Server, network: dict[str, Any]) -> None:
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

    def test_subnet_update_enable_dhcp(server: Server, network: dict[str, Any]) -> None:
        """Law: without DHCP a subnet's ports are not answered."""
        (port,) = network["ports"]
        server.update("subnet", network["subnet"]["id"], enable_dhcp=False)
        falls_silent(port)
        server.update("subnet", network["subnet"]["id"], enable_dhcp=True)
        is_answered(port)

    def test_subnet_delete(server: Server, network: dict[str, Any]) -> None:
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

    def test_port_create_update_delete(server: Server, network: dict[str, Any]) -> None:
        """Law: a port is answered when it comes, as it is changed to, and no more when it goes."""
        port = server.port(network["id"])
        is_answered(port)
        moved = [{"subnet_id": network["subnet"]["id"], "ip_address": "10.0.0.77"}]
        is_answered(server.update("port", port["id"], fixed_ips=moved))
        old, port = port, server.update("port", port["id"], mac_address="fa:16:3e:00:00:77")
        is_answered(port)
        falls_silent(old)
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
        is_told(port, MTU, (1300).to_bytes(2, "big"))
        server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": None}])
        is_told(port, MTU, (1500).to_bytes(2, "big"))
        server.update("port", port["id"], dns_name="renamed")
        is_told(port, HOSTNAME, b"renamed")
        server.delete("port", port["id"])
        falls_silent(port)

    def test_addresses_that_two_ports_exchange(server: Server, network: dict[str, Any]) -> None:
        """Law: two ports that exchange their addresses, by way of a third, are each answered with the new one."""
        one, two = network["ports"][0], server.port(network["id"])
        subnet = network["subnet"]["id"]

        def move(port: dict[str, Any], to: str) -> dict[str, Any]:
            return server.update("port", port["id"], fixed_ips=[{"subnet_id": subnet, "ip_address": to}])

        with Wire(bridge(network["id"])) as wire:
            is_answered(two)
            for port in (one, two):
                assert wire.take_lease(port["mac_address"]).address == address(port)
        move(one, "10.0.0.99")
        now_two = move(two, address(one))
        now_one = move(one, address(two))
        is_answered(now_one)
        is_answered(now_two)

    # -- the agent

    def test_agent_updated(server: Server, network: dict[str, Any]) -> None:
        """Law: an agent that is administratively down serves nothing; up again it serves what it did."""
        (port,) = network["ports"]
        agent = server.agent("host-1")
        assert agent is not None
        server.update("agent", agent["id"], admin_state_up=False)
        falls_silent(port)
        until("no namespace is left", lambda: not list(Path("/run/netns").glob("qdhcp-*")))
        server.update("agent", agent["id"], admin_state_up=True)
        is_answered(port)

else:

    def test_notifications_take_effect(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
