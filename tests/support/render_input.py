"""Small networks to render, said in few words.

Knows models only.  Ids are short; addresses are in 10.0.0.0/24 and fd00::/64 unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView, Warning
from dhcpcore.render.files import RenderedFiles, render_files
from dhcpcore.render.views import segment_view

NETWORK = "net"
MAC = "fa:16:3e:00:00:01"


def mac(number: int) -> str:
    """The MAC address of the n-th port."""
    return f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}"


def subnet(id_: str = "s4", cidr: str = "10.0.0.0/24", **fields: Any) -> Subnet:
    """A subnet; its IP version is that of `cidr`."""
    return Subnet(id=id_, network_id=NETWORK, cidr=cidr, ip_version=6 if ":" in cidr else 4, **fields)


def subnet6(id_: str = "s6", cidr: str = "fd00::/64", mode: str | None = "dhcpv6-stateful", **fields: Any) -> Subnet:
    """An IPv6 subnet of one address mode."""
    return subnet(id_, cidr, ipv6_address_mode=mode, ipv6_ra_mode=mode, **fields)


def fixed(*addresses: str) -> tuple[FixedIP, ...]:
    """Fixed IPs from addresses (in subnet s4 or s6), or from ``subnet/address``."""
    ips = []
    for text in addresses:
        subnet_id, slash, address = text.rpartition("/")
        ips.append(FixedIP(subnet_id=subnet_id if slash else "s6" if ":" in address else "s4", ip_address=address))
    return tuple(ips)


def port(id_: str = "p", *addresses: str, mac_address: str = MAC, **fields: Any) -> Port:
    """A port with these addresses."""
    return Port(id=id_, network_id=NETWORK, mac_address=mac_address, fixed_ips=fixed(*addresses), **fields)


def option(name: str, value: str, ip_version: int = 4) -> ExtraDhcpOption:
    """One extra DHCP option."""
    return ExtraDhcpOption(opt_name=name, opt_value=value, ip_version=ip_version)


def named(address: str, hostname: str | None, fqdn: str | None) -> tuple[DnsAssignment, ...]:
    """The DNS assignment of one address."""
    return (DnsAssignment(ip_address=address, hostname=hostname, fqdn=fqdn),)


def network(
    *ports: Port,
    subnets: Sequence[Subnet] | None = None,
    segments: Sequence[Segment] = (),
    non_local: Sequence[Subnet] = (),
    **fields: Any,
) -> Network:
    """A network with these ports, on one IPv4 subnet unless told otherwise."""
    return Network(
        id=NETWORK,
        subnets=(subnet(),) if subnets is None else tuple(subnets),
        non_local_subnets=tuple(non_local),
        segments=tuple(segments),
        ports=ports,
        **fields,
    )


def view(of: Network, segment: Segment | None = None) -> InstanceView:
    """The instance without a segment, or of one."""
    return segment_view(of, segment)


def files(
    of: Network | InstanceView,
    settings: Settings | None = None,
    *,
    addresses: Sequence[str] = ("10.0.0.2/24",),
    host_tags: bool = True,
    **arguments: Any,
) -> RenderedFiles:
    """The rendered files of a network."""
    return render_files(
        view(of) if isinstance(of, Network) else of,
        settings=settings or Settings(),
        interface_name="tap0",
        interface_addresses=addresses,
        capabilities=DnsmasqCapabilities(host_tags=host_tags),
        **arguments,
    )


def told(warnings: Sequence[Warning]) -> list[tuple[str, str]]:
    """Code and subject of each warning."""
    return [(warning.code, warning.subject) for warning in warnings]
