"""What will be done from a state on, if everything succeeds: for who looks before acting, and for who acts in part.

Knows plans and the imagined server and host of `dhcpcore.plan.assume`; asks nobody, so the state must know already what
the server wants and what the host runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import evolve

from dhcpcore.actions import Action, FetchNetworks, NotifyReady, ObserveHost, Plan, ReportState
from dhcpcore.plan import plan_sync
from dhcpcore.plan.assume import carried_out
from dhcpcore.plan.listing import Listing, list_plans
from dhcpcore.state.agent import AgentState

#: Plans that may follow one another; three suffice (docs/laws.md).
_ROUNDS = 8


def list_convergence(state: AgentState, now: float, *, only: Collection[str] | None = None) -> Listing:
    """The changes that bring the host to what the server wants, as both are known to `state`.

    What the brake holds is no change; fold `DisableForced` first to see it among them.

    Args:
        now: monotonic seconds; what must wait for a later time (a retry, a reload in a burst) is not listed.
        only: None for all networks, else the ids of those to look at.
    """
    known = state.networks.keys() if only is None else [name for name in state.networks if name in only]
    return list_plans(
        _steps(state, now, only),
        known=known,
        held=plan_sync(state, now).held,
        unknown=sorted(set(only or ()) - set(state.networks)),
    )


def restrict_plan(plan: Plan, state: AgentState, only: Collection[str]) -> Plan:
    """The part of a plan of `state` that is about some networks; the others are planned again, as if never looked at.

    What is about no network (looking at the whole host, asking the server for everything) stays.
    """
    ports = {
        port.id
        for network_id in only
        if (network := state.record(network_id).desired) is not None
        for port in network.ports
    }

    def kept(action: Action) -> Action | None:
        if isinstance(action, NotifyReady):
            mine = tuple(port_id for port_id in action.port_ids if port_id in ports)
            return evolve(action, port_ids=mine) if mine else None
        return action if action.network_id is None or action.network_id in only else None

    return evolve(
        plan,
        actions=tuple(mine for action in plan if (mine := kept(action)) is not None),
        examined=tuple(name for name in plan.examined if name in only),
        settled=tuple(name for name in plan.settled if name in only),
        ready=tuple(port_id for port_id in plan.ready if port_id in ports),
        paced=tuple(name for name in plan.paced if name in only),
        unplanned=tuple(one for one in plan.unplanned if one.network_id in only),
        rendered=tuple(spec for spec in plan.rendered if spec.key.network_id in only),
    )


def _steps(state: AgentState, now: float, only: Collection[str] | None) -> Iterator[tuple[AgentState, Plan]]:
    for _ in range(_ROUNDS):
        plan = plan_sync(state, now)
        if only is not None:
            plan = restrict_plan(plan, state, only)
        # Nobody is asked: what is known stands.
        acting = tuple(a for a in plan if not isinstance(a, ReportState | ObserveHost | FetchNetworks | NotifyReady))
        plan = evolve(plan, actions=acting)
        if plan or plan.unplanned:
            yield state, plan
        if not plan:
            return
        state = carried_out(plan, state, at=now)
