"""dnsmasq's ``--addn-hosts`` file, read back.

It has a reader of its own (src/cache.c, read_hostsfile): LF ends a line, any other white space separates names, ``#``
starts a comment anywhere, even inside a name, and there are no quotes.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from dhcpcore.model.checks import is_ipv4, is_ipv6
from dhcpcore.render.readback.source import as_text
from dhcpcore.render.syntax.c_text import byte_length

_WORDS: Final = re.compile(r"[^ \t\r\v\f]+").findall
#: A longer word is cut (MAXDNAME - 1).
_MAX_WORD_BYTES: Final = 1024


@frozen(kw_only=True)
class AddnHost:
    """One line: an address and its names, the one for PTR answers first.

    Attributes:
        address: as written; empty in an unparsed entry.
        unparsed: the whole line where dnsmasq would not take it as it stands, and then nothing else is set.
    """

    address: str = ""
    names: tuple[str, ...] = ()
    unparsed: str | None = None


def parse_addn_hosts(data: str | bytes) -> tuple[AddnHost, ...]:
    """The lines of an additional hosts file; those that hold nothing but a comment give none.  Never raises."""
    entries = []
    for line in as_text(data).split("\n"):
        words = _WORDS(line.partition("#")[0])
        if not words:
            continue
        address = words[0]
        if not (is_ipv4(address) or is_ipv6(address)) or "\0" in line or any(map(_too_long, words)):
            entries.append(AddnHost(unparsed=line))
        else:
            entries.append(AddnHost(address=address, names=tuple(words[1:])))
    return tuple(entries)


def _too_long(word: str) -> bool:
    return byte_length(word) > _MAX_WORD_BYTES
