"""What each action means, told in calls of the contracts without making any: a recipe asks, and is given the answer.

The production agent and the simulated one follow the same recipes, so which file is written before which signal is
told once, and every point between two calls can be made to fail.  An action is a list of idempotent steps; where one
raises, the rest is not asked for.  Knows no adapter: whoever follows a recipe makes the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.wire as wire
from dhcpcore.errors import AdapterError, PayloadError
from dhcpcore.model.network import Network
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.observed import UNREPORTED_MARK
from dhcpcore.recipes.calls import Call, Contract, Recipe, follow, in_steps
from dhcpcore.recipes.failures import failed, skipped
from dhcpcore.recipes.instance import disable, forget_owed, give_back, release, reload, start
from dhcpcore.recipes.looking import observe
from dhcpcore.render.isolation import METADATA_V6_ADDRESS

__all__ = ["Call", "Contract", "Recipe", "failed", "follow", "in_steps", "recipe", "skipped"]

T = TypeVar("T")


def recipe(action: actions.Action, settings: Settings) -> Recipe[events.Result]:
    """How one action is carried out; returns what `ActionSucceeded.result` is to be.

    Raises:
        TypeError: `action` is none of `dhcpcore.actions`.
    """
    match action:
        case actions.ReportState():
            status: str | None = yield Call("server", "report_state", (action.agent_state,))
            return status
        case actions.ObserveHost():
            return (yield from observe(settings))
        case actions.FetchNetworks():
            answer = yield Call("server", "get_active_networks_info")
            fetched: events.FetchedNetworks = _parsed(wire.fetched_networks, answer)
            return fetched
        case actions.FetchNetwork():
            answer = yield Call("server", "get_network_info", (action.network_id,))
            return None if answer is None else _the_one(action.network_id, _parsed(wire.parse_network, answer))
        case actions.NotifyReady():
            yield Call("server", "dhcp_ready_on_ports", (action.port_ids,))
        case actions.InstanceAction():
            return (yield from _on_instance(action, settings))
        case actions.RemoveNamespace():
            yield Call("namespaces", "remove_namespace", (action.namespace,))
        case actions.RemoveDevice():
            yield Call("namespaces", "remove_device", (action.namespace, action.device))
        case actions.StartProxy():
            return (yield from _start_proxy(action))
        case actions.StopProxy():
            yield Call("processes", "stop_proxy", (action.network_id, action.proxy_id))
            # The configuration last: by it a proxy is found again whose removal was cut off.
            yield Call("files", "remove", (action.pid_path,))
            yield Call("files", "remove", (action.config_path,))
        case _:
            raise TypeError(f"not an action: {type(action).__name__}")
    return None


def _on_instance(action: actions.InstanceAction, settings: Settings) -> Recipe[events.Result]:
    match action:
        case actions.CreateDhcpPort():
            return _port((yield Call("server", "create_dhcp_port", (action.payload,))))
        case actions.UpdateDhcpPort() | actions.ClaimReservedPort():
            return _port((yield Call("server", "update_dhcp_port", (action.port_id, action.payload))))
        case actions.ReleaseDhcpPort():
            yield from give_back(action)
        case actions.EnableInstance() | actions.RestartInstance():
            return (yield from start(action, settings))
        case actions.ReloadInstance():
            return (yield from reload(action, settings))
        case actions.UpdateDevice():
            yield Call("namespaces", "ensure_device", (action.spec.device,))
        case actions.ReleaseLeases():
            return (yield from release(action))
        case actions.ForgetUnreported():
            yield Call("files", "remove", (f"{action.directory}/{UNREPORTED_MARK}",))
        case actions.ForgetOwed():
            yield from forget_owed(action.directory)
        case actions.DisableInstance():
            yield from disable(action)
    return None


def _start_proxy(action: actions.StartProxy) -> Recipe[events.ProxyStarted]:
    spec = action.spec
    if spec.bind_interface is not None:
        # The address cannot be bound while it is tentative, and never when another agent has it. Asked before anything
        # is stopped: what runs may be right already.
        failed: Sequence[str] = yield Call("namespaces", "settled_addresses", (spec.namespace, spec.bind_interface))
        if any(address.partition("/")[0] == METADATA_V6_ADDRESS for address in failed):
            return events.ProxyStarted(dadfailed=True)
    # Stopped first: a crash between the file and the start must not leave the old one running beside the new text,
    # which would look as if it were right.
    yield Call("processes", "stop_proxy", (action.network_id, spec.proxy_id))
    yield Call("files", "write", (spec.config_path, spec.config))
    pid: int = yield Call("processes", "start_proxy", (spec,))
    return events.ProxyStarted(pid=pid)


def _parsed(parse: Callable[[Any], T], payload: Any) -> T:
    try:
        return parse(payload)
    except PayloadError as error:
        raise AdapterError(f"unreadable answer: {error}") from None


def _the_one(network_id: str, network: Network) -> Network:
    """`network`, which is to be the one that was asked for: taken for it, another would be asked for without an end."""
    if network.id != network_id:
        raise AdapterError(f"unreadable answer: id: expected {network_id}, got {network.id}")
    return network


def _port(answer: Any) -> Port | None:
    return None if answer is None else _parsed(wire.parse_port, answer)
