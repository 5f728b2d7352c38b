"""Lines of a --dhcp-optsfile: which of them dnsmasq 2.90 takes (option.c parse_dhcp_opt).

A line is tags, perhaps an encapsulation, then the option by name or number, then its value. Where the option has no
form of its own, and even where it has, the form is guessed from the characters of the value, one quirk after another;
the quirks are kept in the source's order here, because each changes what the next one sees.

Some lines that dnsmasq takes without a word kill it, when the file is read again or when a client is answered; they are
refused with a reason that starts with `DEADLY`. Measured on 2.90: an empty tag, T1 or T2 without a value, and others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import frozen

from dhcpcore.render.syntax.c_text import atoi, digits_only, ipv6_number, is_ipv4
from dhcpcore.render.syntax.names import canonical
from dhcpcore.render.syntax.option_table import (
    ADDRESSES,
    CODES_4,
    CODES_6,
    DOMAINS,
    FORMS_4,
    FORMS_6,
    INTERNAL,
    STRINGS,
    TEXT,
    TIME,
)
from dhcpcore.render.syntax.reader import DEADLY, Refused, read_line, split, unhidden

_SNAME, _FILENAME, _T1, _T2, _NEXT_SERVER = 66, 67, 58, 59, 255
_DOMAIN_SEARCH, _SIP_SERVER = 119, 120
_NTP_SERVER_6 = 56
# Read through a null pointer when they have no value: rfc2131.c do_options.
_NEED_A_VALUE: Final = frozenset({_T1, _T2, _SNAME, _FILENAME, _NEXT_SERVER})
_HEX: Final = frozenset("0123456789ABCDEFabcdef")
#: Longer lines are not remembered, so that what is remembered stays small whatever comes from outside (characters).
_SHORT: Final = 400


@frozen(kw_only=True)
class _Option:
    """What stands before the value. `value` is None where the line ends with the option."""

    v6: bool
    code: int
    form: int
    vendor: bool
    encap: bool
    vendor_identifying: bool
    value: str | None
    deadly: str | None

    @property
    def encapsulated(self) -> bool:
        return self.vendor or self.encap or self.vendor_identifying

    @property
    def longest(self) -> int | None:
        """Bytes that the encoded value may have; DHCPv6 has no limit."""
        if self.v6:
            return None
        if self.vendor or self.encap:
            return 253
        return 250 if self.vendor_identifying else 255


@frozen(kw_only=True)
class _Guess:
    """What the characters of a value allow it to be."""

    value: str
    #: Bytes that a last letter b, s or i asks for; 0 without one.
    width: int
    address: bool
    address6: bool
    hexadecimal: bool
    decimal: bool
    digit: bool
    dots: int
    #: One more than there are colons: bytes, if it is hexadecimal.
    parts: int


def option_line_problem(line: str) -> str | None:
    """Why dnsmasq would refuse this line of an options file, read more than one line in it, or die of it; or None.

    `line` comes without its newline. Where dnsmasq would log an error, the reason is its own wording.
    """
    return _remembered_problem(line) if len(line) <= _SHORT else _problem(line)


def _problem(line: str) -> str | None:
    try:
        if text := read_line(line):
            check_option(text)
    except Refused as refused:
        return str(refused)
    return None


# A subnet's lines are looked at whenever something happens to a port on it, and they are the same ones nearly always.
_remembered_problem: Final = lru_cache(maxsize=64)(_problem)


def check_option(text: str, *, forced: bool = False) -> None:
    """Check one option definition, as a byte text without quotes; `forced`: that of --dhcp-option-force.

    Raises:
        Refused: dnsmasq does not take it, or does not live with it.
    """
    option = _parse_head(text)
    length, has_value = _encode(option)
    if option.longest is not None and length > option.longest:
        raise Refused("dhcp-option too long")
    if option.deadly:
        raise Refused(DEADLY + option.deadly)
    if not (has_value or option.v6 or option.encapsulated) and option.code in _NEED_A_VALUE:
        # A forced file or server name never gets into the header of the packet, where the null pointer is followed.
        if not (forced and option.code in (_SNAME, _FILENAME)):
            raise Refused(f"{DEADLY}option {option.code} has no value")


def _parse_head(text: str) -> _Option:
    vendor = encap = vendor_identifying = False
    v6, code = False, -1
    deadly: str | None = None
    form = 0
    rest: str | None = text
    while rest is not None:
        word, rest = split(rest)
        if digits_only(word):
            v6, code = False, atoi(word)
        elif word.startswith("option:"):
            v6, code, form = False, *_named(word[7:], CODES_4, FORMS_4)
        elif word.startswith("option6:"):
            if digits_only(word[8:]):
                v6, code = True, atoi(word[8:])
            else:
                v6, code, form = True, *_named(word[8:], CODES_6, FORMS_6)
        else:
            if word.startswith("vendor:"):
                vendor = True
                if encap:
                    raise Refused("inappropriate vendor:")
            elif word.startswith(("encap:", "vi-encap:")):
                # One union holds this number and the vendor's name, a pointer that is freed at the next reload.
                if vendor:
                    raise Refused(DEADLY + "an encapsulation after vendor:")
                vendor_identifying |= word.startswith("vi-encap:")
                encap |= word.startswith("encap:")
            elif not (word[4:] if word.startswith(("net:", "tag:", "set:")) else word):
                deadly = "an empty tag"
            continue
        break
    else:
        form = INTERNAL  # no option at all is refused in the same words
    if v6 and (vendor or encap):
        raise Refused("unsupported encapsulation for IPv6 option")
    # Only by number may an internal option be set.
    if form & INTERNAL:
        raise Refused("bad dhcp-option")
    if v6:
        if form == 0 and not vendor_identifying:
            form = FORMS_6.get(code, 0)
    elif form == 0 and not (vendor or encap or vendor_identifying):
        form = FORMS_4.get(code, 0)
    return _Option(
        v6=v6,
        code=code,
        form=form,
        vendor=vendor,
        encap=encap,
        vendor_identifying=vendor_identifying,
        value=rest,
        deadly=deadly,
    )


def _named(name: str, codes: dict[str, int], forms: dict[int, int]) -> tuple[int, int]:
    code = codes.get(name.lower(), -1)
    return code, forms.get(code, INTERNAL)


def _guess(value: str) -> _Guess:
    """The source's walk over the value (the loop under "characterise the value")."""
    address = address6 = hexadecimal = decimal = True
    digit = False
    width = dots = 0
    parts = 1
    last = len(value) - 1
    for at, char in enumerate(value):
        if "0" <= char <= "9":
            digit = True
        elif char == ",":
            decimal = hexadecimal = False
        elif char == ":":
            parts += 1
            decimal = address = False
        elif char == "/":
            address6 = decimal = hexadecimal = False
            if at == 0:
                address = False
        elif char == ".":
            decimal = hexadecimal = False
            dots += 1
        elif char == "-":
            hexadecimal = address = address6 = False
        elif char == " ":
            decimal = hexadecimal = False
        else:
            address = False
            if at == last and decimal and char in "bsi":
                width = {"b": 1, "s": 2, "i": 4}[char]
                value = value[:-1]
            else:
                decimal = False
            if char not in _HEX:
                hexadecimal = False
                if char not in "[]":
                    address6 = False
    if not digit:
        decimal = address = False
    return _Guess(
        value=value,
        width=width,
        address=address,
        address6=address6 and parts > 1,
        hexadecimal=hexadecimal,
        decimal=decimal,
        digit=digit,
        dots=dots,
        parts=parts,
    )


def _encode(option: _Option) -> tuple[int, bool]:
    """How many bytes the value takes, and whether there are any for dnsmasq to point to."""
    if option.value is None:
        return 0, False
    form = option.form
    guess = _guess(option.value)
    value = guess.value
    if option.v6 and option.code == _NTP_SERVER_6 and not guess.hexadecimal:
        form |= ADDRESSES if guess.address6 else DOMAINS
    if form & ADDRESSES:
        if not option.v6 and not (guess.address and guess.dots):
            raise Refused("bad IP address")
        if option.v6 and not guess.address6:
            raise Refused("bad IPv6 address")
        return (_addresses6 if option.v6 else _addresses4)(value, option)
    if not form & (TEXT | DOMAINS | STRINGS):
        # Times come before all that the characters suggest, numbers and bytes before addresses.
        if guess.digit and form & TIME and value:
            return 4, True
        if guess.hexadecimal and guess.parts > 1:
            return guess.parts, True
        if guess.decimal:
            return guess.width or form or _width(atoi(value)), True
        if guess.address and not option.v6:
            return _addresses4(value, option)
        if guess.address6 and option.v6:
            return _addresses6(value, option)
    if option.code in (_DOMAIN_SEARCH, _SIP_SERVER) and not option.v6 and not option.encapsulated:
        return _compressed_domains(value, 1 if option.code == _SIP_SERVER else 0), True
    if form & DOMAINS and not form & STRINGS:
        return _domains(value), True
    return len(value), bool(value)


def _width(number: int) -> int:
    return 4 if number & 0xFFFF0000 else 2 if number & 0xFF00 else 1


def _addresses4(value: str, option: _Option) -> tuple[int, bool]:
    # An encoding byte comes first for SIP servers (RFC 3361).
    length = 1 if option.code == _SIP_SERVER and not option.encapsulated else 0
    for field in value.split(","):
        address, prefix = split(field.strip(" "), "/")
        if not is_ipv4(address):
            raise Refused("bad IPv4 address")
        if prefix is None:
            length += 4
        else:
            # A destination of RFC 3442: its length, then as many bytes of it as matter.
            bits = atoi(prefix)
            length += 1 + (bits > 0) + (bits > 8) + (bits > 16) + (bits > 24)
    return length, True


def _addresses6(value: str, _: _Option) -> tuple[int, bool]:
    fields = value.split(",")
    for field in fields:
        address = field.strip(" ").removeprefix("[")
        if len(address) > 1:
            address = address.removesuffix("]")
        if ipv6_number(address) is None:
            raise Refused("bad IPv6 address")
    return 16 * len(fields), True


def _names(value: str) -> list[str]:
    """The fields up to the first empty one."""
    names: list[str] = []
    rest: str | None = value
    while rest:
        name, rest = split(rest)
        if not name:
            break
        names.append(name)
    return names


def _canonical(name: str) -> str:
    kept = canonical(unhidden(name))
    if kept is None:
        raise Refused("bad domain in dhcp-option")
    return kept


def _domains(value: str) -> int:
    # do_rfc1035_name has no byte for what follows a last dot; each name ends in a zero.
    return sum(len(_wire_form(_canonical(name))) for name in _names(value))


def _wire_form(name: str) -> bytes:
    labels = name.split(".")
    if not labels[-1]:
        labels.pop()
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def _compressed_domains(value: str, header: int) -> int:
    """The length of a list of names that point into one another (RFC 3397), as dnsmasq compresses it.

    It compares from each label of the new name with each label of what is there, taking a pointer found on the way for
    the length of a label. So the length is not the least possible, and it is this one that is held against 255.
    """
    encoded = b""
    for name in _names(value):
        old = len(encoded)
        encoded += b"\0" if name == "." else _wire_form(_canonical(name))
        encoded = _compress(encoded, old)
    return len(encoded) + header


def _compress(encoded: bytes, old: int) -> bytes:
    tail = old
    while encoded[tail]:
        suffix = encoded[tail : encoded.index(0, tail)]
        at = 0
        while at < old:
            if encoded[at : encoded.index(0, at)] == suffix:
                return encoded[:tail] + (0xC000 | at).to_bytes(2, "big")
            at += encoded[at] + 1
        tail += encoded[tail] + 1
    return encoded
