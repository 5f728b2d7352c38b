"""From Neutron's words to the core's: the agent's configuration, and networks as the agent holds them.

Knows oslo.config's way to ask for an option, and that the agent's models are mappings; imports nothing of Neutron's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from dhcpcore import InstanceKey, Network, Settings, parse_network

#: A port that there is none of, for asking a driver how it names devices.
_NO_PORT: Final = "00000000-0000-0000-0000-000000000000"


def settings_of(conf: Any, driver: Any) -> Settings:
    """The settings that an agent's configuration amounts to; an option that it does not know has its default.

    Args:
        conf: the agent's `oslo_config.cfg.ConfigOpts`; `driver`: its interface driver, which names the devices.

    Raises:
        SettingsError: an option has a value that it cannot have, or devices are named in a way that is not known.
    """
    found: dict[str, Any] = {}
    for name, default in Settings().to_mapping().items():
        if isinstance(default, Mapping):
            group = _ask(conf, name)
            found[name] = {option: value for option in default if (value := _ask(group, option)) is not None}
        elif (value := _ask(conf, name)) is not None:
            found[name] = value
    # Only its naming of devices matters: plugging is Neutron's business here.
    found["interface_driver"] = "openvswitch"
    found["ovs_use_veth"] = str(driver.get_device_name(_Port())).startswith("ns-")
    return Settings.from_mapping(found)


def at(settings: Settings, confs_dir: str) -> Settings:
    """`settings` with the directory of all instances as the agent has it."""
    return evolve(settings, dhcp_confs=confs_dir)


def network_of(model: Any) -> Network:
    """A network of the agent's (a `NetModel`, for one segment with that segment's subnets only).

    Raises:
        PayloadError: it cannot be read; the error names the place.
    """
    return parse_network(_plain(model))


def is_known(model: Any) -> bool:
    """Whether a network of the agent's came from the server, rather than from the name of a directory.

    The server says of every network whether it is up, which the agent reads before it enables one; what the agent makes
    itself, at its start, has an id and empty lists.
    """
    return "admin_state_up" in model


def key_of(model: Any, segment: Any) -> InstanceKey:
    """The instance that serves a network, or one of its segments; a flat segment's is named ``None``."""
    segmentation = None if segment is None else str(segment.segmentation_id)
    return InstanceKey(network_id=model.id, segmentation=segmentation)


class _Port:
    id = _NO_PORT

    def __getitem__(self, name: str) -> str:
        return getattr(self, name)  # type: ignore[no-any-return]


def _ask(group: Any, name: str) -> Any:
    """An option's value, or a group; None where there is none of that name."""
    try:
        return getattr(group, name)
    except AttributeError:  # oslo.config's NoSuchOptError is one
        return None


def _plain(value: Any) -> Any:
    """The same of dicts and lists only: the agent's models are mappings of a class of their own."""
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value
