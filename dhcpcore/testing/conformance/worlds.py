"""Worlds of the in-memory adapters: what the suites are first held against, and patterns for worlds of one's own.

Each takes a function that makes the adapter, so that a variation of an in-memory adapter meets the same world.
`MemoryServerWorld` is also what the author of a transport needs: the transport in front, a `MemoryServer` behind.
"""

# ruff: noqa: D102 - the methods are told of where the base classes declare them
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import evolve

from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, Reporter, ServerRpc
from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.testing.clock import BEGINNING, MemoryClock
from dhcpcore.testing.conformance.clock import ClockWorld
from dhcpcore.testing.conformance.file_store import FileStoreWorld
from dhcpcore.testing.conformance.namespace_world import DeviceState, NamespaceControlWorld
from dhcpcore.testing.conformance.process_control import MAC, ProcessControlWorld
from dhcpcore.testing.conformance.reporter import ReporterWorld
from dhcpcore.testing.conformance.server_rpc import ServerRpcWorld
from dhcpcore.testing.host import MemoryFileStore, MemoryHost, MemoryNamespaceControl, MemoryProcessControl
from dhcpcore.testing.identity import counted_uuid
from dhcpcore.testing.reporter import RecordingReporter
from dhcpcore.testing.server import MemoryServer


class MemoryClockWorld(ClockWorld):
    """Virtual time. `true` is what time it is, whatever the adapter makes of it."""

    slack = 0.001

    def __init__(self, make: Callable[[MemoryClock], Clock] = lambda true: true) -> None:
        self.true = MemoryClock()
        self.clock = make(self.true)

    def pass_time(self, seconds: float) -> None:
        self.true.advance(seconds)

    def jump_wall(self, seconds: float) -> None:
        self.true.jump_wall(seconds)

    def true_wall(self) -> float:
        return self.true.wall()


class MemoryReporterWorld(ReporterWorld):
    """Reports that end in a `RecordingReporter`."""

    def __init__(self, make: Callable[[RecordingReporter], Reporter] = lambda recorder: recorder) -> None:
        self.recorder = RecordingReporter()
        self.reporter = make(self.recorder)

    def records(self) -> Sequence[tuple[str, Mapping[str, object]]]:
        return [(record.message, record.fields) for record in self.recorder.records]


class MemoryFileStoreWorld(FileStoreWorld):
    """Files on a simulated disk."""

    root = "/var/lib/neutron/dhcp"

    def __init__(self, make: Callable[[MemoryHost], FileStore] = MemoryFileStore) -> None:
        self.machine = MemoryHost()
        self.machine.disk.make_directory(self.root)
        self.store = make(self.machine)

    def peek(self, path: str) -> bytes | None:
        return self.machine.disk.peek(path)

    def poke(self, path: str, data: bytes) -> None:
        self.machine.disk.poke(path, data)

    def open(self, path: str) -> Callable[[], bytes]:
        return self.machine.disk.open(path)

    def names(self, directory: str) -> Sequence[str]:
        return self.machine.disk.names(directory)

    def mode(self, path: str) -> int | None:
        return self.machine.disk.mode(path)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        self.machine.disk.fault = "ENOSPC"
        yield
        self.machine.disk.fault = None


class MemoryNamespaceControlWorld(NamespaceControlWorld):
    """Namespaces and devices of a simulated kernel."""

    def __init__(self, make: Callable[[MemoryHost], NamespaceControl] = MemoryNamespaceControl) -> None:
        self.machine = MemoryHost()
        self._make = make
        self.control = make(self.machine)

    def device(self, number: int) -> DeviceSpec:
        port_id = counted_uuid("port", number)
        return DeviceSpec(
            name=f"tap{port_id[:11]}",
            namespace=f"qdhcp-net-{number}",
            network_id=f"net-{number}",
            port_id=port_id,
            mac_address=f"fa:16:3e:00:01:{number:02x}",
            mtu=1400,
            addresses=(f"10.1.{number}.2/24",),
        )

    def beside(self, spec: DeviceSpec) -> DeviceSpec:
        port_id = counted_uuid(f"port beside {spec.port_id}", 1)
        return evolve(
            spec,
            name=f"tap{port_id[:11]}",
            port_id=port_id,
            mac_address="fa:16:3e:00:02:01",
            addresses=("10.2.0.2/24",),
        )

    def state(self, namespace: str, name: str) -> DeviceState | None:
        device = self.machine.device(namespace, name)
        if device is None:
            return None
        return DeviceState(
            mac_address=device.mac_address,
            mtu=device.mtu,
            up=device.up,
            addresses=frozenset(device.addresses),
            routes=frozenset(device.routes),
        )

    def namespaces(self) -> Collection[str]:
        return list(self.machine.namespaces)

    def add_address(self, namespace: str, name: str, address: str) -> None:
        device = self.machine.namespaces[namespace].devices[name]
        self.machine.set_addresses(namespace, name, [*device.addresses, address])

    def remove_address(self, namespace: str, name: str, address: str) -> None:
        device = self.machine.namespaces[namespace].devices[name]
        self.machine.set_addresses(namespace, name, [each for each in device.addresses if each != address])

    def remove_routes(self, namespace: str, name: str) -> None:
        self.machine.set_routes(namespace, name, [])

    def set_down(self, namespace: str, name: str) -> None:
        self.machine.set_link(namespace, name, up=False)

    def delete_namespace(self, namespace: str) -> None:
        self.machine.delete_namespace(namespace)

    def create_namespace(self, namespace: str) -> None:
        self.machine.create_namespace(namespace)

    def reopen(self) -> NamespaceControl:
        return self._make(self.machine)

    def dangle(self, namespace: str) -> None:
        self.machine.dangling.add(namespace)

    def set_foreign(self, namespace: str, name: str) -> None:
        self.machine.namespaces[namespace].devices[name].foreign["tag"] = "4095"

    def foreign(self, namespace: str, name: str) -> object:
        device = self.machine.device(namespace, name)
        return None if device is None else dict(device.foreign)

    def conflict(self, spec: DeviceSpec, address: str) -> None:
        self.machine.dad_conflicts.add(address)

    def setting(self, namespace: str, name: str) -> str | None:
        return self.machine.namespaces[namespace].settings.get(name)


class MemoryProcessControlWorld(ProcessControlWorld):
    """Processes of a simulated host."""

    def __init__(self, make: Callable[[MemoryHost], ProcessControl] = MemoryProcessControl) -> None:
        self.machine = MemoryHost(dnsmasq_version=(2, 91))
        self._make = make
        self._prepared: set[InstanceKey] = set()
        self.processes = make(self.machine)

    def instance(self, number: int) -> InstanceSpec:
        return self._instance(number, InstanceKey(network_id=f"net-{number}"))

    def segment(self, number: int, segmentation: str) -> InstanceSpec:
        return self._instance(number, InstanceKey(network_id=f"net-{number}", segmentation=segmentation))

    def _instance(self, number: int, key: InstanceKey) -> InstanceSpec:
        directory = f"{self.machine.dhcp_confs}/{key.directory}"
        port_id = counted_uuid(f"port of {key}", number)
        spec = InstanceSpec(
            key=key,
            directory=directory,
            process_tag=f"dnsmasq-{key.directory}",
            argv=(
                "dnsmasq",
                f"--pid-file={directory}/pid",
                f"--dhcp-hostsfile={directory}/host",
                f"--addn-hosts={directory}/addn_hosts",
                f"--dhcp-optsfile={directory}/opts",
                f"--dhcp-leasefile={directory}/leases",
                f"--dhcp-range=set:net-{number},10.77.{number}.0,static,255.255.255.0,86400s",
                "--dhcp-lease-max=16777216",
            ),
            host="",
            addn_hosts="",
            opts="",
            device=DeviceSpec(
                name=f"tap{port_id[:11]}",
                namespace=f"qdhcp-{key.network_id}",
                network_id=key.network_id,
                port_id=port_id,
                mac_address=f"fa:16:3e:00:01:{number:02x}",
                addresses=(f"10.77.{number}.2/24",),
            ),
        )
        if key not in self._prepared:
            self._prepared.add(key)
            MemoryNamespaceControl(self.machine).ensure_device(spec.device)
            for name in ("addn_hosts", "opts"):
                self.machine.disk.poke(f"{directory}/{name}", b"")
            self.write_hosts(spec, {MAC: f"10.77.{number}.5"})
        return spec

    def proxy(self, number: int) -> MetadataProxySpec:
        network_id, base = f"net-{number}", "/var/lib/neutron"
        spec = MetadataProxySpec(
            proxy_id=f"router-{number}",
            network_id=network_id,
            namespace=f"qdhcp-{network_id}",
            config="global\n",
            config_path=f"{base}/ns-metadata-proxy/router-{number}.conf",
            pid_path=f"{base}/external/pids/router-{number}.pid.haproxy",
            argv=("haproxy", "-f", f"{base}/ns-metadata-proxy/router-{number}.conf"),
            process_tag=f"haproxy-router-{number}",
        )
        self.machine.create_namespace(spec.namespace)
        self.machine.disk.poke(spec.config_path, spec.config.encode())
        return spec

    def change_config(self, spec: MetadataProxySpec) -> MetadataProxySpec:
        changed = evolve(spec, config="global\n    maxconn 1024\n")
        self.machine.disk.poke(spec.config_path, changed.config.encode())
        return changed

    def pids(self, key: InstanceKey) -> Collection[int]:
        return [process.pid for process in self.machine.dnsmasqs(key)]

    def proxy_pids(self, proxy_id: str) -> Collection[int]:
        return [process.pid for process in self.machine.living("haproxy", proxy_id)]

    def argv(self, pid: int) -> Sequence[str]:
        return self.machine.processes[pid].argv

    def namespace(self, pid: int) -> str | None:
        process = self.machine.processes.get(pid)
        return None if process is None else self.machine.namespace_of(process)

    def environment(self, pid: int) -> Mapping[str, str]:
        return self.machine.processes[pid].environment

    def answer(self, key: InstanceKey, mac_address: str) -> Sequence[str]:
        return self.machine.answer(key, mac_address)

    def write_hosts(self, spec: InstanceSpec, hosts: Mapping[str, str]) -> None:
        text = "".join(f"{mac},{address}\n" for mac, address in hosts.items())
        self.machine.disk.poke(f"{spec.directory}/host", text.encode())

    def take_lease(self, spec: InstanceSpec, mac_address: str) -> Lease:
        (address,) = self.machine.answer(spec.key, mac_address)
        lease = Lease(expiry=int(BEGINNING) + 86400, ip_address=address, mac_address=mac_address, client_id="01:02")
        self.machine.lease(spec.key, lease)
        return lease

    def leases(self, key: InstanceKey) -> Collection[str]:
        data = self.machine.disk.peek(f"{self.machine.dhcp_confs}/{key.directory}/leases") or b""
        return [line.split()[2] for line in data.decode().splitlines()]

    def kill(self, pid: int) -> None:
        self.machine.kill(pid)

    def make_zombie(self, pid: int) -> None:
        self.machine.kill(pid, zombie=True)

    def start_foreign(self, spec: InstanceSpec) -> int:
        return self.machine.spawn("dnsmasq", spec.argv, spec.device.namespace).pid

    def refused(self, spec: InstanceSpec) -> InstanceSpec:
        path = f"{spec.directory}/leases"
        self.machine.disk.poke(path, b"1767312000 zz:zz 10.77.1.5 * *\n")  # aborts dnsmasq at its start
        return spec

    def replace_namespace(self, spec: InstanceSpec) -> None:
        self.machine.delete_namespace(spec.device.namespace)
        MemoryNamespaceControl(self.machine).ensure_device(spec.device)

    def lose_releases(self, number: int) -> None:
        self.machine.lost_releases = number

    def reopen(self) -> ProcessControl:
        return self._make(self.machine)


class MemoryServerWorld(ServerRpcWorld):
    """A `MemoryServer`, reached by whatever `connect` makes.

    Args:
        connect: from the server and the host's name to the adapter; default: directly, through no transport.
    """

    host = "host-1"

    def __init__(self, connect: Callable[[MemoryServer, str], ServerRpc] = MemoryServer.agent) -> None:
        self.clock = MemoryClock()
        self.server = MemoryServer(self.clock)
        self.server.desk.auto_schedule = False
        self.rpc = connect(self.server, self.host)

    def create_network(self, cidr: str = "10.77.0.0/24", *, hosted: bool = True) -> tuple[str, str]:
        network_id: str = self.server.create_network()["id"]
        if hosted:
            self.server.desk.bind(network_id, self.host)
        return network_id, self.server.create_subnet(network_id, cidr)["id"]

    def create_subnet(self, network_id: str, cidr: str, *, enable_dhcp: bool = True) -> str:
        subnet_id: str = self.server.create_subnet(network_id, cidr, enable_dhcp=enable_dhcp)["id"]
        return subnet_id

    def create_port(self, network_id: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.server.create_port(network_id, **attributes)

    def ports(self, network_id: str) -> Sequence[Mapping[str, Any]]:
        return self.server.tables.ports_of(network_id)

    def delete_network(self, network_id: str) -> None:
        self.server.delete_network(network_id)

    def calls(self) -> Sequence[tuple[str, tuple[Any, ...]]]:
        return [(call.method, call.arguments) for call in self.server.calls]

    def agent_state(self) -> Mapping[str, Any]:
        return self.server.tables.agents[self.host].state

    def set_admin_state(self, *, up: bool) -> None:
        self.server.desk.set_admin_state(self.host, up)

    def forget_heartbeats(self) -> None:
        self.clock.advance(self.server.desk.agent_down_time + 1)

    def lose_request(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=AdapterError("MessagingTimeout: timed out"))

    def lose_answer(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=AdapterError("MessagingTimeout: timed out"), when="after")

    def fail_inside(self, method: str) -> None:
        self.server.faults.arm(f"server.{method}", error=AdapterError("RuntimeError: simulated"))
