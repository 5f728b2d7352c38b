"""Noticing that the installed dnsmasq is another one: an upgrade needs no restart of the agent.

Knows the program's file and what asks it for its version; decides nothing but when that is asked again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from dhcpcore import AdapterError, DnsmasqCapabilities
from dhcpcore.contracts import Reporter

#: What tells one program's file from another.
_File = tuple[int, int, int, int]


class InstalledDnsmasq:
    """Asks the installed dnsmasq anew when its file is another.

    Args:
        known: what it can do, as far as is known.
        find: where the program is, None where there is none; probe: asks it.
        tell: told when it can do other things than before, by a thread of its own.
    """

    def __init__(
        self,
        known: DnsmasqCapabilities,
        *,
        find: Callable[[], str | None],
        probe: Callable[[], DnsmasqCapabilities],
        tell: Callable[[DnsmasqCapabilities], None],
        reporter: Reporter,
    ) -> None:
        self._known = known
        self._find = find
        self._probe = probe
        self._tell = tell
        self._reporter = reporter
        self._file = self._look()
        self._better: DnsmasqCapabilities | None = None
        self._asking: threading.Thread | None = None

    def host_observed(self) -> None:
        """The host was just looked at; returns at once."""
        if self._asking is not None and self._asking.is_alive():
            return
        if self._better is not None:
            # Now it is known which processes still run the old program: those must not be taken for better ones.
            known, self._better = self._better, None
            self._take(known)
        if (file := self._look()) is not None and file != self._file:
            self._asking = threading.Thread(target=self._ask, args=[file], name="asking dnsmasq", daemon=True)
            self._asking.start()

    def _ask(self, file: _File) -> None:
        try:
            known = self._probe()
        except (AdapterError, RuntimeError) as error:
            self._reporter.report("the installed dnsmasq was replaced and cannot be used", error=error)
            return  # it is asked again after the next look
        self._file = file
        if known == self._known:
            return
        version = ".".join(map(str, known.version))
        self._reporter.report("the installed dnsmasq is another version", version=version)
        if known.sighup_is_safe and not self._known.sighup_is_safe:
            self._better = known
        else:
            self._take(known)

    def _take(self, known: DnsmasqCapabilities) -> None:
        self._known = known
        self._tell(known)

    def _look(self) -> _File | None:
        path = self._find()
        try:
            found = os.stat(path) if path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
