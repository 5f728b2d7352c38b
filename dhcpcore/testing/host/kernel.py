"""The parts of a Linux kernel that an agent meets: network namespaces, devices with addresses and routes, processes.

Texts come back as the kernel has them, not as they were given: addresses in canonical form, MAC addresses in lower
case, and a link-local address that nobody asked for on every device.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface

from attrs import define, field

from dhcpcore.model.spec import Route
from dhcpcore.testing.identity import slaac_address


class KernelError(Exception):
    """An error by its errno's name, and a word about it."""


@lru_cache(maxsize=256)
def canonical_address(text: str) -> str:
    """``address/length`` as the kernel writes it."""
    return str(ip_interface(text))


@lru_cache(maxsize=256)
def _network(address: str) -> IPv4Network | IPv6Network:
    """The network that an ``address/length`` is in."""
    return ip_interface(address).network


@define(eq=False, kw_only=True)
class Device:
    """A network device.

    Attributes:
        addresses: canonical ``address/length``, in the order in which they were added; the kernel's own not among them.
        tentative, dadfailed: those of them whose duplicate address detection runs, or found another host.
        foreign: what others set on the device (an Open vSwitch tag); an agent leaves it alone.
    """

    name: str
    mac_address: str
    mtu: int = 1500
    up: bool = True
    addresses: list[str] = field(factory=list)
    tentative: set[str] = field(factory=set)
    dadfailed: set[str] = field(factory=set)
    routes: list[Route] = field(factory=list)
    foreign: dict[str, str] = field(factory=dict)

    @property
    def link_local(self) -> str:
        """The address that the kernel gave it (RFC 4862)."""
        return slaac_address("fe80::/64", self.mac_address) + "/64"

    def add_route(self, route: Route) -> None:
        """A default route in place of the family's old one.

        Raises:
            KernelError: ENETUNREACH where the gateway is on no subnet of the device and not said to be on the link.
        """
        gateway = ip_address(route.gateway)
        reachable = route.onlink or gateway.is_link_local
        if not reachable and not any(gateway in _network(address) for address in self.addresses):
            raise KernelError(f"ENETUNREACH: gateway {gateway} is not reachable through {self.name}")
        self.routes = [other for other in self.routes if other.ip_version != route.ip_version]
        self.routes.append(Route(gateway=str(gateway), onlink=route.onlink))


@define(eq=False, kw_only=True)
class Namespace:
    """A network namespace; lives while it has a name or a process in it.

    Attributes:
        settings: sysctls by name that somebody set.
        loopback: whether `lo` is up.
    """

    devices: dict[str, Device] = field(factory=dict)
    settings: dict[str, str] = field(factory=dict)
    loopback: bool = False


@define(eq=False, kw_only=True)
class Process:
    """A process.

    Attributes:
        started: an opaque mark, another one for every process, also where a pid comes twice.
        zombie: dead, and not reaped. stopped: by a signal; it does nothing.
        loaded: what it has read of its files: name to text (dnsmasq: host, addn_hosts, opts; haproxy: config).
        leases: the lines of its leases, by address; leases_file: the inode it writes them to.
        served: MAC addresses of clients it has answered.
        version: of the program that it runs, of a dnsmasq; the installed one may be another by now.
        installed: the number of the installation that its program is of (`MemoryHost.installed`).
        owner: whose it is, once `MemoryHost.owner` was asked: a command line never changes.
    """

    pid: int
    program: str
    argv: tuple[str, ...]
    namespace: Namespace
    environment: dict[str, str]
    started: str
    zombie: bool = False
    stopped: bool = False
    loaded: dict[str, str] = field(factory=dict)
    leases: dict[str, str] = field(factory=dict)
    leases_file: object = None
    served: set[str] = field(factory=set)
    owner: tuple[str | None] | None = None
    version: tuple[int, int] | None = None
    installed: int = 0

    def option(self, name: str) -> str | None:
        """The value of ``--name=value`` on its command line, the last one."""
        prefix = f"--{name}="
        values = [argument[len(prefix) :] for argument in self.argv if argument.startswith(prefix)]
        return values[-1] if values else None
