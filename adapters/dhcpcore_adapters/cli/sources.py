"""Where a command's settings come from: files in the order they were named, then single options, which override them.

Knows which group is whose and how to say where a wrong value stood; what a value may be is the settings' business.
Reads everything anew each time it is asked, so a running agent can read its settings again.
"""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from attrs import field, frozen

from dhcpcore import Settings, SettingsError, option_name
from dhcpcore_adapters.agent.options import GROUP, AgentOptions
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.settings_files import Pair, ini_options, respelt, toml_options

#: Options of the group dhcpcore that are tables themselves.
_TABLES: Final = ("transport_options", "interface_driver_options")
_OWN: Final = frozenset(AgentOptions.__annotations__)

#: Options of neutron-dhcp-agent that are read and not acted on, and what happens instead.
_INSTEAD: Final[Mapping[str, str]] = {
    "resync_interval": "what failed is tried again after retry_interval_initial to retry_interval_max seconds",
    "dhcp_driver": "dhcpcore runs dnsmasq itself; the name only goes into state reports",
    "root_helper": "no helper is called: the agent needs its privileges itself",
    "root_helper_daemon": "no helper is called: the agent needs its privileges itself",
    "use_helper_for_ns_read": "no helper is called: the agent needs its privileges itself",
    "check_child_processes_interval": "the death of a process is noticed at once",
    "kill_scripts_path": "processes are stopped by signals, without scripts",
    "rpc_response_max_timeout": "call_timeout in [dhcpcore.transport_options] bounds a call",
}
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?").fullmatch
_BROKER: Final = "transport in [dhcpcore] is the way to the server"


class Read(NamedTuple):
    """What was read; `notes` are for people, one line each."""

    settings: Settings
    options: AgentOptions
    notes: tuple[str, ...]


@frozen
class _Place:
    """A value, and what to call the place where it stood."""

    value: Any
    where: str


@frozen(kw_only=True)
class Sources:
    """What the command line named.

    Attributes:
        files: kind and path, in order; of an option that stands in several the last counts.
        singles: ``NAME=VALUE``, which override the files.
    """

    files: tuple[tuple[Literal["toml", "ini"], str], ...] = ()
    singles: tuple[str, ...] = ()
    host: str = field(factory=socket.gethostname)

    def read_for_server(self) -> Read:
        """The same, for who speaks with the server.

        Raises:
            CommandError: as `read`; or nothing says where the server is.
        """
        read = self.read()
        if read.options.transport == "websocket" and "url" not in read.options.transport_options:
            example = "-o dhcpcore.transport_options.url=unix:///run/dhcpcore-server.sock"
            raise CommandError(
                [f"nothing says where the server is: set url in the table [dhcpcore.transport_options], or {example}"]
            )
        return read

    def read(self) -> Read:
        """Settings and options as they are written now.

        Raises:
            CommandError: a file cannot be read, or an option has a value that it cannot have.
        """
        notes: list[str] = []
        wanted: dict[str, _Place] = {}
        own: dict[str, _Place] = {}
        for kind, path in self.files:
            pairs = toml_options(path) if kind == "toml" else ini_options(path)
            unknown = _sort_in(pairs, path, wanted, own)
            if unknown:
                names = ", ".join(sorted(unknown))
                notes.append(f"{path}: not known here, and without effect: {names}")
        unknown = _sort_in([_single(text) for text in self.singles], "-o", wanted, own)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise CommandError([f"-o: there is no option {names}; docs/settings.md has them all"])
        wanted.setdefault("host", _Place(self.host, "the system's host name"))
        options = _own_options(own)
        notes.extend(_unhonoured(wanted, options))
        return Read(_settings(wanted), options, tuple(notes))


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where settings come from; `sources_of` reads them."""
    group = parser.add_argument_group(
        "settings", "files in the order given, then single options; later ones override earlier ones (docs/settings.md)"
    )
    group.add_argument(
        "--config",
        metavar="FILE.toml",
        dest="files",
        action="append",
        type=lambda path: ("toml", path),
        help="a TOML file with Neutron's option names, and ours in the table [dhcpcore]",
    )
    group.add_argument(
        "--config-file",
        metavar="FILE.conf",
        dest="files",
        action="append",
        type=lambda path: ("ini", path),
        help="an ini file as Neutron's agents read it: neutron.conf, dhcp_agent.ini; ours in the group [dhcpcore]",
    )
    group.add_argument(
        "-o", metavar="NAME=VALUE", dest="singles", action="append", help="one option, e.g. AGENT.report_interval=10"
    )


def sources_of(options: argparse.Namespace) -> Sources:
    """What the command line named."""
    return Sources(files=tuple(options.files or ()), singles=tuple(options.singles or ()))


def _single(text: str) -> Pair:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise CommandError([f"-o {text}: expected NAME=VALUE, as in -o AGENT.report_interval=10"])
    return respelt(name.strip()), value.strip()


def _sort_in(pairs: Iterable[Pair], where: str, wanted: dict[str, _Place], own: dict[str, _Place]) -> list[str]:
    """Put each pair where it belongs; the names that belong nowhere."""
    unknown: list[str] = []
    here: dict[str, str] = {}
    for spelling, value in pairs:
        group, _, rest = spelling.partition(".")
        if group == GROUP and (rest in _OWN or rest.partition(".")[0] in _TABLES):
            own[rest] = _Place(value, where)
            continue
        # Our own group may hold any option: those that only we have are at home there.
        name = option_name(rest if group == GROUP else spelling)
        if name is None:
            if group == GROUP:
                own[rest] = _Place(value, where)  # all of these are ours: it is refused by name
            else:
                unknown.append(spelling)
            continue
        if name in here and here[name] != spelling and where != "-o":
            raise CommandError(
                [f"{where}: option {name} stands there twice, as {here[name]} and as {spelling}; keep one"]
            )
        here[name] = spelling
        wanted[name] = _Place(value, where)
    return unknown


def _own_options(own: Mapping[str, _Place]) -> AgentOptions:
    tables: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    flat: dict[str, Any] = {}
    for name, place in own.items():
        table, dot, member = name.partition(".")
        if dot and table in tables:
            tables[table][member] = _typed(place.value)
        else:
            flat[name] = place.value
    try:
        return AgentOptions.from_mapping({**flat, **{name: table for name, table in tables.items() if table}})
    except SettingsError as error:
        raise _refused(error, own, error.option.removeprefix(f"{GROUP}.")) from None


def _settings(wanted: Mapping[str, _Place]) -> Settings:
    try:
        return Settings.from_mapping({name: place.value for name, place in wanted.items()})
    except SettingsError as error:
        raise _refused(error, wanted, error.option) from None


def _refused(error: SettingsError, places: Mapping[str, _Place], name: str) -> CommandError:
    where = places[name].where if name in places else "the settings together"
    return CommandError([f"{where}: {error}; correct it and run again"])


def _typed(value: Any) -> Any:
    """Options of a transport or driver have types that nobody here knows: a text that reads as a number is one."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if _NUMBER(value):
        return float(value) if "." in value else int(value)
    return value


def _unhonoured(wanted: Mapping[str, _Place], options: AgentOptions) -> Iterable[str]:
    instead = dict(_INSTEAD)
    if options.transport == "websocket":
        instead |= {"transport_url": _BROKER, "control_exchange": _BROKER}
    for name in sorted(wanted.keys() & instead.keys()):
        yield f"{wanted[name].where}: {name} is read and has no effect: {instead[name]}"
