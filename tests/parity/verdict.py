"""What one pair of answers amounts to, and which differences are listed.

A difference is listed only if our answer carries a warning whose code has a row in docs/differences.md: a line of a
Markdown table whose first cell is the code in backticks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXTS = ("host", "addn_hosts", "opts", "leases")
COMPARED = (*TEXTS, "argv", "metadata_proxy")
COMPARED_IF_OURS_HAS_IT = ("metadata_proxy_config", "metadata_proxy_argv")

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """`kind`: identical, listed, unlisted, stock-raised (nothing to compare with), refused (ours is an error).

    `fields`: the answers' fields that differ. `codes`: the codes of our warnings, listed ones only where the kind is
    listed. `fine`: whether a run may end well with it.
    """

    kind: str
    fine: bool
    fields: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    note: str = ""


def listed_codes(table: Path) -> frozenset[str]:
    """The codes with a row in the table; none where the file is missing."""
    if not table.exists():
        return frozenset()
    return frozenset(re.findall(r"^\|\s*`([^`|]+)`\s*\|", table.read_text("utf-8"), re.MULTILINE))


def judge(ours: Answer, stock: Answer, listed: Set[str], mode: str) -> Verdict:
    """Compare one pair. Only in mode "hostile" may either side refuse to render."""
    refused = ours.get("error")
    if "stock_exception" in stock:
        return Verdict("stock-raised", mode == "hostile", note=str(stock["stock_exception"]))
    if refused is not None:
        return Verdict("refused", mode == "hostile", note=str(refused))
    codes = warning_codes(ours)
    fields = tuple(differing(ours, stock))
    if not fields:
        return Verdict("identical", True, codes=codes)
    known = tuple(code for code in codes if code in listed)
    if known:
        return Verdict("listed", True, fields, known)
    return Verdict("unlisted", False, fields, codes)


def warning_codes(answer: Answer) -> tuple[str, ...]:
    return tuple(sorted({str(warning.get("code")) for warning in answer.get("warnings") or ()}))


def differing(ours: Answer, stock: Answer) -> Iterator[str]:
    """The fields that differ: the texts and the command line byte for byte, an empty argument included."""
    missing = object()
    for field in COMPARED:
        if ours.get(field, missing) != stock.get(field, missing):
            yield field
    for field in COMPARED_IF_OURS_HAS_IT:
        if field in ours and "metadata_proxy_exception" not in stock and ours[field] != stock.get(field):
            yield field


def readable(ours: Answer, stock: Answer, fields: tuple[str, ...]) -> str:
    """A unified diff of the fields, stock's as `-`, ours as `+`; control characters shown escaped."""
    lines: list[str] = []
    for field in fields:
        before, after = _as_lines(stock.get(field)), _as_lines(ours.get(field))
        lines.extend(difflib.unified_diff(before, after, f"stock {field}", f"ours {field}", lineterm="", n=1))
    return "\n".join(lines)


def _as_lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [repr(item) for item in value]
    if isinstance(value, str):
        ended = value.endswith("\n")
        found = [repr(line)[1:-1] for line in value.removesuffix("\n").split("\n")] if value else []
        return found if ended or not found else [*found, "(no newline at the end)"]
    return [repr(value)]
