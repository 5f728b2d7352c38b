"""Which ports an agent must be able to remember when it is killed before it has reported them.

A port that is bound and not ACTIVE is found again by that: it is reported after a start.  One that is ACTIVE, and got
another address or MAC address, may be waited for by the server all the same, and nothing it answers tells so (Neutron,
ml2: update_port blocks the provisioning, the status changes when the layer 2 agent asks).  So what serves it otherwise,
or begins to serve it at all, leaves its id beside the instance's files, and whoever finds that reports the port, once
too often rather than never.  When all that are named there were reported the ids go.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_interface

from attrs import evolve

from dhcpcore.actions import Action, ApplyAction, EnableInstance, ForgetUnreported, ReleaseLeases, UpdateDevice
from dhcpcore.model.port import Port
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceView
from dhcpcore.render.readback import removed_hosts
from dhcpcore.state.agent import AgentState
from dhcpcore.state.ports import may_wait
from dhcpcore.state.ready import waits
from dhcpcore.state.records import NetworkRecord, ServedInstance


def with_unreported(
    state: AgentState, record: NetworkRecord, view: InstanceView, served: ServedInstance | None, action: Action
) -> Action:
    """`action` with the ports that it is to leave the ids of, where those are others than lie there already."""
    if not isinstance(action, ApplyAction) or isinstance(action, UpdateDevice | ReleaseLeases):
        return action
    ports = record.desired.ports if record.desired is not None else ()
    if isinstance(action, EnableInstance):
        # Nobody served here before, and the server may wait for any of them; the others tell it themselves.
        ports = tuple(port for port in ports if port.status == "ACTIVE" or not may_wait(port))
    else:
        waiting, clients = _waiting(state, record, ports), _new_clients(served, action)
        ports = tuple(
            port
            for port in (ports if waiting or clients else ())
            if (port.id in waiting or (clients and port.mac_address.lower() in clients)) and port.status == "ACTIVE"
        )
    subnets = {subnet.id for subnet in view.subnets if subnet.enable_dhcp}
    ids = tuple(sorted(port.id for port in ports if any(ip.subnet_id in subnets for ip in port.fixed_ips)))
    return action if ids == (served.unreported if served is not None else ()) else evolve(action, unreported=ids)


def forgets(state: AgentState, record: NetworkRecord, key: InstanceKey) -> list[Action]:
    """What removes the ids beside an instance that serves what it should, once none of those ports waits any more."""
    served = record.served.get(key)
    if served is None or not served.unreported or waits(state, record, served.unreported):
        return []
    reasons = ("its ports were reported",)
    return [ForgetUnreported(key=key, directory=served.spec.directory, reasons=reasons)]


def _waiting(state: AgentState, record: NetworkRecord, ports: Collection[Port]) -> set[str]:
    waiting = {*record.awaiting_ready}
    for known in (state.ready.queue, state.ready.reporting):
        # Whichever is shorter: a network may have thousands of ports, and so may what is to be reported of all.
        if len(known) < len(ports):
            waiting.update(port_id for port_id, port in known.items() if port.network_id == record.id)
        elif known:
            waiting.update(port.id for port in ports if port.id in known)
    return waiting


def _new_clients(served: ServedInstance | None, action: ApplyAction) -> set[str]:
    """MAC addresses that an instance of another life of the agent's does not serve as it will; that life knew why."""
    if served is None or served.spec.view is not None:
        return set()
    before, after = served.spec.host, action.spec.host
    # One that only loses an address is waited for as one that gets another.
    changed = (*removed_hosts(after, before), *removed_hosts(before, after))
    new = {entry.mac_address.lower() for entry in changed} - {""}
    device = action.spec.device
    same = _from_server(device) == _from_server(served.spec.device)
    return new if same else {*new, device.mac_address.lower()}


def _from_server(device: DeviceSpec) -> set[str]:
    """The addresses of a DHCP port, without those that every device has and those of metadata."""
    return {address for address in device.addresses if not ip_interface(address).is_link_local}
