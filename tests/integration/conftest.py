"""Fixtures of several files: the two programs of a file's own `site`, a dnsmasq that can be made to fail, a network.

The generator of networks is a program beside the parity tests; its modules import each other by their bare names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import host as hosts
from support.clients.sample import MAC, SETTINGS, network
from support.clients.served import ServedNetwork
from support.clients.station import Station
from support.site import AgentProgram, Server
from support.wrapped_dnsmasq import WrappedDnsmasq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))


@pytest.fixture(scope="module")
def server(site: tuple[Server, AgentProgram]) -> Server:
    return site[0]


@pytest.fixture(scope="module")
def agent(site: tuple[Server, AgentProgram]) -> AgentProgram:
    return site[1]


@pytest.fixture(scope="module")
def dnsmasq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrappedDnsmasq]:
    """What every agent that is started after this takes for dnsmasq."""
    wrapped = WrappedDnsmasq(tmp_path_factory.mktemp("bin"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", wrapped.path)
        yield wrapped


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedNetwork]:
    """The sample network, on a dnsmasq that was started by hand."""
    try:
        with ServedNetwork(network(), SETTINGS, tmp_path / "served") as started:
            yield started
    finally:
        hosts.clear()


@pytest.fixture
def station(served: ServedNetwork, tmp_path: Path) -> Iterator[Station]:
    """A machine on it."""
    with Station("one", served.bridge, MAC, tmp_path / "one") as made:
        yield made
