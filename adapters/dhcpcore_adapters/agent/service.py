"""The agent as a process: lock, threads, signals, control socket, and the loop until it is told to end.

SIGTERM and SIGINT end it and leave every dnsmasq running; SIGHUP reads the settings again.  A loop or a thread that
raises ends the process, visibly: who watches over it starts it anew, and nothing on the host is disturbed by that.
A service manager that wants to know is told when it serves, that it lives, and when it ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final

from attrs import evolve

from dhcpcore import (
    AgentState,
    DhcpCoreError,
    DnsmasqCapabilities,
    Event,
    Settings,
    describe_state,
    explain_network,
    initial_state,
)
from dhcpcore.actions import ObserveHost
from dhcpcore.contracts import Reporter
from dhcpcore.events import CapabilitiesChanged, DisableForced, ResyncRequested, SettingsChanged
from dhcpcore_adapters.agent.build import build_adapters, build_driver, build_transport, host_capabilities
from dhcpcore_adapters.agent.control import ControlServer
from dhcpcore_adapters.agent.deaths import Deaths
from dhcpcore_adapters.agent.executor import ThreadExecutor
from dhcpcore_adapters.agent.lock import AgentLock, refuse_stock_agent
from dhcpcore_adapters.agent.loop import Agent
from dhcpcore_adapters.agent.options import GROUP, AgentOptions
from dhcpcore_adapters.agent.recent import Recent
from dhcpcore_adapters.agent.supervised import Supervised
from dhcpcore_adapters.agent.versions import InstalledDnsmasq
from dhcpcore_adapters.journal import JournalWriter
from dhcpcore_adapters.process import DeathWatcher, become_subreaper, ended_with, find_program, probe_dnsmasq
from dhcpcore_adapters.rpc import Transport

#: Seconds that running work is given at the end; what is cut off is taken up again after the next start.
PATIENCE: Final = 1.0

#: Options that a start reads once: where things lie, who is asked, and in whose name.
_READ_ONCE: Final = (
    "host",
    "state_path",
    "dhcp_confs",
    "external_pids",
    "interface_driver",
    "ovs_integration_bridge",
    "ovs_use_veth",
    "num_sync_threads",
)

ReadAgain = Callable[[], tuple[Settings, AgentOptions]]


class Service:
    """One agent on this host.

    Args:
        read_again: reads the settings anew, at SIGHUP; what it raises is reported, and the old ones stay.
        transport: the way to the server, where it is not the one that `options` names.

    Raises:
        SettingsError: transport or interface driver cannot be had.
        AdapterError: there is no dnsmasq that will do.
    """

    def __init__(
        self,
        settings: Settings,
        options: AgentOptions,
        *,
        reporter: Reporter,
        read_again: ReadAgain | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._settings = settings
        self._options = options
        self._reporter = reporter
        self._read_again = read_again
        if transport is None:
            transport = build_transport(settings, options, reporter=reporter)
        self._transport = transport
        driver = build_driver(settings, options)
        adapters = build_adapters(settings, options, transport=self._transport, driver=driver, reporter=reporter)
        self._clock = adapters.clock
        self._capabilities = host_capabilities(probe_dnsmasq(), driver)
        self._installed = InstalledDnsmasq(
            self._capabilities.dnsmasq,
            find=lambda: find_program("dnsmasq"),
            probe=probe_dnsmasq,
            tell=self._replaced,
            reporter=reporter,
        )
        # Plain values: a signal handler may take no lock, since it may interrupt whoever holds it.
        self._ending = False
        self._reload = False
        self._crash: BaseException | None = None
        self._executor = ThreadExecutor(host_threads=settings.num_sync_threads, on_crash=self._crashed)
        self._agent = Agent(
            initial_state(settings, self._capabilities, at=self._clock.monotonic()),
            adapters,
            self._executor,
            jitter=random.random,
            observe=self._observe,
            record=self._record,
        )
        self._deaths: Deaths | None = None
        self._recent = Recent()
        self._journal: JournalWriter | None = None
        self._supervised = Supervised(os.environ)

    @property
    def state(self) -> AgentState:
        """What the agent knows now."""
        return self._agent.state

    def run(self) -> None:
        """Serve until `stop`, or until a signal says so.

        Raises:
            AlreadyRuns: another agent serves this host.
            BaseException: what ended the loop, or one of its threads; a bug.
        """
        options, settings = self._options, self._settings
        with ExitStack() as stack:
            refuse_stock_agent(settings.state_path)
            lock = AgentLock(options.place(options.lock_file, settings))
            stack.callback(lock.close)
            stack.enter_context(self._signals())
            if options.journal is not None:
                self._journal = self._new_journal(options.place(options.journal, settings))
                stack.callback(self._journal.close)
            path = options.place(options.control_socket, settings)
            control = ControlServer(path, self._commands(), reporter=self._reporter)
            stack.callback(control.close)
            # The daemons that are started from here become our children, so that their exit statuses are told to us.
            become_subreaper()
            _raise_descriptor_limit()
            self._deaths = Deaths(
                DeathWatcher,
                tell=self._agent.put,
                clock=self._clock,
                reporter=self._reporter,
                ended_with=ended_with,
            )
            stack.callback(self._deaths.close)
            stack.callback(self._executor.close, PATIENCE)
            stack.callback(self._transport.close)
            self._transport.start(self._agent)
            version = ".".join(map(str, self._capabilities.dnsmasq.version))
            self._reporter.report("agent started", host=settings.host, dnsmasq=version, state_path=settings.state_path)
            # What was made so far lives as long as the agent: no collection has to look at it again.
            gc.collect()
            gc.freeze()
            while not self._ending:
                if self._reload:
                    self._reload = False
                    self._supervised.reloading(self._clock.monotonic())
                    self._read_settings()
                due = self._agent.step()
                self._supervised.stepped(self._agent.state, self._clock.monotonic())
                self._agent.wait(self._supervised.patience(due))
            self._supervised.stopping()
            self._reporter.report("agent ends; what it serves goes on")
        if self._crash is not None:
            raise self._crash

    def stop(self) -> None:
        """End soon; from any thread, or a signal handler."""
        self._ending = True
        self._agent.wake()

    # -- what comes from elsewhere ------------------------------------------------------------------------------------

    def _observe(self, event: Any) -> None:
        if self._deaths is not None:
            self._deaths.observe(event)
        if isinstance(event.action, ObserveHost) and event.action.network_id is None:
            self._installed.host_observed()

    def _replaced(self, dnsmasq: DnsmasqCapabilities) -> None:
        self._capabilities = evolve(self._capabilities, dnsmasq=dnsmasq)
        self._agent.put(CapabilitiesChanged(at=self._clock.monotonic(), capabilities=self._capabilities))

    def _record(self, event: Event, before: AgentState, after: AgentState) -> None:
        self._recent.record(event, before, after)
        if self._journal is not None:
            self._journal.record(event, before, after)

    def _new_journal(self, directory: str) -> JournalWriter:
        return JournalWriter(
            directory,
            size=self._options.journal_size,
            files=self._options.journal_files,
            clock=self._clock,
            reporter=self._reporter,
        )

    def _crashed(self, error: BaseException) -> None:
        self._crash = error
        self.stop()
        where = "".join(traceback.format_exception(error))
        self._reporter.report("a thread of the agent ended; so does the agent", error=error, traceback=where)

    def _commands(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        def status(_: dict[str, Any]) -> Any:
            return describe_state(self._agent.state, self._clock.monotonic())

        def sync(request: dict[str, Any]) -> Any:
            network_id = request.get("network")
            reason = "an operator asked for it"
            known = self._agent.state.networks.get(network_id) if network_id is not None else None
            if known is None or known.desired is None:
                # The server answers to anybody who asks for one network; whether it is ours the whole list tells.
                network_id = None
            self._agent.put(ResyncRequested(at=self._clock.monotonic(), reason=reason, network_id=network_id))
            return {"asked": network_id or "all networks"}

        def force_disable(_: dict[str, Any]) -> Any:
            brake = self._agent.state.brake
            self._agent.put(DisableForced(at=self._clock.monotonic()))
            return {"let_go": sorted(brake.network_ids) if brake is not None else []}

        def explain(request: dict[str, Any]) -> Any:
            network_id = request.get("network") or ""
            now = self._clock.monotonic()
            return explain_network(self._agent.state, network_id, now) | self._recent.about(network_id, now)

        return {"status": status, "sync": sync, "force-disable": force_disable, "explain": explain}

    def _read_settings(self) -> None:
        if self._read_again is None:
            return
        try:
            settings, options = self._read_again()
        except (DhcpCoreError, OSError, ValueError) as error:
            self._reporter.report("the settings cannot be read; the old ones stay", error=error)
            return
        kept = {name: getattr(self._settings, name) for name in _READ_ONCE}
        changed = sorted(name for name, value in kept.items() if value != getattr(settings, name))
        if options != self._options:
            changed.append(GROUP)
        if changed:
            what = f"restart the agent for {', '.join(changed)}"
            self._reporter.report("some changed settings take effect at the next start", error=what)
        settings = evolve(settings, **kept)
        self._settings = settings
        self._agent.put(SettingsChanged(at=self._clock.monotonic(), settings=settings))
        self._reporter.report("settings read again")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals are handled where they can be: in a process's main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def end(number: int, _: FrameType | None) -> None:
            self.stop()

        def reload(number: int, _: FrameType | None) -> None:
            self._reload = True
            self._agent.wake()

        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, reload)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _raise_descriptor_limit() -> None:
    """Every process that is watched takes a descriptor, and the usual limit of 1,024 is for ordinary programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
