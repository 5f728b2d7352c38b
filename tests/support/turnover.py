"""An agent over in-memory adapters through which ports and networks come and go, in balance, and what it keeps of that.

The real loop, fold, plan, recipes and `Recent`; server and host are those of `dhcpcore.testing`, made
to forget their own past before memory is looked at.
"""

from __future__ import annotations

import gc
from collections import deque
from typing import Final

from dhcpcore.events import ResyncRequested
from dhcpcore_adapters.agent import Agent
from dhcpcore_adapters.agent.recent import Recent
from support.hand_executor import HOST, Rig

#: Ports of each network beside those that come and go.
_STANDING: Final = 5
#: Events that arrive between two steps of the loop.
_AT_ONCE: Final = 50
#: One network in so many events comes, serves a port, and goes.
_NETWORK_EVERY: Final = 200
#: Networks that fill every cache with a bound: the largest has 1,024 arguments of dnsmasq, of which each brings six.
_FILLING: Final = 180


class Turnover:
    """Networks with ports that come and go.

    Args:
        networks: that stay.
        waiting: how many ports are there at a time of those that come and go.
        recent: what the agent remembers for ``explain``; it grows to its bounds, and no further.
    """

    def __init__(self, networks: int = 10, waiting: int = 40, recent: Recent | None = None) -> None:
        self.rig = Rig()
        recent = Recent() if recent is None else recent
        rig = self.rig
        rig.server.desk.auto_schedule = False
        rig.agent = Agent(rig.agent.state, rig.adapters, rig.executor, jitter=lambda: 0.0, record=recent.record)
        self.networks = [rig.network(_STANDING) for _ in range(networks)]
        rig.settle()
        self.events = 0
        self._there: deque[str] = deque()
        for number in range(waiting):
            self._there.append(rig.port(self.networks[number % networks]))
        self._step()

    def turn(self, events: int) -> None:
        """So many notifications, half of them of what comes and half of what goes."""
        end = self.events + events
        while self.events < end:
            for number in range(_AT_ONCE // 2):
                network_id = self.networks[(self.events + number) % len(self.networks)]
                self._there.append(self.rig.port(network_id))
                self.rig.server.delete_port(self._there.popleft())
            self.events += _AT_ONCE
            if self.events % _NETWORK_EVERY == 0:
                self.networks_come_and_go(1)
            self._step()

    def fill(self) -> None:
        """Fill what has a bound, so that what grows afterwards grows for ever."""
        self.networks_come_and_go(_FILLING)

    def networks_come_and_go(self, count: int) -> None:
        """So many networks, one after the other: each comes, serves a port, and goes."""
        server = self.rig.server
        for _ in range(count):
            network_id: str = server.create_network()["id"]
            server.create_subnet(network_id, "10.0.0.0/24")
            server.desk.add_network(network_id, HOST)
            port_id = self.rig.port(network_id)
            self._step()
            assert network_id in self.rig.agent.state.networks
            server.delete_port(port_id)
            server.delete_network(network_id)
            self._step()

    def calm(self) -> None:
        """Until all is done, a full sync has passed, and garbage is collected: then memory may be looked at."""
        rig = self.rig
        rig.clock.advance(60.0)
        rig.agent.put(ResyncRequested(reason="memory is measured", at=rig.clock.monotonic()))
        self._step()
        assert not rig.agent.state.in_flight
        assert set(rig.agent.state.networks) == set(self.networks)
        self._forget()
        for _ in range(3):
            gc.collect()

    def _step(self) -> None:
        self.rig.settle()
        self.rig.clock.advance(1.0)
        self.rig.settle()
        self._forget()

    def _forget(self) -> None:
        """What the world around the agent remembers for tests."""
        rig = self.rig
        rig.server.calls.clear()
        rig.server.ready_reports.clear()
        rig.reporter.clear()
        rig.host.counts.clear()
        tables = rig.server.tables
        for index in (tables.taken, tables.network_ports, tables.network_subnets):
            for key in [key for key, there in index.items() if not there]:
                del index[key]
