"""One Neutron, one host, and both agents for it: they have the same name, settings, files and bridges.

Knows how a host is emptied, and when an agent has come to rest: the same for both, but for the word by which it says
that it is in step with the server.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from neutron_database import fill
from neutron_meters import Calls, Tail, Tree, dnsmasqs, launching, newest
from support.clients.wires import discover_frame, new_transaction, open_wire
from support.dhcp_packets import OFFER, Malformed, read_reply
from support.namespace import found
from support.neutron.control_plane import COMPUTE, ControlPlane
from support.neutron.our_agent import OurAgent
from support.neutron.stock_agent import StockAgent
from support.site import address, bridge

#: Seconds without a call, a start of dnsmasq or a word, after which an agent is at rest.
QUIET: Final = 8.0
#: Seconds after which something has failed.
PATIENCE: Final = 1500.0


@dataclass(frozen=True)
class Network:
    """One with one subnet, and the port by which a client asks."""

    id: str
    port_id: str
    mac: str
    expected: str

    @property
    def bridge(self) -> str:
        return bridge(self.id)


class Side:
    """One of the two agents.

    Args:
        log: its own.
        words: what it writes when it begins to do what a full answer asks for, and when it has done it.
    """

    def __init__(self, name: str, agent: StockAgent | OurAgent, log: Path, words: tuple[str, str]) -> None:
        self.name, self.agent, self.tree = name, agent, Tree()
        self._begins, self._done = words
        self._log = Tail(log)
        self.launched = self.first_synced = 0.0

    def launch(self) -> None:
        self._log.mark()
        self.first_synced = 0.0
        self.launched = time.monotonic()
        with launching():
            self.agent.launch()

    @property
    def said(self) -> str:
        """What it wrote since it was launched."""
        return self._log.text()

    @property
    def is_synced(self) -> bool:
        """Whether it says that it is in step with the server; the first time is kept in `first_synced`."""
        assert self.agent.process is not None
        said = self.said
        assert self.agent.process.poll() is None, said[-3000:]
        if not self.first_synced and self._done in said:
            self.first_synced = time.monotonic()
        # One word may be a part of the other.
        return 0 <= said.rfind(self._begins) <= said.rfind(self._done)

    def stop(self) -> float:
        """SIGTERM; seconds until it has ended."""
        assert self.agent.process is not None
        begun = time.monotonic()
        self.agent.process.terminate()
        self.agent.process.wait(PATIENCE)
        return time.monotonic() - begun


_STOCK: Final = ("Synchronizing state", "Synchronizing state complete")
#: What its answer asks for is planned in the same moment; calls and starts of dnsmasq tell when that is done.
_OURS: Final = ("action=fetch_networks", "action=fetch_networks")


class Site:
    """A server, and a host with both agents, of which one runs at a time."""

    def __init__(self, folder: Path, server: ControlPlane, calls: Calls) -> None:
        self.server, self.calls = server, calls
        self.networks: list[Network] = []
        folder.mkdir()
        shared = folder / "dnsmasq.conf"
        self.dnsmasq_log = Tail(folder / "dnsmasq.log")
        shared.write_text(f"user=root\ngroup=\nlog-facility={folder / 'dnsmasq.log'}\nquiet-dhcp\n")
        options: dict[str, Any] = {"report_interval": 30, "dnsmasq_config_file": shared}
        stock = StockAgent(folder / "stock", server, **options)
        self.state = stock.state
        options["state_path"] = stock.state
        ours = OurAgent(folder / "ours", server, **options)
        self.stock = Side("stock", stock, folder / "stock/agent.log", _STOCK)
        self.ours = Side("ours", ours, folder / "ours/agent.log", _OURS)

    def side(self, name: str) -> Side:
        """`ours` or `stock`."""
        return {side.name: side for side in (self.ours, self.stock)}[name]

    # -- the database

    def make_network(self) -> Network:
        """A network with one port, by the API."""
        made = self.server.network("10.0.0.0/20")
        port = self.server.create("port", network_id=made["id"], binding__host_id=COMPUTE)
        return Network(id=made["id"], port_id=port["id"], mac=port["mac_address"], expected=address(port))

    def fill(self, networks: int, ports: int) -> None:
        """Make so many networks, each with so many ports and our host's DHCP port; nothing is on the host then."""
        first = self.make_network()
        # An agent makes the DHCP port; either of them can.
        with self.running(self.ours):
            first_answers([first], 120)
        ids = fill(self.server, first.id, first.port_id, networks=networks, ports=ports)
        self.networks = [replace(first, id=network_id) for network_id in ids]
        self.wipe()

    # -- the host

    def wipe(self) -> None:
        """The host is as after it was switched off and on: no process, no device, no namespace, no file."""
        for process in dnsmasqs():
            os.kill(process.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(process.pid, 0)
        spaces = os.listdir("/run/netns")
        devices = [name for _, name in socket.if_nameindex() if name.startswith(("brq", "tap"))]
        for lines in ([f"netns delete {name}" for name in spaces], [f"link delete {name}" for name in devices]):
            # A tap has gone with its namespace.
            ip = [found("ip") or "ip", "-force", "-batch", "-"]
            subprocess.run(ip, input="\n".join(lines) + "\n", text=True, capture_output=True, timeout=120, check=False)
        for name in ("dhcp", "external", "ns-metadata-proxy"):
            shutil.rmtree(self.state / name, ignore_errors=True)
        # The kernel takes its time for namespaces, and nobody is to be measured with that.
        until = time.monotonic() + 60
        while len(socket.if_nameindex()) > 1 and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)

    def rest(self, side: Side) -> float:
        """Wait until an agent that was launched is at rest; when it came to rest, on the monotonic clock."""
        deadline, synced_at, seen = time.monotonic() + PATIENCE, 0.0, dnsmasqs()
        last = looked = side.launched
        while True:
            now = time.monotonic()
            assert now < deadline, f"{side.name} does not come to rest: {side.said[-3000:]}"
            if not side.is_synced:
                synced_at = 0.0
            elif not synced_at:
                synced_at = now
            # To look at all processes costs more than to read a log.
            if now - looked > 0.5:
                looked = now
                if (alive := dnsmasqs()) != seen:
                    seen, last = alive, now
            asked = [call.at for call in self.calls.since(side.launched) if call.method != "report_state"]
            if synced_at and now - max([last, synced_at, *asked]) >= QUIET:
                # `last` is when a start was seen; what lives tells it more exactly.
                return max([synced_at, *asked, min(last, newest(seen))])
            time.sleep(0.05)

    @contextmanager
    def running(self, side: Side) -> Iterator[float]:
        """An agent, at rest; stopped at the end."""
        side.launch()
        try:
            yield self.rest(side)
        finally:
            side.stop()


def first_answers(networks: Sequence[Network], within: float) -> dict[str, float]:
    """When each network first answered its client's DISCOVER, on the monotonic clock.

    Raises:
        AssertionError: some did not.
    """
    waiting = {network.id: network for network in networks}
    got: dict[str, float] = {}
    every = max(0.1, len(networks) / 1000)
    deadline = time.monotonic() + within
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        wires: dict[str, socket.socket] = {}
        by_descriptor: dict[int, Network] = {}
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} of {len(networks)} do not answer after {within} s"
            there = {name for _, name in socket.if_nameindex()}
            for network in waiting.values():
                if network.id not in wires and network.bridge in there:
                    with suppress(OSError):
                        wires[network.id] = wire = stack.enter_context(open_wire(network.bridge))
                        by_descriptor[wire.fileno()] = network
                        poll.register(wire, select.EPOLLIN)
                if network.id in wires:
                    with suppress(OSError):
                        wires[network.id].send(discover_frame(network.mac, new_transaction()))
            turn = time.monotonic() + every
            while waiting and (left := turn - time.monotonic()) > 0:
                for descriptor, _ in poll.poll(left):
                    network = by_descriptor[descriptor]
                    if _offered(wires[network.id], network) and network.id in waiting:
                        del waiting[network.id]
                        got[network.id] = time.monotonic()
    return got


def _offered(wire: socket.socket, network: Network) -> bool:
    """Whether the right offer is among what has come."""
    right = False
    with suppress(OSError):  # nothing more
        while True:
            with suppress(Malformed):
                reply = read_reply(wire.recv(1 << 16))
                if reply is not None and reply.kind == OFFER and reply.client == network.mac.lower():
                    right = right or reply.address == network.expected
    return right
