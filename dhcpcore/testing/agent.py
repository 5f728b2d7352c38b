"""One agent in a simulated world: the core's two verbs over in-memory adapters, one step at a time.

Not the real loop (that lives with the adapters and has threads); the same order of things without it: take what has
arrived, fold it, plan, carry out.  Whoever drives it decides what happens between two outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec
from dhcpcore.plan import plan_sync
from dhcpcore.plan.canonical import differing_files, serves_as
from dhcpcore.plan.dhcp_port import choose_dhcp_port
from dhcpcore.render.instance import render_instance
from dhcpcore.render.metadata import metadata_bind_interface, render_metadata_proxy, wants_metadata_proxy
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.state import AgentState, fold_event, initial_state
from dhcpcore.testing.faults import SimulatedCrash
from dhcpcore.testing.host import MemoryFileStore, MemoryHost, MemoryNamespaceControl, MemoryProcessControl
from dhcpcore.testing.host.kernel import canonical_address
from dhcpcore.testing.interpreter import Interpreter
from dhcpcore.testing.server import MemoryServer, Notification
from dhcpcore.wire import event_or_refusal, parse_network


class SimulatedAgent:
    """An agent on `host`, known to `server` by `settings.host`.

    Attributes:
        state: what it knows; plans: every plan it carried out that was not empty.
    """

    def __init__(self, server: MemoryServer, host: MemoryHost, settings: Settings) -> None:
        self.server = server
        self.host = host
        self.settings = settings
        self.plans: list[actions.Plan] = []
        self.state: AgentState
        self._interpreter: Interpreter
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered, the host is as it was left."""
        version = self.host.dnsmasq_version or (2, 90)
        capabilities = HostCapabilities(dnsmasq=DnsmasqCapabilities(version=version))
        self.state = initial_state(self.settings, capabilities, at=self.host.clock.monotonic())
        self._interpreter = Interpreter(
            server=self.server.agent(self.settings.host),
            processes=MemoryProcessControl(self.host),
            namespaces=MemoryNamespaceControl(self.host),
            files=MemoryFileStore(self.host),
            clock=self.host.clock,
            settings=self.settings,
        )

    # -- living -------------------------------------------------------------------------------------------------------

    def fold(self, event: events.Event) -> None:
        """Take one event in."""
        self.state = fold_event(event, self.state)

    def receive(self, notification: Notification) -> None:
        """Take one notification in, as it was sent."""
        now = self.host.clock.monotonic()
        self.fold(event_or_refusal(notification.method, notification.payload, at=now))

    def receive_all(self) -> None:
        """Take in everything that waits."""
        for notification in self.server.notices.take_all(self.settings.host):
            self.receive(notification)

    def plan(self) -> actions.Plan:
        """What it would do now."""
        return plan_sync(self.state, self.host.clock.monotonic())

    def step(self, between: Callable[[events.Event], None] | None = None) -> actions.Plan:
        """Plan once and carry that out.

        Args:
            between: called after each outcome was folded: whatever may happen while actions run.
        """
        plan = self.plan()
        if plan:
            self.plans.append(plan)
        for outcome in self._interpreter.carry_out(plan):
            self.fold(outcome)
            if between is not None:
                between(outcome)
        return plan

    def settle(self, limit: int = 100, between: Callable[[events.Event], None] | None = None) -> int:
        """Step until a plan is empty; the number of plans that were not.

        Raises:
            AssertionError: there is no end to it.
        """
        for count in range(limit):
            self.receive_all()
            if not self.step(between):
                return count
        last = [f"{action.kind} {action.network_id}: {'; '.join(action.reasons)}" for action in self.plans[-1]]
        raise AssertionError(f"{limit} plans and no end; the last one: {last}")

    def crash_at(self, point: int, between: Callable[[events.Event], None] | None = None) -> bool:
        """Step until nothing is left to do, killed at a point of the world's `Faults`; whether it came to that."""
        self.host.faults.crash_at(self.host.faults.points + point)
        try:
            self.settle(between=between)
        except SimulatedCrash:
            self.restart()
            return True
        self.host.faults.disarm()
        return False

    # -- what should be -----------------------------------------------------------------------------------------------

    def networks(self) -> Iterator[Network]:
        """What the server wants of this agent at this moment."""
        for answer in self.server.agent(self.settings.host).get_active_networks_info():
            yield parse_network(answer)

    def wanted(self) -> tuple[list[InstanceSpec], list[MetadataProxySpec]]:
        """What this host should run, rendered afresh from the server's own answer."""
        instances: list[InstanceSpec] = []
        proxies: list[MetadataProxySpec] = []
        capabilities = self.state.capabilities
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
                    proxies.append(render_metadata_proxy(network, settings=self.settings, bind_interface=device))
        return instances, proxies

    def _plugged(self, key: InstanceKey) -> str | None:
        """The device that an instance serves on, as its file says."""
        data = self.host.disk.peek(f"{self.settings.confs_dir}/{key.directory}/interface")
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def differences(self) -> list[str]:
        """Where the host is not as it should be, one sentence each: processes, loaded files, devices, proxies."""
        found: list[str] = []
        instances, proxies = self.wanted()
        for spec in instances:
            running = self.host.dnsmasqs(spec.key)
            if len(running) != 1:
                found.append(f"{spec.key}: {len(running)} dnsmasq processes")
                continue
            process = running[0]
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
