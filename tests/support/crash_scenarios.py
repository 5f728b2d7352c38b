"""What happens to a network while its agent is being killed: each a preparation, and a change.

Knows the server's REST API and a client's wire; knows nothing of agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.clients.wires import Wire
from support.site import Server, bridge


@dataclass
class Run:
    """One network on its way.

    Attributes:
        known: subnets and ports by name.
        asked: names of ports whose DISCOVER is compared; `silent`: those that must not be answered any more.
        held: MAC addresses with a lease.
    """

    server: Server
    network: str = ""
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)

    @property
    def bridge(self) -> str:
        """Where clients ask."""
        return bridge(self.network)

    def subnet(self, name: str, cidr: str, **attributes: Any) -> None:
        """A subnet."""
        made = self.server.create("subnet", network_id=self.network, cidr=cidr, ip_version=4, **attributes)
        self.known[name] = made

    def port(self, name: str, address: str, **attributes: Any) -> None:
        """A port that waits for DHCP."""
        fixed = [{"ip_address": address}]
        self.known[name] = self.server.port(self.network, fixed_ips=fixed, **attributes)
        self.asked.append(name)

    def gone(self, name: str) -> None:
        """Delete a port."""
        self.server.delete("port", self.known[name]["id"])
        self.asked.remove(name)
        self.silent.append(name)
        self.held.discard(self.known[name]["mac_address"])

    def lease(self, name: str) -> None:
        """Let a port's client take its lease."""
        mac = self.known[name]["mac_address"]
        with Wire(self.bridge) as wire:
            wire.take_lease(mac)
        self.held.add(mac)


@dataclass(frozen=True)
class Scenario:
    """Attributes: metadata: with isolated metadata enabled; stopped: the agent is off during the change."""

    name: str
    prepare: Callable[[Run], None]
    change: Callable[[Run], None]
    metadata: bool = False
    stopped: bool = False


def _served(run: Run) -> None:
    run.network = run.server.create("network", name="")["id"]
    run.subnet("SUBNET", "10.0.0.0/24")
    run.port("ONE", "10.0.0.101")
    run.port("TWO", "10.0.0.102")
    run.server.wait_active(run.network)
    run.lease("ONE")


def _nothing(run: Run) -> None:
    pass


def _enable(run: Run) -> None:
    run.network = run.server.create("network", name="")["id"]
    run.subnet("SUBNET", "10.0.0.0/24")
    run.port("ONE", "10.0.0.101")


def _reload(run: Run) -> None:
    run.port("THREE", "10.0.0.103")


def _client_goes(run: Run) -> None:
    run.gone("ONE")


def _restart(run: Run) -> None:
    run.server.update("network", run.network, mtu=1400)


def _with_second(run: Run) -> None:
    """A second subnet that is not served; of the two the first has the lower id, for the agent sorts by ids."""
    run.network = run.server.create("network", name="")["id"]
    while not run.known or run.known["SECOND"]["id"] < run.known["SUBNET"]["id"]:
        for one in run.known.values():
            run.server.delete("subnet", one["id"])
        run.subnet("SUBNET", "10.0.0.0/24", enable_dhcp=False)
        run.subnet("SECOND", "10.1.0.0/24", enable_dhcp=False)
    run.server.update("subnet", run.known["SUBNET"]["id"], enable_dhcp=True)
    run.port("ONE", "10.0.0.101")
    run.server.wait_active(run.network)
    run.lease("ONE")


def _second_subnet(run: Run) -> None:
    run.server.update("subnet", run.known["SECOND"]["id"], enable_dhcp=True)
    run.port("THREE", "10.1.0.103")


def _disable(run: Run) -> None:
    for name in list(run.asked):
        run.gone(name)
    run.silent.clear()
    run.server.delete("network", run.network)


def _unserved(run: Run) -> None:
    """A port that another agent left for whoever comes, on a network that nobody serves."""
    run.network = run.server.create("network", name="")["id"]
    run.subnet("SUBNET", "10.0.0.0/24", enable_dhcp=False)
    owner = {"device_owner": "network:dhcp", "device_id": "reserved_dhcp_port", "binding__host_id": ""}
    run.port("RESERVED", "10.0.0.77", **owner)
    run.asked.clear()
    run.port("ONE", "10.0.0.101")


def _claim(run: Run) -> None:
    run.server.update("subnet", run.known["SUBNET"]["id"], enable_dhcp=True)


def _vlans(run: Run) -> None:
    """A network of two segments, one of them served."""
    numbers = {"network_type": "vlan", "physical_network": "rack", "segmentation_id": 11}
    run.network = run.server.create("network", name="", **{f"provider__{name}": to for name, to in numbers.items()})[
        "id"
    ]
    (run.known["FIRST"],) = run.server.list("segments", f"network_id={run.network}")
    other = {"network_type": "vlan", "physical_network": "rack", "segmentation_id": 12}
    run.known["OTHER"] = run.server.create("segment", network_id=run.network, **other)
    run.subnet("SUBNET", "10.0.0.0/24", segment_id=run.known["FIRST"]["id"])
    run.port("ONE", "10.0.0.101")
    run.server.wait_active(run.network)
    run.lease("ONE")


def _to_other_segment(run: Run) -> None:
    run.subnet("SECOND", "10.1.0.0/24", segment_id=run.known["OTHER"]["id"])
    run.port("THREE", "10.1.0.103")
    run.gone("ONE")
    run.server.delete("subnet", run.known["SUBNET"]["id"])


def _router(run: Run) -> None:
    """A router on the gateway's address: the subnet is not isolated."""
    owner = {"device_owner": "network:router_interface", "device_id": "router-1", "binding__host_id": ""}
    run.port("ROUTER", "10.0.0.1", **owner)
    run.asked.remove("ROUTER")


def _routed(run: Run) -> None:
    run.network = run.server.create("network", name="")["id"]
    run.subnet("SUBNET", "10.0.0.0/24")
    _router(run)
    run.port("ONE", "10.0.0.101")
    run.server.wait_active(run.network)


def _no_router(run: Run) -> None:
    run.server.delete("port", run.known["ROUTER"]["id"])


SCENARIOS = (
    Scenario("enable", _nothing, _enable),
    Scenario("reload", _served, _reload),
    Scenario("a client goes", _served, _client_goes),
    Scenario("restart, MTU", _served, _restart),
    Scenario("restart, second subnet", _with_second, _second_subnet),
    Scenario("disable", _served, _disable),
    Scenario("port claim", _unserved, _claim),
    Scenario("segment change", _vlans, _to_other_segment),
    Scenario("start over a change", _served, _reload, stopped=True),
    Scenario("metadata on", _routed, _no_router, metadata=True),
    Scenario("metadata off", _served, _router, metadata=True),
    Scenario("disable, with metadata", _served, _disable, metadata=True),
)
