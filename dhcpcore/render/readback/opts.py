"""dnsmasq's ``--dhcp-optsfile``, read back.

Follows dnsmasq's grammar (src/option.c, parse_dhcp_opt): tags and encapsulations, then the option, then its value to
the end of the line.  The value stays as it is in the file; what dnsmasq makes of quotes, comments or a line that is
too long is not told here, because nobody compares what a client gets with what a file says.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from dhcpcore.render.readback.source import as_text
from dhcpcore.render.syntax.option_table import CODES_4, CODES_6

_TAG_PREFIXES: Final = ("tag:", "set:", "net:")
_ENCAPSULATIONS: Final = ("vendor:", "encap:", "vi-encap:")
#: More than dnsmasq reads of one line, and fewer than Python's limit for integers.
_MAX_DIGITS: Final = 1024


@frozen(kw_only=True)
class OptionEntry:
    """One ``dhcp-option`` line.

    Attributes:
        tags: the tags it requires, without ``tag:``; ``!x`` means x must not be set.
        ip_version: 4 or 6; 0 in an unparsed entry.
        name: as written, None where the line has a number; number: None where dnsmasq does not know the name.
        value: everything after the option's comma; None where there is no comma (the option is suppressed, which is
            not the same as an empty value).
        encapsulation: ``vendor:``, ``encap:`` and ``vi-encap:`` fields, as written.
        unparsed: the whole line where it has no option, and then nothing else is set.
    """

    tags: tuple[str, ...] = ()
    ip_version: int = 0
    name: str | None = None
    number: int | None = None
    value: str | None = None
    encapsulation: tuple[str, ...] = ()
    unparsed: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The value split at its commas, for options that are lists."""
        return () if self.value is None else tuple(self.value.split(","))


def parse_opts(data: str | bytes) -> tuple[OptionEntry, ...]:
    """The entries of an options file, in its order; empty lines and comments give none.  Never raises."""
    return tuple(
        _entry(line)
        for line in as_text(data).split("\n")
        if (text := line.strip(" \t\r\v\f")) and not text.startswith("#")
    )


def _entry(line: str) -> OptionEntry:
    tags: list[str] = []
    encapsulation: list[str] = []
    end = -1
    while True:
        start, end = end + 1, line.find(",", end + 1)
        comma = end >= 0
        field = line[start : end if comma else None].strip(" \t\r\v\f")
        name: str | None = None
        number: int | None = None
        version = 4
        if _is_number(field):
            number = int(field)
        elif field.startswith("option:"):
            name = field[7:]
            number = CODES_4.get(name.lower())
        elif field.startswith("option6:"):
            version = 6
            if _is_number(field[8:]):
                number = int(field[8:])
            else:
                name = field[8:]
                number = CODES_6.get(name.lower()) if name else 0  # dnsmasq takes no digits for a number, too
        else:
            if not comma or not field:
                return OptionEntry(unparsed=line)
            if field.startswith(_ENCAPSULATIONS):
                encapsulation.append(field)
            else:  # a bare word is a tag, too
                tags.append(field[4:] if field.startswith(_TAG_PREFIXES) else field)
            continue
        return OptionEntry(
            tags=tuple(tags),
            ip_version=version,
            name=name,
            number=number,
            value=line[end + 1 :] if comma else None,
            encapsulation=tuple(encapsulation),
        )


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= _MAX_DIGITS
