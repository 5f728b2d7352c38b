"""What if: the state of an agent that serves exactly what it is told, and what it would do about another answer.

Nothing here plans or folds: the two verbs do, over a host and a server that are only imagined.  On the imagined host
every action succeeds.  The imagined server gives no address that was not there before, for nobody can know which one
it would be; so of a claimed port only that it exists is assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from attrs import evolve
from immutables import Map

from dhcpcore.actions import (
    Action,
    ClaimAction,
    ClaimReservedPort,
    CreateDhcpPort,
    FetchNetwork,
    FetchNetworks,
    Plan,
    ReleaseDhcpPort,
    UpdateDhcpPort,
)
from dhcpcore.events import (
    ActionFailed,
    ActionSucceeded,
    DisableForced,
    FetchedNetworks,
    PlanStarted,
    Result,
    ResyncRequested,
)
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.port import DEVICE_OWNER_DHCP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceView
from dhcpcore.plan import plan_sync
from dhcpcore.plan.dhcp_port import choose_dhcp_port, device_id
from dhcpcore.plan.listing import Listing, list_plans
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.state.agent import AgentState, Sync, initial_state, put
from dhcpcore.state.fold import fold_event
from dhcpcore.state.ports import find_port, replace_ports
from dhcpcore.state.records import NetworkRecord

_NOW: Final = 0.0
_NEVER: Final = float("inf")
#: A plan is empty after at most four that are not, reports of ready ports aside; an imagined server may refuse an
#: address in between.
_ROUNDS: Final = 8


def assume_served(
    networks: Iterable[Network], settings: Settings, capabilities: HostCapabilities | None = None
) -> AgentState:
    """The state of an agent that serves exactly these networks, as they are rendered here.

    The host was observed, a full answer is known, nothing is owed, due, touched or under way, and no server asks for
    state reports.  A network that would be served but has no DHCP port of this host is served on a stand-in: a port
    without addresses, whose id and MAC address follow from the network's id.  A DHCP port that lacks a subnet, or has
    one too many, is taken as all that the server will give.
    """
    state = initial_state(settings, capabilities, at=_NOW, observed=True)
    state = evolve(
        state,
        sync=Sync(),
        heartbeat=evolve(state.heartbeat, supported=False, due=_NEVER),
        observation=evolve(state.observation, due=_NEVER),
    )
    answer = tuple(_with_ports(network, _stand_ins(network, state)) for network in networks)
    state = _told(state, answer)
    for _ in range(_ROUNDS + state.most_ready_reports):
        plan = plan_sync(state, _NOW)
        state = carried_out(plan, state)
        if not plan:
            break
    return state


def plan_difference(
    current: Iterable[Network],
    desired: Iterable[Network],
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    capabilities: HostCapabilities | None = None,
) -> Listing:
    """What an agent that serves `current` would do when the server wants `desired`.

    A DHCP port that only one of the two lists tells of is told from the other where that is `current`; where neither
    has one of this host for a network that is served, both are taken to have the same.

    Args:
        only: None for a full sync; else a partial one: networks with these ids, and those that are in `desired` only,
            as Neutron's sync_state does it.  Networks missing in `desired` are then disabled only if they are named.
    """
    before = {network.id: network for network in current}
    after = {network.id: network for network in desired}
    state = assume_served(_completed(before, after, settings, capabilities), settings, capabilities)
    wanted = {network.id: _with_ports(network, _shared_stand_ins(network, state)) for network in after.values()}
    state = _claiming_anew(state, wanted)
    held = None
    if only is None:
        state = _told(state, tuple(wanted.values()))
        if state.brake is not None:
            held = plan_sync(state, _NOW).held
            state = fold_event(DisableForced(at=_NOW), state)
    else:
        for network_id in sorted({*only, *wanted} - (before.keys() - set(only))):
            if network_id in before or network_id in wanted:
                state = _told_of(state, network_id, wanted.get(network_id))
    return list_plans(
        _steps(state),
        known={*before, *after},
        held=held,
        unknown=sorted(set(only or ()) - before.keys() - after.keys()),
    )


def _steps(state: AgentState) -> Iterable[tuple[AgentState, Plan]]:
    for _ in range(_ROUNDS + state.most_ready_reports):
        plan = plan_sync(state, _NOW)
        if plan or plan.unplanned:
            yield state, plan
        if not plan:
            return
        state = carried_out(plan, state)


# -- the imagined server and host


def carried_out(plan: Plan, state: AgentState, *, at: float = _NOW) -> AgentState:
    """`state` after every action of `plan` has succeeded (see the module's docstring for what the server answers)."""
    before = state
    claimed = {action.key for action in plan if isinstance(action, ClaimAction)}
    state = fold_event(PlanStarted(at=at, plan=plan), state)
    for action in plan:
        if isinstance(action, ReleaseDhcpPort) and action.key in claimed:
            # The claim that follows gets the same port again: nothing is lost in between, other ports of ours neither.
            state = fold_event(ActionFailed(at=at, action=action, reason="imagined", fault="skipped"), state)
        else:
            state = fold_event(ActionSucceeded(at=at, action=action, result=_answer(action, before)), state)
    return state


def _answer(action: Action, state: AgentState) -> Result:
    """What comes back; `state` is the one the plan was made of."""
    if isinstance(action, FetchNetwork):
        return state.record(action.network_id).desired
    if not isinstance(action, CreateDhcpPort | UpdateDhcpPort | ClaimReservedPort):
        return None
    network = state.record(action.network_id).desired
    ports = network.ports if network is not None else ()
    if isinstance(action, CreateDhcpPort):
        for port in ports:
            if port.device_id == action.device_id:
                return port
        return _stand_in(action.key, action.device_id)
    known = find_port(network, action.port_id)[1] if network is not None else None
    if known is not None and isinstance(action, ClaimReservedPort):
        return evolve(known, device_id=action.device_id)
    return known


def _told(state: AgentState, networks: tuple[Network, ...]) -> AgentState:
    action = FetchNetworks(sent_seq=state.seq)
    return fold_event(ActionSucceeded(at=_NOW, action=action, result=FetchedNetworks(networks=networks)), state)


def _told_of(state: AgentState, network_id: str, network: Network | None) -> AgentState:
    state = fold_event(ResyncRequested(at=_NOW, network_id=network_id, reason="named"), state)
    action = FetchNetwork(network_id=network_id, sent_seq=state.seq)
    return fold_event(ActionSucceeded(at=_NOW, action=action, result=network), state)


# -- stand-ins


def _stand_in(key: InstanceKey, own_id: str) -> Port:
    unique = uuid5(NAMESPACE_DNS, f"{key.directory}.stand-in.dhcpcore")
    octets = unique.bytes[:5]
    return Port(
        id=str(unique),
        network_id=key.network_id,
        mac_address=":".join(f"{octet:02x}" for octet in (0x02, *octets)),  # locally administered (RFC 7042, 2.1)
        device_id=own_id,
        device_owner=DEVICE_OWNER_DHCP,
        status="ACTIVE",
    )


def _served_views(network: Network) -> list[InstanceView]:
    if not network.admin_state_up:
        return []
    return [view for view in instance_views(network) if serves_dhcp(view)]


def _own_port(
    view: InstanceView, settings: Settings, capabilities: HostCapabilities, plugged: str | None = None
) -> Port | None:
    gateways = capabilities.use_gateway_ips
    return choose_dhcp_port(view, settings, plugged=plugged, accepted={}, use_gateway_ips=gateways).port


def _stand_ins(network: Network, state: AgentState) -> list[Port]:
    return [
        _stand_in(view.key, device_id(state.settings, view.key))
        for view in _served_views(network)
        if _own_port(view, state.settings, state.capabilities) is None
    ]


def _shared_stand_ins(network: Network, state: AgentState) -> list[Port]:
    """Stand-ins on which `network` is served and which it has no port of its own instead of."""
    served = state.record(network.id).served
    return [
        port
        for port in _stand_ins(network, state)
        if any(instance.spec.device.port_id == port.id for instance in served.values())
    ]


def _completed(
    before: Mapping[str, Network],
    after: Mapping[str, Network],
    settings: Settings,
    capabilities: HostCapabilities | None,
) -> Iterable[Network]:
    """`before`, with the DHCP ports that only `after` tells of: what is served has a port, likely that one."""
    host = capabilities or HostCapabilities()
    for network in before.values():
        views = [view for view in _served_views(network) if _own_port(view, settings, host) is None]
        later = {view.key: view for view in _served_views(after[network.id])} if network.id in after else {}
        found = [_own_port(later[view.key], settings, host) for view in views if view.key in later]
        yield _with_ports(network, [port for port in found if port is not None])


def _with_ports(network: Network, ports: Collection[Port]) -> Network:
    """`network` with these ports, each in place of one with the same id (a reserved one that was claimed)."""
    if not ports:
        return network
    ids = {port.id for port in ports}
    return replace_ports(network, (*(port for port in network.ports if port.id not in ids), *ports))


def _claiming_anew(state: AgentState, wanted: Mapping[str, Network]) -> AgentState:
    """`state` that claims again what was taken as refused, wherever `wanted` asks for something else now."""
    for network_id, network in wanted.items():
        record = state.networks.get(network_id)
        if record is None or not record.claim_retry or record.desired is None:
            continue
        then, now = _claimed(record, record.desired, state), _claimed(record, network, state)
        kept = {key: retry for key, retry in record.claim_retry.items() if then.get(key) == now.get(key)}
        state = put(state, evolve(record, claim_retry=Map(kept)), touch=False)
    return state


def _claimed(record: NetworkRecord, network: Network, state: AgentState) -> dict[InstanceKey, object]:
    """What decides about claims: of each instance its port, the port's subnets, and those it must have."""
    claimed: dict[InstanceKey, object] = {}
    for view in _served_views(network):
        served = record.served.get(view.key)
        plugged = served.spec.device.name if served is not None else None
        port = _own_port(view, state.settings, state.capabilities, plugged)
        if port is not None and port.id == _stand_in(view.key, "").id:
            claimed[view.key] = port.id  # it has no address and will not get one
        else:
            needs = frozenset(subnet.id for subnet in view.subnets if subnet.enable_dhcp)
            has = frozenset(ip.subnet_id for ip in port.fixed_ips) if port is not None else None
            claimed[view.key] = (port.id if port is not None else None, has, needs)
    return claimed
