"""Things that no renderer should trust, put into a valid request: some the API lets through, some only a fault sends.

Each row of SPOILERS is one kind; spoil() applies one to three of them and notes each that found something to spoil as
`hostile/<kind>`. A kind changes one field of one object, so that a difference points at its cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from draw import Draw

Request = dict[str, Any]

SEPARATORS = (
    "\n", "\r", "\r\n", "\t", "\v", "\f", "\0", "\x01", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff", ",", ";", ":",
    "#", " #", "\"", "'", "\\", " ", "  ", "=", "[", "]", "{{ 7 }}", "%s", "$state_path", "caf\xe9", "\U0001f680",
    "\ud800",
)  # fmt: skip
INJECTIONS = (
    "\ntag:port-b,option:router,10.0.0.66", "\noption:dns-server,6.6.6.6", "\nfa:16:3e:00:00:01,evil,10.0.0.9",
    ",set:port-evil", ",10.0.0.77", ",ignore", " " * 1100 + "option:router,10.0.0.66", "\n10.0.0.66\tapi.example api",
    "\ndhcp-script=/bin/true", "\rtag:x,67,y", "\n0 fa:16:3e:00:00:02 10.0.0.88 * *",
)  # fmt: skip
KEYWORDS = (
    "ignore", "infinite", "1234", "12h", "5m", "99", "10.0.0.77", "a:b", "::1", "id:x", "tag:x", "set:x", "net:x",
    "*", "-h", "_h", "h a", "h#a", "caf\xe9", "x" * 64, "x" * 300, ".", "a..b", "localhost", "h.",
)  # fmt: skip
OPTION_NAMES = (
    "", " ", "0", "255", "256", "99999999999", "option:67", "option6:59", "67,evil", "67\nevil", "tag:a", "tag:a,",
    "tag:,67", "tag:a,tag:b,67", "tag:ipxe\n,67", "set:x,67", "vendor:x,67", "encap:43,67", "54", "51", "82", "1",
    "server-identifier", "netmask", "no-such-option", "BOOTFILE-NAME", "6\u0667", "\xb2", " 67", "67 ", "hostname",
    "tag:a,option:67", "-6", "+67", "dhcp-script=/bin/true",
)  # fmt: skip
OPTION_VALUES = (
    "", " ", ",", "10.0.0.66,", "10.0.0.300", "z" * 256, "z" * 2000, "\"unbalanced", "\"a,b\" #c", "a\\nb", "0x578",
    "::1", "[::1", "10.0.0.1/24", "x" + " " * 1100 + "tag:port-b,option:router,10.0.0.66", "a\n", "\n", "\0",
)  # fmt: skip
CLIENT_IDS = (
    "a,b", "01:fa,10.0.0.66", "x,set:port-evil", "x\nfa:16:3e:00:00:01,evil,10.0.0.9", "", " ", "#", "a b", "*", "id:x",
    "zz:zz", "x" * 300, "ff:" * 20, "\0", "a\"b",
)  # fmt: skip
LEASES = (
    "1700000000 fa:16:3e:00:00:01 10.0.0.5 *\n", "garbage", "\n\n", "duid\n", "duid 00:01\nduid 00:02\n", "duid zz\n",
    "1 2 2001:db8::5 * *", "0 zz:zz 10.0.0.5 * *\n", "duid 00:01 extra field\n", "duid 00:01", "duid \n",
    "1700000000 1 2001:db8::5 name with space 00:01\n", "\0\0\0", "1 1 [2001:db8::5] * 00:01\n", "duid 00:01\r\n",
    "# comment\n", "  1 1 2001:db8::5 * 00:01\n", "x 1 2001:db8::5 * 00:01\n", "1 1 2001:db8::5 * \n",
)  # fmt: skip
IDS = ("../x", "a/b", "..", "", ".", "/etc/passwd", "a\nb", "a,b", "a b", "x" * 300, "\0", "tag:x", "None", "-rf")
WRONG: tuple[Any, ...] = (None, 0, -1, 1.5, True, "", "x", [], {}, [None], {"a": None})


def spoil(draw: Draw, request: Request) -> None:
    """Change `request` in place."""
    for kind, spoiler in draw.some(SPOILERS, 1, 3):
        if spoiler(draw, request):
            draw.note(f"hostile/{kind}")


def _ports(request: Request) -> list[dict[str, Any]]:
    ports = request["network"].get("ports")
    return [port for port in ports if isinstance(port, dict)] if isinstance(ports, list) else []


def _subnets(request: Request) -> list[dict[str, Any]]:
    subnets = request["network"].get("subnets")
    return [subnet for subnet in subnets if isinstance(subnet, dict)] if isinstance(subnets, list) else []


def _port(draw: Draw, request: Request) -> dict[str, Any] | None:
    ports = [port for port in _ports(request) if port.get("fixed_ips") and isinstance(port["fixed_ips"], list)]
    plain = [port for port in ports if not str(port.get("device_owner")).startswith("network:")]
    return draw.one(plain or ports) if ports else None


def _dirty(draw: Draw, text: str) -> str:
    """`text` with something put in, at a random place."""
    bad = draw.one(SEPARATORS if draw.chance(0.6) else INJECTIONS)
    at = draw.number(0, len(text))
    return text[:at] + bad + text[at:]


def _host_name(draw: Draw, request: Request) -> bool:
    port = _port(draw, request)
    if port is None:
        return False
    name = draw.one(KEYWORDS) if draw.chance(0.5) else _dirty(draw, "web-1")
    fqdn = name if draw.chance(0.4) else f"{name}.example.org."
    port["dns_assignment"] = [
        {"ip_address": fixed.get("ip_address"), "hostname": name, "fqdn": fqdn}
        for fixed in port["fixed_ips"]
        if isinstance(fixed, dict)
    ]
    return True


def _option(draw: Draw, request: Request, name: str | int, value: str | None) -> bool:
    port = _port(draw, request)
    if port is None:
        return False
    option = {"opt_name": name, "opt_value": value, "ip_version": draw.one((4, 4, 6))}
    port["extra_dhcp_opts"] = [*(port.get("extra_dhcp_opts") or []), option]
    return True


def _option_name(draw: Draw, request: Request) -> bool:
    name = draw.one(OPTION_NAMES) if draw.chance(0.6) else _dirty(draw, draw.one(("67", "bootfile-name", "tag:a,67")))
    return _option(draw, request, name, "x")


def _option_value(draw: Draw, request: Request) -> bool:
    value = draw.one(OPTION_VALUES) if draw.chance(0.6) else _dirty(draw, "10.0.0.9")
    return _option(draw, request, draw.one(("67", "bootfile-name", "router", "dns-server", "tag:ipxe,67")), value)


def _null_value(draw: Draw, request: Request) -> bool:
    return _option(draw, request, draw.one(("router", "67")), None)


def _client_id(draw: Draw, request: Request) -> bool:
    name: str | int = 61 if draw.chance(0.2) else draw.one(("client-id", "61"))
    value = draw.one(CLIENT_IDS) if draw.chance(0.6) else _dirty(draw, "01:02:03")
    return _option(draw, request, name, value)


def _many_options(draw: Draw, request: Request) -> bool:
    return all(_option(draw, request, str(draw.number(1, 254)), "x" * draw.number(1, 255)) for _ in range(40))


def _leases(draw: Draw, request: Request) -> bool:
    whole = request.get("previous_leases") or "duid 00:01:02\n1 1 2001:db8::5 * 00:01\n"
    torn = whole[: draw.number(0, len(whole))] if draw.chance(0.4) else whole
    request["previous_leases"] = torn + draw.one(LEASES) if draw.chance(0.5) else draw.one(LEASES) + torn
    return True


def _too_many_leases(draw: Draw, request: Request) -> bool:
    request["settings"]["dnsmasq_lease_max"] = draw.number(1, 3)
    return True


def _address(draw: Draw, request: Request) -> bool:
    port = _port(draw, request)
    if port is None or not isinstance(port["fixed_ips"][0], dict):
        return False
    old = str(port["fixed_ips"][0].get("ip_address"))
    bad = ("10.0.0.300", "010.0.0.5", "", "x", "10.0.0.5/24", "2001:DB8::5", "2001:db8:0:0::5", "[::1]", "0.0.0.0")
    port["fixed_ips"][0]["ip_address"] = draw.one(bad) if draw.chance(0.6) else _dirty(draw, old)
    return True


def _duplicate_address(draw: Draw, request: Request) -> bool:
    one, other = _port(draw, request), _port(draw, request)
    if one is None or other is None or one is other:
        return False
    other["fixed_ips"] = [dict(fixed) for fixed in one["fixed_ips"] if isinstance(fixed, dict)]
    return True


def _duplicate_mac(draw: Draw, request: Request) -> bool:
    one, other = _port(draw, request), _port(draw, request)
    if one is None or other is None or one is other:
        return False
    other["mac_address"] = one.get("mac_address")
    return True


def _mac(draw: Draw, request: Request) -> bool:
    port = _port(draw, request)
    if port is None:
        return False
    bad = ("zz:zz", "fa-16-3e-00-00-01", "fa16.3e00.0001", "fa:16:3e:00:00", "", "*", "fa:16:3e:00:00:*", "x,y")
    port["mac_address"] = draw.one(bad) if draw.chance(0.6) else _dirty(draw, "fa:16:3e:00:00:01")
    return True


def _identity(draw: Draw, request: Request) -> bool:
    things = [request["network"], *_subnets(request), *_ports(request)]
    draw.one(things)["id"] = draw.one(IDS)
    return True


def _subnet_text(draw: Draw, request: Request) -> bool:
    subnets = _subnets(request)
    if not subnets:
        return False
    subnet = draw.one(subnets)
    field = draw.one(("gateway_ip", "cidr", "dns_nameservers", "host_routes", "host_routes"))
    if field == "dns_nameservers":
        subnet[field] = [_dirty(draw, "8.8.8.8"), *(subnet.get(field) or [])]
    elif field == "host_routes":
        route = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.1"}
        part = draw.one(("destination", "nexthop"))
        route[part] = _dirty(draw, route[part])
        subnet[field] = [*(subnet.get(field) or []), route]
    else:
        subnet[field] = _dirty(draw, str(subnet.get(field) or "10.0.0.1"))
    return True


def _too_long(draw: Draw, request: Request) -> bool:
    """Lists that are legal one by one and too long together: 1024 bytes of text, or 255 encoded."""
    subnets = [subnet for subnet in _subnets(request) if subnet.get("enable_dhcp")]
    if not subnets:
        return False
    subnet = draw.one(subnets)
    if subnet.get("ip_version") == 6:
        subnet["dns_nameservers"] = [f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{n:x}" for n in range(1, draw.number(20, 60))]
    elif draw.chance(0.5):
        subnet["dns_nameservers"] = [f"10.0.0.{n}" for n in range(1, draw.number(50, 80))]
    else:
        count = draw.number(24, 60)
        subnet["host_routes"] = [{"destination": f"10.{n}.0.0/16", "nexthop": "192.168.100.254"} for n in range(count)]
    return True


def _numbers(draw: Draw, request: Request) -> bool:
    if draw.chance(0.5):
        request["network"]["mtu"] = draw.one((None, -1, 65535, 65536, 10**12, "1500", 1.5, True))
    else:
        name = draw.one(("dhcp_renewal_time", "dhcp_rebinding_time", "dhcp_lease_duration", "dnsmasq_lease_max"))
        request["settings"][name] = draw.one((-2, -1, 0, 10**12, "60", "x", None, 1.5))
    return True


def _setting_text(draw: Draw, request: Request) -> bool:
    name = draw.one(("dns_domain", "dnsmasq_txt_record", "dnsmasq_config_file", "dnsmasq_base_log_dir", "state_path"))
    request["settings"][name] = _dirty(draw, "/srv/x")
    return True


def _wrong_type(draw: Draw, request: Request) -> bool:
    thing = draw.one([request["network"], *_subnets(request), *_ports(request)])
    name = draw.one(sorted(thing))
    if draw.chance(0.3):
        del thing[name]
    else:
        thing[name] = draw.one(WRONG)
    return True


def _segment_id(draw: Draw, request: Request) -> bool:
    segment = request.get("segment")
    if not isinstance(segment, dict):
        return False
    segment["segmentation_id"] = draw.one(("../x", "a/b", -1, "", True, 0, 1.5))
    return True


SPOILERS: tuple[tuple[str, Callable[[Draw, Request], bool]], ...] = (
    ("host-name", _host_name),
    ("host-name", _host_name),
    ("option-name", _option_name),
    ("option-value", _option_value),
    ("option-value-null", _null_value),
    ("client-id", _client_id),
    ("many-options", _many_options),
    ("previous-leases", _leases),
    ("more-leases-than-maximum", _too_many_leases),
    ("address", _address),
    ("duplicate-address", _duplicate_address),
    ("duplicate-mac", _duplicate_mac),
    ("mac", _mac),
    ("id", _identity),
    ("subnet-text", _subnet_text),
    ("too-long", _too_long),
    ("numbers", _numbers),
    ("setting-text", _setting_text),
    ("segment-id", _segment_id),
    ("wrong-type", _wrong_type),
)
