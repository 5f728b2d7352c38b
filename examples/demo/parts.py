"""The parts that are shown: the server, the agent, and what stands for Neutron's metadata agent.

Server and agent are processes of their own, started by the commands that an operator types.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from demo.space import FOLDER
from demo.waiting import PATIENCE, NotSo, Stopwatch
from dhcpcore_adapters.agent.control import ControlError, ask

LOGS: Final = FOLDER / "logs"
HOST: Final = "demo-host"
#: Seconds: short ones, so that one sees an agent die.
REPORT_INTERVAL: Final = 1
AGENT_DOWN_TIME: Final = 3
DOMAIN: Final = "demo.example"


class Program:
    """A process of ours, with what it says in a file.

    Args:
        name: of its log.
    """

    def __init__(self, name: str, argv: list[str]) -> None:
        self.name, self.argv = name, argv
        self.log = LOGS / f"{name}.log"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def running(self) -> subprocess.Popen[str]:
        """Its process.

        Raises:
            NotSo: it is not there any more.
        """
        if self.process is None or self.process.poll() is not None:
            *_, last = ["nothing", *self.log.read_text(errors="replace").splitlines()]
            raise NotSo(f"the {self.name} has ended by itself; logs/{self.log.name} says why, at last: {last}")
        return self.process

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Signal it and wait for its end; its exit code, negative for a signal, and the seconds it took.

        Raises:
            NotSo: it is not there any more, or does not end.
        """
        process = self.running()
        watch = Stopwatch()
        process.send_signal(number)
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise NotSo(f"the {self.name} did not end within {PATIENCE:g} s of {number.name}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
        return code, watch.seconds


class Server(Program):
    """``python -m reference_server``, and its API."""

    database = FOLDER / "server.sqlite"

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "reference_server", "--database", str(self.database), "--listen", "127.0.0.1:0"]
        super().__init__("server", [*argv, "--agent-down-time", str(AGENT_DOWN_TIME), "--dns-domain", DOMAIN])
        self.url = ""

    def start(self) -> None:
        """Start it, and wait until it says where it listens."""
        super().start()
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise NotSo(f"the server does not say that it listens; logs/{self.log.name} may say why")
        self.url = json.loads(line)["listening"]

    def request(self, method: str, path: str, body: object = None) -> Any:
        """One request to Neutron's API v2.0; the answer's JSON, None where it has none."""
        request = urllib.request.Request(
            f"{self.url}/v2.0/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise NotSo(f"{method} /v2.0/{path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def create(self, kind: str, **members: Any) -> dict[str, Any]:
        """POST; the new network, subnet or port."""
        created: dict[str, Any] = self.request("POST", f"{kind}s", {kind: members})[kind]
        return created

    def update(self, kind: str, ident: str, **members: Any) -> None:
        """PUT."""
        self.request("PUT", f"{kind}s/{ident}", {kind: members})

    def delete(self, kind: str, ident: str) -> None:
        """DELETE."""
        self.request("DELETE", f"{kind}s/{ident}")

    def port(self, ident: str) -> dict[str, Any]:
        """A port as the server has it now."""
        shown: dict[str, Any] = self.request("GET", f"ports/{ident}")["port"]
        return shown

    def agent(self) -> dict[str, Any] | None:
        """Our agent as the server has it now; None: it has never heard of it."""
        listed: list[dict[str, Any]] = self.request("GET", f"agents?host={HOST}")["agents"]
        return listed[0] if listed else None

    def query(self, sql: str) -> Any:
        """The first value that the database itself has to say, past the server."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            return connection.execute(sql).fetchone()[0]


class Agent(Program):
    """``dhcpcore agent``, and what ``dhcpcore status`` has to say of it."""

    state_path = FOLDER / "state"
    config = FOLDER / "agent.toml"
    #: Written to by every dnsmasq: what it was made to do, in its own words.
    dnsmasq_log = LOGS / "dnsmasq.log"

    def __init__(self, *, metadata: bool) -> None:
        self._command = _command()
        super().__init__("agent", [*self._command, "agent", "--config", str(self.config)])
        self._metadata = metadata

    def configure(self, url: str) -> None:
        """Write its settings."""
        # In here there is no user but root, and dnsmasq wants to be another one.
        special = FOLDER / "dnsmasq.conf"
        special.write_text(f"user=root\ngroup=\nlog-facility={self.dnsmasq_log}\n")
        self.state_path.mkdir()
        self.config.write_text(
            f"""\
host = "{HOST}"
state_path = "{self.state_path}"
interface_driver = "bridge"
dns_domain = "{DOMAIN}"
dnsmasq_config_file = "{special}"
enable_isolated_metadata = {"true" if self._metadata else "false"}
metadata_proxy_socket = "{Metadata.path}"
metadata_proxy_user = "root"
metadata_proxy_group = "root"

[AGENT]
report_interval = {REPORT_INTERVAL}

[dhcpcore.transport_options]
url = "{url.replace("http://", "ws://")}/rpc"
"""
        )

    def status_now(self) -> dict[str, Any] | None:
        """The same as `status` without a process, to ask often; None where no agent answers yet."""
        try:
            status: dict[str, Any] = ask(str(self.state_path / "dhcpcore.sock"), {"command": "status"})
        except ControlError:
            return None
        return status

    def status(self) -> dict[str, Any]:
        """What ``dhcpcore status --json`` prints."""
        argv = [*self._command, "status", "--json", "--config", str(self.config)]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
        if ran.returncode != 0:
            raise NotSo(f"dhcpcore status: {ran.stderr.strip()}")
        status: dict[str, Any] = json.loads(ran.stdout)
        return status


def _command() -> list[str]:
    """``dhcpcore``, as it was installed beside this Python, or as a module where it was not."""
    script = Path(sys.executable).with_name("dhcpcore")
    return [str(script)] if script.exists() else [sys.executable, "-m", "dhcpcore_adapters.cli"]


class Metadata(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Stands for Neutron's metadata agent: tells everybody who it was that asked."""

    path: Final = FOLDER / "metadata.sock"
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(str(self.path), _WhoAsks)
        os.chmod(self.path, 0o666)
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()


class _WhoAsks(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = {"network": self.headers["X-Neutron-Network-ID"], "address": self.headers["X-Forwarded-For"]}
        body = json.dumps(asked).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"  # a Unix socket's client has no address

    def log_message(self, format: str, *args: object) -> None:
        pass  # what it says is checked where it arrives
