"""Real dnsmasq instances and haproxies on a host of a test's own, and clients on their wires.

Each network has the namespace that serves it and another at the far end of its wire. Looks at the host with its own
eyes: nothing here asks an adapter what runs.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import evolve

from dhcpcore import DeviceSpec, InstanceKey, InstanceSpec, Lease, MetadataProxySpec, parse_leases
from support.clients.inside import in_namespace
from support.host import ip
from support.namespace import found
from support.waiting import eventually

_COOKIE: Final = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
SOLICIT, REPLY = 1, 7


class Host:
    """Directories of an agent, and networks numbered from 1: 10.77.<number>.0/24 and fd77:<number>::/64.

    Args:
        folder: an empty directory.
    """

    def __init__(self, folder: Path) -> None:
        self.dhcp_confs = f"{folder}/dhcp"
        self.proxy_config_dir = f"{folder}/ns-metadata-proxy"
        Path(self.proxy_config_dir).mkdir()
        self._networks: set[str] = set()
        self._instances: dict[InstanceKey, InstanceSpec] = {}

    # -- making

    def network(self, network_id: str) -> str:
        """The network's namespace, made where there is none."""
        namespace = f"qdhcp-{network_id}"
        if network_id not in self._networks:
            self._networks.add(network_id)
            for name in (namespace, f"wire-{network_id}"):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
        return namespace

    def instance(self, number: int, segmentation: str | None = None, *arguments: str) -> InstanceSpec:
        """An instance that can be started at once; a segment has no DNS, since one namespace has one port 53."""
        key = InstanceKey(network_id=f"net-{number}", segmentation=segmentation)
        if key in self._instances:
            return self._instances[key]
        directory = f"{self.dhcp_confs}/{key.directory}"
        device = DeviceSpec(
            name=f"tap{number}-{segmentation or ''}",
            namespace=self.network(key.network_id),
            network_id=key.network_id,
            port_id=f"port-{number}-{segmentation}",
            mac_address=f"fa:16:3e:00:01:{number:02x}",
            addresses=(f"10.77.{number}.2/24", f"fd77:{number}::2/64"),
        )
        argv = [
            "dnsmasq",
            "--no-hosts",
            "--no-resolv",
            f"--pid-file={directory}/pid",
            f"--dhcp-hostsfile={directory}/host",
            f"--addn-hosts={directory}/addn_hosts",
            f"--dhcp-optsfile={directory}/opts",
            f"--dhcp-leasefile={directory}/leases",
            "--local-service",
            "--bind-dynamic",
            f"--dhcp-range=set:four,10.77.{number}.0,static,255.255.255.0,86400s",
            f"--dhcp-range=set:six,fd77:{number}::,static,64,86400s",
            "--dhcp-lease-max=1000",
            "--conf-file=/dev/null",
            # The one user and group that there are where the test is root in a user namespace only.
            "--user=root",
            "--group=",
            f"--log-facility={directory}/log",
            *(["--port=0"] if segmentation is not None else []),
            *arguments,
        ]
        spec = InstanceSpec(
            key=key,
            directory=directory,
            process_tag=f"dnsmasq-{key.directory}",
            argv=tuple(argv),
            host="",
            addn_hosts="",
            opts="",
            device=device,
        )
        Path(directory).mkdir(parents=True)
        for name in ("addn_hosts", "opts"):
            Path(directory, name).write_text("")
        self.plug(device)
        self._instances[key] = spec
        return spec

    def plug(self, device: DeviceSpec) -> None:
        """Make the device, with its addresses at once usable, and the far end of its wire, which has the same name."""
        wire = f"wire-{device.network_id}"
        near, far = ["-n", device.namespace], ["-n", wire]
        ip("link", "add", device.name, "netns", device.namespace, "type", "veth", "peer", device.name, "netns", wire)
        ip(*near, "link", "set", device.name, "address", device.mac_address, "addrgenmode", "none", "up")
        ip(*far, "link", "set", device.name, "addrgenmode", "none", "up")
        link_local = f"fe80::{device.mac_address[-2:]}/64"
        for cidr in (*device.addresses, link_local):
            ip(*near, "addr", "add", cidr, "dev", device.name, *(["nodad"] if ":" in cidr else []))

    def replace_namespace(self, spec: InstanceSpec) -> None:
        """Delete the namespace's name and make a new one of that name, with the device."""
        ip("netns", "delete", spec.device.namespace)
        ip("-n", f"wire-{spec.key.network_id}", "link", "delete", spec.device.name)
        ip("netns", "add", spec.device.namespace)
        ip("-n", spec.device.namespace, "link", "set", "lo", "up")
        self.plug(spec.device)

    def proxy(self, number: int) -> MetadataProxySpec:
        """A proxy that can be started at once."""
        network_id, proxy_id = f"net-{number}", f"router-{number}"
        path = f"{self.proxy_config_dir}/{proxy_id}.conf"
        pid_path = f"{self.proxy_config_dir}/pids/{proxy_id}.pid.haproxy"
        config = (
            f"global\n    maxconn 64\n    nbthread 2\n    pidfile {pid_path}\n    daemon\n"
            "defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"
            "listen listener\n    bind 127.0.0.1:80\n    server metadata 127.0.0.1:8775\n"
        )
        Path(path).write_text(config)
        return MetadataProxySpec(
            proxy_id=proxy_id,
            network_id=network_id,
            namespace=self.network(network_id),
            config=config,
            config_path=path,
            pid_path=pid_path,
            argv=("haproxy", "-f", path),
            process_tag=f"haproxy-{proxy_id}",
        )

    def change_config(self, spec: MetadataProxySpec) -> MetadataProxySpec:
        """The same proxy with another configuration, on the disk too."""
        changed = evolve(spec, config=spec.config.replace("maxconn 64", "maxconn 65"))
        Path(spec.config_path).write_text(changed.config)
        return changed

    # -- looking

    def pids(self, key: InstanceKey) -> list[int]:
        """Living dnsmasq processes of an instance."""
        return _living(f"--pid-file={self.dhcp_confs}/{key.directory}/pid")

    def proxy_pids(self, proxy_id: str) -> list[int]:
        """Living haproxy processes of a proxy."""
        return _living(f"{self.proxy_config_dir}/{proxy_id}.conf")

    def leases(self, key: InstanceKey) -> list[Lease]:
        """What is in the leases file."""
        return list(parse_leases(Path(self.dhcp_confs, key.directory, "leases").read_bytes()).leases)

    # -- doing

    def write_hosts(self, spec: InstanceSpec, hosts: Mapping[str, str]) -> None:
        """Reserve addresses for MAC addresses."""
        text = "".join(f"{mac},{f'[{each}]' if ':' in each else each}\n" for mac, each in hosts.items())
        Path(spec.directory, "host").write_text(text)

    def start(self, spec: InstanceSpec) -> int:
        """Start an instance as somebody else does."""
        command = [found("ip") or "ip", "netns", "exec", spec.device.namespace, *spec.argv]
        subprocess.run(command, check=True, timeout=20)
        return int(Path(spec.directory, "pid").read_text())

    def kill(self, pid: int, *, reap: bool = True) -> None:
        """SIGKILL, and wait for the end; the first process is every daemon's parent."""
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: _state(pid) in (None, "Z"))
        if reap:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def answer(self, spec: InstanceSpec, mac: str) -> str | None:
        """The address that this client is offered."""
        for _ in range(2):
            offer = self._ask(spec, mac, [(53, bytes([DISCOVER]))], OFFER)
            if offer is not None:
                return offer[0]
        return None

    def take_lease(self, spec: InstanceSpec, mac: str, client_id: bytes | None = None) -> Lease:
        """Let this client take the lease that it is offered."""
        mine = [(61, client_id)] if client_id is not None else []
        offer = self._ask(spec, mac, [(53, bytes([DISCOVER])), *mine], OFFER, seconds=10.0)
        assert offer is not None
        address, server = offer
        chosen = [(53, bytes([REQUEST])), (50, socket.inet_aton(address)), (54, server), *mine]
        # dnsmasq has its leases file written to the disk before it answers.
        assert self._ask(spec, mac, chosen, ACK, seconds=10.0) == offer
        return self._lease(spec, address)

    def take_lease6(self, spec: InstanceSpec, mac: str, address: str) -> Lease:
        """Let this client take its reserved IPv6 address, with rapid commit (RFC 8415 section 18.2.1)."""
        # dnsmasq knows a client by the MAC address that it answers to, which the kernel looks up: so another address.
        own = f"fe80::c:{mac[-2:]}"
        ip("-n", f"wire-{spec.key.network_id}", "link", "set", spec.device.name, "address", mac)
        ip("-n", f"wire-{spec.key.network_id}", "addr", "add", f"{own}/64", "dev", spec.device.name, "nodad")
        duid = b"\0\3\0\1" + bytes.fromhex(mac.replace(":", ""))
        message = bytes([SOLICIT]) + os.urandom(3)
        for code, value in ((1, duid), (8, bytes(2)), (14, b""), (3, struct.pack("!III", 7, 0, 0))):
            message += struct.pack("!HH", code, len(value)) + value
        asking = in_namespace(f"wire-{spec.key.network_id}", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        with asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, spec.device.name.encode())
            asking.bind((own, 546, 0, _index(spec)))
            asking.settimeout(3)
            asking.sendto(message, ("ff02::1:2", 547, 0, _index(spec)))
            answer = asking.recv(4096)
        assert answer[:4] == bytes([REPLY]) + message[1:4]
        assert socket.inet_pton(socket.AF_INET6, address) in answer
        return self._lease(spec, address)

    def _lease(self, spec: InstanceSpec, address: str) -> Lease:
        taken: list[Lease] = []

        def is_there() -> bool:
            taken[:] = [each for each in self.leases(spec.key) if each.ip_address == address]
            return bool(taken)

        assert eventually(is_there)
        return taken[0]

    def _ask(
        self, spec: InstanceSpec, mac: str, options: list[tuple[int, bytes]], kind: int, *, seconds: float = 0.7
    ) -> tuple[str, bytes] | None:
        """Address and server of the answer of this kind."""
        hardware = bytes.fromhex(mac.replace(":", ""))
        transaction = os.urandom(4)
        # The answer is to be broadcast: this client has no address and no hardware of its own.
        head = struct.pack("!BBBB4sHH16x", 1, 1, 6, 0, transaction, 0, 0x8000)
        body = b"".join(bytes([code, len(value)]) + value for code, value in options)
        message = head + hardware.ljust(16, b"\0") + bytes(192) + _COOKIE + body + b"\xff"
        wire = f"wire-{spec.key.network_id}"
        with in_namespace(wire, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, spec.device.name.encode())
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            asking.bind(("", 68))
            asking.settimeout(seconds)
            asking.sendto(message, ("255.255.255.255", 67))
            with suppress(TimeoutError):
                while True:
                    answer = asking.recv(4096)
                    if answer[4:8] == transaction and _options(answer).get(53) == bytes([kind]):
                        return socket.inet_ntoa(answer[16:20]), _options(answer)[54]
        return None


def _index(spec: InstanceSpec) -> int:
    return in_namespace(f"wire-{spec.key.network_id}", lambda: socket.if_nametoindex(spec.device.name))


def _options(message: bytes) -> dict[int, bytes]:
    found_: dict[int, bytes] = {}
    at = 240
    while message[at] != 255:
        found_[message[at]] = message[at + 2 : at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return found_


def _living(argument: str) -> list[int]:
    pids = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and argument.encode() in Path("/proc", entry, "cmdline").read_bytes().split(b"\0"):
                pids.append(int(entry))
    return [pid for pid in pids if _state(pid) not in (None, "Z")]


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
