"""Run generated requests through the stock agent's driver and through ours, and name every difference.

    python tests/parity/compare.py --seed 1 --count 20000 [--mode hostile]

Both sides run at the same time as child processes (see sides.py): the stock one under the interpreter of the stock
environment ($DHCPCORE_STOCK_PYTHON, else .venv-stock, see stock_env.sh), ours as `dhcpcore render --jsonl`. Prints the
share of each feature, the identical answers, the differences under each listed warning code, and the first unlisted
ones as a diff, each with its request saved and made small. Exit 0: every difference is listed; 1: one is not; 2: a
side could not run.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generate import requests
from shrink import shrink
from sides import Side, SideDied
from verdict import Verdict, judge, listed_codes, readable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IN_FLIGHT = 1024  # so many answers are more than any usual output buffer holds

Request = dict[str, Any]


@dataclass
class Failure:
    number: int
    request: Request
    verdict: Verdict


@dataclass
class Tally:
    """What a run found. `failures` keeps the first few requests whose verdict is not fine."""

    keep: int
    total: int = 0
    proxies: int = 0
    features: collections.Counter[str] = field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    listed: collections.Counter[str] = field(default_factory=collections.Counter)
    warned: collections.Counter[str] = field(default_factory=collections.Counter)
    notes: collections.Counter[str] = field(default_factory=collections.Counter)
    not_fine: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, request: Request, stock: dict[str, Any], verdict: Verdict) -> None:
        self.total += 1
        self.proxies += bool(stock.get("metadata_proxy"))
        self.features.update(request.get("features") or ())
        self.kinds[verdict.kind] += 1
        if verdict.kind == "listed":
            self.listed.update(verdict.codes)
        elif verdict.kind == "identical":
            self.warned.update(verdict.codes)
        if verdict.note:
            self.notes[f"{verdict.kind}: {verdict.note[:90]}"] += 1
        if not verdict.fine:
            self.not_fine += 1
            if len(self.failures) < self.keep:
                self.failures.append(Failure(self.total, request, verdict))


def sent(request: Request) -> Request:
    return {name: value for name, value in request.items() if name != "features"}


def paired(
    source: Iterable[Request], ours: Side, stock: Side
) -> Iterator[tuple[Request, dict[str, Any], dict[str, Any]]]:
    """Each request with our answer and stock's. Both sides work on up to IN_FLIGHT requests meanwhile."""
    waiting: collections.deque[Request] = collections.deque()
    supply = iter(source)
    exhausted = False
    while waiting or not exhausted:
        while len(waiting) < IN_FLIGHT and not exhausted:
            request = next(supply, None)
            if request is None:
                exhausted = True
                break
            for side in (ours, stock):
                side.send(sent(request))
            waiting.append(request)
        if waiting:
            request = waiting.popleft()
            yield request, ours.receive(), stock.receive()


def run(options: argparse.Namespace, source: Iterable[Request]) -> Tally:
    listed = listed_codes(options.differences)
    tally = Tally(keep=options.show)
    progress = Progress(options.count)
    with open_side(options, "ours") as ours, open_side(options, "stock") as stock:
        for request, our_answer, stock_answer in paired(source, ours, stock):
            tally.add(request, stock_answer, judge(our_answer, stock_answer, listed, options.mode))
            progress.step(tally.total, tally.not_fine)
    progress.end()
    return tally


class Progress:
    """One line on a terminal's stderr, rewritten five times a second; silent elsewhere."""

    def __init__(self, expected: int) -> None:
        self._expected, self._shown, self._live = expected, 0.0, sys.stderr.isatty()

    def step(self, done: int, bad: int) -> None:
        now = time.monotonic()
        if self._live and now - self._shown > 0.2:
            self._shown = now
            sys.stderr.write(f"\r{done:,} of {self._expected:,} requests, {bad:,} unlisted ")
            sys.stderr.flush()

    def end(self) -> None:
        if self._live:
            sys.stderr.write("\r\033[K")


def open_side(options: argparse.Namespace, name: str) -> Side:
    return Side(name, shlex.split(options.ours if name == "ours" else options.stock))


def report(tally: Tally, options: argparse.Namespace, seconds: float) -> None:
    print(f"parity: mode {options.mode}, seed {options.seed}, {tally.total:,} requests, {seconds:.1f} s")
    print(f"{tally.proxies:,} want a metadata proxy")
    print("share of requests with each feature:")
    for name, count in sorted(tally.features.items()):
        print(f"  {100 * count / max(tally.total, 1):6.2f} %  {name}")
    print(f"identical: {tally.kinds['identical']:,}")
    print(f"listed differences: {tally.kinds['listed']:,}, with these warnings:")
    for code, count in sorted(tally.listed.items()):
        print(f"  {count:8,}  {code}")
    if tally.warned:
        print("warnings on identical answers:")
        for code, count in sorted(tally.warned.items()):
            print(f"  {count:8,}  {code}")
    for kind in ("stock-raised", "refused"):
        print(f"{kind}: {tally.kinds[kind]:,}")
    for note, count in tally.notes.most_common(12):
        print(f"  {count:8,}  {note}")
    print(f"unlisted differences: {tally.kinds['unlisted']:,}")
    print("result: " + ("every difference is listed" if not tally.not_fine else f"{tally.not_fine:,} NOT FINE"))


def show_failures(tally: Tally, options: argparse.Namespace) -> None:
    """Save, make small and print the first failures. New child processes: the old ones may have died of one."""
    listed = listed_codes(options.differences)
    folder = options.save or Path(tempfile.mkdtemp(prefix="parity-"))
    folder.mkdir(parents=True, exist_ok=True)
    for failure in tally.failures:
        stem = folder / f"{options.mode}-{options.seed}-{failure.number}"
        Path(f"{stem}.json").write_text(json.dumps(failure.request) + "\n", "utf-8")
        with open_side(options, "ours") as ours, open_side(options, "stock") as stock:

            def ask(request: Request, ours: Side = ours, stock: Side = stock) -> tuple[Any, Any]:
                ours.send(sent(request))
                stock.send(sent(request))
                return ours.receive(), stock.receive()

            def fails(request: Request, wanted: Verdict = failure.verdict) -> bool:
                verdict = judge(*ask(request), listed, options.mode)
                same = set(verdict.fields) <= set(wanted.fields)
                return verdict.kind == wanted.kind and same and verdict.note[:20] == wanted.note[:20]

            small = shrink(sent(failure.request), fails, options.shrink) if options.shrink else failure.request
            our_answer, stock_answer = ask(small)
        Path(f"{stem}.small.json").write_text(json.dumps(small) + "\n", "utf-8")
        verdict = judge(our_answer, stock_answer, listed, options.mode)
        print(f"\n--- request {failure.number}: {verdict.kind} in {', '.join(verdict.fields) or verdict.note}")
        print(f"    warnings: {our_answer.get('warnings') or 'none'}")
        print(f"    saved: {stem}.json, small: {stem}.small.json; again: compare.py --replay {stem}.small.json")
        print(readable(our_answer, stock_answer, verdict.fields))


def stock_command() -> str:
    python = os.environ.get("DHCPCORE_STOCK_PYTHON") or str(ROOT / ".venv-stock" / "bin" / "python")
    return shlex.join([python, "-W", "ignore", str(HERE / "stock_driver.py")])


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    ours = os.environ.get("DHCPCORE_PARITY_OURS") or shlex.join(
        [sys.executable, "-m", "dhcpcore_adapters.cli", "render", "--jsonl"]
    )
    parser = argparse.ArgumentParser(description="Compare our rendering with the stock agent's.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--mode", choices=("valid", "hostile"), default="valid")
    parser.add_argument("--replay", type=Path, help="requests from this file of JSON lines, none generated")
    parser.add_argument("--ours", default=ours, help="command line of our renderer (default: %(default)s)")
    parser.add_argument("--stock", default=stock_command(), help="command line of the stock driver")
    parser.add_argument("--differences", type=Path, default=ROOT / "docs" / "differences.md")
    parser.add_argument("--show", type=int, default=5, help="how many failures to show")
    parser.add_argument("--shrink", type=float, default=20.0, help="seconds for making each one small, 0 for none")
    parser.add_argument("--save", type=Path, help="folder for failing requests (default: a new temporary one)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    if options.replay:
        lines = options.replay.read_text("utf-8").splitlines()
        source: Iterable[Request] = [json.loads(line) for line in lines]
        options.count = len(lines)
    else:
        source = requests(options.seed, options.count, options.mode)
    begun = time.monotonic()
    try:
        tally = run(options, source)
        report(tally, options, time.monotonic() - begun)
        if tally.failures:
            show_failures(tally, options)
    except (SideDied, OSError) as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    return 1 if tally.not_fine else 0


if __name__ == "__main__":
    sys.exit(main())
