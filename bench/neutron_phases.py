"""What is done with both agents: a cold start and a restart, a burst of ports, one port among many.

Each function gives its figures by name; seconds, megabytes and numbers.  Both agents go through the same code: what
tells them apart is in `neutron_site.Side`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

from neutron_meters import Peak, dnsmasqs
from neutron_site import PATIENCE, Network, Side, Site, first_answers
from support.clients.wire_latency import answered
from support.clients.wires import Wire, discover_frame, new_transaction
from support.dhcp_packets import OFFER
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
    """A burst of ports, one call after the other, on a new network; then single ones on a large network."""
    figures: Figures = {}
    (large,) = site.networks
    with site.running(side):
        network = site.make_network()
        first_answers([network], 60)
        _quiet(site, side)
        cpu, begun = side.tree.cpu(), time.monotonic()
        made = [site.server.create("port", network_id=network.id, **_BOUND) for _ in range(burst)]
        created = time.monotonic()
        figures["burst, created in"] = created - begun
        figures["burst, last answered"] = _all_answered(network, made) - created
        _quiet(site, side)
        figures["burst, cpu"] = side.tree.cpu() - cpu
        figures["burst, calls"] = len(site.calls.since(begun))
        times = []
        for _ in range(singles):
            port = site.server.create("port", network_id=large.id, **_BOUND)
            asked = time.monotonic()
            answered(large.bridge, port["mac_address"], address(port), 60)
            with Wire(large.bridge) as wire:
                lease = wire.take_lease(port["mac_address"])
                times.append(time.monotonic() - asked)
                wire.release(lease)
            time.sleep(BETWEEN)
        figures["one port, leased"], figures["one port, worst"] = statistics.median(times), max(times)
    return figures


_BOUND: Final = {"binding__host_id": "compute-1"}


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
