"""docs/laws.md and the catalogue of mutants say what is so."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from mutants.catalogue import CATALOGUE
from mutants.mutant import Edit, Mutant, StaleMutant

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/laws.md").read_text(encoding="utf-8")
ROWS: Final = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
TESTS: Final = sorted(set(re.findall(r"`([a-z_]+/test_[a-z_0-9]+\.py(?:::\w+)+)`", PAGE)))
#: Classes that concern the core; every one has a law, and at least one bug of it can be put back.
CLASSES: Final = (
    *("META", "OPT", "IPV6", "RENDER", "PARSE", "INJECT", "PROC", "CLEAN", "RACE", "CACHE", "LEASE", "RESYNC", "SEG"),
    *("SCALE", "PORT", "READY", "RPC", "MEM", "HUP", "CRASH"),
    *(f"L{number}" for number in range(1, 15) if number not in (9, 13)),
)


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file, as pytest names them: ``test_x`` or ``TestX::test_x``."""
    module = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    found = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))
    return frozenset(found)


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (ROOT / "tests" / path).is_file() and name.partition("[")[0] in names_in(path)


def test_there_are_laws() -> None:
    assert len(TESTS) > 50


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_the_page_names_exists(test: str) -> None:
    assert exists(test)


def test_every_test_in_a_table_is_named_by_its_place() -> None:
    """What stands in backquotes in a table is a test with its file, or a mutant."""
    names = {mutant.name for mutant in CATALOGUE}
    for row in ROWS:
        for quoted in re.findall(r"`([^`]+)`", row):
            assert quoted in names or quoted in TESTS, quoted


def test_every_mutant_is_on_the_page_under_its_class() -> None:
    by_class = {row.strip("| ").split(" ")[0]: row for row in ROWS}
    for mutant in CATALOGUE:
        for each in mutant.museum:
            assert f"`{mutant.name}`" in by_class[each], (mutant.name, each)


@pytest.mark.parametrize("name", CLASSES)
def test_a_bug_of_every_class_can_be_put_back(name: str) -> None:
    assert [mutant for mutant in CATALOGUE if name in mutant.museum]


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_source_and_has_a_killer(mutant: Mutant) -> None:
    """Its text is there exactly once, what it makes of the source is Python, and its test exists."""
    for path, text in mutant.changed(ROOT).items():
        assert text != (ROOT / path).read_text(encoding="utf-8")
        compile(text, path, "exec")
    assert exists(mutant.killer.removeprefix("tests/"))
    assert mutant.brings_back


@pytest.mark.parametrize("text", ["", "a b a"])
def test_a_text_that_is_not_there_exactly_once_is_refused(text: str) -> None:
    with pytest.raises(StaleMutant):
        Edit(path="x", old="a", new="c").applied(text)
