"""Host and domain names: which ones dnsmasq takes, and which words of a host line it takes for something else.

Three readers are told apart: a domain name anywhere (util.c canonicalise), the name of a dhcp-host line, which shares
its place with lease times, addresses and the words ``ignore`` and ``infinite`` (option.c, case LOPT_BANK), and a name
of an --addn-hosts file (cache.c read_hostsfile).

Names that are not ASCII are refused throughout. dnsmasq hands them to libidn2, which converts from the encoding of
the locale: with LC_ALL=C each of them is an error, in a UTF-8 locale some are not, and we cannot know the locale of a
process that somebody else starts. For the same reason (Unicode tables that are not ours) a name that holds both a
capital letter and an ``xn--`` label is refused.
"""

from __future__ import annotations

import re
from typing import Final

from dhcpcore.model.checks import LONGEST_LABEL, LONGEST_NAME, labels_fit
from dhcpcore.render.syntax.c_text import byte_text, digits_only, is_ipv4
from dhcpcore.render.syntax.reader import LONGEST_LINE, unhidden


def usual_name(first: str, further: str = "*") -> str:
    """The pattern of a name of the usual labels: of lower case letters, digits, '-' and '_'.

    Args:
        first: which characters it may begin with, as a pattern.
        further: how many labels may follow the first, as a pattern.
    """
    return rf"{first}[a-z0-9_-]{{0,{LONGEST_LABEL - 1}}}(?:\.[a-z0-9_-]{{1,{LONGEST_LABEL}}}){further}\.?"


# Such names need none of the rules below, unless the whole is a number, a time, an address or one of two words. This is
# called once for each port.
_ORDINARY: Final = re.compile(rf"(?!(?:[0-9]+[wdhms]?|[0-9.]+|infinite|ignore)\Z){usual_name('[a-z0-9]')}").fullmatch
_ORDINARY_DOMAIN: Final = re.compile(usual_name("[a-z0-9_-]")).fullmatch
_LEGAL_FIRST_LABEL: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]*)?(?:\.|\Z)").match
_CAPITAL: Final = re.compile(r"[A-Z]").search
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]").search
_NOT_ASCII = "not ASCII: whether dnsmasq takes it depends on its locale"
_UNENCODABLE = "no text that UTF-8 can hold"
_IDN_TOTAL = 253


def canonical(name: str) -> str | None:
    """The form in which dnsmasq keeps a domain name, or None where it refuses it (util.c check_name, canonicalise).

    Takes a byte text. One trailing dot goes; empty labels and spaces are fine; no label is too long; a capital
    letter sends the whole name through libidn2, which has rules of its own about hyphens and length.
    """
    if not name or not name.isascii() or _CONTROL(name):
        return None
    ended = name.endswith(".")
    if ended:
        name = name[:-1]
    if not labels_fit(name.encode()) or not (ended or name.strip(" .")):
        return None
    if _CAPITAL(name):
        name = name.lower()
        # UTS 46 as libidn2 2.3 applies it to ASCII, without STD3 rules (lookup.c _tr46 and idn2_lookup_u8).
        if len(name) > (_IDN_TOTAL + 1 if name.endswith(".") else _IDN_TOTAL):
            return None
        for label in name.split("."):
            if label[2:4] == "--" or label[:1] == "-" or label[-1:] == "-":
                return None
    return name


def meaning_of_word(word: str) -> str:
    """What dnsmasq takes one field of a host line for, when it has no colon: a byte text in, one of these words out.

    ``address``, ``time``, ``infinite``, ``ignore``, ``blank`` (skipped), ``name`` or ``bad name``. The quirks are the
    source's: a last w, d, h, m or s is cut off before the look for digits.
    """
    if "." in word and is_ipv4(word):
        return "address"
    trunk = word[:-1] if len(word) > 1 and word[-1] in "wWdDhHmMsS" else word
    if digits_only(trunk.replace(" ", "")):
        return "time" if trunk.strip(" ") else "blank"
    if word in ("infinite", "ignore"):
        return word
    kept = canonical(unhidden(word))
    # legal_hostname looks at the first label only, but not before it has put the whole through check_name again.
    return "name" if kept and canonical(kept) is not None and _LEGAL_FIRST_LABEL(kept) else "bad name"


def hostname_problem(name: str) -> str | None:
    """Why a dhcp-host line would not have exactly this host name, or None.

    A trailing dot is fine and goes; of a qualified name the first label becomes the host name, the rest its domain;
    capitals are folded, which DNS does not tell apart.
    """
    # The short cut is for names that DNS could carry. dnsmasq itself takes longer ones, up to a line.
    if len(name) <= LONGEST_NAME and _ORDINARY(name):
        return None
    if problem := _token_problem(name):
        return problem
    if "," in name or '"' in name:
        return "comma and quote part or join the fields of a line"
    if ":" in name:
        return "a colon makes it a hardware address"
    if name[0] in " #" or name[-1] == " " or " #" in name:
        return "spaces at its ends and comments are dropped"
    meaning = meaning_of_word(name)
    if meaning == "bad name":
        return "bad DHCP host name"
    if meaning != "name":
        return f"dnsmasq reads it as {_READ_AS[meaning]}"
    return "its first label is empty" if name[0] == "." else None


_READ_AS: Final = {
    "address": "an address",
    "time": "a lease time",
    "infinite": "a lease time",
    "ignore": "an order to ignore the host",
    "blank": "nothing",
}


def addn_name_problem(name: str) -> str | None:
    """Why an --addn-hosts line would not have exactly this name among its names, or None. Quotes are plain there."""
    if len(name) <= LONGEST_NAME and _ORDINARY_DOMAIN(name):
        return None
    if problem := _token_problem(name):
        return problem
    if "#" in name or " " in name:
        return "white space and '#' end a name"
    return None if canonical(name) is not None else "bad name"


def _token_problem(name: str) -> str | None:
    if not name:
        return "empty"
    if not name.isascii():
        return _NOT_ASCII if byte_text(name) is not None else _UNENCODABLE
    if _CONTROL(name):
        return "a control character"
    return "longer than 1024 bytes" if len(name) > LONGEST_LINE else None
