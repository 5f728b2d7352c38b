"""What is known about dnsmasq's grammar, case by case.

Each row of a table was seen on dnsmasq 2.90; tests/integration/test_syntax_dnsmasq.py asks the installed one about
thousands more.
"""

from __future__ import annotations

import pytest

from dhcpcore.render.syntax import (
    DEADLY,
    addn_name_problem,
    argument_problem,
    client_id_problem,
    duplicate_host_addresses,
    host_line_problem,
    hostname_problem,
    option_line_problem,
    tag_problem,
)

ROUTES = ",".join(f"10.{number}.0.0/16,10.0.0.1" for number in range(37))

FINE_OPTIONS = [
    "tag:subnet-x,option:classless-static-route,10.0.0.0/8,10.0.0.1",
    "tag:subnet-x,249,10.0.0.0/8,10.0.0.1",
    "tag:subnet-x,option:router",
    "tag:subnet-x,option:router,10.0.0.1",
    "tag:port-y,tag:ipxe,67,http://10.0.0.9/boot.ipxe",
    "tag:port-y,tag:!ipxe,option:bootfile-name,undionly.kpxe",
    "tag:port-y,option:Bootfile-NAME,a,b",
    "tag:port-y,option:mtu,99999999999",
    "tag:port-y,option:mtu,1400x",
    "tag:port-y,option:T1,1w",
    "tag:port-y,option:T1,infinite",
    "tag:port-y,option:domain-search,a.example,b.example,Example.ORG",
    "tag:port-y,option:domain-name,café # a comment",
    "tag:port-y,150,10.0.0.1,10.0.0.2",
    "tag:port-y,54,6.6.6.6",
    "tag:port-y,260,whatever",
    'tag:port-y,option:domain-name,"a,b#c"',
    'tag:port-y,67,"a""b',
    "tag:x,option6:dns-server,[fd00::1],fd00::2",
    "tag:x,option6:59,tftp://[fd00::1]/boot",
    "tag:x,option6:ntp-server,ntp.example.org",
    "tag:x,option6:bootfile-param",
    "tag:port-y,vendor:PXEClient,6,2b",
    "tag:port-y,vi-encap:311,vendor:a,67,x",
    f"tag:subnet-x,option:classless-static-route,{ROUTES[: ROUTES.rindex(',10.36')]}",
    "option:domain-name," + "x" * 255,
    "option6:bootfile-url," + "x" * 900,
    "",
    "# nothing but a comment",
]

REFUSED_OPTIONS = [
    ("tag:port-y,option:router,", "bad IP address"),
    ("tag:port-y,option:router,010.0.0.1", "bad IPv4 address"),
    ("tag:port-y,option:router,10.0.0.1,", "bad IPv4 address"),
    ("tag:port-y,option:dns-server,ns.example.org", "bad IP address"),
    ("tag:port-y,option:dns-server," + ",".join(["10.0.0.1"] * 64), "dhcp-option too long"),
    ("tag:port-y,option:no-such-thing,1", "bad dhcp-option"),
    ("tag:port-y,option:67,boot", "bad dhcp-option"),
    ("tag:port-y,option:server-identifier,10.0.0.1", "bad dhcp-option"),
    ("tag:port-y", "bad dhcp-option"),
    ("dhcp-script=/bin/sh", "bad dhcp-option"),
    ("tag:port-y,option:domain-name," + "x" * 256, "dhcp-option too long"),
    (f"tag:x,option:classless-static-route,{ROUTES}", "dhcp-option too long"),
    ("tag:port-y,option:domain-search," + "a" * 64, "bad domain in dhcp-option"),
    ("tag:port-y,option:domain-search,Bad-.example", "bad domain in dhcp-option"),
    ('tag:port-y,67,"boot', 'missing "'),
    ('tag:port-y,67,"a" "b', 'missing "'),
    ("tag:x,option6:dns-server,10.0.0.1", "bad IPv6 address"),
    ("tag:x,option6:dns-server,[fd00::g]", "bad IPv6 address"),
    ("tag:x,vendor:a,option6:dns-server,[fd00::1]", "unsupported encapsulation for IPv6 option"),
    ("tag:port-y,encap:5,vendor:a,6,x", "inappropriate vendor:"),
    ("tag:port-y,53,5", "dhcp-option too long"),
    ("tag:port-y,67,a\nb", "a line break or NUL"),
    ("tag:port-y,67,a\rb", "a line break or NUL"),
    ("tag:port-y,67,a\vb", "a line break or NUL"),
    ("tag:port-y,67,a\0b", "a line break or NUL"),
    ("tag:port-y,67,\ud800", "no text that UTF-8 can hold"),
    ("option6:bootfile-url," + "é" * 502, "longer than 1024 bytes"),
    # Taken without a word; then a null pointer is followed.
    ("tag:port-y,option:T1", DEADLY + "option 58 has no value"),
    ("tag:port-y,59,", DEADLY + "option 59 has no value"),
    ("tag:port-y,option:T2, # later", DEADLY + "option 59 has no value"),
    ('tag:port-y,67,""', DEADLY + "option 67 has no value"),
    ("tag:port-y,67,b", DEADLY + "option 67 has no value"),
    ("tag:port-y,option:tftp-server,", DEADLY + "option 66 has no value"),
    ("tag:port-y,255", DEADLY + "option 255 has no value"),
    ("tag:port-y,tag:,67,boot", DEADLY + "an empty tag"),
    ("tag:port-y,vendor:a,vi-encap:5,67,boot", DEADLY + "an encapsulation after vendor:"),
]

MAC = "fa:16:3e:00:00:01"
FINE_HOSTS = [
    f"{MAC},host-10-0-0-5.openstacklocal.,10.0.0.5",
    f"{MAC},host-10-0-0-5.openstacklocal.,10.0.0.5,set:port-1",
    f"{MAC},tag:dhcpv6,id:ff:00:01,host-fd00--5.openstacklocal.,[fd00::5],[fd00::6],set:port-1",
    f"{MAC},set:port-1",
    f"{MAC},tag:dhcpv6,set:port-1",
    f"{MAC},id:*,vm,10.0.0.5",
    f"{MAC},id:a text,vm,10.0.0.5",
    f"{MAC},vm,10.0.0.300",
    f"{MAC},,10.0.0.5",
    f"{MAC} , vm , 10.0.0.5",
    "FA:16:3E:*:*:*,ignore",
    "06-01:02:03,vm,[fd00::/64]",
    "",
    "# nothing but a comment",
]
REFUSED_HOSTS = [
    (f"{MAC},h a,10.0.0.5", "bad DHCP host name"),
    (f"{MAC},h#a,10.0.0.5", "bad DHCP host name"),
    (f"{MAC},_h,10.0.0.5", "bad DHCP host name"),
    (f"{MAC},-h,10.0.0.5", "bad DHCP host name"),
    (f"{MAC},Vm-,10.0.0.5", "bad DHCP host name"),
    (f"{MAC},{'h' * 64},10.0.0.5", "bad DHCP host name"),
    (f"{MAC},id:a:zz,h,10.0.0.5", "bad hex constant"),
    (f"{MAC},h,fd00::g", "bad hex constant"),
    ("fa:16:3e:00:00:0g,h,10.0.0.5", "bad hex constant"),
    (f"\ufeff{MAC},h,10.0.0.5", "bad hex constant"),
    (f"{MAC},h,[fd00::1][fd00::2]", "bad IPv6 address"),
    (f"{MAC},h,[fd00::1/80]", "bad IPv6 prefix"),
    (f'{MAC},"h,10.0.0.5', 'missing "'),
    (f"{MAC},h\n{MAC},10.0.0.6", "a line break or NUL"),
    (f"{MAC},h{' ' * 1024},10.0.0.5", "longer than 1024 bytes"),
    (f"{MAC},tag:,h,10.0.0.5", DEADLY + "an empty tag"),
    (f"{MAC},h,10.0.0.5,set:", DEADLY + "an empty tag"),
]

FINE_HOSTNAMES = [
    "vm",
    "VM",
    "host-10-0-0-5.openstacklocal.",
    "vm.example.org.",
    "a..b",
    "1a",
    "12h.",
    "10.0.0.77.",
    "1234.example",
    "h",
    "hh",
    "infinite.example",
    "Ignore",
    "a_b",
    "vm--x",
    "xn--caf-dma",
    "vm.a b",
]
REFUSED_HOSTNAMES = [
    ("", "empty"),
    ("ignore", "dnsmasq reads it as an order to ignore the host"),
    ("infinite", "dnsmasq reads it as a lease time"),
    ("1234", "dnsmasq reads it as a lease time"),
    ("5m", "dnsmasq reads it as a lease time"),
    ("12H", "dnsmasq reads it as a lease time"),
    ("1 2h", "dnsmasq reads it as a lease time"),
    ("10.0.0.77", "dnsmasq reads it as an address"),
    ("a:b", "a colon makes it a hardware address"),
    ("set:x", "a colon makes it a hardware address"),
    ("vm,10.0.0.6", "comma and quote part or join the fields of a line"),
    ('"vm"', "comma and quote part or join the fields of a line"),
    ("vm #x", "spaces at its ends and comments are dropped"),
    ("vm ", "spaces at its ends and comments are dropped"),
    ("vm\n", "a control character"),
    ("v\x01m", "a control character"),
    ("café", "not ASCII: whether dnsmasq takes it depends on its locale"),
    ("vm\ud800", "no text that UTF-8 can hold"),
    (".", "bad DHCP host name"),
    ("..", "its first label is empty"),
    (". .", "bad DHCP host name"),
    (".vm", "its first label is empty"),
    ("-vm", "bad DHCP host name"),
    ("v m", "bad DHCP host name"),
    ("VM-", "bad DHCP host name"),
    ("VM--X", "bad DHCP host name"),
    ("VMX--X", None),
    ("VM.ab--cd", "bad DHCP host name"),
    ("v" * 63, None),
    ("v" * 64, "bad DHCP host name"),
    ("vm." + "v" * 64, "bad DHCP host name"),
    ("V." * 126 + "v", None),
    ("V." * 127 + "v", "bad DHCP host name"),
    ("v." * 127 + "v", None),
    ("v." * 512 + "v", "longer than 1024 bytes"),
]


@pytest.mark.parametrize("line", FINE_OPTIONS)
def test_option_line_is_fine(line: str) -> None:
    assert option_line_problem(line) is None


@pytest.mark.parametrize("line,reason", REFUSED_OPTIONS)
def test_option_line_is_refused(line: str, reason: str) -> None:
    assert option_line_problem(line) == reason


@pytest.mark.parametrize("line", FINE_HOSTS)
def test_host_line_is_fine(line: str) -> None:
    assert host_line_problem(line) is None


@pytest.mark.parametrize("line,reason", REFUSED_HOSTS)
def test_host_line_is_refused(line: str, reason: str) -> None:
    assert host_line_problem(line) == reason


@pytest.mark.parametrize("name", FINE_HOSTNAMES)
def test_hostname_is_fine(name: str) -> None:
    assert hostname_problem(name) is None


@pytest.mark.parametrize("name,reason", REFUSED_HOSTNAMES)
def test_hostname(name: str, reason: str | None) -> None:
    assert hostname_problem(name) == reason


@pytest.mark.parametrize(
    "value,reason",
    [
        ("ff:00:01", None),
        ("01-02 03:04", None),
        ("a text", None),
        ("#1", None),
        ("*", None),
        ("", "empty"),
        ("*x", "what follows '*' is dropped"),
        ("a,set:port-b", "comma, quote and control characters part or change the field"),
        ('"a"', "comma, quote and control characters part or change the field"),
        ("a\tb", "comma, quote and control characters part or change the field"),
        ("a\n", "comma, quote and control characters part or change the field"),
        ("a #b", "a last space and a comment are dropped"),
        ("a ", "a last space and a comment are dropped"),
        ("a:zz", "bad hex constant"),
        ("01:*", "bytes with '*' have no value"),
        ("x" * 1024, "longer than 1024 bytes"),
        ("\ud800", "no text that UTF-8 can hold"),
    ],
)
def test_client_id(value: str, reason: str | None) -> None:
    assert client_id_problem(value) == reason


@pytest.mark.parametrize(
    "tag,reason",
    [
        ("port-1", None),
        ("café", None),
        ("a:b", None),
        ("", DEADLY + "an empty tag"),
        ("!x", "'!' and '#' negate a tag"),
        ("a,option:router", "comma, quote and control characters part or change the field"),
    ],
)
def test_tag(tag: str, reason: str | None) -> None:
    assert tag_problem(tag) == reason


@pytest.mark.parametrize(
    "name,reason",
    [
        ("vm.example.org.", None),
        ('"vm"', None),
        ("-_-,:", None),
        ("", "empty"),
        ("a b", "white space and '#' end a name"),
        ("a#b", "white space and '#' end a name"),
        ("a\tb", "a control character"),
        ("café", "not ASCII: whether dnsmasq takes it depends on its locale"),
        ("x" * 64, "bad name"),
        ("Vm-", "bad name"),
        (".".join(["x" * 63] * 17), "longer than 1024 bytes"),
    ],
)
def test_addn_name(name: str, reason: str | None) -> None:
    assert addn_name_problem(name) == reason


@pytest.mark.parametrize(
    "argument,reason",
    [
        ("", None),
        ("--no-hosts", None),
        ("--dhcp-range=set:subnet-x,10.0.0.0,static,255.255.255.0,86400s", None),
        ("--dhcp-range=set:subnet-x,10.0.0.0,static,255.255.255.0,infinite", None),
        ("--dhcp-range=set:subnet-x,fd00::,static,64,86400s", None),
        ("--dhcp-range=set:subnet-x,fd00::,static,63,86400s", "prefix length must be at least 64"),
        ("--dhcp-range=set:a,x,10.0.0.0,static", "only one tag allowed"),
        ("--dhcp-range=set:a,10.0.0.0,static,255.255.255.0,-5s", "bad dhcp-range"),
        ("--dhcp-option-force=option:mtu,1450", None),
        ("--dhcp-option-force=option:T1,300s", None),
        ("--dhcp-option-force=option:T1", DEADLY + "option 58 has no value"),
        ("--dhcp-option-force=67", None),
        ("--dhcp-lease-max=16777216", None),
        ("--dhcp-lease-max=-1", "try --help"),
        ("--dhcp-lease-max=4294967296", "too large for dnsmasq"),
        ("--txt-record=example.org,a b,c", None),
        ("--txt-record=" + "x" * 64, "bad TXT record"),
        ("--server=10.0.0.1", None),
        ("--server=fd00::1#53@eth0", None),
        ("--server=/example.org/10.0.0.1", None),
        ("--server=ns.example.org", None),
        ("--server=10.1", "neither an address nor a name of a server"),
        ("--server=10.0.0.1#70000", "bad port"),
        ("--domain=openstacklocal", None),
        ("--domain=example.org,10.0.0.0/8,local", None),
        ("--domain=#", "must have exactly one resolv.conf to read domain from."),
        ("--domain=a,10.0.0.0/33", "bad prefix length"),
        ("--conf-file=/dev/null", None),
        ("--conf-file=", "no path"),
        ("--conf-file=-", "it would be read from standard input"),
        ("--log-facility=/var/log/dhcp_dns_log", None),
        ("--log-facility=nowhere", "bad log facility"),
        ("--bridge-interface=ns-12345678-12,tap*", None),
        ("--interface=tap12345678-12", None),
        ("--interface=", "not one device"),
        ("--interface=tap1,tap2", "not one device"),
        ("--interface=tap*", "not one device"),
        ("--except-interface=lo", None),
        ("--bridge-interface=ns-12345678-123456,tap*", "bad bridge-interface"),
        ("--pid-file=/a\x02b", "a control character changes the path"),
        ("--domain=a\0b", "NUL ends an argument"),
        ("--domain=\ud800", "no text that UTF-8 can hold"),
        ("--txt-record=a," + "x" * 200_000, "longer than an argument can be"),
        ("--dhcp-script=/bin/sh", "not an argument that is written here"),
        ("stray", "not an argument that is written here"),
    ],
)
def test_argument(argument: str, reason: str | None) -> None:
    assert argument_problem(argument) == reason


def test_duplicate_addresses() -> None:
    pairs = [(0, "10.0.0.1"), (3, "10.0.0.2"), (4, "10.0.0.1"), (5, "10.0.0.1"), (5, "10.0.0.9"), (7, "10.0.0.2")]
    assert duplicate_host_addresses(pairs) == {4, 5, 7}
    assert duplicate_host_addresses([(1, "10.0.0.1"), (1, "10.0.0.1")]) == set()
