"""Whether the tests against a real Neutron run, and where: in a host of a test's own, when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import host as hosts
from support.clients.sample import missing as missing_clients
from support.neutron.daemon import missing

#: Set by `make test-neutron`: they take minutes, and a broker, a database and a Neutron that `make test` does without.
ASKED = "DHCPCORE_NEUTRON"


def run_with_neutron(file: str, folder: Path, *, seconds: float) -> None:
    """Run the tests of a file inside, or say why not.

    Args:
        folder: an empty directory, for the temporary directories of the tests.
        seconds: after which they are killed.
    """
    if os.environ.get(ASKED) != "1":
        pytest.skip("asks for a real Neutron: make test-neutron")
    if (why := missing() or missing_clients()) is not None:
        pytest.skip(why)
    hosts.run_inside(file, folder, seconds=seconds)
