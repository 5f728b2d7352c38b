"""Measure our agent beside the stock neutron-dhcp-agent on one real Neutron 29, in one run; print both tables.

    python bench/neutron_run.py [--networks 50,200] [--repeats 3] [--only starts takeover events] [--check]

RabbitMQ, MariaDB, neutron's API and RPC server, the agent and every dnsmasq share the machine, in namespaces of their
own (tests/support/host.py).  Both agents run as the same host on the same database, one after the other, turn by turn;
the figures are medians of the turns.  With --check a missed target makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("bench", "tests", "adapters", "examples", "")]

from neutron_meters import Calls  # noqa: E402  the path is made above
from neutron_phases import Figures, events, starts  # noqa: E402
from neutron_site import Site  # noqa: E402
from neutron_table import OURS, STOCK, Results, shown  # noqa: E402
from neutron_takeover import takeovers  # noqa: E402
from support import host as hosts  # noqa: E402
from support.neutron.control_plane import ControlPlane  # noqa: E402
from support.neutron.daemon import missing  # noqa: E402

PHASES = ("starts", "takeover", "events")
_BEGUN = time.monotonic()


def say(what: str, figures: Figures | None = None) -> None:
    """How far it is; to standard error, since the tables go to standard output."""
    told = "" if figures is None else ": " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    load = os.getloadavg()[0]
    print(f"{time.monotonic() - _BEGUN:6.0f} s (load {load:.1f}) {what}{told}", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, folder: Path) -> Results:
    # The stock agent comes last: it is what ours takes over from.
    sides = [name for name in (OURS, STOCK) if name in options.sides]
    results = Results(ports=options.ports, burst=options.burst, large=options.large, repeats=options.repeats)
    for networks in options.networks if {"starts", "takeover"} & set(options.only) else ():
        with (
            ControlPlane(folder / f"server-{networks}", agent_down_time=options.agent_down_time) as server,
            Calls(server) as calls,
        ):
            site = Site(folder / f"host-{networks}", server, calls)
            site.fill(networks, options.ports)
            say(f"{networks} networks are there")
            for turn in range(options.repeats if "starts" in options.only else 0):
                for name in sides:
                    site.wipe()
                    figures = starts(site, site.side(name))
                    results.add(networks, name, figures)
                    say(f"{networks} networks, {name}", figures)
                    if name == OURS or turn < options.repeats - 1:
                        site.side(name).stop()
            if "takeover" in options.only and networks == options.networks[0]:
                if "starts" not in options.only or STOCK not in sides:
                    site.stock.launch()
                    site.rest(site.stock)
                for name, figures in takeovers(site).items():
                    results.takeover[name] = figures
                    say(f"taken over by {name}", figures)
        hosts.clear()
    if "events" in options.only:
        with (
            ControlPlane(folder / "server-events", agent_down_time=options.agent_down_time) as server,
            Calls(server) as calls,
        ):
            site = Site(folder / "host-events", server, calls)
            site.fill(1, options.large)
            say(f"a network of {options.large} ports is there")
            for _ in range(options.repeats):
                for name in sides:
                    figures = events(site, site.side(name), options.burst, options.singles)
                    results.add(0, name, figures)
                    say(f"events, {name}", figures)
        hosts.clear()
    return results


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=numbers, default=[50, 200], help="of the starts; with commas")
    parser.add_argument("--ports", type=int, default=10, help="on each of them")
    parser.add_argument("--burst", type=int, default=300, help="ports created one after the other")
    parser.add_argument("--large", type=int, default=2000, help="ports of the network that gets one more")
    parser.add_argument("--singles", type=int, default=5, help="how often that network gets one more")
    parser.add_argument("--repeats", type=int, default=3, help="turns, of which the medians are")
    parser.add_argument("--only", nargs="+", choices=PHASES, default=list(PHASES), help="default: all")
    parser.add_argument("--sides", nargs="+", choices=(OURS, STOCK), default=[OURS, STOCK], help="default: both")
    parser.add_argument(
        "--agent-down-time",
        type=int,
        default=75,
        help="Neutron's option, seconds: a stock agent whose sync takes longer is told that it was revived, and begins "
        "anew, which a busy machine makes of any sync",
    )
    parser.add_argument("--json", type=Path, help="write all figures of all turns there, too")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    if not hosts.inside():
        return in_a_host()
    results = measure(options, Path(os.environ["DHCPCORE_BENCH_FOLDER"]))
    if options.json is not None:
        options.json.write_text(json.dumps(results.document(), indent=1, sort_keys=True) + "\n")
    text, is_met = shown(results)
    print(text, flush=True)
    return int(options.check and not is_met)


def in_a_host() -> int:
    if (why := missing()) is not None:
        print(why, file=sys.stderr)
        return 1
    # Ended by a signal, it still removes its folder; what runs inside ends with it anyway.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="dhcpcore-bench-")
    os.environ["DHCPCORE_BENCH_FOLDER"] = folder
    try:
        return hosts.run_program([sys.executable, *sys.argv], seconds=4 * 3600, shown=True).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
