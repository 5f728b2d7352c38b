"""What a mutant is: a bug, put back into the source by replacing a few words, and the test that must notice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import frozen


class StaleMutant(Exception):
    """The source has changed since the mutant was written: its text is not there exactly once."""


@frozen(kw_only=True)
class Edit:
    """One replacement: `old` stands exactly once in the file `path`, relative to the checkout."""

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file's text with the bug in it.

        Raises:
            StaleMutant: `old` is not in `text` exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise StaleMutant(f"{self.path} has {found} times what it should have once: {self.old.strip()!r}")
        return text.replace(self.old, self.new)


@frozen(kw_only=True)
class Mutant:
    """One bug of another DHCP agent, brought back.

    Attributes:
        name: short, unique, with hyphens.
        bugs: Launchpad numbers, where it has any.
        museum: its class (``META``), or its number among the bugs that are still alive (``L1``); see docs/laws.md.
        brings_back: one sentence: what goes wrong with it.
        edits: what to replace.
        killer: node id of the test that must fail with it, and pass without.
        fails_with: name of the exception that the killer fails with; where the bug was a crash, it is that crash.
    """

    name: str
    bugs: tuple[str, ...]
    museum: tuple[str, ...]
    brings_back: str
    edits: tuple[Edit, ...]
    killer: str
    fails_with: str = "AssertionError"

    def changed(self, checkout: Path) -> dict[str, str]:
        """The text of every file that the mutant changes, by path.

        Raises:
            StaleMutant: the source is not the one it was written for.
        """
        texts: dict[str, str] = {}
        for edit in self.edits:
            before = texts.get(edit.path) or (checkout / edit.path).read_text(encoding="utf-8")
            texts[edit.path] = edit.applied(before)
        return texts


def edit(path: str, old: str, new: str) -> tuple[Edit, ...]:
    """The edits of a mutant with one edit; `path` below dhcpcore/."""
    return (Edit(path=f"dhcpcore/{path}", old=old, new=new),)


def unique(mutants: Iterable[Mutant]) -> tuple[Mutant, ...]:
    """The same mutants, each name once.

    Raises:
        ValueError: two have one name.
    """
    by_name: dict[str, Mutant] = {}
    for mutant in mutants:
        if mutant.name in by_name:
            raise ValueError(f"two mutants are called {mutant.name}")
        by_name[mutant.name] = mutant
    return tuple(by_name.values())
