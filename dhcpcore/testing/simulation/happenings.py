"""What may happen: to networks, to messages, to the server, and to the agent.

Each is a function over a `World` that draws what it needs from the world's choices and says in the log what it did.
What happens to the host is in `troubles`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dhcpcore.errors import AdapterError
from dhcpcore.events import ResyncRequested
from dhcpcore.model.lease import Lease
from dhcpcore.testing.faults import When
from dhcpcore.testing.generate import operations
from dhcpcore.testing.generate.addresses import address_range
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.identity import dhcp_device_id
from dhcpcore.testing.simulation.world import HOST, Slow, World

OTHER_HOST: Final = "host-2"
_WHENS: Final[tuple[When, ...]] = ("before", "after", "within")
_CALLS: Final = ("server.*", "files.*", "netns.*", "process.*")
#: Contracts and calls that may take their time.
_SLOW: Final = (
    "server.get_active",
    "server.get_network",
    "server.",
    "processes.",
    "namespaces.",
    "server.create_dhcp",
    "server.dhcp_ready",
)

Happening = Callable[[World], None]


def begin(world: World) -> None:
    """Two networks are served, and will be left alone until something happens to them; the first one for ever."""
    server = world.server
    server.create_subnet(server.create_network(mtu=1450)["id"], "10.255.0.0/24")
    operations.create_network(world.choices, server)
    for network_id in list(server.tables.networks):
        for _ in range(2):
            operations.operate(world.choices, server, Flavour.TYPICAL, network_id, (operations.add_port,))
    if world.choices.chance(50):
        world.frail = list(server.tables.networks)[1]
    for _ in range(3):
        world.deliver_all()
        world.pass_time(1.5)
    for network_id in world.server.tables.networks:
        lease_of(world, network_id)
        world.laws.untouched.add(network_id)
        world.laws.unchanged.add(network_id)


# -- what tenants and operators do ------------------------------------------------------------------------------------


def some_network(world: World) -> str | None:
    """A network that something is done to; never the first one of all."""
    known = sorted(world.server.tables.networks)
    known = [network_id for network_id in known if network_id not in (world.bystander, world.frail)]
    if not known:
        return None
    network_id = world.choices.pick(known)
    world.laws.changed(network_id)
    return network_id


def create_network(world: World) -> None:
    """A network with a subnet, scheduled to this host."""
    world.note(operations.create_network(world.choices, world.server))


def create_small_network(world: World) -> None:
    """A network with so few addresses that its DHCP port may find none, and somebody who has taken one."""
    network_id = world.server.create_network(mtu=1450)["id"]
    world.server.create_subnet(network_id, f"198.51.100.{4 * world.choices.integer(0, 60)}/30")
    said = operations.add_port(world.choices, world.server, Flavour.TYPICAL, network_id)
    world.note(f"network {network_id} created with two addresses; {said}")


def create_routed_network(world: World) -> None:
    """A network of two or three segments, one of them flat or elsewhere, with a subnet each."""
    choices, server = world.choices, world.server
    network_id = server.create_network(mtu=1450)["id"]
    for index in range(choices.integer(2, 3)):
        hosts = [] if index and choices.chance(30) else [HOST]
        number = None if index == 1 and choices.chance(30) else 100 + index
        segment = server.create_segment(network_id, hosts=hosts, segmentation_id=number)
        server.create_subnet(network_id, str(address_range(choices, index, 4)), segment_id=segment["id"])
    world.note(f"routed network {network_id} created")


def move_segment(world: World) -> None:
    """A segment is mapped to this host, or not any more; agents hear of it when a subnet changes."""
    segments = [row for _, row in sorted(world.server.tables.segments.items())]
    if not segments:
        return
    segment = world.choices.pick(segments)
    world.laws.changed(segment["network_id"])
    segment["hosts"] = [] if HOST in segment["hosts"] else [HOST]
    for subnet in world.server.tables.subnets_of(segment["network_id"]):
        if subnet["segment_id"] == segment["id"]:
            world.server.update_subnet(subnet["id"], enable_dhcp=subnet["enable_dhcp"])
    world.note(f"segment {segment['id']} is now on {segment['hosts']}")


def delete_network(world: World) -> None:
    """A network goes."""
    network_id = some_network(world)
    if network_id is not None:
        world.note(operations.delete_network(world.choices, world.server, network_id=network_id))


def recreate_network(world: World) -> None:
    """A network goes and comes back with the same id."""
    network_id = some_network(world)
    if network_id is not None:
        world.note(operations.recreate_network(world.choices, world.server, network_id=network_id))


def operate(world: World) -> None:
    """Something about a network, a subnet or a port changes."""
    network_id = some_network(world)
    if network_id is not None:
        world.note(operations.operate(world.choices, world.server, network_id=network_id))


def burst(world: World) -> None:
    """Many ports of one network change, one after the other, while the agent works."""
    network_id = some_network(world)
    if network_id is None:
        return
    world.note(f"a burst on {network_id}")
    among = (operations.add_port, operations.add_port, operations.remove_port, operations.move_port)
    for _ in range(world.choices.integer(3, 6)):
        operations.operate(world.choices, world.server, Flavour.TYPICAL, network_id, among)
        world.deliver_all()
        world.pass_time(world.choices.pick((0.0, 0.01, 0.3)))


def take_leases(world: World) -> None:
    """Clients of one network take the leases they are offered."""
    served = sorted(record.id for record in world.agent.state.networks.values() if record.served)
    if served:
        network_id = world.choices.pick(served)
        lease_of(world, network_id)
        world.note(f"clients of {network_id} took leases")


def lease_of(world: World, network_id: str) -> None:
    """All clients of a network ask; what an unchanged network gave is remembered."""
    record = world.agent.state.networks.get(network_id)
    if record is None or record.desired is None:
        return
    for key in sorted(record.served):
        for port in record.desired.ports:
            addresses = world.host.answer(key, port.mac_address) if port.requires_dhcp_configuration else ()
            for address in addresses:
                if ":" not in address:
                    mac = port.mac_address
                    world.host.lease(key, Lease(expiry=0, ip_address=address, mac_address=mac, client_id=f"01:{mac}"))
                    if network_id in world.laws.unchanged:
                        world.laws.leases[key.directory, address] = mac


def take_away(world: World) -> None:
    """A network is given to another agent, which takes over its DHCP port; or back to this one."""
    network_id = some_network(world)
    if network_id is None:
        return
    server, desk = world.server, world.server.desk
    own, others = dhcp_device_id(HOST, network_id), dhcp_device_id(OTHER_HOST, network_id)
    if HOST in desk.hosts_of(network_id) and OTHER_HOST not in desk.hosts_of(network_id):
        desk.remove_network(network_id, HOST)
        desk.bind(network_id, OTHER_HOST)
        for port in server.tables.ports_of(network_id):
            if port["device_id"] == "reserved_dhcp_port" and world.choices.chance(70):
                server.update_port(port["id"], device_id=others, **{"binding:host_id": OTHER_HOST})
        world.note(f"network {network_id} given to {OTHER_HOST}")
    elif HOST not in desk.hosts_of(network_id):
        if OTHER_HOST in desk.hosts_of(network_id) and world.choices.chance(50):
            desk.remove_network(network_id, OTHER_HOST)
        desk.add_network(network_id, HOST)
        world.note(f"network {network_id} given back; our ports were {own}")


def share(world: World) -> None:
    """Another host's agent serves the network too, on a DHCP port of its own."""
    network_id = some_network(world)
    if network_id is None or OTHER_HOST in world.server.desk.hosts_of(network_id):
        return
    world.server.desk.bind(network_id, OTHER_HOST)
    if world.server.tables.network_subnets.get(network_id):
        device_id = dhcp_device_id(OTHER_HOST, network_id)
        attributes: dict[str, Any] = {"device_owner": "network:dhcp", "binding:host_id": OTHER_HOST}
        try:
            world.server.create_port(network_id, device_id=device_id, **attributes)
        except Exception as refusal:
            world.note(f"{OTHER_HOST} gets no port: {refusal}")
    world.note(f"network {network_id} is served by {OTHER_HOST} too")


def overtake(world: World) -> None:
    """A port comes while an older answer about its network is on its way: the event wins.

    Raises:
        AssertionError: the answer won.
    """
    network_id = _quiet_network(world)
    if network_id is None:
        return
    world.slow.append(Slow("server.get_network_info", 5.0, answered=True))
    world.put(ResyncRequested(network_id=network_id, reason="somebody wants to know", at=world.now))
    world.pass_time(0.5)
    before = set(world.server.tables.network_ports[network_id])
    add = (operations.add_port,)
    said = operations.operate(world.choices, world.server, Flavour.TYPICAL, network_id, add)
    world.note(f"while an answer about {network_id} is on its way: {said}")
    world.deliver_all()
    world.pass_time(10.0)
    world.slow.clear()
    record = world.agent.state.networks.get(network_id)
    if record is not None and record.desired is not None:
        lost = set(world.server.tables.network_ports[network_id]) - before - {port.id for port in record.desired.ports}
        assert not lost, f"told of, and forgotten for an older answer: {lost}"


def late_news(world: World) -> None:
    """The news of a port comes again after that of its end: it does not come back.

    Raises:
        AssertionError: it did.
    """
    network_id = _quiet_network(world)
    if network_id is None:
        return
    before = set(world.server.tables.network_ports[network_id])
    operations.operate(world.choices, world.server, Flavour.TYPICAL, network_id, (operations.add_port,))
    news = [notice for notice in world.server.notices.queue(HOST) if notice.method == "port_create_end"]
    added = sorted(set(world.server.tables.network_ports[network_id]) - before)
    world.deliver_all()
    world.pass_time(1.0)
    if not added or not news or added[0] not in world.server.tables.ports:
        return
    world.server.delete_port(added[0])
    world.deliver_all()
    world.agent.notified(news[-1].method, news[-1].payload)
    world.step()
    world.note(f"port {added[0]} deleted, and told of again")
    record = world.agent.state.networks.get(network_id)
    back = record is not None and record.desired is not None and any(p.id == added[0] for p in record.desired.ports)
    assert not back, f"port {added[0]} was deleted, and came back"


def _quiet_network(world: World) -> str | None:
    """A network of this host about which everything is told, and nothing under way."""
    network_id = some_network(world)
    if network_id is None or not world.is_up:
        return None
    world.deliver_all()
    world.settle()
    listed = HOST in world.server.desk.hosts_of(network_id) and world.server.desk.is_listening(HOST)
    return network_id if listed and world.is_at_ease(network_id) else None


def admin_state(world: World) -> None:
    """An operator takes this agent down, or up again."""
    row = world.server.tables.agents.get(HOST)
    if row is not None:
        world.laws.everything_changed()
        world.server.desk.set_admin_state(HOST, not row.admin_state_up)
        world.note(f"the agent is administratively {'up' if row.admin_state_up else 'down'}")


# -- what becomes of messages, and of the server ----------------------------------------------------------------------


def deliver(world: World) -> None:
    """The agent receives some of what waits for it, in order."""
    world.deliver(world.choices.integer(0, len(world.server.notices.queue(HOST))))
    world.tell()


def disturb(world: World) -> None:
    """A message is lost, doubled, or overtaken by another."""
    queue = world.server.notices.queue(HOST)
    if not queue:
        return
    world.tally.lost += 1
    index = world.choices.integer(0, len(queue) - 1)
    match world.choices.integer(0, 2):
        case 0:
            world.note(f"{queue[index].method} lost")
            del queue[index]
        case 1:
            world.note(f"{queue[index].method} doubled")
            queue.append(queue[index])
        case _:
            other = world.choices.integer(0, len(queue) - 1)
            world.note(f"{queue[index].method} and {queue[other].method} change places")
            queue[index], queue[other] = queue[other], queue[index]


def outage(world: World) -> None:
    """The server crashes, with all messages on their way; or it is there again, maybe as it was long ago."""
    if world.outage is None:
        world.tally.outages += 1
        world.outage = world.faults.arm(
            "server.*", times=None, error=AdapterError("ConnectionLost: the server is gone")
        )
        world.disconnect("the server is gone")
        if world.choices.chance(70):
            world.tally.lost += len(world.server.notices.queue(HOST))
            world.server.notices.queue(HOST).clear()
        world.note("the server is gone")
        return
    if world.backup is not None and world.choices.chance(30):
        world.restore(world.backup)
    world.faults.disarm(world.outage)
    world.outage = None
    world.connect()
    world.note("the server is there again")


def back_up(world: World) -> None:
    """Somebody takes a backup of the server."""
    world.backup = world.server.backup()
    world.note("backup taken")


def restore(world: World) -> None:
    """The backup is restored; nobody is told, except that the server was started again."""
    if world.backup is not None:
        world.restore(world.backup)
        if world.outage is None:
            world.disconnect("the server was restored")
            world.connect()


def empty_answer(world: World) -> None:
    """For a while the server lists no network at all."""
    if world.settings.unsafe_disable_minimum > 1:
        world.laws.everything_changed()  # so few may be disabled
    now = world.now
    first = world.first_empty = now if world.first_empty is None else world.first_empty
    seconds = world.choices.pick((1.0, 30.0, 100.0))
    if now + seconds >= first + world.settings.unsafe_disable_hold:
        world.laws.everything_changed()  # an answer that stands for so long counts
    world.answers.change("get_active_networks_info", seconds, lambda _: [])
    world.note(f"for {seconds:g} s the server lists nothing")
    if world.is_up and world.choices.chance(70):
        world.disconnect("the line was cut")
        world.connect()


def garbled_answer(world: World) -> None:
    """For a while one network cannot be read in what the server answers; notifications are as they should be."""
    network_id = some_network(world)
    if network_id is None:
        return

    def garbled(network: Any) -> Any:
        return network | {"ports": "everywhere"} if network is not None and network["id"] == network_id else network

    seconds = world.choices.pick((5.0, 100.0))
    world.answers.change("get_active_networks_info", seconds, lambda answer: [garbled(each) for each in answer])
    if world.choices.chance(50):
        world.answers.change("get_network_info", seconds, garbled)
    world.note(f"for {seconds:g} s network {network_id} cannot be read")


def slow_call(world: World) -> None:
    """A call will take its time; its outcome comes while others go on."""
    slow = Slow(world.choices.pick(_SLOW), world.choices.pick((0.5, 5.0, 20.0, 80.0)))
    world.slow.append(slow)


def break_calls(world: World) -> None:
    """Some calls will fail: before, within, or after they are done, with an error or with a timeout."""
    operation, when = world.choices.pick(_CALLS), world.choices.pick(_WHENS)
    error = AdapterError("MessagingTimeout: timed out" if operation == "server.*" else "simulated fault")
    times = world.choices.pick((1, 1, 3))
    world.faults.arm(operation, when=when, skip=world.choices.integer(0, 3), times=times, error=error)
    world.note(f"faults {when} {times} of {operation}")


# -- what the agent does ----------------------------------------------------------------------------------------------


def step(world: World) -> None:
    """The agent plans once; what it wants to be done waits."""
    world.tell()
    world.step()


def work(world: World) -> None:
    """One job after the other gets on a little."""
    for _ in range(world.choices.integer(1, 4)):
        world.work(world.choices.integer(1, 16))


def wait(world: World) -> None:
    """Time passes, and the agent does what is due."""
    world.pass_time(world.choices.pick((0.1, 1.0, 1.0, 5.0, 40.0, 130.0)))
    if world.choices.chance(25) and not world.has_news:
        world.laws.check_nobody_is_forgotten()


#: What happens to networks, and to the rest of what agents hear and ask.
OF_NETWORKS: Final[tuple[Happening, ...]] = (
    burst,
    create_network,
    create_small_network,
    create_routed_network,
    move_segment,
    delete_network,
    recreate_network,
    take_leases,
    take_leases,
    take_away,
    share,
    overtake,
    late_news,
)
OF_MESSAGES: Final[tuple[Happening, ...]] = (
    disturb,
    disturb,
    slow_call,
    slow_call,
    break_calls,
    break_calls,
    back_up,
    restore,
    outage,
    outage,
    empty_answer,
    garbled_answer,
)
#: All of it, the frequent things several times.
PLAIN: Final[tuple[Happening, ...]] = (
    *(4 * (step,)),
    *(6 * (work,)),
    *(6 * (deliver,)),
    *(6 * (wait,)),
    *(8 * (operate,)),
    *OF_NETWORKS,
    *OF_MESSAGES,
)
