"""The kinds of value an option may have: what each accepts as a value, and how it reads one from a mapping.

An option type is the attrs validator of its field (it checks the value) and its reader (it makes the value from JSON
types or from the text of an ini file, as oslo.config's types do).  Knows no option by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any

from attrs import Attribute, frozen

from dhcpcore.errors import SettingsError, shown
from dhcpcore.model.checks import LONGEST_NAME, is_host_name, is_ipv4, is_ipv6, labels_fit

# No value may hold one: every one of them may end up in a line of a file, in a C string or in a UTF-8 argument.
# C0 and C1 controls, DEL, the line and paragraph separators, and code points that UTF-8 does not have.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_HAPROXY_SYNTAX = re.compile(r"""[\s"'\\#]""").search
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}").fullmatch
_TRUE = frozenset({"true", "1", "on", "yes"})
_FALSE = frozenset({"false", "0", "off", "no"})

#: Largest whole number of any option.
LARGEST = (1 << 63) - 1


class OptionType:
    """One kind of value.  Subclasses have `_expected` (words), `_accepts` (a valid value?) and `read`."""

    __slots__ = ()

    @property
    def _expected(self) -> str:
        raise NotImplementedError

    def _accepts(self, value: Any) -> bool:
        raise NotImplementedError

    def __call__(self, _: Any, attribute: Attribute[Any], value: Any) -> None:
        """As an attrs validator."""
        if not self._accepts(value):
            group = attribute.metadata.get("group", "")
            raise SettingsError(f"{group}{attribute.name}", self._expected, shown(value))

    def read(self, option: str, raw: Any) -> Any:
        """The value that `raw` (a JSON value, or the text of an ini file) stands for.

        Raises:
            SettingsError: it is none; a value that merely lies outside the option's bounds is left to the validator.
        """
        raise NotImplementedError


@frozen
class Switch(OptionType):
    """True or false."""

    @property
    def _expected(self) -> str:
        return "true or false"

    def _accepts(self, value: Any) -> bool:
        return value is True or value is False

    def read(self, option: str, raw: Any) -> Any:
        """Texts as in oslo.config: true, on, yes, 1 and false, off, no, 0, in any case."""
        if isinstance(raw, str):
            word = raw.strip().lower() if len(raw) <= 80 else ""
            if word in _TRUE:
                return True
            if word in _FALSE:
                return False
        if raw is True or raw is False:
            return raw
        raise SettingsError(option, self._expected, shown(raw))


@frozen
class Whole(OptionType):
    """A whole number from `minimum` to `maximum`."""

    minimum: int
    maximum: int = LARGEST

    @property
    def _expected(self) -> str:
        if self.maximum == LARGEST:
            return f"a whole number of at least {self.minimum}"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def _accepts(self, value: Any) -> bool:
        return type(value) is int and self.minimum <= value <= self.maximum

    def read(self, option: str, raw: Any) -> Any:
        """Decimal text is read; so is a JSON number without a fraction, however it is written."""
        if isinstance(raw, str) and len(raw) <= 80 and _INTEGER(raw.strip()):
            return int(raw)
        if isinstance(raw, float) and raw.is_integer():
            return int(raw)
        if type(raw) is int:
            return raw
        raise SettingsError(option, self._expected, shown(raw))


@frozen
class IpVersion(Whole):
    """4 or 6."""

    minimum: int = 4
    maximum: int = 6

    @property
    def _expected(self) -> str:
        return "4 or 6"

    def _accepts(self, value: Any) -> bool:
        return Whole._accepts(self, value) and value != 5


@frozen
class Number(OptionType):
    """A finite number from `minimum` to `maximum`, with or without a fraction."""

    minimum: float
    maximum: float = LARGEST

    @property
    def _expected(self) -> str:
        if self.maximum == LARGEST:
            return f"a number of at least {self.minimum:g}"
        return f"a number from {self.minimum:g} to {self.maximum:g}"

    def _accepts(self, value: Any) -> bool:
        return type(value) in (int, float) and self.minimum <= value <= self.maximum

    def read(self, option: str, raw: Any) -> Any:
        """Text is read as Python's `float` reads it."""
        if isinstance(raw, str) and len(raw) <= 80:
            try:
                number = float(raw)
            except ValueError:
                pass
            else:
                if isfinite(number):
                    return int(number) if number.is_integer() else number
        if type(raw) in (int, float):
            return raw
        raise SettingsError(option, self._expected, shown(raw))


@frozen
class Text(OptionType):
    """One line of text without control characters.

    Attributes:
        empty: whether it may be empty.
        longest: in characters.
        check: a further test, described by `words`.
    """

    empty: bool = True
    longest: int = 65536
    check: Callable[[str], bool] | None = None
    words: str = "a line of text without control characters"

    @property
    def _expected(self) -> str:
        return self.words if self.empty else f"{self.words}, not empty"

    def _accepts(self, value: Any) -> bool:
        if type(value) is not str or len(value) > self.longest or _FORBIDDEN(value):
            return False
        if not value:
            return self.empty
        return self.check is None or self.check(value)

    def read(self, option: str, raw: Any) -> Any:
        """Null stands for the empty text."""
        return "" if raw is None and self.empty else raw


@frozen
class OptionalText(Text):
    """A line of text, or none."""

    @property
    def _expected(self) -> str:
        return f"{self.words}, or null"

    def _accepts(self, value: Any) -> bool:
        return value is None or Text._accepts(self, value)

    def read(self, option: str, raw: Any) -> Any:
        """As it is."""
        return raw


@frozen
class Account(Text):
    """The name or the number of a user or a group; text of digits is a number."""

    words: str = "a name without blanks, quotes, backslashes and #, or a number below 2**31"

    def _accepts(self, value: Any) -> bool:
        if not Text._accepts(self, value) or not is_haproxy_word(value):
            return False
        if not (value.isascii() and value.isdecimal()):
            return True
        # haproxy 2.6 takes a larger uid or gid for none ("is not a number").
        return len(value.lstrip("0")) <= 10 and int(value) < 1 << 31

    def read(self, option: str, raw: Any) -> Any:
        """A uid or gid may be written as a number."""
        return str(raw) if type(raw) is int and 0 <= raw < 1 << 31 else Text.read(self, option, raw)


@frozen
class Choice(OptionType):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def _expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def _accepts(self, value: Any) -> bool:
        return type(value) is str and value in self.words

    def read(self, option: str, raw: Any) -> Any:
        """Surrounding blanks do not count."""
        return raw.strip() if isinstance(raw, str) and len(raw) <= 80 else raw


@frozen
class ListOf(OptionType):
    """A tuple whose members are all of one type."""

    member: OptionType
    longest: int = 1024

    @property
    def _expected(self) -> str:
        return f"a list of at most {self.longest}, each {self.member._expected}"

    def _accepts(self, value: Any) -> bool:
        if type(value) is not tuple or len(value) > self.longest:
            return False
        return all(self.member._accepts(member) for member in value)

    def read(self, option: str, raw: Any) -> Any:
        """From a JSON list, or from text with commas between the members; null is no member."""
        if raw is None:
            return ()
        if isinstance(raw, str):
            line = raw.strip().rstrip(",")
            raw = [part.strip() for part in line.split(",", self.longest)] if line else []
        if not isinstance(raw, (list, tuple)):
            raise SettingsError(option, self._expected, shown(raw))
        if len(raw) > self.longest:
            raise SettingsError(option, f"at most {self.longest} members", shown(raw))
        members = []
        for index, part in enumerate(raw):
            member = self.member.read(f"{option}[{index}]", part)
            if not self.member._accepts(member):
                raise SettingsError(f"{option}[{index}]", self.member._expected, shown(part))
            members.append(member)
        return tuple(members)


@frozen
class Group(OptionType):
    """A group of options that is a model of its own."""

    model: type

    @property
    def _expected(self) -> str:
        return f"a {self.model.__name__}"

    def _accepts(self, value: Any) -> bool:
        return type(value) is self.model

    def read(self, option: str, raw: Any) -> Any:
        """The model itself; a mapping of the group's options is the business of whoever knows their names."""
        return raw


def is_haproxy_word(text: str) -> bool:
    """Whether `text` stands in haproxy's configuration for itself: one word, no quoting (its manual, section 2.2)."""
    return _HAPROXY_SYNTAX(text) is None


def is_domain_name(text: str) -> bool:
    """Whether `text` can stand behind the first dot of a name in a hosts file and on dnsmasq's command line.

    dnsmasq takes almost anything as ``--domain`` (src/util.c, check_name), but in the files that it reads a blank, a
    comma, a colon, a quote or ``#`` would begin another field.
    """
    name = text.encode()
    return len(name) <= LONGEST_NAME and labels_fit(name) and not any(character in text for character in ' ,:"\\#')


def is_txt_record(text: str) -> bool:
    """Whether dnsmasq can read ``<name>[[,<text>],<text>]``: it takes longer names than DNS has, of labels that fit."""
    name = text.partition(",")[0].encode()
    return len(name) <= 1024 and labels_fit(name)


_SERVER = re.compile(
    r"(?:/(?:[^/]*/)+)?"  # the domains it is for
    r"(?P<address>[^/@#%]*)(?P<zone>%[^/@#% ]+)?(?:#(?P<port>[0-9]{1,5}))?"
    r"(?:@[^/@# ]*(?:#(?P<source_port>[0-9]{1,5}))?)?"
).fullmatch
_LETTER = re.compile("[A-Za-z]").search


def is_dns_server(text: str) -> bool:
    """Whether `text` is in the form of dnsmasq's ``--server``: ``[/domain/../][address[#port][@source][#port]]``."""
    if text == "#" or (text.startswith("/") and text.endswith("/#")):  # the standard servers
        return True
    parts = _SERVER(text)
    if parts is None or any(int(parts[port] or 0) > 65535 for port in ("port", "source_port")):
        return False
    address = parts["address"]
    if parts["zone"]:
        return is_ipv6(address)
    if not address:  # these domains are not to be forwarded
        return text == "" or text.endswith("/")
    return is_ipv4(address) or is_ipv6(address) or (is_host_name(address) and _LETTER(address) is not None)
