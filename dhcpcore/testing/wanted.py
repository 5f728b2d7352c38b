"""What a host should run, rendered afresh from what the server says at this moment, and how far it is from that.

The judge of whoever serves there: knows the server's answer, the host, and the core's rendering; knows no agent.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.plan.canonical import differing_files, serves_as
from dhcpcore.plan.dhcp_port import choose_dhcp_port
from dhcpcore.render.instance import render_instance
from dhcpcore.render.isolation import METADATA_V6_CIDR
from dhcpcore.render.metadata import metadata_bind_interface, render_metadata_proxy, wants_metadata_proxy
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.testing.host import MemoryHost
from dhcpcore.testing.host.kernel import canonical_address
from dhcpcore.testing.server import MemoryServer
from dhcpcore.wire import parse_network


@frozen
class Judge:
    """Compares a host with what the server wants of the agent on it."""

    server: MemoryServer
    host: MemoryHost
    settings: Settings
    capabilities: HostCapabilities

    def networks(self) -> Iterator[Network]:
        """What the server wants of this agent at this moment."""
        for answer in self.server.agent(self.settings.host).get_active_networks_info():
            yield parse_network(answer)

    def wanted(self) -> tuple[list[InstanceSpec], list[MetadataProxySpec]]:
        """What this host should run, rendered afresh from the server's own answer."""
        instances: list[InstanceSpec] = []
        proxies: list[MetadataProxySpec] = []
        capabilities = self.capabilities
        for network in self.networks():
            views = [view for view in instance_views(network) if serves_dhcp(view)] if network.admin_state_up else []
            for view in views:
                choice = choose_dhcp_port(
                    view, self.settings, plugged=self._plugged(view.key), accepted={}, use_gateway_ips=False
                )
                if choice.port is None:
                    continue
                instances.append(
                    render_instance(
                        view,
                        dhcp_port=choice.port,
                        settings=self.settings,
                        capabilities=capabilities.dnsmasq,
                        ipv6=capabilities.ipv6_enabled,
                        shared=len(views) > 1,
                    )
                )
            if any(spec.key.network_id == network.id for spec in instances):
                if wants_metadata_proxy(network, self.settings):
                    device = metadata_bind_interface(network, self.settings)
                    # Where the device has not got the address, nothing can be bound to it.
                    devices = {spec.device.name: spec.device.addresses for spec in instances}
                    device = device if device and METADATA_V6_CIDR in devices.get(device, ()) else None
                    proxies.append(render_metadata_proxy(network, settings=self.settings, bind_interface=device))
        return instances, proxies

    def _plugged(self, key: InstanceKey) -> str | None:
        """The device that an instance serves on, as its file says."""
        data = self.host.disk.peek(f"{self.settings.confs_dir}/{key.directory}/interface")
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def differences(self) -> list[str]:
        """Where the host is not as it should be, one sentence each: processes, loaded files, devices, proxies."""
        return self.differences_from(*self.wanted())

    def differences_from(self, instances: list[InstanceSpec], proxies: list[MetadataProxySpec]) -> list[str]:
        """The same, where it is known already what is wanted."""
        found: list[str] = []
        for spec in instances:
            running = self.host.dnsmasqs(spec.key)
            if len(running) != 1:
                found.append(f"{spec.key}: {len(running)} dnsmasq processes")
                continue
            process = running[0]
            if process.stopped:
                found.append(f"{spec.key}: dnsmasq is stopped")
            if not serves_as(process.argv, spec.argv):
                found.append(f"{spec.key}: command line {process.argv} should be {spec.argv}")
            loaded = _Loaded(process.loaded)
            for name in differing_files(loaded, spec):
                found.append(f"{spec.key}: {name} loaded {getattr(loaded, name)!r} should be {getattr(spec, name)!r}")
            found.extend(self._device_differences(spec))
        for proxy in proxies:
            running = self.host.living("haproxy", proxy.proxy_id)
            if len(running) != 1:
                found.append(f"{proxy.proxy_id}: {len(running)} haproxy processes")
            elif running[0].stopped:
                found.append(f"{proxy.proxy_id}: haproxy is stopped")
            elif running[0].loaded.get("config") != proxy.config:
                found.append(f"{proxy.proxy_id}: haproxy runs with another configuration")
        return found

    def _device_differences(self, spec: InstanceSpec) -> Iterator[str]:
        device = self.host.device(spec.device.namespace, spec.device.name)
        if device is None:
            yield f"{spec.key}: no device {spec.device.name}"
            return
        wanted = {canonical_address(address) for address in spec.device.addresses}
        if set(device.addresses) != wanted:
            yield f"{spec.key}: addresses {sorted(device.addresses)} should be {sorted(wanted)}"
        if set(device.routes) != set(spec.device.routes):
            yield f"{spec.key}: routes {device.routes} should be {spec.device.routes}"
        if spec.device.mtu and device.mtu != spec.device.mtu:
            yield f"{spec.key}: MTU {device.mtu} should be {spec.device.mtu}"
        if device.mac_address.lower() != spec.device.mac_address.lower():
            yield f"{spec.key}: MAC {device.mac_address} should be {spec.device.mac_address}"


class _Loaded:
    """The files that a process has loaded, as `differing_files` reads them."""

    def __init__(self, loaded: dict[str, str]) -> None:
        self.host: str | None = loaded.get("host")
        self.addn_hosts: str | None = loaded.get("addn_hosts")
        self.opts: str | None = loaded.get("opts")
