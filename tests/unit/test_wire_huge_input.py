"""Bad input that is bad by its size: rows of docs/bad-input.md too, one test each."""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import Any, Final

from dhcpcore.wire import parse_network, parse_port
from support.bad_payloads import MEGABYTE, network, port, refusal, subnet

#: Seconds; far more than any of these need, far less than something quadratic would.
PATIENCE: Final = 5.0


def test_a_hundred_thousand_options() -> None:
    options = [
        {"opt_name": "server-ip-address", "opt_value": str(number), "ip_version": 4} for number in range(100_000)
    ]
    begun = time.monotonic()
    assert len(parse_port(port(extra_dhcp_opts=options)).extra_dhcp_opts) == 100_000
    options.append({"opt_name": "mtu", "opt_value": "1", "ip_version": "x"})
    assert refusal(network(ports=[port(extra_dhcp_opts=options)])).path == "ports[0].extra_dhcp_opts[100000].ip_version"
    assert time.monotonic() - begun < PATIENCE


def test_huge_texts() -> None:
    huge = "x" * (8 * MEGABYTE)
    begun = time.monotonic()
    for name in ("id", "mac_address", "network_id"):
        assert len(str(refusal(network(ports=[port(**{name: huge})])))) < 300
    kept = parse_port(port(device_id=huge, extra_dhcp_opts=[{"opt_name": "67", "opt_value": huge}]))
    assert kept.extra_dhcp_opts[0].opt_value is huge
    assert time.monotonic() - begun < PATIENCE


def test_huge_texts_do_not_stay_in_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(40):
            text = str(number) * (MEGABYTE // 4)
            for bad in ({"gateway_ip": text}, {"cidr": text}, {"id": text}):
                refusal(network(subnets=[subnet(**bad)]))
            refusal(network(ports=[port(mac_address=text)]))
        del text, bad
        gc.collect()  # the errors' own cycles of frames
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MEGABYTE


def test_huge_numbers() -> None:
    for number in (1 << 63, 10**5000, -(10**5000), 1e308, float("inf"), float("nan")):
        assert refusal(network(mtu=number)).path == "mtu"
        assert refusal(network(ports=[port(revision_number=number)])).path == "ports[0].revision_number"
    assert parse_network(network(mtu=(1 << 63) - 1)).mtu == (1 << 63) - 1


def test_deep_json() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    try:
        assert refusal(network(ports=deep)).path == "ports[0]"
        assert refusal(network(ports=[port(fixed_ips=deep)])).path == "ports[0].fixed_ips[0]"
        assert refusal(network(ports=[port(device_id=deep)])).got == "a list of 1"
        assert parse_network(network(unknown=deep, ports=[port(binding=deep)])).id == "net"
    finally:
        while deep:  # taken apart from outside in: the interpreter's own clean-up would go as deep
            deep = deep.pop()


def test_cyclic_json() -> None:
    knot = network()
    knot["self"] = knot
    knot["ports"][0]["network"] = knot
    assert parse_network(knot).id == "net"
    knot["subnets"] = [knot]
    assert refusal(knot).path == "subnets[0].cidr"
    ring: list[Any] = []
    ring.append(ring)
    assert refusal(network(ports=ring)).path == "ports[0]"
    assert refusal(network(ports=[port(device_owner=ring)])).got == "a list of 1"


def test_many_unknown_members() -> None:
    unknown = {f"x-{number}": {"ports": [None]} for number in range(100_000)}
    assert parse_network({**unknown, **network()}) == parse_network(network())
