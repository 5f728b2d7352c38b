"""Folding what was found on the host: at start, at an audit, after a failure.

What is found replaces what was remembered, except where an action ran or ended since the question was asked.
Nothing here trusts what it reads: texts are whatever lay on the disk.
"""

from __future__ import annotations

from attrs import define, field
from immutables import Map

from dhcpcore.model.checks import is_id
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProxy
from dhcpcore.state.agent import AgentState, need_full_fetch, put, touch
from dhcpcore.state.evolving import evolve
from dhcpcore.state.ports import may_wait
from dhcpcore.state.records import NetworkRecord, ServedInstance, ServedProxy, backoff, short, unreported

#: Stands for a file that does not exist: no rendered file can be equal to it.
MISSING = "\0missing"

#: Network namespaces of DHCP agents (Neutron NS_PREFIX).
_PREFIX = "qdhcp-"


def host_observed(
    state: AgentState,
    observed: ObservedHost,
    only_network_id: str | None,
    sent_seq: int,
    at: float,
    jitter: float = 0.0,
) -> AgentState:
    """Everything found on the host, or everything found of one network."""
    found = _by_network(observed)
    unreadable = {each.network_id: each.reason for each in observed.unreadable if is_id(each.network_id)}
    if only_network_id is None:
        candidates = {*state.networks, *found, *unreadable}
        first = not state.observation.done
        # Spread by up to a quarter: not all agents of a site look at the same moment.
        due = at + state.settings.audit_interval * (1 + jitter / 4)
        retry = None
        if unreadable:
            # One look serves all of them.
            reason = f"{len(unreadable)} networks cannot be looked at, such as {min(unreadable)}"
            retry = backoff(state.settings, state.observation.retry, at=at, reason=reason, jitter=jitter)
            due = min(due, retry.not_before)
        state = evolve(state, observation=evolve(state.observation, done=True, at=at, due=due, retry=retry))
    else:
        candidates, first = {only_network_id}, False
    ended = {network_id for network_id, seq in state.ended.items() if seq > sent_seq >= 0}
    if only_network_id is None and state.ended:
        state = evolve(state, ended=Map())
    for network_id in sorted(candidates):
        if network_id in ended:
            # It was seen as long as something of it was there. Taken for true, a process that was stopped with it would
            # look like one that died, and with check_child_processes_action = exit end the agent.
            state = touch(state, network_id)
            continue
        known = state.networks.get(network_id)
        # Until now nobody knew what of it was served: an answer that lacked it was not weighed (the brake).
        unveiled = known is not None and _is_hidden(known) and network_id not in unreadable
        if (known is None or unveiled) and state.sync.answered_seq >= 0:
            # Left behind by somebody: whether the server wants it is for the next full answer to say.
            state = need_full_fetch(state, "found on the host what was not known")
        record = evolve(state.record(network_id), removal=None) if unveiled else state.record(network_id)
        if record.died and f"network:{network_id}" not in state.in_flight:
            record = evolve(record, died=Map())
            state = put(state, record, touch=False)
        if f"network:{network_id}" in state.in_flight or record.host_seq > sent_seq >= 0:
            state = touch(state, network_id)  # what was seen there is older than what is known
            continue
        if network_id in unreadable:
            # What is remembered of it stands; where that is nothing, nothing is planned before it was seen.
            reason = short(unreadable[network_id])
            if only_network_id is not None:
                retry = backoff(state.settings, record.retry, at=at, reason=reason, jitter=jitter)
                record = evolve(record, retry=retry, observe=record.observe and not record.served)
            state = put(state, evolve(record, unreadable=reason))
            continue
        seen = _seen(record, found.get(network_id, _Found()))
        if seen != record:
            state = put(state, seen)
        elif first:
            state = touch(state, network_id)
    return state


def _is_hidden(record: NetworkRecord) -> bool:
    """Whether nothing is known of a network but that it cannot be looked at."""
    return bool(record.unreadable) and not record.served and record.desired is None


@define
class _Found:
    """What was found of one network."""

    instances: list[ObservedInstance] = field(factory=list)
    proxies: list[ObservedProxy] = field(factory=list)
    namespace: bool = False
    strays: list[str] = field(factory=list)


def _by_network(observed: ObservedHost) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for instance in observed.instances:
        found.setdefault(instance.key.network_id, _Found()).instances.append(instance)
    for proxy in observed.proxies:
        if is_id(proxy.network_id) and is_id(proxy.proxy_id):
            found.setdefault(proxy.network_id, _Found()).proxies.append(proxy)
    for name in observed.namespaces:
        if (network_id := _network_of(name)) is not None:
            found.setdefault(network_id, _Found()).namespace = True
    for device in observed.stray_devices:
        if (network_id := _network_of(device.namespace)) is not None:
            network = found.setdefault(network_id, _Found())
            network.strays.append(device.name)
            network.namespace = True
    return found


def _network_of(namespace: str) -> str | None:
    """The network that a namespace is of; None where its name is none that an agent gives."""
    network_id = namespace.removeprefix(_PREFIX)
    return network_id if namespace.startswith(_PREFIX) and is_id(network_id) else None


def _seen(record: NetworkRecord, found: _Found) -> NetworkRecord:
    served: Map[InstanceKey, ServedInstance] = Map()
    for instance in sorted(found.instances, key=lambda each: each.key.directory):
        if instance.key in record.owed and _is_disabled(instance):
            continue
        served = served.set(instance.key, _instance(record.served.get(instance.key), instance, record.id))
    for key, known in record.served.items():
        if key not in served:
            # Nothing of it is left; what it took (a port) may have to be given back still.
            gone = evolve(known, alive=False, pid=None, drift=("nothing of it is left on the host",), leases=None)
            served = served.set(key, gone)
    # One proxy serves a network; others in its namespace are left over from when it had another id (LP 1526084).
    proxies = sorted(
        found.proxies,
        key=lambda each: (
            record.proxy is None or each.proxy_id != record.proxy.proxy_id,
            each.process is None,
            each.proxy_id,
        ),
    )
    awaiting = record.awaiting_ready
    if record.desired is not None:
        # Of another life of the agent's, or of an action of this one that failed after it had written the mark.
        left = unreported(served.values()) - unreported(record.served.values())
        awaiting = awaiting.update({port.id: False for port in record.desired.ports if port.id in left - {*awaiting}})
        if not record.served and served:
            # Heard of before it was known that all is served already: of those only what the server may wait for.
            waits = left | {port.id for port in record.desired.ports if port.status != "ACTIVE" and may_wait(port)}
            awaiting = Map({port_id: urgent for port_id, urgent in awaiting.items() if urgent or port_id in waits})
    return evolve(
        record,
        served=served,
        awaiting_ready=awaiting,
        proxy=_proxy(record.proxy, proxies[0] if proxies else None),
        stray_proxies=tuple(_observed_proxy(None, each) for each in proxies[1:]),
        namespace=found.namespace,
        strays=tuple(sorted(found.strays)),
        observe=False,
        unreadable="",
    )


def _unplugged(device: ObservedDevice) -> str:
    # dnsmasq goes on with a device that was down: it keeps its sockets, and hears of addresses that come again.
    return device.unplugged or ("" if device.up else f"device {device.name} is down")


def _is_disabled(found: ObservedInstance) -> bool:
    """Whether nothing is left but what tells that its DHCP port is owed (`OWED_MARK`)."""
    texts = (found.host, found.addn_hosts, found.opts, found.leases)
    return found.process is None and found.device is None and not found.dirty and texts == (None,) * len(texts)


def _instance(known: ServedInstance | None, found: ObservedInstance, network_id: str) -> ServedInstance:
    process = found.process
    namespace = f"{_PREFIX}{network_id}"
    drift = []
    if process is not None and process.namespace != namespace:
        drift.append("dnsmasq runs in another namespace")
    if process is not None and process.stopped:
        drift.append("dnsmasq is stopped (SIGSTOP)")
    device = found.device
    argv = process.argv if process is not None else (known.spec.argv if known is not None else ())
    spec = InstanceSpec(
        key=found.key,
        directory=found.directory or (known.spec.directory if known is not None else ""),
        process_tag=known.spec.process_tag if known is not None else f"dnsmasq-{found.key.directory}",
        argv=argv,
        host=MISSING if found.host is None else found.host,
        addn_hosts=MISSING if found.addn_hosts is None else found.addn_hosts,
        opts=MISSING if found.opts is None else found.opts,
        device=_device(known, found, device, namespace, shared=any(a.startswith("--interface=") for a in argv)),
        view=known.spec.view if known is not None else None,
        lines=known.spec.lines if known is not None else None,
    )
    if known is not None and spec == known.spec:
        spec = known.spec
    pid = process.pid if process is not None else None
    same = known is not None and known.pid in (None, pid)
    # Somebody edited a file: what dnsmasq has loaded is not what lies there. So it stays until it was made to load it.
    edited = (
        known is not None and same and (known.dirty or (spec.host, spec.opts) != (known.spec.host, known.spec.opts))
    )
    return ServedInstance(
        spec=spec,
        alive=process is not None,
        dirty=found.dirty or (edited and process is not None),
        unreported=found.unreported,
        drift=tuple(drift),
        unplugged=_unplugged(device) if device is not None else "",
        replaced=process is not None and process.replaced,
        adopted=known.adopted if known is not None and same else True,
        pid=pid,
        dadfailed=device is not None and any(a.startswith("fe80::a9fe:a9fe") for a in device.dadfailed),
        leases=found.leases,
        started_at=known.started_at if known is not None and same else None,
        deaths=known.deaths if known is not None else 0,
        last_death=known.last_death if known is not None else None,
    )


def _device(
    known: ServedInstance | None,
    found: ObservedInstance,
    device: ObservedDevice | None,
    namespace: str,
    *,
    shared: bool,
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
        # One that failed duplicate address detection is there all the same: it is never set again.
        addresses=tuple(dict.fromkeys((*device.addresses, *device.tentative, *device.dadfailed))),
        routes=device.routes,
        # Not to be seen in what is told of the host; but whoever started it so has labelled its addresses.
        shared=shared,
    )
    if known is not None and evolve(observed, addresses=known.spec.device.addresses) == known.spec.device:
        if set(observed.addresses) == set(known.spec.device.addresses):
            return known.spec.device
    return observed


def _proxy(known: ServedProxy | None, found: ObservedProxy | None) -> ServedProxy | None:
    if found is None:
        return None if known is None else evolve(known, alive=False, pid=None, config=None)
    return _observed_proxy(known, found)


def _observed_proxy(known: ServedProxy | None, found: ObservedProxy) -> ServedProxy:
    process = found.process
    if process is not None and (process.stopped or process.namespace != f"{_PREFIX}{found.network_id}"):
        process = None  # it serves nobody as it is, or where it is; starting it anew replaces it
    pid = process.pid if process is not None else None
    if known is not None and (known.proxy_id != found.proxy_id or known.pid not in (None, pid)):
        known = None
    return ServedProxy(
        proxy_id=found.proxy_id,
        config=found.config,
        config_path=found.config_path or (known.config_path if known is not None else ""),
        alive=process is not None,
        pid=pid,
        adopted=known.adopted if known is not None else True,
        started_at=known.started_at if known is not None else None,
        deaths=known.deaths if known is not None else 0,
        last_death=known.last_death if known is not None else None,
    )
