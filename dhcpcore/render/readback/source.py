"""Text as it came from a file or from /proc.

Knows bytes and lines, no format.  dnsmasq reads bytes: only LF ends a line, only the six ASCII white-space characters
separate, and limits count bytes; Python's own idea of lines and spaces (U+0085, U+2028, 0x1C...) must not leak in.
"""

from __future__ import annotations

from typing import Final

from dhcpcore.render.syntax.c_text import byte_length

#: One fgets of dnsmasq's file reader (src/option.c, read_file, MAXDNAME - 1): what is longer is read as two lines.
MAX_LINE_BYTES: Final = 1024


def as_text(data: str | bytes) -> str:
    """Bytes as text with surrogate escapes (never fails); text as it is."""
    return data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")


def reads_as_written(line: str) -> bool:
    """Whether dnsmasq's option reader sees this line as it stands.

    It removes paired quotes, cuts at a NUL and at a ``#`` after white space, and splits what is too long
    (src/option.c, read_file).
    """
    return (
        '"' not in line
        and "\0" not in line
        and (byte_length(line) <= MAX_LINE_BYTES)
        and ("#" not in line or not any(space + "#" in line for space in " \t\r\v\f"))
    )
