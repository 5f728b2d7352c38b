"""A plan as people and scripts read it: which networks change, how, and why.

Knows plans and the states they were made of; knows nothing of terminals.  What is not done to an instance (fetches,
state reports, ready ports) is no change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, Literal

from attrs import define, field, frozen

from dhcpcore.actions import (
    ApplyAction,
    ClaimAction,
    DisableInstance,
    EnableInstance,
    ForgetOwed,
    ForgetUnreported,
    Held,
    InstanceAction,
    Plan,
    ReleaseDhcpPort,
    ReloadInstance,
    RemoveDevice,
    RemoveNamespace,
    RestartInstance,
    StartProxy,
    StopProxy,
    Unplanned,
    UpdateDhcpPort,
)
from dhcpcore.model.spec import InstanceKey, InstanceSpec, InstanceView
from dhcpcore.plan.canonical import differing_files
from dhcpcore.plan.diff import ALL_FILES
from dhcpcore.render.views import instance_views
from dhcpcore.state.agent import AgentState

FORMAT_VERSION: Final = 1

Kind = Literal["enable", "disable", "reload", "restart"]
SIGNS: Final[dict[Kind, str]] = {"enable": "+", "disable": "-", "reload": "~", "restart": "!"}
#: Of several things that happen to one instance, the last of these is what the instance is listed under.
_OF_AN_INSTANCE: Final[tuple[Kind, ...]] = ("reload", "restart", "disable", "enable")
#: Of several instances of one network, the last of these is what the network is counted under.
_OF_A_NETWORK: Final[tuple[Kind, ...]] = ("reload", "disable", "enable", "restart")


@frozen(kw_only=True)
class Change:
    """What happens to one instance.

    Attributes:
        segment: name of the segment's directory, None where the network has none, or where the network itself is meant.
        reasons: short texts, in the order in which they were found.
        files: of ``addn_hosts``, ``host``, ``opts`` those that differ; all of them where the instance starts.
        argv_added, argv_removed: arguments of a running instance's command line that come and go, sorted.
    """

    network_id: str
    segment: str | None
    action: Kind
    reasons: tuple[str, ...]
    files: tuple[str, ...] = ()
    argv_added: tuple[str, ...] = ()
    argv_removed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "network": self.network_id,
            "segment": self.segment,
            "action": self.action,
            "reasons": list(self.reasons),
            "files": list(self.files),
            "argv": {"added": list(self.argv_added), "removed": list(self.argv_removed)},
        }

    def lines(self) -> Iterator[str]:
        """As text: one line with the sign, one for each reason, indented."""
        segment = f" segment {self.segment}" if self.segment is not None else ""
        yield f"{SIGNS[self.action]} {self.network_id}{segment}"
        for reason in self.reasons:
            yield f"    {reason}"


@frozen(kw_only=True)
class Summary:
    """How many networks are enabled, disabled, reloaded, restarted, and left alone; each is counted once."""

    enable: int = 0
    disable: int = 0
    reload: int = 0
    restart: int = 0
    unchanged: int = 0

    def to_json(self) -> dict[str, int]:
        """As JSON types."""
        return {
            "enable": self.enable,
            "disable": self.disable,
            "reload": self.reload,
            "restart": self.restart,
            "unchanged": self.unchanged,
        }

    def __str__(self) -> str:
        return (
            f"Plan: {self.enable} to enable, {self.disable} to disable, {self.reload} to reload,"
            f" {self.restart} to restart, {self.unchanged} unchanged."
        )


@frozen(kw_only=True)
class Listing:
    """All changes, sorted by network and segment, and their sum.

    Attributes:
        held: networks among the disabled ones that the brake of a real sync would hold.
        unplanned: networks for which no plan can be made, and why; they count as unchanged.
        unknown: ids that were asked for and that nobody knows.
    """

    changes: tuple[Change, ...]
    summary: Summary
    held: Held | None = None
    unplanned: tuple[Unplanned, ...] = ()
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def lines(self) -> Iterator[str]:
        """As text, without ends of lines; the last is the summary."""
        for change in self.changes:
            yield from change.lines()
        yield str(self.summary)

    def notes(self) -> Iterator[str]:
        """What somebody who reads the text should know besides, one line each."""
        if self.held is not None:
            yield (
                f"a full sync would hold {len(self.held.network_ids)} of {self.held.served} served networks back from"
                f" being disabled, for {self.held.until - self.held.since:g} s or until it is forced"
            )
        for one in self.unplanned:
            yield f"network {one.network_id} cannot be planned and stays as it is: {one.reason}"
        for network_id in self.unknown:
            yield f"network {network_id} is neither served nor wanted"

    def to_json(self) -> dict[str, Any]:
        """As JSON types; equal for equal plans."""
        brake = None
        if self.held is not None:
            brake = {
                "networks": list(self.held.network_ids),
                "served": self.held.served,
                "hold_seconds": self.held.until - self.held.since,
            }
        return {
            "format_version": FORMAT_VERSION,
            "summary": self.summary.to_json(),
            "changes": [change.to_json() for change in self.changes],
            "brake": brake,
            "unplanned": [{"network": one.network_id, "reason": one.reason} for one in self.unplanned],
            "unknown": list(self.unknown),
        }


def list_plans(
    steps: Iterable[tuple[AgentState, Plan]],
    *,
    known: Collection[str],
    held: Held | None = None,
    unknown: Iterable[str] = (),
) -> Listing:
    """The changes that plans ask for.

    Args:
        steps: each plan with the state it was made of; several where one plan prepares the next (a claim comes before
            the start that needs it), in order.
        known: ids of all networks that could have changed.
    """
    found = _Changes()
    for state, plan in steps:
        found.add(state, plan)
    changes = found.all()
    of_network: dict[str, Kind] = {}
    for change in changes:
        earlier = of_network.get(change.network_id, change.action)
        of_network[change.network_id] = max(earlier, change.action, key=_OF_A_NETWORK.index)
    counts = Counter(of_network.values())
    summary = Summary(
        enable=counts["enable"],
        disable=counts["disable"],
        reload=counts["reload"],
        restart=counts["restart"],
        unchanged=len({*known} - of_network.keys()),
    )
    unplanned = tuple(found.unplanned[network_id] for network_id in sorted(found.unplanned))
    return Listing(changes=changes, summary=summary, held=held, unplanned=unplanned, unknown=tuple(unknown))


@define(kw_only=True)
class _Draft:
    """One change while it is being found."""

    key: InstanceKey
    action: Kind
    claimed: bool = False
    reasons: dict[str, None] = field(factory=dict)
    scale: str | None = None
    files: set[str] = field(factory=set)
    argv_added: tuple[str, ...] = ()
    argv_removed: tuple[str, ...] = ()

    def raise_to(self, action: Kind) -> None:
        self.action = max(self.action, action, key=_OF_AN_INSTANCE.index)

    def give(self, reasons: Iterable[str]) -> None:
        self.reasons.update(dict.fromkeys(reasons))

    def compare(self, served: InstanceSpec, wanted: InstanceSpec) -> None:
        """Note what differs between what runs and what shall run."""
        self.files.update(differing_files(served, wanted))
        now, then = Counter(filter(None, served.argv)), Counter(filter(None, wanted.argv))
        self.argv_added = self.argv_added or tuple(sorted((then - now).elements()))
        self.argv_removed = self.argv_removed or tuple(sorted((now - then).elements()))

    def finished(self) -> Change:
        starts = self.action == "enable"
        files = ALL_FILES if starts else self.files
        reasons = [*self.reasons, *([self.scale] if self.scale is not None and starts else [])]
        return Change(
            network_id=self.key.network_id,
            segment=self.key.segmentation,
            action=self.action,
            reasons=tuple(reasons),
            files=tuple(sorted(files)),
            argv_added=() if starts else self.argv_added,
            argv_removed=() if starts else self.argv_removed,
        )


class _Changes:
    """Collects what plans do, instance by instance; what concerns a network as a whole is kept apart until the end."""

    def __init__(self) -> None:
        self._drafts: dict[InstanceKey, _Draft] = {}
        self._networks: dict[str, _Draft] = {}
        self.unplanned: dict[str, Unplanned] = {}

    def add(self, state: AgentState, plan: Plan) -> None:
        claimed = {action.key for action in plan if isinstance(action, ClaimAction)}
        replaced = {action.key for action in plan if isinstance(action, ReleaseDhcpPort)} & claimed
        for one in plan.unplanned:
            self.unplanned[one.network_id] = one
        for action in plan:
            if isinstance(action, ReleaseDhcpPort) and action.key not in replaced:
                continue  # a port that nobody serves on is given back: no instance changes
            if isinstance(action, ForgetUnreported | ForgetOwed):
                continue
            if isinstance(action, InstanceAction):
                self._instance(state, action, replaced)
            elif isinstance(action, StartProxy | StopProxy):
                reasons = tuple(f"metadata proxy: {reason}" for reason in action.reasons)
                self._network(action.network_id, "reload", reasons)
            elif isinstance(action, RemoveDevice):
                if any(
                    served.spec.device.name == action.device
                    for served in state.record(action.network_id).served.values()
                ):
                    continue  # an instance gets another device in its place, and says so
                reasons = tuple(f"device {action.device}: {reason}" for reason in action.reasons)
                self._network(action.network_id, "reload", reasons)
            elif isinstance(action, RemoveNamespace):
                reasons = tuple(f"namespace {action.namespace}: {reason}" for reason in action.reasons)
                self._network(action.network_id, "disable", reasons)

    def all(self) -> tuple[Change, ...]:
        drafts = dict(self._drafts)
        of_network: dict[str, list[_Draft]] = {}
        for draft in drafts.values():
            of_network.setdefault(draft.key.network_id, []).append(draft)
        for network_id, general in self._networks.items():
            own = of_network.get(network_id, [])
            serving = [draft for draft in own if draft.action != "disable"]
            if serving:
                min(serving, key=_place).give(general.reasons)
            elif not own:
                drafts[general.key] = general
            # Else the network goes as a whole, and what is the network's goes with it.
        return tuple(draft.finished() for draft in sorted(drafts.values(), key=_place))

    def _network(self, network_id: str, action: Kind, reasons: Iterable[str]) -> None:
        key = InstanceKey(network_id=network_id)
        draft = self._networks.setdefault(network_id, _Draft(key=key, action=action))
        draft.raise_to(action)
        draft.give(reasons)

    def _instance(self, state: AgentState, action: InstanceAction, replaced: set[InstanceKey]) -> None:
        served = state.record(action.network_id).served.get(action.key)
        draft = self._drafts.setdefault(action.key, _Draft(key=action.key, action="reload"))
        if draft.claimed and not isinstance(action, ClaimAction | EnableInstance):
            return  # what follows a claim is told by the claim
        draft.give(action.reasons)
        match action:
            case EnableInstance():
                draft.raise_to("enable")
                draft.scale = _scale(action.spec.view)
            case DisableInstance():
                draft.raise_to("disable")
            case RestartInstance():
                draft.raise_to("reload" if action.repair else "restart")
            case UpdateDhcpPort() | ReleaseDhcpPort():
                draft.raise_to("reload" if served is not None else "enable")
            case ClaimAction() if action.key not in replaced:
                draft.claimed = True
                draft.raise_to("enable")
                draft.scale = _scale(_view(state, action.key))
                if served is not None:
                    draft.give((f"the DHCP port it was served on ({served.spec.device.port_id}) is gone",))
            case ReloadInstance():
                draft.files.update(action.changed_files)
        if isinstance(action, ApplyAction) and served is not None and not draft.claimed:
            draft.compare(served.spec, action.spec)


def _place(draft: _Draft) -> tuple[str, str]:
    return draft.key.network_id, draft.key.segmentation or ""


def _view(state: AgentState, key: InstanceKey) -> InstanceView | None:
    network = state.record(key.network_id).desired
    views = instance_views(network) if network is not None else ()
    return next((view for view in views if view.key == key), None)


def _scale(view: InstanceView | None) -> str | None:
    """How much there is to serve."""
    if view is None:
        return None
    subnets = {subnet.id for subnet in view.subnets if subnet.enable_dhcp}
    ports = sum(
        port.requires_dhcp_configuration and any(ip.subnet_id in subnets for ip in port.fixed_ips)
        for port in view.ports
    )
    return f"to serve: {_counted(ports, 'port')} on {_counted(len(subnets), 'subnet')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
