"""The comparison, with a small stand-in for each side: a planted difference is found, named, saved, made small."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

import compare
from shrink import shrink
from sides import Side, SideDied
from verdict import judge, listed_codes

SIDE = """
import json, sys
answer = {"host": "", "addn_hosts": "", "opts": "a\\n", "leases": "", "argv": ["dnsmasq", ""], "metadata_proxy": False}
for line in sys.stdin:
    request = json.loads(line)
    changed = dict(answer)
    %s
    print(json.dumps(changed), flush=True)
"""
SAME = {"host": "", "addn_hosts": "", "opts": "a\n", "leases": "", "argv": ["dnsmasq", ""], "metadata_proxy": False}


def side(tmp_path: Path, name: str, change: str = "pass") -> str:
    program = tmp_path / f"{name}.py"
    program.write_text(SIDE % change)
    return shlex.join([sys.executable, str(program)])


def run(tmp_path: Path, ours: str, *more: str) -> int:
    table = tmp_path / "differences.md"
    table.write_text("| code | what |\n| --- | --- |\n| `known-code` | told |\n")
    arguments = ["--count", "30", "--shrink", "5", "--show", "1", "--save", str(tmp_path / "saved"), *more]
    return compare.main([*arguments, "--differences", str(table), "--ours", ours, "--stock", side(tmp_path, "stock")])


def test_equal_sides_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, side(tmp_path, "ours")) == 0
    printed = capsys.readouterr().out
    assert "identical: 30\n" in printed
    assert "unlisted differences: 0\n" in printed


def test_a_planted_difference_is_found_saved_and_made_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = "changed['opts'] = 'b\\n' if request['network']['ports'] else 'a\\n'"
    assert run(tmp_path, side(tmp_path, "ours", planted)) == 1
    printed = capsys.readouterr().out
    assert "NOT FINE" in printed
    assert "\n-a\n+b" in printed
    (small,) = (tmp_path / "saved").glob("*.small.json")
    assert len(json.loads(small.read_text())["network"]["ports"]) == 1
    assert run(tmp_path, side(tmp_path, "ours", planted), "--replay", str(small)) == 1


def test_a_difference_is_listed_only_under_a_code_with_a_row(tmp_path: Path) -> None:
    changed = "changed.update(opts='b', warnings=[{'code': '%s', 'message': 'm'}])"
    assert run(tmp_path, side(tmp_path, "ours", changed % "known-code")) == 0
    assert run(tmp_path, side(tmp_path, "ours", changed % "another-code")) == 1


def test_an_error_of_ours_is_fine_only_for_hostile_requests(tmp_path: Path) -> None:
    refusing = side(tmp_path, "ours", "changed = {'error': {'type': 'PayloadError', 'path': 'x', 'message': 'm'}}")
    assert run(tmp_path, refusing) == 1
    assert run(tmp_path, refusing, "--mode", "hostile") == 0


def test_a_side_that_ends_early_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, side(tmp_path, "ours", "sys.exit('gone away')")) == 2
    assert "gone away" in capsys.readouterr().err


def test_an_answer_that_is_no_object_is_no_answer(tmp_path: Path) -> None:
    with Side("ours", [sys.executable, "-c", "print('[1]')"]) as odd, pytest.raises(SideDied, match="answered"):
        odd.receive()


@pytest.mark.parametrize("field", ["host", "addn_hosts", "opts", "leases", "argv", "metadata_proxy"])
def test_every_field_counts(field: str) -> None:
    assert judge(SAME, SAME, set(), "valid").kind == "identical"
    for other in ({**SAME, field: ["dnsmasq"]}, {name: value for name, value in SAME.items() if name != field}):
        assert judge(other, SAME, set(), "valid").fields == (field,)


def test_proxy_texts_are_compared_where_we_answer_them() -> None:
    stock = {**SAME, "metadata_proxy_config": "text"}
    assert judge(SAME, stock, set(), "valid").kind == "identical"
    assert judge({**SAME, "metadata_proxy_config": "other"}, stock, set(), "valid").kind == "unlisted"
    unresolved = {**stock, "metadata_proxy_exception": "no such user"}
    assert judge({**SAME, "metadata_proxy_config": None}, unresolved, set(), "valid").kind == "identical"


def test_what_stock_raises_is_fine_only_for_hostile_requests() -> None:
    raised = {"stock_exception": "TypeError: x"}
    assert not judge(SAME, raised, set(), "valid").fine
    assert judge(SAME, raised, set(), "hostile").fine


def test_codes_are_read_from_first_cells_only(tmp_path: Path) -> None:
    table = tmp_path / "differences.md"
    assert listed_codes(table) == frozenset()
    table.write_text("| `one` | `not-this` |\n|`two`|x|\ntext `three`\n| four | `five` |\n")
    assert listed_codes(table) == {"one", "two"}


def test_shrinking_keeps_what_matters() -> None:
    request = {"network": {"id": "n", "ports": [{"id": str(n), "name": "x"} for n in range(9)]}, "settings": {"a": 1}}

    def fails(candidate: dict[str, object]) -> bool:
        return '"id": "7"' in json.dumps(candidate)

    assert shrink(request, fails) == {"network": {"id": "n", "ports": [{"id": "7"}]}}
