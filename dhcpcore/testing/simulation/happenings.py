"""What may happen: to messages, to the server, and to the agent.

Each is a function over a `World` that draws what it needs from the world's choices and says in the log what it did.
What happens to networks is in `networks`, what happens to the host in `troubles`.
"""

from __future__ import annotations

from typing import Any, Final

from dhcpcore.errors import AdapterError
from dhcpcore.testing.faults import When
from dhcpcore.testing.generate import operations
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.simulation.networks import OF_NETWORKS, Happening, lease_of, operate, some_network
from dhcpcore.testing.simulation.world import HOST, Slow, World

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


#: What happens to messages, to the server and to calls.
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
