"""What an agent on a host is told besides the core's `Settings`: how it reaches its server, and what lies where.

Values only; who reads them from files is the command line's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Factory, field, frozen

from dhcpcore import Settings, SettingsError

#: The group of these options in a file.
GROUP = "dhcpcore"


def _text(name: str, value: Any) -> str:
    if type(value) is not str or not value or not value.isprintable():
        raise SettingsError(f"{GROUP}.{name}", "a text", repr(value))
    return value


def _options(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{GROUP}.{name}", "a table of options", repr(value))
    return dict(value)


@frozen(kw_only=True)
class AgentOptions:
    """Options of the group ``dhcpcore``.

    Attributes:
        transport: name or class path of the way to the server; transport_options: its own, ``url`` for ``websocket``.
        interface_driver_options: keyword arguments of the interface driver's class.
        netns_directory: where named network namespaces are.
        control_socket: unix socket for ``dhcpcore status``; ``$state_path`` may stand in it.
        lock_file: held as long as the agent runs; a second one refuses to start.
        durable_files: flush each file to the disk before dnsmasq is told of it.
        journal: directory of the journal; ``$state_path`` may stand in it; None: there is none.
        journal_size: bytes of one of its files; journal_files: how many of that size are kept.

    Raises:
        SettingsError: an option is not what it must be.
    """

    transport: str = "websocket"
    transport_options: Mapping[str, Any] = field(default=Factory(dict))
    interface_driver_options: Mapping[str, Any] = field(default=Factory(dict))
    netns_directory: str = "/run/netns"
    control_socket: str = "$state_path/dhcpcore.sock"
    lock_file: str = "$state_path/dhcpcore.lock"
    durable_files: bool = False
    journal: str | None = None
    journal_size: int = 64 << 20
    journal_files: int = 4

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> AgentOptions:
        """Options by name; what is absent has its default.

        Raises:
            SettingsError: an unknown option (these are all ours, so it is a misspelt one), or a wrong value.
        """
        read: dict[str, Any] = {}
        for name, value in mapping.items():
            match name:
                case "transport_options" | "interface_driver_options":
                    read[name] = _options(name, value)
                case "durable_files":
                    read[name] = _switch(name, value)
                case "journal_size":
                    read[name] = _number(name, value, least=1 << 20, most=1 << 40)
                case "journal_files":
                    read[name] = _number(name, value, least=2, most=1000)
                case "journal":
                    read[name] = _text(name, value) if value else None
                case "transport" | "netns_directory" | "control_socket" | "lock_file":
                    read[name] = _text(name, value)
                case _:
                    known = ", ".join(attribute for attribute in cls.__annotations__)
                    raise SettingsError(f"{GROUP}.{name}", f"one of the options {known}", "an unknown option")
        return cls(**read)

    def place(self, path: str, settings: Settings) -> str:
        """`path` with ``$state_path`` replaced."""
        return settings.expanded(path)


def _switch(name: str, value: Any) -> bool:
    if type(value) is bool:
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if type(value) is str and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise SettingsError(f"{GROUP}.{name}", "true or false", repr(value))


def _number(name: str, value: Any, *, least: int, most: int) -> int:
    text = str(value).strip() if type(value) in (int, str) else ""
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise SettingsError(f"{GROUP}.{name}", f"a whole number from {least} to {most}", repr(value))
