"""What people see: a line for each step, live on a terminal, plain in a pipe; a table at the end; JSON for programs."""

from __future__ import annotations

import json
import os
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Final, TextIO

from demo.waiting import shown

_CLEAR: Final = "\r\x1b[K"
_COLOURS: Final = {"proven": "\x1b[32m", "FAILED": "\x1b[31m", "skipped": "\x1b[33m", "not tried": "\x1b[33m"}
_PLAIN: Final = "\x1b[0m"
_TURNS: Final = "|/-\\"
#: Widths of columns.
_OUTCOME: Final = 9
_TIME: Final = 6


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What became of a step.

    Attributes:
        what: what was to be proven. how: the evidence; for one that failed, what was seen instead.
        outcome: ``proven``, ``FAILED``, ``skipped`` (something is not installed), ``not tried`` (a step before failed).
    """

    what: str
    how: str
    outcome: str
    seconds: float


class Show:
    """A stream that people look at."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        capable = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._live = capable
        self._colour = capable and not os.environ.get("NO_COLOR")
        self._width = max(72, min(_columns(stream), 140)) if capable else 120

    def say(self, line: str = "") -> None:
        """One line."""
        self._stream.write(f"{line}\n")
        self._stream.flush()

    @contextmanager
    def under_way(self, what: str) -> Iterator[None]:
        """While a step runs: on a terminal one line that tells how long it has been."""
        if not self._live:
            yield
            return
        begun, ending = time.monotonic(), threading.Event()

        def turn() -> None:
            turns = 0
            while True:
                passed = f"{time.monotonic() - begun:4.1f} s"
                line = f"{_TURNS[turns % 4]} {what} {passed}"
                self._stream.write(f"{_CLEAR}  {line[: self._width - 3]}")
                self._stream.flush()
                turns += 1
                if ending.wait(0.1):
                    return

        thread = threading.Thread(target=turn, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()
            self._stream.write(_CLEAR)
            self._stream.flush()

    def proof(self, proof: Proof) -> None:
        """One step's end."""
        word = self._painted(proof.outcome.ljust(_OUTCOME), proof.outcome)
        self.say(f"  {word} {proof.what} ({shown(proof.seconds)})")

    def table(self, proofs: Sequence[Proof]) -> None:
        """What was proven, how, and what not."""
        what = min(max(len(proof.what) for proof in proofs), self._width // 3)
        how = self._width - what - _OUTCOME - _TIME - 6
        rule = "-" * self._width
        self.say(f"{'WHAT'.ljust(what)}  {'HOW IT WAS SEEN'.ljust(how)}  {'':{_OUTCOME}}  {'TIME':>{_TIME}}")
        self.say(rule)
        for proof in proofs:
            cells = zip_longest(textwrap.wrap(proof.what, what), textwrap.wrap(proof.how, how), fillvalue="")
            for number, (left, middle) in enumerate(cells):
                outcome, seconds = (proof.outcome, shown(proof.seconds)) if number == 0 else ("", "")
                word = self._painted(outcome.ljust(_OUTCOME), outcome)
                self.say(f"{left.ljust(what)}  {middle.ljust(how)}  {word}  {seconds:>{_TIME}}".rstrip())
        self.say(rule)

    def _painted(self, text: str, outcome: str) -> str:
        colour = _COLOURS.get(outcome) if self._colour else None
        return text if colour is None else f"{colour}{text}{_PLAIN}"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80


def as_json(proofs: Sequence[Proof], seconds: float, notes: Sequence[str], logs: str | None) -> str:
    """The results for programs (docs/demo.md)."""
    document = {
        "format_version": 1,
        "ok": all(proof.outcome in ("proven", "skipped") for proof in proofs),
        "seconds": round(seconds, 3),
        "notes": list(notes),
        "proofs": [{**asdict(proof), "seconds": round(proof.seconds, 3)} for proof in proofs],
        "logs": logs,
    }
    return json.dumps(document, indent=2)
