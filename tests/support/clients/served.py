"""A network that is served without an agent: dnsmasq and haproxy, started by hand on what dhcpcore renders.

The devices are where an agent's bridge driver puts them: ``brq...`` and ``tap...`` beside the stations, ``ns-...`` in
the namespace ``qdhcp-<network id>``. For the proof of the clients; made inside a host of a test's own only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from dhcpcore import (
    DeviceSpec,
    RenderedInstance,
    Settings,
    instance_views,
    parse_network,
    render_device,
    render_network,
)
from support.clients.inside import in_namespace
from support.clients.station import batch, ensure_bridge
from support.dhcp_client import link_local
from support.namespace import found


class ServedNetwork:
    """One network; a context manager. What serves it is killed at the end.

    Args:
        network: in wire form, with a DHCP port of `settings`' host.
        settings: the agent's options, by name; paths are set here.
        folder: an empty directory.
        aside: a short name for the namespace, the bridge and the device on it, instead of those by which an agent on
            the same host would take the network for its own, and remove it.
    """

    def __init__(
        self, network: Mapping[str, Any], settings: Mapping[str, Any], folder: Path, *, aside: str | None = None
    ) -> None:
        extra = folder / "dnsmasq.conf"
        options = {
            **settings,
            "interface_driver": "bridge",
            "state_path": f"{folder}/state",
            "dhcp_confs": f"{folder}/dhcp",
            "dnsmasq_config_file": f"{extra}",
            "metadata_proxy_user": "root",
            "metadata_proxy_group": "root",
            # A socket's path is at most 107 bytes, and a test's folder may be longer; /run is the test's own.
            "metadata_proxy_socket": f"/run/metadata-{network['id'][:8]}",
        }
        folder.mkdir(parents=True, exist_ok=True)
        # In a user namespace there is one user and one group to be.
        extra.write_text(f"user=root\ngroup=\nlog-facility={folder}/dnsmasq.log\nlog-dhcp\n")
        self.metadata_socket = options["metadata_proxy_socket"]
        self._settings = Settings.from_mapping(options)
        model = parse_network(network)
        (view,) = instance_views(model)
        port = next(port for port in model.ports if port.device_owner == "network:dhcp")
        self.device: DeviceSpec = render_device(view, port, self._settings)
        self.namespace = aside or self.device.namespace
        self.bridge = f"{aside}-br" if aside else f"brq{model.id[:11]}"
        self._outer = f"{aside}-out" if aside else f"tap{port.id[:11]}"
        self._directory = Path(self._settings.dhcp_confs, view.key.directory)
        self._pids: list[int] = []
        self._model = model

    @property
    def rendered(self) -> RenderedInstance:
        """What is written and started."""
        addresses = [cidr for cidr in self.device.addresses if not cidr.startswith(("169.254.", "fe80:"))]
        network = render_network(
            self._model, self._settings, interface_name=self.device.name, interface_addresses=addresses
        )
        (instance,) = network.instances
        return instance

    @property
    def server_mac(self) -> str:
        """The MAC address of the device that is served on."""
        return self.device.mac_address

    def __enter__(self) -> Self:
        ensure_bridge(self.bridge)
        batch([f"netns add {self.namespace}"])
        mtu = f"mtu {self.device.mtu}" if self.device.mtu else ""
        inner = self.device.name
        batch(
            [
                f"link add {self._outer} {mtu} type veth peer name {inner} {mtu} netns {self.namespace}",
                f"link set {self._outer} addrgenmode none master {self.bridge} up",
            ]
        )
        cidrs = [*self.device.addresses, f"{link_local(self.device.mac_address)}/64"]
        batch(
            [
                "link set lo up",
                f"link set {inner} address {self.device.mac_address} addrgenmode none",
                f"link set {inner} up",
                # Usable at once: nobody else is here to have them.
                *(f"addr add {cidr} dev {inner} {'nodad' if ':' in cidr else 'brd +'}" for cidr in cidrs),
            ],
            self.namespace,
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._pids:
            _kill(pid)
        for command in (["link", "delete", self._outer], ["netns", "delete", self.namespace]):
            subprocess.run(["ip", *command], capture_output=True, check=False)

    def start(self) -> None:
        """Write the files and start dnsmasq; it serves when this returns."""
        instance = self.rendered
        self._directory.mkdir(parents=True, exist_ok=True)
        texts = {"host": instance.host, "addn_hosts": instance.addn_hosts, "opts": instance.opts}
        if not (self._directory / "leases").exists():
            texts["leases"] = instance.leases
        for name, text in texts.items():
            (self._directory / name).write_text(text)
        self._run(instance.argv)
        self._pids.append(self._pid())

    def stop(self) -> None:
        """End dnsmasq, as with SIGTERM; the leases stay."""
        pid = self._pid()
        os.kill(pid, signal.SIGTERM)
        self._pids.remove(pid)
        deadline = time.monotonic() + 10
        with suppress(ChildProcessError):
            # Its parent has ended, so it is process 1's, which is the test.
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                assert time.monotonic() < deadline, "dnsmasq does not end"
                time.sleep(0.001)

    def start_proxy(self) -> None:
        """Start the metadata proxy, haproxy."""
        network = render_network(self._model, self._settings, interface_name=self.device.name)
        proxy = network.proxy
        assert proxy is not None, "this network has no metadata proxy: enable_isolated_metadata, or force_metadata"
        for path in (proxy.config_path, proxy.pid_path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(proxy.config_path).write_text(proxy.config)
        self._run(proxy.argv)
        self._pids.append(int(Path(proxy.pid_path).read_text()))

    def leases(self) -> str:
        """The text of dnsmasq's leases file."""
        return (self._directory / "leases").read_text()

    def said(self) -> str:
        """dnsmasq's log."""
        return (self._directory.parents[1] / "dnsmasq.log").read_text(errors="replace")

    def _pid(self) -> int:
        return int((self._directory / "pid").read_text())

    def _run(self, argv: tuple[str, ...]) -> None:
        program = found(argv[0])
        assert program is not None, f"there is no {argv[0]} here"
        ran = in_namespace(
            self.namespace,
            lambda: subprocess.run(
                [program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
            ),
        )
        assert ran.returncode == 0, f"{argv[0]} ended with {ran.returncode}: {ran.stderr}"


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
