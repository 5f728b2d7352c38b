"""What each action means, told in calls of the contracts without making any: a recipe asks, and is given the answer.

The production agent and the simulated one follow the same recipes, so which file is written before which signal is
told once, and every point between two calls can be made to fail.  An action is a list of idempotent steps; where one
raises, the rest is not asked for.  Knows no adapter: whoever follows a recipe makes the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from attrs import frozen

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.wire as wire
from dhcpcore.errors import AdapterError, DhcpCoreError, PayloadError
from dhcpcore.model.lease import Lease
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceSpec
from dhcpcore.observed import (
    DIRTY_MARK,
    INSTANCE_FILES,
    OWED_MARK,
    UNREPORTED_MARK,
    ObservedDevice,
    ObservedHost,
    ObservedInstance,
    ObservedProcess,
    ObservedProxy,
)
from dhcpcore.render.isolation import METADATA_V6_ADDRESS
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.readback import HostEntry, removed_hosts, stale_leases

T = TypeVar("T")

#: The contract that a call is made on: `ServerRpc`, `ProcessControl`, `NamespaceControl`, `FileStore`.
Contract = Literal["server", "processes", "namespaces", "files"]


@frozen
class Call:
    """One call of a contract's method. Its answer, or the `AdapterError` it raised, goes back into the recipe."""

    contract: Contract
    method: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.contract}.{self.method}"


#: Yields calls, is sent their answers, returns what came of it all.
Recipe = Generator[Call, Any, T]

#: Remote exceptions, by the class name that an `AdapterError` of `ServerRpc` begins with.
_FAULTS: Mapping[str, events.Fault] = {
    "NetworkNotFound": "network_not_found",
    "IpAddressGenerationFailure": "address_exhausted",
    "MessagingTimeout": "timeout",
    "TimeoutError": "timeout",
    "UnsupportedVersion": "unsupported",
    "AttributeError": "unsupported",
}


def in_steps(recipe: Recipe[T], make: Callable[[Call], Any]) -> Generator[Call, None, T]:
    """Follow a recipe with pauses: one before each call, and one before its answer is looked at.

    Whoever iterates decides what else happens meanwhile, may end it there, as a killed agent does, and may throw an
    `AdapterError` in: the call fails, or its answer is lost.

    Raises:
        AdapterError: a call's, where the recipe does not know better.
    """
    try:
        call = next(recipe)
        while True:
            failure: AdapterError | None = None
            answer = None
            try:
                yield call
                answer = make(call)
                yield call
            except AdapterError as error:
                failure = error
            call = recipe.send(answer) if failure is None else recipe.throw(failure)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        recipe.close()


def follow(recipe: Recipe[T], make: Callable[[Call], Any]) -> T:
    """What a recipe returns when `make` makes its calls.

    Raises:
        AdapterError: a call's, where the recipe does not know better.
    """
    try:
        call = next(recipe)
        while True:
            try:
                answer = make(call)
            except AdapterError as error:
                call = recipe.throw(error)
            else:
                call = recipe.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        recipe.close()


def failed(action: actions.Action, error: DhcpCoreError, *, at: float, jitter: float = 0.0) -> events.ActionFailed:
    """The outcome of an action in whose recipe `error` was raised.

    Args:
        at: monotonic seconds. jitter: from 0 to 1, drawn by the caller.
    """
    return events.ActionFailed(
        action=action,
        reason=str(error),
        fault=_fault(error),
        retryable=not isinstance(error, AdapterError) or error.retryable,
        jitter=jitter,
        at=at,
    )


def _fault(error: DhcpCoreError) -> events.Fault:
    return _FAULTS.get(str(error).partition(":")[0].strip(), "error")


def skipped(action: actions.Action, *, at: float) -> events.ActionFailed:
    """The outcome of an action that was not tried, since one before it failed."""
    reason = "an earlier action on the same network failed"
    return events.ActionFailed(action=action, reason=reason, fault="skipped", at=at)


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
            return (yield from _observe(settings))
        case actions.FetchNetworks():
            answer = yield Call("server", "get_active_networks_info")
            fetched: events.FetchedNetworks = _parsed(wire.fetched_networks, answer)
            return fetched
        case actions.FetchNetwork():
            answer = yield Call("server", "get_network_info", (action.network_id,))
            return None if answer is None else _parsed(wire.parse_network, answer)
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
            yield from _give_back(action)
        case actions.EnableInstance() | actions.RestartInstance():
            return (yield from _start(action, settings))
        case actions.ReloadInstance():
            return (yield from _reload(action, settings))
        case actions.UpdateDevice():
            yield Call("namespaces", "ensure_device", (action.spec.device,))
        case actions.ReleaseLeases():
            yield from _release(action.spec)
        case actions.ForgetUnreported():
            yield Call("files", "remove", (f"{action.directory}/{UNREPORTED_MARK}",))
        case actions.DisableInstance():
            yield from _disable(action)
    return None


# -- one instance -----------------------------------------------------------------------------------------------------


def _start(action: actions.ApplyAction, settings: Settings) -> Recipe[events.InstanceStarted]:
    spec = action.spec
    yield from _mark_unreported(action)
    # As much as can be done while the old one serves is done before it is stopped: clients wait for the rest only.
    yield Call("namespaces", "ensure_device", (spec.device,))
    yield from _write(action, ("host", "addn_hosts", "opts"))
    yield Call("files", "write", (f"{spec.directory}/interface", spec.device.name))
    yield Call("processes", "stop_dnsmasq", (spec.key,))
    if spec.view is not None:
        # dnsmasq keeps its leases file open, and writes it anew at any moment: it is read when nobody has it any more.
        leases = f"{spec.directory}/leases"
        previous: str | None = yield Call("files", "read", (leases,))
        text, _ = render_initial_leases(spec.view, settings=settings, previous=previous)
        yield Call("files", "write", (leases, text))
    pid: int = yield Call("processes", "start_dnsmasq", (spec,))
    yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))
    return events.InstanceStarted(pid=pid)


def _reload(action: actions.ReloadInstance, settings: Settings) -> Recipe[events.InstanceStarted | None]:
    spec = action.spec
    if not action.sighup:
        return (yield from _start(action, settings))
    yield from _mark_unreported(action)
    if action.device:
        yield Call("namespaces", "ensure_device", (spec.device,))
    before: str | None = yield Call("files", "read", (f"{spec.directory}/host",))
    yield from _write(action, action.changed_files)
    yield Call("processes", "reload_dnsmasq", (spec.key,))
    yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))
    yield from _release(spec, removed_hosts(before or "", spec.host))
    return None


def _mark_unreported(action: actions.ApplyAction) -> Recipe[None]:
    """Before anything is changed: an agent that is killed after that leaves nothing else that tells of these ports."""
    mark = f"{action.spec.directory}/{UNREPORTED_MARK}"
    if action.unreported:
        yield Call("files", "write", (mark, "".join(f"{port_id}\n" for port_id in action.unreported)))
    elif action.unreported is not None:
        yield Call("files", "remove", (mark,))


def _write(action: actions.ApplyAction, names: tuple[str, ...]) -> Recipe[None]:
    spec = action.spec
    yield Call("files", "write", (f"{spec.directory}/{DIRTY_MARK}", ""))
    for name in names:
        yield Call("files", "write", (f"{spec.directory}/{name}", getattr(spec, name)))


def _release(spec: InstanceSpec, removed: Iterable[HostEntry] = ()) -> Recipe[None]:
    leases: str | None = yield Call("files", "read", (f"{spec.directory}/leases",))
    if leases is not None and spec.view is not None:
        stale: Sequence[Lease] = stale_leases(leases, spec.view, removed=removed)
        if stale:
            yield Call("processes", "release_leases", (spec, stale))


def _disable(action: actions.DisableInstance) -> Recipe[None]:
    yield Call("processes", "stop_dnsmasq", (action.key,))
    if action.device:
        yield Call("namespaces", "remove_device", (action.namespace, action.device))
    # The server is not asked here: the host does not wait for it. What is kept is found again by whoever comes after a
    # kill, a stock agent too, and makes it disable this once more; so the port is not forgotten.
    owed = action.device_id is not None
    # By name: what somebody else put there stays, and a segment's directory is never mistaken for an instance's.
    for name in sorted(INSTANCE_FILES - {OWED_MARK} if owed else INSTANCE_FILES):
        yield Call("files", "remove", (f"{action.directory}/{name}",))
    if not owed:
        yield from _remove_empty(action.directory)


def _give_back(action: actions.ReleaseDhcpPort) -> Recipe[None]:
    try:
        if action.device_id is not None:
            yield Call("server", "release_dhcp_port", (action.key.network_id, action.device_id))
    except AdapterError as error:
        # The network went, and its ports with it. Where it is wanted, the claim that follows is told so too.
        if _fault(error) != "network_not_found":
            raise
    if action.directory is not None:
        yield Call("files", "remove", (f"{action.directory}/{OWED_MARK}",))
        yield from _remove_empty(action.directory)


def _remove_empty(directory: str) -> Recipe[None]:
    left: Sequence[str] = yield Call("files", "list", (directory,))
    if not left:
        yield Call("files", "remove", (directory,))


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


# -- looking ----------------------------------------------------------------------------------------------------------


def _observe(settings: Settings) -> Recipe[ObservedHost]:
    processes: Sequence[ObservedProcess] = yield Call("processes", "observe_processes")
    devices: Sequence[ObservedDevice] = yield Call("namespaces", "observe_devices")
    instances = yield from _instances(settings, processes, devices)
    proxies = yield from _proxies(settings, processes)
    claimed = {(i.device.namespace, i.device.name) for i in instances if i.device is not None}
    return ObservedHost(
        instances=instances,
        proxies=proxies,
        namespaces=tuple(sorted({device.namespace for device in devices})),
        stray_devices=tuple(d for d in devices if d.name and (d.namespace, d.name) not in claimed),
    )


def _instances(
    settings: Settings, processes: Sequence[ObservedProcess], devices: Sequence[ObservedDevice]
) -> Recipe[tuple[ObservedInstance, ...]]:
    running = {process.owner: process for process in processes if process.program == "dnsmasq"}
    named = {(device.namespace, device.name): device for device in devices if device.name}
    found: list[ObservedInstance] = []
    for owner in sorted({*running, *(yield from _instance_directories(settings.confs_dir))}):
        segmentation, _, network_id = owner.rpartition("/")
        try:
            key = InstanceKey(network_id=network_id, segmentation=segmentation or None)
        except DhcpCoreError:
            continue  # no id of anything: a directory of somebody else's
        directory = f"{settings.confs_dir}/{owner}"
        texts: dict[str, str | None] = {}
        for name in ("host", "addn_hosts", "opts", "leases", "interface", DIRTY_MARK, UNREPORTED_MARK):
            texts[name] = yield Call("files", "read", (f"{directory}/{name}",))
        found.append(
            ObservedInstance(
                key=key,
                directory=directory,
                process=running.get(owner),
                host=texts["host"],
                addn_hosts=texts["addn_hosts"],
                opts=texts["opts"],
                leases=texts["leases"],
                interface=texts["interface"],
                dirty=texts[DIRTY_MARK] is not None,
                unreported=tuple((texts[UNREPORTED_MARK] or "").split()),
                device=named.get((f"qdhcp-{network_id}", texts["interface"] or "")),
            )
        )
    return tuple(found)


def _instance_directories(top: str) -> Recipe[set[str]]:
    """The directories of instances below `top`, relative to it: ``<network id>``, ``<segmentation id>/<network id>``.

    A directory without any instance's file in it is a segment's: taken for a network's, it would be removed with
    everything that other networks have below it. What else is in an instance's directory is no instance. An empty one
    is what a kill left of a network between its last file and its directory.
    """
    found: set[str] = set()
    names: Sequence[str] = yield Call("files", "list", (top,))
    for name in names:
        children: Sequence[str] = yield Call("files", "list", (f"{top}/{name}",))
        is_of_a_segment = name == "None" or name.isdecimal()
        if not INSTANCE_FILES.isdisjoint(children) or not (children or is_of_a_segment):
            found.add(name)
        else:
            found.update(f"{name}/{child}" for child in children)
    return found


def _proxies(settings: Settings, processes: Sequence[ObservedProcess]) -> Recipe[tuple[ObservedProxy, ...]]:
    running = {process.owner: process for process in processes if process.program == "haproxy"}
    names: Sequence[str] = yield Call("files", "list", (settings.proxy_config_dir,))
    known = {name.removesuffix(".conf") for name in names if name.endswith(".conf")}
    found: list[ObservedProxy] = []
    for proxy_id in sorted(known | set(running)):
        path = f"{settings.proxy_config_dir}/{proxy_id}.conf"
        config: str | None = yield Call("files", "read", (path,))
        process = running.get(proxy_id)
        namespace = process.namespace if process is not None else None
        found.append(
            ObservedProxy(
                network_id=namespace.removeprefix("qdhcp-") if namespace else proxy_id,
                proxy_id=proxy_id,
                process=process,
                config=config,
                config_path=path,
            )
        )
    return tuple(found)


# -- answers ----------------------------------------------------------------------------------------------------------


def _parsed(parse: Callable[[Any], T], payload: Any) -> T:
    try:
        return parse(payload)
    except PayloadError as error:
        raise AdapterError(f"unreadable answer: {error}") from None


def _port(answer: Any) -> Port | None:
    return None if answer is None else _parsed(wire.parse_port, answer)
