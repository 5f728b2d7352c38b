"""A host just as a scripted agent left it: what an observation finds when nothing went wrong."""

from __future__ import annotations

from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProcess
from support.script import Script


def observed(script: Script, *more: ObservedInstance, stray_devices: tuple[ObservedDevice, ...] = ()) -> ObservedHost:
    """Every instance that the script's agent serves, and `more`."""
    instances = [_instance(script, key) for record in script.state.networks.values() for key in record.served]
    return ObservedHost(
        instances=(*instances, *more),
        namespaces=tuple(f"qdhcp-{network_id}" for network_id in script.state.networks),
        stray_devices=stray_devices,
    )


def _instance(script: Script, key: InstanceKey) -> ObservedInstance:
    served = script.record(key.network_id).served[key]
    spec, device = served.spec, served.spec.device
    process = ObservedProcess(
        program="dnsmasq", owner=key.directory, pid=served.pid or 1, argv=spec.argv, namespace=device.namespace
    )
    return ObservedInstance(
        key=key,
        directory=spec.directory,
        process=process,
        host=spec.host,
        addn_hosts=spec.addn_hosts,
        opts=spec.opts,
        interface=device.name,
        device=ObservedDevice(
            namespace=device.namespace,
            name=device.name,
            mac_address=device.mac_address,
            mtu=device.mtu,
            addresses=device.addresses,
            routes=device.routes,
        ),
    )
