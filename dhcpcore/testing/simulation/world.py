"""A small world with one server, one host and one agent, in virtual time.

Tells the agent what there is to tell, lets its jobs go on, call by call, in an order that the choices make, and lets
time pass.  What may happen in it is in `happenings`, what must hold in `laws`, what must be so once the trouble is over
in `quiet`.  Nothing here depends on the real time, on threads, or on the order of a set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

import dhcpcore.events as events
from dhcpcore.errors import AdapterError
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.faults import ArmedFault, Faults, SimulatedCrash
from dhcpcore.testing.host import MemoryFileStore, MemoryHost, MemoryNamespaceControl, MemoryProcessControl
from dhcpcore.testing.host.kernel import Process
from dhcpcore.testing.server import MemoryServer
from dhcpcore.testing.server.tables import Tables
from dhcpcore.testing.simulation.answers import Answers, SimulatedServer
from dhcpcore.testing.simulation.deaths import Deaths, proxy_network
from dhcpcore.testing.simulation.lanes import Lanes, Running
from dhcpcore.testing.simulation.laws import Laws
from dhcpcore.testing.simulation.neighbour import Neighbour
from dhcpcore.testing.simulation.parts import MakeAgent, SimulatedParts, SteppedAgent
from dhcpcore.testing.simulation.reference import reference_agent
from dhcpcore.testing.simulation.tally import Tally
from dhcpcore.testing.wanted import Judge

HOST: Final = "host-1"
#: Turns of steps and jobs at one moment, after which there is no end to it.
_TURNS: Final = 3000


@frozen
class Slow:
    """A call of the first job that is about to make one like it takes some time.

    Attributes:
        call: how its name begins: ``server``, ``processes.start_dnsmasq``.
        answered: whether it is the answer that takes so long (True), the question (False), or either.
    """

    call: str
    seconds: float
    answered: bool | None = None


class World:
    """See the module's docstring.

    Attributes:
        server, host, agent, executor, clock, faults: what there is; settings: the agent's.
        laws: what must hold, and what is remembered for that; tally: what there was of everything.
        log: what happened, in words, oldest first.
        frail: a network to which nothing happens on the server, and everything on the host.
        restored: whether the server was ever set back. is_up: whether server and agent are connected.
        slow: calls that will take their time.
        deaths: processes that have ended, and how the agent is told.
        neighbour: the agent on another host, where there is one. make_agent: makes a life of an agent.
        expected: what is yet to be noticed: each is called again and again until it says that it was.
    """

    def __init__(self, choices: Choices, make_agent: MakeAgent = reference_agent) -> None:
        self.choices = choices
        self.clock = MemoryClock()
        self.faults = Faults()
        self.tally = Tally()
        self.log: list[str] = []
        self.host = MemoryHost(self.clock, self.faults, dnsmasq_version=choices.pick(((2, 90), (2, 91))))
        self.settings = _settings(choices)
        self.judge_capabilities = HostCapabilities(
            dnsmasq=DnsmasqCapabilities(version=self.host.dnsmasq_version or (2, 90))
        )
        self.laws = Laws(self)
        self.server: MemoryServer = SimulatedServer(self.clock, self.faults, HOST, self.laws.on_call)
        self.answers = Answers(self.server, self.clock)
        self.host.on_deed, self.host.on_release = self.laws.on_deed, self.laws.on_release
        self.host.on_end = self._ended
        self.is_up = True
        self.slow: list[Slow] = []
        self.backup: Tables | None = None
        self.restored = False
        self.outage: ArmedFault | None = None
        self.deaths = Deaths(self.host)
        self.first_empty: float | None = None
        self._host_threads = choices.pick((4, 1, 2))
        self.make_agent = make_agent
        self.neighbour: Neighbour | None = None
        self.expected: list[Callable[[], bool]] = []
        self._bystander: str | None = None
        self.frail: str | None = None
        self._tell_connected = False
        self._news = True
        self._wake_at: float | None = None
        self.executor = Lanes({})
        self.agent: SteppedAgent
        self.start_agent()

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    @property
    def judge(self) -> Judge:
        """Compares the host with what the server wants."""
        return Judge(self.server, self.host, self.settings, self.judge_capabilities)

    @property
    def bystander(self) -> str | None:
        """The network of which everybody keeps away: whatever happens, nothing may happen to it."""
        if self._bystander is None:
            self._bystander = next(iter(self.server.tables.networks), None)
        return self._bystander

    @property
    def has_news(self) -> bool:
        """Whether the agent has been told something that it has not taken in."""
        return self._news or self._tell_connected or bool(self.deaths)

    def network_of(self, owner: str) -> str:
        """The network that an instance's directory or a proxy's id belongs to."""
        network_id = owner.rpartition("/")[2]
        return network_id if network_id in self.agent.state.networks else proxy_network(self.agent.state, network_id)

    def is_at_ease(self, network_id: str) -> bool:
        """Whether nothing keeps the agent from doing at once whatever this network needs."""
        state = self.agent.state
        record = state.networks.get(network_id)
        return (
            record is not None
            and state.observation.done
            and record.wanted
            and record.retry is None
            and record.need is None
            and not record.observe
            and not record.claim_retry
            and not record.release_retry
            and record.proxy_retry is None
            and len(record.served) == 1
            and all(served.alive and served.deaths == 0 for served in record.served.values())
            and not state.in_flight
            and not self.has_news
            and self.executor.idle
            and not self.faults.armed
            and not self.slow
            and not self.faults.crash_ordered
            and self.host.disk.fault is None
            and self.host.spawn_fault is None
        )

    def do(self, happening: Callable[[World], None]) -> None:
        """Let one thing happen; where the agent is killed by it, another one is started.

        Raises:
            AssertionError: a law was broken.
        """
        self.tally.happenings += 1
        try:
            happening(self)
        except SimulatedCrash as crash:
            self.kill_agent(str(crash))
        self.laws.check()

    def note(self, what: str) -> None:
        """Remember what happened, in words."""
        self.log.append(f"{self.now - 1000.0:9.2f}  {what}")

    # -- lives of the agent -------------------------------------------------------------------------------------------

    def start_agent(self) -> None:
        """A new process: nothing is remembered, the host is as it was left."""
        self.tally.lives += 1
        sizes = {"report": 1, "server": 4, "host": self._host_threads}
        self.executor = Lanes(sizes, on_submit=self._submitted)
        self.deaths.begin_life()
        rpc = self.server.agent(HOST)
        self.agent = self.make_agent(
            SimulatedParts(
                settings=self.settings,
                capabilities=self.judge_capabilities,
                server=rpc,
                heartbeat=rpc,
                processes=MemoryProcessControl(self.host),
                namespaces=MemoryNamespaceControl(self.host),
                files=MemoryFileStore(self.host),
                clock=self.clock,
                reporter=self,
                executor=self.executor,
                jitter=lambda: self.choices.integer(0, 99) / 100,
                watcher=self.deaths.make_watcher,
            )
        )
        self._news, self._wake_at = True, None
        self._tell_connected = self.is_up
        self.laws.begin_life()

    def kill_agent(self, where: str) -> None:
        """SIGKILL, and a new start."""
        self.note(f"agent killed: {where}")
        self.tally.crashes += 1
        self.end_life()
        self.start_agent()

    def _submitted(self, job: object) -> None:
        chain = getattr(job, "chain", ())
        self.laws.on_submit(chain)
        kinds = [action.kind for action in chain]
        if kinds and kinds != ["report_state"]:
            self.note(f"  {getattr(job, 'scope', 'a job')}: {', '.join(kinds)}")

    def end_life(self) -> None:
        """The agent's process is gone, and all it was about to do."""
        self.tally.events += self.agent.state.seq
        self.executor.drop()

    def report(self, message: str, /, **fields: object) -> None:
        """What the agent reports (contract `Reporter`): failures come into the log."""
        self.tally.reports += 1
        if "error" in fields:
            about = " ".join(
                f"{name}={value}" for name, value in fields.items() if name not in ("seconds", "traceback")
            )
            self.note(f"  agent says: {message}: {about}")

    def restore(self, backup: Tables) -> None:
        """The server is what it was; nobody is told."""
        self.restored = True
        self.server.restore(backup)
        self.note("backup restored")

    # -- telling it ---------------------------------------------------------------------------------------------------

    def put(self, event: events.Event) -> None:
        """Give the agent an event."""
        self.agent.put(event)
        self._news = True

    def deliver(self, most: int) -> None:
        """Let up to so many notifications arrive, in the order of the queue; none while there is no connection."""
        queue = self.server.notices.queue(HOST)
        if not self.is_up:
            return
        for _ in range(min(most, len(queue))):
            notice = queue.popleft()
            self.agent.notified(notice.method, notice.payload)
            self.tally.notifications += 1
            self._news = True

    def deliver_all(self) -> None:
        """Let everything arrive."""
        self.deliver(len(self.server.notices.queue(HOST)))

    def disconnect(self, reason: str) -> None:
        """The connection is lost, and told to be; calls under way on it fail."""
        self.is_up = False
        self._tell_connected = False
        self.laws.server_lost()
        if self.executor.fail("server.", lambda: AdapterError(f"ConnectionLost: {reason}")):
            self._news = True
        self.agent.disconnected(reason)
        if self.neighbour is not None:
            self.neighbour.disconnected(reason)

    def connect(self) -> None:
        """The connection is there again; the agent hears of it before anything else."""
        self.is_up = True
        self._tell_connected = True
        if self.neighbour is not None:
            self.neighbour.connected()

    def tell(self) -> None:
        """Tell what does not come as a notification: the connection, and processes that ended."""
        if self._tell_connected:
            self._tell_connected = False
            self.agent.connected()
            self._news = True
        if self.expected:
            self.expected = [each for each in self.expected if not each()]
        if self.deaths.tell(self.agent, self.now):
            self._news = True

    def _ended(self, process: Process) -> None:
        if process.program == "dnsmasq":
            self.laws.remember(self.host.owner(process) or "", process)
        self.deaths.ended(process)

    # -- letting it live ----------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One step of the agent's loop."""
        self.tally.steps += 1
        self._news = False
        due = self.agent.step()
        self._wake_at = None if due is None else self.now + due
        self.laws.after_step()

    def work(self, most: int) -> None:
        """Let one job, whichever, go on for up to so many pauses."""
        ready = self.executor.ready(self.now)
        if ready:
            self._go_on(ready, most)

    def _go_on(self, ready: list[Running], most: int) -> None:
        running = self.choices.pick(ready) if len(ready) > 1 else ready[0]
        for _ in range(most):
            if self.executor.advance(running):
                self._news = True
                return
            if self.slow and self._takes_its_time(running):
                return

    def _takes_its_time(self, running: Running) -> bool:
        for slow in self.slow:
            if running.call.startswith(slow.call) and slow.answered in (None, running.answered):
                self.slow.remove(slow)
                running.not_before = self.now + slow.seconds
                self.note(f"{running.call} of {running.scope} takes {slow.seconds:g} s")
                return True
        return False

    def settle(self) -> None:
        """Steps and jobs, until nothing is left to do at this moment.

        Raises:
            AssertionError: there is no end to it, or a law was broken.
        """
        now = self.now
        for _ in range(_TURNS):
            self.tell()
            if self._news or (self._wake_at is not None and self._wake_at <= now):
                self.step()
            elif ready := self.executor.ready(now):
                self._go_on(ready, self.choices.integer(1, 24))
            else:
                if self.neighbour is not None:
                    self.neighbour.settle(hears=self.is_up)
                assert now == self.now, "an agent, or one of its parts, has set the world's clock"
                self.laws.at_rest()
                return
        raise AssertionError(f"the agent finds no end at {self.now}: in flight {dict(self.agent.state.in_flight)}")

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what falls due meanwhile is done at its time."""
        until = self.now + seconds
        while True:
            self.settle()
            times = (self._wake_at, self.executor.next_time(), self._neighbour_due)
            following = min((time for time in times if time is not None), default=until)
            if following >= until:
                break
            # Seconds until something are rounded: never stand still.
            self.clock.advance(max(following - self.now, 1e-6))
        self.clock.advance(max(0.0, until - self.now))

    @property
    def next_due(self) -> float | None:
        """When the agent wants to look again, or a slow call will be done."""
        times = (self._wake_at, self.executor.next_time(), self._neighbour_due)
        return min((time for time in times if time is not None), default=None)

    @property
    def _neighbour_due(self) -> float | None:
        return self.neighbour.next_due if self.neighbour is not None else None

    def fields(self) -> dict[str, Any]:
        """What a fingerprint of the whole world is made of."""
        return {
            "log": self.log,
            "points": self.faults.points,
            "deeds": sorted((what, subject, count) for (what, subject), count in self.host.counts.items()),
            "files": [(path, self.host.disk.peek(path)) for path in self.host.disk.files()],
            "ports": sorted(self.server.tables.ports.items()),
            "tally": self.tally,
            "now": self.now,
        }


def _settings(choices: Choices) -> Settings:
    isolated = choices.chance(50)
    return Settings(
        host=HOST,
        enable_isolated_metadata=isolated,
        force_metadata=choices.chance(20),
        enable_metadata_network=isolated and choices.chance(20),
        unsafe_disable_minimum=choices.pick((1, 1, 1, 4)),
        unsafe_disable_hold=120,
        audit_interval=choices.pick((100, 300)),
        retry_interval_max=30,
        bulk_reload_interval=choices.pick((0, 0, 3)),
        dnsmasq_enable_addr6_list=choices.chance(20),
    )
