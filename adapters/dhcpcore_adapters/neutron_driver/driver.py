"""The driver that Neutron's agent makes for each thing it wants done to one network, or one segment of it.

Knows the agent's flow (neutron/agent/dhcp/agent.py, call_driver): `enable` at every start and update, `restart` when
its own port changed, `reload_allocations` for ports, `disable`.  All but the last come to one question to the core,
whose answer may be: nothing.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from neutron.agent.linux import dhcp, ip_lib
from neutron_lib import exceptions
from oslo_log import log as logging
from oslo_utils import netutils, uuidutils

from dhcpcore import (
    AdapterError,
    DhcpCoreError,
    HostCapabilities,
    Lease,
    Network,
    PayloadError,
    Port,
    Settings,
    wants_metadata_proxy,
)
from dhcpcore.actions import ApplyAction, ReleaseLeases
from dhcpcore.events import LeasesLeft
from dhcpcore.recipes import Call, follow, recipe
from dhcpcore_adapters.files import DiskFileStore
from dhcpcore_adapters.neutron_driver.decide import Instance, needed
from dhcpcore_adapters.neutron_driver.hands import NeutronProcesses, has_proxy, with_log_directory
from dhcpcore_adapters.neutron_driver.installed import installed_dnsmasq
from dhcpcore_adapters.neutron_driver.translate import at, is_known, key_of, network_of, settings_of

LOG: Final = logging.getLogger(__name__)


class Dnsmasq(dhcp.Dnsmasq):
    """Neutron's driver with dhcpcore's decisions; what is not told here is as in Neutron."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._files = DiskFileStore()
        self._key = key_of(self.network, self.segment)
        self._processes = NeutronProcesses(
            self._get_process_manager, key=self._key, files=self._files, release=self._release
        )

    # -- the class ----------------------------------------------------------------------------------------------------

    @classmethod
    def check_version(cls) -> str:
        """The version of the installed dnsmasq.

        Raises:
            AdapterError: there is none, or it is too old; the agent does not start.
        """
        return ".".join(map(str, installed_dnsmasq().version))

    @classmethod
    def existing_dhcp_networks(cls, conf: Any) -> list[str]:
        """Ids of the networks that anything is there of; Neutron's forgets those that are served by segments."""
        top = cls.get_confs_dir(conf)
        found = set(super().existing_dhcp_networks(conf))
        for segment in _segments(top):
            found.update(name for name in os.listdir(os.path.join(top, segment)) if uuidutils.is_uuid_like(name))
        return sorted(found)

    @classmethod
    def should_enable_metadata(cls, conf: Any, network: Any) -> bool:
        """Whether the network needs a metadata proxy; one that is not known yet keeps the one that it has."""
        if not is_known(network):
            return has_proxy(conf, network)
        try:
            return wants_metadata_proxy(network_of(network), Settings.from_mapping(_metadata_options(conf)))
        except DhcpCoreError as error:
            LOG.error("Network %(id)s cannot be read: %(error)s", {"id": network.id, "error": error})
            return False

    # -- what the agent calls -----------------------------------------------------------------------------------------

    def enable(self) -> None:
        """Serve the network: device and port by Neutron's code, the rest as far as it is needed."""
        if not self._enable_dhcp():
            if self.active:
                self.disable(retain_port=True)
            return
        with self._watched():
            name = self.device_manager.setup(self.network, self.segment)
            self._act()
        self._add_running_interface(name, self.network.id)

    def restart(self) -> None:
        """The same: whether dnsmasq has to be started anew is told by what is wanted, not by who asks."""
        self.enable()

    def reload_allocations(self) -> None:
        """Serve the network's ports as they are now."""
        if not is_known(self.network):
            self._ask()
        elif not self._enable_dhcp():
            self.disable()
        elif self.interface_name:
            with self._watched():
                self._act()
            self.device_manager.update(self.network, self.interface_name)
        else:
            LOG.debug("Network %s has no device here, nothing is reloaded", self.network.id)

    def disable(self, retain_port: bool = False, block: bool = False, **_: Any) -> None:
        """Stop serving; without `retain_port` the port, the device, the files and at the end the namespace go."""
        if not retain_port and self.segment is None:
            for other in self._of_segments():
                other.disable()
        self._unwatch()
        self._processes.stop_dnsmasq(self._key)
        self._del_running_interface(self.interface_name, self.network.id)
        if not retain_port:
            self._destroy_namespace_and_port()
            self._remove_config_files()

    def clean_devices(self) -> None:
        """Unplug what belongs to no port; of a network whose ports are not known that cannot be told."""
        if is_known(self.network):
            super().clean_devices()

    # -- how ----------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """What to do for a port of a network of which the agent has no more than the id.

        It holds such a one, with neither subnets nor ports, for whatever its host served before it started, until it
        has enabled it.  Nothing is undone on its account: of that only the server's answer tells.

        Raises:
            AdapterError: it is to be served, so the agent asks for it again and enables it.
        """
        network = self.device_manager.plugin.get_network_info(self.network.id)
        if network is None:
            return  # the agent is told of that too
        if not any(subnet.enable_dhcp for subnet in network.subnets):
            self.disable()
            return
        self._read(network)
        raise AdapterError(f"network {self.network.id} is not enabled since the agent's start; it is fetched anew")

    def _act(self) -> None:
        instance = self._instance(self._read(self.network))
        action = needed(instance, self._files, self._processes.running())
        if isinstance(action, ApplyAction):
            self._tell(action)
            # As Neutron does it: its monitor would take one that is stopped to be started anew for dead.
            self._unwatch()
            self._carry_out(action, instance)
            self._watch(action.spec.argv)
        elif action is not None:
            self.disable(retain_port=True)

    def _carry_out(self, action: ApplyAction, instance: Instance) -> None:
        """A lease that is not released is no failure, as with Neutron: the agent would resync for it, for ever."""
        try:
            result = follow(recipe(action, instance.settings), self._make)
        except AdapterError as error:
            if not isinstance(action, ReleaseLeases):
                raise
            result = LeasesLeft(reason=str(error))
        if isinstance(result, LeasesLeft):
            LOG.warning("%(reason)s; tried again at the network's next event", {"reason": result.reason})

    def _read(self, model: Any) -> Network:
        try:
            return network_of(model)
        except PayloadError as error:
            # Asking again would bring the same; the next notification may not.
            LOG.error("Network %(id)s cannot be served: %(error)s", {"id": model.id, "error": error})
            raise exceptions.Conflict() from None

    def _instance(self, network: Network) -> Instance:
        driver = self.device_manager.driver
        settings = with_log_directory(settings_of(self.conf, driver), network.id)
        return Instance(
            key=self._key,
            network=network,
            port=self._own_port(network),
            settings=at(settings, self.confs_dir),
            capabilities=HostCapabilities(
                dnsmasq=installed_dnsmasq(),
                ipv6_enabled=netutils.is_ipv6_enabled(),
                bridged=driver.bridged,
                use_gateway_ips=driver.use_gateway_ips,
            ),
        )

    def _own_port(self, network: Network) -> Port:
        device_id = self.device_manager.get_device_id(self.network, self.segment)
        for port in network.ports:
            if port.device_id == device_id:
                return port
        raise exceptions.Conflict()  # it was taken away; the agent is told of that too

    def _make(self, call: Call) -> Any:
        """Carry out one call of a recipe. The device is there already, and files are written where they differ."""
        if call.contract == "namespaces":
            return None
        if call.contract == "files":
            if call.method == "write" and self._files.read(call.arguments[0]) == call.arguments[1]:
                return None
            return getattr(self._files, call.method)(*call.arguments)
        return getattr(self._processes, call.method)(*call.arguments)

    def _unwatch(self) -> None:
        self.process_monitor.unregister(self._get_process_uuid(), dhcp.DNSMASQ_SERVICE_NAME)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Whatever comes of what is done meanwhile, dnsmasq is watched where it runs then."""
        try:
            yield
        finally:
            if (running := self._processes.running()) is not None:
                self._watch(running.argv)

    def _watch(self, argv: Sequence[str]) -> None:
        """Have Neutron's monitor look after it, and start it with the same command line where it dies."""
        manager = self._get_process_manager(lambda _: list(argv))
        self.process_monitor.register(
            uuid=manager.uuid, service_name=dhcp.DNSMASQ_SERVICE_NAME, monitored_process=manager
        )

    def _release(self, lease: Lease) -> None:
        iaid = str(lease.iaid) if lease.iaid is not None else None
        self._release_lease(
            lease.mac_address, lease.ip_address, lease.ip_version, lease.client_id, lease.server_id, iaid
        )

    def _tell(self, action: ApplyAction) -> None:
        LOG.info(
            "dnsmasq of %(key)s: %(kind)s: %(reasons)s",
            {"key": self._key, "kind": action.kind, "reasons": "; ".join(action.reasons)},
        )
        for warning in action.spec.warnings:
            LOG.warning("%(code)s: %(subject)s: %(message)s", {name: getattr(warning, name) for name in _WARNING})

    # -- segments -----------------------------------------------------------------------------------------------------

    def _of_segments(self) -> list[Dnsmasq]:
        """Drivers of all instances of this network that serve a segment, told from their directories."""
        found = []
        for name in _segments(self.confs_dir):
            if os.path.isdir(os.path.join(self.confs_dir, name, self.network.id)):
                segment = dhcp.DictModel(segmentation_id=None if name == "None" else int(name))
                plugin = self.device_manager.plugin
                found.append(type(self)(self.conf, self.network, self.process_monitor, self.version, plugin, segment))
        return found

    def _destroy_namespace_and_port(self) -> None:
        """The namespace goes with the network's last instance; Neutron's takes it from under the others."""
        try:
            self.device_manager.destroy(self.network, self.interface_name, self.segment)
        except RuntimeError:
            LOG.warning("Failed to delete interface %s", self.interface_name)
        others = [name for name in [".", *_segments(self.confs_dir)] if self._is_served(name)]
        if not others:
            try:
                ip_lib.delete_network_namespace(self.network.namespace)
            except RuntimeError:
                LOG.warning("Failed to delete namespace %s", self.network.namespace)

    def _is_served(self, segment: str) -> bool:
        directory = os.path.normpath(os.path.join(self.confs_dir, segment, self.network.id))
        return directory != self.network_conf_dir and os.path.exists(os.path.join(directory, "interface"))


_WARNING: Final = ("code", "subject", "message")


def _segments(top: str) -> list[str]:
    """Directories of segments: their segmentation ids, and ``None`` for flat ones."""
    try:
        return sorted(name for name in os.listdir(top) if name == "None" or name.isdecimal())
    except OSError:
        return []


def _metadata_options(conf: Any) -> dict[str, bool]:
    names = ("enable_isolated_metadata", "force_metadata", "enable_metadata_network")
    return {name: bool(getattr(conf, name)) for name in names}
