"""The laws of `dhcpcore.contracts.ServerRpc`.

A transport is held against them with a server behind it: usually a `MemoryServer`, which the transport's far end calls
(`MemoryServerWorld`), or a server of one's own.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dhcpcore.contracts import ServerRpc
from dhcpcore.testing.conformance.suite import (
    Unsupported,
    adapter_error,
    ensure,
    ensure_equal,
    no_error,
)
from dhcpcore.testing.identity import dhcp_device_id
from dhcpcore.testing.wireform import copied

_TEXTS: Final = (
    "plain",
    "café \U0001f480",
    'quote " and \\ backslash',
    "line\nbreak\r\t\x00\x1f",
    "\u2028\x85",
    "x" * 70_000,
)


class ServerRpcWorld(ABC):
    """A connection of one agent to a server, and the server's other side.

    Attributes:
        rpc: the adapter.
        host: the host in whose name it calls; the server does not know its agent yet.
    """

    rpc: ServerRpc
    host: str

    @abstractmethod
    def create_network(self, cidr: str = "10.77.0.0/24", *, hosted: bool = True) -> tuple[str, str]:
        """A network with one subnet that has DHCP, served by this agent if `hosted`; returns the ids of both."""

    @abstractmethod
    def create_subnet(self, network_id: str, cidr: str, *, enable_dhcp: bool = True) -> str:
        """Another subnet; returns its id."""

    @abstractmethod
    def create_port(self, network_id: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """A port, with attributes in wire form; returns it."""

    @abstractmethod
    def ports(self, network_id: str) -> Sequence[Mapping[str, Any]]:
        """The network's ports, as the server has them."""

    @abstractmethod
    def delete_network(self, network_id: str) -> None:
        """Delete a network that only agents' ports use."""

    def calls(self) -> Sequence[tuple[str, tuple[Any, ...]]]:
        """Method and arguments of the calls that reached the server, oldest first."""
        raise Unsupported("this server does not tell of calls")

    def agent_state(self) -> Mapping[str, Any]:
        """The last ``agent_state`` that the server took from this agent."""
        raise Unsupported("this server does not tell of agents")

    def set_admin_state(self, *, up: bool) -> None:
        """Enable or disable this agent."""
        raise Unsupported("this server cannot disable an agent")

    def forget_heartbeats(self) -> None:
        """Let more time pass than the server waits for a heartbeat."""
        raise Unsupported("this server has no clock of ours")

    def lose_request(self, method: str) -> None:
        """The next call of `method` never reaches the server, and times out."""
        raise Unsupported("this world cannot lose requests")

    def lose_answer(self, method: str) -> None:
        """The next call of `method` is carried out, but its answer never arrives, and times out."""
        raise Unsupported("this world cannot lose answers")

    def fail_inside(self, method: str) -> None:
        """The next call of `method` meets an error inside the server."""
        raise Unsupported("this world cannot fail inside the server")


def _dhcp_port(world: ServerRpcWorld, network_id: str, subnet_ids: Sequence[str]) -> dict[str, Any]:
    body = {
        "name": "",
        "admin_state_up": True,
        "device_id": dhcp_device_id(world.host, network_id),
        "network_id": network_id,
        "project_id": "9b1f0a2c3d4e5f60718293a4b5c6d7e8",
        "fixed_ips": [{"subnet_id": each} for each in subnet_ids],
    }
    return {"port": body}


def _report(world: ServerRpcWorld, **configurations: object) -> dict[str, Any]:
    return {
        "binary": "neutron-dhcp-agent",
        "host": world.host,
        "availability_zone": "nova",
        "topic": "dhcp_agent",
        "configurations": configurations,
        "agent_type": "DHCP agent",
    }


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


class ServerRpcConformance:
    """Held against a `ServerRpcWorld`."""

    def test_fulfils_the_contract(self, world: ServerRpcWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.rpc, ServerRpc), "the adapter is a ServerRpc", type=type(world.rpc))

    def test_lists_what_this_agent_serves(self, world: ServerRpcWorld) -> None:
        """get_active_networks_info answers the networks of this agent, each once, no other's."""
        world.rpc.report_state(_report(world))
        mine = {world.create_network()[0], world.create_network("10.78.0.0/24")[0]}
        world.create_network("10.79.0.0/24", hosted=False)
        got = [network["id"] for network in world.rpc.get_active_networks_info()]
        ensure_equal(sorted(got), sorted(mine), "networks of this agent")

    def test_all_subnets_in_both_answers(self, world: ServerRpcWorld) -> None:
        """Subnets without DHCP are in the full and in the single answer; both say the same (Launchpad 1652654)."""
        world.rpc.report_state(_report(world))
        network_id, subnet_id = world.create_network()
        disabled = world.create_subnet(network_id, "10.78.0.0/24", enable_dhcp=False)
        world.create_port(network_id, {"device_owner": "compute:nova", "binding:host_id": "compute-1"})
        (listed,) = world.rpc.get_active_networks_info()
        single = world.rpc.get_network_info(network_id)
        if single is None:
            ensure(False, "get_network_info() answers the network")
            return
        ensure_equal(
            sorted(subnet["id"] for subnet in single["subnets"]), sorted([subnet_id, disabled]), "all subnets are there"
        )
        ensure_equal(copied(dict(single)), copied(dict(listed)), "both answers say the same")

    def test_unknown_network_is_none(self, world: ServerRpcWorld) -> None:
        """A network that is not there, or not any more, is None."""
        ensure_equal(world.rpc.get_network_info("no-such-network"), None, "get_network_info() of an unknown network")
        network_id, _ = world.create_network()
        ensure(world.rpc.get_network_info(network_id) is not None, "get_network_info() of a network that is there")
        world.delete_network(network_id)
        ensure_equal(world.rpc.get_network_info(network_id), None, "get_network_info() of a deleted network")

    def test_answers_are_plain_data(self, world: ServerRpcWorld) -> None:
        """Answers are dicts, lists and scalars; changing one changes no other."""
        network_id, _ = world.create_network()
        world.create_port(network_id, {"device_owner": "compute:nova"})
        first = world.rpc.get_network_info(network_id)
        ensure(first is not None and _is_plain(first), "an answer is plain data", got=type(first))
        before = copied(first)
        assert first is not None
        first["ports"].clear()
        if isinstance(first, dict):
            first["id"] = "changed"
        ensure_equal(copied(world.rpc.get_network_info(network_id)), before, "the next answer is not changed by it")

    def test_texts_arrive_unchanged(self, world: ServerRpcWorld) -> None:
        """Every text comes through as it is, control characters, long ones and all."""
        network_id, _ = world.create_network()
        options = [{"opt_name": str(200 + n), "opt_value": text, "ip_version": 4} for n, text in enumerate(_TEXTS)]
        world.create_port(network_id, {"device_owner": "compute:nova", "extra_dhcp_opts": options})
        network = world.rpc.get_network_info(network_id)
        assert network is not None
        got = [option["opt_value"] for option in network["ports"][0]["extra_dhcp_opts"]]
        ensure_equal(got, list(_TEXTS), "texts in the answer")

    def test_large_answers(self, world: ServerRpcWorld) -> None:
        """An answer of many ports comes whole."""
        network_id, _ = world.create_network("10.64.0.0/16")
        ids = {world.create_port(network_id, {"device_owner": "compute:nova"})["id"] for _ in range(1000)}
        network = world.rpc.get_network_info(network_id)
        assert network is not None
        ensure_equal({port["id"] for port in network["ports"]}, ids, "all ports are there")

    def test_creates_a_dhcp_port(self, world: ServerRpcWorld) -> None:
        """create_dhcp_port makes one port: our device_id, owner network:dhcp, bound here, an address per subnet."""
        network_id, subnet_id = world.create_network()
        second = world.create_subnet(network_id, "10.78.0.0/24")
        request = _dhcp_port(world, network_id, [subnet_id, second])
        before = copied(request)
        port = world.rpc.create_dhcp_port(request)
        if port is None:
            ensure(False, "create_dhcp_port() answers the port")
            return
        ensure_equal(request, before, "the request is not changed")
        ensure_equal(port["device_id"], dhcp_device_id(world.host, network_id), "its device_id")
        ensure_equal(port["device_owner"], "network:dhcp", "its device_owner")
        ensure_equal(port["binding:host_id"], world.host, "the host it is bound to")
        on = sorted(fixed_ip["subnet_id"] for fixed_ip in port["fixed_ips"])
        ensure_equal(on, sorted([subnet_id, second]), "the subnets it has addresses on")
        ensure_equal([each["id"] for each in world.ports(network_id)], [port["id"]], "ports on the server")

    def test_none_when_network_or_subnet_is_gone(self, world: ServerRpcWorld) -> None:
        """create_dhcp_port answers None where network or subnet has vanished, and makes nothing."""
        network_id, subnet_id = world.create_network()
        gone = world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id, "no-such-subnet"]))
        ensure_equal(gone, None, "create_dhcp_port() with a subnet that vanished")
        ensure_equal(list(world.ports(network_id)), [], "no port was made")
        gone = world.rpc.create_dhcp_port(_dhcp_port(world, "no-such-network", []))
        ensure_equal(gone, None, "create_dhcp_port() on a network that vanished")

    def test_no_address_left(self, world: ServerRpcWorld) -> None:
        """When no address is left: AdapterError whose text starts with IpAddressGenerationFailure, and no port."""
        network_id, subnet_id = world.create_network("10.77.0.0/30")
        world.create_port(network_id, {"device_owner": "compute:nova"})
        with adapter_error("create_dhcp_port() without an address left") as caught:
            world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id]))
        ensure(str(caught[0]).startswith("IpAddressGenerationFailure"), "the text starts with the name", got=caught[0])
        ensure_equal(len(world.ports(network_id)), 1, "no port was made")

    def test_updates_a_dhcp_port(self, world: ServerRpcWorld) -> None:
        """update_dhcp_port gives our port other subnets, and makes a reserved port ours."""
        network_id, subnet_id = world.create_network()
        port = world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id]))
        assert port is not None
        second = world.create_subnet(network_id, "10.78.0.0/24")
        wanted = [*port["fixed_ips"], {"subnet_id": second}]
        updated = world.rpc.update_dhcp_port(port["id"], {"port": {"network_id": network_id, "fixed_ips": wanted}})
        if updated is None:
            ensure(False, "update_dhcp_port() answers our port")
            return
        ensure_equal(updated["fixed_ips"][0], port["fixed_ips"][0], "an address that it had is kept")
        on = sorted(fixed_ip["subnet_id"] for fixed_ip in updated["fixed_ips"])
        ensure_equal(on, sorted([subnet_id, second]), "the subnets it has addresses on")
        reserved = world.create_port(network_id, {"device_owner": "network:dhcp", "device_id": "reserved_dhcp_port"})
        own = {"network_id": network_id, "device_id": dhcp_device_id(world.host, network_id)}
        claimed = world.rpc.update_dhcp_port(reserved["id"], {"port": own})
        ensure(
            claimed is not None and claimed["device_id"] == own["device_id"],
            "a reserved port becomes ours",
            got=claimed,
        )

    def test_anothers_port_is_none(self, world: ServerRpcWorld) -> None:
        """update_dhcp_port answers None for a port that is another's, or gone; it stays as it is."""
        network_id, subnet_id = world.create_network()
        other = world.create_port(
            network_id, {"device_owner": "network:dhcp", "device_id": dhcp_device_id("elsewhere", network_id)}
        )
        wish = {"port": {"network_id": network_id, "fixed_ips": [{"subnet_id": subnet_id}]}}
        ensure_equal(world.rpc.update_dhcp_port(other["id"], wish), None, "update_dhcp_port() of another's port")
        gone = world.rpc.update_dhcp_port("no-such-port", wish)
        ensure_equal(gone, None, "update_dhcp_port() of a port that is gone")
        (now,) = world.ports(network_id)
        ensure_equal(now["device_id"], other["device_id"], "the port is still the other agent's")

    def test_not_hosted_any_more(self, world: ServerRpcWorld) -> None:
        """Where this agent does not serve the network: AdapterError whose text starts with NetworkNotFound."""
        network_id, subnet_id = world.create_network(hosted=False)
        port = world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id]))
        assert port is not None
        with adapter_error("update_dhcp_port() on a network of others") as caught:
            world.rpc.update_dhcp_port(port["id"], {"port": {"network_id": network_id, "fixed_ips": port["fixed_ips"]}})
        ensure(str(caught[0]).startswith("NetworkNotFound"), "the text starts with the name", got=caught[0])

    def test_releases_by_device_id(self, world: ServerRpcWorld) -> None:
        """release_dhcp_port deletes every port with that device_id and no other; twice is fine."""
        network_id, subnet_id = world.create_network()
        for _ in range(2):
            world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id]))
        kept = world.create_port(network_id, {"device_owner": "compute:nova"})
        with no_error("release_dhcp_port(), also of what is gone"):
            for _ in range(2):
                world.rpc.release_dhcp_port(network_id, dhcp_device_id(world.host, network_id))
                ensure_equal([port["id"] for port in world.ports(network_id)], [kept["id"]], "ports that are left")

    def test_ready_ports_turn_active(self, world: ServerRpcWorld) -> None:
        """dhcp_ready_on_ports turns bound ports ACTIVE; unknown ids are fine."""
        network_id, _ = world.create_network()
        wait = [
            world.create_port(network_id, {"device_owner": "compute:nova", "binding:host_id": "compute-1"})["id"]
            for _ in range(3)
        ]
        ensure_equal({port["status"] for port in world.ports(network_id)}, {"DOWN"}, "ports wait for DHCP")
        with no_error("dhcp_ready_on_ports() with an unknown id"):
            world.rpc.dhcp_ready_on_ports([*wait[:2], "no-such-port"])
        active = {port["id"] for port in world.ports(network_id) if port["status"] == "ACTIVE"}
        ensure_equal(active, set(wait[:2]), "the ports reported are ACTIVE, the other is not")

    def test_heartbeats(self, world: ServerRpcWorld) -> None:
        """report_state answers ``new`` to an unknown agent, then ``alive``; the state arrives as it was sent."""
        ensure_equal(world.rpc.report_state(_report(world, networks=0)), "new", "the first report")
        ensure_equal(world.rpc.report_state(_report(world, networks=3)), "alive", "the second report")
        ensure_equal(world.agent_state()["configurations"], {"networks": 3}, "the state that arrived")

    def test_revived(self, world: ServerRpcWorld) -> None:
        """report_state answers ``revived`` to an agent that the server thought dead."""
        world.rpc.report_state(_report(world))
        world.forget_heartbeats()
        ensure_equal(world.rpc.report_state(_report(world)), "revived", "a report after a long silence")

    def test_disabled_agent_serves_nothing(self, world: ServerRpcWorld) -> None:
        """An agent that is unknown or administratively down gets an empty list, not an error."""
        world.create_network()
        ensure_equal(list(world.rpc.get_active_networks_info()), [], "answer to an unknown agent")
        world.rpc.report_state(_report(world))
        world.set_admin_state(up=False)
        ensure_equal(list(world.rpc.get_active_networks_info()), [], "answer to a disabled agent")

    def test_a_lost_request(self, world: ServerRpcWorld) -> None:
        """A call that times out is a retryable AdapterError; the connection is good for the next call."""
        network_id, _ = world.create_network()
        world.lose_request("get_network_info")
        with adapter_error("a call that times out") as caught:
            world.rpc.get_network_info(network_id)
        ensure(caught[0].retryable, "a timeout is retryable", got=caught[0])
        with no_error("the next call"):
            ensure(world.rpc.get_network_info(network_id) is not None, "the next call is answered")

    def test_a_lost_answer(self, world: ServerRpcWorld) -> None:
        """A claim whose answer is lost is a retryable AdapterError, and is not sent a second time by the adapter."""
        network_id, subnet_id = world.create_network()
        world.lose_answer("create_dhcp_port")
        with adapter_error("a claim whose answer is lost") as caught:
            world.rpc.create_dhcp_port(_dhcp_port(world, network_id, [subnet_id]))
        ensure(caught[0].retryable, "a timeout is retryable", got=caught[0])
        ensure_equal(len(world.ports(network_id)), 1, "one port was made: no call is sent twice")

    def test_an_error_inside_the_server(self, world: ServerRpcWorld) -> None:
        """What goes wrong inside the server is an AdapterError; the next call works."""
        network_id, _ = world.create_network()
        world.fail_inside("get_network_info")
        with adapter_error("an error inside the server"):
            world.rpc.get_network_info(network_id)
        with no_error("the next call"):
            ensure(world.rpc.get_network_info(network_id) is not None, "the next call is answered")

    def test_one_call_is_one_call(self, world: ServerRpcWorld) -> None:
        """Every call reaches the server once, with the arguments it was made with, and no other call with it."""
        network_id, subnet_id = world.create_network()
        request = _dhcp_port(world, network_id, [subnet_id])
        world.rpc.get_network_info(network_id)
        world.rpc.create_dhcp_port(request)
        world.rpc.dhcp_ready_on_ports(["a", "b"])
        world.rpc.release_dhcp_port(network_id, "no-such-device")
        expected = [
            ("get_network_info", (network_id,)),
            ("create_dhcp_port", (request,)),
            ("dhcp_ready_on_ports", (["a", "b"],)),
            ("release_dhcp_port", (network_id, "no-such-device")),
        ]
        got = [(method, tuple(copied(each) for each in arguments)) for method, arguments in world.calls()]
        ensure_equal(got, expected, "the calls that reached the server")
