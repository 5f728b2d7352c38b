"""pyroute2 without what nobody here uses: importing its messages costs 20 ms, the whole of it 170 ms of each start.

Its package imports all that it has (databases of devices, network namespaces, an asyncio core) before any module in it
can be imported.  `prepare` puts the package in place without that; the rest comes as soon as somebody asks for it, an
interface driver of a third party say (``from pyroute2 import IPRoute``).  Knows the import system only.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, Final

_NAME: Final = "pyroute2"


def prepare() -> None:
    """Let modules of pyroute2 be imported alone; nothing where it is imported already, or not installed."""
    if _NAME in sys.modules:
        return
    spec = importlib.util.find_spec(_NAME)
    if spec is None or spec.loader is None:
        return  # whoever imports it says so
    package = importlib.util.module_from_spec(spec)
    loader = spec.loader

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
        if importlib.util.find_spec(f"{_NAME}.{name}") is not None:
            return importlib.import_module(f"{_NAME}.{name}")
        # None of its modules, so one of its classes: then all of it is wanted.
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, name)

    vars(package)["__getattr__"] = missing
    sys.modules[_NAME] = package
