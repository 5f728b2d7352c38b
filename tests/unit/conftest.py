"""A dnsmasq that is asked what it thinks of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.dnsmasq_oracle import DnsmasqOracle, missing


@pytest.fixture(scope="module")
def oracle() -> Iterator[DnsmasqOracle]:
    if reason := missing():
        pytest.skip(reason)
    with DnsmasqOracle() as running:
        yield running
