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


def read_together(cfg: Any, files: Sequence[str], host: str) -> dict[str, list[Pair]]:
    """What each file has, by its path; options that stand for others are replaced by what those are in all the files.

    Args:
        cfg: from `oslo_config`; files: in order, those of directories among them.
        host: what ``$host`` stands for where no file has it.

    Raises:
        CommandError: one cannot be read, or is no such file.
    """
    for path in files:
        text_of(path)  # tells of one that cannot be read in our words
    conf = cfg.ConfigOpts()
    for name, default in REGISTERED.items():
        group, _, option = name.rpartition(".")
        opt = cfg.StrOpt(option, default=host if name == "DEFAULT.host" else default)
        conf.register_opt(opt, group=None if group == "DEFAULT" else group)
    raw: dict[str, dict[str, dict[str, list[str]]]] = {path: {} for path in files}
    try:
        conf(args=[], project="neutron", prog="dhcpcore", default_config_files=list(files), default_config_dirs=[])
        for path, sections in raw.items():
            cfg.ConfigParser(path, sections).parse()
    except cfg.ConfigFileParseError as error:
        said = " ".join(str(error).split())
        raise CommandError([f"{said}; write each option as name = value, below a [group]"]) from None
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        raise CommandError([f"{' '.join(str(error).split())}; correct it and run again"]) from None
    # The library says of every option that it stands in the file that was read last.
    counts = {
        (group.lower(), name): path
        for path, sections in raw.items()
        for group, options in sections.items()
        for name in options
    }

    def value(path: str, group: str, name: str, text: str) -> str:
        # One that is overridden is not looked at again.
        return _replaced(cfg, conf, group, name, text) if counts[group.lower(), name] == path else text

    return {
        path: [
            (grouped(group, name), value(path, group, name, values[-1]))
            for group, options in sections.items()
            for name, values in options.items()
        ]
        for path, sections in raw.items()
    }


def _replaced(cfg: Any, conf: Any, group: str, name: str, text: str) -> str:
    """The value, with what stands there for another option; as it is written where that cannot be done."""
    if "$" not in text:
        return text
    spelt = None if group.lower() == "default" else grouped(group, "").rstrip(".")
    with suppress(cfg.Error, ValueError):
        if f"{spelt or 'DEFAULT'}.{name}" not in REGISTERED:
            # Registered late, an option is read from what was parsed before.
            conf.register_opt(cfg.StrOpt(name), group=spelt)
        return str(conf[name] if spelt is None else conf[spelt][name])
    return text
