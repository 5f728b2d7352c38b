"""What one network needs now.

Looks at one record only; what other networks need, or fail at, never shows here (museum class RESYNC).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from attrs import evolve

from dhcpcore.actions import (
    Action,
    ApplyAction,
    ClaimReservedPort,
    DisableInstance,
    EnableInstance,
    FetchNetwork,
    ForgetOwed,
    ObserveHost,
    ReleaseDhcpPort,
    ReloadInstance,
    RemoveDevice,
    RemoveNamespace,
    RestartInstance,
    StartProxy,
    StopProxy,
    claim_scope,
)
from dhcpcore.model.network import Network
from dhcpcore.model.spec import InstanceKey, InstanceSpec, InstanceView, MetadataProxySpec
from dhcpcore.plan.dhcp_port import choose_dhcp_port, device_id
from dhcpcore.plan.diff import change, leases_left
from dhcpcore.plan.unreported import forgets, with_unreported
from dhcpcore.render.instance import render_instance
from dhcpcore.render.isolation import METADATA_V6_CIDR
from dhcpcore.render.metadata import metadata_bind_interface, render_metadata_proxy, wants_metadata_proxy
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.state.agent import AgentState
from dhcpcore.state.ports import own_ports
from dhcpcore.state.records import NetworkRecord, Retry, ServedInstance, ServedProxy

_GONE = {
    "deleted": "network deleted, or taken from this agent",
    "unlisted": "the server no longer lists the network",
}


class Needs(NamedTuple):
    """What one network needs.

    Attributes:
        actions: in the order in which they must be done.
        settled: whether all that the network wants is served as it is.
        right: the instances that serve what they should, as they were rendered for this plan; there may be some where
            it is not settled (one segment's port cannot be claimed, another's dnsmasq runs).
    """

    actions: list[Action]
    settled: bool = False
    right: tuple[InstanceSpec, ...] = ()


def plan_network(state: AgentState, record: NetworkRecord, now: float) -> Needs:
    """What one network needs."""
    actions: list[Action] = []
    if record.need is not None and f"fetch:{record.id}" not in state.in_flight and _due(record.need_retry, now):
        actions.append(FetchNetwork(network_id=record.id, sent_seq=state.seq, reasons=record.need.reasons))
    if not state.observation.done or f"network:{record.id}" in state.in_flight or not _due(record.retry, now):
        return Needs(actions)
    if record.observe:
        reason = record.retry.reason if record.retry is not None else "an action failed"
        look = ObserveHost(network_id=record.id, sent_seq=state.seq, reasons=(f"after a failure: {reason}",))
        return Needs([*actions, look])
    if record.unreadable and not record.served:
        return Needs(actions)  # what may be there is not known
    if record.wanted:
        needs = _serve(state, record, now)
        return needs._replace(actions=[*actions, *needs.actions])
    if record.removal in ("deleted", "unlisted"):
        actions.extend(_stop_all(state, record, _GONE[record.removal], now))
    return Needs(actions)


def held_back(record: NetworkRecord, actions: list[Action], now: float) -> tuple[list[Action], float | None]:
    """`actions` without reloads before whose time it is, and when that will be; see `dhcpcore.state.pace`."""
    if record.pace is None or record.pace.until <= now:
        return actions, None
    kept = [action for action in actions if not isinstance(action, ReloadInstance)]
    return kept, record.pace.until if len(kept) < len(actions) else None


def _due(retry: Retry | None, now: float) -> bool:
    return retry is None or retry.not_before <= now


def _serve(state: AgentState, record: NetworkRecord, now: float) -> Needs:
    network = record.desired
    assert network is not None
    if not network.admin_state_up:
        return Needs(_stop_all(state, record, "network is administratively down", now))
    views = [view for view in instance_views(network) if serves_dhcp(view)]
    if not views:
        return Needs(_stop_all(state, record, "no subnet with DHCP", now))
    actions: list[Action] = []
    keys = {view.key for view in views}
    kept = {device_id(state.settings, key) for key in keys}
    plugged = {record.served[key].spec.device.name for key in keys if key in record.served}
    for key in sorted(record.served, key=lambda key: key.directory):
        if key not in keys:
            gone = _disable(state, key, record.served[key], "its segment is gone, or has no subnet with DHCP")
            # A flat segment's DHCP port has the device id of the whole network's: it serves on.
            gone = evolve(gone, device_id=None) if gone.device_id in kept else gone
            actions.append(evolve(gone, device="") if gone.device in plugged else gone)
    owed = {key: own_id for key, own_id in record.owed.items() if key not in keys and own_id not in kept}
    if record.need is None and any(key.segmentation is not None for key in keys):
        # Claimed for another segment, and never served on before it was not wanted any more.
        spare = ((key, own_id) for key, own_id in own_ports(state, network).items() if key not in record.served)
        owed |= {key: own_id for key, own_id in spare if own_id not in kept and own_id not in owed.values()}
    actions.extend(_give_back(state, record, owed, actions, "its segment is gone, or has no subnet with DHCP", now))
    # Another instance serves on the port that it owed; what told of that goes.
    taken_over = {key for key, own_id in record.owed.items() if key not in keys and own_id in kept}
    for key in sorted(taken_over, key=lambda key: key.directory):
        if claim_scope(key) not in state.in_flight:
            reasons = ("another instance serves on the port that was to be given back",)
            actions.append(ForgetOwed(key=key, directory=_directory(state, key), reasons=reasons))
    right: list[InstanceSpec] = []
    taken: set[str] = set()
    serving: list[Action] = []
    for view in views:
        action, spec = _serve_instance(state, record, view, now, taken, shared=len(views) > 1)
        serving.extend(action)
        if spec is not None:
            right.append(spec)
    if any(isinstance(action, EnableInstance | RestartInstance) for action in serving):
        serving = _makes_way(record, serving)
    actions.extend(_replaced_devices(record, serving))
    actions.extend(serving)
    if any(isinstance(action, DisableInstance) for action in actions):
        return Needs([*_stop_proxy_of(state, record, actions, now), *actions])
    actions.extend(_strays(record, _devices(record, serving)))
    actions.extend(_proxy(state, record, network, actions, now))
    if not actions and not record.served and record.namespace and record.claim_retry:
        return Needs(_remove_namespace(record, "no DHCP port can be claimed"))
    return Needs(actions, settled=len(right) == len(views), right=tuple(right))


def _makes_way(record: NetworkRecord, serving: list[Action]) -> list[Action]:
    """`serving` without starts that would fail as long as another instance listens on all devices of the namespace.

    That one is started again first, on its own device only; the others follow with the next plan.
    """
    wide = {
        action.key
        for action in serving
        if isinstance(action, RestartInstance) and action.spec.device.shared
        if (served := record.served.get(action.key)) is not None and served.alive
        if not any(argument.startswith("--interface=") for argument in served.spec.argv)
    }
    if not wide:
        return serving
    starts = (EnableInstance, RestartInstance)
    return [action for action in serving if not isinstance(action, starts) or action.key in wide]


def _serve_instance(
    state: AgentState, record: NetworkRecord, view: InstanceView, now: float, taken: set[str], *, shared: bool
) -> tuple[list[Action], InstanceSpec | None]:
    """What one instance needs, and what it serves where that is what it should.

    Args:
        taken: reserved ports claimed by this plan, and the scopes of its claims.
    """
    if claim_scope(view.key) in state.in_flight or claim_scope(view.key) in taken:
        return [], None
    served = record.served.get(view.key)
    choice = choose_dhcp_port(
        view,
        state.settings,
        plugged=served.spec.device.name if served is not None else None,
        accepted=record.accepted,
        use_gateway_ips=state.capabilities.use_gateway_ips,
        taken=taken,
    )
    # A claim waits for a fetch that is owed or under way: what is known may be out of date (two claims make two ports).
    settled = record.need is None and f"fetch:{record.id}" not in state.in_flight
    retry = record.claim_retry.get(view.key)
    if choice.claims and settled and _due(retry, now):
        taken.update(claim.port_id for claim in choice.claims if isinstance(claim, ClaimReservedPort))
        taken.add(claim_scope(view.key))
        return list(choice.claims), None
    if choice.port is None:
        if served is not None and settled and retry is not None and _hopeless(retry):
            gone = _disable(state, view.key, served, f"the DHCP port is gone and cannot be claimed: {retry.reason}")
            return [evolve(gone, device_id=None)], None
        if served is None and settled and retry is not None and retry.not_before == float("inf"):
            # It was disabled while nobody wanted it, and is wanted now that no address is left.
            owed = record.owed.get(view.key)
            return [_release(state, view.key, owed, retry.reason)] if owed is not None else [], None
        return [], None
    if choice.claims and retry is None:
        return [], None  # the claim follows the fetch; changing the instance before would change it twice
    spec = render_instance(
        view,
        dhcp_port=choice.port,
        settings=state.settings,
        capabilities=state.capabilities.dnsmasq,
        bridged=state.capabilities.bridged,
        use_gateway_ips=state.capabilities.use_gateway_ips,
        ipv6=state.capabilities.ipv6_enabled,
        reuse=served.spec if served is not None else None,
        templates=state.templates,
        shared=shared,
    )
    action = change(served, spec, state.settings, state.capabilities)
    again = record.release_retry.get(view.key)
    if again is not None and served is not None:
        action = leases_left(action, served, spec, again, now)
    if action is None:
        return forgets(state, record, view.key), spec
    return [with_unreported(state, record, view, served, action)], None


def _hopeless(retry: Retry) -> bool:
    """Whether claiming a port has failed for good, or for so long that its old address may be another's by now."""
    return retry.not_before == float("inf") or retry.attempts >= 5


def _disable(state: AgentState, key: InstanceKey, served: ServedInstance, reason: str) -> DisableInstance:
    spec: InstanceSpec = served.spec
    return DisableInstance(
        key=key,
        directory=spec.directory or _directory(state, key),
        namespace=f"qdhcp-{key.network_id}",
        device=spec.device.name,
        device_id=device_id(state.settings, key),
        reasons=(reason,),
    )


def _stop_all(state: AgentState, record: NetworkRecord, reason: str, now: float) -> list[Action]:
    actions: list[Action] = _stop_proxy(state, record, reason, now)
    for key in sorted(record.served, key=lambda key: key.directory):
        actions.append(_disable(state, key, record.served[key], reason))
    owed = dict(record.owed.items())
    if record.desired is not None:
        # Claimed and never served on: it would keep an address for nobody.
        mine = own_ports(state, record.desired).items()
        owed |= {key: device_id for key, device_id in mine if device_id not in owed.values()}
    actions.extend(_give_back(state, record, owed, actions, reason, now))
    if actions:
        return actions
    return _remove_namespace(record, reason) if record.namespace else []


def _give_back(
    state: AgentState,
    record: NetworkRecord,
    owed: Mapping[InstanceKey, str],
    before: list[Action],
    reason: str,
    now: float,
) -> list[Action]:
    """Give back ports that nobody serves on; those of instances that `before` disables follow when that is done."""
    served = {action.device_id for action in before if isinstance(action, DisableInstance)}
    return [
        _release(state, key, owed[key], reason)
        for key in sorted(owed, key=lambda key: key.directory)
        if owed[key] not in served
        and claim_scope(key) not in state.in_flight
        and _due(record.claim_retry.get(key), now)
    ]


def _release(state: AgentState, key: InstanceKey, own_id: str, reason: str) -> ReleaseDhcpPort:
    reasons = (f"it serves no more: {reason}",)
    return ReleaseDhcpPort(key=key, device_id=own_id, directory=_directory(state, key), reasons=reasons)


def _directory(state: AgentState, key: InstanceKey) -> str:
    return f"{state.settings.confs_dir}/{key.directory}"


def _remove_namespace(record: NetworkRecord, reason: str) -> list[Action]:
    if record.proxy is not None or record.stray_proxies:
        return []  # it could not be stopped, and may run in there
    why = f"nothing is left in it: {reason}"
    return [RemoveNamespace(network_id=record.id, namespace=f"qdhcp-{record.id}", reasons=(why,))]


def _devices(record: NetworkRecord, serving: list[Action]) -> set[str]:
    """Devices that instances serve on, or will when these actions are done."""
    now = {served.spec.device.name for served in record.served.values()}
    return now | {action.spec.device.name for action in serving if isinstance(action, ApplyAction)}


def _replaced_devices(record: NetworkRecord, serving: list[Action]) -> list[Action]:
    """Devices whose DHCP port was replaced by another: they go first, for the new one may have the same addresses."""
    wanted = {action.key: action.spec.device.name for action in serving if isinstance(action, ApplyAction)}
    kept = {wanted.get(key, served.spec.device.name) for key, served in record.served.items()}
    gone: list[Action] = []
    for key, device in wanted.items():
        old = record.served[key].spec.device.name if key in record.served else ""
        if old and old not in kept and old not in record.strays:
            gone.append(_remove_device(record, old, f"{device} replaces it"))
    return gone


def _strays(record: NetworkRecord, ours: set[str]) -> list[Action]:
    return [_remove_device(record, name, "it belongs to no DHCP port") for name in record.strays if name not in ours]


def _remove_device(record: NetworkRecord, name: str, reason: str) -> RemoveDevice:
    return RemoveDevice(network_id=record.id, namespace=f"qdhcp-{record.id}", device=name, reasons=(reason,))


def _proxy(
    state: AgentState, record: NetworkRecord, network: Network, before: list[Action], now: float
) -> list[Action]:
    """Start, replace or stop the metadata proxy: a function of the network, not of its history (museum class META).

    Args:
        before: what this plan does to the network's instances.
    """
    running = [served for served in record.served.values() if served.alive]
    if not wants_metadata_proxy(network, state.settings):
        return _stop_proxy(state, record, "the network needs no metadata proxy", now)
    if not record.served and not any(isinstance(action, ApplyAction) for action in before):
        return _stop_proxy(state, record, "no instance is left", now)
    if not running or not _due(record.proxy_retry, now):
        return []
    spec = render_metadata_proxy(
        network,
        settings=state.settings,
        bind_interface=_bind_interface(state, record, network, before),
        templates=state.templates,
    )
    strays: list[Action] = [
        _stop(state, record, proxy, "another proxy serves the network")
        for proxy in record.stray_proxies
        if proxy.proxy_id != spec.proxy_id
    ]
    return [*strays, *_wanted_proxy(state, record, spec)]


def _wanted_proxy(state: AgentState, record: NetworkRecord, spec: MetadataProxySpec) -> list[Action]:
    now = record.proxy
    if now is None:
        return [StartProxy(spec=spec, reasons=("the network needs a metadata proxy",))]
    if now.proxy_id != spec.proxy_id:
        reason = f"it is {spec.proxy_id} that the proxy serves now"
        return [_stop(state, record, now, reason), StartProxy(spec=spec, reasons=(reason,))]
    if not now.alive:
        return [StartProxy(spec=spec, reasons=("the metadata proxy is not running",))]
    if now.config != spec.config:
        return [StartProxy(spec=spec, reasons=("its configuration differs",))]
    return []


def _bind_interface(state: AgentState, record: NetworkRecord, network: Network, before: list[Action]) -> str | None:
    """The device on which the proxy binds the IPv6 metadata address, where it can."""
    name = metadata_bind_interface(network, state.settings) if state.capabilities.ipv6_enabled else None
    # Where duplicate address detection failed, another agent's proxy has the address: ours serves IPv4 only.
    if any(served.spec.device.name == name and served.dadfailed for served in record.served.values()):
        return None
    # The address comes with the instance; an instance that waits for its port has not got it yet.
    devices = {key: served.spec.device for key, served in record.served.items()}
    devices |= {action.key: action.spec.device for action in before if isinstance(action, ApplyAction)}
    has = any(device.name == name and METADATA_V6_CIDR in device.addresses for device in devices.values())
    return name if has else None


def _stop_proxy(state: AgentState, record: NetworkRecord, reason: str, now: float) -> list[Action]:
    if not _due(record.proxy_retry, now):
        return []
    running = [*record.stray_proxies, *([record.proxy] if record.proxy is not None else [])]
    return [_stop(state, record, proxy, reason) for proxy in running]


def _stop(state: AgentState, record: NetworkRecord, proxy: ServedProxy, reason: str) -> StopProxy:
    return StopProxy(
        network_id=record.id,
        proxy_id=proxy.proxy_id,
        config_path=proxy.config_path or f"{state.settings.proxy_config_dir}/{proxy.proxy_id}.conf",
        pid_path=f"{state.settings.external_pids_dir}/{proxy.proxy_id}.pid.haproxy",
        reasons=(reason,),
    )


def _stop_proxy_of(state: AgentState, record: NetworkRecord, actions: list[Action], now: float) -> list[Action]:
    """The proxy goes with the last instance, where no other comes."""
    leaving = {action.key for action in actions if isinstance(action, DisableInstance)}
    if set(record.served) <= leaving and not any(isinstance(action, ApplyAction) for action in actions):
        return _stop_proxy(state, record, "no instance is left", now)
    return []
