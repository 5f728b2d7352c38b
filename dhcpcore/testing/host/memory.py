"""One network host in memory: disk, namespaces, devices, processes; what adapters act on and observers look at.

The adapters beside this module (`MemoryFileStore`, `MemoryNamespaceControl`, `MemoryProcessControl`) keep nothing
themselves, so a restarted agent gets new ones and meets the host as it was left.  Everything here is done past them: by
clients, by operators, by bad luck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from dhcpcore.contracts import Clock
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import InstanceKey, Route
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.faults import Faults
from dhcpcore.testing.host import dnsmasq
from dhcpcore.testing.host.disk import DiskError, MemoryDisk
from dhcpcore.testing.host.kernel import Device, KernelError, Namespace, Process, canonical_address

#: What `MemoryHost.counts` counts, each by subject.
START: Final = "start"  # a dnsmasq or haproxy came up; subject: its owner (instance directory, proxy id)
STOP: Final = "stop"  # one was stopped; likewise
SIGNAL: Final = "signal"  # SIGHUP; subject: the instance's directory
WRITE: Final = "write"  # a file was written or removed; subject: its path
DEVICE: Final = "device"  # something about a device changed; subject: ``namespace/device``
RELEASE: Final = "release"  # a lease was released; subject: the instance's directory
QUERY: Final = "query"  # an address was answered to a client; likewise


class MemoryHost:
    """The host. See the module's docstring.

    Attributes:
        disk, namespaces (by name), processes (by pid): what is there now.
        counts: (what, subject) to how often an adapter or process did it; see the constants of this module.
        faults: where adapter calls may fail: operations ``files.*``, ``netns.*``, ``process.*``.
        dnsmasq_version: of the installed dnsmasq; None: there is none.
        dangling: names in /run/netns that lead nowhere; they must be removed before a namespace can have the name.
        dad_conflicts: IPv6 addresses (without length) that another host has.
        lost_releases: how many of the next lease releases get lost on their way.
        spawn_fault: why no process can be started now (``ENOMEM`` ...), None when it can.
        on_deed: told of everything that is counted: what, its subject, and the process it was done to, if to one.
        on_release: told of the process and the address whose lease is about to be released.
        on_end: told of each process that has ended, whoever ended it.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        faults: Faults | None = None,
        *,
        dhcp_confs: str = "/var/lib/neutron/dhcp",
        dnsmasq_version: tuple[int, int] | None = (2, 90),
    ) -> None:
        self.clock: Clock = MemoryClock() if clock is None else clock
        self.faults = Faults() if faults is None else faults
        self.dhcp_confs = dhcp_confs
        self.dnsmasq_version = dnsmasq_version
        #: How often another dnsmasq was installed: a file of the same version is another file all the same.
        self.installed = 0
        self.disk = MemoryDisk()
        self.namespaces: dict[str, Namespace] = {}
        self.dangling: set[str] = set()
        self.processes: dict[int, Process] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.dad_conflicts: set[str] = set()
        self.lost_releases = 0
        self.spawn_fault: str | None = None
        self.on_deed: Callable[[str, str, Process | None], None] | None = None
        self.on_release: Callable[[Process, str], None] | None = None
        self.on_end: Callable[[Process], None] | None = None
        self._last_pid = 1000
        self._started = 0

    def did(self, what: str, subject: str, process: Process | None = None) -> None:
        """Count one deed of an adapter or process."""
        self.counts[what, subject] += 1
        if self.on_deed is not None:
            self.on_deed(what, subject, process)

    # -- looking ------------------------------------------------------------------------------------------------------

    def owner(self, process: Process) -> str | None:
        """Whose process it is, told from its command line: an instance's directory, a proxy's id, or nobody's."""
        if process.owner is None:
            process.owner = (self._owner(process),)
        return process.owner[0]

    def _owner(self, process: Process) -> str | None:
        if process.program == "dnsmasq":
            path = process.option("dhcp-hostsfile") or ""
            prefix = self.dhcp_confs.rstrip("/") + "/"
            return path[len(prefix) :].rpartition("/")[0] if path.startswith(prefix) else None
        configs = [argument for argument in process.argv if argument.endswith(".conf")]
        return configs[0].rpartition("/")[2].removesuffix(".conf") if configs else None

    def living(self, program: str, owner: str) -> list[Process]:
        """The live processes of one instance or proxy, by pid."""
        return [
            process
            for _, process in sorted(self.processes.items())
            if process.program == program and not process.zombie and self.owner(process) == owner
        ]

    def dnsmasqs(self, key: InstanceKey) -> list[Process]:
        """The live dnsmasq processes of one instance."""
        return self.living("dnsmasq", key.directory)

    def namespace_of(self, process: Process) -> str | None:
        """The name of the namespace a process runs in, None where it has none any more."""
        return next((name for name, found in self.namespaces.items() if found is process.namespace), None)

    def answer(self, key: InstanceKey, mac_address: str) -> tuple[str, ...]:
        """The addresses that a client with this MAC would get now, from what dnsmasq has *loaded*; none for a stranger.

        Nor one of which another client has a lease (src/rfc2131.c, "not using configured address"; src/rfc3315.c,
        check_address); its DUID is made of its MAC address.  Asking leaves a mark, as a served client does (see
        `dnsmasq_version`).
        """
        for process in self.dnsmasqs(key):
            if process.stopped:
                return ()
            mac = mac_address.lower()
            reserved = dnsmasq.reservations(process.loaded.get("host", "")).get(mac, ())
            leases = process.leases
            addresses = tuple(each for each in reserved if each not in leases or dnsmasq.holder(leases[each]) == mac)
            if addresses:
                process.served.add(mac)
                self.counts[QUERY, key.directory] += 1
            return addresses
        return ()

    def count(self, what: str, subject: str | None = None) -> int:
        """How often something was done, to one subject or to all."""
        if subject is not None:
            return self.counts[what, subject]
        return sum(number for (kind, _), number in self.counts.items() if kind == what)

    # -- clients ------------------------------------------------------------------------------------------------------

    def lease(self, key: InstanceKey, lease: Lease) -> None:
        """A client took a lease from a live instance."""
        identity = lease.mac_address or f"{'T' if lease.temporary else ''}{lease.iaid}"
        for process in self.dnsmasqs(key):
            process.leases[lease.ip_address] = (
                f"{lease.expiry} {identity} {lease.ip_address} {lease.hostname or '*'} {lease.client_id or '*'}"
            )
            if lease.mac_address:
                process.served.add(lease.mac_address.lower())
            dnsmasq.write_leases(process)

    def leases(self, key: InstanceKey) -> dict[str, str]:
        """Address to line, of the leases that a live instance holds in memory."""
        return {address: line for process in self.dnsmasqs(key) for address, line in process.leases.items()}

    def install_dnsmasq(self, version: tuple[int, int]) -> None:
        """Another dnsmasq takes the place of the installed one; processes go on with theirs."""
        self.dnsmasq_version = version
        self.installed += 1

    # -- processes ----------------------------------------------------------------------------------------------------

    def spawn(
        self, program: str, argv: Iterable[str], namespace: str, environment: dict[str, str] | None = None
    ) -> Process:
        """Start a process past every adapter (a stock agent's, say).

        Raises:
            KernelError: it cannot run.
        """
        if self.spawn_fault is not None:
            raise KernelError(f"{self.spawn_fault}: cannot start {program}")
        if program == "dnsmasq" and self.dnsmasq_version is None:
            raise KernelError("ENOENT: dnsmasq is not installed")
        if namespace not in self.namespaces:
            raise KernelError(f"ENOENT: no namespace {namespace}")
        self._last_pid += 1
        self._started += 1
        process = Process(
            pid=self._last_pid,
            program=program,
            argv=tuple(argv),
            namespace=self.namespaces[namespace],
            environment=dict(environment or {}),
            started=f"mark-{self._started}",
            version=self.dnsmasq_version if program == "dnsmasq" else None,
            installed=self.installed,
        )
        try:
            if program == "dnsmasq":
                dnsmasq.open_leases(process, self.disk)
                dnsmasq.load(process, self.disk)
            else:
                self._load_config(process)
            if pid_file := process.option("pid-file"):
                self.disk.poke(pid_file, f"{process.pid}\n".encode())
        except DiskError as error:
            raise KernelError(f"exit 3: {error}") from None
        self.processes[process.pid] = process
        self.did(START, self.owner(process) or "", process)
        return process

    def _load_config(self, process: Process) -> None:
        configs = [argument for argument in process.argv if argument.endswith(".conf")]
        data = self.disk.peek(configs[0]) if configs else None
        if data is None:
            raise KernelError("exit 1: haproxy cannot open its configuration file")
        process.loaded["config"] = data.decode("utf-8", "surrogateescape")

    def kill(self, pid: int, *, zombie: bool = False) -> None:
        """End a process at once; as a zombie it keeps its pid.  Its pid file stays."""
        process = self.processes[pid]
        if zombie:
            process.zombie = True
        else:
            del self.processes[pid]
        if self.on_end is not None:
            self.on_end(process)

    def hang_up(self, pid: int) -> bool:
        """SIGHUP; whether a dnsmasq survived it. One that is stopped hears nothing."""
        process = self.processes[pid]
        self.did(SIGNAL, self.owner(process) or "", process)
        if process.stopped:
            return True
        if dnsmasq.dies_at_sighup(process, process.version or (0, 0)):
            self.kill(pid)
            return False
        dnsmasq.load(process, self.disk)
        return True

    def reuse_pid(self, pid: int) -> None:
        """The next process gets `pid`, as after the pids have gone round."""
        self._last_pid = pid - 1

    # -- namespaces and devices ---------------------------------------------------------------------------------------

    def device(self, namespace: str, name: str) -> Device | None:
        """A device, None where there is none."""
        found = self.namespaces.get(namespace)
        return found.devices.get(name) if found is not None else None

    def plug(self, namespace: str, device: Device) -> None:
        """Put a device into a namespace, made where missing."""
        self.namespaces.setdefault(namespace, Namespace()).devices[device.name] = device

    def create_namespace(self, namespace: str) -> None:
        """``ip netns add``; one that is there stays."""
        self.namespaces.setdefault(namespace, Namespace())

    def delete_namespace(self, namespace: str) -> None:
        """``ip netns delete``: the name goes; processes in it live on, in a namespace without a name."""
        self.namespaces.pop(namespace, None)

    def set_addresses(self, namespace: str, device: str, addresses: Iterable[str]) -> None:
        """Replace a device's addresses; routes through addresses that went go with them."""
        found = self._device(namespace, device)
        found.addresses = [canonical_address(address) for address in addresses]
        routes, found.routes = found.routes, []
        for route in routes:
            try:
                found.add_route(route)
            except KernelError:
                continue

    def set_routes(self, namespace: str, device: str, routes: Iterable[Route]) -> None:
        """Replace a device's default routes."""
        self._device(namespace, device).routes = list(routes)

    def set_link(self, namespace: str, device: str, *, up: bool) -> None:
        """Take a device up or down; down, its routes go."""
        found = self._device(namespace, device)
        found.up = up
        if not up:
            found.routes = []

    def _device(self, namespace: str, name: str) -> Device:
        found = self.device(namespace, name)
        if found is None:
            raise KeyError(f"{namespace}/{name}")
        return found

    # -- catastrophes -------------------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """Power was off: processes, namespaces and devices are gone, files stay."""
        self.processes.clear()
        self.namespaces.clear()
        self.dangling.clear()
