"""The table of Neutron's options is complete, and right about names and defaults."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dhcpcore_adapters.cli.neutron_options import REGISTERED, stance_of
from neutron_options.page import PAGE, page, stock_options

HERE = Path(__file__).parent
STOCK = Path(os.environ.get("DHCPCORE_STOCK_PYTHON") or HERE.parents[1] / ".venv-stock/bin/python")
#: Options of ours alone that may stand in [DEFAULT] too, and one that Neutron 29 has in another group.
OURS = {
    "audit_interval",
    "ovs_integration_bridge",
    "ready_ports_batch",
    "reload_method",
    "retry_interval_initial",
    "retry_interval_max",
    "tombstone_age",
    "unsafe_disable_hold",
    "unsafe_disable_minimum",
    "unsafe_disable_percent",
}


def test_the_page_says_what_the_program_does_and_names_every_option() -> None:
    assert PAGE.read_text("utf-8") == page(), "python tests/neutron_options/page.py writes it anew"


def test_every_option_has_a_word() -> None:
    assert [name for name in stock_options() if stance_of(name) is None] == []


def test_what_is_honoured_differently_or_not_at_all_says_what_happens_instead() -> None:
    for name in stock_options():
        stance = stance_of(name)
        assert stance is not None
        assert stance.kind == "honoured" or stance.words, name


def test_names_groups_and_defaults_are_neutrons() -> None:
    stock = stock_options()
    assert {name.removeprefix("DEFAULT.") for name in REGISTERED.keys() - stock.keys()} == OURS
    differing = {
        name: (value, stock[name])
        for name, value in REGISTERED.items()
        if name in stock and (value or None) != (stock[name] or None) and name != "DEFAULT.host"
    }
    assert differing == {}


@pytest.mark.parametrize("name", ["DEFAULT.hots", "AGENT.reprot_interval", "nosuch.option", "dhcpcore.transport"])
def test_what_the_stock_agent_does_not_know(name: str) -> None:
    assert stance_of(name) is None


@pytest.mark.skipif(not STOCK.exists(), reason=f"no stock agent: {STOCK} is not there (make parity makes it)")
def test_the_list_is_the_stock_agents() -> None:
    done = subprocess.run([STOCK, HERE / "stock_options.py"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == stock_options()
