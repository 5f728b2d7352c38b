"""`dhcpcore.contracts.Reporter` over the standard library's logging: constant messages, values in fields.

Knows logging; decides nothing.  A record's message is the report's, unformatted; its fields are the attribute `fields`
of the record, so no field's name clashes with logging's own.  Values become plain ones at once: a list that changes
later does not change the record, and no exception's frames are kept (Launchpad 1969270).  `LineFormatter` and
`JsonFormatter` write one record as one line, whatever is in it.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Mapping
from typing import Final

#: Longest text of one field, in characters; the rest is cut off, and `…` says so.
LONGEST: Final = 4000

Plain = str | int | float | None


class LoggingReporter:
    """Reports to a logger.

    Args:
        logger: default: the one called ``dhcpcore``.
        level: of a report; error_level: of a report that has one of `error_fields`.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        level: int = logging.INFO,
        error_level: int = logging.WARNING,
        error_fields: Collection[str] = ("error",),
    ) -> None:
        self._logger = logging.getLogger("dhcpcore") if logger is None else logger
        self._level = level
        self._error_level = error_level
        self._error_fields = frozenset(error_fields)

    def report(self, message: str, /, **fields: object) -> None:
        """`message` is constant text, no template; what varies is in the fields."""
        level = self._level if self._error_fields.isdisjoint(fields) else self._error_level
        if self._logger.isEnabledFor(level):
            plain = {name: _plain(value) for name, value in fields.items()}
            self._logger.log(level, message, extra={"fields": plain}, stacklevel=2)


class LineFormatter(logging.Formatter):
    """``2026-01-02T03:04:05+0000 INFO message name=value other="two words"``: one line, no control characters."""

    default_time_format = "%Y-%m-%dT%H:%M:%S%z"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, whoever made it."""
        words = [self.formatTime(record), record.levelname, _printable(record.getMessage())]
        words += [f"{_printable(name)}={_word(value)}" for name, value in _fields(record).items()]
        return " ".join(words)


class JsonFormatter(logging.Formatter):
    """One JSON object on one line: ``time`` (seconds since the epoch), ``level``, ``message``, ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, whoever made it."""
        document = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "fields": _fields(record),
        }
        return json.dumps(document)


def _fields(record: logging.LogRecord) -> Mapping[str, Plain]:
    fields: Mapping[str, Plain] = getattr(record, "fields", {})
    if record.exc_info and record.exc_info[1] is not None:  # another library's record
        return {**fields, "exception": _plain(record.exc_info[1])}
    return fields


def _plain(value: object) -> Plain:
    if value is None or type(value) is bool:
        return value
    if type(value) is int and value.bit_length() <= 64:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    try:
        if isinstance(value, BaseException):
            text = f"{type(value).__name__}: {value}"
        else:
            text = str(value)
    except Exception as error:
        # Telling what happens never changes what happens.
        text = f"<{type(value).__name__}, whose str() raises {type(error).__name__}>"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _word(value: Plain) -> str:
    text = _printable(str(value))
    if text and " " not in text and '"' not in text and "=" not in text:
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _printable(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
