"""The transport to Neutron over a real RabbitMQ: what only a broker can do to it.

The broker is the tests' own, on loopback (`support.rabbitmq`).  Where RabbitMQ is not installed they are skipped, and
say so: nothing installs it.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer, RecordingReporter
from dhcpcore_adapters.rpc import start_calls
from dhcpcore_adapters.rpc.oslo.transport import OsloTransport
from support.certificate import write_certificate
from support.memory_plugin import PATIENCE, Heard, MemoryPlugin, until
from support.neutron_rpc import NeutronRpc, serving_rpc
from support.rabbitmq import RabbitMQ, why_not

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    # py-amqp leaves the sockets of connections that broke to the garbage collector, which complains.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

#: Seconds in which a broker has started, on whatever machine.
RESTART = 120.0

#: An agent's process, as far as its transport goes: connects, says so, and ends at SIGTERM as `dhcpcore agent` does.
AGENT = """
import signal, sys, threading
from dhcpcore_adapters.rpc import load_transport

class Listener:
    def connected(self): print("connected", flush=True)
    def disconnected(self, reason): print("disconnected", flush=True)
    def notified(self, method, payload): print(method, flush=True)

class Reporter:
    def report(self, message, /, **fields): print(message, fields.get("error"), flush=True)

where = {"config_files": [sys.argv[1]]} if sys.argv[1].startswith("/") else {"transport_url": sys.argv[1]}
quiet = {"reporter": Reporter()} if len(sys.argv) > 3 else {}
transport = load_transport("oslo", {"host": sys.argv[2], **where, **quiet})
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
transport.start(Listener())
ended.wait()
transport.close()
"""


@pytest.fixture(scope="module", autouse=True)
def broken_connections() -> Iterator[None]:
    """No complaint about them comes later, where it would be another test's."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    folder = tmp_path_factory.mktemp("rabbitmq")
    tls = folder / "certificate.pem", folder / "key.pem"
    write_certificate(*tls)
    with RabbitMQ(folder / "broker", tls) as broker:
        yield broker


class Site:
    """A server and an agent's transport, connected."""

    def __init__(self, made: ExitStack, broker: RabbitMQ, host: str) -> None:
        self.broker = broker
        self.host = host
        self.plugin = MemoryPlugin(MemoryServer())
        self.reporter = RecordingReporter()
        self.heard = Heard()
        self.server: NeutronRpc = made.enter_context(serving_rpc(self.plugin, broker.url, "neutron"))
        made.callback(self.plugin.close)
        self.transport = OsloTransport(host, transport_url=broker.url, reporter=self.reporter, call_timeout=RESTART)
        made.callback(self.transport.close)
        self.transport.start(self.heard)
        self.heard.wait_for("connected")

    def report(self) -> Any:
        state = {"host": self.host, "binary": "neutron-dhcp-agent", "topic": "dhcp_agent", "configurations": {}}
        return self.transport.heartbeat.report_state({**state, "agent_type": "DHCP agent", "availability_zone": "nova"})


@pytest.fixture
def site(broker: RabbitMQ, request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as made:
        yield Site(made, broker, f"host-{abs(hash(request.node.name))}")


def test_calls_reports_notifications_and_the_queues_that_neutron_sends_to(site: Site) -> None:
    assert site.report() == "new"
    assert list(site.transport.server.get_active_networks_info()) == []
    site.server.tell(site.host, "port_update_end", payload={"port": {"id": "p"}})
    site.heard.wait(lambda told: told[1:] == [("notified", "port_update_end", {"port": {"id": "p"}})])
    site.server.tell(None, "network_delete_end", payload={"network_id": "n"})
    site.heard.wait(lambda told: told[2:] == [("notified", "network_delete_end", {"network_id": "n"})])
    queues = site.broker.queues()
    assert {"dhcp_agent", f"dhcp_agent.{site.host}"} <= queues
    fanout = {name for name in queues if name.startswith("dhcp_agent_fanout_")}
    assert fanout
    # A clean stop leaves no queue that would collect what is told to all agents.
    began = time.monotonic()
    site.transport.close()
    assert time.monotonic() - began < 1.1
    until(lambda: not fanout & site.broker.queues(), "the fanout queue goes")
    # What is told to this host alone waits for its next start.
    site.server.tell(site.host, "port_delete_end", payload={"port_id": "p"})
    heard = Heard()
    again = OsloTransport(site.host, transport_url=site.broker.url)
    try:
        again.start(heard)
        heard.wait(lambda told: ("notified", "port_delete_end", {"port_id": "p"}) in told and ("connected",) in told)
    finally:
        again.close()


def test_whoever_only_calls_takes_no_message_and_leaves_no_queue(site: Site) -> None:
    beside = OsloTransport(site.host, transport_url=site.broker.url, call_timeout=RESTART)
    stranger = OsloTransport("on-no-host", transport_url=site.broker.url, call_timeout=RESTART)
    try:
        for transport in (beside, stranger):
            start_calls(transport)
            assert list(transport.server.get_active_networks_info()) == []
        for number in range(40):
            site.server.tell(site.host, "port_update_end", payload={"number": number})
        told = site.heard.wait(lambda told: len(told) > 40)
        assert [payload["number"] for _, _, payload in told[1:]] == list(range(40))
        assert "dhcp_agent.on-no-host" not in site.broker.queues()
    finally:
        for transport in (beside, stranger):
            began = time.monotonic()
            transport.close()
            assert time.monotonic() - began < 1.1


def test_a_call_before_the_server_is_there_is_heard_as_soon_as_it_is(broker: RabbitMQ) -> None:
    """An agent that starts before its server: what was called meanwhile is not waited for until its time is over."""
    exchange = "begins-later"
    plugin = MemoryPlugin(MemoryServer())
    transport = OsloTransport("host-early", transport_url=broker.url, control_exchange=exchange, call_timeout=RESTART)
    with ExitStack() as made:
        made.callback(plugin.close)
        made.callback(_end, transport)
        calls = made.enter_context(ThreadPoolExecutor())
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected")
        early = calls.submit(transport.server.get_active_networks_info)
        time.sleep(2)
        assert not early.done()
        made.enter_context(serving_rpc(plugin, broker.url, exchange))
        began = time.monotonic()
        assert list(early.result(RESTART)) == []
        assert time.monotonic() - began < 20, "it is sent again three times a second"


def test_a_call_that_no_server_listens_for_is_over_in_its_time(broker: RabbitMQ) -> None:
    transport = OsloTransport("host-1", transport_url=broker.url, control_exchange="never-begins", call_timeout=1.5)
    try:
        heard = Heard()
        transport.start(heard)
        heard.wait_for("connected")
        with pytest.raises(AdapterError, match=r"was not sent: for 1\.\d+ s no server has listened on q-plugin; does"):
            transport.server.get_network_info("n")
        with pytest.raises(AdapterError, match=r"create_dhcp_port came back: no server listens on q-plugin"):
            transport.server.create_dhcp_port({"port": {"network_id": "n"}})
    finally:
        _end(transport)


def _end(transport: OsloTransport) -> None:
    """Close it, and wait for the threads that end later: the broker may end next."""
    transport.close()
    until(lambda: "rpc keeper" not in [each.name for each in threading.enumerate()], "its last thread ends")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_goes_and_comes_is_one_loss_and_one_connection(site: Site, how: str) -> None:
    assert site.report() == "new"
    site.plugin.server.faults.arm("server.get_network_info", error=AdapterError("never reached"), when="after")
    with ThreadPoolExecutor() as pool:
        # The server's lock is held, so the call stays under way.
        with site.plugin.lock:
            waiting = pool.submit(site.transport.server.get_network_info, "n")
            until(lambda: any(m["method"] == "get_network_info" for _, m in site.server.messages), "the call arrives")
            getattr(site.broker, how)()
            error = waiting.exception(PATIENCE)
        assert isinstance(error, AdapterError)
        assert error.retryable
        assert "get_network_info was sent, its outcome is unknown: the connection was lost" in str(error)
        site.heard.wait(lambda told: [each[0] for each in told] == ["connected", "disconnected"])
        # A call meanwhile waits for the broker.
        later = pool.submit(site.transport.server.get_active_networks_info)
        time.sleep(1)
        assert not later.done()
        site.broker.start()
        assert list(later.result(RESTART)) == []
    site.heard.wait(lambda told: told[-1] == ("connected",))
    assert site.report() == "alive"
    site.server.tell(site.host, "port_update_end", payload={"port": {"id": "p"}})
    site.heard.wait(lambda told: told[-1] == ("notified", "port_update_end", {"port": {"id": "p"}}))
    time.sleep(2)
    assert site.heard.kinds() == ["connected", "disconnected", "connected", "notified"]
    told = [record.message for record in site.reporter.records if record.fields.keys() & {"url"}]
    assert told == ["connected to the broker", "the connection to the broker was lost", "connected to the broker"]


UNREADABLE = [
    b"not JSON",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"oslo.version": "2.0", "oslo.message": "not JSON"}',
    b'{"oslo.version": "2.0", "oslo.message": "[]"}',
    b'{"oslo.version": "2.0", "oslo.message": "{}"}',
    b'{"oslo.version": "9.9", "oslo.message": "{}"}',
    b'{"oslo.version": "2.0", "oslo.message": "{\\"method\\": 1, \\"args\\": {}}"}',
    b'{"oslo.version": "2.0", "oslo.message": "{\\"method\\": \\"port_update_end\\", \\"args\\": []}"}',
    b'{"oslo.version": "2.0", "oslo.message": "{\\"method\\": \\"port_update_end\\"}"}',
]


def test_what_nobody_can_read_stops_nothing(site: Site) -> None:
    from amqp import Connection, Message  # type: ignore[import-untyped]

    with Connection(host=f"127.0.0.1:{site.broker.port}", userid="guest", password="guest") as connection:
        channel = connection.channel()
        for body in UNREADABLE:
            for content_type in ("application/json", "application/x-nobody-knows"):
                message = Message(body, content_type=content_type, content_encoding="utf-8")
                channel.basic_publish(message, exchange="neutron", routing_key=f"dhcp_agent.{site.host}")

    def is_told() -> bool:
        # What comes while a sync is due for what was lost may be dropped: the sync brings it.
        site.server.tell(site.host, "port_delete_end", payload={"port_id": "p"})
        return ("notified", "port_delete_end", {"port_id": "p"}) in site.heard.told

    until(is_told, "the next notification is told")
    kinds = site.heard.kinds()
    assert kinds.count("connected") == kinds.count("disconnected") + 1 > 1, "and a sync is due"
    assert site.report() == "new"


@pytest.mark.parametrize("listens", [True, False])
def test_wrong_credentials_are_told_without_the_password(broker: RabbitMQ, listens: bool) -> None:
    reporter = RecordingReporter()
    url = broker.url.replace("guest:guest", "guest:not-the-password")
    transport = OsloTransport("host-1", transport_url=url, reporter=reporter, call_timeout=3)
    try:
        if listens:
            transport.start(Heard())
        else:
            start_calls(transport)
        with pytest.raises(AdapterError, match=r"was not sent: no connection: .*ACCESS_REFUSED.*transport_url right"):
            transport.server.get_network_info("n")
    finally:
        transport.close()
    assert "there is no connection to the broker" in [record.message for record in reporter.records]
    assert "not-the-password" not in str(reporter.records)


@contextmanager
def _agent(where: str, host: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The process; killed in the end, and by then for certain."""
    path = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-c", AGENT, where, host, *more]
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as agent:
        end = threading.Timer(RESTART, agent.kill)
        end.start()
        try:
            yield agent
        finally:
            end.cancel()
            agent.kill()


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_what_the_files_say_of_it(broker: RabbitMQ, tmp_path: Path, trusted: bool) -> None:
    assert broker.tls is not None
    authority, _ = broker.tls
    if not trusted:
        authority = tmp_path / "another.pem"
        write_certificate(authority, tmp_path / "key.pem")
    settings = tmp_path / "neutron.conf"
    url = broker.url.replace(str(broker.port), str(broker.tls_port))
    settings.write_text(
        f"[DEFAULT]\ntransport_url = {url}\n[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = {authority}\n"
    )
    with _agent(str(settings), "host-tls", "and reports") as agent:
        assert agent.stdout is not None
        if trusted:
            assert agent.stdout.readline() == "connected to the broker None\n"
            assert agent.stdout.readline() == "connected\n"
        else:
            assert "certificate verify failed" in agent.stdout.readline()


@pytest.mark.parametrize("broker_is", ["there", "gone"])
def test_an_agents_process_ends_in_two_seconds_and_idles_in_next_to_no_time(broker: RabbitMQ, broker_is: str) -> None:
    with _agent(broker.url, f"host-{broker_is}") as agent:
        try:
            assert agent.stdout is not None
            assert agent.stdout.readline() == "connected\n"
            if broker_is == "there":
                time.sleep(1)
                before, woken = _cpu(agent.pid), _wakes(agent.pid)
                time.sleep(6)
                assert _cpu(agent.pid) - before < 0.06, "1 % of a processor or more, idle"
                woken = _wakes(agent.pid) - woken
                assert woken < 50, f"its threads woke {woken} times, idle"
            else:
                broker.kill()
                assert agent.stdout.readline() == "disconnected\n"
            began = time.monotonic()
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(PATIENCE) == 0
            # Two seconds are promised; the interpreter's own end is in them, and tests run on busy machines.
            assert time.monotonic() - began < 5
        finally:
            if broker_is == "gone":
                broker.kill()
                broker.start()


def _wakes(pid: int) -> int:
    """How often a process's threads have gone to sleep by themselves (proc(5), status), whatever else runs."""
    texts = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def _cpu(pid: int) -> float:
    """Seconds of processor that a process has used (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
