"""Settings from files and from the command line: what is read, what overrides what, and what an error says."""

from __future__ import annotations

import argparse
import re
import socket
from pathlib import Path

import pytest

from dhcpcore import option_name
from dhcpcore_adapters.agent.options import AgentOptions
from dhcpcore_adapters.cli import sources
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.neutron_agent import unhonoured as unhonoured_as
from dhcpcore_adapters.cli.neutron_options import REGISTERED
from dhcpcore_adapters.cli.sources import Sources, add_source_options, sources_of

TOML = """\
host = "network-1"
state_path = "/srv/dhcp"
dnsmasq_dns_servers = ["10.0.0.53", "10.0.0.54"]
unsafe_disable_hold = 10

[AGENT]
report_interval = 7.5

[metadata_rate_limiting]
rate_limit_enabled = true
ip_versions = [4, 6]

[dhcpcore]
control_socket = "$state_path/control"
durable_files = true
audit_interval = 60

[dhcpcore.transport_options]
url = "unix:///run/server.sock"
call_timeout = 10.5
"""
INI = """\
# as an installer of Neutron leaves it
[DEFAULT]
host = network-2
dnsmasq_dns_servers = 10.0.0.53,10.0.0.54
enable_isolated_metadata = True
dhcp_lease_duration = 1
dhcp_lease_duration = 600
metadata_proxy_socket = $state_path/metadata
dns_domain = "example.org"
debug: false
[agent]
report_interval = 11

[metadata_rate_limiting]
ip_versions = 6
[dhcpcore]
transport = my.transport:Class
unsafe_disable_percent = 50
[dhcpcore.transport_options]
url = wss://server.example.org/rpc
call_timeout = 10.5
retries = 3
verify = true
"""


def write(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return str(path)


def parsed(*argv: str) -> Sources:
    parser = argparse.ArgumentParser()
    add_source_options(parser)
    return sources_of(parser.parse_args(argv))


def refusal(*argv: str) -> str:
    with pytest.raises(CommandError) as caught:
        parsed(*argv).read()
    (line,) = caught.value.lines
    return line


class TestToml:
    def test_all_of_it(self, tmp_path: Path) -> None:
        settings, options, notes = parsed("--config", write(tmp_path, "a.toml", TOML)).read()
        assert (settings.host, settings.confs_dir, settings.report_interval) == ("network-1", "/srv/dhcp/dhcp", 7.5)
        assert settings.dnsmasq_dns_servers == ("10.0.0.53", "10.0.0.54")
        assert (settings.unsafe_disable_hold, settings.audit_interval) == (10, 60)
        assert settings.metadata_rate_limiting.rate_limit_enabled is True
        assert settings.metadata_rate_limiting.ip_versions == (4, 6)
        assert options == AgentOptions(
            transport_options={"url": "unix:///run/server.sock", "call_timeout": 10.5},
            control_socket="$state_path/control",
            durable_files=True,
        )
        assert options.place(options.control_socket, settings) == "/srv/dhcp/control"
        assert notes == ()

    @pytest.mark.parametrize(
        "text, told",
        [
            ("host = network-1", 'not TOML: .*line 1.*texts need quotes: host = "network-1"'),
            ("host = 1", "option host: expected .*, got 1; correct it and run again"),
            ("dhcp_lease_duration = 1979-05-27", "option dhcp_lease_duration: expected .*, got a date"),
            ("[AGENT]\nreport_interval = -1", "option report_interval: expected .*, got -1"),
            ("report_interval = 1\n[AGENT]\nreport_interval = 2", "report_interval stands there twice"),
            (
                "[dhcpcore]\ntransprt = 'x'",
                "option dhcpcore.transprt: expected one of the options transport, .*unknown",
            ),
            ("[dhcpcore]\ntransport = 1", "option dhcpcore.transport: expected a text, got 1"),
            ("[dhcpcore]\ntransport_options = 1", "transport_options: expected a table of options, got 1"),
            ("[metadata_haproxy]\ntimeout_client = 0", "option metadata_haproxy.timeout_client: expected .*, got 0"),
        ],
    )
    def test_what_is_wrong_is_told_with_file_and_option(self, tmp_path: Path, text: str, told: str) -> None:
        path = write(tmp_path, "a.toml", text)
        with pytest.raises(CommandError, match=told) as caught:
            parsed("--config", path).read()
        assert caught.value.lines[0].startswith(f"{path}: ")


@pytest.fixture(params=["oslo.config", "alone"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who reads ini files: oslo.config where it is installed, ourselves where it is not."""
    if request.param == "alone":
        monkeypatch.setattr(sources, "oslo_config", lambda: None)
    return str(request.param)


@pytest.mark.usefixtures("reader")
class TestIni:
    def test_all_of_it(self, tmp_path: Path) -> None:
        settings, options, notes = parsed("--config-file", write(tmp_path, "a.ini", INI)).read()
        assert (settings.host, settings.dns_domain, settings.report_interval) == ("network-2", "example.org", 11)
        assert settings.dnsmasq_dns_servers == ("10.0.0.53", "10.0.0.54")
        assert settings.enable_isolated_metadata is True
        assert settings.dhcp_lease_duration == 600
        assert settings.metadata_socket_path == "/var/lib/neutron/metadata"
        assert settings.metadata_rate_limiting.ip_versions == (6,)
        assert settings.unsafe_disable_percent == 50
        assert options.transport == "my.transport:Class"
        url = "wss://server.example.org/rpc"
        assert options.transport_options == {"url": url, "call_timeout": 10.5, "retries": 3, "verify": True}
        assert notes == ()

    @pytest.mark.parametrize(
        "text, told",
        [
            ("host = a\n", "(File contains no section headers|Section must be started).*name = value, below a"),
            ("[DEFAULT]\nhost\n", "write each option as name = value"),
            ("[DEFAULT]\nnum_sync_threads = many\n", "option num_sync_threads: expected .*, got 'many'"),
            ("[DEFAULT]\ndebug = maybe\n", "option debug: expected .*, got 'maybe'"),
        ],
    )
    def test_what_is_wrong_is_told_with_the_file(self, tmp_path: Path, text: str, told: str) -> None:
        path = write(tmp_path, "a.ini", text)
        with pytest.raises(CommandError, match=told) as caught:
            parsed("--config-file", path).read()
        assert path in caught.value.lines[0]
        assert "\n" not in caught.value.lines[0]

    def test_percent_and_dollar_signs_are_only_text(self, tmp_path: Path) -> None:
        text = "[DEFAULT]\ntransport_url = rabbit://u:50%pass$word@host\n[dhcpcore]\ntransport = other:T\n"
        settings, _, notes = parsed("--config-file", write(tmp_path, "a.ini", text)).read()
        assert settings.transport_url == "rabbit://u:50%pass$word@host"
        assert notes == ()

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        for option in ("--config", "--config-file"):
            assert refusal(option, str(tmp_path / "no")) == (
                f"{tmp_path}/no: cannot be read: No such file or directory; check the path"
            )
            (tmp_path / "bytes").write_bytes(b"[DEFAULT]\nhost = \xff\n")
            assert refusal(option, str(tmp_path / "bytes")).endswith("bytes: not UTF-8 at byte 17; save it as UTF-8")


class TestTogether:
    def test_later_files_override_earlier_ones_and_single_options_override_all(self, tmp_path: Path) -> None:
        toml, ini = write(tmp_path, "a.toml", TOML), write(tmp_path, "a.ini", INI)
        settings, options, _ = parsed("--config-file", ini, "--config", toml).read()
        assert (settings.host, settings.dhcp_lease_duration) == ("network-1", 600)
        assert options.transport_options["url"] == "unix:///run/server.sock"
        assert options.transport_options["retries"] == 3
        settings, options, _ = parsed(
            "-o", "AGENT.report_interval=3", "-o", "host=network-3", "--config", toml, "--config-file", ini,
            "-o", "dhcpcore.transport_options.url=ws://127.0.0.1:1/rpc", "-o", "default.dns_domain=", "-o", "host=n=4",
        ).read()  # fmt: skip
        assert (settings.host, settings.report_interval, settings.dns_domain) == ("n=4", 3, "")
        assert settings.state_path == "/srv/dhcp"
        assert options.transport_options["url"] == "ws://127.0.0.1:1/rpc"
        assert options.transport == "my.transport:Class"

    def test_the_same_option_under_two_names_in_two_files_is_overridden(self, tmp_path: Path) -> None:
        old = write(tmp_path, "old.ini", "[DEFAULT]\novs_integration_bridge = br-a\nreport_interval = 1\n")
        new = write(tmp_path, "new.ini", "[ovs]\nintegration_bridge = br-b\n[AGENT]\nreport_interval = 2\n")
        settings = parsed("--config-file", old, "--config-file", new).read().settings
        assert (settings.ovs_integration_bridge, settings.report_interval) == ("br-b", 2)

    def test_the_error_names_the_place_that_counts(self, tmp_path: Path) -> None:
        toml = write(tmp_path, "a.toml", TOML)
        assert refusal("--config", toml, "-o", "debug=perhaps").startswith("-o: option debug: expected ")
        assert refusal("-o", "retry_interval_initial=100").startswith(
            "the settings together: option retry_interval_max"
        )

    def test_without_sources_the_host_is_the_systems(self) -> None:
        settings, options, notes = parsed().read()
        assert settings.host == socket.gethostname()
        assert options == AgentOptions()
        assert notes == ()

    def test_single_options_that_are_none(self) -> None:
        assert refusal("-o", "host").startswith("-o host: expected NAME=VALUE")
        assert refusal("-o", "hots=a", "-o", "nova.x=1").startswith("-o: there is no option hots, nova.x; ")
        assert "unknown option" in refusal("-o", "dhcpcore.sokket=a")

    def test_unknown_options_are_named_once_for_each_file(self, tmp_path: Path) -> None:
        ini = write(
            tmp_path, "a.ini", "[DEFAULT]\nno_such = 1\nno_such = 2\nhost = a\n[database]\nconnection = secret\n"
        )
        notes = parsed("--config-file", ini).read().notes
        assert notes == (f"{ini}: not known here, and without effect: database.connection, no_such",)

    def test_options_that_are_not_honoured_say_what_happens_instead(self, tmp_path: Path) -> None:
        text = "[DEFAULT]\nresync_interval = 9\ntransport_url = rabbit://x\n[AGENT]\nroot_helper = sudo\n"
        text += "[dhcpcore]\ntransport = websocket\n"
        ini = write(tmp_path, "a.ini", text)
        assert parsed("--config-file", ini).read().notes == (
            f"{ini}: resync_interval is read and has no effect: what failed is tried again after"
            " retry_interval_initial to retry_interval_max seconds",
            f"{ini}: root_helper is read and has no effect: no helper is called: the agent needs its privileges itself",
            f"{ini}: transport_url is read and has no effect: transport in [dhcpcore] is the way to the server",
        )

    def test_who_speaks_with_the_server_must_know_where_it_is(self) -> None:
        with pytest.raises(CommandError, match=r"nothing says where the server is: set url in the table \[dhcpcore\."):
            parsed("-o", "host=a").read_for_server()
        assert parsed("-o", "dhcpcore.transport_options.url=x").read_for_server().settings.host
        assert parsed("-o", "dhcpcore.transport=my:T").read_for_server().options.transport == "my:T"

    def test_they_are_read_anew_each_time(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a.toml", "host = 'one'")
        sources = parsed("--config", path)
        assert sources.read().settings.host == "one"
        write(tmp_path, "a.toml", "host = 'two'")
        assert sources.read().settings.host == "two"


def test_the_manual_has_every_option_that_is_not_honoured_and_every_option_of_our_group() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
    _, _, own = manual.partition("## [dhcpcore]")
    own, _, unhonoured = own.partition("## Read, and without effect")
    rows = re.findall(r"^- (`.+?`): (.+)$", unhonoured, re.MULTILINE)
    told = {name: instead for names, instead in rows for name in re.findall(r"`(\w+)`", names)}
    names = [option_name(name) or name for name in REGISTERED]
    instead = {name: said for name in names if (said := unhonoured_as(name, "websocket")) is not None}
    assert told.keys() == instead.keys()
    for name, text in instead.items():
        assert told[name].replace("`", "") in (text, "with the transport websocket: transport_options says it")
    assert re.findall(r"^\| `dhcpcore\.(\w+)`", own, re.MULTILINE) == list(AgentOptions.__annotations__)
