"""The core does no I/O, tells no time, draws no numbers: held by reading its source.

Import contracts (pyproject.toml) hold the imports of modules; this test also sees calls, and names its exceptions:
`dhcpcore.testing` is no part of the pure core, and one module may read the core's own templates.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]

# What the core may import. A module comes in here when somebody has looked that it can do without I/O, clock, chance.
# fmt: off
PURE_MODULES: Final = frozenset({
    # ours, and the three dependencies
    "dhcpcore", "attr", "attrs", "immutables", "jinja2",
    # the language
    "__future__", "abc", "builtins", "collections", "contextlib", "copy", "dataclasses", "enum", "functools",
    "itertools", "operator", "types", "typing", "weakref",
    # values and texts
    "array", "base64", "binascii", "bisect", "codecs", "datetime", "decimal", "difflib", "hashlib", "heapq",
    "ipaddress", "json", "math", "re", "reprlib", "shlex", "string", "struct", "textwrap", "unicodedata", "uuid",
    "zlib",
    # in part, see PURE_PARTS
    "posixpath", "sys",
})
# Modules with pure and impure parts: only these names may be used, and the module must be imported under its own name.
PURE_PARTS: Final = {
    "posixpath": frozenset({"basename", "commonpath", "dirname", "isabs", "join", "normpath", "split", "splitext"}),
    "sys": frozenset({"getsizeof", "intern", "maxsize", "maxunicode", "version_info"}),
}

# Names that are impure wherever they stand, called or handed on.
IMPURE_NAMES: Final = frozenset({
    "open", "print", "input", "eval", "exec", "compile", "breakpoint", "__import__", "Path", "os",
    # Jinja's own ways to a file system
    "FileSystemLoader", "PackageLoader", "ModuleLoader", "FileSystemBytecodeCache", "MemcachedBytecodeCache",
})
# Attributes that are impure whatever they are taken from, and when they are only handed on (as a default factory is).
IMPURE_ATTRIBUTES: Final = IMPURE_NAMES - {"compile"} | {
    "utcnow", "today", "uuid1", "uuid4", "getnode", "urandom",
    "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time_ns",
    "read_text", "read_bytes", "write_text", "write_bytes",
}
# fmt: on
# Impure when called; as the name of a field they are fine (`now` is a parameter of every plan).
IMPURE_CALLS: Final = frozenset({"now", "time", "sleep", "localtime", "gmtime", "ctime"})
# The owners whose methods these are, even when they are only handed on.
CLOCK_OWNERS: Final = frozenset({"datetime", "date", "time"})

# What the one module that reads the templates may do beyond the rest.
TEMPLATE_READING: Final = frozenset({"importlib", "importlib.resources", "read_text"})


def core_files() -> list[Path]:
    package = ROOT / "dhcpcore"
    return sorted(path for path in package.rglob("*.py") if path.relative_to(package).parts[0] != "testing")


def impurities(source: str) -> Iterator[tuple[int, str]]:
    """(line, what) of everything in a module's source that the pure core may not have."""
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    renamed = name.name in PURE_PARTS and name.asname is not None
                    if name.name.partition(".")[0] not in PURE_MODULES or renamed:
                        yield node.lineno, name.name
            case ast.ImportFrom(module=module, names=names, level=level):
                if level == 0 and module is not None and module.partition(".")[0] not in PURE_MODULES:
                    yield node.lineno, module
                for name in names:
                    if name.name in IMPURE_ATTRIBUTES or name.name not in PURE_PARTS.get(module or "", {name.name}):
                        yield node.lineno, name.name
            case ast.Name(id=name, ctx=ast.Load()):
                if name in IMPURE_NAMES or (name in IMPURE_CALLS and id(node) in called):
                    yield node.lineno, name
            case ast.Attribute(value=owner, attr=attribute):
                owner_name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                if (
                    attribute in IMPURE_ATTRIBUTES
                    or (attribute in IMPURE_CALLS and (id(node) in called or owner_name in CLOCK_OWNERS))
                    or attribute not in PURE_PARTS.get(owner_name, {attribute})
                ):
                    yield node.lineno, attribute
            case ast.Global():
                yield node.lineno, "global"


def test_the_core_is_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in core_files()}
    assert {"dhcpcore/__init__.py", "dhcpcore/errors.py"} <= names
    assert not any(name.startswith("dhcpcore/testing/") for name in names)


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pure(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    found = list(impurities(source))
    if reads_templates(source):
        found = [(line, what) for line, what in found if what not in TEMPLATE_READING]
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in found)


def reads_templates(source: str) -> bool:
    return any(what.startswith("importlib") for _, what in impurities(source))


def test_at_most_one_module_reads_templates_and_it_renders() -> None:
    readers = [path.relative_to(ROOT) for path in core_files() if reads_templates(path.read_text(encoding="utf-8"))]
    assert len(readers) <= 1, readers
    assert all(reader.is_relative_to("dhcpcore/render") for reader in readers), readers


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "import json, socket",
        "from os import environ",
        "from pathlib import PurePath",
        "import logging",
        "import threading as t",
        "import asyncio",
        "import random",
        "from time import monotonic",
        "def f():\n    import tempfile",
        "if TYPE_CHECKING:\n    import subprocess",
        "import importlib",
        "from importlib import resources",
        "from importlib.resources import files",
        "from uuid import uuid4",
        "from sys import stdout",
        "import sys\nsys.stderr.write('x')",
        "import sys\nsys.path",
        "import sys as system",
        "import posixpath\nposixpath.realpath('x')",
        "from posixpath import exists",
        "open('x')",
        "with open('x') as f: pass",
        "loader = open",
        "print('x')",
        "input()",
        "eval('1')",
        "exec('1')",
        "compile('1', 'x', 'eval')",
        "breakpoint()",
        "__import__('os')",
        "Path('x')",
        "os.environ",
        "x = os",
        "datetime.now()",
        "datetime.datetime.now(tz=UTC)",
        "created: datetime = field(factory=datetime.now)",
        "datetime.utcnow",
        "date.today()",
        "clock.time()",
        "now()",
        "sleep(1)",
        "clock.sleep(1)",
        "uuid.uuid4()",
        "uuid.uuid1",
        "os.urandom(8)",
        "path.read_text()",
        "path.write_bytes(b'')",
        "io.open('x')",
        "jinja2.FileSystemLoader('x')",
        "from jinja2 import PackageLoader",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_impure(source: str) -> None:
    assert list(impurities(source))


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "import re\nre.compile('x')",
        "from attrs import frozen, field",
        "from . import errors",
        "from .. import model",
        "import sys\nsys.intern('x')",
        "from sys import intern",
        "import posixpath\nposixpath.join('x', 'y')",
        "import uuid\nuuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, tz=UTC)",
        "def plan(state, now):\n    return now + state.now",
        "class Clock(Protocol):\n    def now(self) -> float: ...",
        "class FileStore(Protocol):\n    def open(self) -> bytes: ...",
        "'open(x), print(x), os.environ'",
        "event.time",
    ],
)
def test_no_false_alarm(source: str) -> None:
    assert not list(impurities(source))
