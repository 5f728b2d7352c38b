"""What each action means, told in calls of the contracts: carries a plan out on any adapters, one action after another.

A reference, not an agent: no threads, no queues, no retries of its own.  An action is a list of idempotent steps; when
one fails the rest is not tried, and the outcome says so.  Nothing here decides: which files, which leases, which
order is in the action or comes from the core's own functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define

import dhcpcore.actions as actions
import dhcpcore.events as events
import dhcpcore.wire as wire
from dhcpcore.contracts import Clock, FileStore, NamespaceControl, ProcessControl, ServerRpc
from dhcpcore.errors import AdapterError, PayloadError
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceSpec
from dhcpcore.observed import (
    DIRTY_MARK,
    INSTANCE_FILES,
    ObservedDevice,
    ObservedHost,
    ObservedInstance,
    ObservedProcess,
    ObservedProxy,
    instance_directories,
)
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.readback import HostEntry, removed_hosts, stale_leases

_FAULTS: Mapping[str, events.Fault] = {
    "NetworkNotFound": "network_not_found",
    "IpAddressGenerationFailure": "address_exhausted",
    "MessagingTimeout": "timeout",
    "TimeoutError": "timeout",
    "UnsupportedVersion": "unsupported",
    "AttributeError": "unsupported",
}


@define(kw_only=True)
class Interpreter:
    """Carries out plans on the given adapters."""

    server: ServerRpc
    processes: ProcessControl
    namespaces: NamespaceControl
    files: FileStore
    clock: Clock
    settings: Settings

    def carry_out(self, plan: actions.Plan) -> Iterator[events.Event]:
        """The outcomes of a plan's actions, in its order; the first event says that the plan was started."""
        yield events.PlanStarted(plan=plan, at=self.clock.monotonic())
        failed: set[str] = set()
        for action in plan.actions:
            if action.scope in failed:
                reason = "an earlier action on the same network failed"
                yield events.ActionFailed(action=action, reason=reason, fault="skipped", at=self.clock.monotonic())
                continue
            try:
                result = self.perform(action)
            except AdapterError as error:
                failed.add(action.scope)
                yield events.ActionFailed(
                    action=action,
                    reason=str(error),
                    fault=_fault(error),
                    retryable=error.retryable,
                    at=self.clock.monotonic(),
                )
            else:
                yield events.ActionSucceeded(action=action, result=result, at=self.clock.monotonic())

    def perform(self, action: actions.Action) -> events.Result:
        """Carry out one action.

        Raises:
            AdapterError: it could not be done, or not wholly.
        """
        match action:
            case actions.ReportState():
                return self.server.report_state(action.agent_state)
            case actions.ObserveHost():
                return self.observe()
            case actions.FetchNetworks():
                return self._fetch_networks()
            case actions.FetchNetwork():
                answer = self.server.get_network_info(action.network_id)
                return None if answer is None else _parsed(wire.parse_network, answer)
            case actions.NotifyReady():
                self.server.dhcp_ready_on_ports(action.port_ids)
            case actions.InstanceAction():
                return self._perform_on_instance(action)
            case actions.RemoveNamespace():
                self.namespaces.remove_namespace(action.namespace)
            case actions.RemoveDevice():
                self.namespaces.remove_device(action.namespace, action.device)
            case actions.StartProxy():
                # Stopped first: a crash between the file and the start must not leave the old one running beside the
                # new text, which would look as if it were right.
                self.processes.stop_proxy(action.network_id, action.spec.proxy_id)
                self.files.write(action.spec.config_path, action.spec.config)
                return events.ProxyStarted(pid=self.processes.start_proxy(action.spec))
            case actions.StopProxy():
                self.processes.stop_proxy(action.network_id, action.proxy_id)
                self.files.remove(action.config_path)
                self.files.remove(action.pid_path)
            case _:
                raise TypeError(f"not an action: {type(action).__name__}")
        return None

    def _perform_on_instance(self, action: actions.InstanceAction) -> events.Result:
        match action:
            case actions.CreateDhcpPort():
                return _port(self.server.create_dhcp_port(action.payload))
            case actions.UpdateDhcpPort():
                return _port(self.server.update_dhcp_port(action.port_id, action.payload))
            case actions.ClaimReservedPort():
                return _port(self.server.update_dhcp_port(action.port_id, action.payload))
            case actions.ReleaseDhcpPort():
                self.server.release_dhcp_port(action.key.network_id, action.device_id)
            case actions.EnableInstance() | actions.RestartInstance():
                return self._start(action.spec)
            case actions.ReloadInstance():
                return self._reload(action)
            case actions.UpdateDevice():
                self.namespaces.ensure_device(action.spec.device)
            case actions.ReleaseLeases():
                self._release(action.spec)
            case actions.DisableInstance():
                self._disable(action)
        return None

    # -- the host -----------------------------------------------------------------------------------------------------

    def _start(self, spec: InstanceSpec) -> events.InstanceStarted:
        self.processes.stop_dnsmasq(spec.key)
        self.namespaces.ensure_device(spec.device)
        leases = f"{spec.directory}/leases"
        self._write(spec, ("host", "addn_hosts", "opts"))
        self.files.write(f"{spec.directory}/interface", spec.device.name)
        if spec.view is not None:
            text, _ = render_initial_leases(spec.view, settings=self.settings, previous=self.files.read(leases))
            self.files.write(leases, text)
        pid = self.processes.start_dnsmasq(spec)
        self.files.remove(f"{spec.directory}/{DIRTY_MARK}")
        return events.InstanceStarted(pid=pid)

    def _reload(self, action: actions.ReloadInstance) -> events.InstanceStarted | None:
        spec = action.spec
        if action.device:
            self.namespaces.ensure_device(spec.device)
        if not action.sighup:
            return self._start(spec)
        before = self.files.read(f"{spec.directory}/host") or ""
        self._write(spec, action.changed_files)
        self.processes.reload_dnsmasq(spec.key)
        self.files.remove(f"{spec.directory}/{DIRTY_MARK}")
        self._release(spec, removed_hosts(before, spec.host))
        return None

    def _write(self, spec: InstanceSpec, names: tuple[str, ...]) -> None:
        self.files.write(f"{spec.directory}/{DIRTY_MARK}", "")
        for name in names:
            self.files.write(f"{spec.directory}/{name}", getattr(spec, name))

    def _release(self, spec: InstanceSpec, removed: Iterable[HostEntry] = ()) -> None:
        leases = self.files.read(f"{spec.directory}/leases")
        if leases is not None and spec.view is not None:
            stale = stale_leases(leases, spec.view, removed=removed)
            if stale:
                self.processes.release_leases(spec, stale)

    def _disable(self, action: actions.DisableInstance) -> None:
        self.processes.stop_dnsmasq(action.key)
        if action.device:
            self.namespaces.remove_device(action.namespace, action.device)
        if action.device_id is not None:
            self.server.release_dhcp_port(action.key.network_id, action.device_id)
        # By name: what somebody else put there stays, and a segment's directory is never mistaken for an instance's.
        for name in sorted(INSTANCE_FILES):
            self.files.remove(f"{action.directory}/{name}")
        if not self.files.list(action.directory):
            self.files.remove(action.directory)

    # -- looking ------------------------------------------------------------------------------------------------------

    def observe(self) -> ObservedHost:
        """Everything there is on the host."""
        processes = self.processes.observe_processes()
        devices = self.namespaces.observe_devices()
        namespaces = sorted({device.namespace for device in devices})
        instances = tuple(self._instances(processes, devices))
        claimed = {(i.device.namespace, i.device.name) for i in instances if i.device is not None}
        strays = tuple(d for d in devices if d.name and (d.namespace, d.name) not in claimed)
        return ObservedHost(
            instances=instances,
            proxies=tuple(self._proxies(processes)),
            namespaces=tuple(namespaces),
            stray_devices=strays,
        )

    def _instances(
        self, processes: Sequence[ObservedProcess], devices: Sequence[ObservedDevice]
    ) -> Iterator[ObservedInstance]:
        running: dict[str, ObservedProcess] = {p.owner: p for p in processes if p.program == "dnsmasq"}
        confs = self.settings.confs_dir
        found = {*running, *instance_directories(confs, self.files.list)}
        for owner in sorted(found):
            segmentation, _, network_id = owner.rpartition("/")
            directory = f"{confs}/{owner}"
            interface = self.files.read(f"{directory}/interface")
            namespace = f"qdhcp-{network_id}"
            device: ObservedDevice | None = next(
                (d for d in devices if d.namespace == namespace and d.name and d.name == interface), None
            )
            yield ObservedInstance(
                key=InstanceKey(network_id=network_id, segmentation=segmentation or None),
                directory=directory,
                process=running.get(owner),
                host=self.files.read(f"{directory}/host"),
                addn_hosts=self.files.read(f"{directory}/addn_hosts"),
                opts=self.files.read(f"{directory}/opts"),
                leases=self.files.read(f"{directory}/leases"),
                interface=interface,
                dirty=self.files.read(f"{directory}/{DIRTY_MARK}") is not None,
                device=device,
            )

    def _proxies(self, processes: Sequence[ObservedProcess]) -> Iterator[ObservedProxy]:
        running: dict[str, ObservedProcess] = {p.owner: p for p in processes if p.program == "haproxy"}
        configs = self.files.list(self.settings.proxy_config_dir)
        known = {name.removesuffix(".conf") for name in configs if name.endswith(".conf")}
        for proxy_id in sorted(known | set(running)):
            path = f"{self.settings.proxy_config_dir}/{proxy_id}.conf"
            process = running.get(proxy_id)
            namespace = process.namespace if process is not None else None
            network_id = namespace.removeprefix("qdhcp-") if namespace else proxy_id
            yield ObservedProxy(
                network_id=network_id,
                proxy_id=proxy_id,
                process=process,
                config=self.files.read(path),
                config_path=path,
            )

    # -- the server ---------------------------------------------------------------------------------------------------

    def _fetch_networks(self) -> events.FetchedNetworks:
        fetched: events.FetchedNetworks = _parsed(wire.fetched_networks, self.server.get_active_networks_info())
        return fetched


def _parsed(parse: Any, payload: Any) -> Any:
    try:
        return parse(payload)
    except PayloadError as error:
        raise AdapterError(f"unreadable answer: {error}") from None


def _port(answer: Any) -> Port | None:
    port: Port | None = None if answer is None else _parsed(wire.parse_port, answer)
    return port


def _fault(error: AdapterError) -> events.Fault:
    """The kind of fault, told from the remote exception's class name at the start of the text."""
    return _FAULTS.get(str(error).partition(":")[0].strip(), "error")
