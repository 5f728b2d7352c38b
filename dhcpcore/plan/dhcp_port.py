"""Which port an instance serves on, and what to ask of the server when there is none, or not the right one.

The DHCP port is found by its device_id, never remembered: what the server lists is what there is.
Cases: ours with the right subnets; ours with others; a reserved one; none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import frozen

from dhcpcore.actions import ClaimAction, ClaimReservedPort, CreateDhcpPort, ReleaseDhcpPort, UpdateDhcpPort
from dhcpcore.model.network import DHCPV6_STATELESS, SLAAC, Subnet
from dhcpcore.model.port import DEVICE_ID_RESERVED_DHCP_PORT, Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceView


@frozen(kw_only=True)
class DhcpPortChoice:
    """The port to serve on now, if there is one, and the actions that would make it right."""

    port: Port | None
    claims: tuple[ClaimAction | ReleaseDhcpPort, ...] = ()


def device_id(settings: Settings, key: InstanceKey) -> str:
    """The device_id of an instance's DHCP port (Neutron get_dhcp_agent_device_id)."""
    return settings.dhcp_device_id(key.network_id, key.port_key.segmentation)


def choose_dhcp_port(
    view: InstanceView,
    settings: Settings,
    *,
    plugged: str | None,
    accepted: Mapping[InstanceKey, frozenset[str]],
    use_gateway_ips: bool,
    taken: Collection[str] = (),
) -> DhcpPortChoice:
    """The DHCP port of one instance.

    Args:
        plugged: name of the device that serves now: of several ports of ours the plugged one is kept.
        accepted: subnets on which the server gave an address that it was not asked for, by instance.
        use_gateway_ips: whether the port serves on the gateway's address and needs none of its own.
        taken: reserved ports that another instance of the network is about to claim.
    """
    wanted = {subnet.id: subnet for subnet in view.subnets if subnet.enable_dhcp}
    own_id = device_id(settings, view.key)
    port = _ours(view, own_id, settings, plugged)
    if port is not None:
        has = {ip.subnet_id for ip in port.fixed_ips}
        missing = wanted.keys() - has
        surplus = {s for s in has - wanted.keys() if not _assigned_anyway(s, view)}
        if use_gateway_ips or (not missing and surplus <= accepted.get(view.key, frozenset())):
            return DhcpPortChoice(port=port)
        return DhcpPortChoice(port=port, claims=_other_subnets(view, port, own_id, wanted, missing, surplus))
    for candidate in view.ports:
        if candidate.device_id == DEVICE_ID_RESERVED_DHCP_PORT and candidate.id not in taken and _fits(candidate, view):
            reasons = (f"claim reserved DHCP port {candidate.id}",)
            claim = ClaimReservedPort(key=view.key, port_id=candidate.id, device_id=own_id, reasons=reasons)
            return DhcpPortChoice(port=None, claims=(claim,))
    subnet_ids = () if use_gateway_ips else tuple(wanted)
    return DhcpPortChoice(port=None, claims=(_create(view, own_id, subnet_ids, "claim a new DHCP port"),))


def _ours(view: InstanceView, own_id: str, settings: Settings, plugged: str | None) -> Port | None:
    mine = [
        port for port in view.ports if port.device_id == own_id and port.binding_host_id in (None, "", settings.host)
    ]
    for port in mine:
        if f"{settings.device_prefix}{port.id[:11]}" == plugged:
            return port
    return mine[0] if mine else None


def _fits(reserved: Port, view: InstanceView) -> bool:
    """Whether a reserved port is of use to this instance: of a routed network each has its own subnets."""
    if view.segment is None or not reserved.fixed_ips:
        return True
    subnet_ids = {subnet.id for subnet in view.subnets}
    return any(ip.subnet_id in subnet_ids for ip in reserved.fixed_ips)


def _assigned_anyway(subnet_id: str, view: InstanceView) -> bool:
    """Whether the server gives such an address by itself, or the subnet is none of this instance's.

    It does where either mode says that clients form their own (Neutron, ipv6_utils.is_auto_address_subnet).
    """
    for subnet in view.subnets:
        if subnet.id == subnet_id:
            return not {subnet.ipv6_address_mode, subnet.ipv6_ra_mode}.isdisjoint((SLAAC, DHCPV6_STATELESS))
    return True


def _other_subnets(
    view: InstanceView,
    port: Port,
    own_id: str,
    wanted: Mapping[str, Subnet],
    missing: set[str],
    surplus: set[str],
) -> tuple[ClaimAction | ReleaseDhcpPort, ...]:
    parts = []
    if missing:
        parts.append(f"no address on subnet {', '.join(sorted(missing))}")
    if surplus:
        parts.append(f"an address on subnet {', '.join(sorted(surplus))}, which it does not serve")
    reason = f"DHCP port {port.id} has {' and '.join(parts)}"
    if own_id != f"dhcp{own_id.removeprefix('dhcp')[:36]}-{view.key.network_id}":
        # A segment's device_id has a suffix that the server's update_dhcp_port does not recognise: it answers None.
        release = ReleaseDhcpPort(key=view.key, device_id=own_id, reasons=(reason,))
        return (release, _create(view, own_id, tuple(wanted), reason))
    own = {subnet.id for subnet in view.subnets}
    elsewhere = {subnet.id for subnet in view.network.subnets} - own
    return (
        UpdateDhcpPort(
            key=view.key,
            port_id=port.id,
            # Addresses on subnets of other instances stay: a flat segment shares its device id, hence its port.
            fixed_ips=tuple(ip for ip in port.fixed_ips if ip.subnet_id in wanted or ip.subnet_id in elsewhere),
            new_subnet_ids=tuple(subnet_id for subnet_id in wanted if subnet_id in missing),
            reasons=(reason,),
        ),
    )


def _create(view: InstanceView, own_id: str, subnet_ids: tuple[str, ...], reason: str) -> CreateDhcpPort:
    return CreateDhcpPort(
        key=view.key,
        device_id=own_id,
        project_id=view.network.project_id,
        subnet_ids=subnet_ids,
        reasons=(reason,),
    )
