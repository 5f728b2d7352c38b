"""Neutron's own DHCP agent, with real dnsmasq processes and a server in memory; for a Python that has neutron 29.0.0.

What is put in place of Neutron's: the plugin's RPC (the server below), and an interface driver that plugs one end of a
veth pair.  Everything else is Neutron's code.  Works in a host of a test's own only (`support.host`).
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc, no-any-return"

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

import neutron.privileged as privileged
from neutron.agent.dhcp import agent as dhcp_agent
from neutron.agent.dhcp_agent import register_options
from neutron.agent.linux import dhcp, interface, ip_lib
from oslo_config import cfg
from oslo_messaging import MessagingTimeout

OURS: Final = "dhcpcore_adapters.neutron_driver.Dnsmasq"
STOCKS: Final = "neutron.agent.linux.dhcp.Dnsmasq"
CONF: Final = cfg.CONF
HOST: Final = "host-1"


def an_id(name: str) -> str:
    return str(uuid5(NAMESPACE_DNS, name))


SEGMENT: Final = {
    "id": an_id("segment"),
    "segmentation_id": 7,
    "network_type": "vlan",
    "physical_network": "p",
    "hosts": [],
}


def hosts_line(port: dict[str, Any]) -> str:
    address = port["fixed_ips"][0]["ip_address"]
    return f"{port['mac_address']},host-{address.replace('.', '-')}.openstacklocal,{address}\n"


class VethDriver(interface.LinuxInterfaceDriver):
    """One end of a veth pair in the namespace; nobody is at the other end."""

    DEV_NAME_PREFIX = "ns-"

    @property
    def bridged(self) -> bool:
        return True

    def plug_new(
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: Any = None,
        namespace: Any = None,
        prefix: Any = None,
        mtu: int | None = None,
        link_up: bool = True,
    ) -> None:
        names = device_name.replace("ns-", "tap"), device_name
        root, inside = ip_lib.IPWrapper().add_veth(*names, namespace2=namespace)
        inside.link.set_address(mac_address)
        if mtu:
            self.set_mtu(device_name, mtu, namespace)
        root.link.set_up()
        inside.link.set_up()

    def unplug(self, device_name: str, bridge: Any = None, namespace: Any = None, prefix: Any = None) -> None:
        device = ip_lib.IPDevice(device_name, namespace=namespace)
        if device.exists():
            device.link.delete()

    def set_mtu(self, device_name: str, mtu: int, namespace: Any = None, prefix: Any = None) -> None:
        ip_lib.IPDevice(device_name, namespace=namespace).link.set_mtu(mtu)


class Server:
    """The plugin, as the agent calls it; `networks` are as they go over the wire.

    Attributes:
        fails: whether it answers no question about networks in time.
    """

    def __init__(self) -> None:
        self.fails = False
        self.networks: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []

    def network(self, name: str, ports: int = 1, **changes: Any) -> dict[str, Any]:
        number = len(self.networks) + 1
        network_id = an_id(name)
        subnet = {
            "id": an_id(f"{name} subnet"),
            "network_id": network_id,
            "cidr": f"10.{number}.0.0/24",
            "ip_version": 4,
            "enable_dhcp": True,
            "gateway_ip": f"10.{number}.0.1",
            "dns_nameservers": [],
            "host_routes": [],
            "ipv6_address_mode": None,
            "ipv6_ra_mode": None,
            "subnetpool_id": None,
            "segment_id": None,
        }
        made: dict[str, Any] = {
            "id": network_id,
            "project_id": "project",
            "admin_state_up": True,
            "mtu": 1450,
            "subnets": [subnet],
            "non_local_subnets": [],
            "segments": [],
            "ports": [],
        }
        made.update(changes)
        self.networks[network_id] = made
        for _ in range(ports):
            self.port(made)
        return made

    def port(self, network: dict[str, Any], **changes: Any) -> dict[str, Any]:
        number = 10 + len(network["ports"])
        subnet = network["subnets"][0]
        port = {
            "id": an_id(f"{network['id']} {number}"),
            "network_id": network["id"],
            "mac_address": f"fa:16:3e:00:00:{number:02x}",
            "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": subnet["cidr"].replace("0/24", str(number))}],
            "device_id": "vm",
            "device_owner": "compute:nova",
            "admin_state_up": True,
            "extra_dhcp_opts": [],
            "binding:host_id": "compute-1",
            "revision_number": 1,
        }
        port.update(changes)
        network["ports"].append(port)
        return port

    def _asked(self, what: str) -> None:
        self.calls.append(what)
        if self.fails:
            raise MessagingTimeout(f"no answer to {what}")

    # -- what the agent calls

    def get_active_networks_info(self, **_: Any) -> list[Any]:
        self._asked("get_active_networks_info")
        return [dhcp.NetModel(network) for network in self.networks.values()]

    def get_network_info(self, network_id: str) -> Any:
        self._asked("get_network_info")
        network = self.networks.get(network_id)
        return dhcp.NetModel(network) if network else None

    def create_dhcp_port(self, port: dict[str, Any]) -> Any:
        asked = port["port"]
        self.calls.append("create_dhcp_port")
        network = self.networks[asked["network_id"]]
        wanted = [each["subnet_id"] for each in asked["fixed_ips"]]
        subnets = [each for each in network["subnets"] if each["id"] in wanted]
        made = self.port(
            network,
            id=an_id(asked["device_id"]),
            mac_address="fa:16:3e:ff:00:02",
            fixed_ips=[self._address(each) for each in subnets],
            device_id=asked["device_id"],
            device_owner="network:dhcp",
            **{"binding:host_id": HOST},
        )
        return dhcp.DictModel(made)

    def update_dhcp_port(self, port_id: str, port: dict[str, Any]) -> Any:
        self.calls.append("update_dhcp_port")
        network = self.networks[port["port"]["network_id"]]
        subnets = {each["id"]: each for each in network["subnets"]}
        (known,) = (each for each in network["ports"] if each["id"] == port_id)
        known["fixed_ips"] = [self._address(subnets[each["subnet_id"]]) for each in port["port"]["fixed_ips"]]
        return dhcp.DictModel(known)

    @staticmethod
    def _address(subnet: dict[str, Any]) -> dict[str, str]:
        address = subnet["cidr"].replace("0/24", "2").replace("/64", "2")
        return {"subnet_id": subnet["id"], "ip_address": address}

    def release_dhcp_port(self, network_id: str, device_id: str) -> None:
        self.calls.append("release_dhcp_port")
        network = self.networks.get(network_id)
        if network:
            network["ports"] = [port for port in network["ports"] if port["device_id"] != device_id]

    def get_networks(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def get_ports(self, **_: Any) -> list[Any]:
        return []

    def dhcp_ready_on_ports(self, port_ids: Any) -> None:
        self.calls.append("dhcp_ready_on_ports")


class Site:
    """One host with an agent; `start` makes a new one, as a restart of its process would."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.server = Server()
        register_options(CONF)
        CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
        special = folder / "dnsmasq.conf"
        special.write_text("user=root\ngroup=\n")
        settings = {
            "host": HOST,
            "state_path": str(folder),
            "interface_driver": "neutron_driver.stock_site.VethDriver",
            "dnsmasq_config_file": str(special),
            "metadata_proxy_socket": "/run/metadata.sock",
            **options,
        }
        for name, value in settings.items():
            CONF.set_override(name, value)
        CONF.set_override("root_helper", "env", group="AGENT")
        CONF.set_override("check_child_processes_interval", 1, group="AGENT")
        dhcp_agent.DhcpPluginApi = lambda *_: self.server
        # Checksums need iptables and a kernel module; what is asked here does not depend on them.
        dhcp.DeviceManager.fill_dhcp_udp_checksums = lambda *_, **__: None
        for context in vars(privileged).values():
            if hasattr(context, "set_client_mode"):
                context.set_client_mode(False)
        self.agent: Any = None

    def start(self, driver: str = OURS) -> Any:
        self.stop()
        CONF.set_override("dhcp_driver", driver)
        self.agent = dhcp_agent.DhcpAgent(HOST)
        self.agent.init_host()
        return self.agent

    def stop(self) -> None:
        if self.agent is not None:
            # As its own stop does, but for waiting until its threads have woken up once more.
            self.agent._process_monitor._monitor_processes = False
            self.agent._process_monitor._stopping_event.set()
            self.agent.cache.cleanup_loop.stop()

    # -- what the host says

    def directory(self, network: dict[str, Any], segment: str = "") -> Path:
        return self.folder / "dhcp" / segment / network["id"]

    def pid(self, network: dict[str, Any]) -> int:
        return int((self.directory(network) / "pid").read_text())

    def runs(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def is_watched(self, network: dict[str, Any]) -> bool:
        """Whether Neutron's monitor would start its dnsmasq anew where it dies."""
        watched = self.agent._process_monitor._monitored_processes
        return (network["id"], dhcp.DNSMASQ_SERVICE_NAME) in watched

    def argv(self, network: dict[str, Any]) -> list[str]:
        return Path(f"/proc/{self.pid(network)}/cmdline").read_text().split("\0")[:-1]

    def read(self, network: dict[str, Any], name: str) -> str:
        return (self.directory(network) / name).read_text()

    def written(self) -> dict[str, tuple[int, int]]:
        """Every file of every instance, with its inode and the time of its last change; leases are dnsmasq's."""
        found = (path for path in (self.folder / "dhcp").rglob("*") if path.is_file() and path.name != "leases")
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def until(what: str, look: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(0.02)


def namespaces() -> list[str]:
    return sorted(os.listdir("/run/netns"))
