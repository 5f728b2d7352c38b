"""A small world with one server, one host and one agent, and everything that may happen in it.

Each method is one thing that happens; `check` holds the laws that must hold after every one of them, `heal` ends the
trouble and `check_converged` holds what must be so then.  A source of choices decides what happens: Hypothesis through
`AgentMachine`, or a seed through `play`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

import dhcpcore.events as events
from dhcpcore.model.lease import Lease
from dhcpcore.model.settings import Settings
from dhcpcore.plan.network import plan_network
from dhcpcore.state import NetworkRecord
from dhcpcore.testing.agent import SimulatedAgent
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.faults import Faults, SimulatedCrash, When
from dhcpcore.testing.generate import operations
from dhcpcore.testing.generate.addresses import address_range
from dhcpcore.testing.host import MemoryHost, leaks
from dhcpcore.testing.host.memory import SIGNAL, START, WRITE
from dhcpcore.testing.server import MemoryServer
from dhcpcore.testing.server.tables import Tables

HOST = "host-1"
_WHENS: tuple[When, ...] = ("before", "after", "within")
_CALLS = ("server.*", "files.*", "netns.*", "process.*")


class World:
    """See the module's docstring.

    Attributes:
        server, host, agent, clock, faults: what there is.
        log: what happened, in words, oldest first.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.clock = MemoryClock()
        self.faults = Faults()
        self.server = MemoryServer(self.clock, self.faults)
        self.host = MemoryHost(self.clock, self.faults, dnsmasq_version=choices.pick(((2, 90), (2, 91))))
        isolated = choices.chance(50)
        settings = Settings(
            host=HOST,
            enable_isolated_metadata=isolated,
            force_metadata=choices.chance(20),
            enable_metadata_network=isolated and choices.chance(20),
            unsafe_disable_minimum=4,
            dnsmasq_enable_addr6_list=choices.chance(20),
        )
        self.log: list[str] = []
        self.agent = SimulatedAgent(self.server, self.host, settings)
        self._backup: Tables | None = None
        self._reports_seen = 0
        self._leases: dict[tuple[str, str], str] = {}

    # -- what tenants and operators do --------------------------------------------------------------------------------

    def create_network(self) -> None:
        """A network with a subnet, scheduled to this host."""
        self.log.append(operations.create_network(self.choices, self.server))

    def create_routed_network(self) -> None:
        """A network of two or three segments, one of them flat or elsewhere, with a subnet each."""
        network_id = self.server.create_network(mtu=1450)["id"]
        for index in range(self.choices.integer(2, 3)):
            hosts = [] if index and self.choices.chance(30) else [HOST]
            number = None if index == 1 and self.choices.chance(30) else 100 + index
            segment = self.server.create_segment(network_id, hosts=hosts, segmentation_id=number)
            self.server.create_subnet(network_id, str(address_range(self.choices, index, 4)), segment_id=segment["id"])
        self.log.append(f"routed network {network_id} created")

    def delete_network(self) -> None:
        """A network goes."""
        self.log.append(operations.delete_network(self.choices, self.server))

    def recreate_network(self) -> None:
        """A network goes and comes back with the same id."""
        self.log.append(operations.recreate_network(self.choices, self.server))

    def operate(self) -> None:
        """Something about a network, a subnet or a port changes."""
        self.log.append(operations.operate(self.choices, self.server))

    def take_leases(self) -> None:
        """Clients of one network take the leases they are offered."""
        record = self._served_record()
        if record is None or record.desired is None:
            return
        for key in record.served:
            for port in record.desired.ports:
                addresses = self.host.answer(key, port.mac_address) if port.requires_dhcp_configuration else ()
                for address in addresses:
                    if ":" not in address:
                        self.host.lease(key, Lease(expiry=0, ip_address=address, mac_address=port.mac_address))
                        self._leases[key.directory, address] = port.id
        self.log.append(f"clients of {record.id} took leases")

    def back_up(self) -> None:
        """Somebody takes a backup of the server."""
        self._backup = self.server.backup()
        self.log.append("backup taken")

    def restore(self) -> None:
        """The backup is restored; nobody is told, except that the operator asks for a sync."""
        if self._backup is not None:
            self.server.restore(self._backup)
            self.log.append("backup restored")

    # -- what becomes of messages -------------------------------------------------------------------------------------

    def deliver(self) -> None:
        """The agent receives some of what waits for it, in order."""
        queue = self.server.notices.queue(HOST)
        for _ in range(self.choices.integer(0, len(queue))):
            self.agent.receive(queue.popleft())

    def disturb(self) -> None:
        """A message is lost, doubled, or overtaken by another."""
        queue = self.server.notices.queue(HOST)
        if not queue:
            return
        index = self.choices.integer(0, len(queue) - 1)
        match self.choices.integer(0, 2):
            case 0:
                self.log.append(f"{queue[index].method} lost")
                del queue[index]
            case 1:
                self.log.append(f"{queue[index].method} doubled")
                queue.append(queue[index])
            case _:
                other = self.choices.integer(0, len(queue) - 1)
                self.log.append(f"{queue[index].method} and {queue[other].method} change places")
                queue[index], queue[other] = queue[other], queue[index]

    # -- what the agent does ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """The agent plans and carries out; meanwhile the world goes on."""
        plan = self.agent.step(self._meanwhile)
        if plan:
            self.log.append("agent: " + ", ".join(action.kind for action in plan))
        self.check()
        self.check_nobody_is_forgotten()

    def _meanwhile(self, _: events.Event) -> None:
        if self.choices.chance(25):
            self.operate()
        if self.choices.chance(40):
            self.deliver()
        self.check()

    def wait(self) -> None:
        """Time passes."""
        self.clock.advance(self.choices.pick((0.5, 1.0, 5.0, 40.0, 400.0)))

    def crash(self) -> None:
        """The agent is killed somewhere in the middle of what it does, and started again."""
        if self.agent.crash_at(self.choices.integer(1, 40), lambda _: self.check()):
            self.log.append(f"agent killed: {self.faults.history[-1]}")

    def break_calls(self) -> None:
        """Some call will fail."""
        operation, when = self.choices.pick(_CALLS), self.choices.pick(_WHENS)
        self.faults.arm(operation, when=when, skip=self.choices.integer(0, 3))
        self.log.append(f"a fault {when} {operation}")

    # -- what happens to the host -------------------------------------------------------------------------------------

    def kill_process(self) -> None:
        """A dnsmasq or haproxy dies, noticed at once or at the next audit."""
        if not self.host.processes:
            return
        process = self.host.processes[self.choices.pick(sorted(self.host.processes))]
        owner = self.host.owner(process) or ""
        noticed = self.choices.chance(70)
        self.host.kill(process.pid)
        self.log.append(f"{process.program} of {owner} killed" + (", noticed" if noticed else ""))
        if not noticed:
            return
        now = self.clock.monotonic()
        for record in self.agent.state.networks.values():
            for key in record.served:
                if process.program == "dnsmasq" and key.directory == owner:
                    self.agent.fold(events.ProcessDied(key=key, pid=process.pid, exit_code=-9, at=now))
            if process.program == "haproxy" and record.proxy is not None and record.proxy.proxy_id == owner:
                self.agent.fold(events.ProxyDied(network_id=record.id, pid=process.pid, exit_code=-9, at=now))

    def damage(self) -> None:
        """An operator deletes a namespace or a file, edits one, takes an address or a device away."""
        record = self._served_record()
        if record is None:
            return
        key = sorted(record.served)[0]
        served = record.served[key].spec
        device = self.host.device(served.device.namespace, served.device.name)
        match self.choices.integer(0, 4):
            case 0:
                self.host.delete_namespace(f"qdhcp-{record.id}")
                self.log.append(f"namespace of {record.id} deleted")
            case 1:
                self.host.disk.unlink(f"{served.directory}/{self.choices.pick(('host', 'opts', 'addn_hosts'))}")
                self.log.append(f"a file of {key} deleted")
            case 2:
                self.host.disk.poke(f"{served.directory}/host", b"garbage,\xff\n")
                self.log.append(f"hosts file of {key} edited")
            case 3 if device is not None and device.addresses:
                self.host.set_addresses(served.device.namespace, device.name, device.addresses[1:])
                self.log.append(f"an address of {key} removed")
            case _ if device is not None:
                self.host.set_link(served.device.namespace, device.name, up=False)
                self.log.append(f"device of {key} taken down")

    def _served_record(self) -> NetworkRecord | None:
        served = sorted(record.id for record in self.agent.state.networks.values() if record.served)
        return self.agent.state.networks[self.choices.pick(served)] if served else None

    # -- laws ---------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at every moment.

        Raises:
            AssertionError: it does not.
        """
        running = Counter(
            (process.program, self.host.owner(process))
            for process in self.host.processes.values()
            if not process.zombie
        )
        twice = [owner for owner, count in running.items() if count > 1]
        assert not twice, f"running twice: {twice}"
        for _, port_ids in self.server.ready_reports[self._reports_seen :]:
            assert len(port_ids) <= 64, f"{len(port_ids)} ports in one report"
            for port_id in port_ids:
                assert self._is_served(port_id), f"port {port_id} reported, but not served"
        self._reports_seen = len(self.server.ready_reports)
        assert all(count > 0 for count in self.agent.state.in_flight.values())

    def check_nobody_is_forgotten(self) -> None:
        """Every network that needs something is looked at by the next plan, waits for its time, or is at work.

        Raises:
            AssertionError: one is not: nothing but chance would ever plan for it again.
        """
        state = self.agent.state
        if not state.observation.done:
            return
        for record in state.networks.values():
            busy = any(scope.endswith(f":{record.id}") or f"/{record.id}" in scope for scope in state.in_flight)
            if record.id in state.touched or record.id in state.waiting or busy:
                continue
            needed, _ = plan_network(state, record, self.clock.monotonic())
            kinds = [action.kind for action in needed]
            assert not kinds, f"network {record.id} needs {kinds}, and is forgotten"

    def _is_served(self, port_id: str) -> bool:
        """Whether a port's network was served with it in the files; a port that went since was served before."""
        for record in self.agent.state.networks.values():
            if record.desired is None or all(port.id != port_id for port in record.desired.ports):
                continue
            return bool(record.served)
        return True

    def heal(self, rounds: int = 80) -> None:
        """The trouble ends: no faults, all messages arrive, one sync, and time enough.

        Raises:
            AssertionError: the agent did not come to rest.
        """
        self.faults.disarm()
        self.host.spawn_fault = None
        self.agent.receive_all()
        self.agent.fold(events.ResyncRequested(reason="connected again", at=self.clock.monotonic()))
        for quiet in range(rounds):
            self.agent.settle(300, lambda _: self.check())
            due = self.agent.plan().due
            pause = 1.0 if due is None else due - self.clock.monotonic()
            self.clock.advance(min(max(pause, 0.1), 100.0))
            if quiet > 15 and not self.agent.differences():
                break
        # One audit more: it releases the leases whose release was lost.
        self.clock.advance(self.agent.settings.audit_interval + 1)
        self.agent.settle(300)

    def check_converged(self) -> None:
        """What must hold once the trouble is over.

        Raises:
            AssertionError: it does not.
        """
        differences = self.agent.differences()
        assert not differences, "\n".join(differences)
        left = leaks(self.host, *self.agent.wanted())
        assert not left, "\n".join(left)
        state = self.agent.state
        for name in ("in_flight", "fetches", "recent", "late"):
            assert not getattr(state, name), f"{name}: {dict(getattr(state, name))}"
        self._check_ports()
        self._check_leases()
        self._check_restart_is_hitless()

    def _check_ports(self) -> None:
        """Every DHCP port of this host is served on, or belongs to a network that has to wait for an address.

        A port that was claimed for a network that the agent is told of no more, just before it was killed, is known
        to nobody but the server.  A second port on a network that is served cannot be given back: a release takes all
        of a device id.
        """
        served = {spec.key.network_id for spec in self.agent.wanted()[0]}
        listed = {network.id for network in self.agent.networks()}
        for port in self.server.tables.ports.values():
            own_id = self.agent.settings.dhcp_device_id(port["network_id"], None)
            if port["device_id"] == own_id and port["binding:host_id"] == HOST and port["network_id"] in listed:
                record = self.agent.state.networks.get(port["network_id"])
                waits = record is not None and bool(record.claim_retry)
                assert port["network_id"] in served or waits, f"DHCP port {port['id']} serves nobody"

    def _check_leases(self) -> None:
        """The leases file holds no address of nobody, and nobody's lease was taken from him."""
        for record in self.agent.state.networks.values():
            if record.desired is None:
                continue
            owners = {
                (ip.ip_address, port.mac_address.lower()) for port in record.desired.ports for ip in port.fixed_ips
            }
            for key, served in record.served.items():
                # Told from the network itself, not by the core's own judge; dnsmasq ignores releases out of its ranges.
                view = served.spec.view
                ranges = [s.range for s in view.subnets if s.enable_dhcp] if view is not None else []
                for address, line in self.host.leases(key).items():
                    if ":" not in address and any(ip_address(address) in each for each in ranges):
                        assert (address, line.split()[1].lower()) in owners, f"{key}: stale lease {line}"

    def _check_restart_is_hitless(self) -> None:
        """An agent that starts over what is right starts, signals and writes nothing."""
        before = {what: self.host.count(what) for what in (START, SIGNAL, WRITE)}
        self.agent.restart()
        for _ in range(3):
            self.agent.settle(50)
            self.clock.advance(1.0)
        after = {what: self.host.count(what) for what in (START, SIGNAL, WRITE)}
        kinds = [action.kind for plan in self.agent.plans[-8:] for action in plan]
        assert before == after, f"a restart did {after} instead of {before}: {kinds}"


#: What happens, the frequent things several times; the quiet ones first, so that a failing history shrinks to them.
HAPPENINGS: tuple[Callable[[World], None], ...] = (
    World.step,
    World.step,
    World.step,
    World.step,
    World.deliver,
    World.deliver,
    World.deliver,
    World.wait,
    World.wait,
    World.operate,
    World.operate,
    World.operate,
    World.operate,
    World.create_network,
    World.create_routed_network,
    World.delete_network,
    World.recreate_network,
    World.take_leases,
    World.disturb,
    World.disturb,
    World.break_calls,
    World.crash,
    World.kill_process,
    World.damage,
    World.back_up,
    World.restore,
)


def play(choices: Choices, length: int = 50) -> World:
    """One history of `length` happenings, healed and checked.

    Raises:
        AssertionError: a law was broken; the message ends with what had happened.
    """
    world = World(choices)
    try:
        world.create_network()
        for _ in range(length):
            choices.pick(HAPPENINGS)(world)
            world.check()
        world.heal()
        world.check_converged()
    except AssertionError as error:
        story = "\n".join(world.log[-60:])
        raise AssertionError(f"{error}\n-- what happened:\n{story}") from None
    except SimulatedCrash as crash:
        raise AssertionError(f"a crash outside the agent: {crash}") from None
    return world
