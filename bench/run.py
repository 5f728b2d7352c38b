"""Measure ours beside the stock agent, in turn, in one run; print a table with medians and ratios.

    python bench/run.py [--rounds 3] [--repeat 5] [--json]

The stock side runs under DHCPCORE_STOCK_PYTHON or .venv-stock (see .ci/stock).  Each side is a process of its own, so
neither inherits the other's heap; they take turns, so that a machine that slows down slows both.  The targets are
printed beside the figures; a missed one is marked, and makes the exit status 1 with --check.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZES = (1_000, 10_000)
UPDATE_SIZE = 10_000
NETWORKS = 1_000
FLEET = (10, 1_000, 10_000)

Figures = dict[str, list[float]]


def measure(python: str, program: str, task: dict[str, Any]) -> Figures:
    # The stock side takes its patches at the edge of the machine from the parity harness.
    environment = os.environ | {"PYTHONPATH": str(HERE.parent / "tests" / "parity")}
    done = subprocess.run(
        [python, str(HERE / program)],
        input=json.dumps(task),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def merged(rounds: list[Figures]) -> dict[str, float]:
    return {name: statistics.median([v for figures in rounds for v in figures[name]]) for name in rounds[0]}


def row(title: str, ours: str, stock: str, ratio: str, target: str, met: bool) -> tuple[str, ...]:
    return (title, ours, stock, ratio, target, "yes" if met else "NO")


def seconds(value: float) -> str:
    return f"{value * 1e3:,.2f} ms"


def table(ours: dict[str, float], stock: dict[str, float]) -> list[tuple[str, ...]]:
    rows = []
    for size in SIZES:
        name = f"model/{size}"
        ratio = stock[name] / ours[name]
        rows.append(
            row(
                f"wire dict to model, {size:,} ports",
                seconds(ours[name]),
                seconds(stock[name]),
                f"{ratio:.1f}x",
                "at least 1x",
                ratio >= 1,
            )
        )
    for size in SIZES:
        name = f"render/{size}"
        ratio = stock[name] / ours[name]
        rows.append(
            row(
                f"all files, {size:,} plain ports",
                seconds(ours[name]),
                seconds(stock[name]),
                f"{ratio:.1f}x",
                "at least 15x",
                ratio >= 15,
            )
        )
    ratio = stock["update"] / ours["update"]
    rows.append(
        row(
            f"one port_update, {UPDATE_SIZE:,} ports",
            seconds(ours["update"]),
            seconds(stock["update"]),
            f"{ratio:.1f}x",
            "10 ms, 30x",
            ours["update"] <= 0.010 and ratio >= 30,
        )
    )
    rows.append(
        row(
            f"full sync, {NETWORKS:,} unchanged networks of 20",
            seconds(ours["sync"]),
            "",
            "",
            "500 ms",
            ours["sync"] <= 0.5,
        )
    )
    smallest = ours[f"event/{FLEET[0]}"]
    for count in FLEET:
        value = ours[f"event/{count}"]
        rows.append(
            row(
                f"one event among {count:,} networks",
                seconds(value),
                "",
                f"{value / smallest:.2f}",
                "independent",
                value <= 2 * smallest,
            )
        )
    rows.append(
        row("memory per port, with its lines", f"{ours['memory']:,.0f} B", "", "", "2,000 B", ours["memory"] <= 2_000)
    )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides take their turn")
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each figure in a turn")
    parser.add_argument("--json", action="store_true", help="print medians as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    stock_python = os.environ.get("DHCPCORE_STOCK_PYTHON") or str(HERE.parent / ".venv-stock" / "bin" / "python")
    task = {"sizes": SIZES, "update_size": UPDATE_SIZE, "networks": NETWORKS, "fleet": FLEET, "repeat": options.repeat}
    ours, stock = [], []
    for turn in range(options.rounds):
        print(f"turn {turn + 1} of {options.rounds}: ours", file=sys.stderr, flush=True)
        ours.append(measure(sys.executable, "our_side.py", task))
        print(f"turn {turn + 1} of {options.rounds}: the stock agent", file=sys.stderr, flush=True)
        stock.append(measure(stock_python, "stock_side.py", task))
    medians = merged(ours), merged(stock)
    rows = table(*medians)
    if options.json:
        json.dump({"ours": medians[0], "stock": medians[1]}, sys.stdout, indent=1, sort_keys=True)
        print()
    else:
        heads = ("medians", "ours", "stock", "ratio", "target", "met")
        widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
        for line in (heads, tuple("-" * width for width in widths), *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return int(options.check and any(line[-1] == "NO" for line in rows))


if __name__ == "__main__":
    sys.exit(main())
