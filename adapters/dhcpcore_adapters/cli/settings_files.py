"""Option files: our TOML, and the ini files of OpenStack programs, both as pairs of a name and a value.

Knows the two formats; knows no option.  A name has its group before a dot (``AGENT.report_interval``), an option of
``[DEFAULT]``, or of no table, has none.  Every failure is a `CommandError` that names the file.
"""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dhcpcore_adapters.cli.errors import CommandError

Pair = tuple[str, Any]

#: Groups are told apart whatever their case, as in oslo.config; here is how they are spelt.
_GROUPS: Final = {
    "default": "",
    "agent": "AGENT",
    "ovs": "OVS",
    "dhcpcore": "dhcpcore",
    "metadata_haproxy": "metadata_haproxy",
    "metadata_rate_limiting": "metadata_rate_limiting",
}
_QUOTES: Final = "\"'"


def toml_options(path: str) -> list[Pair]:
    """The options of a TOML file (https://toml.io): tables are groups, and a table in a group has another dot."""
    try:
        document = tomllib.loads(text_of(path).removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise CommandError([f'{path}: not TOML: {error}; correct it (texts need quotes: host = "network-1")']) from None
    return list(_flat(document, ""))


def ini_options(path: str) -> list[Pair]:
    """The options of an ini file as oslo.config reads it: all values are texts, of a repeated name the last one counts.

    One pair of quotes around a value is not part of it.
    """
    parser = configparser.RawConfigParser(
        strict=False,
        default_section="\0none",  # [DEFAULT] is a group like others: its options are in no other one
        empty_lines_in_values=False,
        comment_prefixes=("#", ";"),
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text_of(path).removeprefix("\ufeff"), path)
    except configparser.Error as error:
        said = " ".join(error.message.split())
        raise CommandError([f"{said}; write each option as name = value, below a [group]"]) from None
    return [
        (grouped(section, name), _unquoted(value))
        for section in parser.sections()
        for name, value in parser[section].items()
    ]


def grouped(group: str, name: str) -> str:
    """An option's name with its group, spelt as we do."""
    known = _GROUPS.get(group.lower(), group)
    return f"{known}.{name}" if known else name


def respelt(name: str) -> str:
    """The same for a name that was written with its group and a dot."""
    group, dot, option = name.partition(".")
    return grouped(group, option) if dot else name


def text_of(path: str) -> str:
    """What a file has.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        return Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise CommandError([f"{path}: cannot be read: {error.strerror}; check the path"]) from None
    except UnicodeDecodeError as error:
        raise CommandError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None


def _flat(table: Mapping[str, Any], group: str) -> Iterator[Pair]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            inner = _GROUPS.get(name.lower(), name) if not group else f"{group}.{name}"
            yield from _flat(value, inner)
        else:
            yield (f"{group}.{name}" if group else respelt(name)), value


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        return value[1:-1]
    return value
