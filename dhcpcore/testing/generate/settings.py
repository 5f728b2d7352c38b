"""Settings: mostly the defaults, some options changed, as operators have them."""

from __future__ import annotations

from typing import Any, Final

from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.networks import HOST

#: Options that shape output or behaviour, with other values than their defaults.
_CHANGES: Final[dict[str, tuple[Any, ...]]] = {
    "enable_isolated_metadata": (True,),
    "force_metadata": (True,),
    "enable_metadata_network": (True,),
    "dnsmasq_dns_servers": (["192.0.2.53"], ["192.0.2.53", "2001:db8::53"], ["/example.org/192.0.2.53#5353"]),
    "dnsmasq_local_resolv": (True,),
    "dnsmasq_lease_max": (1, 10, 1000),
    "dnsmasq_config_file": ("/etc/neutron/dnsmasq.conf",),
    "dnsmasq_base_log_dir": ("/var/log/neutron/dnsmasq", "$state_path/log"),
    "dhcp_broadcast_reply": (True,),
    "dnsmasq_enable_addr6_list": (True,),
    "dnsmasq_txt_record": ("example.org", "v.example.org,text,more"),
    "dhcp_renewal_time": (600,),
    "dhcp_rebinding_time": (900,),
    "dhcp_lease_duration": (-1, 120, 600, 3600),
    "dns_domain": ("", "example.org", "a.b.c.example.net"),
    "interface_driver": ("bridge", "neutron.agent.linux.interface.OVSInterfaceDriver"),
    "ovs_use_veth": (True,),
    "debug": (True,),
    "dhcp_confs": ("/srv/dhcp", "${state_path}/confs/"),
    "state_path": ("/srv/neutron",),
    "resync_interval": (1, 60),
    "report_interval": (0, 1, 10),
    "ready_ports_batch": (1, 3),
    "reload_method": ("sighup", "restart"),
    "audit_interval": (60,),
    "retry_interval_max": (5,),
    "tombstone_age": (0, 60),
    "unsafe_disable_hold": (0, 10),
    "unsafe_disable_minimum": (1, 2),
    "unsafe_disable_percent": (0, 50, 100),
}
_HOSTILE: Final[dict[str, tuple[Any, ...]]] = {
    "dns_domain": (".", "..", "x" * 63, ".".join(["x" * 60] * 4), "EXAMPLE.org", "café", "*"),
    "dnsmasq_txt_record": (",", "a,b,c,d", 'x,"quoted, text"', "# no comment"),
    "host": ("a.b.c.d", "-", "x" * 255, "host 1"),
    "dnsmasq_config_file": (" ", "/etc/with space.conf"),
}


def settings(c: Choices, flavour: Flavour = Flavour.TYPICAL, *, host: str = HOST) -> Settings:
    """Settings of the agent on `host` (hostile ones may have another host)."""
    chosen: dict[str, Any] = {"host": host}
    if c.chance(70):
        for name in c.some(list(_CHANGES), 0, 6):
            chosen[name] = c.pick(_CHANGES[name])
    if flavour is Flavour.HOSTILE:
        for name in c.some(list(_HOSTILE), 0, 2):
            chosen[name] = c.pick(_HOSTILE[name])
    if flavour is not Flavour.TYPICAL and c.chance(20):
        chosen["metadata_rate_limiting"] = {"rate_limit_enabled": True, "base_query_rate_limit": c.integer(1, 100)}
        chosen["metadata_haproxy"] = {"timeout_client": c.integer(1, 100)}
    return Settings.from_mapping(chosen)


def capabilities(c: Choices) -> HostCapabilities:
    """What a host can do: dnsmasq's version, IPv6, the interface driver."""
    version = c.pick(((2, 90), (2, 91), (2, 92), (2, 86), (2, 80), (2, 76)))
    return HostCapabilities(
        dnsmasq=DnsmasqCapabilities(version=version, host_tags=version >= (2, 81)),
        ipv6_enabled=not c.chance(10),
        bridged=not c.chance(10),
        use_gateway_ips=c.chance(10),
    )
