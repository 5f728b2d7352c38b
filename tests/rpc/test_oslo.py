"""The transport to Neutron over a broker in memory: what is on the wire, and what becomes of what goes wrong there.

The laws of ServerRpc are held in tests/conformance; a real broker is in tests/integration.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from dhcpcore import AdapterError, SettingsError
from dhcpcore.testing import MemoryServer, RecordingReporter
from dhcpcore_adapters.rpc import RpcRefusal, load_transport, start_calls
from dhcpcore_adapters.rpc.oslo.transport import OsloTransport
from support.memory_plugin import PATIENCE, Heard, MemoryPlugin, until
from support.neutron_rpc import NeutronRpc, remote, serving_rpc

#: An administrator's context as a Neutron 29 agent sends it, read off the wire; of two members only the kind counts.
CONTEXT: dict[str, Any] = {
    "user": None, "project_id": None, "system_scope": None, "project": None, "domain": None, "user_domain": None,
    "project_domain": None, "is_admin": True, "read_only": False, "show_deleted": False, "auth_token": None,
    "request_id": ..., "global_request_id": None, "resource_uuid": None, "roles": ["reader", "admin", "member"],
    "user_identity": "- - - - -", "is_admin_project": True, "user_id": None, "timestamp": ..., "project_name": None,
    "user_name": None, "has_global_access": True, "can_set_project_id": True,
}  # fmt: skip


class Scripted(MemoryPlugin):
    """Answers with what it was given for a method: a value, an exception, or a function of the arguments."""

    def __init__(self) -> None:
        super().__init__(MemoryServer())
        self.script: dict[str, Any] = {}
        self.let_go = threading.Event()

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        answer = self.script.get(method, {"id": "answer"})
        if isinstance(answer, BaseException):
            raise answer
        return answer(arguments) if callable(answer) else answer


class Site:
    """A scripted server, and an agent's transport to it, connected."""

    def __init__(self, made: ExitStack) -> None:
        self.plugin = Scripted()
        self.reporter = RecordingReporter()
        self.exchange = f"neutron-{uuid4()}"
        self.url = f"kombu+memory:///{self.exchange}"
        self.server: NeutronRpc = made.enter_context(serving_rpc(self.plugin, self.url, self.exchange))
        made.callback(self.plugin.let_go.set)
        self._made = made
        self.transport = self.connect()

    def connect(self, **options: Any) -> OsloTransport:
        given = {"transport_url": self.url, "control_exchange": self.exchange, "reporter": self.reporter}
        transport = OsloTransport("host-1", **{**given, "call_timeout": 5, **options})
        self._made.callback(transport.close)
        self.heard = Heard()
        transport.start(self.heard)
        self.heard.wait_for("connected")
        return transport

    def refusal(self, answer: Any, method: str = "get_network_info") -> AdapterError:
        """What a call ends with that the server answers so."""
        self.plugin.script[method] = answer
        with pytest.raises(AdapterError) as caught:
            self.transport.server.get_network_info("n")
        return caught.value


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as made:
        yield Site(made)


# -- what is on the wire ----------------------------------------------------------------------------------------------


CALLS: list[tuple[str, Callable[[OsloTransport], Any], str, dict[str, Any]]] = [
    (
        "get_active_networks_info",
        lambda transport: transport.server.get_active_networks_info(),
        "1.1",
        {"host": "host-1", "enable_dhcp_filter": False},
    ),
    (
        "get_network_info",
        lambda transport: transport.server.get_network_info("n"),
        "1.0",
        {"network_id": "n", "host": "host-1", "enable_dhcp": None},
    ),
    (
        "create_dhcp_port",
        lambda transport: transport.server.create_dhcp_port({"port": {"network_id": "n"}}),
        "1.1",
        {"port": {"port": {"network_id": "n"}}, "host": "host-1"},
    ),
    (
        "update_dhcp_port",
        lambda transport: transport.server.update_dhcp_port("p", {"port": {"network_id": "n"}}),
        "1.1",
        {"port_id": "p", "port": {"port": {"network_id": "n"}}, "host": "host-1"},
    ),
    (
        "release_dhcp_port",
        lambda transport: transport.server.release_dhcp_port("n", "d"),
        "1.0",
        {"network_id": "n", "device_id": "d", "host": "host-1"},
    ),
    (
        "dhcp_ready_on_ports",
        lambda transport: transport.server.dhcp_ready_on_ports(("a", "b")),
        "1.5",
        {"port_ids": ["a", "b"]},
    ),
]


def test_calls_have_neutrons_versions_and_arguments_and_no_namespace(site: Site) -> None:
    for _, call, _, _ in CALLS:
        call(site.transport)
    assert [message for _, message in site.server.messages] == [
        {"method": method, "version": version, "args": arguments} for method, _, version, arguments in CALLS
    ]


def test_a_state_report(site: Site) -> None:
    site.plugin.script["report_state"] = "alive"
    state = {"binary": "neutron-dhcp-agent", "host": "host-1", "configurations": {"networks": 3}}
    assert site.transport.heartbeat.report_state(state) == "alive"
    ((_, message),) = site.server.messages
    assert (message["method"], message["version"]) == ("report_state", "1.4")
    assert message.keys() == {"method", "version", "args"}
    assert message["args"].keys() == {"agent_state", "time"}
    sent = message["args"]["agent_state"]["agent_state"]
    assert {name: sent[name] for name in state} == state
    assert "uuid" not in state, "what was given is not changed"


def test_the_context_is_one_that_neutron_takes_and_each_has_its_own_request_id(site: Site) -> None:
    for _ in range(2):
        site.transport.server.get_network_info("n")
    contexts = [context for context, _ in site.server.messages]
    for context in contexts:
        assert {**context, "request_id": ..., "timestamp": ...} == {**context, **CONTEXT}
        assert context["request_id"].startswith("req-")
        datetime.strptime(context["timestamp"], "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - as Neutron writes it
    assert contexts[0]["request_id"] != contexts[1]["request_id"]


def test_what_no_json_can_carry_is_not_sent(site: Site) -> None:
    with pytest.raises(AdapterError, match="cannot be sent as JSON") as caught:
        site.transport.server.create_dhcp_port({"port": {"mtu": float("nan")}})
    assert not caught.value.retryable
    assert site.server.messages == []


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, retryable",
    [
        ("NetworkNotFound", False),
        ("IpAddressGenerationFailure", False),
        ("SubnetNotFound", False),
        ("PortNotFound", False),
        ("InvalidIpForSubnet", False),
        ("SubnetMismatchForPort", True),
        ("Conflict", True),
        ("DBConnectionError", True),
    ],
)
def test_a_remote_exception_is_told_by_its_name(site: Site, name: str, retryable: bool) -> None:
    error = site.refusal(RpcRefusal(name, "what the server says\nin two lines"))
    assert str(error) == f"{name}: what the server says"
    assert error.retryable is retryable


def test_a_fault_inside_the_server_is_no_refusal(site: Site) -> None:
    error = site.refusal(KeyError("network"))
    assert str(error) == "InternalError: the server failed at get_network_info: KeyError; its own log says why"
    assert error.retryable


@pytest.mark.parametrize("name", ["UnsupportedVersion", "NoSuchMethod"])
def test_a_server_that_does_not_know_the_method(site: Site, name: str) -> None:
    error = site.refusal(remote(name, "Endpoint does not support RPC version 1.1"))
    assert str(error).startswith("UnsupportedVersion: the server does not take get_network_info: ")
    assert not error.retryable


def test_a_refusal_has_no_traceback_and_is_short(site: Site) -> None:
    error = site.refusal(RpcRefusal("Conflict", "x" * 5000))
    assert len(str(error)) < 600


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_call_that_is_not_answered_waits_longer_the_next_time_up_to_the_most(site: Site) -> None:
    transport = site.connect(call_timeout=0.5, max_call_timeout=1.5)
    site.plugin.script["get_network_info"] = lambda arguments: site.plugin.let_go.wait(PATIENCE)
    waited = []
    for _ in range(4):
        began = time.monotonic()
        with pytest.raises(AdapterError, match=r"^TimeoutError: no answer to get_network_info") as caught:
            transport.server.get_network_info("n")
        assert caught.value.retryable
        waited.append(time.monotonic() - began)
    for took, expected in zip(waited, (0.5, 1.0, 1.5, 1.5), strict=True):
        assert expected <= took < expected + 1.2, waited
    grown = [record.fields["next_timeout"] for record in site.reporter.records if "next_timeout" in record.fields]
    assert grown == [1.0, 1.5, 1.5, 1.5]
    # Another method has its own time, and an answer in time gives the first one back.
    site.plugin.script["get_network_info"] = {"id": "n"}
    assert transport.server.get_network_info("n") == {"id": "n"}
    assert transport._patience.timeout("get_network_info") == 0.5
    assert transport._patience.timeout("create_dhcp_port") == 0.5


def test_a_report_waits_behind_no_call(site: Site) -> None:
    site.plugin.script["get_network_info"] = lambda arguments: site.plugin.let_go.wait(PATIENCE)
    site.plugin.script["report_state"] = "alive"
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(site.transport.server.get_network_info, "n") for _ in range(12)]
        until(lambda: len(site.server.messages) == 12, "all calls arrive")
        began = time.monotonic()
        assert site.transport.heartbeat.report_state({"host": "host-1"}) == "alive"
        assert time.monotonic() - began < 2
        site.plugin.let_go.set()
        for answer in waiting:
            answer.result(PATIENCE)


def test_calls_before_the_start_wait_for_it_and_are_never_sent_after_their_time() -> None:
    transport = OsloTransport("host-1", transport_url="rabbit://u:secret@127.0.0.1:1/", call_timeout=0.3)
    with pytest.raises(AdapterError, match="was not sent: no connection: the transport was not started") as caught:
        transport.server.get_network_info("n")
    assert caught.value.retryable
    transport.close()


def test_a_call_whose_caller_was_let_go_before_it_was_sent_is_never_sent(site: Site) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def ask(seconds: float) -> bool:
        asked.set()
        return go_on.wait(PATIENCE)

    site.transport._proof._ask = ask
    site.transport._down("the first loss")
    site.transport._up()
    with ThreadPoolExecutor() as pool:
        creating = pool.submit(site.transport.server.create_dhcp_port, {"port": {"network_id": "n"}})
        assert asked.wait(PATIENCE)
        site.transport._pending.down("another loss, while the server is asked whether it hears us")
        error = creating.exception(PATIENCE)
        assert isinstance(error, AdapterError)
        assert error.retryable
        site.transport._pending.up()
        go_on.set()
        assert site.transport.server.get_network_info("n") == {"id": "answer"}
    assert [message["method"] for _, message in site.server.messages] == ["get_network_info"]


def test_close_ends_calls_at_once_and_nothing_is_told_afterwards(site: Site) -> None:
    site.plugin.script["get_network_info"] = lambda arguments: site.plugin.let_go.wait(PATIENCE)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(site.transport.server.get_network_info, "n")
        until(lambda: site.server.messages, "the call arrives")
        began = time.monotonic()
        site.transport.close()
        assert time.monotonic() - began < 3
        error = waiting.exception(PATIENCE)
    assert isinstance(error, AdapterError)
    assert error.retryable
    assert "its outcome is unknown: the transport is closed" in str(error)
    with pytest.raises(AdapterError, match="was not sent: the transport is closed"):
        site.transport.server.get_network_info("n")
    site.transport.close()


# -- notifications ----------------------------------------------------------------------------------------------------


def test_notifications_to_the_host_and_to_all_hosts_come_as_they_were_told_and_in_order(site: Site) -> None:
    for number in range(300):
        site.server.tell("host-1", "port_update_end", payload={"port": {"id": str(number)}, "priority": 6})
    site.server.tell(None, "network_delete_end", payload={"network_id": "n", "priority": 2})
    site.server.tell("host-2", "port_update_end", payload={"port": {"id": "of another host"}})
    told = site.heard.wait(lambda told: len(told) >= 302)[1:]
    ports = [payload["port"]["id"] for _, method, payload in told if method == "port_update_end"]
    assert ports == [str(number) for number in range(300)]
    assert ("notified", "network_delete_end", {"network_id": "n", "priority": 2}) in told


def test_what_cannot_be_read_is_reported_and_stops_nothing(site: Site) -> None:
    site.server.tell("host-1", "no_payload", something="else")
    site.server.tell("host-1", "no_arguments")
    site.server.tell("host-1", "odd_end", payload=None)
    site.server.tell("host-1", "nobody_knows_this", payload=[1, {"a": None}])
    site.server.tell("host-1", "port_delete_end", payload={"port_id": "p"})
    told = site.heard.wait(lambda told: len(told) == 4)[1:]
    assert told == [
        ("notified", "odd_end", None),
        ("notified", "nobody_knows_this", [1, {"a": None}]),
        ("notified", "port_delete_end", {"port_id": "p"}),
    ]
    ignored = [str(record.fields["method"]) for record in site.reporter.records if "ignored" in record.message]
    assert ignored == ["no_payload", "no_arguments"]


def test_whoever_only_calls_takes_nothing_from_the_agent_of_that_host(site: Site) -> None:
    beside = OsloTransport("host-1", transport_url=site.url, control_exchange=site.exchange, call_timeout=5)
    try:
        start_calls(beside)
        assert beside.server.get_network_info("n") == {"id": "answer"}
        for number in range(40):
            site.server.tell("host-1", "port_update_end", payload={"number": number})
        told = site.heard.wait(lambda told: len(told) > 40)
        assert [payload["number"] for _, _, payload in told[1:]] == list(range(40))
    finally:
        beside.close()
    with pytest.raises(RuntimeError):
        beside.start_calls()


def test_a_message_that_is_no_notification_at_all_makes_a_sync_due(site: Site) -> None:
    class Odd:
        message = "not a dict"

    site.transport._keeper._ear.dispatch(Odd())
    told = site.heard.wait(lambda told: len(told) == 3)
    assert told[1:] == [("disconnected", "a message of the server could not be read"), ("connected",)]


# -- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, option",
    [
        ({"host": ""}, "host"),
        ({"host": "h", "transport_url": "nosuch://u:secret@h/"}, "transport_url"),
        ({"host": "h", "transport_url": "rabbit://u:secret@h:port/"}, "transport_url"),
        ({"host": "h", "transport_url": "no url, but secret"}, "transport_url"),
        ({"host": "h", "config_files": ["/nosuch/secret-free.conf"]}, "config_file"),
    ],
)
def test_options_that_cannot_be_honoured(options: dict[str, Any], option: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_transport("oslo", options)
    assert caught.value.option == option
    assert "secret@" not in str(caught.value)
    assert "but secret" not in str(caught.value)


def test_no_report_has_the_password() -> None:
    reporter = RecordingReporter()
    url = "rabbit://openstack:the-password@127.0.0.1:1,openstack:the-password@127.0.0.1:2/vhost"
    transport = load_transport("oslo", {"host": "h", "transport_url": url, "reporter": reporter, "call_timeout": 0.5})
    transport.start(Heard())
    with pytest.raises(AdapterError, match=r"was not sent: no connection: 127\.0\.0\.1:1: Connection refused"):
        transport.server.get_network_info("n")
    (told,) = {record.message for record in reporter.records}
    assert told == "there is no connection to the broker"
    assert len(reporter.records) == 1, "told once, however often it is tried"
    assert reporter.records[0].fields["url"] == "rabbit://127.0.0.1:1,127.0.0.1:2/vhost"
    assert "the-password" not in str(reporter.records)
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 3


def test_the_library_is_imported_by_nobody_else() -> None:
    """`import dhcpcore`, the transports by name and the command line are light."""
    code = (
        "import sys, dhcpcore, dhcpcore_adapters.rpc, dhcpcore_adapters.rpc.oslo, dhcpcore_adapters.cli\n"
        "heavy = {'oslo_messaging', 'oslo_config', 'kombu', 'eventlet'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "import dhcpcore_adapters.rpc.oslo.transport\n"
        "assert 'oslo_messaging' in sys.modules\n"
        "import threading\n"
        "assert type(threading.Lock()).__module__ == '_thread', 'eventlet has patched nothing'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
