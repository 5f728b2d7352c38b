"""Laws of the canonical form: an equivalence that forgets order, and only the order that means nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.plan.canonical import same_addn_hosts, same_argv, same_hosts, same_opts, serves_as

macs = st.integers(0, 3).map(lambda number: f"fa:16:3e:00:00:{number:02x}")
addresses = st.integers(2, 5).map(lambda number: f"10.0.0.{number}")
host_lines = st.one_of(
    st.builds("{},{},{}".format, macs, st.sampled_from("ab"), addresses),
    st.builds("{},tag:dhcpv6,id:x,{},[fd00::{}]".format, macs, st.sampled_from("ab"), st.integers(1, 3)),
    st.builds("{},set:port-{}".format, macs, st.integers(1, 2)),
)
addn_lines = st.builds("{}\t{}.example {}".format, addresses, st.sampled_from("ab"), st.sampled_from("ab"))
option_lines = st.builds(
    "{},{},{}".format,
    st.sampled_from(["tag:subnet-1", "tag:subnet-2", "tag:port-1", "tag:port-1,tag:ipxe"]),
    st.sampled_from(["option:router", "3", "option6:dns-server", "option6:23", "249"]),
    addresses,
)
garbage_lines = st.text(st.characters(exclude_characters="\n", codec=None), max_size=8)
OPTION_KEYS = {"option:router": "3", "option6:dns-server": "option6:23"}


def mac_of(line: str) -> str:
    return line.split(",")[0]


def address_of(line: str) -> str:
    return line.split("\t")[0]


def tag_and_option_of(line: str) -> tuple[str, str]:
    fields = line.split(",")
    option = fields[-2]
    return fields[0], OPTION_KEYS.get(option, option)


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def in_groups(lines: list[str], key: Callable[[str], Hashable]) -> dict[Hashable, list[str]]:
    groups: dict[Hashable, list[str]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups


class Kind(NamedTuple):
    """A kind of file: its comparison, its lines, and what lines of one group share."""

    same: Callable[[str, str], bool]
    lines: st.SearchStrategy[str]
    key: Callable[[str], Hashable]


KINDS = [
    Kind(same_hosts, host_lines, mac_of),
    Kind(same_addn_hosts, addn_lines, address_of),
    Kind(same_opts, option_lines, tag_and_option_of),
]


@given(st.data(), st.sampled_from(KINDS))
def test_same_is_the_same_lines_in_the_same_order_within_each_group(data: st.DataObject, kind: Kind) -> None:
    """Two files are the same exactly when each MAC, address, or tag and option has the same lines in order."""
    one = data.draw(st.lists(kind.lines))
    other = data.draw(st.one_of(st.lists(kind.lines), st.permutations(one)))
    expected = in_groups(one, kind.key) == in_groups(other, kind.key)
    assert kind.same(text_of(one), text_of(other)) is expected


@given(st.data(), st.sampled_from(KINDS), st.randoms(use_true_random=False))
def test_a_reordered_file_is_the_same_where_its_groups_keep_their_order(
    data: st.DataObject, kind: Kind, random: Random
) -> None:
    """A permutation of ports or subnets in the server's answer causes no write and no signal."""
    lines = data.draw(st.lists(kind.lines))
    groups = list(in_groups(lines, kind.key).values())
    shuffled = []
    while groups:
        shuffled.append(random.choice(groups).pop(0))
        groups = [group for group in groups if group]
    one, other = text_of(lines), text_of(shuffled)
    assert kind.same(one, other)
    assert kind.same(other.rstrip("\n"), one)


@given(
    st.sampled_from([same_hosts, same_addn_hosts, same_opts]),
    st.lists(garbage_lines),
    st.randoms(use_true_random=False),
)
def test_of_any_text_the_same_lines_are_kept(
    same: Callable[[str, str], bool], lines: list[str], random: Random
) -> None:
    """Whatever the texts: what is the same has the same lines, any text is the same as itself, and it is symmetric."""
    other = random.sample(lines, len(lines)) if random.random() < 0.5 else lines[: random.randint(0, len(lines))]
    assert same(text_of(lines), text_of(lines))
    verdict = same(text_of(lines), text_of(other))
    assert verdict == same(text_of(other), text_of(lines))
    if Counter(filter(None, lines)) != Counter(filter(None, other)):
        assert not verdict


servers = st.lists(addresses, min_size=1, max_size=4)


@given(servers, servers, st.booleans())
def test_our_own_dns_servers_are_a_set_and_a_users_are_a_list(one: list[str], other: list[str], own: bool) -> None:
    """Order of DNS servers means something exactly where somebody listed them."""
    texts = [f"tag:subnet-1,option:dns-server,{','.join(given)}" for given in (one, other)]
    expected = sorted(one) == sorted(other) if own else one == other
    assert same_opts(*texts, own_dns_tags={"subnet-1"} if own else {"subnet-2"}) is expected


routes = st.lists(
    st.tuples(st.sampled_from(["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"]), st.sampled_from(["0.0.0.0", "10.0.0.9"])),
    min_size=1,
    max_size=5,
)


@given(routes, routes, st.sampled_from(["option:classless-static-route", "249"]))
def test_on_link_routes_in_front_are_a_set(
    one: list[tuple[str, str]], other: list[tuple[str, str]], option: str
) -> None:
    """Fellow subnets in another order announce the same routes; routes via a router keep their order."""

    def meaning(given: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        front = next((index for index, (_, via) in enumerate(given) if via != "0.0.0.0"), len(given))
        return sorted(given[:front]), given[front:]

    texts = [f"tag:subnet-1,{option},{','.join(f'{to},{via}' for to, via in given)}" for given in (one, other)]
    assert same_opts(*texts) is (meaning(one) == meaning(other))


argvs = st.lists(st.sampled_from(["", "--a", "--b=1", "--b=2"]), max_size=6)


@given(argvs, argvs)
def test_a_command_line_is_a_multiset_of_its_non_empty_arguments(one: list[str], other: list[str]) -> None:
    """Neither order nor empty arguments matter."""
    expected = Counter(filter(None, one)) == Counter(filter(None, other))
    assert same_argv(["dnsmasq", *one], ["dnsmasq", *other]) is expected


@given(argvs, argvs, st.booleans(), st.booleans())
def test_a_process_that_keeps_to_its_device_serves_where_none_needs_to(
    one: list[str], other: list[str], narrow: bool, wanted_narrow: bool
) -> None:
    """It is started again for any other difference, and where it listens on more than it should."""
    keeps = ["--interface=tap1", "--except-interface=lo"]
    running, wanted = one + keeps * narrow, other + keeps * wanted_narrow
    same = Counter(filter(None, one)) == Counter(filter(None, other))
    assert serves_as(["dnsmasq", *running], ["dnsmasq", *wanted]) is (same and (narrow or not wanted_narrow))
