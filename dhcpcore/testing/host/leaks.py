"""What is on a host and belongs to nothing that is served there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dhcpcore.model.spec import InstanceSpec, MetadataProxySpec
from dhcpcore.testing.host.memory import MemoryHost


def leaks(
    host: MemoryHost, instances: Iterable[InstanceSpec], proxies: Iterable[MetadataProxySpec] = ()
) -> tuple[str, ...]:
    """One sentence for each thing on `host` that neither `instances` nor `proxies` account for; sorted.

    Also tells of instances and proxies that run more than once.  What is missing is no leak.
    """
    instances, proxies = tuple(instances), tuple(proxies)
    owners = {("dnsmasq", spec.key.directory) for spec in instances} | {("haproxy", spec.proxy_id) for spec in proxies}
    devices = {(spec.device.namespace, spec.device.name) for spec in instances}
    namespaces = {namespace for namespace, _ in devices} | {spec.namespace for spec in proxies}
    directories = {spec.directory for spec in instances}
    found = []
    running: Counter[tuple[str, str]] = Counter()
    for pid, process in host.processes.items():
        owner = (process.program, host.owner(process) or "nobody")
        if process.zombie:
            continue
        running[owner] += 1
        if owner not in owners:
            found.append(f"process {pid}: {owner[0]} of {owner[1]}, which is not served")
        elif host.namespace_of(process) is None:
            found.append(f"process {pid}: {owner[0]} of {owner[1]} runs in a namespace without a name")
    found += [f"{program} of {owner} runs {number} times" for (program, owner), number in running.items() if number > 1]
    for name, namespace in host.namespaces.items():
        if name not in namespaces:
            found.append(f"namespace {name} serves nothing")
        found += [
            f"device {device} in {name} belongs to no DHCP port"
            for device in namespace.devices
            if (name, device) not in devices
        ]
    for path in host.disk.files(host.dhcp_confs):
        if path.rpartition("/")[0] not in directories:
            found.append(f"file {path} belongs to no instance")
    return tuple(sorted(found))
