"""What the steps share: the parts, the networks and machines so far, and which clients are to be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from demo.clients import Client4, client4
from demo.host import Process, processes
from demo.machines import Machine
from demo.parts import Agent, Metadata, Server
from demo.space import FOLDER
from demo.waiting import NotSo, until

_MACHINES: Final = FOLDER / "machines"


@dataclass(kw_only=True)
class Stage:
    """The stage.

    Attributes:
        own4, own6: whether machines run a client of our own, for want of udhcpc and dhclient.
        networks: by name, as the server told them when they were made.
    """

    own4: bool
    own6: bool
    metadata: Metadata | None
    server: Server
    agent: Agent
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    clients: dict[str, Client4] = field(default_factory=dict)

    # -- making

    def network(self, name: str, **members: Any) -> str:
        """Make a network; its id."""
        self.networks[name] = self.server.create("network", name=name, **members)
        return self.id_of(name)

    def subnet(self, network: str, cidr: str, **members: Any) -> None:
        """Make a subnet of a network of ours."""
        version = 6 if ":" in cidr else 4
        self.server.create("subnet", network_id=self.id_of(network), cidr=cidr, ip_version=version, **members)

    def port(self, network: str, name: str, *addresses: str, **members: Any) -> dict[str, Any]:
        """Make a virtual machine's port, with these addresses."""
        fixed_ips = [{"ip_address": address} for address in addresses]
        of_a_machine = {"device_owner": "compute:demo", "binding:host_id": "a-compute-node", "dns_name": name}
        return self.server.create(
            "port", network_id=self.id_of(network), name=name, fixed_ips=fixed_ips, **{**of_a_machine, **members}
        )

    def machine(self, port: dict[str, Any]) -> Machine:
        """Make the machine of a port, when the agent says that the port is served."""
        self.wait_until_served(port)
        machine = self.machines[port["name"]] = Machine(port["name"], port, _MACHINES)
        return machine

    def start_client(self, name: str) -> Client4:
        """Start the machine's DHCPv4 client."""
        client = self.clients[name] = client4(self.machines[name], own=self.own4)
        return client

    # -- looking

    def id_of(self, network: str) -> str:
        """A network's id."""
        ident: str = self.networks[network]["id"]
        return ident

    def wait_until_served(self, port: dict[str, Any]) -> None:
        """Wait until the server has the port ACTIVE, for which it waits for the agent's word."""
        until(f"port {port['name']} is ACTIVE", lambda: self.server.port(port["id"])["status"] == "ACTIVE")

    def is_alive(self) -> bool:
        """Whether the server has the agent alive."""
        return bool((self.server.agent() or {}).get("alive"))

    def server_address(self, network: str) -> str:
        """The IPv4 address from which the network is served."""
        query = f"ports?network_id={self.id_of(network)}&device_owner=network:dhcp"
        for port in self.server.request("GET", query)["ports"]:
            for fixed in port["fixed_ips"]:
                if ":" not in fixed["ip_address"]:
                    address: str = fixed["ip_address"]
                    return address
        raise NotSo(f"network {network} has no DHCP port with an IPv4 address")

    def dnsmasq(self, network: str) -> Process:
        """The one process that serves a network."""
        found = processes("dnsmasq", self.id_of(network))
        if len(found) != 1:
            raise NotSo(f"{len(found)} dnsmasq processes serve network {network}, should be one")
        return found[0]

    @property
    def client_name(self) -> str:
        """Which DHCPv4 client the machines run."""
        return "our own client" if self.own4 else "udhcpc"


def dnsmasq_log() -> str:
    """Everything that all dnsmasq processes have logged so far."""
    path: Path = Agent.dnsmasq_log
    return path.read_text(errors="replace") if path.exists() else ""
