"""What one host runs for one network: dnsmasq instances with their device, and the metadata proxy.

A spec is a value: comparing two of them is how a plan is found.  Whether two *different* texts mean the same to
dnsmasq is not decided here (see `dhcpcore.plan.canonical`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from dhcpcore.model.checks import check_id, check_optional_id

if TYPE_CHECKING:
    from dhcpcore.model.network import Network, Segment, Subnet
    from dhcpcore.model.port import Port


@frozen(kw_only=True, order=True)
class InstanceKey:
    """One dnsmasq instance: a network, or one segment of it.

    `segmentation` is the name of the segment's directory: its segmentation id as text, the literal text ``None`` for
    a flat segment, and (not the same) None where the network has no segments.  It is what the host's files tell, so an
    instance can be recognised without the server.
    """

    network_id: str = field(validator=check_id)
    segmentation: str | None = field(default=None, validator=check_optional_id, order=lambda s: s or "")

    @property
    def directory(self) -> str:
        """The instance's directory below dhcp_confs; also dnsmasq's process uuid in Neutron."""
        return self.network_id if self.segmentation is None else f"{self.segmentation}/{self.network_id}"

    @property
    def port_key(self) -> InstanceKey:
        """Whose DHCP port it serves on: a flat segment's has the device id of the whole network's.

        (Neutron get_dhcp_agent_device_id adds no suffix where the segment has no segmentation id.)
        """
        return InstanceKey(network_id=self.network_id) if self.segmentation in ("None", "0") else self

    def __str__(self) -> str:
        return self.directory


@frozen(kw_only=True)
class Route:
    """A default route of the DHCP namespace; `onlink`: its gateway is outside the subnet and needs a link route."""

    gateway: str
    onlink: bool = False

    @property
    def ip_version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.gateway else 4


@frozen(kw_only=True)
class DeviceSpec:
    """The network device of a DHCP port in its namespace.

    Attributes:
        name: e.g. ``tap0123456789a``; port_id, mac_address: of the DHCP port.
        mtu: bytes, 0 when unknown (the driver's default stays).
        addresses: CIDR texts in the order to set them; the metadata addresses among them.
        routes: at most one default route per family.
        shared: whether devices of other instances are in the namespace.  An IPv4 address that each of them has (the
            metadata address) then needs a label that is not the device's name: ``--interface`` goes by labels, and no
            two dnsmasq can bind one address.
    """

    name: str
    namespace: str
    network_id: str
    port_id: str
    mac_address: str
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    shared: bool = False


@frozen(kw_only=True)
class Warning:
    """Something that was left out of a file or written otherwise than asked, and why.

    Attributes:
        code: one of the codes in docs/differences.md.
        subject: what it is about: ``port <id>``, ``subnet <id>``, ``network <id>``, ``leases``, ``settings``.
        message: one sentence; no control characters.
    """

    code: str
    subject: str
    message: str


@frozen(kw_only=True)
class InstanceView:
    """What one instance is rendered from: the network, cut down to the subnets that this instance serves."""

    key: InstanceKey
    network: Network
    subnets: tuple[Subnet, ...]
    segment: Segment | None = None

    @property
    def all_subnets(self) -> tuple[Subnet, ...]:
        """The served subnets first, then the non-local ones."""
        return self.subnets + self.network.non_local_subnets

    @property
    def ports(self) -> tuple[Port, ...]:
        """All ports of the network."""
        return self.network.ports


@frozen(kw_only=True)
class InstanceSpec:
    """One dnsmasq instance as it should run.

    Attributes:
        argv: dnsmasq's command line, the program's name first.
        host, addn_hosts, opts: the texts of the files of those names.
        leases_template: source of the user's own template of the leases file, None for ours.  That file is made when
            the instance is started, of what the one before it left, and is never compared.
        directory: absolute path of the instance's files; process_tag: value of PROCESS_TAG in its environment.
        view: what it was rendered from; stale leases are told from its ports.
        lines: rendered lines to be reused by the next rendering; not part of the value.
    """

    key: InstanceKey
    directory: str
    process_tag: str
    argv: tuple[str, ...]
    host: str
    addn_hosts: str
    opts: str
    device: DeviceSpec
    view: InstanceView | None = field(default=None, eq=False, repr=False)
    warnings: tuple[Warning, ...] = field(default=(), eq=False)
    leases_template: str | None = field(default=None, eq=False, repr=False)
    lines: Any = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class MetadataProxySpec:
    """The haproxy of one network.

    Attributes:
        proxy_id: the network's id, or the router's on a metadata network.
        config: text of the configuration file at config_path; argv: its command line.
    """

    proxy_id: str
    network_id: str
    namespace: str
    config: str
    config_path: str
    pid_path: str
    argv: tuple[str, ...]
    process_tag: str
    bind_interface: str | None = None
