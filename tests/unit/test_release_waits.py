"""How long a dnsmasq is waited for that rewrites its leases file, with an fsync, for each release it takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from dhcpcore import AdapterError, Lease, ObservedProcess
from dhcpcore_adapters.process import release

LEASES = [
    Lease(expiry=0, mac_address=f"fa:16:3e:00:00:{n:02x}", ip_address=f"10.0.0.{n}", hostname="*", client_id=None)
    for n in range(1, 31)
]


class Slow:
    """A leases file that loses one lease each time that releases were sent, down to so many."""

    def __init__(self, keeps: int = 0) -> None:
        self.process = ObservedProcess(program="dnsmasq", owner="net", pid=os.getpid(), argv=("dnsmasq",))
        self.left = list(LEASES)
        self.sendings = 0
        self._keeps = keeps
        self._sent = False

    def send(self, lease: Lease) -> None:
        assert lease in self.left, "what is gone is not sent again"
        self._sent = True

    def has(self, leases: Sequence[Lease]) -> list[Lease]:
        if self._sent:
            self._sent = False
            self.sendings += 1
            if len(self.left) > self._keeps:
                self.left.pop()
        return [lease for lease in leases if lease in self.left]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "_WAITS", (0.002, 0.002, 0.002, 0.002))


def run(file: Any) -> None:
    release._release(LEASES, {lease: (lease,) for lease in LEASES}, file, file, "dnsmasq of net")  # type: ignore[misc]


def test_one_that_gets_on_is_waited_for_however_slow_it_is() -> None:
    file = Slow()
    run(file)
    assert not file.left


def test_one_that_does_not_is_given_up() -> None:
    file = Slow(keeps=27)
    with pytest.raises(AdapterError, match="still has 27 of the leases it was sent releases for 4 times in vain"):
        run(file)
    assert file.sendings == 3 + 4
