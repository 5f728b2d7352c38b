"""The stock agent's own files, as an installer leaves them, make an agent of ours."""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from dhcpcore import SettingsError
from dhcpcore_adapters.cli import sources
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.sources import Read, add_source_options, sources_of
from dhcpcore_adapters.rpc import load_transport

NEUTRON = """\
[DEFAULT]
core_plugin = ml2
service_plugins = router
auth_strategy = keystone
state_path = /srv/neutron
transport_url = rabbit://openstack:pa$$word@controller-1:5671,openstack:pa$$word@controller-2:5671/neutron
log_dir = /var/log/neutron
notify_nova_on_port_status_changes = true
l3_ha = true
[agent]
root_helper = sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf
report_interval = 20
[oslo_concurrency]
lock_path = $state_path/lock
[oslo_messaging_rabbit]
ssl = true
ssl_ca_file = /etc/ssl/broker.pem
rabbit_quorum_queue = true
[nova]
region_name = RegionOne
[database]
connection = mysql+pymysql://neutron:secret@controller/neutron
"""
DHCP = """\
[DEFAULT]
host = network-1
interface_driver = openvswitch
enable_isolated_metadata = True
dnsmasq_dns_servers = 10.0.0.53,
    10.0.0.54
metadata_proxy_socket = ${state_path}/metadata
dhcp_confs = $state_path/$host
dnsmasq_txt_record = costs $$5
rpc_response_max_timeout = 300
[OVS]
integration_bridge = br-test
ovsdb_connection = tcp:127.0.0.1:6640
ovsdb_timeout = 20
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """neutron.conf and dhcp_agent.ini."""
    return write(tmp_path, "neutron.conf", NEUTRON), write(tmp_path, "dhcp_agent.ini", DHCP)


def write(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def read(*argv: str) -> Read:
    parser = argparse.ArgumentParser()
    add_source_options(parser)
    return sources_of(parser.parse_args(argv)).read_for_server()


def given(*paths: str) -> list[str]:
    return [part for path in paths for part in ("--config-file", path)]


def test_settings_and_the_way_to_the_server(files: tuple[str, str]) -> None:
    neutron, dhcp = files
    settings, options, _ = read(*given(neutron, dhcp))
    assert (settings.host, settings.report_interval) == ("network-1", 20)
    assert settings.confs_dir == "/srv/neutron/network-1"
    assert settings.metadata_socket_path == "/srv/neutron/metadata"
    assert settings.dnsmasq_dns_servers == ("10.0.0.53", "10.0.0.54")
    assert settings.dnsmasq_txt_record == "costs $5"
    assert (settings.interface_driver, settings.ovs_integration_bridge) == ("openvswitch", "br-test")
    assert options.interface_driver_options == {"ovsdb_connection": "tcp:127.0.0.1:6640", "ovsdb_timeout": "20"}
    url = "rabbit://openstack:pa$word@controller-1:5671,openstack:pa$word@controller-2:5671/neutron"
    assert options.transport == "oslo"
    assert options.transport_options == {
        "transport_url": url,
        "max_call_timeout": 300,
        "report_timeout": 20.0,
        "config_files": [neutron, dhcp],
        "config_dirs": [],
    }


def test_the_host_is_the_systems_where_no_file_has_it(tmp_path: Path) -> None:
    settings, _, _ = read("--config-file", write(tmp_path, "a.ini", "[DEFAULT]\ndhcp_confs = /srv/$host\n"))
    assert settings.dhcp_confs == f"/srv/{socket.gethostname()}"


def test_each_option_without_effect_is_named_once_and_the_servers_are_not(files: tuple[str, str]) -> None:
    neutron, dhcp = files
    _, _, notes = read(*given(neutron, dhcp))
    assert notes == (
        f"{neutron}: not known here, and without effect: database.connection, l3_ha",
        f"{neutron}: log_dir is read and has no effect: the log goes to stderr, for what runs the agent to keep;"
        " --log-format and --log-level shape it",
        f"{neutron}: oslo_concurrency.lock_path is read and has no effect: lock_file in [dhcpcore] is the agent's one"
        " lock",
        f"{neutron}: root_helper is read and has no effect: no helper is called: the agent needs its privileges itself",
    )


def test_without_the_library_the_files_say_the_same(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neutron, dhcp = files
    plain = write(tmp_path, "plain.conf", "[DEFAULT]\ndhcp_confs = /srv/neutron/network-1\ndnsmasq_txt_record = a\n")
    plain_url = write(tmp_path, "url.conf", "[DEFAULT]\ntransport_url = rabbit://a:b@c:1/d\n")
    with_library = read(*given(neutron, dhcp, plain, plain_url))
    monkeypatch.setattr(sources, "oslo_config", lambda: None)
    without = read(*given(neutron, dhcp, plain, plain_url))
    assert without.settings.metadata_proxy_socket == "${state_path}/metadata", "paths are expanded where they are used"
    assert without.settings.metadata_socket_path == with_library.settings.metadata_socket_path
    assert (without.options, without.notes) == (with_library.options, with_library.notes)
    assert without.settings.dnsmasq_dns_servers == with_library.settings.dnsmasq_dns_servers


@pytest.mark.parametrize(
    "name, driver",
    [
        ("linuxbridge", "bridge"),
        ("neutron.agent.linux.interface.BridgeInterfaceDriver", "bridge"),
        ("neutron.agent.linux.interface.OVSInterfaceDriver", "openvswitch"),
        ("neutron.agent.linux.interface.NullDriver", "null"),
    ],
)
def test_neutrons_drivers_are_ours_with_a_word_about_it(tmp_path: Path, name: str, driver: str) -> None:
    path = write(tmp_path, "a.ini", f"[DEFAULT]\ninterface_driver = {name}\n")
    settings, _, notes = read("--config-file", path)
    assert settings.interface_driver == driver
    assert notes == (f"{path}: interface_driver is {name}; dhcpcore's driver {driver} stands for it",)


@pytest.mark.parametrize("name", ["openvswitch", "bridge", "null", "my.own:Driver"])
def test_other_drivers_are_as_they_are_named(tmp_path: Path, name: str) -> None:
    settings, _, notes = read("--config-file", write(tmp_path, "a.ini", f"[DEFAULT]\ninterface_driver = {name}\n"))
    assert (settings.interface_driver, notes) == (name, ())


def test_a_directory_is_read_after_all_files_in_the_order_of_names(files: tuple[str, str], tmp_path: Path) -> None:
    write(tmp_path, "conf.d/20.conf", "[DEFAULT]\nhost = second\nnum_sync_threads = 9\n")
    write(tmp_path, "conf.d/10.conf", "[DEFAULT]\nhost = first\nnum_sync_threads = 8\ndns_domain = example.org\n")
    write(tmp_path, "conf.d/30.ini", "[DEFAULT]\nhost = not read\n")
    settings, options, _ = read("--config-dir", str(tmp_path / "conf.d"), *given(*files), "-o", "num_sync_threads=1")
    assert (settings.host, settings.num_sync_threads, settings.dns_domain) == ("second", 1, "example.org")
    assert settings.confs_dir == "/srv/neutron/second", "what stands for another option has what counts in the end"
    assert options.transport_options["config_dirs"] == [str(tmp_path / "conf.d")]
    with pytest.raises(CommandError, match=r"nosuch: cannot be read: No such file or directory; check the path"):
        read("--config-dir", str(tmp_path / "nosuch"))


@pytest.mark.parametrize(
    "own, transport",
    [
        ("", "oslo"),
        ("transport = websocket\n[dhcpcore.transport_options]\nurl = ws://h/rpc\n", "websocket"),
        ("[dhcpcore.transport_options]\nurl = unix:///run/s\n", "websocket"),
        ("transport = my.own:Transport\n", "my.own:Transport"),
    ],
)
def test_which_transport_it_is(files: tuple[str, str], tmp_path: Path, own: str, transport: str) -> None:
    path = write(tmp_path, "own.conf", f"[dhcpcore]\n{own}")
    _, options, notes = read(*given(*files, path))
    assert options.transport == transport
    assert ("transport_options" in own) == ("url" in options.transport_options)
    told = [note for note in notes if "transport in [dhcpcore] is the way to the server" in note]
    # transport_url, rpc_response_max_timeout, and three of [oslo_messaging_rabbit].
    assert len(told) == (5 if transport == "websocket" else 0)


def test_toml_has_the_same_transport_by_name(tmp_path: Path) -> None:
    text = 'transport_url = "rabbit://a:b@c/"\ncontrol_exchange = "n"\n[dhcpcore]\ntransport = "oslo"\n'
    text += "[dhcpcore.transport_options]\nreport_timeout = 5\n"
    _, options, notes = read("--config", write(tmp_path, "a.toml", text))
    assert options.transport_options == {
        "transport_url": "rabbit://a:b@c/",
        "control_exchange": "n",
        "max_call_timeout": 600,
        "report_timeout": 5,
    }
    assert notes == ()


def test_read_again_it_is_equal_as_long_as_the_files_are(files: tuple[str, str], tmp_path: Path) -> None:
    assert read(*given(*files)) == read(*given(*files))
    before = read(*given(*files))
    write(tmp_path, "neutron.conf", NEUTRON.replace("controller-1", "controller-3"))
    assert read(*given(*files)).options != before.options


def test_where_the_library_is_missing_the_agent_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("dhcpcore_adapters.rpc.oslo.")]:
        monkeypatch.delitem(sys.modules, name)
    missing: Any = None
    monkeypatch.setitem(sys.modules, "oslo_messaging", missing)
    with pytest.raises(SettingsError, match=r"pip install 'dhcpcore\[neutron\]'"):
        load_transport("oslo", {"host": "network-1"})
