"""The process suite catches controls that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from conformance.breaking import assert_caught
from dhcpcore.contracts import ProcessControl
from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.observed import ObservedProcess
from dhcpcore.testing import MemoryHost, MemoryProcessControl
from dhcpcore.testing.conformance import MemoryProcessControlWorld, ProcessControlConformance
from dhcpcore.testing.host import dnsmasq


class Broken(MemoryProcessControl):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.host = host


class StartsWithoutStopping(Broken):
    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        return self.host.spawn("dnsmasq", spec.argv, spec.device.namespace).pid


class RestartsWhatIsRight(Broken):
    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        self.stop_dnsmasq(spec.key)
        return super().start_dnsmasq(spec)


class ComparesEmptyArguments(Broken):
    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        if any(process.argv != spec.argv for process in self.host.dnsmasqs(spec.key)):
            self.stop_dnsmasq(spec.key)
        return super().start_dnsmasq(spec)


class LooksAtTheInstanceOnly(Broken):
    """Takes any running process for the right one."""

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        running = self.host.dnsmasqs(spec.key)
        return running[0].pid if running else super().start_dnsmasq(spec)


class BelievesThePidFile(Broken):
    """A pid file is proof of life to it."""

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        data = self.host.disk.peek(f"{spec.directory}/pid")
        return super().start_dnsmasq(spec) if data is None else int(data)


class CountsZombies(Broken):
    def observe_processes(self) -> Sequence[ObservedProcess]:
        dead = [process for process in self.host.processes.values() if process.zombie]
        for process in dead:
            process.zombie = False
        seen = super().observe_processes()
        for process in dead:
            process.zombie = True
        return seen


class SignalsWithoutWaiting(Broken):
    """SIGHUP alone is no barrier: the files are loaded some time later."""

    def reload_dnsmasq(self, key: InstanceKey) -> None:
        if not self.host.dnsmasqs(key):
            raise AdapterError(f"dnsmasq of {key} is not running")


class ReloadsNothingInSilence(Broken):
    def reload_dnsmasq(self, key: InstanceKey) -> None:
        if self.host.dnsmasqs(key):
            super().reload_dnsmasq(key)


class ReloadLosesLeases(Broken):
    def reload_dnsmasq(self, key: InstanceKey) -> None:
        super().reload_dnsmasq(key)
        for process in self.host.dnsmasqs(key):
            process.leases.clear()
            dnsmasq.write_leases(process)


class StopsTheWholeNetwork(Broken):
    def stop_dnsmasq(self, key: InstanceKey) -> None:
        for process in list(self.host.processes.values()):
            if (self.host.owner(process) or "").rpartition("/")[2] == key.network_id:
                self.host.kill(process.pid)


class FlatIsNoSegment(Broken):
    """Takes the segment called None for no segment."""

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        super().stop_dnsmasq(key)
        if key.segmentation is None:
            super().stop_dnsmasq(evolve(key, segmentation="None"))


class RemembersWhatItStarted(Broken):
    def __init__(self, host: MemoryHost) -> None:
        super().__init__(host)
        self.started: set[InstanceKey] = set()

    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        self.started.add(spec.key)
        return super().start_dnsmasq(spec)

    def stop_dnsmasq(self, key: InstanceKey) -> None:
        if key in self.started:
            super().stop_dnsmasq(key)


class ReleasesEverything(Broken):
    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        for process in self.host.dnsmasqs(spec.key):
            process.leases.clear()
            dnsmasq.write_leases(process)


class ReleasesByAddress(Broken):
    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        for process in self.host.dnsmasqs(spec.key):
            for lease in leases:
                process.leases.pop(lease.ip_address, None)
            dnsmasq.write_leases(process)


class SendsOneReleaseAndHopes(Broken):
    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        if leases and self.host.lost_releases:
            self.host.lost_releases -= 1
            return
        super().release_leases(spec, leases)


class UnknownLeaseIsAnError(Broken):
    def release_leases(self, spec: InstanceSpec, leases: Sequence[Lease]) -> None:
        if any(lease.ip_address not in self.host.leases(spec.key) for lease in leases):
            raise AdapterError("no such lease")
        super().release_leases(spec, leases)


class KeepsAnOldProxy(Broken):
    def start_proxy(self, spec: MetadataProxySpec) -> int:
        running = self.host.living("haproxy", spec.proxy_id)
        return running[0].pid if running else super().start_proxy(spec)


class StopsTheProxyByNetwork(Broken):
    """Started under the router's id, stopped under the network's: it lives for ever (Launchpad 1526084)."""

    def stop_proxy(self, network_id: str, proxy_id: str) -> None:
        super().stop_proxy(network_id, network_id)


class LeaksKernelErrors(Broken):
    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        if not self.host.dnsmasqs(spec.key):
            self.host.spawn("dnsmasq", spec.argv, spec.device.namespace, {"PROCESS_TAG": spec.process_tag})
        return super().start_dnsmasq(spec)


class ObservesNoNamespace(Broken):
    def observe_processes(self) -> Sequence[ObservedProcess]:
        return [evolve(seen, namespace=None) for seen in super().observe_processes()]


class OneMarkForAll(Broken):
    def observe_processes(self) -> Sequence[ObservedProcess]:
        return [evolve(seen, started="always the same") for seen in super().observe_processes()]


class WithoutTag(Broken):
    def start_dnsmasq(self, spec: InstanceSpec) -> int:
        pid = super().start_dnsmasq(spec)
        self.host.processes[pid].environment.clear()
        return pid


@pytest.mark.parametrize(
    "broken, law",
    [
        (StartsWithoutStopping, "test_replaces_a_wrong_one"),
        (RestartsWhatIsRight, "test_leaves_a_right_one_alone"),
        (ComparesEmptyArguments, "test_leaves_a_right_one_alone"),
        (LooksAtTheInstanceOnly, "test_replaces_a_wrong_one"),
        (LooksAtTheInstanceOnly, "test_follows_its_namespace"),
        (BelievesThePidFile, "test_starts_after_a_death"),
        (CountsZombies, "test_a_zombie_is_not_alive"),
        (SignalsWithoutWaiting, "test_reload_is_a_barrier"),
        (ReloadsNothingInSilence, "test_reload_of_none_is_no_success"),
        (ReloadLosesLeases, "test_reload_keeps_leases"),
        (StopsTheWholeNetwork, "test_instances_are_independent"),
        (FlatIsNoSegment, "test_instances_are_independent"),
        (RemembersWhatItStarted, "test_a_new_adapter_stops_what_an_old_one_started"),
        (ReleasesEverything, "test_releases_the_leases_told"),
        (ReleasesByAddress, "test_releases_nobody_elses_lease"),
        (SendsOneReleaseAndHopes, "test_a_lost_release_is_not_forgotten"),
        (UnknownLeaseIsAnError, "test_releases_the_leases_told"),
        (KeepsAnOldProxy, "test_replaces_a_proxy_whose_configuration_differs"),
        (StopsTheProxyByNetwork, "test_starts_and_stops_a_proxy"),
        (LeaksKernelErrors, "test_a_start_that_fails"),
        (ObservesNoNamespace, "test_observes_what_runs"),
        (OneMarkForAll, "test_tells_processes_apart"),
        (WithoutTag, "test_marks_its_process"),
    ],
)
def test_is_caught(broken: Callable[[MemoryHost], ProcessControl], law: str) -> None:
    assert_caught(ProcessControlConformance, lambda: MemoryProcessControlWorld(broken), law)
