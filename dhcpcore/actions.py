"""What the core may ask for, and the plan that holds it.

Actions are values: frozen, comparable, printable; none holds a closure.  Each says which *scope* it occupies: actions
of one scope are carried out one after the other, in the plan's order, those of different scopes in parallel.  When
one of a network's actions fails, the later ones of the same plan and scope are not tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from dhcpcore.model.port import FixedIP
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec

FORMAT_VERSION: Final = 1


@frozen(kw_only=True)
class Action:
    """One thing to do, with the reasons for it (short texts, for people)."""

    kind: ClassVar[str] = "action"
    reasons: tuple[str, ...] = ()

    @property
    def network_id(self) -> str | None:
        """The network it is about, if it is about one."""
        return None

    @property
    def scope(self) -> str:
        """What it occupies while it runs."""
        return self.kind if self.network_id is None else f"network:{self.network_id}"


@frozen(kw_only=True)
class ReportState(Action):
    """Send the heartbeat. Answer: ``new``, ``alive``, ``revived`` or None."""

    kind: ClassVar[str] = "report_state"
    agent_state: Mapping[str, Any] = field(hash=False)
    sent_seq: int = 0


@frozen(kw_only=True)
class ObserveHost(Action):
    """Look at everything on the host; of a look for one network only its part counts. Answer: `ObservedHost`."""

    kind: ClassVar[str] = "observe"
    network_id: str | None = None
    sent_seq: int = 0


@frozen(kw_only=True)
class FetchNetworks(Action):
    """Ask the server for all networks of this agent. Answer: `FetchedNetworks`."""

    kind: ClassVar[str] = "fetch_networks"
    sent_seq: int = 0


@frozen(kw_only=True)
class FetchNetwork(Action):
    """Ask the server for one network. Answer: `Network`, or None where the server knows none."""

    kind: ClassVar[str] = "fetch_network"
    network_id: str
    sent_seq: int = 0

    @property
    def scope(self) -> str:
        """A fetch does not wait for what runs on the host."""
        return f"fetch:{self.network_id}"


@frozen(kw_only=True)
class InstanceAction(Action):
    """Something done to one dnsmasq instance."""

    key: InstanceKey

    @property
    def network_id(self) -> str:
        """The instance's network."""
        return self.key.network_id


def claim_scope(key: InstanceKey) -> str:
    """The scope of what is asked about an instance's DHCP port: one for all that share its device id."""
    return f"claim:{key.port_key.directory}"


@frozen(kw_only=True)
class PortAction(InstanceAction):
    """Something asked of the server about one instance's DHCP port."""

    @property
    def scope(self) -> str:
        """A claim that fails stops no instance with another port, and does not wait for what runs on the host."""
        return claim_scope(self.key)


@frozen(kw_only=True)
class ClaimAction(PortAction):
    """Gets this instance its DHCP port. Answer: `Port`, or None where the server refused."""


@frozen(kw_only=True)
class CreateDhcpPort(ClaimAction):
    """Create a DHCP port with an address on each of `subnet_ids`."""

    kind: ClassVar[str] = "create_dhcp_port"
    device_id: str
    project_id: str | None
    subnet_ids: tuple[str, ...]

    @property
    def payload(self) -> dict[str, Any]:
        """The argument `port` of Neutron's create_dhcp_port."""
        port = {
            "name": "",
            "admin_state_up": True,
            "device_id": self.device_id,
            "network_id": self.network_id,
            "project_id": self.project_id,
            "fixed_ips": [{"subnet_id": subnet_id} for subnet_id in self.subnet_ids],
        }
        return {"port": port}


@frozen(kw_only=True)
class UpdateDhcpPort(ClaimAction):
    """Give our DHCP port other subnets: `fixed_ips` stay, `new_subnet_ids` get an address each."""

    kind: ClassVar[str] = "update_dhcp_port"
    port_id: str
    fixed_ips: tuple[FixedIP, ...]
    new_subnet_ids: tuple[str, ...]

    @property
    def payload(self) -> dict[str, Any]:
        """The argument `port` of Neutron's update_dhcp_port."""
        kept = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in self.fixed_ips]
        new = [{"subnet_id": subnet_id} for subnet_id in self.new_subnet_ids]
        return {"port": {"network_id": self.network_id, "fixed_ips": [*kept, *new]}}


@frozen(kw_only=True)
class ClaimReservedPort(ClaimAction):
    """Make a reserved DHCP port ours."""

    kind: ClassVar[str] = "claim_reserved_port"
    port_id: str
    device_id: str

    @property
    def payload(self) -> dict[str, Any]:
        """The argument `port` of Neutron's update_dhcp_port."""
        return {"port": {"network_id": self.network_id, "device_id": self.device_id}}


@frozen(kw_only=True)
class ReleaseDhcpPort(PortAction):
    """Give every port with this device id back to the server.

    Attributes:
        directory: of an instance that was disabled: what is left of it goes when the server has its port. None: it
            serves on.
    """

    kind: ClassVar[str] = "release_dhcp_port"
    device_id: str
    directory: str | None = None


@frozen(kw_only=True)
class ApplyAction(InstanceAction):
    """Brings one instance to `spec`.

    Attributes:
        unreported: what an action that writes files leaves as `UNREPORTED_MARK`; None: as it is.
    """

    spec: InstanceSpec
    unreported: tuple[str, ...] | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files to write."""
        return ("host", "addn_hosts", "opts")


@frozen(kw_only=True)
class EnableInstance(ApplyAction):
    """Namespace, device, files, leases, process: from nothing, or from whatever is there. Answer: `InstanceStarted`."""

    kind: ClassVar[str] = "enable"


@frozen(kw_only=True)
class RestartInstance(ApplyAction):
    """The same for an instance that serves, or served: port, namespace and leases are kept. Answer: `InstanceStarted`.

    Attributes:
        repair: nothing was asked to change; what runs is not what should.
    """

    kind: ClassVar[str] = "restart"
    repair: bool = False


@frozen(kw_only=True)
class ReloadInstance(ApplyAction):
    """Write the files that differ, make dnsmasq load them, then release stale leases.

    Answer: `InstanceStarted` where that took a fast restart, `LeasesLeft` where only a release failed, else None.

    Attributes:
        changed_files: names of the files to write.
        sighup: False where SIGHUP could kill this dnsmasq: then a fast restart that keeps the leases.
        device: whether addresses or routes of the device differ too.
    """

    kind: ClassVar[str] = "reload"
    changed_files: tuple[str, ...]
    sighup: bool
    device: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Only those that differ."""
        return self.changed_files


@frozen(kw_only=True)
class UpdateDevice(ApplyAction):
    """Addresses and routes of the device; dnsmasq is not touched (it runs with --bind-dynamic)."""

    kind: ClassVar[str] = "update_device"

    @property
    def files(self) -> tuple[str, ...]:
        """None."""
        return ()


@frozen(kw_only=True)
class ReleaseLeases(ApplyAction):
    """Release what the leases file holds for nobody: an earlier release was lost. Answer: `LeasesLeft`, or None."""

    kind: ClassVar[str] = "release_leases"

    @property
    def files(self) -> tuple[str, ...]:
        """None."""
        return ()


@frozen(kw_only=True)
class ForgetUnreported(InstanceAction):
    """Remove `UNREPORTED_MARK` from `directory`: the server was told of every port that it names."""

    kind: ClassVar[str] = "forget_unreported"
    directory: str


@frozen(kw_only=True)
class ForgetOwed(InstanceAction):
    """Remove what is left in `directory` of an instance that was disabled: another one serves on its DHCP port now."""

    kind: ClassVar[str] = "forget_owed"
    directory: str


@frozen(kw_only=True)
class DisableInstance(InstanceAction):
    """Process, device and files go; what remains of them until its DHCP port is given back tells that it is owed.

    Attributes:
        device_id: of the DHCP port that is owed after that; None keeps the port.
    """

    kind: ClassVar[str] = "disable"
    directory: str
    namespace: str
    device: str
    device_id: str | None


@frozen(kw_only=True)
class RemoveNamespace(Action):
    """The network's namespace goes: nothing of the network is left in it."""

    kind: ClassVar[str] = "remove_namespace"
    network_id: str
    namespace: str


@frozen(kw_only=True)
class RemoveDevice(Action):
    """A device that belongs to no instance goes from the network's namespace."""

    kind: ClassVar[str] = "remove_device"
    network_id: str
    namespace: str
    device: str


@frozen(kw_only=True)
class StartProxy(Action):
    """Run the metadata proxy as told; one that runs otherwise is replaced."""

    kind: ClassVar[str] = "start_proxy"
    spec: MetadataProxySpec

    @property
    def network_id(self) -> str:
        """The network that the proxy serves."""
        return self.spec.network_id


@frozen(kw_only=True)
class StopProxy(Action):
    """Stop the metadata proxy that was started as `proxy_id`, and remove its files."""

    kind: ClassVar[str] = "stop_proxy"
    network_id: str
    proxy_id: str
    config_path: str
    pid_path: str


@frozen(kw_only=True)
class NotifyReady(Action):
    """Tell the server that these ports are served; at most `Settings.ready_ports_batch` of them."""

    kind: ClassVar[str] = "notify_ready"
    port_ids: tuple[str, ...]


#: The plan's order: what frees comes before what takes.
ORDER: Final[tuple[type[Action], ...]] = (
    ReportState,
    ObserveHost,
    FetchNetworks,
    FetchNetwork,
    StopProxy,
    DisableInstance,
    RemoveDevice,
    RemoveNamespace,
    ReleaseDhcpPort,
    UpdateDhcpPort,
    ClaimReservedPort,
    CreateDhcpPort,
    EnableInstance,
    RestartInstance,
    ReloadInstance,
    UpdateDevice,
    ReleaseLeases,
    ForgetUnreported,
    ForgetOwed,
    StartProxy,
    NotifyReady,
)
_RANK: Final = {kind: rank for rank, kind in enumerate(ORDER)}


@frozen(kw_only=True)
class Held:
    """Networks that the brake keeps although the server no longer lists them.

    Attributes:
        since: monotonic seconds when the answer first said so; until: when it will have stood long enough.
    """

    network_ids: tuple[str, ...]
    served: int
    since: float
    until: float


@frozen(kw_only=True)
class Unplanned:
    """A network for which no plan could be made, and why."""

    network_id: str
    reason: str


@frozen(kw_only=True)
class Plan:
    """What to do now. Frozen, ordered, comparable; the same state and time give the same plan.

    Attributes:
        actions: in the order of `ORDER`, then by network id.
        held: what the brake keeps from being disabled.
        examined: networks that were looked at; `PlanStarted` tells the state that they need no second look.
        settled: those of them whose instances all serve what is wanted: their ports may be reported.
        ready: of the others, ports that wait for being reported and whose own instance serves what is wanted.
        paced: networks with a reload that waits for its time; see `dhcpcore.state.pace`.
        unplanned: networks whose plan failed; all others are in the plan nevertheless.
        rendered: instances that serve what they should, as they were rendered; what the next renderings can reuse of
            that is news to the state. No part of the value.
        made_at: monotonic seconds, the `now` it was made for.
        due: monotonic seconds of the next time at which a plan may be non-empty without news; None: only news can.
    """

    actions: tuple[Action, ...] = ()
    held: Held | None = None
    examined: tuple[str, ...] = field(default=(), eq=False)
    settled: tuple[str, ...] = field(default=(), eq=False)
    ready: tuple[str, ...] = field(default=(), eq=False)
    paced: tuple[str, ...] = field(default=(), eq=False)
    unplanned: tuple[Unplanned, ...] = ()
    rendered: tuple[InstanceSpec, ...] = field(default=(), eq=False, repr=False)
    made_at: float = field(default=0.0, eq=False)
    due: float | None = field(default=None, eq=False)

    def __bool__(self) -> bool:
        return bool(self.actions)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __len__(self) -> int:
        return len(self.actions)


def ordered(actions: list[Action]) -> tuple[Action, ...]:
    """Actions in the plan's order; the order within one kind and network is kept."""
    return tuple(sorted(actions, key=lambda action: (_RANK[type(action)], action.network_id or "")))
