"""dnsmasq's command line.

Knows dnsmasq's options as Neutron gives them, in its order; an empty argument where Neutron has one.  An argument that
dnsmasq would refuse is left out with a warning: with it, nothing would be served at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

from attrs import frozen

from dhcpcore.model.network import DHCPV6_STATEFUL, DHCPV6_STATELESS, Subnet
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceView, Warning
from dhcpcore.render.options import subnet_tag
from dhcpcore.render.syntax import argument_problem

# dnsmasq keeps the number in an int and reads it with atoi: 2**40 would come out as 0, and no lease be taken.
_LARGEST_INT: Final = (1 << 31) - 1

# Without this argument, and with an empty one, dnsmasq reads /etc/dnsmasq.conf (Launchpad 1896945).
_NO_CONFIG_FILE: Final = "--conf-file=/dev/null"

# An instance's command line hardly ever changes, and is rendered with every event.
_problem: Final = lru_cache(maxsize=1024)(argument_problem)


@frozen(kw_only=True)
class CommandLine:
    """dnsmasq's command line.

    Attributes:
        argv: the program's name first.
        warnings: what is not given to dnsmasq as asked.
    """

    argv: tuple[str, ...]
    warnings: tuple[Warning, ...] = ()


def instance_directory(view: InstanceView, settings: Settings) -> str:
    """The absolute path of an instance's files."""
    return f"{settings.confs_dir.removesuffix('/')}/{view.key.directory}"


def command_line(view: InstanceView, *, settings: Settings, interface_name: str, bridged: bool = True) -> CommandLine:
    """The command line of one instance.

    Args:
        bridged: whether the interface driver puts taps on a bridge; where not, dnsmasq listens on each tap.
    """
    warnings: list[Warning] = []
    directory = instance_directory(view, settings)
    resolv = "--no-resolv" if settings.dnsmasq_dns_servers or not settings.dnsmasq_local_resolv else ""
    arguments = [
        "dnsmasq",
        "--no-hosts",
        resolv,
        f"--pid-file={directory}/pid",
        f"--dhcp-hostsfile={directory}/host",
        f"--addn-hosts={directory}/addn_hosts",
        f"--dhcp-optsfile={directory}/opts",
        f"--dhcp-leasefile={directory}/leases",
        "--dhcp-match=set:ipxe,175",
        "--dhcp-userclass=set:ipxe6,iPXE",
        "--local-service",  # no open resolver (Launchpad 1501206)
        "--bind-dynamic",
    ]
    if not bridged:
        arguments.append(f"--bridge-interface={interface_name},tap*")
    checked = [(argument, "settings") for argument in arguments]
    ranged = [subnet for subnet in view.subnets if has_range(subnet)]
    checked += [(_dhcp_range(subnet, settings), f"subnet {subnet.id}") for subnet in ranged]
    asked, lease_max = _lease_max(ranged, settings)
    if asked > lease_max:
        message = f"--dhcp-lease-max is {lease_max}: dnsmasq cannot count to {asked}"
        warnings.append(Warning(code="lease-max-lowered", subject="settings", message=message))
    if view.network.mtu:
        checked.append((f"--dhcp-option-force=option:mtu,{view.network.mtu}", f"network {view.network.id}"))
    checked += [(argument, "settings") for argument in _settings_arguments(view, settings, lease_max)]

    argv: list[str] = []
    for argument, subject in checked:
        problem = _problem(argument) if argument not in ("", "dnsmasq") else None
        if problem is None:
            argv.append(argument)
            continue
        name = argument.partition("=")[0]
        message = f"{name} is not given to dnsmasq as asked: {problem}"
        warnings.append(Warning(code="argument-dropped", subject=subject, message=message))
        if name == "--conf-file":
            argv.append(_NO_CONFIG_FILE)
    return CommandLine(argv=tuple(argv), warnings=tuple(warnings))


def beside_others(line: CommandLine, interface_name: str, network_id: str) -> CommandLine:
    """The command line of an instance that has others of its network beside it, in the network's one namespace.

    As it is, the first one would bind port 53 of all devices there, and the next would end at its start: "Address
    already in use" (2.90).
    """
    place = line.argv.index("--bind-dynamic") + 1
    narrow = (f"--interface={interface_name}", "--except-interface=lo")
    message = f"others serve it in the same namespace: this one listens on {interface_name} only"
    warning = Warning(code="namespace-shared", subject=f"network {network_id}", message=message)
    argv = (*line.argv[:place], *narrow, *line.argv[place:])
    return CommandLine(argv=argv, warnings=(*line.warnings, warning))


def stored_leases_max(view: InstanceView, settings: Settings) -> int | None:
    """How many leases the leases file may hold; None where dnsmasq reads none, for want of a range to serve.

    With more, expired ones among them, it ends at start (src/lease.c: "too many stored leases").
    """
    ranged = [subnet for subnet in view.subnets if has_range(subnet)]
    return _lease_max(ranged, settings)[1] if ranged else None


def _lease_max(ranged: Sequence[Subnet], settings: Settings) -> tuple[int, int]:
    """The maximum of leases that is asked for, and the one that dnsmasq can be given."""
    asked = min(sum(subnet.range.num_addresses for subnet in ranged), settings.dnsmasq_lease_max)
    return asked, min(asked, _LARGEST_INT)


def has_range(subnet: Subnet) -> bool:
    """Whether the command line has a static range for this subnet."""
    if not subnet.enable_dhcp:
        return False
    if subnet.ip_version == 4:
        return True
    # dnsmasq: "prefix length must be at least 64" (Launchpad 1645616).
    if subnet.range.prefixlen < 64:
        return False
    mode = subnet.ipv6_address_mode
    return mode in (DHCPV6_STATEFUL, DHCPV6_STATELESS) or (not mode and not subnet.ipv6_ra_mode)


def _dhcp_range(subnet: Subnet, settings: Settings) -> str:
    served = subnet.range
    lease = "infinite" if settings.dhcp_lease_duration == -1 else f"{settings.dhcp_lease_duration}s"
    size = served.netmask if isinstance(served, IPv4Network) else served.prefixlen
    return f"--dhcp-range=set:{subnet_tag(subnet.id)},{address_text(served.network_address)},static,{size},{lease}"


def address_text(address: IPv4Address | IPv6Address) -> str:
    """An address as inet_ntop(3) writes it, and with it netaddr and the kernel's tools.

    It differs from `ipaddress` (RFC 5952) for addresses that embed an IPv4 address: those end in a dotted quad.
    """
    if isinstance(address, IPv6Address):
        high, low = divmod(int(address), 1 << 32)
        if high == 0xFFFF or (high == 0 and low >> 16):
            return f"::{'ffff:' if high else ''}{IPv4Address(low)}"
    return str(address)


def _settings_arguments(view: InstanceView, settings: Settings, lease_max: int) -> list[str]:
    arguments = [f"--dhcp-lease-max={lease_max}"]
    if settings.dhcp_renewal_time > 0:
        arguments.append(f"--dhcp-option-force=option:T1,{settings.dhcp_renewal_time}s")
    if settings.dhcp_rebinding_time > 0:
        arguments.append(f"--dhcp-option-force=option:T2,{settings.dhcp_rebinding_time}s")
    if settings.dnsmasq_txt_record:
        arguments.append(f"--txt-record={settings.expanded(settings.dnsmasq_txt_record)}")
    arguments.append(f"--conf-file={settings.dnsmasq_config_path}")
    arguments += [f"--server={server}" for server in settings.dnsmasq_dns_servers]
    if settings.dns_domain:
        arguments.append(f"--domain={settings.dns_domain}")
    if settings.dhcp_broadcast_reply:
        arguments.append("--dhcp-broadcast")
    if settings.dnsmasq_log_dir is not None:
        directory = settings.dnsmasq_log_dir.removesuffix("/")
        arguments += ["--log-queries", "--log-dhcp", f"--log-facility={directory}/{view.network.id}/dhcp_dns_log"]
    return arguments
