"""One agent ends and the other starts over what it left, while every network's client renews its lease all the time."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Final

from neutron_meters import Process, dnsmasqs
from neutron_phases import Figures
from neutron_site import Side, Site, first_answers
from support.clients.prober import Prober, Target
from support.clients.wires import Wire

#: Seconds between two renewals of a client, and after which an answer counts for none.
INTERVAL: Final = 0.5
LATE: Final = 1.0
#: Seconds in which nothing happens, before: on a busy machine an answer is late now and then, and no agent did it.
CONTROL: Final = 20.0


def takeovers(site: Site) -> dict[str, Figures]:
    """The stock agent runs; ours takes over; the stock agent takes over again. Figures by who took over."""
    first_answers(site.networks, 60)
    targets = []
    for network in site.networks:
        with Wire(network.bridge) as wire:
            lease = wire.take_lease(network.mac)
        targets.append(
            Target(name=network.id, device=network.bridge, mac=network.mac, expected=network.expected, lease=lease)
        )
    told = {}
    with Prober(targets, INTERVAL) as prober:
        control = time.monotonic()
        time.sleep(CONTROL + LATE + 0.5)
        told["control"] = _renewals(prober, control, control + CONTROL)
        for leaves, comes in ((site.stock, site.ours), (site.ours, site.stock)):
            told[comes.name] = _take_over(site, prober, leaves, comes)
    site.stock.stop()
    return told


def _take_over(site: Site, prober: Prober, leaves: Side, comes: Side) -> Figures:
    processes, files = dnsmasqs(), _files(site)
    site.dnsmasq_log.mark()
    begun = time.monotonic()
    ending = leaves.stop()
    comes.launch()
    at_rest = site.rest(comes)
    # Those sent last have their time to be answered, and to be too late.
    until = time.monotonic()
    time.sleep(LATE + 0.5)
    after = dnsmasqs()
    return {
        "networks": len(site.networks),
        "seconds until it is at rest": at_rest - comes.launched,
        "seconds of the other's end": ending,
        "dnsmasq restarted": _gone(processes, after),
        "dnsmasq started": site.dnsmasq_log.text().count(": started, version"),
        "times that a dnsmasq read its files": site.dnsmasq_log.text().count("addn_hosts - "),
        "files written": len(_files(site).items() - files.items()),
        "calls": len(site.calls.since(comes.launched)),
        **_renewals(prober, begun, until),
    }


def _renewals(prober: Prober, since: float, until: float) -> Figures:
    report = prober.report(since, until)
    assert not any(each.wrong for each in report.measured), [each.wrong for each in report.measured if each.wrong][:3]
    waits = [each.worst_gap for each in report.measured]
    late = sum(latency > LATE for each in report.measured for latency in each.latencies)
    return {
        "renewals": sum(each.sent for each in report.measured),
        "renewals without an answer": report.unanswered,
        "renewals answered after more than 1 s": late,
        "longest wait of a client, seconds": max(waits),
        "median of the clients' longest waits, seconds": statistics.median(waits),
        "all clients' longest waits together, seconds": sum(waits),
    }


def _gone(before: set[Process], after: set[Process]) -> int:
    return len(before - after)


def _files(site: Site) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of each file; not of the leases, which dnsmasq writes."""
    found = {}
    for path in (site.state / "dhcp").rglob("*"):
        if path.is_file() and path.name != "leases":
            told = path.stat()
            found[path] = (told.st_ino, told.st_mtime_ns)
    return found
