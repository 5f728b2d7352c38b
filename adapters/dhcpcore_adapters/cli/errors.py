"""How a command fails: lines for people, and an exit code.

argparse ends with 2 on wrong usage; here 2 says that a plan has changes, so every failure ends with 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dhcpcore import DhcpCoreError

FAILED: Final = 1


class CommandError(DhcpCoreError):
    """A command cannot do what it was asked for.

    Attributes:
        lines: for stderr; each says where, what was expected, what was found, and what to do next.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__(*self.lines)

    def __str__(self) -> str:
        return "; ".join(self.lines)


class ResultsLost(Exception):
    """Results cannot be written to stdout. The text says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
