"""What the state remembers of one network: what is wanted, what is served, what is owed.

Values only; how they change is told in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen
from immutables import Map

from dhcpcore.events import ActionFailed
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceSpec
from dhcpcore.state.pace import Pace

#: Why a network is not to be served any longer, or is in doubt.
Removal = Literal[
    "deleted",  # the server said so: a notification, or the answer to a question about this network alone
    "unlisted",  # a trusted full answer lacks it
    "held",  # the same, but so many are missing that the brake holds
    "untrusted",  # the same, but the server may not have known this agent yet
]


@frozen(kw_only=True)
class Retry:
    """When something that failed may be tried again.

    Attributes:
        not_before: monotonic seconds; infinite where only news can help.
        reason: one short line.
    """

    attempts: int
    not_before: float
    reason: str


@frozen(kw_only=True)
class FetchNeed:
    """A question to the server that must be asked: an answer sent after event `seq` satisfies it."""

    seq: int
    reasons: tuple[str, ...]


@frozen(kw_only=True)
class ReadyPort:
    """A served port to be reported.

    Attributes:
        urgent: somebody waits for it. failures: how many reports that it was in have failed.
    """

    network_id: str
    urgent: bool
    failures: int = 0


@frozen(kw_only=True)
class LastDeath:
    """How a process of ours ended that was to live.

    Attributes:
        at: monotonic seconds. exit_code: its status, or the signal that ended it below zero; None: nobody told.
        detail: its last words, and what to do.
    """

    at: float
    exit_code: int | None = None
    detail: str = ""


@frozen(kw_only=True, slots=False)
class ServedInstance:
    """One dnsmasq instance as this host runs it.

    Attributes:
        spec: what it runs with; for an observed one, what its files and command line say.
        dirty: its files may not be what it has loaded.
        unreported: ports whose ids lie beside its files, see `dhcpcore.plan.unreported`.
        drift: what was found amiss; only starting it anew repairs that.
        unplugged: why its device does not reach its network, or that it is down; setting it up again repairs that.
        replaced: the program that it runs was replaced on the disk, by another version say.
        adopted: it was not started by this agent's life.
        dadfailed: the IPv6 metadata address belongs to another agent.
        leases: text of its leases file when that was last observed and not yet judged.
        started_at: monotonic seconds; None for an adopted one. deaths: in a row, each soon after its start.
        last_death: of the process that it had before, or of this one.
        ending: an action under way ends its process, and may start another.
        signalled: it was sent a SIGHUP and has not been seen to outlive it; a death of that says nothing of its start.
    """

    spec: InstanceSpec
    alive: bool = True
    dirty: bool = False
    unreported: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    unplugged: str = ""
    replaced: bool = False
    adopted: bool = False
    pid: int | None = None
    dadfailed: bool = False
    leases: str | None = None
    started_at: float | None = None
    deaths: int = 0
    last_death: LastDeath | None = None
    ending: bool = False
    signalled: bool = False


@frozen(kw_only=True, slots=False)
class ServedProxy:
    """The metadata proxy of a network as this host runs it; `config` None where its file is missing.

    The rest is as in `ServedInstance`.
    """

    proxy_id: str
    config: str | None
    config_path: str = ""
    alive: bool = True
    pid: int | None = None
    adopted: bool = False
    started_at: float | None = None
    deaths: int = 0
    last_death: LastDeath | None = None
    ending: bool = False


@frozen(kw_only=True, slots=False)
class NetworkRecord:
    """One network.

    Attributes:
        desired: what the server wants; None: nothing, or not known yet.
        removal: see `Removal`.
        addresses: address text to port id, of `desired`; finds duplicate addresses without a search.
        need: a fetch of this network that is owed; need_retry: when, after one that failed.
        claim_retry: when an instance's DHCP port may be claimed again.
        release_retry: when an instance's leases of nobody may be released again.
        leases_left: their addresses, as far as they are known.
        proxy_retry: when its metadata proxy may be started or stopped again.
        retry: when anything else on the host may be tried again.
        observe: the host must be looked at before anything else is planned.
        unreadable: why it could not be seen at the last look; empty where it could.
        awaiting_ready: ports to be reported once they are served; True where somebody waits for them.
        namespace: whether the network's namespace exists. strays: devices in it that belong to nothing.
        stray_proxies: metadata proxies in it beside `proxy`. died: how which pids ended while actions run on the host.
        owed: device ids of DHCP ports that nobody serves on any more, to be given back.
        host_seq: event number of the last outcome on this host.
        event_seq: event number of the last event that said whether the network is ours.
        answered_seq: event number at which the last answered fetch of this network alone was sent.
        claim_seq: event number at which a DHCP port of it was last claimed.
        accepted: subnets on which the server insists that our DHCP port has an address, by instance.
        pace: of its reloads, None as long as there was none.
    """

    id: str
    desired: Network | None = None
    removal: Removal | None = None
    addresses: Map[str, str] = Map()
    served: Map[InstanceKey, ServedInstance] = Map()
    proxy: ServedProxy | None = None
    need: FetchNeed | None = None
    need_retry: Retry | None = None
    claim_retry: Map[InstanceKey, Retry] = Map()
    release_retry: Map[InstanceKey, Retry] = Map()
    leases_left: Map[InstanceKey, frozenset[str]] = Map()
    proxy_retry: Retry | None = None
    retry: Retry | None = None
    observe: bool = False
    unreadable: str = ""
    awaiting_ready: Map[str, bool] = Map()
    namespace: bool = False
    strays: tuple[str, ...] = ()
    stray_proxies: tuple[ServedProxy, ...] = ()
    died: Map[int, LastDeath] = Map()
    owed: Map[InstanceKey, str] = Map()
    host_seq: int = -1
    event_seq: int = -1
    answered_seq: int = field(default=-1, eq=False)
    claim_seq: int = field(default=-1, eq=False)
    accepted: Map[InstanceKey, frozenset[str]] = Map()
    pace: Pace | None = None

    @property
    def wanted(self) -> bool:
        """Whether it shall be served: listed, or at least not surely gone."""
        return self.desired is not None and self.removal in (None, "held", "untrusted")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to remember."""
        return (
            self.desired is None
            and not self.served
            and self.proxy is None
            and self.need is None
            and not self.namespace
            and not self.strays
            and not self.stray_proxies
            and not self.owed
            and not self.observe
            and not self.unreadable
        )

    def due_after(self, time: float) -> float | None:
        """The earliest time after `time` at which something that failed may be tried again."""
        by_instance = (*self.claim_retry.values(), *self.release_retry.values())
        retries = (self.need_retry, self.proxy_retry, self.retry, *by_instance)
        times = [r.not_before for r in retries if r is not None and time < r.not_before < float("inf")]
        if self.pace is not None and self.pace.waited and time < self.pace.until:
            times.append(self.pace.until)
        return min(times) if times else None


def unreported(instances: Iterable[ServedInstance]) -> set[str]:
    """Ports whose ids lie beside the files of instances."""
    return {port_id for served in instances for port_id in served.unreported}


def backoff(settings: Settings, previous: Retry | None, *, at: float, reason: str, jitter: float) -> Retry:
    """The next retry after a failure: exponential, bounded, spread by up to a quarter."""
    attempts = previous.attempts + 1 if previous is not None else 1
    delay = min(settings.retry_interval_max, settings.retry_interval_initial * 2.0 ** min(attempts - 1, 30))
    return Retry(attempts=attempts, not_before=at + delay * (1 + jitter / 4), reason=short(reason))


def after_failure(settings: Settings, previous: Retry | None, failure: ActionFailed) -> Retry:
    """The next retry after an action failed."""
    return backoff(settings, previous, at=failure.at, reason=failure.reason, jitter=failure.jitter)


def until_news(previous: Retry | None, reason: str) -> Retry:
    """A failure that only news about the network can mend."""
    attempts = previous.attempts + 1 if previous is not None else 1
    return Retry(attempts=attempts, not_before=float("inf"), reason=short(reason))


def short(reason: str) -> str:
    """A reason as it may be remembered: one line, at most 400 characters (Launchpad 1969270).

    That is room for what a program said last and for what to do about it.
    """
    line = " ".join(reason.split())
    return line if len(line) <= 400 else line[:399] + "…"
