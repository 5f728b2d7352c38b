"""The two tables of `neutron_run`: both agents beside each other, with the targets, and the takeovers.

Knows figures by their names (neutron_phases, neutron_takeover); measures nothing.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from neutron_phases import Figures

OURS, STOCK = "ours", "stock"


@dataclass
class Results:
    """All figures of all turns: by number of networks (0: the events) and side; the takeovers by who took over."""

    ports: int
    burst: int
    large: int
    repeats: int
    turns: dict[tuple[int, str], list[Figures]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)
    takeover: dict[str, Figures] = field(default_factory=dict)

    def add(self, networks: int, side: str, figures: Figures) -> None:
        self.loads.append(os.getloadavg()[0])
        self.turns.setdefault((networks, side), []).append(figures)

    def number(self, networks: int, side: str) -> int:
        """How many turns there are."""
        return len(self.turns.get((networks, side), ()))

    def median(self, networks: int, side: str, name: str) -> float:
        return statistics.median(figures[name] for figures in self.turns[networks, side])

    def document(self) -> dict[str, Any]:
        turns = [{"networks": key[0], "side": key[1], "turns": each} for key, each in self.turns.items()]
        return {"turns": turns, "takeover": self.takeover, "loads": self.loads, "sizes": self.sizes}

    @property
    def sizes(self) -> dict[str, int]:
        """What must be the same for figures to belong together."""
        return {"ports": self.ports, "burst": self.burst, "large": self.large}

    def take(self, document: dict[str, Any]) -> None:
        """Take over what another run has measured.

        Raises:
            ValueError: that run measured something else.
        """
        if document["sizes"] != self.sizes:
            raise ValueError(f"measured with {document['sizes']}, and this run is to be with {self.sizes}")
        self.turns = {(each["networks"], each["side"]): each["turns"] for each in document["turns"]}
        self.takeover, self.loads = document["takeover"], document["loads"]


@dataclass(frozen=True)
class Target:
    """What is to be true of ours and the stock agent's figure, in words and as a test."""

    text: str
    test: Callable[[float, float], bool]


FEWER: Final = Target("less", lambda ours, stock: ours < stock)
NONE: Final = Target("0", lambda ours, stock: ours == 0)
TENTH: Final = Target("a tenth", lambda ours, stock: ours <= stock / 10)
QUARTER: Final = Target("a quarter", lambda ours, stock: ours <= stock / 4)


def times_faster(number: int) -> Target:
    return Target(f"{number}x", lambda ours, stock: ours * number <= stock)


def _rows(networks: int) -> list[tuple[str, str, str, Target | None]]:
    """Figure, title, unit and target of the starts."""
    warm = times_faster(20 if networks >= 200 else 10)
    return [
        ("cold, last answers", "cold start, last network answers", "s", FEWER),
        ("cold, at rest", "cold start, at rest", "s", FEWER),
        ("cold, cpu", "  CPU of its processes until then", "s", TENTH),
        ("cold, calls", "  calls to the server", "", FEWER),
        ("cold, dnsmasq started", "  dnsmasq started", "", None),
        ("warm, first in sync", "restart, nothing changed: it says that it is in sync", "s", warm),
        ("warm, at rest", "  at rest", "s", warm),
        ("warm, cpu", "  CPU of its processes until then", "s", TENTH),
        ("warm, calls", "  calls to the server", "", FEWER),
        ("warm, dnsmasq restarted", f"  dnsmasq restarted, of {networks}", "", NONE),
        ("warm, dnsmasq started", "  dnsmasq started", "", NONE),
        ("memory", "most memory of its processes (PSS)", "MB", QUARTER),
        ("processes", "  processes then", "", None),
        ("end", "its end, on SIGTERM", "s", FEWER),
    ]


def _events(results: Results) -> list[tuple[str, str, str, Target | None]]:
    return [
        ("burst, created in", f"{results.burst} ports on one network, ten at a time: the API takes", "s", None),
        ("burst, last answered", "  from then to the last one's OFFER", "s", FEWER),
        ("burst, cpu", "  CPU of its processes", "s", TENTH),
        ("burst, calls", "  calls to the server", "", FEWER),
        ("one port, leased", f"one more port among {results.large:,}, API's answer to lease", "s", FEWER),
        ("one port, worst", "  worst", "s", FEWER),
        ("one port, told", "  from the server's notification to the first right OFFER", "s", FEWER),
        ("one port, told, worst", "  worst", "s", FEWER),
    ]


def shown(results: Results) -> tuple[str, bool]:
    """Both tables in Markdown, and whether every target is met."""
    lines = [
        f"Medians of {_turns(results)}; networks of {results.ports} ports; {_machine(results.loads)}.",
        "",
        "| what | ours | stock | stock / ours | target for ours | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    met = True
    sizes = sorted(networks for networks, side in results.turns if networks and side == OURS)
    for networks in sizes:
        lines.append(f"| **{networks} networks** | | | | | |")
        for line, is_met in _lines(results, networks, _rows(networks)):
            lines.append(line)
            met = met and is_met
    if len(sizes) > 1:
        calls = [results.median(networks, OURS, "warm, calls") for networks in sizes]
        # A state report is made now and then, however many networks there are.
        is_met = max(calls) - min(calls) <= 1
        numbers = ", ".join(f"{each:.0f}" for each in calls)
        lines.append(
            f"| calls of a restart, whatever the number of networks | {numbers} | | | the same | {_yes(is_met)} |"
        )
        met = met and is_met
    if (0, OURS) in results.turns:
        lines.append("| **events** | | | | | |")
        for line, is_met in _lines(results, 0, _events(results)):
            lines.append(line)
            met = met and is_met
    if results.takeover:
        lines += ["", *_takeover(results.takeover)]
        met = met and not any(results.takeover[OURS][name] for name in _UNTOUCHED)
    return "\n".join(lines), met


def _turns(results: Results) -> str:
    """How many turns there are; a run that ended early has fewer than it should."""
    numbers = sorted({len(turns) for turns in results.turns.values()} or {0})
    if numbers == [results.repeats]:
        return str(results.repeats)
    return f"{numbers[0]} to {numbers[-1]}, and not {results.repeats} everywhere: the run did not end"


def _machine(loads: list[float]) -> str:
    """Where it was, and how busy: both agents' times grow with what others do there."""
    load = f", load {min(loads):.0f} to {max(loads):.0f}" if loads else ""
    return f"{os.cpu_count()} cores{load}; {datetime.now(UTC):%Y-%m-%d}"


def _lines(
    results: Results, networks: int, rows: Iterable[tuple[str, str, str, Target | None]]
) -> Iterable[tuple[str, bool]]:
    for name, title, unit, target in rows:
        ours = results.median(networks, OURS, name)
        if (networks, STOCK) not in results.turns:
            yield f"| {title} | {_figure(ours, unit)} | not measured | | | |", True
            continue
        stock = results.median(networks, STOCK, name)
        ratio = f"{stock / ours:.1f}" if ours else ""
        is_met = target is None or target.test(ours, stock)
        words, verdict = ("", "") if target is None else (target.text, _yes(is_met))
        cells = (title, _figure(ours, unit), _figure(stock, unit), ratio, words, verdict)
        yield f"| {' | '.join(cells)} |", is_met


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "NO"


def _figure(value: float, unit: str) -> str:
    if unit == "s" and value < 0.1:
        return f"{1000 * value:.1f} ms"
    if unit == "s":
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    return f"{value:.0f} {unit}".rstrip()


#: What must be 0 when ours takes over.
_UNTOUCHED: Final = (
    "dnsmasq restarted",
    "dnsmasq started",
    "times that a dnsmasq read its files",
    "files written",
    "renewals without an answer",
    "renewals answered after more than 1 s",
)


def _takeover(figures: dict[str, Figures]) -> list[str]:
    lines = [
        "| takeover of running networks | by ours, from stock | by stock, from ours | control: nothing happens |",
        "| --- | --- | --- | --- |",
    ]
    for name in figures[OURS]:
        cells = " | ".join(_cell(name, figures[of].get(name)) for of in (OURS, STOCK, "control"))
        lines.append(f"| {name} | {cells} |")
    return lines


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if "seconds" in name else f"{value:.0f}"
