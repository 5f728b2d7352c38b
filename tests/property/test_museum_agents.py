"""Laws over agents that live: what a server tells them, what they do about it, and what is on their hosts then.

The histories come from one seed each, which is ten times faster than drawing every choice.  All trouble at once is in
test_histories.py; here a law looks at one kind of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import actions, events
from dhcpcore.model.settings import Settings
from dhcpcore.testing import (
    Choices,
    Flavour,
    MemoryClock,
    MemoryHost,
    MemoryServer,
    Notification,
    SeededChoices,
    SimulatedAgent,
    leaks,
)
from dhcpcore.testing.generate import operations
from dhcpcore.testing.generate.operations import ON_A_NETWORK, Operation
from dhcpcore.testing.host.memory import SIGNAL, START, WRITE

HOST: Final = "host-1"
SEEDS = st.integers(0, 1 << 40)
#: Without those of which no agent is told, or which take its DHCP port away behind its back.
TOLD: Final = tuple(each for each in ON_A_NETWORK if each.__name__ not in ("bind_port", "lose_dhcp_port"))


class Life:
    """One agent at rest between operations of its server's users.

    Attributes:
        told: the notifications of the last operation.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        self.choices: Choices = SeededChoices(seed)
        self.clock = MemoryClock()
        self.server = MemoryServer(self.clock)
        self.host = MemoryHost(self.server.clock, self.server.faults)
        self.agent = SimulatedAgent(self.server, self.host, Settings(host=HOST, **options))
        self.told: list[Notification] = []
        self.agent.settle()
        for _ in range(1 + seed % 2):
            operations.create_network(self.choices, self.server)
        self.settle()

    def settle(self, between: Callable[[events.Event], None] | None = None) -> None:
        """Tell the agent everything, and let it come to rest; time passes, so that what may be tried again is."""
        self.told = list(self.server.notices.take_all(HOST))
        for notification in self.told:
            self.agent.receive(notification)
        self.agent.plans.clear()
        for _ in range(2):
            self.agent.settle(between=between)
            self.clock.advance(2.0)

    def steps(self, count: int, among: Sequence[Operation] = TOLD) -> Iterator[str]:
        """Operations, each after the agent has come to rest."""
        for _ in range(count):
            dice = self.choices.integer(0, 11)
            if dice == 10:
                yield operations.delete_network(self.choices, self.server)
            elif dice == 11:
                yield operations.recreate_network(self.choices, self.server)
            else:
                yield operations.operate(self.choices, self.server, Flavour.TYPICAL, None, among)

    def done(self) -> list[actions.Action]:
        """Everything that was done since the last operation."""
        return [action for plan in self.agent.plans for action in plan]

    def counted(self) -> list[int]:
        """Starts, signals and writes on the host so far."""
        return [self.host.count(what) for what in (START, SIGNAL, WRITE)]


@given(SEEDS)
def test_the_proxies_that_run_are_those_that_the_networks_need(seed: int) -> None:
    """want_proxy is a function of the network: after any history the proxies that run are those of the networks that
    need one; one is stopped under the id that it was started under; bound addresses are addresses of the device."""
    options = (
        {"enable_isolated_metadata": True},
        {"enable_isolated_metadata": True, "enable_metadata_network": True},
        {"force_metadata": True},
    )[seed % 3]
    life = Life(seed, **options)
    if seed % 3 == 1:  # a metadata network: its proxy is its router's, once it has one
        network_id = life.server.create_network()["id"]
        life.server.create_subnet(network_id, "169.254.192.0/18")
        operations.add_router(life.choices, life.server, Flavour.TYPICAL, network_id)
        life.settle()
    running = {process.pid: life.host.owner(process) for process in life.host.processes.values()}
    for _ in life.steps(4, (*TOLD, operations.add_router, operations.add_router, operations.change_subnet)):
        life.settle()
        owners = {life.host.owner(process) for process in life.host.processes.values() if process.program == "haproxy"}
        instances, proxies = life.agent.wanted()
        assert owners == {proxy.proxy_id for proxy in proxies}
        started = [action.spec.proxy_id for action in life.done() if isinstance(action, actions.StartProxy)]
        for action in life.done():
            if isinstance(action, actions.StopProxy):
                assert action.proxy_id in {*running.values(), *started}
        running = {process.pid: life.host.owner(process) for process in life.host.processes.values()}
        devices = {spec.device.name: spec.device for spec in instances}
        for proxy in proxies:
            binds = [line.split()[1:] for line in proxy.config.splitlines() if line.strip().startswith("bind ")]
            for bind in binds:
                address = bind[0].rpartition(":")[0].strip("[]")
                on = (
                    [devices[bind[2]]]
                    if len(bind) > 1
                    else [d for d in devices.values() if d.namespace == proxy.namespace]
                )
                assert any(each.partition("/")[0] == address for device in on for each in device.addresses)
        assert not [leak for leak in leaks(life.host, instances, proxies) if leak.startswith("process")]


@given(SEEDS)
def test_what_is_served_before_and_after_is_never_taken_down(seed: int) -> None:
    """A restart keeps the DHCP port, the namespace and the directory, and never do two processes serve one instance:
    an instance that is wanted before and after is neither disabled nor enabled, and no claim is made for it again."""

    def once(_: events.Event) -> None:
        running = Counter((p.program, life.host.owner(p)) for p in life.host.processes.values() if not p.zombie)
        assert all(count == 1 for count in running.values())

    life = Life(seed)
    before = {spec.key: spec.device.port_id for spec in life.agent.wanted()[0]}
    for said in life.steps(5):
        life.settle(once)
        after = {spec.key: spec.device.port_id for spec in life.agent.wanted()[0]}
        kept = {key for key in after if key in before and f"{key.network_id} deleted" not in said}
        assert all(after[key] == before[key] for key in kept), said
        for action in life.done():
            if isinstance(action, actions.DisableInstance | actions.EnableInstance | actions.CreateDhcpPort):
                assert action.key not in kept, said
            if isinstance(action, actions.RemoveNamespace):
                assert action.network_id not in {key.network_id for key in kept}, said
        before = after


@given(SEEDS)
def test_told_again_nothing_is_done(seed: int) -> None:
    """Re-delivery of any event is a no-op: nothing is written, started or signalled; and a port's asks nothing."""
    life = Life(seed)
    ports: list[Notification] = []
    for said in life.steps(4):
        life.settle()
        again, before = life.told, life.counted()
        assert life.agent.differences() == [], said
        ports += [each for each in again if each.method.startswith("port_")]  # however long ago, and in any order
        for notification in life.choices.shuffled(ports):
            life.agent.receive(notification)
        life.agent.plans.clear()
        life.agent.settle()
        assert {action.kind for action in life.done()} <= {"report_state", "observe"}, said
        for notification in again:
            life.agent.receive(notification)
        life.agent.settle()
        assert life.counted() == before, said
        assert life.agent.differences() == [], said


@given(SEEDS, st.integers(2, 5))
def test_a_port_event_looks_at_one_network_and_asks_the_server_nothing(seed: int, count: int) -> None:
    """Work of one port event: one network is looked at, however many there are; one call to the server, that the port
    is ready; one file store, signal or start for that network and none for another."""
    life = Life(seed)
    for _ in range(count):
        operations.create_network(life.choices, life.server)
    life.settle()
    network_id = life.choices.pick(sorted(life.server.tables.networks))
    said = operations.operate(
        life.choices, life.server, Flavour.TYPICAL, network_id, (operations.add_port, operations.change_mac)
    )
    life.agent.receive_all()
    asked, touched = len(life.server.calls), Counter(life.host.counts)
    assert set(life.agent.plan().examined) <= {network_id}, said
    life.agent.plans.clear()
    life.agent.settle()
    assert len(life.done()) <= 2, said
    calls = [call.method for call in life.server.calls[asked:]]
    assert calls in ([], ["dhcp_ready_on_ports"]), said
    assert all(network_id in subject for _, subject in life.host.counts - touched), said


@given(SEEDS)
def test_every_port_is_reported_once_it_is_served_and_not_before(seed: int) -> None:
    """Each port whose host line became effective is reported at least once, after it is effective, in batches of at
    most 64; a port that is not served is never reported."""
    life = Life(seed)
    seen = 0

    def effective(_: events.Event) -> None:
        nonlocal seen
        for _host, port_ids in life.server.ready_reports[seen:]:
            assert 0 < len(port_ids) <= 64
            for port_id in port_ids:
                port = life.server.tables.ports.get(port_id)
                if port is None:
                    continue
                loaded = [
                    process.loaded.get("addn_hosts", "")
                    for process in life.host.processes.values()
                    if process.program == "dnsmasq" and port["network_id"] in (life.host.owner(process) or "")
                ]
                assert loaded, f"{port_id} is reported, and its network not served"
                for ip in port["fixed_ips"] if port["device_owner"].startswith("compute:") else ():
                    assert any(f"{ip['ip_address']}\t" in text for text in loaded)
        seen = len(life.server.ready_reports)

    for said in life.steps(4):
        if life.choices.chance(50):  # what was told is lost, and everything asked for instead
            life.server.notices.take_all(HOST)
            life.agent.fold(events.ResyncRequested(reason="told to", at=life.clock.monotonic()))
        life.settle(effective)
        served = {spec.key.network_id for spec in life.agent.wanted()[0]}
        for port_id in life.server.tables.awaiting_dhcp:
            port = life.server.tables.ports.get(port_id)
            if port is not None and port["binding:host_id"] and port["status"] != "ACTIVE":
                assert port["network_id"] not in served, f"{port_id} was not reported: {said}"


@given(SEEDS, st.sampled_from(["files.*", "netns.*", "process.*", "server.*"]), st.integers(0, 5))
def test_a_failing_action_that_is_tried_again_lets_nothing_grow(seed: int, what: str, skip: int) -> None:
    """Retries of a failing action make no more devices, namespaces, files, processes and DHCP ports than the first
    try; and when it succeeds at last, everything is as if it had never failed (a timeout loses nothing)."""
    life = Life(seed)
    before = life.server.backup()
    for _ in life.steps(1):
        pass
    sizes = []
    for _ in range(4):
        life.server.faults.arm(what, skip=skip, when=("before", "within", "after")[seed % 3])
        life.settle()
        life.clock.advance(20.0)
        sizes.append(
            (
                len(life.host.processes),
                len(life.host.namespaces),
                sum(len(namespace.devices) for namespace in life.host.namespaces.values()),
                len([p for p in life.server.tables.ports.values() if p["device_id"].startswith("dhcp")]),
                len(life.host.disk.files(life.agent.settings.confs_dir)),
            )
        )
    life.server.faults.disarm()
    networks = max(len(life.server.tables.networks), len(before.networks))
    for processes, namespaces, devices, ports, files in sizes:
        assert max(processes, namespaces, ports) <= networks
        assert devices <= 2 * networks  # lo, and one for the DHCP port
        assert files <= 8 * networks
    for _ in range(4):
        life.clock.advance(100.0)
        life.settle()
    assert life.agent.differences() == []
    assert leaks(life.host, *life.agent.wanted()) == ()


@given(SEEDS)
def test_two_agents_never_serve_on_one_port_and_take_no_more_than_there_should_be(seed: int) -> None:
    """For any two agents' interleaving over a server that compares and swaps, each network ends with at most
    dhcp_agents_per_network DHCP ports, and never is one port on two hosts."""
    choices = SeededChoices(seed)
    clock = MemoryClock()
    server = MemoryServer(clock)
    server.desk.agents_per_network = 2
    hosts = {name: MemoryHost(server.clock, server.faults) for name in ("host-1", "host-2", "host-3")}
    agents = [SimulatedAgent(server, host, Settings(host=name)) for name, host in hosts.items()]
    for agent in agents:
        agent.settle()
    operations.create_network(choices, server)
    (network_id,) = server.tables.networks
    for _ in range(10):
        agent = choices.pick(agents)
        name = agent.settings.host
        match choices.integer(0, 9):
            case 0:
                operations.operate(choices, server, Flavour.TYPICAL, network_id, (operations.reserve_port,))
            case 1:
                if name in server.desk.hosts_of(network_id):
                    server.desk.remove_network(network_id, name)
                    server.desk.schedule(network_id)
            case 2:
                operations.operate(choices, server, Flavour.TYPICAL, network_id, (operations.add_port,))
                clock.advance(2.0)
            case 3:  # the port is made, and nobody hears of it
                server.faults.arm("server.create_dhcp_port", when="after")
            case 4 | 5:
                agent.receive_all()
            case _:
                agent.step()
    server.faults.disarm()
    for _ in range(5):  # long enough for an audit: what another port's device left behind is found there
        for agent in agents:
            agent.receive_all()
            agent.settle()
        clock.advance(100.0)
        for agent in agents:
            agent.fold(events.ResyncRequested(reason="quiet", at=clock.monotonic()))
    plugged = [
        name
        for host in hosts.values()
        for namespace in host.namespaces.values()
        for name in namespace.devices
        if name != "lo"
    ]
    assert len(set(plugged)) == len(plugged) <= 2
    ours = [port for port in server.tables.ports_of(network_id) if port["device_id"].startswith("dhcp")]
    assert len(ours) <= 2
    assert sorted(plugged) == sorted(f"tap{port['id'][:11]}" for port in ours)
    for agent in agents:
        assert agent.differences() == []
