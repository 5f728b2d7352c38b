"""When two texts or two command lines mean the same to dnsmasq.

The server may list ports and subnets in any order; rendering follows it, for the sake of equal bytes, and deciding must
not.  So a file is a multiset of its lines, empty ones aside, that keeps the order only where a port's or a subnet's own
lines compete:

- host: among lines of one MAC address; dnsmasq takes the last that matches (src/option.c case 'G' puts each in front,
  src/dhcp-common.c find_config_match takes the first).  Lines of two ports compete only where both have one client id;
  which of them then wins is told by the server's order of ports, and that means nothing.
- addn_hosts: among lines of one address; the first name answers reverse queries (src/cache.c, add_hosts_entry).
  Several addresses of one name are given in turn (cache_find_by_name), whatever their order in the file.
- opts: among lines of one tag and option, which may be written by name or by number; dnsmasq takes the last
  (src/dhcp-common.c, option_filter).  The tag is the line's first, the subnet's or the port's.
- opts, inside a line: on-link routes in front of a subnet's classless static routes are its fellow subnets, a set.  The
  DNS servers of a subnet for which nobody listed any are its DHCP ports, a set; those that somebody listed keep their
  order.  The text does not tell which is which, so the caller names the tags of the former.
- A command line is a multiset of its non-empty arguments.  The only order that dnsmasq heeds is that of ``--server``,
  where it says which is tried first; it comes from the agent's own configuration and never from a server's answer.

Only lines between the first and the last difference are looked at: what both have before and after cannot make an
order differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

from dhcpcore.model.spec import InstanceView
from dhcpcore.render.syntax.option_table import CODES_4, CODES_6

_Keys = Callable[[str], Iterable[str]]


class Files(Protocol):
    """Whatever has the texts of an instance's three files: a spec, or what was observed (None where there was none)."""

    @property
    def host(self) -> str | None:
        """Text of the DHCP hosts file."""

    @property
    def addn_hosts(self) -> str | None:
        """Text of the additional hosts file."""

    @property
    def opts(self) -> str | None:
        """Text of the options file."""


def differing_files(served: Files, desired: Files, view: InstanceView | None = None) -> tuple[str, ...]:
    """Names of the files (``host``, ``addn_hosts``, ``opts``, in this order) that do not mean the same in both.

    Args:
        view: what `desired` was rendered from; its own ``view`` where none is given and it has one.
    """
    if view is None:
        view = getattr(desired, "view", None)
    different = []
    if not _both(served.host, desired.host, same_hosts):
        different.append("host")
    if not _both(served.addn_hosts, desired.addn_hosts, same_addn_hosts):
        different.append("addn_hosts")
    if served.opts != desired.opts:
        tags = own_dns_tags(view) if view is not None else ()
        if served.opts is None or desired.opts is None or not same_opts(served.opts, desired.opts, own_dns_tags=tags):
            different.append("opts")
    return tuple(different)


def _both(one: str | None, other: str | None, same: Callable[[str, str], bool]) -> bool:
    return one == other or (one is not None and other is not None and same(one, other))


def own_dns_tags(view: InstanceView) -> frozenset[str]:
    """The tags of subnets whose DNS servers are their DHCP ports: those for which nobody listed any."""
    return frozenset(f"subnet-{subnet.id}" for subnet in view.all_subnets if not subnet.dns_nameservers)


def same_hosts(one: str, other: str) -> bool:
    """Whether two host files mean the same."""
    return _same_lines(one, other, _mac_addresses)


def same_addn_hosts(one: str, other: str) -> bool:
    """Whether two additional hosts files mean the same."""
    return _same_lines(one, other, _address)


def same_opts(one: str, other: str, *, own_dns_tags: Collection[str] = ()) -> bool:
    """Whether two options files mean the same.

    Args:
        own_dns_tags: tags, without ``tag:``, whose ``dns-server`` lines list our own DNS servers (`own_dns_tags`).
    """
    return _same_lines(one, other, _tag_and_option, lambda line: _without_order(line, own_dns_tags))


def same_argv(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two command lines mean the same; the program may be given with its directory or without."""
    if one == other:
        return True
    left, right = _arguments(one), _arguments(other)
    return len(left) == len(right) and sorted(left) == sorted(right)


def serves_as(running: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a dnsmasq that runs with one command line need not be started again with the other.

    It need not where they mean the same, nor where all that differs is that it keeps to its own device because it had
    others beside it: they are gone, and nothing in the namespace is left that it does not listen on.
    """
    if same_argv(running, wanted):
        return True
    if any(map(_narrows, wanted)):
        return False
    return same_argv([argument for argument in running if not _narrows(argument)], wanted)


def _narrows(argument: str) -> bool:
    return argument.startswith(("--interface=", "--except-interface="))


def _arguments(argv: Sequence[str]) -> list[str]:
    given = [argument for argument in argv if argument]
    return [given[0].rpartition("/")[2], *given[1:]] if given else []


def _same_lines(one: str, other: str, keys: _Keys, plain: Callable[[str], str] = str) -> bool:
    if one == other:
        return True
    start = _common_start(one, other)
    end = _common_end(one, other, start)
    left = [line for line in one[start : len(one) - end].split("\n") if line]
    right = [line for line in other[start : len(other) - end].split("\n") if line]
    if len(left) != len(right):
        return False
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    if sorted(plain(a) for a, _ in pairs) != sorted(plain(b) for _, b in pairs):
        return False
    return _same_order(list(map(plain, left)), list(map(plain, right)), keys)


def _same_order(left: Sequence[str], right: Sequence[str], keys: _Keys) -> bool:
    """Whether the same lines, in whatever order, have the same order among those that share a key."""
    known = {line: (number, frozenset(keys(line))) for number, line in enumerate(left)}

    def by_key(lines: Iterable[str]) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for line in lines:
            number, shared = known[line]
            for key in shared:
                groups.setdefault(key, []).append(number)
        return groups

    return by_key(left) == by_key(right)


def _common_start(one: str, other: str) -> int:
    """How many characters both begin with, in whole lines."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # the first `low` are equal, and no more than `high` are
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return one.rfind("\n", 0, low) + 1


def _common_end(one: str, other: str, start: int) -> int:
    """How many characters both end with after `start`, in whole lines."""
    low, high = 0, min(len(one), len(other)) - start
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    line_end = one.find("\n", len(one) - low)
    return 0 if line_end < 0 else len(one) - line_end - 1


_NO_MAC: Final = ("set:", "tag:", "net:")


def _mac_addresses(line: str) -> Iterable[str]:
    for field in line.split(","):
        if ":" in field and field[0] != "[" and field[:4] not in _NO_MAC and field[:3].lower() != "id:":
            # A pattern competes with every other one.
            yield "*" if "*" in field else field.lower()


def _address(line: str) -> Iterable[str]:
    return line.lower().split(None, 1)[:1]


# Numbers are read as atoi reads them: leading zeros do not count (src/option.c, parse_dhcp_opt).
_OPTION: Final = re.compile(r"(?:^|,)(?:(option6?):([^,]*)|([0-9]{1,1024}))(?:,|$)").search
_NUMBER: Final = re.compile(r"[0-9]{1,1024}").fullmatch


def _tag_and_option(line: str) -> Iterable[str]:
    match = _OPTION(line)
    if match is None:  # dnsmasq refuses it
        return ()
    tag = line[: line.index(",")] if match.start() else ""
    family, name, number = match.groups()
    if family is None:
        return (f"{tag},4,{int(number)}",)
    version, codes = (6, CODES_6) if family == "option6" else (4, CODES_4)
    code = int(name) if _NUMBER(name) is not None else codes.get(name.lower(), name)
    return (f"{tag},{version},{code}",)


_DNS_SERVER: Final = re.compile(r"tag:([^,]*),option6?:dns-server,").match
_ROUTES: Final = re.compile(r"tag:subnet-[^,]*,(?:option:classless-static-route|249),").match
_ON_LINK: Final = re.compile(r"[^,]*,0\.0\.0\.0(?:,|$)")


def _without_order(line: str, own_dns_tags: Collection[str]) -> str:
    """An options line with the sets in it sorted."""
    if ",0.0.0.0" in line and (match := _ROUTES(line)) is not None:
        end = start = match.end()
        routes = []
        while (route := _ON_LINK.match(line, end)) is not None:
            routes.append(route.group().rstrip(","))
            end = route.end()
        return line[:start] + ";".join(sorted(routes)) + ";" + line[end:]
    if own_dns_tags and "dns-server" in line and (match := _DNS_SERVER(line)) is not None:
        if match.group(1) in own_dns_tags:
            return match.group() + ",".join(sorted(line[match.end() :].split(",")))
    return line
