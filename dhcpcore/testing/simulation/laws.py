"""What must hold at every moment of a history; told of every deed on the host and every call of the server.

Most of it is noticed where it happens, by listening, and raised by `check` once the adapters have been left (an agent
takes an exception inside an adapter for the adapter's).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dhcpcore.actions import Action, ReloadInstance
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import UNREPORTED_MARK
from dhcpcore.plan.network import plan_network
from dhcpcore.state import NetworkRecord
from dhcpcore.testing.host import dnsmasq
from dhcpcore.testing.host.kernel import Process
from dhcpcore.testing.host.memory import SIGNAL, START, STOP, WRITE
from dhcpcore.testing.server.allocation import is_auto_address

if TYPE_CHECKING:
    from dhcpcore.testing.simulation.world import World

#: Seconds that a state report may be late while the server answers.
SLACK: Final = 5.0
_LARGEST_BATCH: Final = 64


#: Starts of one process within a second, none of them after a stop, that are too many: what dies again is paced.
_TOO_MANY_STARTS: Final = 8

#: MAC address and addresses of a port.
Answered = tuple[str, frozenset[str]]


def answered(world: World, port_id: str) -> Answered:
    """What a client of a port is answered with: none on subnets without DHCP, nor where it forms it by itself."""
    tables = world.server.tables
    port = tables.ports[port_id]
    subnets = ((ip["ip_address"], tables.subnets[ip["subnet_id"]]) for ip in port["fixed_ips"])
    addresses = (address for address, subnet in subnets if subnet["enable_dhcp"] and not is_auto_address(subnet))
    return port["mac_address"], frozenset(addresses)


class Laws:
    """The laws of one world.

    Attributes:
        untouched: networks that are served and to which nothing has happened since, on the server or on the host.
        unchanged: those to which nothing has happened on the server; their clients' leases must stay.
        leases: (directory of the instance, address) to the MAC address that holds it, of unchanged networks.
        lost_hosts: instances whose hosts file somebody deleted or edited: nothing tells what was reserved until then.
        calls: how often each method of the server was called.
        reported: what each port was answered with when it was reported last.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.untouched: set[str] = set()
        self.unchanged: set[str] = set()
        self.leases: dict[tuple[str, str], str] = {}
        self.lost_hosts: set[InstanceKey] = set()
        self.calls: dict[str, int] = {}
        self.reported: dict[str, Answered] = {}
        self._violations: list[str] = []
        #: (instance directory, text of the hosts file) of everything that a dnsmasq had loaded.
        self._loaded: set[tuple[str, str]] = set()
        #: Networks that were damaged while the agent worked on them: what it wrote may not be what dnsmasq then read.
        self._disturbed: set[str] = set()
        #: Instance directory to the version of dnsmasq that was known when its last reload was planned.
        self._planned_for: dict[str, tuple[int, int]] = {}
        #: Pids of dnsmasq that were started while the agent took another version for the installed one.
        self._misjudged: set[int] = set()
        #: (program, owner) to when it was started within the last second, since it was stopped and in this life of the
        #: agent: one after another died.
        self._starts: dict[tuple[str, str], list[float]] = {}
        self._installed_at = float("-inf")
        self._reported_at = world.clock.monotonic()
        self._answering_since = self._reported_at
        self._struck = 0

    # -- what happens to networks -------------------------------------------------------------------------------------

    def changed(self, network_id: str) -> None:
        """Something happens to a network on the server."""
        self.untouched.discard(network_id)
        self.unchanged.discard(network_id)
        for place in [place for place in self.leases if place[0].endswith(network_id)]:
            del self.leases[place]

    def damaged(self, network_id: str) -> None:
        """Something happens to a network on the host; its leases are not lost by it."""
        self.untouched.discard(network_id)
        if any(running.scope == f"network:{network_id}" for running in self._world.executor.running):
            self._disturbed.add(network_id)

    def everything_changed(self) -> None:
        """Something happens that may rightly touch every network."""
        self.untouched.clear()
        self.unchanged.clear()
        self.leases.clear()

    def begin_life(self) -> None:
        """A new agent."""
        self._answering_since = self._world.now
        self._starts.clear()

    def dnsmasq_installed(self) -> None:
        """Another version of dnsmasq is on the disk now; the agent has not looked yet."""
        self._installed_at = self._world.now

    def server_lost(self) -> None:
        """The connection to the server is lost, with what is under way on it."""
        self._answering_since = self._world.now

    # -- listening ----------------------------------------------------------------------------------------------------

    def on_deed(self, what: str, subject: str, process: Process | None) -> None:
        """See `MemoryHost.on_deed`."""
        if what == START:
            assert process is not None
            if len(self._world.host.living(process.program, subject)) > 1:
                self._violations.append(f"{process.program} of {subject} runs twice")
            self._on_start(process.program, subject)
            if process.version == self._world.agent.state.capabilities.dnsmasq.version:
                self._misjudged.discard(process.pid)
            else:
                self._misjudged.add(process.pid)
        if what == STOP and process is not None:
            self._starts.pop((process.program, subject), None)
        if what == SIGNAL and process is not None:
            self._on_signal(subject, process)
        # That a mark is removed once its ports were reported is no change; no dnsmasq reads it.
        forgets = subject.endswith(UNREPORTED_MARK) and self._world.host.disk.peek(subject) is None
        if what in (START, SIGNAL, STOP, WRITE) and not forgets:
            for network_id in self.untouched:
                if network_id in subject:
                    self._violations.append(f"{what} of {subject}, though nothing has happened to that network")
        if process is not None and process.program == "dnsmasq":
            self.remember(subject, process)

    def _on_start(self, program: str, owner: str) -> None:
        """Nothing is started over and over without a pause."""
        now = self._world.now
        lately = [at for at in self._starts.get((program, owner), ()) if at > now - 1.0]
        self._starts[program, owner] = [*lately, now]
        if len(lately) >= _TOO_MANY_STARTS:
            self._violations.append(f"{program} of {owner} was started {len(lately) + 1} times within a second")

    def _on_signal(self, directory: str, process: Process) -> None:
        """No dnsmasq is sent a SIGHUP that kills it, if the installed version was known when that was planned.

        Nor one that was started before it knew, once it has looked at the host and found that one replaced.
        """
        state, version = self._world.agent.state, process.version or (0, 0)
        noticed = self._planned_for.get(directory) == self._world.host.dnsmasq_version
        if process.pid in self._misjudged:
            looked_at = state.observation.at
            noticed = noticed and looked_at is not None and looked_at > self._installed_at
        if noticed and dnsmasq.dies_at_sighup(process, version):
            self._violations.append(f"SIGHUP to the dnsmasq {version} of {directory}, which dies of it")

    def remember(self, directory: str, process: Process) -> None:
        """Remember what a dnsmasq has loaded."""
        self._loaded.add((directory, process.loaded.get("host", "")))

    def on_submit(self, chain: Iterable[Action]) -> None:
        """The agent begins to carry these out."""
        for action in chain:
            if isinstance(action, ReloadInstance):
                self._planned_for[action.key.directory] = self._world.agent.state.capabilities.dnsmasq.version

    def on_release(self, process: Process, address: str) -> None:
        """See `MemoryHost.on_release`: what dnsmasq has loaded tells who is served."""
        mac = dnsmasq.holder(process.leases[address])
        if address in dnsmasq.reservations(process.loaded.get("host", "")).get(mac, ()):
            self._violations.append(f"lease of {address} released, which {mac} is served with")

    def on_call(self, method: str, arguments: tuple[Any, ...]) -> None:
        """A call has reached the server."""
        self.calls[method] = self.calls.get(method, 0) + 1
        if method == "report_state":
            self._reported_at = self._world.now
        elif method == "dhcp_ready_on_ports":
            self._on_ready(list(arguments[0]))
        elif method == "create_dhcp_port" and not self._world.restored:
            self._on_claim(arguments[0]["port"]["device_id"])

    def _on_claim(self, device_id: str) -> None:
        """A DHCP port is created only where there is none: the agent asks before it creates."""
        for port in self._world.server.tables.ports.values():
            if port["device_id"] == device_id and port["binding:host_id"] == self._world.settings.host:
                self._violations.append(f"a second DHCP port is created beside {port['id']}")

    def _on_ready(self, port_ids: list[str]) -> None:
        world = self._world
        there = [port_id for port_id in port_ids if port_id in world.server.tables.ports]
        self.reported.update({port_id: answered(world, port_id) for port_id in there})
        if len(port_ids) > _LARGEST_BATCH:
            self._violations.append(f"{len(port_ids)} ports in one report")
        for process in world.host.processes.values():
            if process.program == "dnsmasq":
                self.remember(world.host.owner(process) or "", process)
        for record in world.agent.state.networks.values():
            if record.id in self._disturbed:
                continue
            for port in record.desired.ports if record.desired is not None else ():
                if port.id in port_ids and not self._was_loaded(record, port):
                    self._violations.append(f"port {port.id} reported, whose reservation no dnsmasq has loaded")

    def _was_loaded(self, record: NetworkRecord, port: Port) -> bool:
        """Whether some dnsmasq of the network has, or had, loaded what a client of this port is to be answered.

        One that has changed again while it is being reported: whether there was anything for it, as it was or is.
        """
        network = record.desired
        assert network is not None
        ranges = {subnet.id for subnet in network.subnets if subnet.enable_dhcp and subnet.ip_version == 4}
        wanted = [ip.ip_address for ip in port.fixed_ips if ip.subnet_id in ranges]
        if not wanted or not port.requires_dhcp_configuration:
            return True
        if (
            len({subnet.segment_id for subnet in network.subnets if subnet.id in {i.subnet_id for i in port.fixed_ips}})
            > 1
        ):
            return True  # of several segments at once: with Neutron there is no such port
        mac = port.mac_address.lower()
        lines = [
            line.split(",")
            for directory, text in self._loaded
            if directory.endswith(record.id)
            for line in text.split("\n")
        ]
        if port.id in record.awaiting_ready:
            return any(line[0].lower() == mac or not set(wanted).isdisjoint(line) for line in lines)
        return any(line[0].lower() == mac and not set(wanted).isdisjoint(line) for line in lines)

    # -- looking ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold after everything that happens.

        Raises:
            AssertionError: it does not.
        """
        assert not self._violations, "; ".join(dict.fromkeys(self._violations))
        for (directory, address), mac in self.leases.items():
            for process in self._world.host.living("dnsmasq", directory):
                line = process.leases.get(address, "")
                assert mac in line, f"{directory}: the lease of {mac} on {address} is lost: {line}"

    def after_step(self) -> None:
        """What must hold after each step of the agent.

        Raises:
            AssertionError: it does not.
        """
        assert not self._violations, "; ".join(dict.fromkeys(self._violations))
        state = self._world.agent.state
        assert all(count > 0 for count in state.in_flight.values()), f"in flight: {dict(state.in_flight)}"
        if not state.fetches:
            assert not state.recent, f"remembered for no fetch: {dict(state.recent)}"
            assert not state.late, f"remembered for no fetch: {dict(state.late)}"

    def at_rest(self) -> None:
        """What must hold when nothing is left to do at this moment.

        Raises:
            AssertionError: it does not.
        """
        world = self._world
        if world.executor.idle:
            state = world.agent.state
            assert not state.in_flight, f"nothing runs, and yet in flight: {dict(state.in_flight)}"
        self._check_reports()

    def _check_reports(self) -> None:
        world = self._world
        if self._server_is_troubled() or world.faults.struck != self._struck:
            self._struck = world.faults.struck
            self._answering_since = world.now
        interval = world.settings.report_interval
        late = world.now - max(self._reported_at, self._answering_since) - interval
        assert late <= SLACK, f"no state report for {late + interval:g} s, though the server answers"

    def _server_is_troubled(self) -> bool:
        world = self._world
        return (
            not world.is_up
            or any(fault.operation[:1] in ("s", "*") for fault in world.faults.armed)
            or any(slow.call.startswith("server") for slow in world.slow)
            or any(each.call == "server.report_state" for each in world.executor.running)
        )

    def check_nobody_is_forgotten(self) -> None:
        """Every network that needs something is looked at by the next plan, waits for its time, or is at work.

        Raises:
            AssertionError: one is not: nothing but chance would ever plan for it again.
        """
        state = self._world.agent.state
        if not state.observation.done:
            return
        for record in state.networks.values():
            busy = any(scope.endswith(f":{record.id}") or f"/{record.id}" in scope for scope in state.in_flight)
            if record.id in state.touched or record.id in state.waiting or busy:
                continue
            needed, *_ = plan_network(state, record, self._world.now)
            kinds = [action.kind for action in needed]
            assert not kinds, f"network {record.id} needs {kinds}, and is forgotten"
