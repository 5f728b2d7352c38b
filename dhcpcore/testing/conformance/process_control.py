"""The laws of `dhcpcore.contracts.ProcessControl`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from attrs import evolve

from dhcpcore.contracts import ProcessControl
from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.observed import ObservedProcess
from dhcpcore.testing.conformance.suite import (
    Unsupported,
    adapter_error,
    ensure,
    ensure_equal,
    no_error,
)

MAC: Final = "fa:16:3e:00:00:05"
OTHER_MAC: Final = "fa:16:3e:00:00:06"


class ProcessControlWorld(ABC):
    """Processes, and a way to them past the adapter.

    Attributes:
        processes: the adapter.
    """

    processes: ProcessControl

    @abstractmethod
    def instance(self, number: int) -> InstanceSpec:
        """An instance that can be started at once: its namespace, device, directory and files are there.

        Each number is a network of its own with 10.77.<number>.0/24, whose hosts file reserves 10.77.<number>.5 for
        `MAC`.  Asked for the same number again, the same.
        """

    @abstractmethod
    def segment(self, number: int, segmentation: str) -> InstanceSpec:
        """The same for one segment of that network."""

    @abstractmethod
    def proxy(self, number: int) -> MetadataProxySpec:
        """A metadata proxy that can be started at once: its configuration file and namespace are there."""

    @abstractmethod
    def pids(self, key: InstanceKey) -> Collection[int]:
        """Pids of the live dnsmasq processes of an instance, zombies not among them."""

    @abstractmethod
    def proxy_pids(self, proxy_id: str) -> Collection[int]:
        """Pids of the live haproxy processes of a proxy."""

    @abstractmethod
    def argv(self, pid: int) -> Sequence[str]:
        """A live process's command line."""

    @abstractmethod
    def namespace(self, pid: int) -> str | None:
        """Name of the namespace a live process runs in; None where it has no name."""

    @abstractmethod
    def answer(self, key: InstanceKey, mac_address: str) -> Sequence[str]:
        """The addresses that a client with this MAC is offered now; none when nobody answers."""

    @abstractmethod
    def write_hosts(self, spec: InstanceSpec, hosts: Mapping[str, str]) -> None:
        """Put MAC address to address into the instance's hosts file on the disk."""

    @abstractmethod
    def take_lease(self, spec: InstanceSpec, mac_address: str) -> Lease:
        """Let a client with a reservation take a lease from the running instance; returns it."""

    @abstractmethod
    def leases(self, key: InstanceKey) -> Collection[str]:
        """Addresses in the running instance's leases file."""

    @abstractmethod
    def kill(self, pid: int) -> None:
        """SIGKILL, and wait for the end."""

    @abstractmethod
    def start_foreign(self, spec: InstanceSpec) -> int:
        """Start the instance past the adapter, as a stock agent has left it; returns its pid."""

    @abstractmethod
    def refused(self, spec: InstanceSpec) -> InstanceSpec:
        """The same instance in a way in which its program ends at once with an error."""

    @abstractmethod
    def reopen(self) -> ProcessControl:
        """A new adapter for the same host, as after a restart of the agent."""

    def change_config(self, spec: MetadataProxySpec) -> MetadataProxySpec:
        """The same proxy with another configuration text, which is on the disk too."""
        raise Unsupported("this world cannot change a proxy's configuration")

    def replace_namespace(self, spec: InstanceSpec) -> None:
        """Delete the instance's namespace and make it anew, with its device."""
        raise Unsupported("this world cannot replace a namespace")

    def environment(self, pid: int) -> Mapping[str, str]:
        """A live process's environment."""
        raise Unsupported("this world cannot read environments")

    def lose_releases(self, number: int) -> None:
        """Lose the next packets that release leases (Launchpad 1764481)."""
        raise Unsupported("this world cannot lose packets")

    def make_zombie(self, pid: int) -> None:
        """Kill a process and leave it unreaped."""
        raise Unsupported("this world cannot make zombies")


def _ensure_one(world: ProcessControlWorld, spec: InstanceSpec, pid: int, when: str) -> None:
    ensure_equal(sorted(world.pids(spec.key)), [pid], f"{when}: exactly the process told lives")
    ensure_equal(
        [argument for argument in world.argv(pid) if argument],
        [argument for argument in spec.argv if argument],
        f"{when}: its command line",
    )
    ensure_equal(world.namespace(pid), spec.device.namespace, f"{when}: its namespace")


def _observed(control: ProcessControl, owner: str) -> list[ObservedProcess]:
    return [seen for seen in control.observe_processes() if seen.owner == owner]


class ProcessControlConformance:
    """Held against a `ProcessControlWorld`."""

    def test_fulfils_the_contract(self, world: ProcessControlWorld) -> None:
        """The adapter has the contract's methods."""
        ensure(isinstance(world.processes, ProcessControl), "the adapter is a ProcessControl")

    def test_starts(self, world: ProcessControlWorld) -> None:
        """A started dnsmasq lives in its namespace with its command line, and serves when start_dnsmasq returns."""
        spec = world.instance(1)
        pid = world.processes.start_dnsmasq(spec)
        ensure_equal(tuple(world.answer(spec.key, MAC)), ("10.77.1.5",), "it serves when start_dnsmasq() returns")
        _ensure_one(world, spec, pid, "started")

    def test_marks_its_process(self, world: ProcessControlWorld) -> None:
        """The process carries PROCESS_TAG in its environment: the stock agent finds its processes by it."""
        spec = world.instance(1)
        pid = world.processes.start_dnsmasq(spec)
        ensure_equal(world.environment(pid).get("PROCESS_TAG"), spec.process_tag, "PROCESS_TAG")

    def test_leaves_a_right_one_alone(self, world: ProcessControlWorld) -> None:
        """One that runs with the same command line, empty arguments aside, is left alone, whoever started it."""
        spec = world.instance(1)
        pid = world.start_foreign(spec)
        for control in (world.processes, world.reopen()):
            ensure_equal(control.start_dnsmasq(spec), pid, "start_dnsmasq() of a running one answers its pid")
        again = world.processes.start_dnsmasq(evolve(spec, argv=(*spec.argv, "")))
        ensure_equal(again, pid, "an empty argument makes no difference")
        _ensure_one(world, spec, pid, "left alone")

    def test_replaces_a_wrong_one(self, world: ProcessControlWorld) -> None:
        """One that runs with another command line is replaced: never two processes for an instance."""
        spec = world.instance(1)
        old = world.processes.start_dnsmasq(spec)
        changed = evolve(spec, argv=(*spec.argv, "--log-dhcp"))
        pid = world.processes.start_dnsmasq(changed)
        ensure(pid != old, "another process runs", old=old, new=pid)
        _ensure_one(world, changed, pid, "replaced")

    def test_starts_after_a_death(self, world: ProcessControlWorld) -> None:
        """After its process was killed, an instance can be started anew; its old pid file is in nobody's way."""
        spec = world.instance(1)
        old = world.processes.start_dnsmasq(spec)
        world.kill(old)
        ensure_equal(_observed(world.processes, spec.key.directory), [], "a dead process is not observed")
        pid = world.processes.start_dnsmasq(spec)
        _ensure_one(world, spec, pid, "started after a death")

    def test_a_zombie_is_not_alive(self, world: ProcessControlWorld) -> None:
        """A zombie serves nobody: it is not observed, and the instance is started anew."""
        spec = world.instance(1)
        old = world.processes.start_dnsmasq(spec)
        world.make_zombie(old)
        ensure_equal(_observed(world.processes, spec.key.directory), [], "a zombie is not observed")
        _ensure_one(world, spec, world.processes.start_dnsmasq(spec), "started beside a zombie")

    def test_follows_its_namespace(self, world: ProcessControlWorld) -> None:
        """One that runs in a namespace that has lost its name serves nobody: it is replaced."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        world.replace_namespace(spec)
        pid = world.processes.start_dnsmasq(spec)
        _ensure_one(world, spec, pid, "after its namespace was replaced")

    def test_a_start_that_fails(self, world: ProcessControlWorld) -> None:
        """When dnsmasq refuses its files or options: AdapterError that says why, no process left, later it works."""
        spec = world.instance(1)
        with adapter_error("starting what dnsmasq refuses"):
            world.processes.start_dnsmasq(world.refused(spec))
        ensure_equal(list(world.pids(spec.key)), [], "no process is left")
        fine = world.instance(2)
        _ensure_one(world, fine, world.processes.start_dnsmasq(fine), "another instance, after a failure")

    def test_stops(self, world: ProcessControlWorld) -> None:
        """A stopped instance has no process when stop_dnsmasq returns; none running is fine."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        with no_error("stop_dnsmasq(), also of what does not run"):
            world.processes.stop_dnsmasq(spec.key)
            ensure_equal(list(world.pids(spec.key)), [], "no process is left when stop_dnsmasq() returns")
            world.processes.stop_dnsmasq(spec.key)
            world.processes.stop_dnsmasq(InstanceKey(network_id="no-such-network"))
        ensure_equal(tuple(world.answer(spec.key, MAC)), (), "nobody answers any more")

    def test_a_new_adapter_stops_what_an_old_one_started(self, world: ProcessControlWorld) -> None:
        """Stopping needs no memory of having started it."""
        spec, foreign = world.instance(1), world.instance(2)
        world.processes.start_dnsmasq(spec)
        world.start_foreign(foreign)
        fresh = world.reopen()
        for each in (spec, foreign):
            fresh.stop_dnsmasq(each.key)
            ensure_equal(list(world.pids(each.key)), [], "the process is gone")

    def test_instances_are_independent(self, world: ProcessControlWorld) -> None:
        """Stopping, starting and reloading one leaves the others' processes alone: segments of one network, too."""
        specs = [world.instance(1), world.segment(2, "None"), world.segment(2, "7"), world.instance(3)]
        pids = [world.processes.start_dnsmasq(spec) for spec in specs]
        ensure_equal(len(set(pids)), len(pids), "each instance has a process of its own")
        world.processes.stop_dnsmasq(InstanceKey(network_id=specs[1].key.network_id))
        ensure_equal(sorted(world.pids(specs[1].key)), [pids[1]], "a flat segment is not the network without segments")
        world.processes.reload_dnsmasq(specs[1].key)
        world.processes.stop_dnsmasq(specs[1].key)
        for spec, pid in zip(specs, pids, strict=True):
            expected = [] if spec is specs[1] else [pid]
            ensure_equal(sorted(world.pids(spec.key)), expected, f"processes of {spec.key}")

    def test_reload_is_a_barrier(self, world: ProcessControlWorld) -> None:
        """Files on the disk change nothing; when reload_dnsmasq returns, the new ones are in effect."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        world.write_hosts(spec, {OTHER_MAC: "10.77.1.6"})
        world.processes.reload_dnsmasq(spec.key)
        ensure_equal(tuple(world.answer(spec.key, OTHER_MAC)), ("10.77.1.6",), "the new host is served at once")
        ensure_equal(tuple(world.answer(spec.key, MAC)), (), "the old host is served no longer")
        pids = world.pids(spec.key)
        ensure(len(pids) == 1, "one process serves after a reload", pids=sorted(pids))

    def test_reload_keeps_leases(self, world: ProcessControlWorld) -> None:
        """A reload takes no lease from anybody."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        lease = world.take_lease(spec, MAC)
        world.write_hosts(spec, {MAC: lease.ip_address, OTHER_MAC: "10.77.1.6"})
        try:
            world.processes.reload_dnsmasq(spec.key)
        except AdapterError:
            # dnsmasq before 2.91 dies of SIGHUP after it has served; what it wrote must be there for the next one.
            world.processes.start_dnsmasq(spec)
        ensure(lease.ip_address in world.leases(spec.key), "the lease is kept", leases=sorted(world.leases(spec.key)))

    def test_reload_of_none_is_no_success(self, world: ProcessControlWorld) -> None:
        """A reload where none runs is an AdapterError: nobody may believe that the files are in effect."""
        spec = world.instance(1)
        with adapter_error("reload_dnsmasq() where none runs"):
            world.processes.reload_dnsmasq(spec.key)

    def test_releases_the_leases_told(self, world: ProcessControlWorld) -> None:
        """Released leases are gone when release_leases returns, others stay; unknown ones are fine."""
        spec = world.instance(1)
        world.write_hosts(spec, {MAC: "10.77.1.5", OTHER_MAC: "10.77.1.6"})
        world.processes.start_dnsmasq(spec)
        first, second = world.take_lease(spec, MAC), world.take_lease(spec, OTHER_MAC)
        unknown = evolve(first, ip_address="10.77.1.99")
        with no_error("release_leases(), also of unknown ones and of none"):
            world.processes.release_leases(spec, [])
            world.processes.release_leases(spec, [unknown, first])
            world.processes.release_leases(spec, [first])
        ensure_equal(sorted(world.leases(spec.key)), [second.ip_address], "leases that are left")

    def test_releases_nobody_elses_lease(self, world: ProcessControlWorld) -> None:
        """A release names client and address: the lease of another client on that address stays."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        lease = world.take_lease(spec, MAC)
        world.processes.release_leases(spec, [evolve(lease, mac_address=OTHER_MAC, client_id=None)])
        ensure(lease.ip_address in world.leases(spec.key), "the other client's lease stays")

    def test_a_lost_release_is_not_forgotten(self, world: ProcessControlWorld) -> None:
        """A release is one packet that may be lost: it is sent again, or the call fails."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        lease = world.take_lease(spec, MAC)
        world.lose_releases(1)
        try:
            world.processes.release_leases(spec, [lease])
        except AdapterError:
            return
        ensure_equal(list(world.leases(spec.key)), [], "the lease is gone when release_leases() returns")

    def test_starts_and_stops_a_proxy(self, world: ProcessControlWorld) -> None:
        """A proxy lives in its namespace after start_proxy, once; a right one is left alone; stop_proxy ends it."""
        spec = world.proxy(1)
        pid = world.processes.start_proxy(spec)
        ensure_equal(world.namespace(pid), spec.namespace, "the proxy's namespace")
        ensure_equal(world.reopen().start_proxy(spec), pid, "start_proxy() of a running one answers its pid")
        ensure_equal(sorted(world.proxy_pids(spec.proxy_id)), [pid], "one proxy runs")
        with no_error("stop_proxy(), also of what does not run"):
            for control in (world.processes, world.reopen()):
                control.stop_proxy(spec.network_id, spec.proxy_id)
            world.processes.stop_proxy("no-such-network", "no-such-proxy")
        ensure_equal(list(world.proxy_pids(spec.proxy_id)), [], "no proxy is left")

    def test_replaces_a_proxy_whose_configuration_differs(self, world: ProcessControlWorld) -> None:
        """A configuration is read once, at the start: with another one it is another process."""
        spec = world.proxy(1)
        old = world.processes.start_proxy(spec)
        changed = world.change_config(spec)
        pid = world.processes.start_proxy(changed)
        ensure(pid != old, "another process runs", old=old, new=pid)
        ensure_equal(sorted(world.proxy_pids(spec.proxy_id)), [pid], "one proxy runs")

    def test_stopping_a_proxy_leaves_others_alone(self, world: ProcessControlWorld) -> None:
        """A proxy is stopped by its own id; dnsmasq of the same network and other proxies stay."""
        first, second, instance = world.proxy(1), world.proxy(2), world.instance(1)
        world.processes.start_proxy(first)
        kept = world.processes.start_proxy(second)
        dnsmasq = world.processes.start_dnsmasq(instance)
        world.processes.stop_proxy(first.network_id, first.proxy_id)
        ensure_equal(sorted(world.proxy_pids(second.proxy_id)), [kept], "the other proxy lives")
        ensure_equal(sorted(world.pids(instance.key)), [dnsmasq], "dnsmasq lives")

    def test_observes_what_runs(self, world: ProcessControlWorld) -> None:
        """Every live dnsmasq and haproxy is told of, whoever started it: pid, command line, owner, namespace."""
        spec, foreign, proxy = world.instance(1), world.segment(2, "None"), world.proxy(1)
        pids = {
            spec.key.directory: world.processes.start_dnsmasq(spec),
            foreign.key.directory: world.start_foreign(foreign),
        }
        proxy_pid = world.processes.start_proxy(proxy)
        control = world.reopen()
        for each in (spec, foreign):
            owner = each.key.directory
            seen = [one for one in _observed(control, owner) if one.program == "dnsmasq"]
            ensure_equal([one.pid for one in seen], [pids[owner]], f"dnsmasq of {owner} is observed once")
            ensure_equal(tuple(filter(None, seen[0].argv)), tuple(filter(None, each.argv)), "observed command line")
            ensure_equal(seen[0].namespace, each.device.namespace, "observed namespace")
        proxies = [one for one in _observed(control, proxy.proxy_id) if one.program == "haproxy"]
        ensure_equal([one.pid for one in proxies], [proxy_pid], "haproxy is observed once")
        world.kill(pids[spec.key.directory])
        left = [one.pid for one in control.observe_processes()]
        ensure(pids[spec.key.directory] not in left, "a killed process is not observed", observed=left)

    def test_tells_processes_apart(self, world: ProcessControlWorld) -> None:
        """Two processes of one instance have different marks, even if they had the same pid."""
        spec = world.instance(1)
        world.processes.start_dnsmasq(spec)
        before = [seen.started for seen in _observed(world.processes, spec.key.directory)]
        again = [seen.started for seen in _observed(world.reopen(), spec.key.directory)]
        ensure_equal(again, before, "one process keeps its mark")
        world.processes.stop_dnsmasq(spec.key)
        world.processes.start_dnsmasq(spec)
        after = [seen.started for seen in _observed(world.processes, spec.key.directory)]
        ensure(before != after and len(after) == 1, "another process has another mark", before=before, after=after)
