"""What people see beside the results: messages, progress, colour.

Asks the streams whether anybody is there; results in a file or a pipe are never coloured, and progress is for
terminals only.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO, cast

from attrs import define, field, frozen

from dhcpcore_adapters.cli.errors import ResultsLost

_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m", "!": "\x1b[35m"}
_PLAIN: Final = "\x1b[0m"
_CLEAR_LINE: Final = "\r\x1b[K"
#: Seconds before progress shows at all, and between two of its lines.
_PATIENCE: Final = 0.5
_INTERVAL: Final = 0.2


@frozen(kw_only=True)
class Terminal:
    """The standard streams as far as people look at them.

    Attributes:
        colour: whether results may be coloured. live: whether progress may be shown.
    """

    out: TextIO
    err: TextIO
    colour: bool
    live: bool

    @classmethod
    def of_process(cls) -> Terminal:
        """That of this process. Colour needs a terminal and no NO_COLOR (https://no-color.org).

        A standard stream that is closed is opened on /dev/null: Python has None for it, and its descriptor would be
        that of the next file that is opened.
        """
        if sys.stdin is None:
            sys.stdin = _nowhere("r")
        if sys.stdout is None:
            sys.stdout = _nowhere("w")
        if sys.stderr is None:
            sys.stderr = _nowhere("w")
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a locale without a character must not end a command
        capable = os.environ.get("TERM") != "dumb"
        return cls(
            out=sys.stdout,
            err=sys.stderr,
            colour=sys.stdout.isatty() and capable and not os.environ.get("NO_COLOR"),
            live=sys.stderr.isatty() and capable,
        )

    def say(self, message: str) -> None:
        """One line to stderr, whatever a name from a file holds."""
        self.err.write(f"dhcpcore: {on_one_line(message)}\n")

    def result(self, line: str) -> None:
        """One line to stdout.

        Raises:
            ResultsLost: it cannot be written.
        """
        with writing_results():
            self.out.write(f"{line}\n")

    def painted(self, line: str) -> str:
        """A line of a listing, in the colour of its sign where there is colour."""
        colour = _COLOURS.get(line[:1]) if self.colour and line[1:2] == " " else None
        return line if colour is None else f"{colour}{line}{_PLAIN}"

    def progress(self, *, beside_results: bool = False) -> Progress:
        """For something that may take long.

        Args:
            beside_results: results are written meanwhile: there is none where they go to the same terminal.
        """
        return Progress(err=self.err, live=self.live and not (beside_results and self.out.isatty()))


def _nowhere(mode: str) -> TextIO:
    return cast(TextIO, open(os.devnull, mode, encoding="utf-8"))


@contextmanager
def writing_results() -> Iterator[None]:
    """Around what writes to stdout.

    Raises:
        ResultsLost: it cannot be written.
        BrokenPipeError: whoever read it has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultsLost(error) from None


def on_one_line(text: str) -> str:
    """`text`, with line breaks and whatever else could steer a terminal escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


@define(kw_only=True)
class Progress:
    """One line on stderr, rewritten now and then; use as a context manager, so that it is gone afterwards."""

    err: TextIO
    live: bool
    _next: float = field(factory=lambda: time.monotonic() + _PATIENCE)
    _shown: bool = False

    def show(self, text: str) -> None:
        """What is done so far."""
        if not self.live or (now := time.monotonic()) < self._next:
            return
        self._next, self._shown = now + _INTERVAL, True
        self.err.write(f"{_CLEAR_LINE}{text}")
        self.err.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self.err.write(_CLEAR_LINE)
            self.err.flush()
