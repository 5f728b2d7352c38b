"""What a start of the agent imports: each restart waits for all of it, so it is nothing that a start does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")
pytest.importorskip("websockets", reason="needs the extra 'agent'")

_START = """
import sys
import dhcpcore_adapters.cli
import dhcpcore_adapters.agent.service
import dhcpcore_adapters.netns.netlink
import dhcpcore_adapters.rpc.websocket
"""
#: Of libraries that are in use, parts that are not: each takes 10 to 200 ms.
_NOT_NEEDED = ("hypothesis", "dhcpcore.testing", "asyncio", "pyroute2.ndb", "pyroute2.ipdb", "pyroute2.iproute")


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_start_imports_what_it_needs() -> None:
    modules = run(f"{_START}\nprint(*sys.modules)").split()
    assert [name for name in _NOT_NEEDED if name in modules] == []
    assert "dhcpcore_adapters.agent.loop" in modules


def test_who_wants_the_whole_of_pyroute2_has_it() -> None:
    """Interface drivers of third parties use `IPRoute`, and its modules, as they are documented."""
    script = f"{_START}\nfrom pyroute2 import IPRoute, netns\nimport pyroute2\nprint(IPRoute.__name__, netns.__name__)"
    assert run(f"{script}\nprint(pyroute2.IPRoute is IPRoute)") == "IPRoute pyroute2.netns\nTrue\n"


def test_what_is_not_there_is_missing_as_ever() -> None:
    script = f"{_START}\nimport pyroute2\nassert not hasattr(pyroute2, 'NoSuchThing')\nprint(hasattr(pyroute2, 'NDB'))"
    assert run(script) == "True\n"
