"""Extra DHCP options as tenants write them."""

from __future__ import annotations

from typing import Final

from dhcpcore.model.port import ExtraDhcpOption
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.addresses import address_of_version
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.texts import hostile_text

#: What provisioning services put on their ports (Ironic, PXE and iPXE chain loading), and what people set by hand.
_PLAIN: Final = (
    ("bootfile-name", "pxelinux.0"),
    ("tftp-server", "192.0.2.10"),
    ("server-ip-address", "192.0.2.10"),
    ("tag:ipxe,bootfile-name", "http://192.0.2.10:8080/boot.ipxe"),
    ("tag:!ipxe,bootfile-name", "undionly.kpxe"),
    ("tag:!ipxe,67", "undionly.kpxe"),
    ("tag:ipxe,67", "http://192.0.2.10:8080/boot.ipxe"),
    ("67", "pxelinux.0"),
    ("66", "192.0.2.10"),
    ("150", "192.0.2.10"),
    ("210", "/tftpboot/"),
    ("255", "192.0.2.10"),
    ("ntp-server", "192.0.2.20"),
    ("domain-name", "example.org"),
    ("domain-search", "a.example.org,b.example.org"),
    ("mtu", "1400"),
    ("router", "192.0.2.1"),
    ("dns-server", "192.0.2.53"),
    ("classless-static-route", "198.51.100.0/24,192.0.2.1"),
    ("client-id", "00:11:22:33"),
    ("61", "01:fa:16:3e:00:00:01"),
    ("T1", "600"),
    ("vendor-class", "example"),
    ("60", "example"),
)
_PLAIN_V6: Final = (
    ("dns-server", "2001:db8::53"),
    ("domain-search", "example.org"),
    ("ntp-server", "2001:db8::123"),
    ("bootfile-url", "tftp://[2001:db8::10]/boot.efi"),
    ("59", "tftp://[2001:db8::10]/boot.efi"),
    ("client-id", "00:01:00:01"),
)
_HOSTILE_NAMES: Final = (
    "",
    " ",
    "option:router",
    "option6:dns-server",
    "router\ntag:port-1,option:router",
    "tag:port-1,option:router",
    "tag:",
    "tag:,67",
    "tag:a,tag:b,67",
    "tag:!a,tag:!b,67",
    "server-identifier",
    "54",
    "51",
    "1",
    "0",
    "-1",
    "256",
    "99999",
    "encap:175,190",
    "vi-encap:2,10",
    "vendor:x,67",
    "67,68",
    "#67",
    '"67"',
    "Router",
    "no-such-option",
    "dhcp-script",
    "x" * 300,
    "x" * 1100,
    "\ud800",
)


def extra_dhcp_option(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> ExtraDhcpOption:
    """One extra DHCP option."""
    version = 6 if c.chance(15) else 4
    name, value = c.pick(_PLAIN if version == 4 else _PLAIN_V6)
    if flavour is Flavour.WELL_FORMED:
        if c.chance(20):
            name = str(c.integer(1, 254))
        if c.chance(20):
            value = c.pick((address_of_version(c, version), "text", "1", "a b", "0x01", "x" * 200))
        if c.chance(10):
            version = 10 - version
    elif flavour is Flavour.HOSTILE:
        if c.chance(40):
            name = c.pick(_HOSTILE_NAMES) if c.chance(70) else hostile_text(c)
        if c.chance(70):
            value = hostile_text(c)
        if c.chance(15):
            version = 10 - version
    return ExtraDhcpOption(opt_name=name, opt_value=value, ip_version=version)


def extra_dhcp_options(c: Choices, flavour: Flavour = Flavour.TYPICAL) -> tuple[ExtraDhcpOption, ...]:
    """The extra DHCP options of one port: mostly none.

    Neutron holds (port, name, version) unique, so typical ones are.
    """
    if not c.chance(25 if flavour is Flavour.TYPICAL else 45):
        return ()
    options = [extra_dhcp_option(c, flavour) for _ in range(c.integer(1, 4))]
    if flavour is Flavour.TYPICAL:
        options = list({(option.opt_name, option.ip_version): option for option in options}.values())
    return tuple(options)
