"""Lines for dnsmasq's files and arguments for its command line: plausible, damaged and hostile ones.

Knows dnsmasq's vocabulary (names of options, separators, escapes), and nothing of what dnsmasq makes of it: that is for
the oracle and for the code under test to agree on. Draws with `random`, because a property here wants thousands of
lines a second.
"""

from __future__ import annotations

import string
from random import Random
from typing import Final

from dhcpcore.render.syntax.option_table import CODES_4, CODES_6

OPTION_NAMES_4: Final = tuple(CODES_4)
OPTION_NAMES_6: Final = tuple(CODES_6)
_PRINTABLE: Final = string.ascii_letters + string.digits + string.punctuation + " "
_STRUCTURE: Final = ',,,::::..//--  \t"\\#[]*!=bsihmdw019afAF'
_CONTROLS: Final = "".join(map(chr, range(1, 32))) + "\x7f"
_FOREIGN: Final = "éßÄ√中文\u00ad\u0085\u2028\u200d😀ſK．。"
_HEX: Final = "0123456789abcdefABCDEF"


def pick(rng: Random, *choices: str) -> str:
    return rng.choice(choices)


def text(rng: Random, most: int = 12, alphabet: str = _PRINTABLE) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(0, most)))


def damaged(rng: Random, line: str) -> str:
    """`line` with one to three characters put in, taken out, replaced or doubled."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(line))
        what = rng.random()
        alphabet = _STRUCTURE if what < 0.7 else _PRINTABLE if what < 0.9 else _CONTROLS if what < 0.97 else _FOREIGN
        new = rng.choice(alphabet)
        how = rng.randint(0, 3)
        if how == 0:
            line = line[:at] + new + line[at:]
        elif how == 1:
            line = line[:at] + line[at + 1 :]
        elif how == 2:
            line = line[:at] + new + line[at + 1 :]
        else:
            upto = rng.randint(at, min(len(line), at + 8))
            line = line[:upto] + line[at:upto] + line[upto:]
    return line


def maybe_damaged(rng: Random, line: str, share: float = 0.3) -> str:
    return damaged(rng, line) if rng.random() < share else line


def _number(rng: Random) -> str:
    kind = rng.randint(0, 5)
    if kind == 0:
        return str(rng.randint(0, 9))
    if kind <= 2:
        return str(rng.randint(0, 300))
    if kind == 3:
        return str(
            rng.choice([0xFF, 0x100, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 3, 2**63, 2**64])
        )
    return str(rng.randint(0, 10 ** rng.randint(1, 22))).zfill(rng.choice([0, 0, 0, 6]))


def _name(rng: Random) -> str:
    kind = rng.randint(0, 11)
    if kind == 0:
        return text(rng, 70, string.ascii_lowercase + "-_")
    if kind == 1:
        return text(rng, 12, string.ascii_letters + "-_.")
    if kind == 2:
        return text(rng, 12)
    if kind == 3:
        return pick(
            rng, "ignore", "infinite", "Ignore", "12h", "1 2h", "5m", "h", "hh", "99", "1w", "0", "", ".", "..", "d"
        )
    if kind == 4:
        return pick(
            rng, "VM--x", "vm--x", "VM-", "-vm", "vm-", "A..B", "a..b", ".a", "Xn--a", "A.-b", "_a", "a_b", "A_b"
        )
    if kind == 5:
        return ".".join(text(rng, 64, "aB1-") for _ in range(rng.randint(1, 6)))
    if kind == 6:
        return "café" if rng.random() < 0.3 else _address4(rng)
    dot = pick(rng, "", ".")
    labels = [text(rng, 9, string.ascii_lowercase + string.digits) or "x" for _ in range(rng.randint(1, 4))]
    name = ".".join(labels) + dot
    return name.upper() if rng.random() < 0.1 else name


def _address4(rng: Random) -> str:
    kind = rng.randint(0, 9)
    if kind == 0:
        return ".".join(_number(rng) for _ in range(rng.randint(1, 5)))
    return ".".join(str(rng.randint(0, 255)) for _ in range(4))


def _address6(rng: Random) -> str:
    kind = rng.randint(0, 6)
    if kind == 0:
        return ":".join(text(rng, 5, _HEX) for _ in range(rng.randint(1, 9)))
    if kind == 1:
        return pick(rng, "::", "::1", "fd00::", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "1::8:", "1:2:3:4:5:6:7::", ":::")
    if kind == 2:
        return f"{text(rng, 4, _HEX)}::{_address4(rng)}"
    return f"fd00:{rng.randint(0, 99)}::{rng.randint(0, 0xFFFF):x}"


def _hexadecimal(rng: Random) -> str:
    parts = [text(rng, rng.choice([2, 2, 2, 5]), _HEX + "*" * rng.choice([0, 0, 3])) for _ in range(rng.randint(1, 20))]
    return "".join(part + rng.choice("::::::- ") for part in parts).rstrip(": -" if rng.random() < 0.8 else "")


def _mac(rng: Random) -> str:
    if rng.random() < 0.8:
        return ":".join(f"{rng.randint(0, 255):02x}" for _ in range(6))
    return pick(rng, _hexadecimal(rng), "06-01:02:03", "02:*:*:00:00:01", ":", "a:b", "1-2:3", "0:0", "::", "*:*")


def _listed(rng: Random, items: list[str]) -> str:
    return rng.choice([",", ",", ",", ", ", " ,", ",,"]).join(items)


def _route(rng: Random) -> str:
    return f"{_address4(rng)}/{_number(rng) if rng.random() < 0.3 else rng.randint(0, 33)},{_address4(rng)}"


def _value(rng: Random) -> str:
    """A value of an option, of any form."""
    kind = rng.randint(0, 15)
    some = range(rng.choice([1, 1, 1, 2, 3, rng.randint(1, 70)]))
    if kind <= 2:
        return _listed(rng, [_address4(rng) for _ in some])
    if kind == 3:
        return _listed(rng, [rng.choice(["[{}]", "{}", "[{}"]).format(_address6(rng)) for _ in some])
    if kind == 4:
        return _listed(rng, [_route(rng) for _ in some])
    if kind == 5:
        return _number(rng) + pick(rng, "", "", "b", "s", "i", "h", "m", "d", "w", "x", "H")
    if kind == 6:
        return _hexadecimal(rng)
    if kind == 7:
        return _listed(rng, [_name(rng) for _ in some])
    if kind == 8:
        # Names that share their ends are compressed.
        ends = [text(rng, 4, "ab"), text(rng, 4, "ab."), "example.org"]
        return _listed(rng, [f"{text(rng, 3, 'abA.')}.{rng.choice(ends)}" for _ in range(rng.randint(1, 40))])
    if kind == 9:
        return pick(
            rng,
            "",
            " ",
            '""',
            "b",
            "s",
            "0",
            "-5",
            "1-2",
            "/",
            "/x",
            "1.2",
            "#",
            " #",
            "a #b",
            "infinite",
            "1/8",
            "1 2",
        )
    if kind == 10:
        return '"' + text(rng, 30) + pick(rng, '"', '"', '"x', "")
    if kind == 11:
        return text(rng, 20, _STRUCTURE)
    if kind == 12:
        return text(rng, 300, "abc 019./")
    if kind == 13:
        return text(rng, 30, _CONTROLS + _FOREIGN + "ab1,")
    if kind == 14:
        return f"http://{_address4(rng)}/{text(rng, 20)}"
    return text(rng, 40)


def _tag(rng: Random) -> str:
    return rng.choice(["tag:", "tag:", "tag:", "set:", "net:", "", "tag:!"]) + (text(rng, 8, "abc-_.:!#") or "x")


def option_line(rng: Random) -> str:
    """A line of --dhcp-optsfile, perhaps no good one."""
    fields = [f"tag:port-{rng.randint(0, 99)}"] if rng.random() < 0.8 else []
    fields += [_tag(rng) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    if rng.random() < 0.12:
        fields += [pick(rng, "encap:", "vi-encap:", "vendor:") + pick(rng, "5", "77", "abc", "")]
    option = rng.randint(0, 9)
    if option <= 3:
        name = rng.choice(OPTION_NAMES_4)
        fields.append("option:" + (name if rng.random() < 0.9 else name.upper()))
    elif option <= 5:
        fields.append("option6:" + rng.choice(OPTION_NAMES_6))
    elif option == 6:
        fields.append(f"option6:{rng.randint(0, 300)}")
    elif option == 7:
        fields.append(pick(rng, "option:", "option6:", "Option:", "") + (text(rng, 8) or "59"))
    else:
        fields.append(_number(rng))
    if rng.random() < 0.95:
        fields.append(_value(rng))
    line = maybe_damaged(rng, rng.choice([",", ",", ",", ",", " , "]).join(fields))
    if rng.random() < 0.01:
        # Around the 1024 bytes of one line.
        line += text(rng, 5).ljust(rng.randint(1000, 1030) - len(line), "x")
    return line


def _client_id(rng: Random) -> str:
    return rng.choice(["id:", "id:", "ID:", "iD:"]) + pick(
        rng, text(rng, 20), _hexadecimal(rng), "ff:00:01", "*", "*x", "", "a:*", "01:zz", text(rng, 9, _CONTROLS)
    )


def _bracketed6(rng: Random) -> str:
    address = _address6(rng)
    prefix = f"/{rng.choice([_number(rng), str(rng.randint(0, 130))])}" if rng.random() < 0.2 else ""
    return rng.choice(["[{}{}]", "[{}{}]", "[{}{}]", "[{}{}", "{}{}]", "[[{}{}]]", "[{}{}] "]).format(address, prefix)


def host_line(rng: Random, address: str = "") -> str:
    """A line of --dhcp-hostsfile, perhaps no good one; `address` takes the place of a drawn IPv4 address."""
    fields = [_mac(rng)]
    if rng.random() < 0.2:
        fields.append(pick(rng, "tag:dhcpv6", "tag:x", "tag:!x", "net:y"))
    if rng.random() < 0.3:
        fields.append(_client_id(rng))
    if rng.random() < 0.9:
        fields.append(_name(rng))
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        fields.append(_bracketed6(rng) if rng.random() < 0.4 else address or _address4(rng))
    if rng.random() < 0.3:
        fields.append(pick(rng, "set:port-1", "set:" + (text(rng, 9) or "x"), "SET:x"))
    if rng.random() < 0.05:
        rng.shuffle(fields)
    line = maybe_damaged(rng, rng.choice([",", ",", ",", ",", " , "]).join(fields))
    if rng.random() < 0.01:
        line = line.ljust(rng.randint(1000, 1030), rng.choice("x a"))
    return line


def addn_name(rng: Random) -> str:
    """What may stand for a name in an --addn-hosts file: one token without white space, '#' or NUL."""
    kind = rng.randint(0, 5)
    if kind == 0:
        name = text(rng, 80, _PRINTABLE + _CONTROLS)
    elif kind == 1:
        name = text(rng, 1100, "abc.-A" if rng.random() < 0.5 else "abcdefghi.")
    elif kind == 2:
        name = text(rng, 10, _PRINTABLE + _FOREIGN)
    else:
        name = _name(rng)
    return maybe_damaged(rng, name, 0.2)


def argument(rng: Random) -> str:
    """An argument of the kinds that the renderer writes, perhaps no good one."""
    kind = rng.randint(0, 11)
    if kind <= 3:
        value = "--dhcp-range=" + _range(rng)
    elif kind <= 5:
        value = "--dhcp-option-force=" + pick(
            rng,
            f"option:mtu,{_number(rng)}",
            f"option:T1,{_number(rng)}s",
            f"option:T2,{_number(rng)}",
            option_line(rng),
        )
    elif kind == 6:
        value = "--dhcp-lease-max=" + pick(rng, _number(rng), "", "-1", "12a", text(rng, 4, "0123456789\x01\x05"))
    elif kind == 7:
        value = "--txt-record=" + pick(rng, _name(rng), "", _name(rng) + "," + text(rng, 300))
    elif kind == 8:
        value = "--server=" + _server(rng)
    elif kind == 9:
        value = "--domain=" + _domain(rng)
    elif kind == 10:
        value = "--log-facility=" + pick(rng, "/dev/null", "daemon", "LOCAL3", "local9", "", text(rng, 6), "mark", "-")
    else:
        value = "--bridge-interface=" + pick(rng, "ns-12345678-12", text(rng, 18)) + pick(rng, ",tap*", "", ",", ",a,b")
    name, equals, rest = value.partition("=")
    return name + equals + maybe_damaged(rng, rest, 0.2)


def _range(rng: Random) -> str:
    lease = pick(rng, "86400s", "infinite", "deprecated", _number(rng) + pick(rng, "", "s", "h", "x"), "", "-5s")
    tag = pick(rng, "set:subnet-1,", "set:subnet-1,", "", "tag:a,set:b,", "set:,", "x,", "a,", "tag:,", "set:a,b,")
    if rng.random() < 0.5:
        mask = pick(rng, "255.255.255.0", "0.0.0.0", _address4(rng), "255.255.255.255,10.0.0.255", "24", "")
        return f"{tag}{_address4(rng)},{pick(rng, 'static', 'static', 'proxy', _address4(rng))},{mask},{lease}"
    mode = pick(
        rng, "static", "static", "slaac", "ra-stateless", "off-link", "ra-only,static", "constructor:x", _address6(rng)
    )
    return f"{tag}{_address6(rng)},{mode},{rng.choice([64, 64, 64, 48, 80, 128, 129])},{lease}"


def _server(rng: Random) -> str:
    address = _address6(rng) if rng.random() < 0.5 else ".".join(str(rng.randint(0, 255)) for _ in range(4))
    port = pick(rng, "", "", "#53", "#0", "#65536", "#x", "#")
    source = pick(rng, "", "", "", "@eth0", "@10.0.0.1", "@fd00::1", "@eth0@10.0.0.1", "@eth0#5", "@10.0.0.1#x", "@")
    domain = pick(rng, "", "", "", "/example.org/", "//", "/a/b/", "/#/", f"/{text(rng, 66, 'aB-.*')}/")
    return domain + pick(rng, address, address, address, "", "#") + port + source


def _domain(rng: Random) -> str:
    condition = pick(
        rng,
        "",
        "",
        f",{_address4(rng)}",
        f",{_address4(rng)}/{rng.randint(0, 40)}",
        f",{_address6(rng)}/{rng.randint(60, 130)}{pick(rng, '', ',local', ',x')}",
        f",{_address4(rng)},{_address4(rng)}",
        f",{_address6(rng)},{_address6(rng)}",
        ",eth0",
        ",",
    )
    return pick(rng, _name(rng), "openstacklocal", "Example.ORG") + condition
