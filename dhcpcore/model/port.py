"""A port, its fixed IPs, its names and its extra DHCP options.

Text is kept as the server wrote it (byte parity of rendered files depends on it); what it may do in a file is the
renderer's business.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from dhcpcore.model.checks import (
    Field,
    check_address,
    check_bool,
    check_count,
    check_id,
    check_mac,
    check_optional_text,
    check_text,
    check_version,
    each,
)

DEVICE_OWNER_DHCP: Final = "network:dhcp"
DEVICE_OWNER_DISTRIBUTED: Final = "network:distributed"
DEVICE_ID_RESERVED_DHCP_PORT: Final = "reserved_dhcp_port"
OVN_METADATA_PREFIX: Final = "ovnmeta-"
#: neutron-lib DHCP_CONFIG_NOT_REQUIRED_OWNERS: these ports get no reservation.
DHCP_CONFIG_NOT_REQUIRED_OWNERS: Final = frozenset(
    {"network:router_ha_interface", "network:floatingip", DEVICE_OWNER_DHCP, DEVICE_OWNER_DISTRIBUTED}
)
#: neutron-lib ROUTER_INTERFACE_OWNERS: a port of these on the gateway address makes a subnet non-isolated.
ROUTER_INTERFACE_OWNERS: Final = frozenset(
    {
        "network:router_interface",
        "network:ha_router_replicated_interface",
        "network:router_interface_distributed",
    }
)
#: binding:vif_type of a port that no host has wired up.
_NOT_BOUND: Final = frozenset({None, "", "unbound", "binding_failed"})


@frozen(kw_only=True)
class FixedIP:
    """One address of a port: the subnet's id and the address as text."""

    subnet_id: str = field(validator=check_id)
    ip_address: str = field(validator=check_address)


@frozen(kw_only=True)
class DnsAssignment:
    """The names Neutron's DNS integration gives to one address of a port."""

    ip_address: str = field(validator=check_address)
    hostname: str | None = field(default=None, validator=check_optional_text)
    fqdn: str | None = field(default=None, validator=check_optional_text)


@frozen(kw_only=True)
class ExtraDhcpOption:
    """One member of a port's extra_dhcp_opts (Neutron extension extra_dhcp_opt)."""

    opt_name: str = field(validator=check_text)
    opt_value: str = field(validator=check_text)
    ip_version: int = field(default=4, validator=check_version)

    @property
    def is_client_id(self) -> bool:
        """Whether this is option 61, which goes into the reservation and not into the options file."""
        return self.opt_name in ("client-id", "61")


def _check_dns(_: Any, attribute: Field, value: Any) -> None:
    if value is not None:
        _each_dns(_, attribute, value)


_each_dns = each(DnsAssignment)


@frozen(kw_only=True)
class Port:
    """One attachment to a network.

    Attributes:
        binding_host_id, binding_vif_type: the wire's ``binding:host_id`` and ``binding:vif_type``.
        dns_assignment: None where the server does not support it, else one member per address.
        revision_number: grows with every change the server makes; 0 where it sends none.
        status: the server's word for the port, e.g. ``ACTIVE``, ``DOWN``, ``BUILD``.
    """

    id: str = field(validator=check_id)
    network_id: str = field(validator=check_id)
    mac_address: str = field(validator=check_mac)
    fixed_ips: tuple[FixedIP, ...] = field(default=(), validator=each(FixedIP))
    device_id: str = field(default="", validator=check_text)
    device_owner: str = field(default="", validator=check_text)
    admin_state_up: bool = field(default=True, validator=check_bool)
    status: str | None = field(default=None, validator=check_optional_text)
    binding_host_id: str | None = field(default=None, validator=check_optional_text)
    binding_vif_type: str | None = field(default=None, validator=check_optional_text)
    dns_assignment: tuple[DnsAssignment, ...] | None = field(default=None, validator=_check_dns)
    extra_dhcp_opts: tuple[ExtraDhcpOption, ...] = field(default=(), validator=each(ExtraDhcpOption))
    revision_number: int = field(default=0, validator=check_count)

    @property
    def requires_dhcp_configuration(self) -> bool:
        """Whether the port gets a reservation."""
        return self.device_owner not in DHCP_CONFIG_NOT_REQUIRED_OWNERS

    @property
    def is_bound(self) -> bool:
        """Whether some host has wired the port up (ML2's binding:vif_type)."""
        return bool(self.binding_host_id) and self.binding_vif_type not in _NOT_BOUND

    @property
    def client_id(self) -> str | None:
        """The value of the first extra DHCP option 61, if there is one."""
        for option in self.extra_dhcp_opts:
            if option.is_client_id:
                return option.opt_value
        return None

    @property
    def is_ovn_metadata(self) -> bool:
        """Whether this is the metadata port of ML2/OVN."""
        return self.device_owner == DEVICE_OWNER_DISTRIBUTED and self.device_id.startswith(OVN_METADATA_PREFIX)
