"""What one instance needs, asked of the core by its front door: look at what is there, tell what is wanted, plan.

Knows no Neutron.  The look is the core's own recipe, whose calls are answered for this instance only; a plan's
questions to the server are answered with what the agent has already: it asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen

from dhcpcore import (
    Action,
    ActionFailed,
    ActionSucceeded,
    AdapterError,
    HostCapabilities,
    InstanceKey,
    InstanceView,
    Network,
    ObservedProcess,
    PlanStarted,
    Port,
    Settings,
    fold_event,
    fold_events,
    initial_state,
    instance_views,
    plan_sync,
    render_device,
)
from dhcpcore.actions import (
    ApplyAction,
    ClaimAction,
    DisableInstance,
    FetchNetwork,
    ObserveHost,
    ReleaseDhcpPort,
)
from dhcpcore.contracts import FileStore, ObservedDevice, ObservedHost
from dhcpcore.events import AgentKnown, HostObserved, ResyncRequested
from dhcpcore.recipes import Call, follow, recipe

_NOW: Final = 0.0
#: A plan that fetches, one that claims, and the one that acts; the rest is for ports that the server gives otherwise.
_ROUNDS: Final = 6


@frozen(kw_only=True)
class Instance:
    """One instance as the agent wants it.

    Attributes:
        network: for a segment, with that segment's subnets only.
        port: its DHCP port, among the network's, with the addresses that its device has by now.
    """

    key: InstanceKey
    network: Network
    port: Port
    settings: Settings
    capabilities: HostCapabilities


def needed(instance: Instance, files: FileStore, process: ObservedProcess | None) -> Action | None:
    """The one action that brings what runs to what is wanted; None where nothing has to be done.

    Its device is taken as it should be, for whoever asks has set it up; but for its name, which is the one that the
    instance's files tell: that dnsmasq was started for.

    Args:
        process: the instance's dnsmasq, where it runs.

    Raises:
        AdapterError: a file cannot be read, or the core can make no plan.
    """
    observed = _look(instance, files, process)
    state = fold_events(
        [AgentKnown(), HostObserved(observed=observed), ResyncRequested(network_id=instance.key.network_id, reason="")],
        initial_state(instance.settings, instance.capabilities, reporting=False),
    )
    for _ in range(_ROUNDS):
        plan = plan_sync(state, _NOW)
        for failure in plan.unplanned:
            raise AdapterError(f"no plan can be made for network {failure.network_id}: {failure.reason}")
        for action in plan:
            if isinstance(action, ApplyAction | DisableInstance) and action.key == instance.key:
                return action
        questions = [each for each in plan if isinstance(each, FetchNetwork | ClaimAction | ReleaseDhcpPort)]
        if not questions:
            return None
        state = fold_event(PlanStarted(plan=plan), state)
        for question in questions:
            state = fold_event(_answer(question, instance), state)
    raise AdapterError(f"no end of plans for {instance.key}; please report it")


def _answer(question: Action, instance: Instance) -> ActionSucceeded | ActionFailed:
    if isinstance(question, ReleaseDhcpPort):
        return ActionFailed(action=question, reason="the agent keeps the port", fault="skipped")
    if isinstance(question, ClaimAction):
        return ActionSucceeded(action=question, result=instance.port)
    return ActionSucceeded(action=question, result=instance.network)


def _look(instance: Instance, files: FileStore, process: ObservedProcess | None) -> ObservedHost:
    settings, key = instance.settings, instance.key
    *segment, network_id = key.directory.split("/")
    named = {settings.confs_dir: [*segment, network_id][:1], settings.proxy_config_dir: []}
    if segment:
        named[f"{settings.confs_dir}/{segment[0]}"] = [network_id]
    interface = files.read(f"{settings.confs_dir}/{key.directory}/interface")
    answers: dict[str, Callable[..., Sequence[Any]]] = {
        "observe_processes": lambda: [] if process is None else [process],
        "observe_devices": lambda: [] if interface is None else [_device(instance, interface)],
        "list": lambda directory: named[directory] if directory in named else files.list(directory),
    }

    def make(call: Call) -> Any:
        answer = answers.get(call.method) or getattr(files, call.method)
        return answer(*call.arguments)

    host = follow(recipe(ObserveHost(network_id=key.network_id), settings), make)
    assert isinstance(host, ObservedHost)
    return host


def _device(instance: Instance, name: str) -> ObservedDevice:
    spec = render_device(
        _view(instance),
        instance.port,
        instance.settings,
        use_gateway_ips=instance.capabilities.use_gateway_ips,
        ipv6=instance.capabilities.ipv6_enabled,
    )
    return ObservedDevice(
        namespace=spec.namespace,
        name=name,
        mac_address=spec.mac_address,
        mtu=spec.mtu,
        addresses=spec.addresses,
        routes=spec.routes,
    )


def _view(instance: Instance) -> InstanceView:
    for view in instance_views(instance.network):
        if view.key == instance.key:
            return view
    raise AdapterError(f"network {instance.network.id} has no subnet for {instance.key}", retryable=False)
