"""Whose DHCP agent would this be?  Told from the DHCP ports of networks when nobody says.

A DHCP port's device_id holds a UUID made of its host's name, and no name can be made of the UUID again; but the port
says where it is bound, and otherwise the UUID will do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from attrs import evolve, field, fields, frozen

from dhcpcore.errors import SettingsError
from dhcpcore.model.network import Network
from dhcpcore.model.port import DEVICE_OWNER_DHCP
from dhcpcore.model.settings import Settings, settings_from_mapping

_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DEVICE_ID: Final = re.compile(rf"dhcp({_UUID})-(.+)", re.DOTALL).fullmatch
_PROBE: Final = "network"


@frozen(kw_only=True)
class AssumedHost:
    """Settings of a host.

    Attributes:
        note: what is to be said about how the host was chosen; None: nothing.
        unknown: names of options that nobody here knows, sorted.
    """

    settings: Settings
    note: str | None = None
    unknown: tuple[str, ...] = ()


@frozen(kw_only=True)
class _KnownByUuid(Settings):
    """Settings of a host of which only the UUID in its DHCP ports' device ids is known."""

    host_uuid: str = field(default="", repr=False)

    def dhcp_device_id(self, network_id: str, segmentation_id: int | str | None = None) -> str:
        """As `Settings.dhcp_device_id`, without the host's name."""
        device_id = f"dhcp{self.host_uuid}-{network_id}"
        return f"{device_id}-{segmentation_id}" if segmentation_id else device_id


def settings_of_host(
    options: Mapping[str, Any],
    *,
    host: str | None = None,
    current: Collection[Network] = (),
    desired: Collection[Network] = (),
) -> AssumedHost:
    """Settings from a mapping of options, for a host: the one named here, or in the options, or else a likely one.

    Likely is the host with DHCP ports on most networks of `current`, then of `desired`; where there are none, the
    option keeps its default.

    Args:
        options: as `Settings.from_mapping` takes them.

    Raises:
        SettingsError: an option has a value that it cannot have.
    """
    settings, unknown = settings_from_mapping(options)
    if host is not None:
        return AssumedHost(settings=evolve(settings, host=host), unknown=unknown)
    if _names_host(options):
        return AssumedHost(settings=settings, unknown=unknown)
    now, later = Counter(_uuids(current)), Counter(_uuids(desired))
    found = sorted({*now, *later}, key=lambda uuid: (-now[uuid], -later[uuid], uuid))
    if not found:
        return AssumedHost(settings=settings, unknown=unknown)
    chosen = _of_uuid(found[0], [*current, *desired], settings)
    note = None
    if len(found) > 1:
        name = chosen.host if _known(chosen, found[0]) else f"the one with UUID {found[0]}"
        here, networks = (now, current) if now else (later, desired)
        count = f"{here[found[0]]} of {len(networks)} networks"
        note = f"there are DHCP ports of {len(found)} hosts; assuming {name}, which has ports on {count}"
    return AssumedHost(settings=chosen, note=note, unknown=unknown)


def _names_host(options: Mapping[str, Any]) -> bool:
    group = options.get("DEFAULT")
    return "host" in options or "DEFAULT.host" in options or (isinstance(group, Mapping) and "host" in group)


def _uuids(networks: Collection[Network]) -> Iterator[str]:
    for network in networks:
        yield from {uuid for uuid, _ in _dhcp_ports(network)}


def _dhcp_ports(network: Network) -> Iterator[tuple[str, str | None]]:
    """The UUID of the host, and where it is bound, of each DHCP port."""
    for port in network.ports:
        if port.device_owner == DEVICE_OWNER_DHCP and (match := _DEVICE_ID(port.device_id)) is not None:
            if match[2] == network.id or match[2].startswith(f"{network.id}-"):
                yield match[1], port.binding_host_id


def _of_uuid(uuid: str, networks: Collection[Network], settings: Settings) -> Settings:
    bound = Counter(host for network in networks for own, host in _dhcp_ports(network) if own == uuid and host)
    named = [settings]
    for host in sorted(bound, key=lambda host: (-bound[host], host)):
        with suppress(SettingsError):  # bound to what can be no host
            named.append(evolve(settings, host=host))
    for candidate in named:
        if _known(candidate, uuid):
            return candidate
    # A port that is bound to another host is none of ours, whatever its device_id says.
    likely = named[1] if len(named) > 1 else settings
    options: dict[str, Any] = {option.name: getattr(likely, option.name) for option in fields(Settings)}
    return _KnownByUuid(**options, host_uuid=uuid)


def _known(settings: Settings, uuid: str) -> bool:
    """Whether the host's name is the one of which the UUID was made."""
    return type(settings) is Settings and settings.dhcp_device_id(_PROBE) == f"dhcp{uuid}-{_PROBE}"
