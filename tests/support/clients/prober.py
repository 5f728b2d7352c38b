"""Asks on many networks at once, all the time, and keeps when it was answered: how long clients had to wait, and where.

One thread with one epoll; each network's socket is made in its namespace. A probe is a DISCOVER, or the renewal of a
lease. Frames are made once, and only the transaction id changes, so that two hundred networks cost little. An answer
has come when the kernel got it, not when this thread looked. What it cannot keep up with it tells (`probed.Lost`), so
that a busy machine is not taken for a slow server.
"""

from __future__ import annotations

import errno
import math
import os
import queue
import random
import select
import socket
import struct
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from support.clients.probed import Lost, Measured, Report
from support.clients.wires import ETH_P_ARP, Leased, arp_answer, discover_frame, open_wire
from support.dhcp_packets import ACK, OFFER, TRANSACTION_AT, Malformed, mac_bytes, read_reply

__all__ = ["Measured", "Prober", "Report", "Target"]

#: Seconds: younger probes may still be answered.
_IN_FLIGHT: Final = 1.0
#: Bits of the transaction id for a target's own count; the others tell the target.
_COUNT_BITS: Final = 20
#: Seconds that the prober may be behind its time without keeping it in mind, and how many such times it keeps.
_NOTED: Final = 0.02
_MOST_NOTED: Final = 20_000
#: Seconds in which the kernel looks for a neighbour before it drops what is for it (three requests, neigh(7)).
_NEIGHBOUR: Final = 3.0
#: The kernel had no room just then; the device is there.
_PASSING: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})
#: More than others, where that is allowed: to be late makes others look late.
_NICE: Final = -10
# asm-generic/socket.h and linux/if_packet.h
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SOL_PACKET, _PACKET_STATISTICS = 33, 35, 263, 6
_BUFFER: Final = 1 << 22
_TIMESPEC: Final = struct.Struct("@ll")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whom to ask for, and where.

    Attributes:
        name: what it is called in the report: the network.
        device: a bridge, or a device in `namespace` (None for here).
        expected: the only right address.
        lease: renew this lease of `mac` instead of asking for a new one; `rebind`: by broadcast. For each answer
            dnsmasq writes its whole leases file anew, so it costs the host more than an OFFER does.
        control: on a network that nobody touches: it is not reported on, but tells of the machine.
    """

    name: str
    device: str
    mac: str
    expected: str
    namespace: str | None = None
    lease: Leased | None = None
    rebind: bool = False
    control: bool = False

    def frame(self) -> bytes:
        """A probe, with any transaction id."""
        if self.lease is None:
            frame = discover_frame(self.mac, 0)
        else:
            frame = self.lease.extension(0, broadcast=self.rebind)
        # No UDP checksum (RFC 768): it would change with the transaction id.
        return frame[:40] + b"\0\0" + frame[42:]


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
        # When it was due, and how much later its turn came.
        self._behind: deque[tuple[float, float]] = deque(maxlen=_MOST_NOTED)
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
        # Those that were sent last may still be answered.
        settled = now - _IN_FLIGHT * self._thread.is_alive()
        measured = [
            [
                probes.measured(since, until, now, settled)
                for probes in self._probes
                if probes.target.control == is_control
            ]
            for is_control in (False, True)
        ]
        return Report(
            measured=tuple(measured[0]),
            control=tuple(measured[1]),
            lost=self._lost(since, until, settled),
            cpu_seconds=self._cpu_seconds,
            lateness=self._lateness,
        )

    def _lost(self, since: float, until: float, settled: float) -> tuple[Lost, ...]:
        controls = [probes for probes in self._probes if probes.target.control]
        behind = list(self._behind)
        lost = []
        for probes in self._probes:
            for sent, refused in () if probes.target.control else probes.lost(since, until, settled):
                begins, ends = sent - 0.1, sent + _IN_FLIGHT
                late = [seconds for due, seconds in behind if due <= ends and due + seconds >= begins]
                others = [each.measured(begins, ends, settled, settled) for each in controls]
                lost.append(
                    Lost(
                        network=probes.target.name,
                        sent=sent,
                        refused=refused,
                        prober_late=max(late, default=0.0),
                        controls=sum(each.sent for each in others),
                        controls_lost=sum(each.unanswered for each in others),
                        controls_slowest=max((latency for each in others for latency in each.latencies), default=0.0),
                        asked_for=probes.asked_for(sent - _NEIGHBOUR, ends),
                        dropped=probes.dropped,
                    )
                )
        return tuple(sorted(lost, key=lambda each: each.sent))

    # -- the thread

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
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
            if now - due > _NOTED:
                self._behind.append((due, now - due))
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
        except OSError as error:
            probes.was_refused(error)
            if error.errno in _PASSING:
                return
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
        self._refused: dict[int, str] = {}
        self._asked_for = array("d")
        #: Frames that found no room here.
        self.dropped = 0

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
        for each in sockets:
            # A thread that had no turn for a while has lost nothing by it.
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            each.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
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
            raise OSError(errno.ENODEV, "there is no device")
        self.sockets[0].send(frame)
        # Reading resets it.
        statistics = self.sockets[0].getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.dropped += struct.unpack("@II", statistics)[1]

    def was_refused(self, error: OSError) -> None:
        """The probe that was sent last was not."""
        self._refused[len(self._sent) - 1] = error.strerror or str(error)

    def receive(self, descriptor: int) -> None:
        """Take everything that has come; ends with BlockingIOError."""
        if descriptor != self.sockets[0].fileno():
            while True:
                answer = arp_answer(self.sockets[1].recv(2048), self._address, self._mac)
                if answer is not None:
                    self._asked_for.append(time.monotonic())
                    self.sockets[1].send(answer)
        while True:
            frame, ancillary, _, _ = self.sockets[0].recvmsg(1 << 16, 64)
            came = time.monotonic() - _age(ancillary)
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
            # A clock that was set meanwhile moves no answer before its question.
            self._answered[number] = max(came, self._sent[number])

    @property
    def is_waiting(self) -> bool:
        return bool(self._answered) and math.isnan(self._answered[-1])

    def asked_for(self, since: float, until: float) -> int:
        """How often the server asked for the client's MAC address."""
        return bisect_right(self._asked_for, until) - bisect_left(self._asked_for, since)

    def lost(self, since: float, until: float, settled: float) -> list[tuple[float, str]]:
        """When each was sent that got no answer, and why it was not sent, if it was not."""
        sent, answered, chosen = self._chosen(since, min(until, settled))
        return [(sent[at], self._refused.get(at, "")) for at in chosen if math.isnan(answered[at])]

    def _chosen(self, since: float, until: float) -> tuple[array[float], array[float], range]:
        count = len(self._sent)
        sent, answered = self._sent[:count], self._answered[:count]
        return sent, answered, range(bisect_left(sent, since), bisect_right(sent, until))

    def measured(self, since: float, until: float, now: float, settled: float) -> Measured:
        sent, answered, chosen = self._chosen(since, until)
        got = [at for at in chosen if not math.isnan(answered[at])]
        lost = [at for at in chosen if math.isnan(answered[at]) and sent[at] <= settled]
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


def _age(ancillary: Sequence[tuple[int, int, bytes]]) -> float:
    """Seconds since the kernel got a frame: it may have waited for this thread's turn."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            age: float = time.time() - seconds - nanoseconds / 1e9
            return max(0.0, age)
    return 0.0


def _wait(begun: float, arrivals: Sequence[float], now: float) -> float:
    at = bisect_left(arrivals, begun)
    return (arrivals[at] if at < len(arrivals) else now) - begun
