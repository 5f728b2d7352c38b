"""What the host can do: an input of rendering and planning, read once by whoever starts processes."""

from __future__ import annotations

from attrs import field, frozen

from dhcpcore.model.checks import check_bool


@frozen(kw_only=True)
class DnsmasqCapabilities:
    """The installed dnsmasq.

    Attributes:
        version: e.g. ``(2, 90)``.
        host_tags: whether dhcp-host lines may require a tag (``tag:dhcpv6,``; dnsmasq 2.81, Launchpad 1876094).
    """

    version: tuple[int, int] = (2, 90)
    host_tags: bool = field(default=True, validator=check_bool)

    @property
    def sighup_is_safe(self) -> bool:
        """Whether SIGHUP is safe with ``set:`` in the hosts file.

        Before 2.91 (upstream commit f006be7) dnsmasq frees a tag list that a served client's context still hangs in.
        """
        return self.version >= (2, 91)


@frozen(kw_only=True)
class HostCapabilities:
    """One network host, as far as files and plans depend on it.

    Attributes:
        ipv6_enabled: whether the kernel speaks IPv6.
        bridged: the interface driver's property of that name; False adds ``--bridge-interface`` to the command line.
        use_gateway_ips: the interface driver's property of that name; the DHCP port serves on the gateway's address.
    """

    dnsmasq: DnsmasqCapabilities = field(factory=DnsmasqCapabilities)
    ipv6_enabled: bool = field(default=True, validator=check_bool)
    bridged: bool = field(default=True, validator=check_bool)
    use_gateway_ips: bool = field(default=False, validator=check_bool)
