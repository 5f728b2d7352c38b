"""What the core's recipes ask to be done to dnsmasq, done with Neutron's own tools: they know who has root here.

Fulfils of `dhcpcore.contracts.ProcessControl` what recipes of one instance call.  Decides nothing.
"""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import evolve
from neutron.agent.linux import dhcp, external_process
from neutron.agent.metadata.driver_base import HAPROXY_SERVICE
from neutron_lib.exceptions import ProcessExecutionError
from oslo_log import log as logging

from dhcpcore import AdapterError, InstanceKey, InstanceSpec, Lease, ObservedProcess, Settings, parse_leases
from dhcpcore.contracts import FileStore
from dhcpcore_adapters.process import barrier, proc
from dhcpcore_adapters.process.namespaces import NamedNamespaces, namespace_of_process

LOG: Final = logging.getLogger(__name__)

Release = Callable[[Lease], None]

_RELOAD_SECONDS: Final = 120.0
_RELEASE_SECONDS: Final = 0.3


def has_proxy(conf: Any, network: Any) -> bool:
    """Whether a metadata proxy of Neutron's runs for a network that is still here: that has its namespace."""
    manager = external_process.ProcessManager(conf, network.id, service=HAPROXY_SERVICE)
    return bool(manager.active) and NamedNamespaces().identity(network.namespace) is not None


def with_log_directory(settings: Settings, network_id: str) -> Settings:
    """`settings`, without dnsmasq's log where a network's directory for it cannot be made: it would not start with it.

    To be asked before the core is, so that it wants the command line that dnsmasq can be started with, as Neutron does.
    """
    if settings.dnsmasq_log_dir is None:
        return settings
    directory = os.path.join(settings.dnsmasq_log_dir, network_id)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        LOG.warning(
            "dnsmasq of network %(id)s has no log: %(directory)s cannot be made: %(error)s; correct "
            "dnsmasq_base_log_dir, or let the agent write there",
            {"id": network_id, "directory": directory, "error": error.strerror},
        )
        return evolve(settings, dnsmasq_base_log_dir=None)
    return settings


class NeutronProcesses:
    """The dnsmasq of one instance.

    Args:
        manager: makes Neutron's manager of it, for a start with the command line that it is given.
        release: sends one release to it.
    """

    def __init__(
        self,
        manager: Callable[[Callable[[str], list[str]] | None], external_process.ProcessManager],
        *,
        key: InstanceKey,
        files: FileStore,
        release: Release,
    ) -> None:
        self._manager = manager
        self._key = key
        self._files = files
        self._send_release = release

    def running(self) -> ObservedProcess | None:
        """It, where it runs with its files; in which namespace is told where that may be looked at."""
        manager = self._manager(None)
        pid, status = manager.pid, None
        if pid and manager.active:
            status = proc.status(pid)
        if status is None or not status.is_alive:
            return None
        wanted = f"qdhcp-{self._key.network_id}"
        there = namespace_of_process(pid)
        elsewhere = there is not None and there != NamedNamespaces().identity(wanted)
        return ObservedProcess(
            program="dnsmasq",
            owner=self._key.directory,
            pid=pid,
            argv=proc.command_line(pid),
            namespace=None if elsewhere else wanted,
            started=status.started,
            replaced=proc.is_replaced(pid),
            stopped=status.is_stopped,
        )

    # -- what recipes call --------------------------------------------------------------------------------------------

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        """Start it in its namespace; it serves when this returns."""
        manager = self._manager(lambda _: list(spec.argv))
        try:
            manager.enable(ensure_active=True)
        except (ProcessExecutionError, OSError) as error:
            raise AdapterError(f"dnsmasq of {self._key} could not be started: {error}") from None
        return int(manager.pid or 0)

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        """Stop it and wait for its end: Neutron's own way forgets the process before it has ended."""
        manager = self._manager(None)
        running = self.running()
        if running is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            manager.disable(sig=str(int(number)), delete_pid_file=False)
            if proc.wait_until(lambda: _ended(running), dhcp.SIGTERM_TIMEOUT, 0.005):
                return
        raise AdapterError(f"dnsmasq of {key} does not end, not even when killed (process {running.pid})")

    def reload_dnsmasq(self, key: InstanceKey) -> None:
        """SIGHUP, and return when its files have been read anew."""
        running = self.running()
        if running is None:
            raise AdapterError(f"dnsmasq of {key} does not run, so it cannot be reloaded")
        try:
            with proc.Handle(running.pid, running.started) as handle:
                self._manager(None).reload_cfg()
                done = barrier.has_settled(handle, time.monotonic() + _RELOAD_SECONDS, f"dnsmasq of {key}")
                ended = handle.ended()
        except ProcessLookupError:
            done, ended = True, True
        if ended:
            raise AdapterError(f"dnsmasq of {key} died when it was told to read its files anew (SIGHUP)")
        if not done:
            raise AdapterError(f"dnsmasq of {key} did not read its files anew within {_RELOAD_SECONDS:g} s")

    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        """Release each, and look into the leases file whether it is gone; as often as Neutron tries."""
        left = list(leases)
        for _ in range(dhcp.DHCP_RELEASE_TRIES):
            for lease in left:
                self._send_release(lease)
            if proc.wait_until(lambda: not self._still_there(spec, leases), _RELEASE_SECONDS, 0.01):
                return
            left = self._still_there(spec, leases)
        addresses = ", ".join(lease.ip_address for lease in left[:5])
        raise AdapterError(
            f"dnsmasq of {spec.key} still has {len(left)} leases that it was told to release: {addresses}"
        )

    def _still_there(self, spec: InstanceSpec, leases: Sequence[Lease]) -> list[Lease]:
        text = self._files.read(f"{spec.directory}/leases") or ""
        there = {_identity(lease) for lease in parse_leases(text).leases}
        return [lease for lease in leases if _identity(lease) in there]


def _ended(process: ObservedProcess) -> bool:
    now = proc.status(process.pid)
    return now is None or not now.is_alive or now.started != process.started


def _identity(lease: Lease) -> tuple[Any, ...]:
    return lease.ip_address, lease.mac_address, lease.iaid, lease.client_id
