"""Commands that work on the host need packages that the others do without: what to say where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dhcpcore_adapters.cli.errors import CommandError


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Around imports.

    Raises:
        CommandError: one failed; it says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise CommandError([f"{error}; this command needs more: pip install 'dhcpcore[{name}]'"]) from None
