"""Ini files as oslo.config reads them, by oslo.config: the same files, read as neutron-dhcp-agent reads them.

Knows that library's way with files; what an option may be is the settings' business, so every value is a text here.
Where the library is not installed, `settings_files.ini_options` reads the same files, without the library's
interpolation of other options than ``$state_path``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.neutron_options import REGISTERED
from dhcpcore_adapters.cli.settings_files import Pair, grouped, text_of


def oslo_config() -> ModuleType | None:
    """The library's module ``cfg``; None where it is not installed."""
    try:
        from oslo_config import cfg
    except ImportError:
        return None
    return cfg


def files_of(directory: str) -> list[str]:
    """The files of a directory that count, in the order in which they do (oslo.config, ``--config-dir``).

    Raises:
        CommandError: there is no such directory.
    """
    try:
        return sorted(str(path) for path in Path(directory).iterdir() if path.name.endswith(".conf"))
    except OSError as error:
        raise CommandError([f"{directory}: cannot be read: {error.strerror}; check the path"]) from None


def read_together(cfg: Any, files: Sequence[str]) -> dict[str, list[Pair]]:
    """What each file has, by its path; options that stand for others are replaced by what those are in all the files.

    Args:
        cfg: from `oslo_config`; files: in order, those of directories among them.

    Raises:
        CommandError: one cannot be read, or is no such file.
    """
    for path in files:
        text_of(path)  # tells of one that cannot be read in our words
    conf = cfg.ConfigOpts()
    for name, default in REGISTERED.items():
        group, _, option = name.rpartition(".")
        opt = cfg.StrOpt(option, default=default)
        conf.register_opt(opt, group=None if group == "DEFAULT" else group)
    found: dict[str, list[Pair]] = {}
    try:
        conf(args=[], project="neutron", prog="dhcpcore", default_config_files=list(files), default_config_dirs=[])
        for path in files:
            sections: dict[str, dict[str, list[str]]] = {}
            cfg.ConfigParser(path, sections).parse()
            found[path] = [
                (grouped(group, name), _value(cfg, conf, path, group, name, values[-1]))
                for group, options in sections.items()
                for name, values in options.items()
            ]
    except cfg.ConfigFileParseError as error:
        said = " ".join(str(error).split())
        raise CommandError([f"{said}; write each option as name = value, below a [group]"]) from None
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        raise CommandError([f"{' '.join(str(error).split())}; correct it and run again"]) from None
    return found


def _value(cfg: Any, conf: Any, path: str, group: str, name: str, text: str) -> str:
    """The value with its ``$name`` replaced, where this file's is the one that counts."""
    if "$" not in text and "\\" not in text:
        return text
    spelt = "DEFAULT" if group.lower() == "default" else group
    with suppress(cfg.Error, ValueError):
        # Registered late, an option is read from what was parsed before.
        if f"{spelt}.{name}" not in REGISTERED:
            conf.register_opt(cfg.StrOpt(name), group=None if spelt == "DEFAULT" else spelt)
        where = conf.get_location(name, None if spelt == "DEFAULT" else spelt)
        if where is not None and where.detail == path:
            holder = conf if spelt == "DEFAULT" else conf[spelt]
            return str(holder[name])
    return text
