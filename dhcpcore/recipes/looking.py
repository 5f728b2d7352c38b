"""How the host is looked at, as a recipe: processes, devices, and every file that may be an instance's or a proxy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dhcpcore.errors import AdapterError, DhcpCoreError
from dhcpcore.model.checks import is_uuid
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import (
    DIRTY_MARK,
    INSTANCE_FILES,
    UNREPORTED_MARK,
    ObservedDevice,
    ObservedHost,
    ObservedInstance,
    ObservedProcess,
    ObservedProxy,
    Unreadable,
)
from dhcpcore.recipes.calls import Call, Recipe
from dhcpcore.render.isolation import METADATA_V4_ADDRESS

#: In the configuration of every proxy of a DHCP agent.  L3 agents keep those of their routers in the same directory;
#: theirs bind port 9697 of all addresses (neutron.agent.metadata.driver).
_BINDS: Final = f"bind {METADATA_V4_ADDRESS}:"


def observe(settings: Settings) -> Recipe[ObservedHost]:
    """Everything of ours, or of the stock agent's, that is on the host."""
    processes: Sequence[ObservedProcess] = yield Call("processes", "observe_processes")
    devices: Sequence[ObservedDevice] = yield Call("namespaces", "observe_devices")
    unreadable: list[Unreadable] = []
    instances = yield from _instances(settings, processes, devices, unreadable)
    proxies = yield from _proxies(settings, processes, unreadable)
    claimed = {(i.device.namespace, i.device.name) for i in instances if i.device is not None}
    return ObservedHost(
        instances=instances,
        proxies=proxies,
        namespaces=tuple(sorted({device.namespace for device in devices})),
        stray_devices=tuple(d for d in devices if d.name and (d.namespace, d.name) not in claimed),
        unreadable=tuple(unreadable),
    )


def _instances(
    settings: Settings,
    processes: Sequence[ObservedProcess],
    devices: Sequence[ObservedDevice],
    unreadable: list[Unreadable],
) -> Recipe[tuple[ObservedInstance, ...]]:
    running = {process.owner: process for process in processes if process.program == "dnsmasq"}
    named = {(device.namespace, device.name): device for device in devices if device.name}
    found: list[ObservedInstance] = []
    for owner in sorted({*running, *(yield from _instance_directories(settings.confs_dir, unreadable))}):
        segmentation, _, network_id = owner.rpartition("/")
        try:
            key = InstanceKey(network_id=network_id, segmentation=segmentation or None)
        except DhcpCoreError:
            continue  # no id of anything: a directory of somebody else's
        directory = f"{settings.confs_dir}/{owner}"
        texts: dict[str, str | None] = {}
        try:
            for name in ("host", "addn_hosts", "opts", "leases", "interface", DIRTY_MARK, UNREPORTED_MARK):
                texts[name] = yield Call("files", "read", (f"{directory}/{name}",))
        except AdapterError as error:
            unreadable.append(Unreadable(network_id=network_id, reason=str(error)))
            continue
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


def _instance_directories(top: str, unreadable: list[Unreadable]) -> Recipe[set[str]]:
    """The directories of instances below `top`, relative to it: ``<network id>``, ``<segmentation id>/<network id>``.

    Other names are other people's, a file's or a copy's, say, and what is taken for an instance that the server does
    not list is removed.  So an id that is no UUID, as Neutron's are, tells of an instance only while a process does.
    """
    found: set[str] = set()
    names: Sequence[str] = yield Call("files", "list", (top,))
    for name in names:
        if name == "None" or name.isdecimal():  # a segment's, and an error: whose networks those are is not known
            below: Sequence[str] = yield Call("files", "list", (f"{top}/{name}",))
            candidates = [f"{name}/{child}" for child in below]
        else:
            candidates = [name]
        for directory in candidates:
            network_id = directory.rpartition("/")[2]
            if not is_uuid(network_id):
                continue
            try:
                children: Sequence[str] = yield Call("files", "list", (f"{top}/{directory}",))
            except AdapterError as error:
                unreadable.append(Unreadable(network_id=network_id, reason=str(error)))
                continue
            # An empty one is what a kill left of a network between its last file and its directory.
            if not children or not INSTANCE_FILES.isdisjoint(children):
                found.add(directory)
    return found


def _proxies(
    settings: Settings, processes: Sequence[ObservedProcess], unreadable: list[Unreadable]
) -> Recipe[tuple[ObservedProxy, ...]]:
    # An L3 agent's are not ours, and may have the id of one of ours.
    ours = [each for each in processes if each.namespace is None or each.namespace.startswith("qdhcp-")]
    others = {each.owner for each in processes if each.program == "haproxy"} - {each.owner for each in ours}
    running = {process.owner: process for process in ours if process.program == "haproxy"}
    names: Sequence[str] = yield Call("files", "list", (settings.proxy_config_dir,))
    known = {name.removesuffix(".conf") for name in names if name.endswith(".conf")}
    known = {proxy_id for proxy_id in known if is_uuid(proxy_id)}
    found: list[ObservedProxy] = []
    for proxy_id in sorted(known | set(running)):
        path = f"{settings.proxy_config_dir}/{proxy_id}.conf"
        process = running.get(proxy_id)
        if process is None and proxy_id in others:
            continue
        namespace = process.namespace if process is not None else None
        network_id = namespace.removeprefix("qdhcp-") if namespace else proxy_id
        try:
            config: str | None = yield Call("files", "read", (path,))
        except AdapterError as error:
            if process is not None:
                unreadable.append(Unreadable(network_id=network_id, reason=str(error)))
            continue
        if namespace is None and config is not None and _BINDS not in config:
            continue
        found.append(
            ObservedProxy(
                network_id=network_id,
                proxy_id=proxy_id,
                process=process,
                config=config,
                config_path=path,
            )
        )
    return tuple(found)
