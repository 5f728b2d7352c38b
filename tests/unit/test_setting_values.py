"""What the value of an option may be, kind by kind: switches, numbers, paths, users, lists, servers, domains."""

from __future__ import annotations

from typing import Any, Final

import pytest

from dhcpcore.model.settings import Settings, settings_from_mapping
from support.refused_settings import refused


@pytest.mark.parametrize("text, value", [("true", True), ("Yes", True), (" ON ", True), ("1", True), (True, True)])
def test_switches(text: object, value: bool) -> None:
    assert Settings.from_mapping({"force_metadata": text}).force_metadata is value


@pytest.mark.parametrize("text", ["false", "No", "off", "0", False])
def test_switches_off(text: object) -> None:
    assert Settings.from_mapping({"use_helper_for_ns_read": text}).use_helper_for_ns_read is False


@pytest.mark.parametrize("bad", [1, 0, "maybe", "", None, [], "true" * 1000, "true     and more", "no" + " " * 9 + "x"])
def test_what_is_no_switch(bad: object) -> None:
    assert refused({"force_metadata": bad}).option == "force_metadata"


@pytest.mark.parametrize(
    "name, least",
    [
        ("resync_interval", 1),
        ("resync_throttle", 0),
        ("num_sync_threads", 1),
        ("bulk_reload_interval", 0),
        ("dnsmasq_lease_max", 1),
        ("dhcp_renewal_time", 0),
        ("dhcp_rebinding_time", 0),
        ("dhcp_lease_duration", -1),
        ("check_child_processes_interval", 0),
        ("rpc_response_max_timeout", 1),
        ("unsafe_disable_minimum", 1),
        ("ready_ports_batch", 1),
        ("metadata_haproxy.timeout_connect", 1),
        ("metadata_haproxy.timeout_client", 1),
        ("metadata_haproxy.timeout_server", 1),
        ("metadata_haproxy.timeout_http_request", 1),
        ("metadata_haproxy.timeout_http_keep_alive", 1),
        ("metadata_rate_limiting.base_window_duration", 1),
        ("metadata_rate_limiting.base_query_rate_limit", 1),
        ("metadata_rate_limiting.burst_window_duration", 1),
        ("metadata_rate_limiting.burst_query_rate_limit", 1),
    ],
)
def test_whole_numbers(name: str, least: int) -> None:
    for fine in (least, str(max(least, 1)), f" {least} ", float(least)):
        settings_from_mapping({name: fine})
    outside = (least - 1, str(least - 1), 1 << 63, "9" * 6000)
    others: tuple[Any, ...] = (1.5, "1.5", "x", "", None, True, [], float("nan"), "٣")
    for bad in outside + others:
        assert refused({name: bad}).option == name


@pytest.mark.parametrize(
    "name",
    [
        "report_interval",
        "unsafe_disable_hold",
        "unsafe_disable_percent",
        "tombstone_age",
    ],
)
def test_numbers(name: str) -> None:
    for fine in (0, 1, "1", 0.5, "0.5", "1e1"):
        settings_from_mapping({name: fine})
    wrong: tuple[Any, ...] = (-1, "-0.1", "x", "", None, True, [], float("inf"), "inf", "nan", "1e999", 10**400)
    for bad in wrong:
        assert refused({name: bad}).option == name


@pytest.mark.parametrize("name", ["state_path", "dhcp_confs", "external_pids", "metadata_proxy_socket"])
def test_paths_are_absolute(name: str) -> None:
    for bad in ("", "dhcp", "./x", "$HOME/x", None):
        assert refused({name: bad}).option == name


@pytest.mark.parametrize("name", ["state_path", "external_pids", "metadata_proxy_socket"])
@pytest.mark.parametrize("bad", ["/a b", "/a ", "/a#b", "/a'b", '/a"b', "/a\\b", "/a\N{NO-BREAK SPACE}b"])
def test_paths_in_haproxys_configuration_are_one_word_of_it(name: str, bad: str) -> None:
    """Blanks separate words, quotes and backslashes vanish, ``#`` begins a comment (haproxy's manual, section 2.2)."""
    assert refused({name: bad}).option == name
    assert Settings(dhcp_confs="/a b").confs_dir == "/a b"


@pytest.mark.parametrize("name", ["metadata_proxy_user", "metadata_proxy_group"])
@pytest.mark.parametrize("bad", ["a b", " ", "root ", "a#b", "a'b", '"', "a\\b", "2147483648", 1 << 31, -1, "9" * 99])
def test_users_and_groups_are_one_word_and_numbers_those_of_haproxy(name: str, bad: Any) -> None:
    """haproxy 2.6 reads a larger id as none and stays what it was: "string '2147483648' is not a number"."""
    assert refused({name: bad}).option == name
    assert getattr(Settings.from_mapping({name: (1 << 31) - 1}), name) == "2147483647"


def test_null_is_the_empty_value_where_there_is_one() -> None:
    nulls = ("dnsmasq_dns_servers", "dnsmasq_base_log_dir", "dnsmasq_config_file", "dns_domain", "metadata_proxy_user")
    settings = Settings.from_mapping(dict.fromkeys(nulls))
    assert [getattr(settings, name) for name in nulls] == [(), None, "", "", ""]


@pytest.mark.parametrize("text, members", [("", ()), ("1.1.1.1", 1), (" 1.1.1.1 ,8.8.8.8, ", 2), (["::1"], 1), ((), 0)])
def test_lists(text: Any, members: Any) -> None:
    servers = Settings.from_mapping({"dnsmasq_dns_servers": text}).dnsmasq_dns_servers
    assert len(servers) == (members or 0)
    assert all(server == server.strip() for server in servers)


FINE_SERVERS: Final = (
    "10.0.0.53", "10.0.0.53#5353", "fd00::53", "fd00::53#53", "fe80::1%eth0", "10.0.0.53@eth0",
    "10.0.0.53@10.0.0.1#4000", "/example.org/10.0.0.53", "/a/b/", "/a/#", "//10.0.0.53", "#", "", "dns.example.org",
)  # fmt: skip
BAD_SERVERS: Final = (
    "10.0.0.53#99999", "10.0.0.53#x", "10.0.0.300", "[::1]", "a b", "1.2.3.4 ", "-1", "/a", "*", "fd00::%", "300.1.1.1",
    "x\n", "10.0.0.53#", "{{ 7 }}", "'", "1.2.3.4,5.6.7.8",
    "ns..", "ns-.",
)  # fmt: skip


@pytest.mark.parametrize("server", FINE_SERVERS)
def test_dns_servers_as_dnsmasq_reads_them(server: str) -> None:
    assert Settings(dnsmasq_dns_servers=(server,)).dnsmasq_dns_servers == (server,)


@pytest.mark.parametrize("server", BAD_SERVERS)
def test_dns_servers_that_dnsmasq_would_refuse(server: str) -> None:
    error = refused({"dnsmasq_dns_servers": ["10.0.0.53", server]})
    assert error.option == "dnsmasq_dns_servers[1]"


@pytest.mark.parametrize("domain", ["", ".", "openstacklocal", "example.org.", "A_b.c-d", "a..b", "café.fr", "x" * 63])
def test_domains(domain: str) -> None:
    assert Settings(dns_domain=domain).dns_domain == domain


@pytest.mark.parametrize("domain", ["a b", "a,b", "#", "a#", 'a"', "a\\b", "a:b", "x" * 64, "é" * 32, "a." * 127])
def test_domains_that_would_be_more_than_a_name(domain: str) -> None:
    assert refused({"dns_domain": domain}).option == "dns_domain"


def test_a_user_may_be_a_number() -> None:
    assert Settings.from_mapping({"metadata_proxy_user": 0}).metadata_proxy_user == "0"
    for bad in (-1, True, 1 << 32, 1.0):
        assert refused({"metadata_proxy_group": bad}).option == "metadata_proxy_group"


def test_choices() -> None:
    assert Settings.from_mapping({"reload_method": "restart "}).reload_method == "restart"
    assert refused({"reload_method": "hup"}).option == "reload_method"
    assert refused({"check_child_processes_action": 1}).option == "check_child_processes_action"


def test_ip_versions() -> None:
    for text, versions in (("4,6", (4, 6)), ([6], (6,)), ("", ()), (["4"], (4,))):
        settings = Settings.from_mapping({"metadata_rate_limiting": {"ip_versions": text}})
        assert settings.metadata_rate_limiting.ip_versions == versions
    for bad, where in (([5], "[0]"), ("4,x", "[1]"), ([4, 6, 4], ""), (4, ""), ([True], "[0]")):
        error = refused({"metadata_rate_limiting": {"ip_versions": bad}})
        assert error.option == f"metadata_rate_limiting.ip_versions{where}"
