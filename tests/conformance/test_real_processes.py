"""Real dnsmasq and haproxy in real namespaces, held against the laws of the contract."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from attrs import evolve

from dhcpcore import InstanceKey, InstanceSpec, Lease, MetadataProxySpec
from dhcpcore.contracts import ProcessControl
from dhcpcore.testing.conformance import ProcessControlConformance, ProcessControlWorld, Unsupported
from dhcpcore.testing.conformance.process_control import MAC
from dhcpcore_adapters.process import LinuxProcessControl
from support import host as hosts
from support.namespace import found
from support.real_instances import Host


class RealWorld(ProcessControlWorld):
    def __init__(self, folder: Path) -> None:
        self.host = Host(folder)
        self.processes = self.reopen()

    def reopen(self) -> ProcessControl:
        return LinuxProcessControl(dhcp_confs=self.host.dhcp_confs, proxy_config_dir=self.host.proxy_config_dir)

    def instance(self, number: int) -> InstanceSpec:
        return self._with_host(self.host.instance(number), number)

    def segment(self, number: int, segmentation: str) -> InstanceSpec:
        return self._with_host(self.host.instance(number, segmentation), number)

    def _with_host(self, spec: InstanceSpec, number: int) -> InstanceSpec:
        if not Path(spec.directory, "host").exists():
            self.host.write_hosts(spec, {MAC: f"10.77.{number}.5"})
        return spec

    def proxy(self, number: int) -> MetadataProxySpec:
        return self.host.proxy(number)

    def change_config(self, spec: MetadataProxySpec) -> MetadataProxySpec:
        return self.host.change_config(spec)

    def pids(self, key: InstanceKey) -> Collection[int]:
        return self.host.pids(key)

    def proxy_pids(self, proxy_id: str) -> Collection[int]:
        return self.host.proxy_pids(proxy_id)

    def argv(self, pid: int) -> Sequence[str]:
        return Path(f"/proc/{pid}/cmdline").read_text().removesuffix("\0").split("\0")

    def environment(self, pid: int) -> Mapping[str, str]:
        pairs = Path(f"/proc/{pid}/environ").read_text().removesuffix("\0").split("\0")
        return dict(pair.split("=", 1) for pair in pairs)

    def namespace(self, pid: int) -> str | None:
        inside = os.stat(f"/proc/{pid}/ns/net").st_ino
        return next((name for name in os.listdir("/run/netns") if os.stat(f"/run/netns/{name}").st_ino == inside), None)

    def answer(self, key: InstanceKey, mac_address: str) -> Sequence[str]:
        number = int(key.network_id.removeprefix("net-"))
        address = self.host.answer(self.host.instance(number, key.segmentation), mac_address)
        return [] if address is None else [address]

    def write_hosts(self, spec: InstanceSpec, hosts: Mapping[str, str]) -> None:
        self.host.write_hosts(spec, hosts)

    def take_lease(self, spec: InstanceSpec, mac_address: str) -> Lease:
        return self.host.take_lease(spec, mac_address, b"\1" + bytes.fromhex(mac_address.replace(":", "")))

    def leases(self, key: InstanceKey) -> Collection[str]:
        return [lease.ip_address for lease in self.host.leases(key)]

    def kill(self, pid: int) -> None:
        self.host.kill(pid)

    def make_zombie(self, pid: int) -> None:
        self.host.kill(pid, reap=False)

    def start_foreign(self, spec: InstanceSpec) -> int:
        return self.host.start(spec)

    def refused(self, spec: InstanceSpec) -> InstanceSpec:
        return evolve(spec, argv=(*spec.argv, "--dhcp-range=10.77.1.0,static,no-such-netmask"))

    def replace_namespace(self, spec: InstanceSpec) -> None:
        self.host.replace_namespace(spec)

    def lose_releases(self, number: int) -> None:
        namespace = "qdhcp-net-1"
        rules = f"""
            add table inet lose
            add chain inet lose in {{ type filter hook input priority 0; }}
            add rule inet lose in iif lo udp dport 67 limit rate {number}/day burst {number} packets drop
        """
        program = found("nft")
        if program is None:
            raise Unsupported("there is no nft here: apt-get install nftables")
        command = [found("ip") or "ip", "netns", "exec", namespace, program, "-f", "-"]
        ran = subprocess.run(command, input=rules, capture_output=True, text=True, timeout=20)
        if ran.returncode != 0:
            raise Unsupported(f"this kernel cannot drop packets: {ran.stderr.splitlines()[:1]}")


if hosts.inside():

    class TestLinuxProcessControl(ProcessControlConformance):
        @pytest.fixture
        def world(self, tmp_path: Path) -> Iterator[RealWorld]:
            try:
                yield RealWorld(tmp_path)
            finally:
                hosts.clear()

else:

    def test_all_laws_hold_on_a_host_of_its_own(tmp_path: Path) -> None:
        if reason := hosts.missing():
            pytest.skip(reason)
        hosts.run_inside(__file__, tmp_path)
