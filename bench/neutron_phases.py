"""What is done with both agents: a cold start and a restart, a burst of ports, one port among many.

Each function gives its figures by name; seconds, megabytes and numbers.  Both agents go through the same code: what
tells them apart is in `neutron_site.Side`.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, Self

from neutron_meters import Peak, dnsmasqs
from neutron_site import PATIENCE, Network, Side, Site, first_answers
from support.clients.wires import Wire, discover_frame, new_transaction
from support.dhcp_packets import OFFER
from support.neutron.control_plane import COMPUTE
from support.site import address

Figures = dict[str, float]

#: Seconds between two of them: nobody is to be measured with what the one before left to do.
BETWEEN: Final = 5.0


def starts(site: Site, side: Side) -> Figures:
    """A cold start on an empty host, and a restart where nothing has changed; the agent runs at the end."""
    figures: Figures = {}
    networks = len(site.networks)
    site.dnsmasq_log.mark()
    side.launch()
    with Peak(side.tree) as peak:
        figures["cold, last answers"] = max(first_answers(site.networks, PATIENCE).values()) - side.launched
        figures["cold, at rest"] = site.rest(side) - side.launched
        figures["cold, cpu"] = side.tree.cpu()
        figures["cold, calls"] = len(site.calls.since(side.launched))
        figures["cold, dnsmasq started"] = _started(site)
        figures["end"] = side.stop()
        before = dnsmasqs()
        assert len(before) == networks, f"{len(before)} dnsmasq for {networks} networks"
        site.dnsmasq_log.mark()
        side.launch()
        figures["warm, at rest"] = site.rest(side) - side.launched
        figures["warm, first in sync"] = side.first_synced - side.launched
        figures["warm, cpu"] = side.tree.cpu()
        figures["warm, calls"] = len(site.calls.since(side.launched))
        figures["warm, dnsmasq restarted"] = networks - len(before & dnsmasqs())
        figures["warm, dnsmasq started"] = _started(site)
    figures["memory"], figures["processes"] = peak.megabytes, peak.processes
    # Restarted or not, everybody is served.
    first_answers(site.networks, 60)
    return figures


def _started(site: Site) -> int:
    return site.dnsmasq_log.text().count(": started, version")


def events(site: Site, side: Side, burst: int, singles: int) -> Figures:
    """A burst of ports, ten with each request, on a new network; then single ones on a large network."""
    figures: Figures = {}
    (large,) = site.networks
    with site.running(side):
        network = site.make_network()
        first_answers([network], 60)
        _quiet(site, side)
        cpu, begun = side.tree.cpu(), time.monotonic()
        made: list[dict[str, Any]] = []
        while len(made) < burst:
            made += site.server.ports(network.id, min(_AT_A_TIME, burst - len(made)))
        created = time.monotonic()
        figures["burst, created in"] = created - begun
        figures["burst, last answered"] = _all_answered(network, made) - created
        _quiet(site, side)
        figures["burst, cpu"] = side.tree.cpu() - cpu
        figures["burst, calls"] = len(site.calls.since(begun))
        leased, told = [], []
        for _ in range(singles):
            after_api, after_told = _one_port(site, large)
            leased.append(after_api)
            told.append(after_told)
            time.sleep(BETWEEN)
        figures["one port, leased"], figures["one port, worst"] = statistics.median(leased), max(leased)
        figures["one port, told"], figures["one port, told, worst"] = statistics.median(told), max(told)
    return figures


def _one_port(site: Site, network: Network) -> tuple[float, float]:
    """Create a port whose client has begun to ask already.

    Returns:
        Seconds from the API's answer to the client's lease, and from the notification of the agent to the first OFFER:
        the API answers some tenths of a second after it has told the agent.
    """
    number = next(_NUMBERS)
    mac = f"fa:16:3f:00:{number >> 8:02x}:{number & 0xFF:02x}"
    # To open and close such sockets takes the kernel longer than a lease.
    with Wire(network.bridge) as wire, _FirstOffer(network.bridge, mac) as first:
        begun = time.monotonic()
        port = site.server.create("port", network_id=network.id, mac_address=mac, **{"binding__host_id": COMPUTE})
        created = time.monotonic()
        offered = first.wait()
        lease = wire.take_lease(mac)
        leased = time.monotonic()
        assert lease.address == first.address == address(port)
        wire.release(lease)
    told = [call.at for call in site.calls.told_since(begun) if call.method == "port_create_end"]
    assert told, "nobody has told the agent of a port"
    return leased - created, offered - told[0]


class _FirstOffer:
    """A client that asks again and again until it is offered an address; a context manager."""

    def __init__(self, device: str, mac: str) -> None:
        self._wire, self._mac = Wire(device), mac
        self._came = threading.Event()
        self._end = False
        self._at = 0.0
        self.address = ""
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        asked: set[int] = set()
        due = time.monotonic()
        while not self._end:
            if (now := time.monotonic()) >= due:
                asked.add(transaction := new_transaction())
                self._wire.send(discover_frame(self._mac, transaction))
                due = max(due + _AGAIN, now)
            # The answer to any of them: a server that is busy answers later than the next is sent.
            reply = self._wire.receive(max(0.0, due - time.monotonic()))
            if reply is not None and reply.kind == OFFER and reply.transaction in asked:
                self._at, self.address = time.monotonic(), reply.address
                self._came.set()
                return

    def wait(self) -> float:
        """When it was, on the monotonic clock."""
        assert self._came.wait(PATIENCE), f"{self._mac} is offered nothing"
        return self._at

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end = True
        self._thread.join()
        self._wire.__exit__()


#: Ports that are created with one request.
_AT_A_TIME: Final = 10
#: Seconds between two DISCOVERs of who waits for an address.
_AGAIN: Final = 0.01
#: Of MAC addresses that were not there before.
_NUMBERS: Final = count()


def _quiet(site: Site, side: Side) -> None:
    """Wait until the agent has asked nothing and used next to no CPU for a while."""
    deadline, quiet_since, used = time.monotonic() + PATIENCE, time.monotonic(), side.tree.cpu()
    while time.monotonic() - quiet_since < 3:
        assert time.monotonic() < deadline, f"{side.name} does not come to rest: {side.said[-3000:]}"
        time.sleep(0.5)
        asked = [call for call in site.calls.since(quiet_since) if call.method != "report_state"]
        now = side.tree.cpu()
        if asked or now - used > 0.1:
            quiet_since = time.monotonic()
        used = now


def _all_answered(network: Network, ports: Sequence[dict[str, Any]]) -> float:
    """When the last of these ports was first offered its address, on the monotonic clock.

    Raises:
        AssertionError: some are not.
    """
    waiting = {port["mac_address"]: address(port) for port in ports}
    transactions: dict[int, str] = {}
    deadline = time.monotonic() + PATIENCE
    last = time.monotonic()
    with Wire(network.bridge) as wire:
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} of {len(ports)} ports are not answered"
            for mac in waiting:
                transactions[transaction := new_transaction()] = mac
                wire.send(discover_frame(mac, transaction))
            turn = time.monotonic() + 0.25
            while waiting and (reply := wire.receive(max(0.0, turn - time.monotonic()))) is not None:
                mac = transactions.get(reply.transaction, "")
                if reply.kind == OFFER and waiting.get(mac) == reply.address:
                    del waiting[mac]
                    last = time.monotonic()
    return last
