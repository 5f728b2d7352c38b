"""What may happen to the host: the agent is killed, processes die, operators and disks do harm.

See `happenings`, of which these are the rest.
"""

from __future__ import annotations

from typing import Final

from dhcpcore.state import NetworkRecord
from dhcpcore.testing.faults import SimulatedCrash, When
from dhcpcore.testing.simulation.happenings import PLAIN
from dhcpcore.testing.simulation.networks import Happening, admin_state, operate
from dhcpcore.testing.simulation.world import World

_WHENS: Final[tuple[When, ...]] = ("before", "before", "after", "within")
#: Calls around which something is half done.
_CRASHING: Final = (
    *(4 * ("process.reload_dnsmasq",)),
    "process.start_dnsmasq",
    "process.stop_dnsmasq",
    "process.start_proxy",
    "process.release_leases",
    "files.write",
    "files.remove",
    "netns.ensure_device",
    "netns.remove_*",
    "server.create_dhcp_port",
    "server.release_dhcp_port",
    "server.dhcp_ready_on_ports",
)


def crash(world: World) -> None:
    """The agent is killed somewhere in the middle of what it does, and started again."""
    world.faults.crash_at(world.faults.points + world.choices.integer(1, 60))
    world.pass_time(world.choices.pick((0.5, 5.0)))


def crash_at_a_call(world: World) -> None:
    """The agent will be killed at the next call of one kind; then a network changes."""
    operation, when = world.choices.pick(_CRASHING), world.choices.pick(_WHENS)
    skip = world.choices.pick((0, 0, 0, 1, 2))
    world.faults.arm(operation, when=when, skip=skip, error=lambda: SimulatedCrash(f"{when} {operation}"))
    world.note(f"a crash {when} {operation}")
    operate(world)
    if world.choices.chance(70):
        world.deliver_all()
        world.pass_time(1.0)


def crash_now(world: World) -> None:
    """The agent is killed between two calls, with all its jobs; what was sent to it may be lost."""
    world.kill_agent("between two calls")
    if world.choices.chance(30):
        world.server.notices.take_all(world.settings.host)


def kill_process(world: World) -> None:
    """A dnsmasq or haproxy dies, noticed at once or at the next audit."""
    pids = [pid for pid, process in sorted(world.host.processes.items()) if not _is_spared(world, process.pid)]
    if not pids:
        return
    process = world.host.processes[world.choices.pick(pids)]
    owner = world.host.owner(process) or ""
    network_id = world.network_of(owner)
    seen = world.choices.chance(70)
    if not seen:
        world.deaths.unseen(process.pid)
    eased = seen and process.program == "dnsmasq" and world.is_at_ease(network_id)
    world.laws.damaged(network_id)
    world.tally.deaths += 1
    world.host.kill(process.pid)
    world.note(f"{process.program} of {owner} killed" + (", noticed" if seen else ""))
    if eased:
        world.pass_time(2.0)
        record = world.agent.state.networks.get(network_id)
        if record is not None and record.wanted and record.retry is None and not world.host.living("dnsmasq", owner):
            raise AssertionError(f"dnsmasq of {owner} is not back, 2 s after its death was noticed")


def _is_spared(world: World, pid: int) -> bool:
    return world.network_of(world.host.owner(world.host.processes[pid]) or "") == world.bystander


def damage(world: World) -> None:
    """An operator deletes a namespace or a file, edits one, takes an address or a device away."""
    record = _served_record(world)
    if record is None or world.host.disk.fault is not None:
        return
    world.tally.damages += 1
    world.laws.damaged(record.id)
    choices, host = world.choices, world.host
    key = choices.pick(sorted(record.served))
    served = record.served[key].spec
    device = host.device(served.device.namespace, served.device.name)
    match choices.integer(0, 7):
        case 0:
            host.delete_namespace(f"qdhcp-{record.id}")
            world.note(f"namespace of {record.id} deleted")
        case 1:
            name = choices.pick(("host", "opts", "addn_hosts", "interface"))
            host.disk.unlink(f"{served.directory}/{name}")
            if name == "host":
                world.laws.lost_hosts.add(key)
            world.note(f"{name} of {key} deleted")
        case 2:
            host.disk.poke(f"{served.directory}/host", b"garbage,\xff\n")
            world.laws.lost_hosts.add(key)
            world.note(f"hosts file of {key} edited")
        case 3 if not host.dnsmasqs(key):
            world.laws.changed(record.id)
            host.disk.poke(f"{served.directory}/leases", b"\x00\xffgarbage 1 2\n")
            world.note(f"leases file of {key} filled with garbage")
        case 4 if device is not None:
            del host.namespaces[served.device.namespace].devices[device.name]
            world.note(f"device of {key} deleted")
        case 5 if device is not None and device.addresses:
            host.set_addresses(served.device.namespace, device.name, device.addresses[1:])
            world.note(f"an address of {key} removed")
        case 6 if device is not None:
            host.set_routes(served.device.namespace, device.name, ())
            world.note(f"routes of {key} removed")
        case _ if device is not None:
            host.set_link(served.device.namespace, device.name, up=False)
            world.note(f"device of {key} taken down")


def sick_host(world: World) -> None:
    """The disk is full, or read-only, or no process can be started; or the host has recovered from that."""
    host = world.host
    if host.disk.fault is not None or host.spawn_fault is not None:
        host.disk.fault = host.spawn_fault = None
        world.note("the host is well again")
        return
    match world.choices.integer(0, 2):
        case 0:
            host.spawn_fault = "ENOMEM"
        case 1:
            host.disk.fault = "ENOSPC"
        case _:
            host.disk.fault = "EROFS"
    world.note(f"the host is sick: {host.spawn_fault or host.disk.fault}")


def set_clock(world: World) -> None:
    """Somebody sets the wall clock."""
    world.clock.jump_wall(world.choices.pick((60.0, -60.0, 86400.0, -86400.0)))
    world.note("the wall clock jumps")


def _served_record(world: World) -> NetworkRecord | None:
    networks = world.agent.state.networks
    served = sorted(each.id for each in networks.values() if each.served and each.id != world.bystander)
    return networks[world.choices.pick(served)] if served else None


OF_THE_HOST: Final[tuple[Happening, ...]] = (
    crash,
    crash_at_a_call,
    crash_at_a_call,
    crash_now,
    kill_process,
    kill_process,
    damage,
    damage,
    sick_host,
    set_clock,
    admin_state,
)
#: Everything that happens to one agent whose settings and whose dnsmasq stay as they are.
HAPPENINGS: Final[tuple[Happening, ...]] = (*PLAIN, *OF_THE_HOST)
