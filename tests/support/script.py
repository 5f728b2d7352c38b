"""A hand-driven agent: tells events to the state, takes its plans, and answers its actions as a test wishes.

For tests of the core that want every step in their own hands; the simulated world is in `dhcpcore.testing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network, Subnet
from dhcpcore.model.port import DEVICE_OWNER_DHCP, FixedIP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.observed import ObservedHost
from dhcpcore.plan import plan_sync
from dhcpcore.state import AgentState, NetworkRecord, fold_event, initial_state

HOST = "host-1"
Answer = Callable[[actions.Action], events.Result]


def subnet(network_id: str = "net", number: int = 0, **changes: Any) -> Subnet:
    """An IPv4 subnet 10.<number>.0.0/16 with id ``<network id>-s<number>``."""
    values: dict[str, Any] = {
        "id": f"{network_id}-s{number}",
        "network_id": network_id,
        "cidr": f"10.{number}.0.0/16",
        "ip_version": 4,
        "gateway_ip": f"10.{number}.0.1",
    }
    return Subnet(**(values | changes))


def port(number: int, network_id: str = "net", **changes: Any) -> Port:
    """An instance's port with an address on subnet 0, bound and ACTIVE."""
    values: dict[str, Any] = {
        "id": f"{network_id}-p{number}",
        "network_id": network_id,
        "mac_address": f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
        "fixed_ips": (FixedIP(subnet_id=f"{network_id}-s0", ip_address=f"10.0.{number >> 8}.{number & 255}"),),
        "device_owner": "compute:nova",
        "binding_host_id": "host-9",
        "binding_vif_type": "ovs",
        "status": "ACTIVE",
        "revision_number": 1,
    }
    return Port(**(values | changes))


def dhcp_port(settings: Settings, network_id: str = "net", segmentation: str | None = None, **changes: Any) -> Port:
    """This host's DHCP port, 10.0.255.2."""
    values: dict[str, Any] = {
        "id": f"{network_id}-dhcp",
        "network_id": network_id,
        "mac_address": "fa:16:3e:ff:ff:02",
        "fixed_ips": (FixedIP(subnet_id=f"{network_id}-s0", ip_address="10.0.255.2"),),
        "device_owner": DEVICE_OWNER_DHCP,
        "device_id": settings.dhcp_device_id(network_id, segmentation),
        "binding_host_id": settings.host,
        "binding_vif_type": "ovs",
        "status": "ACTIVE",
        "revision_number": 1,
    }
    return Port(**(values | changes))


def network(network_id: str = "net", *, ports: tuple[Port, ...] = (), **changes: Any) -> Network:
    """A network with one IPv4 subnet."""
    values: dict[str, Any] = {"id": network_id, "subnets": (subnet(network_id),), "ports": ports, "mtu": 1450}
    return Network(**(values | changes))


class Script:
    """One agent in a test's hands; `now` moves only when told."""

    def __init__(self, *networks: Network, capabilities: HostCapabilities | None = None, **options: Any) -> None:
        self.settings = Settings(host=HOST, **options)
        self.now = 0.0
        self.server: dict[str, Network] = {n.id: n for n in networks}
        self.heartbeat_answer: str | None = "alive"
        self.observed = ObservedHost()
        self.history: list[actions.Action] = []
        self.answers: dict[type[actions.Action], Answer] = {}
        self.state: AgentState = initial_state(self.settings, capabilities)

    def own_port(self, network_id: str = "net", **changes: Any) -> Port:
        """Our DHCP port of a network."""
        return dhcp_port(self.settings, network_id, **changes)

    def tell(self, *many: events.Event) -> None:
        """Fold events, each at the present time."""
        for event in many:
            self.state = fold_event(evolve(event, at=self.now), self.state)

    def plan(self) -> actions.Plan:
        """What would be done now."""
        return plan_sync(self.state, self.now)

    def start(self) -> actions.Plan:
        """Take a plan and say that it was started; nothing of it is answered yet."""
        plan = self.plan()
        self.history.extend(plan.actions)
        self.tell(events.PlanStarted(plan=plan))
        return plan

    def succeed(self, *done: actions.Action) -> None:
        """Answer actions as the server and the host of this script would."""
        for action in done:
            self.tell(events.ActionSucceeded(action=action, result=self.result(action)))

    def fail(self, action: actions.Action, **details: Any) -> None:
        """Answer one action with a failure."""
        self.tell(events.ActionFailed(action=action, **({"reason": "it broke"} | details)))

    def settle(self, rounds: int = 20) -> list[actions.Plan]:
        """Plan and carry out until nothing is left to do; the plans that were not empty."""
        plans: list[actions.Plan] = []
        for _ in range(rounds):
            plan = self.start()
            if not plan:
                return plans
            plans.append(plan)
            self.succeed(*plan.actions)
        raise AssertionError(
            f"no end after {rounds} plans: {[a.kind for a in plans[-1]]}, {plans[-1].actions[0].reasons}"
        )

    def result(self, action: actions.Action) -> events.Result:
        """The answer to one action."""
        for kind, answer in self.answers.items():
            if isinstance(action, kind):
                return answer(action)
        match action:
            case actions.ReportState():
                return self.heartbeat_answer
            case actions.ObserveHost():
                return self.observed
            case actions.FetchNetworks():
                return events.FetchedNetworks(networks=tuple(self.server.values()))
            case actions.FetchNetwork():
                return self.server.get(action.network_id)
            case actions.ReleaseDhcpPort():
                self._release(action.key.network_id, action.device_id)
            case actions.CreateDhcpPort():
                ips = tuple(self._address(action.network_id, subnet_id) for subnet_id in action.subnet_ids)
                new = self.own_port(action.network_id, device_id=action.device_id, fixed_ips=ips, status="DOWN")
                if action.key.segmentation is not None:
                    new = evolve(new, id=str(uuid5(NAMESPACE_DNS, action.device_id)))
                return self._stored(new)
            case actions.ClaimReservedPort():
                known = next(p for p in self.server[action.network_id].ports if p.id == action.port_id)
                return self._stored(evolve(known, device_id=action.device_id, binding_host_id=HOST))
            case actions.UpdateDhcpPort():
                known = next(p for p in self.server[action.network_id].ports if p.id == action.port_id)
                ips = tuple(self._address(action.network_id, subnet_id) for subnet_id in action.new_subnet_ids)
                return self._stored(evolve(known, fixed_ips=(*action.fixed_ips, *ips)))
            case actions.EnableInstance() | actions.RestartInstance():
                return events.InstanceStarted(pid=100 + len(self.history))
            case actions.StartProxy():
                return events.ProxyStarted(pid=200 + len(self.history))
        return None

    def _address(self, network_id: str, subnet_id: str) -> FixedIP:
        """The last address but one of a subnet's range."""
        (found,) = (s for s in self.server[network_id].subnets if s.id == subnet_id)
        last = found.range.num_addresses - 1
        return FixedIP(subnet_id=subnet_id, ip_address=str(found.range[max(0, last - 1)]))

    def _release(self, network_id: str, device_id: str | None) -> None:
        if network_id in self.server:
            known = self.server[network_id]
            self.server[network_id] = evolve(known, ports=tuple(p for p in known.ports if p.device_id != device_id))

    def _stored(self, changed: Port) -> Port:
        known = self.server[changed.network_id]
        others = tuple(p for p in known.ports if p.id != changed.id)
        self.server[changed.network_id] = evolve(known, ports=(*others, changed))
        return changed

    def change(self, network_id: str = "net", **changes: Any) -> None:
        """Change the server's network without telling the agent."""
        self.server[network_id] = evolve(self.server[network_id], **changes)

    def record(self, network_id: str = "net") -> NetworkRecord:
        """What the state remembers of a network."""
        return self.state.record(network_id)

    def kinds(self) -> list[str]:
        """The kinds of all actions so far, and forget them."""
        kinds = [action.kind for action in self.history]
        self.history.clear()
        return kinds


def serving(*networks: Network, **options: Any) -> Script:
    """A script that has served `networks` (one default network without ports, if none is given) and forgot its past."""
    script = Script(**options)
    for each in networks or (network(),):
        own = script.own_port(each.id)
        script.server[each.id] = (
            each if any(p.id == own.id for p in each.ports) else evolve(each, ports=(*each.ports, own))
        )
    script.settle()
    script.kinds()
    return script
