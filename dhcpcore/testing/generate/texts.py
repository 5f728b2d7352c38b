"""Ids, MAC addresses, names and free text.

The hostile tables are what dnsmasq 2.90 and haproxy read otherwise than as one plain value on one line: separators,
comments, quotes, every character that C's isspace knows, words of the host line's grammar, lines past 1024 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from string import ascii_letters, ascii_lowercase, digits
from typing import Final, TypeVar
from uuid import UUID

from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour

T = TypeVar("T", bound=Hashable)

_ID_CHARACTERS: Final = ascii_lowercase + digits + "-_.@+=~" + ascii_letters[26:]

#: Ids that are safe as one file name and still want something: names of our files, options, words, long ones.
HOSTILE_IDS: Final = (
    "None",
    "host",
    "pid",
    "leases",
    "interface",
    ".dirty",
    "...",
    "..a",
    "-",
    "--conf-file=x",
    "-d",
    "=",
    "~",
    "~root",
    "@",
    "0",
    "1",
    "ignore",
    "set",
    "tag",
    "ipxe",
    "ns-0123456789",
    "tap",
    "qdhcp-",
    "subnet-1",
    "port-1",
    "a" * 200,
    "-" * 200,
    "UPPER",
    "upper",
    "x.pid.haproxy",
)

#: Host names that the host line's grammar takes for something else (dnsmasq src/option.c, parse of dhcp-host).
HOSTILE_NAMES: Final = (
    "ignore",
    "infinite",
    "12h",
    "5m",
    "1234",
    "99",
    "1w",
    "10.0.0.77",
    "fe80::1",
    "[fd00::1]",
    "a:b",
    "fa:16:3e:00:00:99",
    "fa:16:3e:*:*:*",
    "id:*",
    "id:01:02",
    "set:port-1",
    "tag:ipxe",
    "net:x",
    "*",
    "-h",
    "_h",
    "h.",
    ".",
    "..",
    "",
    " ",
    "h a",
    "h#a",
    "h,set:evil",
    "h\n02:00:00:00:00:66,10.0.0.66",
    "h\r",
    "h\x00tail",
    "h\u2028tail",
    "h\x85tail",
    "café",
    "UPPER",
    "xn--caf-dma",
    "x" * 63,
    "x" * 64,
    ".".join(["x" * 60] * 5),
    "x" * 1100,
    "$(reboot)",
    "{{ 7 * 7 }}",
    "\ud800",
)

#: Values that try to be more than one value.
HOSTILE_VALUES: Final = (
    "",
    " ",
    "#",
    " #comment",
    '"',
    '"quoted, value"',
    "\\",
    "\\n",
    ",",
    "a,b",
    "a:b",
    "tag:port-1,option:router,10.0.0.66",
    "x\ntag:port-1,option:router,10.0.0.66",
    "x\r\ndhcp-script=/bin/sh",
    "x\r",
    "x\x0b",
    "x\x0c",
    "x\ty",
    "x\x00y",
    "\x01\x1b[2J",
    "x\x85y",
    "x\u2028y",
    "\ufeffx",
    "z" * 255,
    "z" * 256,
    "z" * 1100,
    "z" + " " * 1023 + "tag:port-1,option:router,10.0.0.66",
    "::",
    "[::]",
    "0.0.0.0",
    "-1",
    "99999999999",
    "10.0.0.1/24",
    "%s%n",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "\ud800",
    "\udc80",
)

_HOSTILE_CHARACTERS: Final = "ax0 ,:;#\"'\\[]{}|/%$\n\r\t\x0b\x0c\x00\x01\x1b\x7f\x85\u2028é\U0001f480\udc80=.-*"
_WORDS: Final = ("vm", "web", "db", "node", "worker", "gw", "test", "win", "ubuntu", "lb", "k8s", "amphora")
_PROJECTS: Final = (
    "9b1f0a2c3d4e5f60718293a4b5c6d7e8",
    "00000000000000000000000000000001",
    "fake_project_id",
)


def fresh(make: Callable[[], T], taken: Container[T], otherwise: Callable[[int], T]) -> T:
    """A value that is not in `taken`: what `make` makes, after some tries what `otherwise` makes of a counter."""
    for _ in range(4):
        if (value := make()) not in taken:
            return value
    number = 0
    while (value := otherwise(number)) in taken:
        number += 1
    return value


def uuid(c: Choices) -> str:
    """A UUID as Neutron writes it."""
    return str(UUID(int=c.integer(0, 2**128 - 1)))


def identifier(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> str:
    """An id that a model accepts."""
    if flavour is Flavour.TYPICAL or c.chance(60):
        return uuid(c)
    if flavour is Flavour.HOSTILE and c.chance(60):
        return c.pick(HOSTILE_IDS)
    text = c.text(_ID_CHARACTERS, 1, 40)
    return text if text not in (".", "..") else "x" + text


def unique_identifier(c: Choices, flavour: Flavour, taken: Container[str]) -> str:
    """An id that is not in `taken`."""
    return fresh(lambda: identifier(c, flavour), taken, lambda number: f"id-{number}")


def mac_address(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> str:
    """A MAC address; typically under Neutron's default prefix."""
    number = c.integer(0, 0xFFFFFF)
    if flavour is not Flavour.TYPICAL and c.chance(30):
        number = c.integer(0, 0xFFFFFFFFFFFF)
        text = ":".join(f"{number >> shift & 0xFF:02x}" for shift in range(40, -8, -8))
        return text.upper() if c.chance(30) else text
    return f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}"


def unique_mac(c: Choices, flavour: Flavour, taken: Container[str]) -> str:
    """A MAC address that is not in `taken`."""
    return fresh(
        lambda: mac_address(c, flavour),
        taken,
        lambda number: f"02:00:00:{number >> 16:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}",
    )


def host_name(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> str:
    """A name for a machine, without a domain."""
    if flavour is Flavour.HOSTILE:
        return c.pick(HOSTILE_NAMES) if c.chance(70) else hostile_text(c)
    if flavour is Flavour.WELL_FORMED and c.chance(30):
        return c.text(ascii_lowercase + digits, 1, 63)
    return f"{c.pick(_WORDS)}-{c.integer(1, 99)}"


def domain_name(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> str:
    """A DNS domain without a trailing dot."""
    if flavour is Flavour.HOSTILE and c.chance(50):
        return c.pick((".", "..", "a b", "x" * 300, "evil\naddress=/#/10.0.0.66", "EXAMPLE.org", "#", "a,b"))
    return c.pick(("openstacklocal", "example.org", "cloud.example.com", "lab", "a.b.c.d.example.net"))


def hostile_text(c: Choices) -> str:
    """Anything that could be more than one value."""
    if c.chance(60):
        return c.pick(HOSTILE_VALUES)
    return c.text(_HOSTILE_CHARACTERS, 0, 30)


def free_text(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> str:
    """A name or description that nobody parses."""
    if flavour is Flavour.HOSTILE:
        return hostile_text(c)
    return c.pick(("", "vm1", "my network", "prod-db 2", "renamed"))


def project_id(c: Choices) -> str:
    """A project (tenant) id."""
    return c.pick(_PROJECTS)
