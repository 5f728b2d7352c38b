"""docs/neutron-tests.md names each behaviour that Neutron's unit tests name, and tests of ours that are there.

The names are data beside this file: ``{file: {class: [name, ...]}}``, without their ``test_``.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/neutron-tests.md").read_text(encoding="utf-8")
NAMES: Final[dict[str, dict[str, list[str]]]] = json.loads(
    Path(__file__).with_name("neutron_test_names.json").read_text(encoding="utf-8")
)
VERDICTS: Final = ("same", "better", "not applicable")
_OURS: Final = re.compile(r"`([a-z_]+/test_[a-z_0-9]+\.py(?:::\w+)+(?:\[[\w-]+\])?)`")


@frozen(kw_only=True)
class Row:
    """One behaviour, as the page has it."""

    file: str
    group: str
    name: str
    verdict: str
    how: str
    ours: tuple[str, ...]


def read_rows() -> Iterator[Row]:
    file = group = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            file = line.removeprefix("## neutron/tests/unit/")
        elif line.startswith("### "):
            group = line.removeprefix("### ")
        elif line.startswith("| ") and not line.startswith(("| ---", "| Neutron |")):
            name, verdict, how, ours = (cell.strip() for cell in line.strip().removeprefix("|").rstrip("|").split("|"))
            found = tuple(_OURS.findall(ours))
            assert ", ".join(f"`{each}`" for each in found) == ours, line
            yield Row(file=file, group=group, name=name, verdict=verdict, how=how, ours=found)


ROWS: Final = tuple(read_rows())


def _named(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from _named(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.If):
            # A file whose tests run on a host of their own has them behind a question.
            yield from _named((*node.body, *node.orelse), prefix)


@lru_cache
def names_in(path: str) -> frozenset[str]:
    return frozenset(_named(ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8")).body))


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    name, _, case = name.rstrip("]").partition("[")
    if not (ROOT / "tests" / path).is_file() or name not in names_in(path):
        return False
    return not case or (ROOT / "tests" / path).with_name(case).is_dir()


def test_every_name_is_in_the_table_exactly_once() -> None:
    wanted = [
        (file, group, name) for file, groups in NAMES.items() for group, names in groups.items() for name in names
    ]
    told = Counter((row.file, row.group, row.name) for row in ROWS)
    assert len(wanted) == 297
    assert [name for name in wanted if told[name] != 1] == []
    assert sorted(told.elements()) == sorted(wanted)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.group}-{row.name}")
def test_a_row_says_what_becomes_of_it_and_which_tests_show_that(row: Row) -> None:
    assert row.verdict in VERDICTS
    assert row.how or row.verdict == "same"
    assert row.ours
    assert [test for test in row.ours if not exists(test)] == []


def test_likewise_is_said_after_something() -> None:
    for before, row in pairwise(ROWS):
        if row.how.startswith("likewise"):
            assert (before.verdict, before.group) == (row.verdict, row.group), row
            assert before.how, row


def test_the_page_counts_right() -> None:
    counts = Counter(row.verdict for row in ROWS)
    same, better, no_counterpart = (counts[verdict] for verdict in VERDICTS)
    assert f"Of {len(ROWS)} names {same} are the same here, {better} are better, and {no_counterpart} have no" in PAGE


@pytest.mark.parametrize(
    "test",
    [
        "unit/test_no_such_file.py::test_x",
        "unit/test_neutron_names.py::test_no_such_test",
        "unit/test_neutron_names.py::Row::test_no_such_test",
        "golden/test_golden.py::test_golden[no-such-case]",
    ],
)
def test_a_test_that_is_not_there_is_missed(test: str) -> None:
    assert not exists(test)


def test_the_names_are_neutrons() -> None:
    """Where Neutron 29.0.0 is installed beside us its own files are asked."""
    found = sorted((ROOT / ".venv-stock").glob("lib/python3*/site-packages/neutron/tests/unit"))
    if not found:
        pytest.skip("there is no .venv-stock with Neutron's tests; make it with .ci/stock")
    for file, groups in NAMES.items():
        named = names_in_class(found[0] / file)
        for group, names in groups.items():
            assert named[group] == [f"test_{name}" for name in names], group


def names_in_class(path: Path) -> dict[str, list[str]]:
    return {
        node.name: [each.name for each in node.body if isinstance(each, ast.FunctionDef) and each.name[:5] == "test_"]
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
