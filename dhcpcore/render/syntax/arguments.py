"""The arguments of dnsmasq's command line that the renderer writes: which of them dnsmasq 2.90 would not start with.

Only those are known here. What `dnsmasq --test` can tell is told; what only the host can tell (whether a file can be
opened, a device exists, the name of a server resolves) is taken to be well. Quotes and comments mean nothing in an
argument; a control character in it is decoded as in a file, which changes a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from dhcpcore.model.checks import is_host_name
from dhcpcore.render.syntax.c_text import (
    atoi,
    byte_text,
    digits_only,
    ipv4_number,
    ipv6_number,
    is_ipv4,
)
from dhcpcore.render.syntax.names import canonical
from dhcpcore.render.syntax.options import check_option
from dhcpcore.render.syntax.reader import Refused, split, unhidden

_LONGEST_ARGUMENT = 131071  # Linux, MAX_ARG_STRLEN less its final NUL: execve fails with E2BIG
_LONGEST_DEVICE = 15  # IF_NAMESIZE less its final NUL
_GENERIC = "try --help"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]").search
_BEFORE_COMMA: Final = re.compile(r"[ .:a-fA-F0-9]*").match
_FACILITIES: Final = frozenset(
    {"auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "mark", "news", "security", "syslog", "user"}
    | {"uucp", *(f"local{number}" for number in range(8))}
)
_FLAGS: Final = frozenset(
    {
        "--no-hosts",
        "--no-resolv",
        "--local-service",
        "--bind-dynamic",
        "--except-interface=lo",
        "--dhcp-broadcast",
        "--log-queries",
        "--log-dhcp",
        "--dhcp-match=set:ipxe,175",
        "--dhcp-userclass=set:ipxe6,iPXE",
    }
)


def argument_problem(argument: str) -> str | None:
    """Why dnsmasq would not start with this argument, or would take it for something else; None when it is fine.

    Where dnsmasq would print an error, the reason is its own wording. An argument of white space alone is skipped.
    """
    if not argument.strip(" \t\n\v\f\r") or argument in _FLAGS:
        return None
    if "\0" in argument:
        return "NUL ends an argument"
    text = byte_text(argument)
    if text is None:
        return "no text that UTF-8 can hold"
    if len(text) > _LONGEST_ARGUMENT:
        return "longer than an argument can be"
    name, equals, value = text.partition("=")
    check = _CHECKS.get(name)
    if check is None or not equals:
        return "not an argument that is written here"
    try:
        check(value)
    except Refused as refused:
        return str(refused)
    return None


def _path(value: str) -> None:
    if not value:
        # An empty --conf-file is the default one; the other files are then none at all.
        raise Refused("no path")
    if _CONTROL(value):
        raise Refused("a control character changes the path")


def _conf_file(value: str) -> None:
    _path(value)
    if value == "-":
        raise Refused("it would be read from standard input")


def _log_facility(value: str) -> None:
    if "/" in value or value == "-":
        _path(value)
    elif value.lower() not in _FACILITIES:
        raise Refused("bad log facility")


def _lease_max(value: str) -> None:
    digits = unhidden(value).lstrip("0")
    if not digits_only(digits):
        raise Refused(_GENERIC)
    # dnsmasq itself would go on with the number modulo 2**32: 4294967296 leases would be none.
    if len(digits) > 10 or int(digits or "0") > 0x7FFFFFFF:
        raise Refused("too large for dnsmasq")


def _bridge_interface(value: str) -> None:
    device, aliases = split(value)
    if aliases is None or len(device) > _LONGEST_DEVICE:
        raise Refused("bad bridge-interface")


def _interface(value: str) -> None:
    if not value or "," in value or value.endswith("*"):
        raise Refused("not one device")


def _txt_record(value: str) -> None:
    name, _ = split(value)
    if name and canonical(unhidden(name)) is None:
        raise Refused("bad TXT record")


def _forced_option(value: str) -> None:
    check_option(value, forced=True)


def _domain(value: str) -> None:
    """--domain=DOMAIN[,ADDRESS/PREFIX[,local] | ,ADDRESS[,LAST ADDRESS] | ,DEVICE] (option.c, case 's')."""
    name, condition = split(value)
    if name and canonical(unhidden(name)) is None:
        raise Refused(_GENERIC)
    if condition is None:
        if unhidden(name) == "#":
            raise Refused("must have exactly one resolv.conf to read domain from.")
        return
    condition = unhidden(condition)
    address, prefix = split(condition, "/")
    if prefix is not None:
        _check_domain_prefix(address, prefix)
        return
    first, last = split(condition)
    last = split(last)[0] if last is not None else None
    if is_ipv4(first):
        if last is not None and not is_ipv4(last):
            raise Refused(_GENERIC)
    elif ipv6_number(first) is not None and last is not None and ipv6_number(last) is None:
        raise Refused(_GENERIC)


def _check_domain_prefix(address: str, rest: str) -> None:
    prefix, local = split(rest)
    if not digits_only(prefix):
        raise Refused(_GENERIC)
    if is_ipv4(address):
        widest = 32
    elif ipv6_number(address) is not None:
        widest = 128
    else:
        raise Refused(_GENERIC)
    if atoi(prefix) > widest:
        raise Refused("bad prefix length")
    if local is not None and local != "local":
        raise Refused(_GENERIC)


def _server(value: str) -> None:
    """--server=[/DOMAIN/.../]ADDRESS[#PORT][@SOURCE or DEVICE[#PORT]] (option.c, case 'S', and parse_server)."""
    rest = unhidden(value)
    domains: list[str] = []
    if rest.startswith("/"):
        if " " in rest:
            # The source walks from domain to domain by their lengths and misses the end when a space was skipped.
            raise Refused("a space beside the domains")
        *domains, rest = rest[1:].split("/")
    if rest not in ("", "#"):
        _check_upstream(rest)
    for domain in domains:
        if domain != "#":
            _check_server_domain(domain)


def _check_upstream(text: str) -> None:
    text, source = split(text, "@")
    if source is not None:
        source, port = split(source, "#")
        _check_port(port)
    text, port = split(text, "#")
    _check_port(port)
    address, _ = split(text, "%")
    v4, v6 = is_ipv4(address), ipv6_number(address) is not None
    if not (v4 or v6):
        _check_server_name(address)
    elif source is not None:
        _check_source(source, v4)


def _check_server_domain(domain: str) -> None:
    domain = domain[1:] if domain.startswith("*") else domain.lstrip(".")
    if domain and canonical(domain) is None:
        raise Refused(_GENERIC)


def _check_port(port: str | None) -> None:
    if port is not None and not (digits_only(port) and 0 <= atoi(port) <= 0xFFFF):
        raise Refused("bad port")


def _check_server_name(name: str) -> None:
    """A name is looked up when dnsmasq starts. An address that is none is not: getaddrinfo takes 10.1 for 10.0.0.1."""
    if not is_host_name(name) or digits_only(name.rstrip(".").rpartition(".")[2]) or name[:2].lower() == "0x":
        raise Refused("neither an address nor a name of a server")


def _check_source(source: str, v4: bool) -> None:
    device, address = split(source, "@")
    source = device if address is None else address
    source_is_v4, source_is_v6 = is_ipv4(source), ipv6_number(source) is not None
    if v4 and source_is_v6:
        raise Refused("cannot use IPv4 server address with IPv6 source address")
    if not v4 and source_is_v4:
        raise Refused("cannot use IPv6 server address with IPv4 source address")
    if address is not None and not (source_is_v4 or source_is_v6):
        raise Refused("interface can only be specified once")


def _dhcp_range(value: str) -> None:
    """--dhcp-range=[tag:TAG,...][set:TAG,]START,END or MODE[,...] (option.c, case 'F')."""
    bad = Refused("bad dhcp-range")
    tagged = False
    rest = value
    # A field with any character that no address has is a tag.
    while (found := _BEFORE_COMMA(rest)) and rest[found.end() : found.end() + 1] != ",":
        field, after = split(rest)
        if after is None:
            break
        if not field.startswith(("net:", "tag:")):
            if tagged:
                raise Refused("only one tag allowed")
            tagged = field not in ("", "set:")
        rest = after
    fields = [rest]
    while len(fields) < 8 and (parts := split(fields[-1]))[1] is not None:
        fields[-1:] = parts  # type: ignore[assignment]
    if len(fields) < 2:
        raise bad
    start4, start6 = ipv4_number(fields[0]), ipv6_number(fields[0])
    if start4 is not None:
        at = _after_range4(start4, fields)
    elif start6 is not None:
        at = _after_range6(start6, fields)
    else:
        raise bad
    if at == len(fields):
        return
    if at != len(fields) - 1:
        raise bad
    lease = fields[at]
    if lease in ("infinite", "deprecated"):
        return
    if lease[-1:] and lease[-1] in "wWdDhHmMsS":
        lease = lease[:-1]
    if not digits_only(lease):
        raise bad


def _after_range4(start: int, fields: list[str]) -> int:
    """The index of the first field behind addresses, mode, netmask and broadcast address."""
    end = start if fields[1] in ("static", "proxy") else ipv4_number(fields[1])
    if end is None:
        raise Refused("bad dhcp-range")
    netmask = ipv4_number(fields[2]) if len(fields) > 2 else None
    if netmask is None:
        return 2
    if start & netmask != end & netmask:
        raise Refused("inconsistent DHCP range")
    return 4 if len(fields) > 3 and is_ipv4(fields[3]) else 3


_MODES_6: Final = frozenset({"static", "ra-only", "slaac", "ra-names", "ra-advrouter", "ra-stateless", "off-link"})


def _after_range6(start: int, fields: list[str]) -> int:
    """The index of the first field behind addresses, modes and prefix length."""
    end, prefix, announced, constructed = start, 64, False, False
    at = 1
    while at < len(fields):
        last = ipv6_number(fields[at]) if at == 1 else None
        if fields[at] in _MODES_6:
            announced |= fields[at] not in ("static", "off-link")
        elif last is not None:
            end = last
        elif fields[at].startswith("constructor:"):
            constructed = True
        else:
            break
        at += 1
    if at < len(fields) and digits_only(fields[at]) and atoi(fields[at]) <= 128:
        prefix = atoi(fields[at])
        at += 1
    if prefix > 64 and announced:
        raise Refused("prefix length must be exactly 64 for RA subnets")
    if prefix > 64 and constructed:
        raise Refused("prefix length must be exactly 64 for subnet constructors")
    if prefix < 64:
        raise Refused("prefix length must be at least 64")
    if (start ^ end) >> (128 - prefix):
        raise Refused("inconsistent DHCPv6 range")
    if constructed and start >> 64:
        raise Refused('prefix must be zero with "constructor:" argument')
    return at


_CHECKS: Final[dict[str, Callable[[str], None]]] = {
    "--addn-hosts": _path,
    "--bridge-interface": _bridge_interface,
    "--interface": _interface,
    "--conf-file": _conf_file,
    "--dhcp-hostsfile": _path,
    "--dhcp-leasefile": _path,
    "--dhcp-lease-max": _lease_max,
    "--dhcp-option-force": _forced_option,
    "--dhcp-optsfile": _path,
    "--dhcp-range": _dhcp_range,
    "--domain": _domain,
    "--log-facility": _log_facility,
    "--pid-file": _path,
    "--server": _server,
    "--txt-record": _txt_record,
}
