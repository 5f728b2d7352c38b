from __future__ import annotations

import gc
import tracemalloc

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.rows import _runs
from support.render_input import files, mac, named, network, option, port, subnet, subnet6, told, view

SUBNETS = (subnet(gateway_ip="10.0.0.1"), subnet6(), subnet6("slaac", "fd01::/64", mode="slaac"))
KINDS = ("plain", "plain", "plain", "named", "badly named", "options", "two", "dual", "router", "dhcp", "bare")


def a_port(number: int, kind: str, address: int) -> Port:
    of = {"id_": f"p{number}", "mac_address": mac(number)}
    v4, v6 = f"10.0.0.{address}", f"fd00::{address:x}"
    match kind:
        case "named":
            return port(of["id_"], v4, mac_address=of["mac_address"], dns_assignment=named(v4, "web", "web.x."))
        case "badly named":
            return port(of["id_"], v4, mac_address=of["mac_address"], dns_assignment=named(v4, "a b", "a\nb"))
        case "options":
            options = (option("67", "x"), option("router", ""))
            return port(of["id_"], v4, mac_address=of["mac_address"], extra_dhcp_opts=options)
        case "two":
            return port(of["id_"], v4, f"10.0.0.{address + 1}", mac_address=of["mac_address"])
        case "dual":
            return port(of["id_"], v4, v6, f"slaac/fd01::{address:x}", mac_address=of["mac_address"])
        case "router":
            return port(of["id_"], "10.0.0.1", mac_address=of["mac_address"], device_owner="network:router_interface")
        case "dhcp":
            return port(of["id_"], v4, v6, mac_address=of["mac_address"], device_owner="network:dhcp")
        case "bare":
            return port(of["id_"], mac_address=of["mac_address"])
        case _:
            return port(of["id_"], v4, mac_address=of["mac_address"])


# Few addresses, so that some are claimed twice.
ports = st.builds(a_port, st.integers(0, 30), st.sampled_from(KINDS), st.integers(5, 25))
port_lists = st.lists(ports, max_size=12)
settings = st.sampled_from([Settings(), Settings(dns_domain=""), Settings(force_metadata=True)])


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Port, ...]]:
    """Port lists that come from one another by insertion, removal, change and reordering."""
    now = draw(port_lists)
    history = [tuple(now)]
    for _ in range(draw(st.integers(1, 4))):
        now = list(now)
        for _ in range(draw(st.integers(0, 3))):
            place = draw(st.integers(0, len(now)))
            match draw(st.sampled_from(["insert", "remove", "change", "move", "shuffle", "copy"])):
                case "insert":
                    now.insert(place, draw(ports))
                case "remove" if place < len(now):
                    del now[place]
                case "change" if place < len(now):
                    now[place] = draw(ports)
                case "move" if place < len(now):
                    now.insert(draw(st.integers(0, len(now) - 1)), now.pop(place))
                case "copy" if place < len(now):
                    now[place] = evolve(now[place])
                case "shuffle":
                    now = draw(st.permutations(now))
        history.append(tuple(now))
    return history


@given(histories(), settings, st.lists(settings, min_size=5, max_size=5), st.booleans())
def test_reuse_changes_nothing(
    history: list[tuple[Port, ...]], first: Settings, later: list[Settings], changing: bool
) -> None:
    """Rendering with lines reused from any earlier rendering gives what rendering anew gives, warnings included."""
    lines = None
    for step, now in enumerate(history):
        under = later[step] if changing else first
        of = network(*now, subnets=SUBNETS)
        reused = files(of, under, reuse=lines)
        assert reused == files(of, under)
        lines = reused.lines


@given(port_lists)
def test_an_ipv4_address_has_one_owner(now: list[Port]) -> None:
    """No two lines of the host file reserve one IPv4 address, nor do two leases hold one; the first port keeps it."""
    of = network(*now, subnets=SUBNETS)
    reserved = [
        (field, line.partition(",")[0])
        for line in files(of).host.splitlines()
        for field in line.split(",")
        if field.startswith("10.0.")
    ]
    owners = dict(reversed(reserved))
    assert len(owners) == len(reserved)
    leases = [line.split() for line in render_initial_leases(view(of), settings=Settings())[0].splitlines()]
    assert {address: mac_address for _, mac_address, address, _, _ in leases} == owners
    assert len(leases) == len(owners)


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=12))
def test_runs_cover_the_new_list_and_hold_the_old_ones(old_numbers: list[int], new_numbers: list[int]) -> None:
    """The runs follow one another through the new list; those from the old list are the same objects, in its order."""
    known = [port(f"p{number}") for number in range(10)]
    old, new = [known[number] for number in old_numbers], [known[number] for number in new_numbers]
    reached, used = 0, 0
    for of_old, of_new in _runs(old, new):
        assert of_new.start == reached < of_new.stop
        reached = of_new.stop
        if of_old is not None:
            assert of_old.start >= used
            used = of_old.stop
            assert [id(one) for one in old[of_old]] == [id(one) for one in new[of_new]]
    assert reached == len(new)


def test_an_unchanged_list_is_one_run() -> None:
    many = [port(f"p{number}") for number in range(50)]
    assert list(_runs(many, many)) == [(slice(0, 50), slice(0, 50))]
    changed = [*many[:20], port("x"), *many[21:]]
    assert list(_runs(many, changed)) == [
        (slice(0, 20), slice(0, 20)),
        (None, slice(20, 21)),
        (slice(21, 50), slice(21, 50)),
    ]


def test_who_gives_an_address_up_gets_it_back_when_it_is_free() -> None:
    first, second = port("p", "10.0.0.5", mac_address=mac(1)), port("q", "10.0.0.5", mac_address=mac(2))
    both = files(network(first, second))
    assert both.host.startswith(mac(1))
    assert told(both.warnings) == [("address-duplicate", "port q")]
    alone = files(network(second), reuse=both.lines)
    assert alone.host.startswith(mac(2))
    assert alone.warnings == ()


def test_a_port_costs_little_beside_its_texts() -> None:
    """What is kept for reuse costs at most 40 bytes a port beside the texts themselves."""
    count = 5000
    of = network(
        *(
            port(f"{number:08x}", f"10.0.{number >> 8}.{number & 255}", mac_address=mac(number))
            for number in range(count)
        ),
        subnets=[subnet(cidr="10.0.0.0/16")],
    )
    files(of)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        rendered = files(of)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    texts = len(rendered.host) + len(rendered.addn_hosts)
    assert (used - texts) / count < 40
