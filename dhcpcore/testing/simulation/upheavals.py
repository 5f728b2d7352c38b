"""What an operator does to the agent itself: other settings, another dnsmasq under it, an agent on another host.

And programs that crash at every start.

See `happenings`, of which these are more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve

from dhcpcore.events import CapabilitiesChanged, SettingsChanged
from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate import operations
from dhcpcore.testing.simulation.neighbour import OTHER_HOST, Neighbour
from dhcpcore.testing.simulation.networks import some_network
from dhcpcore.testing.simulation.world import HOST, World

#: Settings that no file and no command line holds: who serves must not notice that they change.
_INNER: Final[tuple[Callable[[Choices], dict[str, Any]], ...]] = (
    lambda choices: {"audit_interval": choices.pick((100, 300))},
    lambda choices: {"retry_interval_max": choices.pick((10, 30, 60))},
    lambda choices: {"bulk_reload_interval": choices.pick((0, 1, 3))},
    lambda choices: {"ready_ports_batch": choices.pick((1, 2, 64))},
    lambda choices: {"resync_throttle": choices.pick((0, 1, 5))},
    lambda choices: {"tombstone_age": choices.pick((0, 60, 86400))},
)
#: Those of which every network's files or command line are made.
_SERVED: Final[tuple[Callable[[Choices], dict[str, Any]], ...]] = (
    lambda choices: {"dhcp_lease_duration": choices.pick((600, 86400, -1))},
    lambda choices: {"dnsmasq_dns_servers": choices.pick((("192.0.2.53",), ()))},
    lambda choices: {"dns_domain": choices.pick(("openstacklocal", "example.org"))},
    lambda choices: {"enable_isolated_metadata": choices.chance(50)},
    lambda choices: {"force_metadata": choices.chance(50)},
)
_VERSIONS: Final = ((2, 90), (2, 91))


def change_settings(world: World) -> None:
    """The settings change and are read again (SIGHUP); or the agent is killed before it was told to read them."""
    serves = world.choices.chance(30)
    changes = world.choices.pick(_SERVED if serves else _INNER)(world.choices)
    if serves:
        # Processes are started again with them; whoever holds a lease keeps it.
        world.laws.untouched.clear()
    world.settings = evolve(world.settings, **changes)
    world.note(f"settings: {changes}")
    if world.choices.chance(20):
        world.kill_agent("the settings were changed")
    else:
        world.put(SettingsChanged(settings=world.settings, at=world.now))


def replace_dnsmasq(world: World) -> None:
    """Another version of dnsmasq is installed; processes go on with the old one.

    The agent notices at its next look at the host, and trusts a better one from the look after that on: then it knows
    which processes still run the worse one.
    """
    host = world.host
    version = _VERSIONS[host.dnsmasq_version == _VERSIONS[0]]
    worse = version == _VERSIONS[0]
    host.install_dnsmasq(version)
    world.laws.dnsmasq_installed()
    # What starts now knows it.
    world.judge_capabilities = evolve(world.judge_capabilities, dnsmasq=DnsmasqCapabilities(version=version))
    world.note(f"dnsmasq {version[0]}.{version[1]} was installed")
    agent, looks, seen = world.agent, 1 if worse else 2, world.agent.state.observation.at

    def noticed() -> bool:
        nonlocal looks, seen
        if world.agent is not agent or host.dnsmasq_version != version:
            return True  # another life found it at its start; or it was replaced again
        at = agent.state.observation.at
        if at != seen:
            seen, looks = at, looks - 1
        if looks > 0:
            return False
        world.put(CapabilitiesChanged(capabilities=world.judge_capabilities, at=world.now))
        return True

    world.expected.append(noticed)


def start_neighbour(world: World) -> None:
    """Another host gets an agent, with a network of its own."""
    if world.neighbour is None:
        world.neighbour = Neighbour(world.server, world.clock, world.make_agent)
        world.note(f"an agent runs on {world.neighbour.name}")
        world.pass_time(1.0)  # the server has heard of it, and it has the fewest networks
        world.note(operations.create_network(world.choices, world.server))


def stop_neighbour(world: World) -> None:
    """That host is switched off, and its networks find another agent after a while."""
    if world.neighbour is None:
        return
    name = world.neighbour.name
    world.neighbour.end()
    world.neighbour = None
    world.note(f"{name} is switched off")
    world.pass_time(world.server.desk.agent_down_time + 1.0)
    for network_id in world.server.desk.reschedule_dead():
        world.laws.changed(network_id)
        world.note(f"network {network_id} was taken from {name}")


def move_network(world: World) -> None:
    """An operator takes a network from one of two agents and gives it to the other, who may be at work on it."""
    start_neighbour(world)
    network_id = some_network(world)
    if network_id is None:
        return
    desk = world.server.desk
    source, target = (HOST, OTHER_HOST) if HOST in desk.hosts_of(network_id) else (OTHER_HOST, HOST)
    if source in desk.hosts_of(network_id):
        desk.remove_network(network_id, source)
    if target not in desk.hosts_of(network_id):
        desk.add_network(network_id, target)
    world.note(f"network {network_id} moved from {source} to {target}")
    if world.choices.chance(50):
        world.deliver_all()
        world.pass_time(world.choices.pick((0.0, 0.1, 1.0)))


def doom_processes(world: World) -> None:
    """Whatever is started for one network dies at once, as with a program that crashes; or that has ended."""
    if world.deaths.doomed is not None:
        world.deaths.doomed = None
        world.note("processes live on again")
        return
    served = sorted(each.id for each in world.agent.state.networks.values() if each.served)
    others = [network_id for network_id in served if network_id != world.bystander]
    if not others:
        return
    network_id = world.deaths.doomed = world.choices.pick(others)
    world.laws.damaged(network_id)
    world.note(f"processes of {network_id} die at every start")
    world.pass_time(world.choices.pick((0.0, 3.0, 30.0)))


def stop_process(world: World) -> None:
    """Somebody stops a process and lets it not go on (SIGSTOP): it is there, and answers nobody."""
    living = [process for _, process in sorted(world.host.processes.items()) if not (process.zombie or process.stopped)]
    owners = {process.pid: world.host.owner(process) or "" for process in living}
    spared = [process for process in living if world.network_of(owners[process.pid]) != world.bystander]
    if not spared:
        return
    process = world.choices.pick(spared)
    world.laws.damaged(world.network_of(owners[process.pid]))
    world.tally.damages += 1
    process.stopped = True
    world.note(f"{process.program} of {owners[process.pid]} stopped")


UPHEAVALS: Final = (
    change_settings,
    replace_dnsmasq,
    start_neighbour,
    stop_neighbour,
    move_network,
    move_network,
    doom_processes,
    stop_process,
)
