"""Measure our agent beside the stock neutron-dhcp-agent on one real Neutron 29, in one run; print both tables.

    python bench/neutron_run.py [--networks 50,200] [--repeats 3] [--only starts takeover events] [--kept FILE]

RabbitMQ, MariaDB, neutron's API and RPC server, the agent and every dnsmasq share the machine, in namespaces of their
own (tests/support/host.py).  Both agents run as the same host on the same database, one after the other, turn by turn;
the figures are medians of the turns.  With --kept they are in a file after every turn, and a run that was cut off goes
on from there.  With --check a missed target makes the exit status 1.
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
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("bench", "tests", "adapters", "examples", "")]

from neutron_meters import Calls  # noqa: E402  the path is made above
from neutron_phases import BETWEEN as EVENT_PAUSE  # noqa: E402
from neutron_phases import Figures, events, starts  # noqa: E402
from neutron_progress import Progress, Step  # noqa: E402
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


class Run:
    """The steps that are not measured yet, in the order in which they need the fewest labs and starts.

    Args:
        keep: called when there are more figures.
    """

    def __init__(self, options: argparse.Namespace, folder: Path, results: Results, keep: Callable[[], None]) -> None:
        self._options, self._folder, self._results, self._keep = options, folder, results, keep
        # The stock agent comes last: it is what ours takes over from.
        self._sides = [name for name in (OURS, STOCK) if name in options.sides]
        self._steps = [step for networks in [*self._of_starts(), 0] for step in self._missing(networks)]
        self._progress = Progress(self._steps)

    def _of_starts(self) -> list[int]:
        return list(self._options.networks) if {"starts", "takeover"} & set(self._options.only) else []

    def _missing(self, networks: int) -> list[Step]:
        """Steps on so many networks; 0: the events."""
        options, results = self._options, self._results
        what = "starts" if networks else "events"
        steps = [
            Step(what, name, networks, _guess(options, name, networks))
            for turn in range(options.repeats if what in options.only else 0)
            for name in self._sides
            if results.number(networks, name) <= turn
        ]
        if "takeover" in options.only and networks and networks == options.networks[0] and not results.takeover:
            steps.append(Step("takeover", STOCK, networks, 120 + 4 * networks))
        return steps

    def measure(self) -> None:
        """Do them all."""
        say(f"{self._progress}")
        for networks in [*self._of_starts(), 0]:
            if any(step.networks == networks for step in self._steps):
                name = f"{networks}" if networks else "events"
                with (
                    ControlPlane(
                        self._folder / f"server-{name}", agent_down_time=self._options.agent_down_time
                    ) as server,
                    Calls(server) as calls,
                ):
                    site = Site(self._folder / f"host-{name}", server, calls)
                    self._measure(site, networks)
                hosts.clear()

    def _measure(self, site: Site, networks: int) -> None:
        options, steps = self._options, [step for step in self._steps if step.networks == networks]
        site.fill(*((networks, options.ports) if networks else (1, options.large)))
        say(f"{networks or 1} networks are there")
        is_running = False
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            with self._progress.step(step):
                if step.what == "takeover":
                    if not is_running:
                        site.stock.launch()
                        site.rest(site.stock)
                    self._results.takeover = takeovers(site, self._folder, say)
                elif step.what == "events":
                    self._add(step, events(site, site.side(step.side), options.burst, options.singles))
                else:
                    site.wipe()
                    self._add(step, starts(site, site.side(step.side)))
                    # It is what is taken over from.
                    is_running = step.side == STOCK and following is not None and following.what == "takeover"
                    if not is_running:
                        site.side(step.side).stop()
            self._keep()
            say(f"{self._progress}")

    def _add(self, step: Step, figures: Figures) -> None:
        self._results.add(step.networks, step.side, figures)
        say(f"{step.what}, {step.networks or 1} networks, {step.side}", figures)


def _guess(options: argparse.Namespace, side: str, networks: int) -> float:
    """Seconds."""
    if networks:
        return 25 + networks * (0.15 if side == OURS else 5.0)
    ready = 0.0 if side == OURS else options.large / 20 + options.burst / 3
    seconds: float = 40 + options.burst / 4 + options.singles * (EVENT_PAUSE + 1) + ready
    return seconds


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=numbers, default=[50, 200], help="of the starts; with commas")
    parser.add_argument("--ports", type=int, default=10, help="on each of them")
    parser.add_argument("--burst", type=int, default=300, help="ports created in a row, ten with each request")
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
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="FILE",
        help="write all figures there (JSON) after every turn; where it is there, only what it lacks is measured",
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    if not hosts.inside():
        return in_a_host()
    results = Results(ports=options.ports, burst=options.burst, large=options.large, repeats=options.repeats)
    if options.kept is not None and options.kept.exists():
        try:
            results.take(json.loads(options.kept.read_text()))
        except (ValueError, KeyError) as error:
            parser.error(f"--kept {options.kept}: {error}; name another file, or remove it")

    def keep() -> None:
        if options.kept is not None:
            # Complete at any moment.
            new = options.kept.with_name(f"{options.kept.name}.new")
            new.write_text(json.dumps(results.document(), indent=1) + "\n")
            new.replace(options.kept)

    is_met = False
    try:
        Run(options, Path(os.environ["DHCPCORE_BENCH_FOLDER"]), results, keep).measure()
    finally:
        # Of a run that failed, what it has.
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
