"""What tenants and operators do to networks, and what an agent hears of it at a bad moment.

Each is a function over a `World`, as all `happenings` are, of which these are some.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dhcpcore.events import ResyncRequested
from dhcpcore.model.lease import Lease
from dhcpcore.testing.generate import operations
from dhcpcore.testing.generate.addresses import address_range
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.identity import dhcp_device_id
from dhcpcore.testing.simulation.neighbour import OTHER_HOST
from dhcpcore.testing.simulation.world import HOST, Slow, World

Happening = Callable[[World], None]


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
                mac = port.mac_address
                if ":" in address:
                    lease = Lease(expiry=0, ip_address=address, iaid=1, client_id=f"00:03:00:01:{mac}")
                else:
                    lease = Lease(expiry=0, ip_address=address, mac_address=mac, client_id=f"01:{mac}")
                world.host.lease(key, lease)
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


#: All of these but the frequent ones.
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
