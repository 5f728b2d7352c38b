"""Models in wire form: what a server would send of them.  Parsing the result gives the same models again."""

from __future__ import annotations

from typing import Any

from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import Port


def network_to_wire(network: Network) -> dict[str, Any]:
    """A network as `parse_network` reads it."""
    form: dict[str, Any] = {
        "id": network.id,
        "project_id": network.project_id,
        "admin_state_up": network.admin_state_up,
        "mtu": network.mtu,
        "subnets": [subnet_to_wire(subnet) for subnet in network.subnets],
        "non_local_subnets": [subnet_to_wire(subnet) for subnet in network.non_local_subnets],
        "ports": [port_to_wire(port) for port in network.ports],
    }
    if network.segments:  # only routed networks have the field
        form["segments"] = [segment_to_wire(segment) for segment in network.segments]
    return form


def subnet_to_wire(subnet: Subnet) -> dict[str, Any]:
    """A subnet as `parse_subnet` reads it."""
    return {
        "id": subnet.id,
        "network_id": subnet.network_id,
        "cidr": subnet.cidr,
        "ip_version": subnet.ip_version,
        "enable_dhcp": subnet.enable_dhcp,
        "gateway_ip": subnet.gateway_ip,
        "dns_nameservers": list(subnet.dns_nameservers),
        "host_routes": [{"destination": route.destination, "nexthop": route.nexthop} for route in subnet.host_routes],
        "ipv6_address_mode": subnet.ipv6_address_mode,
        "ipv6_ra_mode": subnet.ipv6_ra_mode,
        "segment_id": subnet.segment_id,
        "subnetpool_id": subnet.subnetpool_id,
        "revision_number": subnet.revision_number,
    }


def segment_to_wire(segment: Segment) -> dict[str, Any]:
    """A segment as `parse_segment` reads it."""
    return {
        "id": segment.id,
        "network_id": segment.network_id,
        "segmentation_id": segment.segmentation_id,
        "network_type": segment.network_type,
        "physical_network": segment.physical_network,
        "name": segment.name,
    }


def port_to_wire(port: Port) -> dict[str, Any]:
    """A port as `parse_port` reads it."""
    form: dict[str, Any] = {
        "id": port.id,
        "network_id": port.network_id,
        "mac_address": port.mac_address,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips],
        "device_id": port.device_id,
        "device_owner": port.device_owner,
        "admin_state_up": port.admin_state_up,
        "status": port.status,
        "binding:host_id": port.binding_host_id,
        "binding:vif_type": port.binding_vif_type,
        "extra_dhcp_opts": [
            {"opt_name": option.opt_name, "opt_value": option.opt_value, "ip_version": option.ip_version}
            for option in port.extra_dhcp_opts
        ],
        "revision_number": port.revision_number,
    }
    if port.dns_assignment is not None:  # only servers with the DNS extension send the field
        form["dns_assignment"] = [
            {"ip_address": names.ip_address, "hostname": names.hostname, "fqdn": names.fqdn}
            for names in port.dns_assignment
        ]
    return form
