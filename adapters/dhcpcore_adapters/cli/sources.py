"""Where a command's settings come from: files in the order they were named, then single options, which override them.

Knows which group is whose and how to say where a wrong value stood; what a value may be is the settings' business.
Reads everything anew each time it is asked, so a running agent can read its settings again.
"""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from attrs import evolve, field, frozen

from dhcpcore import Settings, SettingsError, option_name
from dhcpcore_adapters.agent.options import GROUP, AgentOptions
from dhcpcore_adapters.cli import neutron_agent
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.neutron_options import stance_of
from dhcpcore_adapters.cli.oslo_files import files_of, oslo_config, read_together
from dhcpcore_adapters.cli.settings_files import Pair, ini_options, respelt, toml_options

#: Options of the group dhcpcore that are tables themselves.
_TABLES: Final = ("transport_options", "interface_driver_options")
_OWN: Final = frozenset(AgentOptions.__annotations__)

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?").fullmatch


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
        files: kind and path, in order; of an option that stands in several the last counts.  All of ``dir``, a
            directory of ini files, comes after the last file, as in oslo.config.
        singles: ``NAME=VALUE``, which override the files.
    """

    files: tuple[tuple[Literal["toml", "ini", "dir"], str], ...] = ()
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
        extra: dict[str, _Place] = {}
        for path, pairs in self._pairs():
            unknown = _sort_in(pairs, path, wanted, own, extra)
            if unknown:
                names = ", ".join(sorted(unknown))
                notes.append(f"{path}: not known here, and without effect: {names}")
        unknown = _sort_in([_single(text) for text in self.singles], "-o", wanted, own, extra)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise CommandError([f"-o: there is no option {names}; docs/settings.md has them all"])
        wanted.setdefault("host", _Place(self.host, "the system's host name"))
        driver = wanted.get("interface_driver")
        if driver is not None and (ours := neutron_agent.our_driver(str(driver.value))) is not None:
            notes.append(f"{driver.where}: interface_driver is {driver.value}; dhcpcore's driver {ours} stands for it")
            wanted["interface_driver"] = _Place(ours, driver.where)
        settings, options = _settings(wanted), _own_options(own)
        options = self._as_neutron_has_it(options, settings, wanted.keys(), own.keys(), extra)
        told = {**wanted, **extra}
        for name in sorted(told):
            if (instead := neutron_agent.unhonoured(name, options.transport)) is not None:
                notes.append(f"{told[name].where}: {name} is read and has no effect: {instead}")
        return Read(settings, options, tuple(notes))

    def _pairs(self) -> Iterator[tuple[str, list[Pair]]]:
        """Each file with what it has, in order."""
        named = [path for kind, path in self.files if kind == "ini"]
        in_directories = [path for kind, name in self.files if kind == "dir" for path in files_of(name)]
        files = [*named, *in_directories]
        # Who has no such file does not wait for the library.
        cfg = oslo_config() if files else None
        together = {} if cfg is None else read_together(cfg, files, self.host)
        for kind, path in self.files:
            if kind == "toml":
                yield path, toml_options(path)
            elif kind == "ini":
                yield path, together[path] if path in together else ini_options(path)
        for path in in_directories:
            yield path, together[path] if path in together else ini_options(path)

    def _as_neutron_has_it(
        self,
        options: AgentOptions,
        settings: Settings,
        wanted: Iterable[str],
        own: Iterable[str],
        extra: Mapping[str, _Place],
    ) -> AgentOptions:
        """With the files of a Neutron agent, its way to the server is ours; its driver's options are our driver's."""
        files, directories = (tuple(path for kind, path in self.files if kind == which) for which in ("ini", "dir"))
        transport = options.transport
        # A URL in our own group is that of our own transport.
        if (files or directories) and "transport" not in own and "url" not in options.transport_options:
            transport = neutron_agent.TRANSPORT
        values = {name: place.value for name, place in extra.items()}
        driver = {**neutron_agent.driver_options(settings.interface_driver, values), **options.interface_driver_options}
        given = options.transport_options
        if transport == neutron_agent.TRANSPORT:
            given = {**neutron_agent.transport_options(settings, tuple(wanted), files, directories), **given}
        return evolve(options, transport=transport, transport_options=given, interface_driver_options=driver)


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
        "--config-dir",
        metavar="DIRECTORY",
        dest="files",
        action="append",
        type=lambda path: ("dir", path),
        help="a directory of such files: its *.conf, in the order of their names, after all that are named",
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


def _sort_in(
    pairs: Iterable[Pair],
    where: str,
    wanted: dict[str, _Place],
    own: dict[str, _Place],
    extra: dict[str, _Place],
) -> list[str]:
    """Put each pair where it belongs, Neutron's that the settings do not have to `extra`; the names of all others."""
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
            elif (stance := stance_of(spelling)) is not None and (stance.kind != "unused" or where != "-o"):
                extra[spelling] = _Place(value, where)
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
