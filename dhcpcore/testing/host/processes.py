"""`dhcpcore.contracts.ProcessControl` over a `MemoryHost`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_interface

from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.observed import ObservedProcess
from dhcpcore.testing.host import dnsmasq
from dhcpcore.testing.host.disk import DiskError
from dhcpcore.testing.host.kernel import KernelError, Process
from dhcpcore.testing.host.memory import RELEASE, STOP, MemoryHost

#: How often a release is sent again before the adapter gives up (Launchpad 1764481: the packet may be lost).
_TRIES = 3


class MemoryProcessControl:
    """Starts, signals and stops the host's processes; knows them by their command lines only."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        """Start it; one that runs with the same command line in the same namespace is left alone."""
        owner = spec.key.directory
        with self._host.faults.call("process.start_dnsmasq", owner) as within:
            environment = {"PROCESS_TAG": spec.process_tag}
            return self._start("dnsmasq", owner, spec.argv, spec.device.namespace, environment, None, within)

    def reload_dnsmasq(self, key: InstanceKey) -> None:
        """SIGHUP; the simulated dnsmasq has loaded its files when this returns."""
        with self._host.faults.call("process.reload_dnsmasq", key.directory) as within:
            running = self._host.dnsmasqs(key)
            if not running:
                raise AdapterError(f"dnsmasq of {key} is not running")
            for process in running:
                if not self._host.hang_up(process.pid):
                    raise AdapterError(f"dnsmasq of {key} died at SIGHUP")
                if process.stopped:
                    raise AdapterError(f"dnsmasq of {key} did not read its files anew")
            within("waiting for the barrier")

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        """Stop it."""
        with self._host.faults.call("process.stop_dnsmasq", key.directory) as within:
            self._stop(self._host.dnsmasqs(key), key.directory, within)

    def start_proxy(self, spec: MetadataProxySpec) -> int:
        """Start it, or replace one whose configuration differs."""
        with self._host.faults.call("process.start_proxy", spec.proxy_id) as within:
            environment = {"PROCESS_TAG": spec.process_tag}
            pid = self._start("haproxy", spec.proxy_id, spec.argv, spec.namespace, environment, spec.config, within)
            try:
                self._host.disk.poke(spec.pid_path, f"{pid}\n".encode())
            except DiskError as error:
                raise AdapterError(f"haproxy of {spec.proxy_id}: {error}") from None
            return pid

    def stop_proxy(self, network_id: str, proxy_id: str) -> None:
        """Stop it."""
        with self._host.faults.call("process.stop_proxy", proxy_id) as within:
            self._stop(self._host.living("haproxy", proxy_id), proxy_id, within)

    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        """Send a release for each, until it is gone or has been sent several times."""
        owner = spec.key.directory
        with self._host.faults.call("process.release_leases", owner) as within:
            running = self._host.dnsmasqs(spec.key)
            if leases and not running:
                raise AdapterError(f"dnsmasq of {spec.key} is not running")
            for lease in leases:
                if lease.ip_version == 4 and not _is_near(lease.ip_address, spec):
                    why = f"{spec.device.name} has no address in the subnet of {lease.ip_address}"
                    raise AdapterError(f"dnsmasq of {spec.key} cannot be sent a release: {why}", retryable=False)
                for process in running:
                    self._release(process, owner, lease)
                within("releasing the next lease")

    def _release(self, process: Process, owner: str, lease: Lease) -> None:
        for _ in range(_TRIES):
            line = process.leases.get(lease.ip_address)
            if line is None or not _same_client(line, lease):
                return
            if process.stopped:
                continue
            if self._host.lost_releases:
                self._host.lost_releases -= 1
                continue
            if self._host.on_release is not None:
                self._host.on_release(process, lease.ip_address)
            del process.leases[lease.ip_address]
            dnsmasq.write_leases(process)
            self._host.did(RELEASE, owner, process)
            return
        raise AdapterError(f"lease of {lease.ip_address} could not be released")

    def observe_processes(self) -> Sequence[ObservedProcess]:
        """Every live dnsmasq and haproxy whose command line names one of our files."""
        with self._host.faults.call("process.observe_processes"):
            observed = []
            for _, process in sorted(self._host.processes.items()):
                owner = self._host.owner(process)
                if process.zombie or owner is None:
                    continue
                observed.append(
                    ObservedProcess(
                        program=process.program,
                        owner=owner,
                        pid=process.pid,
                        argv=process.argv,
                        namespace=self._host.namespace_of(process),
                        started=process.started,
                        replaced=process.program == "dnsmasq" and process.installed != self._host.installed,
                        stopped=process.stopped,
                    )
                )
            return observed

    def _start(
        self,
        program: str,
        owner: str,
        argv: tuple[str, ...],
        namespace: str,
        environment: dict[str, str],
        config: str | None,
        within: Callable[[str], None],
    ) -> int:
        host = self._host
        running = host.living(program, owner)
        right = [
            process
            for process in running
            if tuple(filter(None, process.argv)) == tuple(filter(None, argv))
            and host.namespace_of(process) == namespace
            and (config is None or process.loaded.get("config") == config)
        ]
        self._stop([process for process in running if process not in right[:1]], owner, within)
        if right:
            return right[0].pid
        try:
            pid = host.spawn(program, argv, namespace, environment).pid
        except KernelError as error:
            raise AdapterError(f"{program} of {owner}: {error}") from None
        within("waiting until it serves")
        return pid

    def _stop(self, running: Sequence[Process], owner: str, within: Callable[[str], None]) -> None:
        for process in running:
            self._host.kill(process.pid)
            self._host.did(STOP, owner, process)
            within("waiting for the end")


def _is_near(address: str, spec: InstanceSpec) -> bool:
    return any(IPv4Address(address) in own.network for own in map(ip_interface, spec.device.addresses))


def _same_client(line: str, lease: Lease) -> bool:
    """Whether a lease's line is the client's: same MAC, or same IAID and DUID (dnsmasq ignores other releases)."""
    identity, client_id = line.split()[1], line.split()[4]
    if lease.ip_version == 4:
        return lease.mac_address is not None and identity.lower() == lease.mac_address.lower()
    return identity.lstrip("T") == str(lease.iaid) and client_id == (lease.client_id or "*")
