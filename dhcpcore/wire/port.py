"""Ports: the noun there are most of, so every step here is taken ten thousand times in a full sync."""

from __future__ import annotations

from typing import Any, Final

from dhcpcore.errors import PayloadError
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP, Port
from dhcpcore.wire.reading import as_object, as_sent, each_member, or_default, shared, switch

_PORT_NAMES: Final = {"binding_host_id": "binding:host_id", "binding_vif_type": "binding:vif_type"}


def parse_port(payload: Any, network_id: Any = None) -> Port:
    """A port as the server sends it.

    Args:
        payload: the object below ``port`` of a notification, or a member of a network's ``ports``.
        network_id: of the network it is a member of; used where the port itself does not say.

    Raises:
        PayloadError: it is no port; the path starts at the port's own fields.
    """
    port = as_object(payload)
    get: Any = port.get
    fixed_ips = each_member(port, "fixed_ips", parse_fixed_ip)
    dns_assignment = None
    if get("dns_assignment") is not None:
        dns_assignment = each_member(port, "dns_assignment", _dns_assignment)
    options = each_member(port, "extra_dhcp_opts", _extra_dhcp_option)
    try:
        return Port(
            id=get("id"),
            network_id=shared(or_default(get("network_id"), network_id)),
            mac_address=get("mac_address"),
            fixed_ips=fixed_ips,
            device_id=or_default(get("device_id"), ""),
            device_owner=shared(or_default(get("device_owner"), "")),
            admin_state_up=switch(port, "admin_state_up"),
            status=shared(get("status")),
            binding_host_id=shared(get("binding:host_id")),
            binding_vif_type=shared(get("binding:vif_type")),
            dns_assignment=dns_assignment,
            extra_dhcp_opts=options,
            revision_number=or_default(get("revision_number"), 0),
        )
    except PayloadError as error:
        raise as_sent(error, port, _PORT_NAMES) from None


def parse_fixed_ip(payload: Any) -> FixedIP:
    """A member of ``fixed_ips``."""
    fixed_ip = as_object(payload)
    get: Any = fixed_ip.get
    try:
        return FixedIP(subnet_id=shared(get("subnet_id")), ip_address=get("ip_address"))
    except PayloadError as error:
        raise as_sent(error, fixed_ip) from None


def _dns_assignment(payload: Any) -> DnsAssignment:
    names = as_object(payload)
    get: Any = names.get
    try:
        return DnsAssignment(ip_address=get("ip_address"), hostname=get("hostname"), fqdn=get("fqdn"))
    except PayloadError as error:
        raise as_sent(error, names) from None


def _extra_dhcp_option(payload: Any) -> ExtraDhcpOption:
    option = as_object(payload)
    get: Any = option.get
    name, value, version = get("opt_name"), get("opt_value"), or_default(get("ip_version"), 4)
    # Neutron's database holds no null; its agent still tags the port where one is sent, as it does for a blank value.
    if value is None and "opt_value" in option:
        value = ""
    if type(name) is int and 0 <= name < 1 << 31:  # as Neutron's own unit tests have it: 61
        name = str(name)
    try:
        return ExtraDhcpOption(opt_name=shared(name), opt_value=value, ip_version=version)
    except PayloadError as error:
        raise as_sent(error, option) from None
