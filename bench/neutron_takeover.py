"""One agent ends and the other starts over what it left, while every network's client renews its lease all the time.

So does a client of two networks that no agent knows: what happens to all of them at once, no agent did.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from neutron_meters import Process, dnsmasqs
from neutron_phases import Figures
from neutron_site import Side, Site, first_answers
from support.clients.prober import Prober, Report, Target
from support.clients.sample import MAC, SETTINGS, network
from support.clients.served import ServedNetwork
from support.clients.wires import Wire

#: Seconds between two renewals of a client, and after which an answer counts for none.
INTERVAL: Final = 0.5
LATE: Final = 1.0
#: Seconds in which nothing happens, before: on a busy machine an answer is late now and then, and no agent did it.
CONTROL: Final = 20.0
#: Networks that are served without an agent.
UNTOUCHED: Final = 2


def takeovers(site: Site, folder: Path, say: Callable[[str], None]) -> dict[str, Figures]:
    """The stock agent runs; ours takes over; the stock agent takes over again. Figures by who took over.

    Args:
        folder: for the files of the networks without an agent.
        say: is told what a prober found.
    """
    first_answers(site.networks, 60)
    told = {}
    with ExitStack() as stack:
        targets = [_target(each.id, each.bridge, each.mac, each.expected) for each in site.networks]
        for number in range(UNTOUCHED):
            name = f"untouched{number}"
            served = ServedNetwork(network(number), SETTINGS, folder / name, aside=name)
            stack.enter_context(served)
            targets.append(_target(name, served.bridge, MAC, f"10.{number}.0.5", control=True))
        prober = stack.enter_context(Prober(targets, INTERVAL))
        control = time.monotonic()
        time.sleep(CONTROL + LATE + 0.5)
        told["control"] = _renewals(prober.report(control, control + CONTROL), say)
        for leaves, comes in ((site.stock, site.ours), (site.ours, site.stock)):
            told[comes.name] = _take_over(site, prober, leaves, comes, say)
    site.stock.stop()
    return told


def _target(name: str, device: str, mac: str, expected: str, *, control: bool = False) -> Target:
    with Wire(device) as wire:
        lease = wire.take_lease(mac)
    return Target(name=name, device=device, mac=mac, expected=expected, lease=lease, control=control)


def _take_over(site: Site, prober: Prober, leaves: Side, comes: Side, say: Callable[[str], None]) -> Figures:
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
    say(f"{leaves.name} ends at {begun:.1f} s, {comes.name} begins at {comes.launched:.1f} s, rests at {at_rest:.1f} s")
    return {
        "networks": len(site.networks),
        "seconds until it is at rest": at_rest - comes.launched,
        "seconds of the other's end": ending,
        "dnsmasq restarted": _gone(processes, after),
        "dnsmasq started": site.dnsmasq_log.text().count(": started, version"),
        "times that a dnsmasq read its files": site.dnsmasq_log.text().count("addn_hosts - "),
        "files written": len(_files(site).items() - files.items()),
        "calls": len(site.calls.since(comes.launched)),
        **_renewals(prober.report(begun, until), say),
    }


def _renewals(report: Report, say: Callable[[str], None]) -> Figures:
    assert not any(each.wrong for each in report.measured), [each.wrong for each in report.measured if each.wrong][:3]
    say(str(report))
    waits = [each.worst_gap for each in report.measured]
    late = sum(latency > LATE for each in report.measured for latency in each.latencies)
    return {
        "renewals": sum(each.sent for each in report.measured),
        "renewals without an answer": report.unanswered,
        "  while the prober or an untouched network was late, too": sum(each.of_machine for each in report.lost),
        "renewals answered after more than 1 s": late,
        "longest wait of a client, seconds": max(waits),
        "median of the clients' longest waits, seconds": statistics.median(waits),
        "all clients' longest waits together, seconds": sum(waits),
        "untouched networks: renewals": sum(each.sent for each in report.control),
        "untouched networks: without an answer": sum(each.unanswered for each in report.control),
        "untouched networks: longest wait, seconds": max(each.worst_gap for each in report.control),
        "the prober behind its time, at most, seconds": report.lateness,
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
