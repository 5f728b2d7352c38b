"""The network device of a DHCP port.

Knows which addresses and routes Neutron's DeviceManager gives it (neutron/agent/linux/dhcp.py); knows nothing of how a
device is made.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, ip_address

from dhcpcore.model.network import DHCPV6_STATELESS, PREFIX_DELEGATION_POOL, SLAAC, Subnet
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import DeviceSpec, InstanceView, Route
from dhcpcore.render.argv import address_text
from dhcpcore.render.isolation import METADATA_V4_CIDR, METADATA_V6_CIDR

# A device's name is at most 15 bytes (IFNAMSIZ); Neutron uses 14 of them, three for the prefix.
_ID_IN_NAME = 11


def device_name(port: Port, settings: Settings) -> str:
    """The name of a DHCP port's device."""
    return settings.device_prefix + port.id[:_ID_IN_NAME]


def render_device(
    view: InstanceView, dhcp_port: Port, settings: Settings, *, use_gateway_ips: bool = False, ipv6: bool = True
) -> DeviceSpec:
    """The device that `dhcp_port` has in the network's namespace.

    Args:
        use_gateway_ips: whether the interface driver serves on the subnets' gateway addresses.
        ipv6: whether this host has IPv6.
    """
    network = view.network
    on_link = None if use_gateway_ips else {fixed_ip.subnet_id for fixed_ip in dhcp_port.fixed_ips}
    return DeviceSpec(
        name=device_name(dhcp_port, settings),
        namespace=network.namespace,
        network_id=network.id,
        port_id=dhcp_port.id,
        mac_address=dhcp_port.mac_address,
        mtu=network.mtu or 0,
        addresses=tuple(_addresses(view, dhcp_port, settings, use_gateway_ips=use_gateway_ips, ipv6=ipv6)),
        routes=tuple(route for version in (4, 6) if (route := _default_route(view, version, on_link)) is not None),
    )


def _addresses(
    view: InstanceView, dhcp_port: Port, settings: Settings, *, use_gateway_ips: bool, ipv6: bool
) -> list[str]:
    served = {subnet.id: subnet for subnet in view.subnets if subnet.enable_dhcp}
    addresses = [
        _cidr(fixed_ip.ip_address, served[fixed_ip.subnet_id])
        for fixed_ip in dhcp_port.fixed_ips
        if fixed_ip.subnet_id in served
    ]
    if use_gateway_ips:
        addresses += [
            _cidr(subnet.gateway_ip, subnet)
            for subnet in view.subnets
            if subnet.enable_dhcp and subnet.gateway_ip is not None
        ]
    if settings.force_metadata or settings.enable_isolated_metadata:
        addresses.append(METADATA_V4_CIDR)
        if ipv6 and any(subnet.ip_version == 6 for subnet in view.subnets):
            addresses.append(METADATA_V6_CIDR)
    return list(dict.fromkeys(addresses))


def _cidr(address: str, subnet: Subnet) -> str:
    # Written as the kernel's tools write it, so that it can be compared with what is found on the host.
    text = address_text(IPv6Address(address)) if ":" in address else address
    return f"{text}/{subnet.range.prefixlen}"


def _default_route(view: InstanceView, ip_version: int, on_link: set[str] | None) -> Route | None:
    """The route to the gateway of the first subnet that has one to offer.

    Through a subnet of `on_link` only (None: any): where the port has no address, as on a subnet that has run out of
    them, the kernel knows no way to the gateway, and refusing the route would take the other subnets down with it.
    """
    # By id, as Neutron's server sorts them: a reordered answer changes nothing.
    for subnet in sorted(view.subnets, key=lambda subnet: subnet.id):
        if on_link is not None and subnet.id not in on_link:
            continue
        gateway = subnet.gateway_ip
        if subnet.ip_version == ip_version and gateway is not None and _offers_gateway(subnet):
            return Route(gateway=gateway, onlink=not _reaches(subnet, gateway))
    return None


def _offers_gateway(subnet: Subnet) -> bool:
    # A delegated prefix may be none yet (::/64): its gateway says nothing.
    if not subnet.enable_dhcp or subnet.subnetpool_id == PREFIX_DELEGATION_POOL:
        return False
    if subnet.ip_version == 4:
        return True
    length = subnet.range.prefixlen
    if not 0 < length <= 126:
        return False
    modes = {subnet.ipv6_address_mode, subnet.ipv6_ra_mode}
    return length == 64 or modes.isdisjoint({SLAAC, DHCPV6_STATELESS})


def _reaches(subnet: Subnet, gateway: str) -> bool:
    """Whether the gateway is a host of the subnet; the network's own and its broadcast address are none (IPv4)."""
    address, served = ip_address(gateway), subnet.range
    if address not in served:
        return False
    if not isinstance(served, IPv4Network):
        return True
    return address != served.network_address and (served.prefixlen > 30 or address != served.broadcast_address)
