"""Random agent settings under Neutron's own option names, as one operator's configuration would hold them."""

from __future__ import annotations

from typing import Any

from draw import Draw

Settings = dict[str, Any]

PROXY_USERS = ("root", "nobody")
PROXY_GROUPS = ("root", "nogroup")
HOSTS = ("host-1", "network-2.example.org", "node")


def settings(draw: Draw) -> Settings:
    """Always a host name and the proxy's user and group: their defaults depend on the machine they are asked on."""
    drawn: Settings = {
        "host": draw.one(HOSTS),
        "metadata_proxy_user": draw.one(PROXY_USERS),
        "metadata_proxy_group": draw.one(PROXY_GROUPS),
    }
    if draw.chance(0.12, "settings/all-defaults"):
        return drawn
    _metadata(draw, drawn)
    _names_and_servers(draw, drawn)
    _times_and_limits(draw, drawn)
    _paths(draw, drawn)
    for name, probability in (
        ("dhcp_broadcast_reply", 0.1),
        ("dnsmasq_enable_addr6_list", 0.35),
        ("dnsmasq_local_resolv", 0.15),
        ("debug", 0.1),
        ("ovs_use_veth", 0.1),
    ):
        if draw.chance(probability, f"settings/{name}"):
            drawn[name] = True
    if draw.chance(0.1, "settings/without-effect-here"):
        drawn.update(num_sync_threads=8, resync_interval=30, AGENT={"availability_zone": "az1", "report_interval": 10})
    return drawn


def _metadata(draw: Draw, drawn: Settings) -> None:
    if draw.chance(0.4, "metadata/isolated"):
        drawn["enable_isolated_metadata"] = True
    if draw.chance(0.2, "metadata/forced"):
        drawn["force_metadata"] = True
    if draw.chance(0.15, "metadata/network-type"):
        drawn["enable_metadata_network"] = True
        drawn["enable_isolated_metadata"] = True
    if draw.chance(0.1, "metadata/proxy-socket"):
        drawn["metadata_proxy_socket"] = draw.one(("/run/neutron/metadata", "$state_path/other_proxy"))
    if draw.chance(0.12, "metadata/rate-limit"):
        drawn["metadata_rate_limiting"] = {
            "rate_limit_enabled": draw.chance(0.9),
            "ip_versions": draw.one(([4], [6], [4, 6], [4])),
            "base_window_duration": draw.number(1, 100),
            "base_query_rate_limit": draw.number(1, 100),
            "burst_window_duration": draw.number(1, 100),
            "burst_query_rate_limit": draw.number(1, 100),
        }
    if draw.chance(0.1, "metadata/haproxy-timeouts"):
        names = ("timeout_connect", "timeout_client", "timeout_server", "timeout_http_request")
        drawn["metadata_haproxy"] = {name: draw.number(1, 300) for name in draw.some(names, 1, 4)}


def _names_and_servers(draw: Draw, drawn: Settings) -> None:
    if draw.chance(0.4):
        drawn["dns_domain"] = draw.one(("", "example.org", "example.org.", "cloud.internal.example.net"))
        draw.note("settings/dns_domain-" + ("set" if drawn["dns_domain"] else "empty"))
    if draw.chance(0.2, "settings/dnsmasq_dns_servers"):
        servers = ("8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "10.0.0.53#5353", "/corp.example/10.9.9.9")
        drawn["dnsmasq_dns_servers"] = draw.some(servers, 1, 3)
    if draw.chance(0.1, "settings/dnsmasq_txt_record"):
        drawn["dnsmasq_txt_record"] = draw.one(("version,1.0", "zone.example.org,a,b", 'note,"with, comma"'))


def _times_and_limits(draw: Draw, drawn: Settings) -> None:
    if draw.chance(0.3):
        drawn["dhcp_lease_duration"] = draw.one((-1, -1, 0, 120, 600, 3600, 604800))
        kind = "infinite" if drawn["dhcp_lease_duration"] == -1 else "finite"
        draw.note(f"settings/dhcp_lease_duration-{kind}")
    if draw.chance(0.15, "settings/dhcp_renewal_time"):
        drawn["dhcp_renewal_time"] = draw.one((0, 60, 1800))
    if draw.chance(0.15, "settings/dhcp_rebinding_time"):
        drawn["dhcp_rebinding_time"] = draw.one((0, 100, 3150))
    if draw.chance(0.15, "settings/dnsmasq_lease_max"):
        drawn["dnsmasq_lease_max"] = draw.one((256, 1000, 4096, 2**16, 2**24))


def _paths(draw: Draw, drawn: Settings) -> None:
    if draw.chance(0.15, "settings/state_path"):
        drawn["state_path"] = draw.one(("/srv/neutron", "/var/lib/neutron/", "/var/lib/../lib/neutron"))
    if draw.chance(0.12, "settings/dhcp_confs"):
        drawn["dhcp_confs"] = draw.one(("/etc/dhcp-confs", "$state_path/dhcp/", "$state_path//x/../y", "/a b"))
    if draw.chance(0.06, "settings/external_pids"):
        drawn["external_pids"] = draw.one(("/run/neutron/pids", "$state_path/pids"))
    if draw.chance(0.15, "settings/dnsmasq_base_log_dir"):
        drawn["dnsmasq_base_log_dir"] = draw.one(("/var/log/neutron", "/var/log/dnsmasq/", "$state_path/log", ""))
    if draw.chance(0.12, "settings/dnsmasq_config_file"):
        drawn["dnsmasq_config_file"] = draw.one(("/etc/neutron/dnsmasq.conf", " /etc/dnsmasq-x.conf ", "   "))
