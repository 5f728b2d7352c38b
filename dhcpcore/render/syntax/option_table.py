"""The DHCP options that dnsmasq 2.90 knows by name, and in which form each takes its value.

The two tables of dhcp-common.c (opttab, opttab6), the internal entries included: those have a name that an option line
may not use, but their form holds for the number too.

A form is a number: one or more of the flags below, plus the width in bytes where the value is one number.
"""

from __future__ import annotations

from typing import Final

#: One or more addresses, parted by commas.
ADDRESSES: Final = 0x8000
#: One or more domain names, in the encoding of RFC 1035.
DOMAINS: Final = 0x4000
#: Set by dnsmasq itself; refused by name.
INTERNAL: Final = 0x2000
#: Text as it stands.
TEXT: Final = 0x1000
#: One or more texts, each with its length (DHCPv6).
STRINGS: Final = 0x0800
#: A number of seconds, or of a unit: 10, 10s, 2m, 1h, 1d, 1w.
TIME: Final = 0x0200

_NAMED_4: Final[tuple[tuple[str, int, int], ...]] = (
    ("netmask", 1, ADDRESSES),
    ("time-offset", 2, 4),
    ("router", 3, ADDRESSES),
    ("dns-server", 6, ADDRESSES),
    ("log-server", 7, ADDRESSES),
    ("lpr-server", 9, ADDRESSES),
    ("hostname", 12, INTERNAL | TEXT),
    ("boot-file-size", 13, 2),
    ("domain-name", 15, TEXT),
    ("swap-server", 16, ADDRESSES),
    ("root-path", 17, TEXT),
    ("extension-path", 18, TEXT),
    ("ip-forward-enable", 19, 1),
    ("non-local-source-routing", 20, 1),
    ("policy-filter", 21, ADDRESSES),
    ("max-datagram-reassembly", 22, 2),
    ("default-ttl", 23, 1),
    ("mtu", 26, 2),
    ("all-subnets-local", 27, 1),
    ("broadcast", 28, INTERNAL | ADDRESSES),
    ("router-discovery", 31, 1),
    ("router-solicitation", 32, ADDRESSES),
    ("static-route", 33, ADDRESSES),
    ("trailer-encapsulation", 34, 1),
    ("arp-timeout", 35, 4),
    ("ethernet-encap", 36, 1),
    ("tcp-ttl", 37, 1),
    ("tcp-keepalive", 38, 4),
    ("nis-domain", 40, TEXT),
    ("nis-server", 41, ADDRESSES),
    ("ntp-server", 42, ADDRESSES),
    ("vendor-encap", 43, INTERNAL),
    ("netbios-ns", 44, ADDRESSES),
    ("netbios-dd", 45, ADDRESSES),
    ("netbios-nodetype", 46, 1),
    ("netbios-scope", 47, 0),
    ("x-windows-fs", 48, ADDRESSES),
    ("x-windows-dm", 49, ADDRESSES),
    ("requested-address", 50, INTERNAL | ADDRESSES),
    ("lease-time", 51, INTERNAL | TIME),
    ("option-overload", 52, INTERNAL),
    ("message-type", 53, INTERNAL),
    ("server-identifier", 54, INTERNAL | ADDRESSES),
    ("parameter-request", 55, INTERNAL),
    ("message", 56, INTERNAL),
    ("max-message-size", 57, INTERNAL),
    ("T1", 58, TIME),
    ("T2", 59, TIME),
    ("vendor-class", 60, 0),
    ("client-id", 61, INTERNAL),
    ("nis+-domain", 64, TEXT),
    ("nis+-server", 65, ADDRESSES),
    ("tftp-server", 66, TEXT),
    ("bootfile-name", 67, TEXT),
    ("mobile-ip-home", 68, ADDRESSES),
    ("smtp-server", 69, ADDRESSES),
    ("pop3-server", 70, ADDRESSES),
    ("nntp-server", 71, ADDRESSES),
    ("irc-server", 74, ADDRESSES),
    ("user-class", 77, 0),
    ("rapid-commit", 80, 0),
    ("FQDN", 81, INTERNAL),
    ("agent-id", 82, INTERNAL),
    ("client-arch", 93, 2),
    ("client-interface-id", 94, 0),
    ("client-machine-id", 97, 0),
    ("posix-timezone", 100, TEXT),
    ("tzdb-timezone", 101, TEXT),
    ("ipv6-only", 108, 4),
    ("subnet-select", 118, INTERNAL),
    ("domain-search", 119, DOMAINS),
    ("sip-server", 120, 0),
    ("classless-static-route", 121, 0),
    ("vendor-id-encap", 125, 0),
    ("tftp-server-address", 150, ADDRESSES),
    ("server-ip-address", 255, ADDRESSES),
)
_NAMED_6: Final[tuple[tuple[str, int, int], ...]] = (
    ("client-id", 1, INTERNAL),
    ("server-id", 2, INTERNAL),
    ("ia-na", 3, INTERNAL),
    ("ia-ta", 4, INTERNAL),
    ("iaaddr", 5, INTERNAL),
    ("oro", 6, INTERNAL),
    ("preference", 7, INTERNAL),
    ("unicast", 12, INTERNAL),
    ("status", 13, INTERNAL),
    ("rapid-commit", 14, INTERNAL),
    ("user-class", 15, INTERNAL | STRINGS),
    ("vendor-class", 16, INTERNAL | STRINGS),
    ("vendor-opts", 17, INTERNAL),
    ("sip-server-domain", 21, DOMAINS),
    ("sip-server", 22, ADDRESSES),
    ("dns-server", 23, ADDRESSES),
    ("domain-search", 24, DOMAINS),
    ("nis-server", 27, ADDRESSES),
    ("nis+-server", 28, ADDRESSES),
    ("nis-domain", 29, DOMAINS),
    ("nis+-domain", 30, DOMAINS),
    ("sntp-server", 31, ADDRESSES),
    ("information-refresh-time", 32, TIME),
    ("FQDN", 39, INTERNAL | DOMAINS),
    ("posix-timezone", 41, TEXT),
    ("tzdb-timezone", 42, TEXT),
    ("ntp-server", 56, 0),
    ("bootfile-url", 59, TEXT),
    ("bootfile-param", 60, STRINGS),
)

#: Lower-case name to code. Names are compared without regard to case.
CODES_4: Final = {name.lower(): code for name, code, _ in _NAMED_4}
CODES_6: Final = {name.lower(): code for name, code, _ in _NAMED_6}

#: Code to form. A code without a form is guessed from the value.
FORMS_4: Final = {code: form for _, code, form in _NAMED_4}
FORMS_6: Final = {code: form for _, code, form in _NAMED_6}
