"""Asks on many networks at once, all the time, and keeps when it was answered: how long clients had to wait, and where.

One thread with one epoll; each network's socket is made in its namespace. A probe is a DISCOVER, or the renewal of a
lease. Frames are made once, and only the transaction id changes, so that two hundred networks cost little. What it
cannot keep up with it tells (`lateness`), so that a busy machine is not taken for a slow server.
"""

from __future__ import annotations

import math
import queue
import random
import select
import socket
import statistics
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from support.clients.wires import ETH_P_ARP, Leased, arp_answer, discover_frame, open_wire
from support.dhcp_packets import ACK, OFFER, TRANSACTION_AT, Malformed, mac_bytes, read_reply

#: Seconds: younger probes may still be answered.
_IN_FLIGHT: Final = 1.0
#: Bits of the transaction id for a target's own count; the others tell the target.
_COUNT_BITS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whom to ask for, and where.

    Attributes:
        name: what it is called in the report: the network.
        device: a bridge, or a device in `namespace` (None for here).
        expected: the only right address.
        lease: renew this lease of `mac` instead of asking for a new one; `rebind`: by broadcast. For each answer
            dnsmasq writes its whole leases file anew, so it costs the host more than an OFFER does.
    """

    name: str
    device: str
    mac: str
    expected: str
    namespace: str | None = None
    lease: Leased | None = None
    rebind: bool = False

    def frame(self) -> bytes:
        """A probe, with any transaction id."""
        if self.lease is None:
            frame = discover_frame(self.mac, 0)
        else:
            frame = self.lease.extension(0, broadcast=self.rebind)
        # No UDP checksum (RFC 768): it would change with the transaction id.
        return frame[:40] + b"\0\0" + frame[42:]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What happened to one target's probes.

    Attributes:
        sent, answered, unanswered: how many; those of the last second that are not answered yet are in neither. A wrong
            answer is none.
        wrong: the first wrong answers, in words.
        latencies: seconds from a probe to its answer, in the order sent.
        worst_gap: seconds: the longest that a client would have waited that had begun to ask with any of the probes,
            asked again with all that follow, and took the first answer. An outage is at most one interval longer.
    """

    name: str
    sent: int
    answered: int
    unanswered: int
    wrong: tuple[str, ...]
    latencies: tuple[float, ...]
    worst_gap: float

    @property
    def median(self) -> float:
        """The middle latency, seconds; infinite where there was no answer."""
        return statistics.median(self.latencies) if self.latencies else math.inf


@dataclass(frozen=True, kw_only=True)
class Report:
    """All targets, in their order; cpu_seconds: of the prober; lateness: the longest that a probe was sent too late."""

    measured: tuple[Measured, ...]
    cpu_seconds: float
    lateness: float

    @property
    def unanswered(self) -> int:
        """Probes that got no answer."""
        return sum(each.unanswered for each in self.measured)

    @property
    def worst(self) -> Measured:
        """The target with the longest gap."""
        return max(self.measured, key=lambda each: each.worst_gap)

    def __str__(self) -> str:
        sent = sum(each.sent for each in self.measured)
        latencies = sorted(latency for each in self.measured for latency in each.latencies)
        middle = f"{1000 * statistics.median(latencies):.2f}" if latencies else "no"
        late = f"{1000 * latencies[int(0.99 * len(latencies))]:.2f}" if latencies else "no"
        return (
            f"{len(self.measured)} networks, {sent} probes, {self.unanswered} unanswered, "
            f"{sum(len(each.wrong) for each in self.measured)} wrong; latency {middle} ms (99 %: {late} ms); worst gap "
            f"{1000 * self.worst.worst_gap:.1f} ms ({self.worst.name}); prober: {self.cpu_seconds:.2f} s of CPU, "
            f"{1000 * self.lateness:.1f} ms late at worst"
        )


class Prober:
    """Probes every target every `interval` seconds, evenly spread, from `with` to its end; tells then, or meanwhile.

    Raises:
        OSError: at the begin, there is no such device. One that goes later costs its probes, until it is there again.
    """

    def __init__(self, targets: Sequence[Target], interval: float = 0.25) -> None:
        assert targets, "nobody to ask for"
        self._interval = interval
        # Another prober's answers on the same wire are not ours.
        scramble = random.SystemRandom().getrandbits(32)
        self._probes = [_Probes(target, scramble ^ (index << _COUNT_BITS)) for index, target in enumerate(targets)]
        self._poll = select.epoll()
        self._by_descriptor: dict[int, _Probes] = {}
        # Targets whose device has gone, and what was found when it was looked for.
        self._looking: dict[_Probes, threading.Thread] = {}
        self._found: queue.SimpleQueue[tuple[_Probes, list[socket.socket]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)
        self._cpu_seconds = self._lateness = 0.0
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        try:
            for probes in self._probes:
                self._use(probes, probes.opened())
        except BaseException:
            self._close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for looking in self._looking.values():
            looking.join()
        while not self._found.empty():
            for each in self._found.get()[1]:
                each.close()
        self._close()
        if self._error is not None:
            raise RuntimeError("the prober has ended before its time") from self._error

    def report(self, since: float = 0.0, until: float = math.inf) -> Report:
        """What happened to the probes sent in a time of the monotonic clock: by default all of them."""
        if self._error is not None:
            raise RuntimeError("the prober has ended before its time") from self._error
        now = time.monotonic()
        is_running = self._thread.is_alive()
        measured = [probes.measured(since, until, now, in_flight=_IN_FLIGHT * is_running) for probes in self._probes]
        return Report(measured=tuple(measured), cpu_seconds=self._cpu_seconds, lateness=self._lateness)

    # -- the thread

    def _run(self) -> None:
        try:
            self._ask_in_turn()
            # The last ones may still be answered.
            until = time.monotonic() + _IN_FLIGHT
            while time.monotonic() < until and any(probes.is_waiting for probes in self._probes):
                self._receive(0.01)
        except BaseException as error:
            self._error = error

    def _ask_in_turn(self) -> None:
        step = self._interval / len(self._probes)
        due, turn = time.monotonic(), 0
        while not self._stop.is_set():
            now = time.monotonic()
            self._lateness = max(self._lateness, now - due)
            # A long delay of our own is no reason to hurry: what was missed is left out.
            due = max(due, now - self._interval)
            while due <= now:
                self._send(self._probes[turn])
                turn = (turn + 1) % len(self._probes)
                due += step
            self._receive(max(0.0, due - time.monotonic()))
            self._cpu_seconds = time.thread_time()

    def _send(self, probes: _Probes) -> None:
        try:
            probes.send()
        except OSError:
            # The device has gone, and may be there again. To look takes its time (the kernel has one lock for all
            # devices of all namespaces), in which the others must not wait.
            self._forget(probes)
            if probes not in self._looking:
                self._looking[probes] = threading.Thread(target=self._look, args=[probes], daemon=True)
                self._looking[probes].start()

    def _look(self, probes: _Probes) -> None:
        sockets: list[socket.socket] = []
        with suppress(OSError):
            sockets = probes.opened()
        self._found.put((probes, sockets))

    def _receive(self, seconds: float) -> None:
        while not self._found.empty():
            looked_for, sockets = self._found.get()
            del self._looking[looked_for]
            self._use(looked_for, sockets)
        for descriptor, _ in self._poll.poll(min(seconds, 0.05)):
            probes = self._by_descriptor.get(descriptor)
            if probes is not None:
                with suppress(OSError):  # nothing more, or its device is going
                    probes.receive(descriptor)

    def _use(self, probes: _Probes, sockets: list[socket.socket]) -> None:
        probes.sockets = sockets
        for descriptor in probes.descriptors():
            self._by_descriptor[descriptor] = probes
            self._poll.register(descriptor, select.EPOLLIN)

    def _forget(self, probes: _Probes) -> None:
        for descriptor in probes.descriptors():
            self._poll.unregister(descriptor)
            del self._by_descriptor[descriptor]
        probes.close()

    def _close(self) -> None:
        for probes in self._probes:
            probes.close()
        self._poll.close()


class _Probes:
    """One target's sockets and times; its n-th probe's transaction id is `base` with n in its low bits."""

    def __init__(self, target: Target, base: int) -> None:
        self.target = target
        self._base = base
        frame = target.frame()
        self._before, self._after = frame[:TRANSACTION_AT], frame[TRANSACTION_AT + 4 :]
        self._mac, self._address = mac_bytes(target.mac), socket.inet_aton(target.expected)
        self._kind = OFFER if target.lease is None else ACK
        self.sockets: list[socket.socket] = []
        self._sent = array("d")
        self._answered = array("d")
        self._wrong: list[str] = []

    def opened(self) -> list[socket.socket]:
        """Sockets for it: one for DHCP, and for a renewal one for ARP: the answer goes to the address it renews."""
        device, namespace = self.target.device, self.target.namespace
        sockets = [open_wire(device, namespace)]
        if self.target.lease is not None:
            try:
                sockets.append(open_wire(device, namespace, ETH_P_ARP))
            except BaseException:
                sockets[0].close()
                raise
        return sockets

    def descriptors(self) -> list[int]:
        return [each.fileno() for each in self.sockets]

    def close(self) -> None:
        for each in self.sockets:
            each.close()
        self.sockets.clear()

    def send(self) -> None:
        number = len(self._sent) & ((1 << _COUNT_BITS) - 1)
        frame = self._before + (self._base ^ number).to_bytes(4, "big") + self._after
        self._answered.append(math.nan)
        self._sent.append(time.monotonic())
        if not self.sockets:
            raise OSError("there is no device")
        self.sockets[0].send(frame)

    def receive(self, descriptor: int) -> None:
        """Take everything that has come; ends with BlockingIOError."""
        if descriptor != self.sockets[0].fileno():
            while True:
                answer = arp_answer(self.sockets[1].recv(2048), self._address, self._mac)
                if answer is not None:
                    self.sockets[1].send(answer)
        while True:
            frame = self.sockets[0].recv(1 << 16)
            now = time.monotonic()
            try:
                reply = read_reply(frame)
            except Malformed as error:
                self._wrong.append(str(error))
                continue
            number = -1 if reply is None else reply.transaction ^ self._base
            if reply is None or not 0 <= number < len(self._sent) or not math.isnan(self._answered[number]):
                continue
            if (reply.kind, reply.address, reply.client) != (self._kind, self.target.expected, self.target.mac.lower()):
                if len(self._wrong) < 20:
                    self._wrong.append(f"message type {reply.kind} with {reply.address} for {reply.client}")
                continue
            self._answered[number] = now

    @property
    def is_waiting(self) -> bool:
        return bool(self._answered) and math.isnan(self._answered[-1])

    def measured(self, since: float, until: float, now: float, *, in_flight: float) -> Measured:
        count = len(self._sent)
        sent, answered = self._sent[:count], self._answered[:count]
        chosen = [at for at in range(count) if since <= sent[at] <= until]
        got = [at for at in chosen if not math.isnan(answered[at])]
        lost = [at for at in chosen if math.isnan(answered[at]) and sent[at] <= now - in_flight]
        arrivals = sorted(each for each in answered if not math.isnan(each))
        return Measured(
            name=self.target.name,
            sent=len(chosen),
            answered=len(got),
            unanswered=len(lost),
            wrong=tuple(self._wrong),
            latencies=tuple(answered[at] - sent[at] for at in got),
            worst_gap=max((_wait(sent[at], arrivals, now) for at in [*got, *lost]), default=0.0),
        )


def _wait(begun: float, arrivals: Sequence[float], now: float) -> float:
    at = bisect_left(arrivals, begun)
    return (arrivals[at] if at < len(arrivals) else now) - begun
