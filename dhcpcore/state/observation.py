"""Folding what was found on the host: at start, at an audit, after a failure.

What is found replaces what was remembered, except where an action ran or ended since the question was asked.
Nothing here trusts what it reads: texts are whatever lay on the disk.
"""

from __future__ import annotations

from attrs import evolve
from immutables import Map

from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProxy
from dhcpcore.state.agent import AgentState, put
from dhcpcore.state.records import NetworkRecord, ServedInstance, ServedProxy

#: Stands for a file that does not exist: no rendered file can be equal to it.
MISSING = "\0missing"


def host_observed(
    state: AgentState, observed: ObservedHost, only_network_id: str | None, sent_seq: int, at: float
) -> AgentState:
    """Everything found on the host, or everything found of one network."""
    instances: dict[str, list[ObservedInstance]] = {}
    for instance in observed.instances:
        instances.setdefault(instance.key.network_id, []).append(instance)
    proxies = {proxy.network_id: proxy for proxy in observed.proxies}
    prefix = "qdhcp-"
    namespaces = {name[len(prefix) :] for name in observed.namespaces if name.startswith(prefix)}
    strays: dict[str, list[str]] = {}
    for device in observed.stray_devices:
        if device.namespace.startswith(prefix):
            strays.setdefault(device.namespace[len(prefix) :], []).append(device.name)
    if only_network_id is None:
        candidates = {*state.networks, *instances, *proxies, *namespaces, *strays}
        due = at + state.settings.audit_interval
        state = evolve(state, observation=evolve(state.observation, done=True, due=due, retry=None))
    else:
        candidates = {only_network_id}
    for network_id in sorted(candidates):
        record = state.record(network_id)
        if f"network:{network_id}" in state.in_flight or record.host_seq > sent_seq >= 0:
            continue  # what was seen there is older than what is known
        seen = _seen(
            record,
            instances.get(network_id, []),
            proxies.get(network_id),
            network_id in namespaces,
            tuple(sorted(strays.get(network_id, ()))),
        )
        if seen != record or network_id in state.touched:
            state = put(state, seen)
    return state


def _seen(
    record: NetworkRecord,
    instances: list[ObservedInstance],
    proxy: ObservedProxy | None,
    namespace: bool,
    strays: tuple[str, ...],
) -> NetworkRecord:
    served: Map[InstanceKey, ServedInstance] = Map()
    for instance in sorted(instances, key=lambda found: found.key.directory):
        served = served.set(instance.key, _instance(record.served.get(instance.key), instance, record.id))
    for key, known in record.served.items():
        if key not in served:
            # Nothing of it is left; what it took (a port) may have to be given back still.
            gone = evolve(known, alive=False, pid=None, drift=("nothing of it is left on the host",), leases=None)
            served = served.set(key, gone)
    return evolve(
        record,
        served=served,
        proxy=_proxy(record.proxy, proxy),
        namespace=namespace,
        strays=strays,
        observe=False,
    )


def _instance(known: ServedInstance | None, found: ObservedInstance, network_id: str) -> ServedInstance:
    process = found.process
    namespace = f"qdhcp-{network_id}"
    drift = []
    if process is not None and process.namespace != namespace:
        drift.append("dnsmasq runs in another namespace")
    device = found.device
    if device is not None and not device.up:
        drift.append(f"device {device.name} is down")
    argv = process.argv if process is not None else (known.spec.argv if known is not None else ())
    spec = InstanceSpec(
        key=found.key,
        directory=known.spec.directory if known is not None else "",
        process_tag=known.spec.process_tag if known is not None else f"dnsmasq-{found.key.directory}",
        argv=argv,
        host=MISSING if found.host is None else found.host,
        addn_hosts=MISSING if found.addn_hosts is None else found.addn_hosts,
        opts=MISSING if found.opts is None else found.opts,
        device=_device(known, found, device, namespace),
        view=known.spec.view if known is not None else None,
        lines=known.spec.lines if known is not None else None,
    )
    if known is not None and spec == known.spec:
        spec = known.spec
    pid = process.pid if process is not None else None
    same = known is not None and known.pid in (None, pid)
    return ServedInstance(
        spec=spec,
        alive=process is not None,
        dirty=found.dirty,
        drift=tuple(drift),
        adopted=known.adopted if known is not None and same else True,
        pid=pid,
        dadfailed=device is not None and any(a.startswith("fe80::a9fe:a9fe") for a in device.dadfailed),
        leases=found.leases,
        started_at=known.started_at if known is not None and same else None,
        deaths=known.deaths if known is not None else 0,
    )


def _device(
    known: ServedInstance | None, found: ObservedInstance, device: ObservedDevice | None, namespace: str
) -> DeviceSpec:
    if device is None:
        return DeviceSpec(
            name="", namespace=namespace, network_id=found.key.network_id, port_id="", mac_address="", addresses=()
        )
    observed = DeviceSpec(
        name=device.name,
        namespace=device.namespace,
        network_id=found.key.network_id,
        # The name holds the first eleven characters of the port's id; the rest is not on the host.
        port_id=known.spec.device.port_id if known is not None and known.spec.device.name == device.name else "",
        mac_address=device.mac_address,
        mtu=device.mtu,
        addresses=device.addresses,
        routes=device.routes,
    )
    if known is not None and evolve(observed, addresses=known.spec.device.addresses) == known.spec.device:
        if set(observed.addresses) == set(known.spec.device.addresses):
            return known.spec.device
    return observed


def _proxy(known: ServedProxy | None, found: ObservedProxy | None) -> ServedProxy | None:
    if found is None:
        if known is None:
            return None
        return evolve(known, alive=False, pid=None, config=None)
    pid = found.process.pid if found.process is not None else None
    same = known is not None and known.proxy_id == found.proxy_id and known.pid in (None, pid)
    return ServedProxy(
        proxy_id=found.proxy_id,
        config=found.config,
        alive=found.process is not None,
        pid=pid,
        adopted=known.adopted if known is not None and same else True,
        started_at=known.started_at if known is not None and same else None,
        deaths=known.deaths if known is not None and same else 0,
    )
