"""Finding what third parties plug in: by the name of an entry point, or by a class path.

Knows entry points; nothing of what is found.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from dhcpcore import SettingsError


def make(
    name: str,
    options: Mapping[str, Any],
    *,
    group: str,
    ours: Mapping[str, str],
    option: str,
    kind: str,
    by: Callable[[Callable[..., object]], Callable[..., object]] = lambda found: found,
) -> object:
    """An object of the class that is called so.

    Args:
        name: an entry point of `group`, a key of `ours`, or a class path ``package.module:Class``
            (``package.module.Class``, as Neutron writes it, will do).
        options: keyword arguments for the class.
        ours: class paths by name, found without an installation's metadata too.
        option: the setting that gave the name, for errors; kind: what it names, in a word.
        by: what is called in place of the class.

    Raises:
        SettingsError: there is no such class, or it cannot be imported or made.
    """
    made = by(_find(name, group, ours, option, kind))
    try:
        return made(**options)
    except TypeError as error:
        expected = f"a {kind} that takes the options {sorted(options)}"
        raise SettingsError(option, expected, f"{name}: {error}") from error


def _find(name: str, group: str, ours: Mapping[str, str], option: str, kind: str) -> Callable[..., object]:
    points = list(entry_points(group=group, name=name))
    path = ours.get(name, name)
    module, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    if not points and not (module and attribute):
        known = sorted({*ours, *(point.name for point in entry_points(group=group))})
        raise SettingsError(option, f"one of {', '.join(known)}, or package.module:Class", repr(name))
    try:
        found: object = points[0].load() if points else importlib.import_module(module)
        for part in () if points else attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise SettingsError(option, f"a {kind} that can be imported", f"{name}: {error}") from error
    if not callable(found):
        raise SettingsError(option, "a class", f"{name}: a {type(found).__name__}")
    return found
