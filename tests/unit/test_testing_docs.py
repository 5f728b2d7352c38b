"""The blocks of docs/testing-your-adapter.md run, one after the other, and their tests pass."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-adapter.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    module: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS, 1):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), module)
    assert "17 laws kept, 0 broken, 1 skipped" in capsys.readouterr().out
    properties = [module[name] for name in module if name.startswith("test_")]
    assert len(properties) == 2
    for law in properties:
        settings(max_examples=20)(law)()


def test_the_page_names_what_there_is() -> None:
    """Every name in code quotes that looks like one of ours is one of ours."""
    from dhcpcore import testing
    from dhcpcore.testing import conformance, strategies
    from dhcpcore.testing.host.memory import MemoryHost

    text = re.sub(r"^```python\n.*?^```", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`strategies\.(\w+)", text):
        assert hasattr(strategies, name), name
    for name in re.findall(r"`([A-Z]\w+(?:Conformance|World))`", text):
        assert hasattr(conformance, name) or name == "World", name
    for name in re.findall(r"`(Memory\w+|Faults|SimulatedCrash|run_suite|leaks)\b", text):
        assert hasattr(testing, name) or hasattr(conformance, name), name
    host = MemoryHost()
    for name in ("kill", "reboot", "delete_namespace", "set_addresses", "set_link", "spawn_fault", "dangling"):
        assert hasattr(host, name), name
