"""`dhcpcore.contracts.ProcessControl` with real dnsmasq and haproxy processes in named network namespaces.

Knows how to start, reload and stop them; decides nothing.  Keeps no list of what it started: every call looks at the
host, so what a stock agent, or this agent before its restart, has left is treated like its own.  Calls for different
instances may run in parallel; those for one come one after the other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from dhcpcore import AdapterError, InstanceKey, InstanceSpec, Lease, MetadataProxySpec, ObservedProcess
from dhcpcore_adapters.plain_files import opened_plain
from dhcpcore_adapters.process import barrier, proc, release
from dhcpcore_adapters.process.namespaces import NamedNamespaces, namespace_of_process
from dhcpcore_adapters.process.readable import let_everybody_read
from dhcpcore_adapters.process.spawn import start_daemon
from dhcpcore_adapters.process.stop import stop
from dhcpcore_adapters.process.table import Found, ProcessTable

#: In the environment of a proxy: what its configuration was when it read it.
_CONFIG_MARK: Final = "DHCPCORE_CONFIG_SHA256"
_LOOKS: Final = 5
#: Seconds by which the time of a start may be wrong.
_TICK: Final = 0.02


class LinuxProcessControl:
    """dnsmasq and haproxy on this host.

    Args:
        dhcp_confs, proxy_config_dir: `Settings.confs_dir` and `Settings.proxy_config_dir`; a process with its files
            there is ours.
        netns_directory: where named namespaces are.
        start_seconds: how long a process may take until it serves.
        reload_seconds: how long a reload may take; 50,000 reservations take dnsmasq some 20 s.
        stop_seconds: how long a process is given to end on SIGTERM.
    """

    def __init__(
        self,
        *,
        dhcp_confs: str,
        proxy_config_dir: str,
        netns_directory: str = "/run/netns",
        start_seconds: float = 60.0,
        reload_seconds: float = 120.0,
        stop_seconds: float = 5.0,
    ) -> None:
        self._dhcp_confs = dhcp_confs
        self._namespaces = NamedNamespaces(netns_directory)
        self._table = ProcessTable(
            dhcp_confs=dhcp_confs, proxy_config_dir=proxy_config_dir, namespaces=self._namespaces
        )
        self._start_seconds = start_seconds
        self._reload_seconds = reload_seconds
        self._stop_seconds = stop_seconds

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        """Start it and wait until it serves; one with the same command line in the same namespace is left alone."""
        with _errors(f"dnsmasq of {spec.key}") as what:
            running = self._table.instance(spec.key)
            right = [each for each in running if self._is_right(each, spec.argv, spec.device.namespace)]
            if pid := self._keep_one(running, right, what):
                return pid
            _make_log_directory(spec.argv, what)
            try:
                start_daemon(
                    spec.argv,
                    namespaces=self._namespaces,
                    namespace=spec.device.namespace,
                    environment={"PROCESS_TAG": spec.process_tag},
                    what=what,
                    package="dnsmasq (Debian, Ubuntu: dnsmasq-base)",
                    seconds=self._start_seconds,
                )
                return _main(self._table.instance(spec.key), what)
            except AdapterError:
                self._stop(self._table.instance(spec.key), what)
                raise

    def reload_dnsmasq(self, key: InstanceKey) -> None:
        """SIGHUP, and return when the files have been read anew."""
        with _errors(f"dnsmasq of {key}") as what:
            running = [each for each in self._table.instance(key) if each.is_main]
            if not running:
                raise AdapterError(f"{what} does not run, so it cannot be reloaded")
            let_everybody_read(f"{self._dhcp_confs}/{key.directory}")
            for each in running:
                try:
                    with proc.Handle(each.seen.pid, each.seen.started) as handle:
                        barrier.reload(
                            handle,
                            namespaces=self._namespaces,
                            namespace=self._namespace_name(handle.pid, what),
                            what=what,
                            seconds=self._reload_seconds,
                        )
                except ProcessLookupError:
                    raise AdapterError(f"{what} died before it could be reloaded") from None

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        """Stop it, its children for TCP queries too, and wait for the end."""
        with _errors(f"dnsmasq of {key}") as what:
            # Again and again: a child for a TCP query may have been forked after the look.
            for _ in range(_LOOKS):
                running = self._table.instance(key)
                if not running:
                    return
                self._stop(running, what)
            raise AdapterError(f"{what} is there again whenever it was stopped: does another agent start it?")

    def start_proxy(self, spec: MetadataProxySpec) -> int:
        """Start it; one with the same command line and configuration in the same namespace is left alone."""
        with _errors(f"haproxy of {spec.proxy_id}") as what:
            digest = _digest(spec.config)
            running = self._proxies(spec.proxy_id, spec.namespace)
            right = [each for each in running if self._is_right(each, spec.argv, spec.namespace)]
            right = [each for each in right if _has_config(each, spec, digest)]
            if pid := self._keep_one(running, right, what):
                return pid
            # haproxy does not make it, and no file of ours is ever written there.
            os.makedirs(os.path.dirname(spec.pid_path), mode=0o755, exist_ok=True)
            try:
                start_daemon(
                    spec.argv,
                    namespaces=self._namespaces,
                    namespace=spec.namespace,
                    environment={"PROCESS_TAG": spec.process_tag, _CONFIG_MARK: digest},
                    what=what,
                    package="haproxy",
                    seconds=self._start_seconds,
                )
                return _main(self._proxies(spec.proxy_id, spec.namespace), what)
            except AdapterError:
                self._stop(self._proxies(spec.proxy_id, spec.namespace), what)
                raise

    def stop_proxy(self, network_id: str, proxy_id: str) -> None:
        """Stop it and wait for the end."""
        with _errors(f"haproxy of {proxy_id}") as what:
            self._stop(self._proxies(proxy_id, f"qdhcp-{network_id}"), what)

    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        """Release each from inside the namespace; returns when the leases file has none of them."""
        with _errors(f"dnsmasq of {spec.key}") as what:
            if not leases:
                return
            running = [each.seen for each in self._table.instance(spec.key) if each.is_main]
            if not running:
                raise AdapterError(f"{what} does not run, so it cannot be told to release leases")
            release.release(spec, leases, process=running[0], namespaces=self._namespaces, what=what)

    def observe_processes(self) -> Sequence[ObservedProcess]:
        """Every live dnsmasq and haproxy whose command line shows our directories, whoever started it."""
        with _errors("looking for processes"):
            return self._table.observe()

    def _proxies(self, proxy_id: str, namespace: str) -> list[Found]:
        """Those of one id, but for what runs in a namespace of another kind: an L3 agent's, of a router of that id."""
        ours = []
        wanted = self._namespaces.identity(namespace)
        for each in self._table.proxy(proxy_id):
            there = namespace_of_process(each.seen.pid)
            names = self._namespaces.names().get(there, ()) if there is not None and there != wanted else ()
            if not names or any(name.startswith("qdhcp-") for name in names):
                ours.append(each)
        return ours

    def _is_right(self, found: Found, argv: Sequence[str], namespace: str) -> bool:
        return (
            found.is_main
            and [each for each in found.seen.argv if each] == [each for each in argv if each]
            and (wanted := self._namespaces.identity(namespace)) is not None
            and namespace_of_process(found.seen.pid) == wanted
        )

    def _keep_one(self, running: Sequence[Found], right: Sequence[Found], what: str) -> int | None:
        """Its pid; whatever else there is of it goes, but for the children of the one that is kept."""
        if not right:
            self._stop(running, what)
            return None
        kept = right[0].seen.pid
        others = [each for each in running if each.seen.pid != kept and not _is_child(each, kept)]
        self._stop(others, what)
        return kept

    def _stop(self, found: Sequence[Found], what: str) -> None:
        asked = [each.seen for each in found if each.is_main]
        # A child for a TCP query has nothing to put in order, and ignores SIGTERM (src/dnsmasq.c, sig_handler).
        at_once = [each.seen for each in found if not each.is_main]
        stop(asked, at_once, what=what, patience=self._stop_seconds)

    def _namespace_name(self, pid: int, what: str) -> str:
        identity = namespace_of_process(pid)
        names = self._namespaces.names().get(identity) if identity is not None else None
        if not names:
            raise AdapterError(f"{what}: process {pid} runs in a namespace without a name; it has to be started again")
        return names[0]


@contextmanager
def _errors(what: str) -> Iterator[str]:
    """Lets nothing but `AdapterError` out; `what` is how errors begin."""
    try:
        yield what
    except OSError as error:
        raise AdapterError(
            f"{what}: {error}; is the agent root, and are there descriptors left (ulimit -n)?"
        ) from error
    except RuntimeError as error:
        if isinstance(error, AdapterError):
            raise
        raise AdapterError(f"{what}: {error}") from error  # no thread could be started


def _make_log_directory(argv: Sequence[str], what: str) -> None:
    """Of the file that the operator's dnsmasq_base_log_dir asks for: dnsmasq makes the file, not what it lies in."""
    for argument in argv:
        option, _, path = argument.partition("=")
        if option == "--log-facility" and path.startswith("/"):
            try:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            except OSError as error:
                hint = "correct dnsmasq_base_log_dir, or let the agent write there"
                raise AdapterError(f"{what}: the directory of its log cannot be made: {error}; {hint}") from error


def _main(found: Sequence[Found], what: str) -> int:
    """The pid of the one that serves."""
    for each in found:
        if each.is_main:
            return each.seen.pid
    raise AdapterError(f"{what} ended right after its start; look for its reason in the system's log")


def _is_child(found: Found, parent: int) -> bool:
    now = proc.status(found.seen.pid)
    return now is not None and now.parent == parent


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _has_config(found: Found, spec: MetadataProxySpec, digest: str) -> bool:
    """Whether a proxy runs on this configuration: another agent's does when the file says so, and did at its start."""
    mark = proc.environment(found.seen.pid, _CONFIG_MARK)
    if mark is not None:
        return mark == digest
    try:
        with opened_plain(spec.config_path) as descriptor:
            if descriptor is None:
                return False
            is_older = os.fstat(descriptor).st_mtime <= proc.wall_time_of(found.seen.started) + _TICK
            config = spec.config.encode("utf-8", "surrogateescape")
            return is_older and os.read(descriptor, len(config) + 1) == config
    except OSError:
        return False
