"""What can be wrong with a journal, told with its line and member."""

from __future__ import annotations

from dhcpcore.errors import DhcpCoreError


class JournalError(DhcpCoreError, ValueError):
    """A journal that cannot be read, or a value that cannot be written into one.

    Attributes:
        line: its number, from 1; None where no line is meant.
        path: of the member, e.g. ``event.port.mac_address``; empty for the whole line.
        expected: what would have been accepted, in words.
        got: what came, shortened to one line.
    """

    def __init__(self, path: str, expected: str, got: str, line: int | None = None) -> None:
        self.line = line
        self.path = path
        self.expected = expected
        self.got = got
        super().__init__(path, expected, got, line)

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.path or 'the line'}: expected {self.expected}, got {self.got}"

    def under(self, prefix: str) -> JournalError:
        """The same error seen from one level further out."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return JournalError(f"{prefix}{joint}{self.path}", self.expected, self.got, self.line)

    def at_line(self, line: int) -> JournalError:
        """The same error in that line."""
        return JournalError(self.path, self.expected, self.got, line)
