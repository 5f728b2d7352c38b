"""A DHCP client's process in a station, and what it reported through the hook.

Knows processes and the hook's file; knows no client's options.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

from support.clients import hook
from support.clients.configuration import Event, Told
from support.clients.station import Station

C = TypeVar("C")

#: Seconds in which a client is done, on a busy machine. A DHCPv6 client that is started anew believes its lease after
#: 10 s without an answer to CONFIRM, and says REBIND again after up to 11 s (RFC 8415, 7.6: CNF_MAX_RD, REB_TIMEOUT);
#: so in less than 25 s it would not get over one lost packet of each.
PATIENCE: Final = 45.0


class NoLease(AssertionError):
    """The client has not reported in time what was waited for; the message says what it has, and what it logged."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a DHCPv4 client tells about itself, beside its MAC address.

    Attributes:
        client_id: option 61, its type byte included; None for the client's own habit.
        vendor_class: option 60; options: any others, by number.
        request: numbers of options to ask for beside the client's usual ones.
    """

    hostname: str | None = None
    client_id: bytes | None = None
    vendor_class: str | None = None
    options: Mapping[int, bytes] = field(default_factory=dict)
    request: Sequence[int] = ()


def pxe(architecture: int = 7) -> Identity:
    """A network boot's first stage: PXE firmware (RFC 4578); 0 is a BIOS, 7 an x86-64 UEFI."""
    return Identity(
        vendor_class=f"PXEClient:Arch:{architecture:05}:UNDI:003016",
        options={93: architecture.to_bytes(2, "big"), 94: b"\1\3\x10"},
        request=(66, 67),
    )


def ipxe(architecture: int = 7) -> Identity:
    """The second stage: iPXE says so in its user class, and in an option of its own."""
    firmware = pxe(architecture)
    options = {**firmware.options, 77: b"iPXE", 175: b"\1\1\1"}
    return Identity(vendor_class=firmware.vendor_class, options=options, request=firmware.request)


class Program(Generic[C]):
    """One client; a context manager that stops it.

    Args:
        kind: "udhcpc" or "dhclient", as the hook calls them.
        read: makes a configuration of what the hook was told.
        good: the reasons with which there is one.
    """

    def __init__(self, station: Station, name: str, kind: str, read: Callable[[Told], C], good: Sequence[str]) -> None:
        self.station = station
        self.folder = station.folder
        self._read, self._good = read, tuple(good)
        self._events = self.folder / f"{name}.events"
        self.log = self.folder / f"{name}.log"
        self.hook = self.folder / f"{name}.hook"
        self._process: subprocess.Popen[bytes] | None = None
        # What another of this name was told is not told to this one.
        for path in (self._events, self.log):
            path.unlink(missing_ok=True)
        # -I -S: nothing of the environment, no site packages; it starts in 10 ms.
        command = f"{sys.executable} -I -S {Path(hook.__file__).resolve()} {self._events} {kind}"
        self.hook.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        self.hook.chmod(0o755)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, argv: Sequence[str]) -> None:
        self.stop()
        self._process = self.station.start(argv, self.log)

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it."""
        assert self._process is not None, "it was never started"
        self._process.send_signal(number)

    def stop(self) -> None:
        """Kill it, as a machine ends whose power goes: it tells nobody. The device keeps its address."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; its exit status."""
        assert self._process is not None, "it was never started"
        return self._process.wait(seconds)

    def events(self) -> list[Event]:
        """Everything that it has reported so far."""
        if not self._events.exists():
            return []
        *lines, _ = self._events.read_text("utf-8", "surrogateescape").split("\n")  # the last one is being written
        return [Event(**json.loads(line)) for line in lines]

    def configuration(self, seconds: float = PATIENCE, *, after: int = 0) -> C:
        """Wait for a configuration, among the events beyond the first `after`.

        Raises:
            NoLease: there is none in time.
        """
        event = self.wait(self._good, seconds, after=after)
        assert not event.failed, f"the kernel refused what {self.station.name} was told: {event.failed}"
        return self._read(event.told)

    def wait(self, reasons: Sequence[str], seconds: float = PATIENCE, *, after: int = 0) -> Event:
        """Wait for the first event with one of these reasons.

        Raises:
            NoLease: there is none in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events()[after:]:
                if event.reason in reasons:
                    return event
            if time.monotonic() > deadline:
                had = [event.reason for event in self.events()]
                said = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
                raise NoLease(f"no {'/'.join(reasons)} of {self.station.name} in {seconds} s; it had {had}\n{said}")
            time.sleep(0.01)

    def stays_without(self, seconds: float) -> None:
        """Wait for this long, in which there must be no configuration.

        Raises:
            AssertionError: there is one.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            got = [event for event in self.events() if event.reason in self._good]
            assert not got, f"{self.station.name} was told {got[0].told}"
            time.sleep(0.02)
        assert self.is_alive(), f"it has ended by itself: {self.log.read_text(errors='replace')[-1500:]}"
