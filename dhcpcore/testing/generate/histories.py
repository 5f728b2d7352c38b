"""Steps on a server as its agents meet them: answers before and after, and what they are told in between."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from dhcpcore.model.network import Network
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.networks import HOST, network, networks
from dhcpcore.testing.generate.operations import (
    ON_A_NETWORK,
    Operation,
    create_network,
    delete_network,
    operate,
    recreate_network,
)
from dhcpcore.testing.server.memory import MemoryServer
from dhcpcore.testing.server.notices import Notification
from dhcpcore.testing.wireform import WireDict


@frozen(kw_only=True)
class Mutation:
    """One step on one network, as its agent meets it.

    Attributes:
        operation: what was done, in words.
        before, after: answers of get_network_info; after is None where the network went.
        notifications: what the agent was told meanwhile, in order.
    """

    operation: str
    before: WireDict
    after: WireDict | None
    notifications: tuple[Notification, ...]


def mutation(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    original: Network | None = None,
    host: str = HOST,
    among: Sequence[Operation] = ON_A_NETWORK,
) -> Mutation:
    """A network (default: any), one step on it, and what the agent on `host` is told."""
    server = MemoryServer()
    network_id = server.load(network(c, flavour, host=host) if original is None else original, [host])
    before = server.describe(network_id, host)
    assert before is not None
    operation = operate(c, server, flavour, network_id, among)
    return Mutation(
        operation=operation,
        before=before,
        after=server.describe(network_id, host),
        notifications=tuple(server.notices.take_all(host)),
    )


@frozen(kw_only=True)
class Step:
    """One operation of a history, and what the agent was told of it."""

    operation: str
    notifications: tuple[Notification, ...]


@frozen(kw_only=True)
class History:
    """What one agent is told over some time.

    Attributes:
        start, end: answers of get_active_networks_info before the first step and after the last one.
    """

    host: str
    start: tuple[WireDict, ...]
    steps: tuple[Step, ...]
    end: tuple[WireDict, ...]

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Those of all steps, in order."""
        return tuple(notification for step in self.steps for notification in step.notifications)


def _anything(c: Choices, server: MemoryServer, flavour: Flavour, host: str) -> str:
    dice = c.integer(0, 19)
    if dice == 15 or not server.tables.networks:
        return create_network(c, server, flavour)
    if dice == 16:
        return delete_network(c, server, flavour)
    if dice == 17:
        return recreate_network(c, server, flavour)
    if dice >= 18:
        network_id = c.pick(sorted(server.tables.networks))
        if host in server.desk.hosts_of(network_id):
            server.desk.remove_network(network_id, host)
            return f"network {network_id} taken from {host}"
        server.desk.add_network(network_id, host)
        return f"network {network_id} given to {host}"
    return operate(c, server, flavour)


def _answer(server: MemoryServer, host: str) -> tuple[WireDict, ...]:
    return tuple(dict(each) for each in server.agent(host).get_active_networks_info())


def history(c: Choices, flavour: Flavour = Flavour.TYPICAL, *, host: str = HOST, max_steps: int = 8) -> History:
    """Some networks, then operations on them, on any, and on which of them the agent serves."""
    server = MemoryServer()
    agent = server.agent(host)
    agent.report_state({"host": host})
    for each in networks(c, flavour, host=host, count=c.integer(0, 3)):
        server.load(each, [host])
    start = _answer(server, host)
    server.notices.take_all(host)
    steps = []
    for _ in range(c.integer(1, max_steps)):
        operation = _anything(c, server, flavour, host)
        steps.append(Step(operation=operation, notifications=tuple(server.notices.take_all(host))))
    return History(host=host, start=start, steps=tuple(steps), end=_answer(server, host))
