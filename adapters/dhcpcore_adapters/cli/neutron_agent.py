"""An agent whose settings are neutron-dhcp-agent's own files: which of our parts stand for Neutron's.

Knows names on both sides; reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dhcpcore import Settings
from dhcpcore_adapters.cli.neutron_options import stance_of

#: The transport that speaks with Neutron.
TRANSPORT: Final = "oslo"

_DRIVERS: Final[Mapping[str, str]] = {
    "linuxbridge": "bridge",
    "neutron.agent.linux.interface.BridgeInterfaceDriver": "bridge",
    "neutron.agent.linux.interface.NullDriver": "null",
    "neutron.agent.linux.interface.OVSInterfaceDriver": "openvswitch",
}
#: Options of Neutron's that our interface driver of this name takes as its own.
_DRIVER_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "openvswitch": {"OVS.ovsdb_connection": "ovsdb_connection", "OVS.ovsdb_timeout": "ovsdb_timeout"}
}
_BROKER: Final = "transport in [dhcpcore] is the way to the server"
#: What is oslo.messaging's, and only the transport `TRANSPORT` has a use for.
_MESSAGES: Final = frozenset(
    {"transport_url", "control_exchange", "rpc_response_timeout", "rpc_response_max_timeout", "oslo_messaging_rabbit"}
)


def our_driver(name: str) -> str | None:
    """The name of our interface driver that does what Neutron's of this name does; None where it needs no other."""
    return _DRIVERS.get(name)


def driver_options(driver: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What a driver of ours is given of Neutron's options.

    Args:
        extra: options that the settings do not have, by ``group.option``.
    """
    return {ours: extra[name] for name, ours in _DRIVER_OPTIONS.get(driver, {}).items() if name in extra}


def transport_options(
    settings: Settings, given: Iterable[str], files: Sequence[str], directories: Sequence[str]
) -> dict[str, Any]:
    """What the transport `TRANSPORT` is made with, beside what the group ``dhcpcore.transport_options`` has.

    Args:
        given: names of the options that are set anywhere; files, directories: for oslo.messaging's own options.
    """
    options: dict[str, Any] = {"max_call_timeout": settings.rpc_response_max_timeout}
    if settings.report_interval > 0:
        # As the stock agent has it: a report is worth nothing any more when the next one is due.
        options["report_timeout"] = settings.report_interval
    for name in ("transport_url", "control_exchange"):
        if name in given:
            options[name] = getattr(settings, name)
    if files or directories:
        options |= {"config_files": list(files), "config_dirs": list(directories)}
    return options


def unhonoured(name: str, transport: str) -> str | None:
    """What is to be said of an option that is set: what happens instead of what it says; None: nothing.

    Args:
        name: as `stance_of` takes it; transport: by name.
    """
    if name.partition(".")[0] in _MESSAGES:
        return _BROKER if transport == "websocket" else None
    stance = stance_of(name)
    return stance.words if stance is not None and stance.kind in ("differently", "not") else None
