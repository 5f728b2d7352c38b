"""The agent is killed between two changes of the kernel's devices: each test on a host of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore_adapters.netns import NetnsControl
from dhcpcore_adapters.netns.rtnetlink import Rtnetlink
from support.devices import BRIDGE, SPEC, TAP, link, links, observed, run
from support.namespace import found
from support.own_host import in_own_host
from support.waiting import eventually

pytestmark = pytest.mark.skipif(found("ip") is None, reason="there is no 'ip' here: apt-get install iproute2")


class Killed(BaseException):
    """Stands for kill -9: no further change is made after it."""


def killed_after(changes: int, errand: Callable[[], object]) -> bool:
    """Whether an errand was ended after so many of its changes; False: it makes no more than that."""
    made = 0
    unharmed = Rtnetlink.change

    def counted(self: Rtnetlink, *arguments: Any) -> None:
        nonlocal made
        if made == changes:
            raise Killed
        unharmed(self, *arguments)
        made += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rtnetlink, "change", counted)
        try:
            errand()
        except Killed:
            return True
    return False


def whole() -> list[object]:
    """What a device made without a crash looks like."""
    NetnsControl().ensure_device(SPEC)
    tap, bridge = link(TAP), link(BRIDGE)
    seen = observed(NetnsControl())
    outer = [(each["ifname"], "UP" in each["flags"], each.get("ifalias"), each["mtu"]) for each in (tap, bridge)]
    quiet = ["inet6" in run("ip", "address", "show", name) for name in (TAP, BRIDGE)]
    return [outer, quiet, tap["master"], seen.mac_address, seen.mtu, seen.up, sorted(seen.addresses), seen.routes]


def nothing() -> bool:
    return (links(), os.listdir("/run/netns")) == (set(), [])


def make() -> None:
    NetnsControl().ensure_device(SPEC)


def remove() -> None:
    NetnsControl().remove_namespace(SPEC.namespace)


@in_own_host
def test_half_a_device_is_completed() -> None:
    """Law: wherever the making of it was cut off, the next call ends as one that was not."""
    wanted = whole()
    remove()
    for changes in count():
        cut = killed_after(changes, make)
        got = whole()
        assert got == wanted, f"after {changes}: {got} instead of {wanted}"
        remove()
        assert nothing(), changes
        if not cut:
            assert changes >= 8
            return


@in_own_host
def test_half_a_device_is_removed() -> None:
    """Law: wherever making or removing it was cut off, a removal leaves nothing, the bridge included."""
    for errand, prepare in ((make, remove), (remove, make)):
        for changes in count():
            prepare()
            cut = killed_after(changes, errand)
            remove()
            assert nothing(), (errand.__name__, changes, links())
            if not cut:
                assert changes >= 2
                break


@in_own_host
def test_a_bridge_whose_namespace_was_deleted_by_hand_is_seen() -> None:
    """Law: it is told as a namespace without devices, so that it goes when the network is nobody's; not while used."""
    make()
    assert all(each.name for each in NetnsControl().observe_devices())
    run("ip", "netns", "delete", SPEC.namespace)
    assert eventually(lambda: links() == {BRIDGE})
    (told,) = NetnsControl().observe_devices()
    assert (told.namespace, told.name) == (SPEC.namespace, "")
    remove()
    assert (NetnsControl().observe_devices(), links()) == ([], set())
