"""What a prober found: of each network, of each probe that was lost, and of itself and the machine at that moment.

Knows times and numbers only. A lost probe is told with what else was late then: the prober, or a control, which is a
network that nobody touches. So a machine that stood still is told from a server that did not answer. Nothing here makes
a lost probe less lost.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Final

#: Seconds: from when on the prober, or the slowest answer of a control, is late enough to say so of a lost probe.
LATE: Final = 0.25
#: How many lost probes a report writes out.
_SHOWN: Final = 8


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
class Lost:
    """A probe that got no answer, and what else was so in the second that it had.

    Attributes:
        network: its target's name; sent: when, on the monotonic clock.
        refused: why the kernel did not take it, in words; empty where it did.
        prober_late: seconds: the longest that the prober itself was behind its time.
        controls: probes of controls then; controls_lost: how many of them were not answered; controls_slowest: seconds
            until the slowest of the others was answered.
        asked_for: how often the server asked for the client's MAC address (ARP) from three seconds before until then:
            where the kernel gets no answer to that, it drops what the server sends.
        dropped: frames that came to this target so far and found no room at the prober.
    """

    network: str
    sent: float
    refused: str
    prober_late: float
    controls: int
    controls_lost: int
    controls_slowest: float
    asked_for: int
    dropped: int

    @property
    def verdict(self) -> str:
        """In a few words, whose fault it may be."""
        if self.refused:
            return f"the prober could not send it: {self.refused}"
        if self.prober_late >= LATE:
            return "the prober itself was late"
        if self.controls_lost or self.controls_slowest >= LATE:
            return "a network that nobody touches was late, too"
        if self.controls:
            return "neither the prober nor the control was late"
        return "the prober was not late"

    @property
    def of_machine(self) -> bool:
        """Whether the prober or a control was late as well, so that it says nothing of the server."""
        return not self.refused and (
            self.prober_late >= LATE or self.controls_lost > 0 or self.controls_slowest >= LATE
        )

    def __str__(self) -> str:
        control = (
            f"{self.controls_lost} of the control's {self.controls} lost, the slowest {self.controls_slowest:.3f} s"
            if self.controls
            else "no control"
        )
        return (
            f"lost at {self.sent:.3f} s on {self.network}: {self.verdict} (prober {self.prober_late:.3f} s behind; "
            f"{control}; {self.asked_for} ARP requests; {self.dropped} frames dropped)"
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """All targets, in their order.

    Attributes:
        control: the same of the targets that are controls; they count in nothing else here.
        lost: each probe of a target that got no answer, in the order sent.
        cpu_seconds: of the prober; lateness: the longest that a probe was sent too late.
    """

    measured: tuple[Measured, ...]
    control: tuple[Measured, ...]
    lost: tuple[Lost, ...]
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

    @property
    def verdicts(self) -> Counter[str]:
        """How many were lost in which circumstances."""
        return Counter(each.verdict for each in self.lost)

    def __str__(self) -> str:
        sent = sum(each.sent for each in self.measured)
        latencies = sorted(latency for each in self.measured for latency in each.latencies)
        middle = f"{1000 * statistics.median(latencies):.2f}" if latencies else "no"
        late = f"{1000 * latencies[int(0.99 * len(latencies))]:.2f}" if latencies else "no"
        lines = [
            f"{len(self.measured)} networks, {sent} probes, {self.unanswered} unanswered, "
            f"{sum(len(each.wrong) for each in self.measured)} wrong; latency {middle} ms (99 %: {late} ms); worst gap "
            f"{1000 * self.worst.worst_gap:.1f} ms ({self.worst.name}); prober: {self.cpu_seconds:.2f} s of CPU, "
            f"{1000 * self.lateness:.1f} ms late at worst"
        ]
        lines += [f"{number} lost: {verdict}" for verdict, number in self.verdicts.most_common()]
        lines += [str(each) for each in self.lost[:_SHOWN]]
        if len(self.lost) > _SHOWN:
            lines.append(f"and {len(self.lost) - _SHOWN} more, the last {self.lost[-1]}")
        return "\n".join(lines)
