"""How dnsmasq reads a line of its hosts and options files before it looks at what the line says.

Quotes, escapes, comments and the cutting into fields: option.c read_file, hide_meta and split_chr. Both files go
through it. Knows no option and no host.
"""

from __future__ import annotations

import re
from typing import Final

from dhcpcore.render.syntax.c_text import SPACES, byte_text

#: fgets() into 1025 bytes: what is longer goes on as a line of its own, where a tail could say anything.
LONGEST_LINE: Final = 1024
#: Said instead of dnsmasq's own words where it says nothing and crashes: when it reads the file or, later, a packet.
DEADLY: Final = "kills dnsmasq: "

# option.c, `meta`: what the bytes 0x01 to 0x1f stand for once a line is cut into fields. Quoted characters are put into
# this form so that they neither part fields nor count as digits; a control character in a value is decoded as if it had
# been one of them.
_META: Final = "123456 \b\t\n78\r90abcdefABCDE\033F:,."
_UNHIDE: Final = dict(enumerate(_META, 1))
_HIDE: Final = {char: chr(code) for code, char in reversed(_UNHIDE.items())}
_HIDDEN: Final = re.compile(r"[\x01-\x1f]").search

_BREAKS: Final = re.compile(r"[\n\r\v\f\x00]").search
_NEEDS_CARE: Final = re.compile(r'["#\t]').search
_ESCAPES: Final = {"t": "\t", "n": "\n", "b": "\b", "r": "\r", "e": "\033", '"': '"', "\\": "\\"}


class Refused(Exception):
    """dnsmasq does not take the line. The message is its own where it has one."""


def read_line(line: str) -> str:
    """A line as the parsers get it: a byte text, empty for a line that is skipped.

    Raises:
        Refused: it would not stay one line, or a quote is not closed.
    """
    if _BREAKS(line):
        raise Refused("a line break or NUL")
    text = byte_text(line)
    if text is None:
        raise Refused("no text that UTF-8 can hold")
    if len(text) > LONGEST_LINE:
        raise Refused("longer than 1024 bytes")
    return (_unquoted(text) if _NEEDS_CARE(text) else text).strip(" ")


def _unquoted(text: str) -> str:
    out: list[str] = []
    after_space = True
    at = 0
    while at < len(text):
        char = text[at]
        if char == '"':
            at = _quoted(text, at + 1, out)
            # The source looks at the character behind a closing quote without looking whether it opens another, and the
            # white space before the opening one still counts for it.
            if at == len(text):
                break
            char = text[at]
        if char in SPACES:
            char, after_space = " ", True
        elif after_space and char == "#":
            break
        else:
            after_space = False
        out.append(char)
        at += 1
    return "".join(out)


def _quoted(text: str, at: int, out: list[str]) -> int:
    while at < len(text) and text[at] != '"':
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in _ESCAPES:
            at += 1
            char = _ESCAPES[text[at]]
        out.append(_HIDE.get(char, char))
        at += 1
    if at == len(text):
        raise Refused('missing "')
    return at + 1


def split(text: str, separator: str = ",") -> tuple[str, str | None]:
    """The field before the separator and the rest after it, without the spaces around it; no rest: None."""
    head, found, tail = text.partition(separator)
    return (head.rstrip(" "), tail.lstrip(" ")) if found else (text, None)


def unhidden(text: str) -> str:
    """The characters that the bytes below 0x20 stand for."""
    return text.translate(_UNHIDE) if _HIDDEN(text) else text
