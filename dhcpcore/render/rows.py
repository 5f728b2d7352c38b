"""The lines of all ports of an instance, and how the next rendering reuses them.

A network's files are rendered anew after every port event, and all but one port's lines are as they were.  So the
bodies of the files are kept with, for each port, the length of its stretch in each: an unchanged run of ports is one
slice.  That costs some 20 bytes a port besides the texts, and nothing of it is a second copy of a line.

A port is unchanged when it is the very same object: to compare two equal ones takes longer than to render one.

Knows no line's syntax (see hosts.py, options.py) but for one: the plain port's, with one IPv4 address, no options and
an ordinary name.  Nearly all ports are plain; their lines are made of checked parts and need no second look.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import compress
from operator import is_not
from typing import Final

from attrs import define, field, frozen

from dhcpcore.model.port import DHCP_CONFIG_NOT_REQUIRED_OWNERS, ROUTER_INTERFACE_OWNERS, Port
from dhcpcore.model.spec import Warning
from dhcpcore.render.hosts import port_lines
from dhcpcore.render.names import plain_name
from dhcpcore.render.options import port_options
from dhcpcore.render.rules import LineRules

# Ports that a subnet's options depend on, or that get no lines.
_NOTED_OWNERS: Final = DHCP_CONFIG_NOT_REQUIRED_OWNERS | ROUTER_INTERFACE_OWNERS


@frozen(kw_only=True, eq=False)
class Note:
    """What there is to say of a port beyond its lines.

    Attributes:
        options: its lines of the opts file; reserved: IPv4 addresses in its host lines.
    """

    port: Port
    options: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()


@frozen(kw_only=True, eq=False)
class Rows:
    """The rendered lines of `ports` under `rules`.

    Attributes:
        host, addn_hosts: bodies of the files.
        host_sizes, addn_sizes: for each port the length of its stretch in each.
        addresses: for each port the IPv4 address of its only reservation, else None.
        noted: for each port whether there is a note; notes: those, in order.
    """

    rules: LineRules
    ports: tuple[Port, ...]
    host: str
    addn_hosts: str
    host_sizes: array[int]
    addn_sizes: array[int]
    addresses: tuple[str | None, ...]
    noted: bytes
    notes: tuple[Note, ...]

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """Of all ports, in order."""
        return tuple(warning for note in self.notes for warning in note.warnings)


def render_rows(ports: tuple[Port, ...], rules: LineRules, previous: Rows | None = None) -> Rows:
    """The rows of all ports; those of ports that `previous` has already are taken from there."""
    rows = _Builder(rules=rules)
    if previous is None or previous.rules != rules:
        rows.render(ports)
    else:
        for old, new in _runs(previous.ports, ports):
            rows.reuse(previous, old) if old is not None else rows.render(ports[new])
    return rows.build(ports)


def _runs(old: Sequence[Port], new: Sequence[Port]) -> Iterator[tuple[slice | None, slice]]:
    """Cuts `new` into runs: (where it stands in `old`, or None when it must be rendered; where it stands in `new`).

    Runs keep the order of `old`: a port that moved back is rendered.
    """
    shorter = min(len(old), len(new))
    start = _first_change(old, new, shorter)
    tail = _first_change(reversed(old), reversed(new), shorter - start)
    if start:
        yield slice(0, start), slice(0, start)
    yield from _middle_runs(old, new, slice(start, len(old) - tail), slice(start, len(new) - tail))
    if tail:
        yield slice(len(old) - tail, len(old)), slice(len(new) - tail, len(new))


def _first_change(old: Iterable[Port], new: Iterable[Port], end: int) -> int:
    """The first place at which the two differ, at most `end`.  Without a loop in Python: this walks every port."""
    return next(compress(range(end), map(is_not, old, new)), end)


def _middle_runs(
    old: Sequence[Port], new: Sequence[Port], of_old: slice, of_new: slice
) -> Iterator[tuple[slice | None, slice]]:
    places = {id(old[index]): index for index in range(of_old.start, of_old.stop)}
    cursor = of_old.start  # first place in `old` that may still be used
    begin = of_new.start  # of the run at hand
    run: int | None = None  # where the run at hand begins in `old`, None when it must be rendered
    for index in range(of_new.start, of_new.stop):
        place = places.get(id(new[index]), -1)
        if place == cursor and run is not None:
            cursor += 1
            continue
        found = place if place >= cursor else None
        if found is None and run is None:
            continue
        if index > begin:
            yield None if run is None else slice(run, run + index - begin), slice(begin, index)
        begin, run = index, found
        if found is not None:
            cursor = found + 1
    if of_new.stop > begin:
        yield None if run is None else slice(run, run + of_new.stop - begin), slice(begin, of_new.stop)


@define(kw_only=True)
class _Builder:
    """Collects rows, port by port or run by run."""

    rules: LineRules
    host: list[str] = field(factory=list)
    addn_hosts: list[str] = field(factory=list)
    host_sizes: array[int] = field(factory=lambda: array("I"))
    addn_sizes: array[int] = field(factory=lambda: array("I"))
    addresses: list[str | None] = field(factory=list)
    noted: bytearray = field(factory=bytearray)
    notes: list[Note] = field(factory=list)
    # How far the previous rows have been used: ports, characters of each file, notes.
    _used: tuple[int, int, int, int] = (0, 0, 0, 0)

    def render(self, ports: Iterable[Port], taken: Collection[str] = ()) -> None:
        """Adds the rows of ports, made anew."""
        host: list[str] = []
        addn_hosts: list[str] = []
        rules = self.rules
        for port in ports:
            fixed_ips = port.fixed_ips
            if (
                len(fixed_ips) == 1
                and not port.extra_dhcp_opts
                and port.device_owner not in _NOTED_OWNERS
                and fixed_ips[0].subnet_id in rules.plain
                and ":" not in (address := fixed_ips[0].ip_address)
                and address not in taken
                and (names := plain_name(port, address, rules)) is not None
            ):
                hostname, fqdn = names
                host.append(f"{port.mac_address},{fqdn},{address}\n")
                addn_hosts.append(f"{address}\t{fqdn} {hostname}\n")
                self.addresses.append(address)
                self.noted.append(False)
            else:
                self._render_other(port, taken, host, addn_hosts)
        self.host += host
        self.addn_hosts += addn_hosts
        self.host_sizes.extend(map(len, host))
        self.addn_sizes.extend(map(len, addn_hosts))

    def _render_other(self, port: Port, taken: Collection[str], host: list[str], addn_hosts: list[str]) -> None:
        """Adds one item to each list: all of the port's lines in that file."""
        options = port_options(port)
        warnings = options.warnings
        reserved: list[str] = []
        if port.requires_dhcp_configuration:
            lines = port_lines(port, self.rules, taken)
            host.append("".join(f"{line}\n" for line in lines.host))
            addn_hosts.append("".join(f"{line}\n" for line in lines.addn_hosts))
            warnings, reserved = lines.warnings + warnings, lines.reserved
        else:
            host.append("")
            addn_hosts.append("")
        noted = bool(options.lines or warnings or len(reserved) > 1 or port.device_owner in _NOTED_OWNERS)
        self.noted.append(noted)
        self.addresses.append(None if noted or not reserved else reserved[0])
        if noted:
            self.notes.append(
                Note(port=port, options=tuple(options.lines), reserved=tuple(reserved), warnings=tuple(warnings))
            )

    def reuse(self, rows: Rows, run: slice) -> None:
        """Adds the rows of a run of ports that follows all runs used before."""
        row, host, addn, note = self._used
        skipped = slice(row, run.start)
        host += sum(rows.host_sizes[skipped])
        addn += sum(rows.addn_sizes[skipped])
        note += sum(rows.noted[skipped])
        if run.stop == len(rows.ports):
            ends = len(rows.host), len(rows.addn_hosts), len(rows.notes)
        else:
            ends = (
                host + sum(rows.host_sizes[run]),
                addn + sum(rows.addn_sizes[run]),
                note + sum(rows.noted[run]),
            )
        self.host.append(rows.host[host : ends[0]])
        self.addn_hosts.append(rows.addn_hosts[addn : ends[1]])
        self.host_sizes += rows.host_sizes[run]
        self.addn_sizes += rows.addn_sizes[run]
        self.addresses += rows.addresses[run]
        self.noted += rows.noted[run]
        self.notes += rows.notes[note : ends[2]]
        self._used = (run.stop, *ends)

    def build(self, ports: tuple[Port, ...]) -> Rows:
        return Rows(
            rules=self.rules,
            ports=ports,
            host="".join(self.host),
            addn_hosts="".join(self.addn_hosts),
            host_sizes=self.host_sizes,
            addn_sizes=self.addn_sizes,
            addresses=tuple(self.addresses),
            noted=bytes(self.noted),
            notes=tuple(self.notes),
        )


def distinct_rows(rows: Rows) -> Rows:
    """The rows as they go into the files: of ports that claim one IPv4 address, only the first gets it.

    Apart from `rows`, because which port is the first may change with the next event: `rows` are what can be reused.
    """
    reserved = [address for note in rows.notes for address in note.reserved]
    distinct = {*rows.addresses, *reserved}
    distinct.discard(None)
    if len(distinct) == len(rows.addresses) - rows.addresses.count(None) + len(reserved):
        return rows
    builder = _Builder(rules=rows.rules)
    seen: set[str] = set()
    notes = iter(rows.notes)
    begin = 0
    for index, address in enumerate(rows.addresses):
        own = next(notes).reserved if rows.noted[index] else () if address is None else (address,)
        if not seen.isdisjoint(own):
            builder.reuse(rows, slice(begin, index))
            builder.render(rows.ports[index : index + 1], seen)
            begin = index + 1
        seen.update(own)
    builder.reuse(rows, slice(begin, len(rows.ports)))
    return builder.build(rows.ports)
