"""The options by name: defaults, spellings, and what follows from several of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve, fields

from dhcpcore.errors import SettingsError
from dhcpcore.model.settings import MetadataHaproxy, MetadataRateLimiting, Settings, settings_from_mapping
from support.refused_settings import refused

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "settings.md"

#: neutron 29.0.0, read off its option registry (host and transport_url depend on the machine there).
STOCK: Final[dict[str, Any]] = {
    "resync_interval": 5,
    "resync_throttle": 1,
    "dhcp_driver": "neutron.agent.linux.dhcp.Dnsmasq",
    "enable_isolated_metadata": False,
    "force_metadata": False,
    "enable_metadata_network": False,
    "num_sync_threads": 4,
    "bulk_reload_interval": 0,
    "dhcp_confs": "$state_path/dhcp",
    "dnsmasq_config_file": "",
    "dnsmasq_dns_servers": (),
    "dnsmasq_base_log_dir": None,
    "dnsmasq_local_resolv": False,
    "dnsmasq_lease_max": 16777216,
    "dhcp_broadcast_reply": False,
    "dnsmasq_enable_addr6_list": False,
    "dnsmasq_txt_record": "",
    "dhcp_renewal_time": 0,
    "dhcp_rebinding_time": 0,
    "state_path": "/var/lib/neutron",
    "dhcp_lease_duration": 86400,
    "dns_domain": "openstacklocal",
    "interface_driver": "openvswitch",
    "ovs_integration_bridge": "br-int",
    "ovs_use_veth": False,
    "metadata_proxy_socket": "$state_path/metadata_proxy",
    "metadata_proxy_user": "",
    "metadata_proxy_group": "",
    "external_pids": "$state_path/external/pids",
    "rpc_response_max_timeout": 600,
    "control_exchange": "neutron",
    "report_interval": 30,
    "log_agent_heartbeats": False,
    "availability_zone": "nova",
    "root_helper": "sudo",
    "root_helper_daemon": None,
    "use_helper_for_ns_read": True,
    "check_child_processes_interval": 60,
    "check_child_processes_action": "respawn",
    "kill_scripts_path": "/etc/neutron/kill_scripts/",
    "debug": False,
}
OURS: Final[dict[str, Any]] = {
    "unsafe_disable_hold": 300,
    "unsafe_disable_percent": 30,
    "unsafe_disable_minimum": 10,
    "retry_interval_initial": 1,
    "retry_interval_max": 60,
    "tombstone_age": 86400,
    "ready_ports_batch": 64,
    "reload_method": "auto",
    "audit_interval": 300,
}
GROUPS: Final = ("metadata_rate_limiting", "metadata_haproxy")


def test_every_option_has_neutrons_default_or_is_ours() -> None:
    settings = Settings()
    named = {field.name for field in fields(Settings)} - {*GROUPS, "host", "transport_url"}
    assert named == {*STOCK, *OURS}
    assert {name: getattr(settings, name) for name in named} == {**STOCK, **OURS}
    assert settings.host == "localhost"
    assert settings.metadata_rate_limiting == MetadataRateLimiting(
        rate_limit_enabled=False,
        ip_versions=(4,),
        base_window_duration=10,
        base_query_rate_limit=10,
        burst_window_duration=10,
        burst_query_rate_limit=10,
    )
    assert settings.metadata_haproxy == MetadataHaproxy(
        timeout_connect=30,
        timeout_client=32,
        timeout_server=32,
        timeout_http_request=30,
        timeout_http_keep_alive=30,
    )


def test_every_option_is_in_the_document_with_its_default() -> None:
    rows: dict[str, str] = {}
    for line in DOCUMENT.read_text().splitlines():
        if row := re.match(r"\| `([a-z0-9_.]+)` \| ([^|]*) \|", line):
            rows[row[1]] = row[2].strip().strip("`")
    rows = {name: default for name, default in rows.items() if not name.startswith("dhcpcore.")}  # the command line's
    defaults = {field.name: getattr(Settings(), field.name) for field in fields(Settings)}
    for group in GROUPS:
        model = defaults.pop(group)
        defaults |= {f"{group}.{field.name}": getattr(model, field.name) for field in fields(type(model))}
    words = {None: "none", True: "true", False: "false", "": "empty", (): "empty", (4,): "4"}
    assert rows == {
        name: words[value] if value in words and type(value) is not int else str(value)
        for name, value in defaults.items()
    }


@pytest.mark.parametrize(
    "mapping",
    [
        {"report_interval": 10},
        {"AGENT": {"report_interval": 10}},
        {"AGENT.report_interval": "10"},
        {"DEFAULT": {"report_interval": "10"}},
        {"DEFAULT.report_interval": 10.0},
    ],
)
def test_the_spellings_of_one_option(mapping: dict[str, Any]) -> None:
    assert settings_from_mapping(mapping) == (Settings(report_interval=10), ())


@pytest.mark.parametrize(
    "mapping",
    [
        {"timeout_client": 5},
        {"metadata_haproxy": {"timeout_client": "5"}},
        {"metadata_haproxy.timeout_client": 5},
    ],
)
def test_the_spellings_of_an_option_in_a_group(mapping: dict[str, Any]) -> None:
    assert Settings.from_mapping(mapping).metadata_haproxy == MetadataHaproxy(timeout_client=5)


def test_the_integration_bridge_under_its_present_name() -> None:
    assert Settings.from_mapping({"OVS": {"integration_bridge": "br-x"}}).ovs_integration_bridge == "br-x"


def test_an_option_given_twice_is_refused() -> None:
    assert refused({"debug": True, "DEFAULT": {"debug": True}}).option == "debug"


def test_unknown_options_are_collected() -> None:
    mapping = {
        "zz": 1,
        "debug": True,
        "AGENT": {"extensions": ""},
        "ml2": {"a": {"b": 1}},
        "OVS": {"bridge_mappings": 1},
    }
    settings, unknown = settings_from_mapping(mapping)
    assert settings == Settings(debug=True)
    assert unknown == ("AGENT.extensions", "OVS.bridge_mappings", "ml2.a", "zz")
    assert settings_from_mapping({7: "x", None: 1})[1] == ("7", "None")  # type: ignore[dict-item]


@pytest.mark.parametrize("mapping", [None, [], "debug=true", 7])
def test_a_mapping_that_is_none(mapping: Any) -> None:
    assert refused(mapping).option == "settings"


@pytest.mark.parametrize("group", ["DEFAULT", "AGENT", "OVS", *GROUPS])
def test_a_group_that_is_no_mapping(group: str) -> None:
    not_mappings: tuple[Any, ...] = (None, [], "x", 7)
    for bad in not_mappings:
        assert refused({group: bad}).option == group


def test_bounds_from_above() -> None:
    assert refused({"unsafe_disable_percent": 100.5}).option == "unsafe_disable_percent"
    assert refused({"ready_ports_batch": 65}).option == "ready_ports_batch"
    assert refused({"audit_interval": 0.5}).option == "audit_interval"
    assert refused({"retry_interval_initial": 0}).option == "retry_interval_initial"


def test_options_that_bound_each_other() -> None:
    assert refused({"resync_throttle": 6}).option == "resync_throttle"
    assert Settings(resync_interval=6, resync_throttle=6).resync_throttle == 6
    assert refused({"retry_interval_max": 0.5}).option == "retry_interval_max"


TEXTS: Final = tuple(name for name, value in STOCK.items() if value is None or isinstance(value, str))


@pytest.mark.parametrize("name", [*TEXTS, "host", "transport_url", "reload_method"])
@pytest.mark.parametrize(
    "bad", ["\n", "a\nb", "a\r", "\0", "\x1b", "\x7f", "a\x85b", "a\u2028b", "\ud800", 7.5, [], True]
)
def test_no_text_has_a_control_character_or_is_something_else(name: str, bad: Any) -> None:
    assert refused({name: f"/{bad}" if isinstance(bad, str) else bad}).option == name


def test_txt_records() -> None:
    for fine in ("version,1.0", 'note,"with, comma"', "name", ",x", "a," + "x" * 3000):
        assert Settings(dnsmasq_txt_record=fine).dnsmasq_txt_record == fine
    for bad in ("x" * 64, "x" * 64 + ",y", "a." * 600, "a\nb"):
        assert refused({"dnsmasq_txt_record": bad}).option == "dnsmasq_txt_record"


def test_built_directly_it_is_as_strict() -> None:
    wrong: dict[str, Any] = {"resync_interval": "5", "dnsmasq_dns_servers": ["::1"], "metadata_haproxy": {}, "host": ""}
    for name, value in wrong.items():
        with pytest.raises(SettingsError) as caught:
            Settings(**{name: value})
        assert caught.value.option == name
    with pytest.raises(SettingsError) as caught:
        MetadataHaproxy(timeout_client=0)
    assert caught.value.option == "metadata_haproxy.timeout_client"


def test_directories() -> None:
    settings = Settings()
    assert settings.confs_dir == "/var/lib/neutron/dhcp"
    assert settings.proxy_config_dir == "/var/lib/neutron/ns-metadata-proxy"
    assert settings.external_pids_dir == "/var/lib/neutron/external/pids"
    assert settings.metadata_socket_path == "/var/lib/neutron/metadata_proxy"
    assert (settings.dnsmasq_log_dir, settings.dnsmasq_config_path) == (None, "/dev/null")
    moved = evolve(settings, state_path="/srv/../n/")
    assert (moved.confs_dir, moved.external_pids_dir) == ("/n/dhcp", "/n/external/pids")
    assert moved.proxy_config_dir == "/srv/../n/ns-metadata-proxy"
    named = Settings(
        dhcp_confs="${state_path}//x/../y/", dnsmasq_base_log_dir="$state_path/log", dnsmasq_config_file=" /etc/d.conf "
    )
    assert named.confs_dir == "/var/lib/neutron/y"
    assert (named.dnsmasq_log_dir, named.dnsmasq_config_path) == ("/var/lib/neutron/log", "/etc/d.conf")
    assert Settings(dnsmasq_base_log_dir="").dnsmasq_log_dir is None
    assert Settings(dhcp_confs="/a b/$state_pathology").confs_dir == "/a b/$state_pathology"


@pytest.mark.parametrize(
    "driver, veth, prefix",
    [
        ("openvswitch", False, "tap"),
        ("openvswitch", True, "ns-"),
        ("neutron.agent.linux.interface.OVSInterfaceDriver", True, "ns-"),
        ("bridge", False, "ns-"),
        ("linuxbridge", False, "ns-"),
        ("neutron.agent.linux.interface.BridgeInterfaceDriver", False, "ns-"),
        ("vendor.drivers:LinuxBridgeDriver", False, "ns-"),
        ("null", True, "tap"),
        ("", False, "tap"),
    ],
)
def test_device_prefix(driver: str, veth: bool, prefix: str) -> None:
    assert Settings(interface_driver=driver, ovs_use_veth=veth).device_prefix == prefix


def test_dhcp_device_id() -> None:
    """As Neutron 29's own function (neutron.common.utils.get_dhcp_agent_device_id) answers for these."""
    network = "9be29e59-3abe-4145-8c5d-349003177f15"
    device_id = f"dhcpf72400a4-a35a-5d17-b5ce-25036ebf0bbc-{network}"
    for host in ("host-1", "host-1.example.org"):
        settings = Settings(host=host)
        assert settings.dhcp_device_id(network) == device_id
        assert settings.dhcp_device_id(network, None) == settings.dhcp_device_id(network, 0) == device_id
        assert settings.dhcp_device_id(network, 2016) == f"{device_id}-2016"
        assert settings.dhcp_device_id(network, "vlan7") == f"{device_id}-vlan7"


def test_the_address_of_the_broker_is_not_shown() -> None:
    assert "secret" not in repr(Settings(transport_url="rabbit://user:secret@host/"))


def test_to_mapping_is_json_and_is_read_back() -> None:
    settings = Settings.from_mapping(
        {
            "dnsmasq_dns_servers": "::1,#",
            "metadata_rate_limiting": {"ip_versions": "6"},
            "AGENT": {"root_helper": "env"},
        }
    )
    mapping = json.loads(json.dumps(settings.to_mapping()))
    assert settings_from_mapping(mapping) == (settings, ())
    assert mapping["AGENT"]["root_helper"] == "env"
    assert mapping["metadata_rate_limiting"]["ip_versions"] == [6]
