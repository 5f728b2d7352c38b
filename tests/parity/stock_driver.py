"""Answer render requests with the stock agent's own code.

Runs under the interpreter of the stock environment (neutron 29.0.0, see stock_env.sh), reads one JSON request a line
on stdin and writes one JSON answer a line on stdout, in order.

What it knows: where the stock driver and the stock agent touch the machine (files, devices, the server, the dnsmasq
binary), and it replaces exactly that by the request's own facts. What it must not do: replace, repeat or correct
anything that decides a byte of the answer. Texts, command lines and decisions all come out of neutron.

Request: the fields of `dhcpcore render --jsonl` and, optional, facts about the host that neutron asks it for:
    host_tag_support (bool, True)      dnsmasq knows `tag:` in a hosts file
    ipv6_enabled (bool, True)          the kernel has IPv6
    metadata_dad_failed (bool, False)  the IPv6 metadata address failed duplicate address detection
Answer: host, addn_hosts, opts, leases (str), argv (list), metadata_proxy (bool), and metadata_proxy_config (str),
metadata_proxy_argv (list), both None where no proxy is wanted. What neutron raises is answered as
{"stock_exception": "Type: message"}; metadata_proxy_exception says the same of the proxy alone.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc, no-any-return"

from __future__ import annotations

import errno
import io
import json
import logging
import os
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from neutron.agent.dhcp import agent as dhcp_agent
from neutron.agent.dhcp_agent import register_options
from neutron.agent.linux import dhcp, external_process, interface
from neutron.agent.metadata import driver as metadata_driver
from neutron.agent.metadata import driver_base
from oslo_config import cfg

Request = Mapping[str, Any]
Answer = dict[str, Any]

CONF = cfg.CONF


class Machine:
    """The host as one request describes it: files by path, addresses of the device, abilities of the system."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.request: Request = {}

    def begin(self, request: Request) -> None:
        self.files = {}
        self.request = request

    def replace_file(self, name: str, data: str, mode: int = 0o644) -> None:
        data.encode("utf-8")  # raises where a write to a real file would
        self.files[name] = data

    def open(self, name: str, mode: str = "r") -> io.StringIO:
        if mode == "w":
            return _Writer(self, name)
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return io.StringIO(self.files[name], newline=None)

    def exists(self, name: str) -> bool:
        return name in self.files

    def devices_with_ip(self, namespace: str, name: str | None = None, **_: object) -> list[dict[str, str]]:
        return [{"name": name or "", "cidr": cidr} for cidr in self.request.get("interface_addresses") or ()]

    def interface_driver(self, conf: Any, get_networks_callback: object = None) -> Any:
        kind = interface.OVSInterfaceDriver if self.request.get("bridged", True) else UnbridgedDriver
        return kind(conf, get_networks_callback=get_networks_callback)

    def host_tag_support(self) -> bool:
        return bool(self.request.get("host_tag_support", True))

    def ipv6_enabled(self) -> bool:
        return bool(self.request.get("ipv6_enabled", True))


class _Writer(io.StringIO):
    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__()
        self._machine, self._name = machine, name

    def close(self) -> None:
        if not self.closed:
            self._machine.replace_file(self._name, self.getvalue())
        super().close()


class UnbridgedDriver(interface.OVSInterfaceDriver):
    """An interface driver whose DHCP device is not bridged to the instances' taps."""

    @property
    def bridged(self) -> bool:
        return False


class Server:
    """The plugin RPC, answered from the request's network."""

    def __init__(self) -> None:
        self.ports: list[Any] = []

    def get_ports(self, port_filters: Mapping[str, list[str]]) -> list[Any]:
        return [port for port in self.ports if all(port.get(name) in wanted for name, wanted in port_filters.items())]

    def get_networks(self, *_: object, **__: object) -> list[Any]:
        return []


MACHINE = Machine()
SERVER = Server()
SPAWNED: list[dict[str, Any]] = []


def _nothing(*_: object, **__: object) -> None:
    return None


def _facade(real: types.ModuleType, **replaced: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{**vars(real), **replaced})


def install_edges() -> None:
    """Put MACHINE and SERVER where neutron's modules reach for the operating system. Once per process."""
    path = _facade(os.path, isfile=MACHINE.exists, exists=MACHINE.exists)
    system = _facade(os, path=path, makedirs=_nothing)
    fileutils = types.SimpleNamespace(ensure_tree=_nothing)
    for module in (dhcp, driver_base):
        module.open = MACHINE.open
        module.os = system
    for module in (dhcp, external_process):
        module.fileutils = fileutils
    dhcp.file_utils = types.SimpleNamespace(replace_file=MACHINE.replace_file)
    dhcp.ip_lib = _facade(dhcp.ip_lib, get_devices_with_ip=MACHINE.devices_with_ip)
    dhcp.checks = types.SimpleNamespace(dnsmasq_host_tag_support=MACHINE.host_tag_support)
    dhcp.agent_common_utils = types.SimpleNamespace(load_interface_driver=MACHINE.interface_driver)
    dhcp_agent.netutils = _facade(dhcp_agent.netutils, is_ipv6_enabled=MACHINE.ipv6_enabled)

    def spawn(_: type, /, monitor: object, ns_name: str, port: int, conf: object, **kwargs: Any) -> None:
        SPAWNED.append({"port": port, **kwargs})

    metadata_driver.MetadataDriver.spawn_monitored_metadata_proxy = classmethod(spawn)


@contextmanager
def overrides(settings: Mapping[str, Any]) -> Iterator[None]:
    """Neutron options for one request; every one is back at its default afterwards. Names neutron lacks are skipped."""
    done: list[tuple[str, str | None]] = []
    try:
        for name, value in settings.items():
            options = value.items() if isinstance(value, dict) else [(name, value)]
            group = name if isinstance(value, dict) else None
            for option, wanted in options:
                try:
                    CONF.set_override(option, wanted, group=group)
                except (cfg.NoSuchOptError, cfg.NoSuchGroupError):
                    continue
                done.append((option, group))
        yield
    finally:
        for option, group in done:
            CONF.clear_override(option, group=group)


def instance_network(request: Request) -> tuple[Any, Any]:
    """The network as the driver of one instance gets it, and the segment: subnets grouped as the agent groups them."""
    network = dhcp.NetModel(request["network"])
    segment = request.get("segment")
    if segment is None:
        return network, None
    own = [subnet for subnet in network.subnets if subnet.get("segment_id") == segment["id"]]
    if own:
        network.subnets = own
    return network, dhcp.DictModel(segment)


def render(request: Request) -> Answer:
    network, segment = instance_network(request)
    SERVER.ports = network.ports
    driver = dhcp.Dnsmasq(CONF, network, None, plugin=SERVER, segment=segment)
    driver.interface_name = request.get("interface_name", "tap0")
    if request.get("previous_leases") is not None:
        MACHINE.replace_file(driver.get_conf_file_name("leases"), request["previous_leases"])
    driver._output_init_lease_file()
    driver._output_config_files()
    answer: Answer = {
        name: MACHINE.files[driver.get_conf_file_name(name)] for name in ("host", "addn_hosts", "opts", "leases")
    }
    answer["argv"] = driver._build_cmdline_callback(driver.get_conf_file_name("pid"))
    answer["metadata_proxy"] = bool(driver.should_enable_metadata(CONF, network))
    answer["metadata_proxy_config"] = answer["metadata_proxy_argv"] = None
    if answer["metadata_proxy"]:
        try:
            answer.update(metadata_proxy(network))
        except Exception as error:
            answer["metadata_proxy_exception"] = f"{type(error).__name__}: {error}"
    return answer


def metadata_proxy(network: Any) -> Answer:
    """What the agent would start for the network: the agent decides for what and where, its driver writes the text."""
    agent = dhcp_agent.DhcpAgent.__new__(dhcp_agent.DhcpAgent)
    agent.conf = CONF
    agent.dhcp_driver_cls = dhcp.Dnsmasq
    agent.dhcp_version = None
    agent.plugin_rpc = SERVER
    agent._process_monitor = None
    agent._metadata_routers = {}
    SPAWNED.clear()
    agent.enable_isolated_metadata_proxy(network)
    wanted = SPAWNED.pop()
    if MACHINE.request.get("metadata_dad_failed"):
        wanted["bind_address_v6"] = wanted["bind_interface"] = None
    driver = metadata_driver.MetadataDriver
    uuid = wanted.get("network_id") or wanted.get("router_id")
    process = driver._get_metadata_proxy_process_manager(uuid, CONF, ns_name=network.namespace)
    argv = driver._get_metadata_proxy_callback(conf=CONF, **wanted)(process.get_pid_file_name())
    return {"metadata_proxy_config": MACHINE.files[argv[-1]], "metadata_proxy_argv": argv}


def answer_line(line: bytes) -> Answer:
    try:
        request = json.loads(line)
        MACHINE.begin(request)
        with overrides(request.get("settings") or {}):
            return render(request)
    except Exception as error:
        return {"stock_exception": f"{type(error).__name__}: {error}"}


def main() -> int:
    logging.disable(logging.CRITICAL)
    register_options(CONF)
    CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
    install_edges()
    for line in sys.stdin.buffer:
        if line.strip():
            sys.stdout.write(json.dumps(answer_line(line)) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
