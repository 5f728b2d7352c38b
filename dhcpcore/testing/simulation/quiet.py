"""The end of the trouble, and what must be so then: all is served as the server wants it; a restart does nothing."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from dhcpcore.model.port import DEVICE_ID_RESERVED_DHCP_PORT
from dhcpcore.model.spec import InstanceSpec, MetadataProxySpec
from dhcpcore.testing.host import dnsmasq, leaks
from dhcpcore.testing.host.memory import SIGNAL, START, WRITE
from dhcpcore.testing.simulation.laws import answered
from dhcpcore.testing.simulation.world import HOST, World

#: Seconds in which the agent must have come to rest, of which the first ones are let pass without looking.
_PATIENCE: Final = 4000.0
_OWED: Final = 60.0
Wanted = tuple[list[InstanceSpec], list[MetadataProxySpec]]
_DEEDS: Final = (START, SIGNAL, WRITE)


def heal(world: World) -> Wanted:
    """The trouble ends: no faults, all messages arrive, one connection, and time enough; what is served then.

    Raises:
        AssertionError: the agent did not come to rest, or not to what the server wants.
    """
    world.note("the trouble ends")
    world.faults.disarm()
    world.host.spawn_fault = world.host.disk.fault = None
    world.host.lost_releases = 0
    world.deaths.doomed = None
    world.slow.clear()
    for running in world.executor.running:
        running.not_before = world.now
    world.answers.truth()
    row = world.server.tables.agents.get(HOST)
    if row is not None and not row.admin_state_up:
        world.server.desk.set_admin_state(HOST, True)
    world.is_up = True
    world.outage = None
    world.deliver_all()
    world.disconnect("the line was cut")  # a new connection is told of only after the old one was lost
    world.connect()
    until = world.now + _PATIENCE
    # What was held, or answered wrongly, stands for a while; and one audit more releases leases whose release was lost.
    _live(world, max(world.settings.unsafe_disable_hold, 1.25 * world.settings.audit_interval) + _OWED)
    while True:
        judge = world.judge
        wanted = judge.wanted()
        differences = judge.differences_from(*wanted)
        if world.neighbour is not None:
            differences += world.neighbour.differences()
        brake = world.agent.state.brake
        if not differences and brake is None:
            return wanted
        assert world.now < until, "\n".join(differences) or f"the brake holds for ever: {brake}"
        _live(world, world.settings.audit_interval)


def _live(world: World, seconds: float) -> None:
    until = world.now + seconds
    while world.now < until:
        world.settle()
        if world.server.notices.queue(HOST):
            world.deliver_all()
            continue
        due = world.next_due
        pause = until - world.now if due is None else due - world.now
        world.pass_time(min(max(pause, 0.01) + 0.001, until - world.now + 0.001))
    world.settle()
    world.laws.check()


def check_converged(world: World, wanted: Wanted) -> None:
    """What must hold once the trouble is over, and the host serves what is wanted.

    Raises:
        AssertionError: it does not.
    """
    instances, proxies = wanted
    left = leaks(world.host, instances, proxies)
    assert not left, "\n".join(left)
    _check_state(world)
    _check_scheduled(world)
    _check_ports(world, instances)
    _check_ready(world, instances)
    _check_leases(world)
    world.laws.check()
    check_restart_is_hitless(world, instances, proxies)


def _check_state(world: World) -> None:
    """Nothing is under way, and nothing is remembered of what is no more."""
    state = world.agent.state
    for name in ("in_flight", "fetches", "recent", "late", "ended", "touched"):
        assert not getattr(state, name), f"{name}: {dict(getattr(state, name))}"
    assert state.brake is None, f"the brake holds still: {state.brake}"
    assert not state.ready.queue, f"never reported: {dict(state.ready.queue)}"
    assert not state.ready.reporting, f"reported for ever: {dict(state.ready.reporting)}"
    listed = set(world.server.tables.networks)
    remembered = set(state.networks)
    assert remembered <= listed, f"remembered of networks that are gone: {remembered - listed}"


def _check_scheduled(world: World) -> None:
    """No network that this host could serve is without an agent: it asked after the server knew that it lives."""
    desk, tables = world.server.desk, world.server.tables
    for network_id in tables.networks:
        if any(subnet["enable_dhcp"] for subnet in tables.subnets_of(network_id)) and not desk.hosts_of(network_id):
            assert not desk.could_serve(HOST, network_id), f"network {network_id} was given to no agent"


def _check_ports(world: World, instances: list[InstanceSpec]) -> None:
    """Every DHCP port of this host is served on, or belongs to a network that has to wait for an address.

    A port that was claimed for a network that the agent is told of no more, just before it was killed, is known to
    nobody but the server.  A second port on a network that is served cannot be given back: a release takes all of a
    device id.
    """
    served = {spec.key.network_id for spec in instances}
    listed = {network.id for network in world.judge.networks()}
    for port in world.server.tables.ports.values():
        own_id = world.settings.dhcp_device_id(port["network_id"], None)
        if port["device_id"] == own_id and port["binding:host_id"] == HOST and port["network_id"] in listed:
            record = world.agent.state.networks.get(port["network_id"])
            waits = record is not None and bool(record.claim_retry)
            assert port["network_id"] in served or waits, f"DHCP port {port['id']} serves nobody"


def _check_ready(world: World, instances: list[InstanceSpec]) -> None:
    """Every bound port that is served has been reported: none waits for DHCP.

    One that is ACTIVE may wait where a backup was restored, and where it is answered as it was when it was reported
    last: it was changed and changed back while nobody listened, and nothing that the server says tells that.
    """
    ranges = {
        subnet.id
        for spec in instances
        if spec.view is not None
        for subnet in spec.view.subnets
        if subnet.enable_dhcp and subnet.ip_version == 4
    }
    for port_id in sorted(world.server.tables.awaiting_dhcp):
        port = world.server.tables.ports[port_id]
        if port["device_id"] == DEVICE_ID_RESERVED_DHCP_PORT:
            continue  # nobody's: reported when an instance serves on it
        if port["status"] == "ACTIVE" and (
            world.restored or world.laws.reported.get(port_id) == answered(world, port_id)
        ):
            continue
        if port["binding:host_id"] and any(ip["subnet_id"] in ranges for ip in port["fixed_ips"]):
            raise AssertionError(f"port {port_id} is served and bound, and was never reported")


def _check_leases(world: World) -> None:
    """The leases file holds no address of nobody, nor one port's for another, and nobody's lease was taken from him."""
    for record in world.agent.state.networks.values():
        if record.desired is None:
            continue
        owners = {(ip.ip_address, port.mac_address.lower()) for port in record.desired.ports for ip in port.fixed_ips}
        for key, served in record.served.items():
            # Told from the network itself, not by the core's own judge; dnsmasq ignores releases out of its ranges.
            view = served.spec.view
            ranges = [s.range for s in view.subnets if s.enable_dhcp] if view is not None else []
            for address, line in world.host.leases(key).items():
                if ":" not in address and any(ip_address(address) in each for each in ranges):
                    assert (address, line.split()[1].lower()) in owners, f"{key}: stale lease {line}"
                heirs = {mac for owned, mac in owners if owned == address and ":" in address}
                assert not heirs or key in world.laws.lost_hosts or dnsmasq.holder(line) in heirs, (
                    f"{key}: {line} keeps its address from {heirs}"
                )


def check_restart_is_hitless(world: World, instances: list[InstanceSpec], proxies: list[MetadataProxySpec]) -> None:
    """An agent that starts over what is right starts, signals and writes nothing, and asks once for everything.

    Raises:
        AssertionError: it did more.
    """
    before = {what: world.host.count(what) for what in _DEEDS}
    world.end_life()
    world.laws.calls.clear()
    world.start_agent()
    _live(world, 5.0)
    after = {what: world.host.count(what) for what in _DEEDS}
    assert before == after, f"a restart did {after} instead of {before}"
    asked = [world.laws.calls.get(method, 0) for method in ("get_active_networks_info", "get_network_info")]
    assert asked == [1, 0], f"a restart asked {asked[0]} times for everything, and {asked[1]} times for one network"
    left = world.judge.differences_from(instances, proxies)
    assert not left, "\n".join(left)
