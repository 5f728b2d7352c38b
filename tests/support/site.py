"""A site on one machine: the reference server and agents, as processes, as an operator starts them.

Made inside a host of a test's own (`support.host`) only: the agents make namespaces and devices there, and everything
ends with it.  Server and agents meet on a unix socket, so an agent may have a network and a /run of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from dhcpcore_adapters.agent.control import ask
from support import host as hosts
from support.clients.prober import Target
from support.namespace import found

ROOT: Final = Path(__file__).resolve().parents[2]
#: Far more than anything here takes on a slow machine; what needs it has failed.
PATIENCE: Final = 30.0

T = TypeVar("T")


def until(
    what: str, look: Callable[[], T | None], seconds: float = PATIENCE, *, told: Callable[[], str] | None = None
) -> T:
    """What `look` gives as soon as that is true.

    Args:
        told: more for the message, asked for when it is needed.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not (got := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {what} (last: {got!r})\n{told() if told is not None else ''}")
        time.sleep(0.01)
    return got


class RestError(Exception):
    """An answer of 400 or more: `status`, and the body's NeutronError."""

    def __init__(self, status: int, error: Any) -> None:
        self.status = status
        self.error = error
        super().__init__(f"{status}: {error}")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


class Program:
    """One process of a site; a context manager, killed at the end."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self._argv = list(argv)
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters", "examples"))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,
            )
        return self.process

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit status, and the seconds that it took to end."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        return status, time.monotonic() - begun

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.kill()


class Server(Program):
    """The reference server.

    Args:
        folder: where its database, socket and log are.
        arguments: more of its command line's.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = folder / "server.sqlite"
        # A socket's path is at most 107 bytes, and a test's folder may be longer; /run is the test's own.
        self.socket = Path(f"/run/server-{folder.name[:40]}.sock")
        self._connection: _UnixConnection | None = None
        where = ["--database", str(self.database), "--unix", str(self.socket)]
        super().__init__([sys.executable, "-m", "reference_server", *where, *arguments], folder / "server.log")

    @property
    def url(self) -> str:
        """For the option `url` of the transport ``websocket``."""
        return f"unix://{self.socket}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
        super().__exit__()

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self.launch()
        until("the server answers", self._answers, told=lambda: self.log)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return bool(self.list("networks") is not None)
        except OSError:
            return False

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer's document, None where it has none.

        Raises:
            RestError: the answer is an error.
            OSError: there is no answer.
        """
        data = None if body is None else json.dumps(body)
        for fresh in (False, True):
            connection = self._connection
            if connection is None or fresh:
                connection = self._connection = _UnixConnection(str(self.socket))
            try:
                connection.request(method, f"/v2.0/{path}", data, {"Content-Type": "application/json"})
                response = connection.getresponse()
                text = response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._connection = None
                # A kept connection that the server closed says nothing about the request; a new one does.
                if fresh or isinstance(error, TimeoutError):
                    raise OSError(f"{method} {path}: {error!r}") from error
        document = json.loads(text) if text else None
        if response.status >= 400:
            raise RestError(response.status, document)
        return document

    def create(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Create a network, subnet, port or segment; what the server says of it."""
        created: dict[str, Any] = self.rest("POST", f"{kind}s", {kind: _spelled(attributes)})[kind]
        return created

    def update(self, kind: str, identity: str, **attributes: Any) -> dict[str, Any]:
        """Change one; what the server says of it."""
        updated: dict[str, Any] = self.rest("PUT", f"{kind}s/{identity}", {kind: _spelled(attributes)})[kind]
        return updated

    def delete(self, kind: str, identity: str) -> None:
        """Delete one."""
        self.rest("DELETE", f"{kind}s/{identity}")

    def show(self, kind: str, identity: str) -> dict[str, Any]:
        """One."""
        shown: dict[str, Any] = self.rest("GET", f"{kind}s/{identity}")[kind]
        return shown

    def list(self, kinds: str, query: str = "") -> list[dict[str, Any]]:
        """All, or those that a query selects."""
        listed: list[dict[str, Any]] = self.rest("GET", f"{kinds}?{query}")[kinds]
        return listed

    def network(self, cidr: str = "10.0.0.0/24", ports: int = 0, **subnet: Any) -> dict[str, Any]:
        """A network with one subnet and so many bound ports; its id, subnet and ports."""
        network = self.create("network", name="")
        version = 6 if ":" in cidr else 4
        created = self.create("subnet", network_id=network["id"], cidr=cidr, ip_version=version, **subnet)
        made = [self.port(network["id"]) for _ in range(ports)]
        return {"id": network["id"], "subnet": created, "ports": made}

    def port(self, network_id: str, **attributes: Any) -> dict[str, Any]:
        """A port that waits for DHCP: bound to a compute host."""
        return self.create("port", network_id=network_id, **({"binding__host_id": "compute-1"} | attributes))

    def served(self, cidr: str = "10.0.0.0/24", ports: int = 0, **subnet: Any) -> dict[str, Any]:
        """Like `network`; all its ports are ACTIVE when this returns, and it has one at least."""
        made = self.network(cidr, max(1, ports), **subnet)
        self.wait_active(made["id"])
        return made

    def wait_active(self, *network_ids: str) -> None:
        """Wait until all bound ports of these networks are ACTIVE."""
        until("all ports are ACTIVE", lambda: self.active(*network_ids))

    def dhcp_addresses(self, network_id: str) -> tuple[str, ...]:
        """The addresses of a network's DHCP ports, in the server's order."""
        ports = self.list("ports", f"network_id={network_id}&device_owner=network:dhcp")
        return tuple(each["ip_address"] for port in ports for each in port["fixed_ips"])

    def agent(self, host: str) -> dict[str, Any] | None:
        """An agent, as the server's database has it."""
        return next((agent for agent in self.list("agents") if agent["host"] == host), None)

    def active(self, *network_ids: str) -> bool:
        """Whether all bound ports of these networks are ACTIVE."""
        ports = [port for network_id in network_ids for port in self.list("ports", f"network_id={network_id}")]
        return all(port["status"] == "ACTIVE" for port in ports if port["binding:host_id"])


def _spelled(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", ":"): value for name, value in attributes.items()}


class AgentProgram(Program):
    """``dhcpcore agent``, from a TOML file.

    Args:
        folder: where its state, settings and log are.
        options: Neutron's, by name; more than what is set here.
        prefix: a command that runs it, for an agent with a network of its own.
        arguments: more of them, after the settings file.
        url: the way to the server, where it is not the server's own.
    """

    def __init__(
        self,
        folder: Path,
        server: Server,
        *,
        host: str = "host-1",
        prefix: Sequence[str] = (),
        arguments: Sequence[str] = (),
        url: str | None = None,
        **options: Any,
    ) -> None:
        self.host = host
        self.state = folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.control = f"/run/control-{host}.sock"
        extra = folder / "dnsmasq.conf"
        # In a user namespace there is one user and one group to be.
        extra.write_text("user=root\ngroup=\n")
        settings: dict[str, Any] = {
            "host": host,
            "state_path": str(self.state),
            "interface_driver": "bridge",
            "dnsmasq_config_file": str(extra),
            "metadata_proxy_user": "root",
            "metadata_proxy_group": "root",
            "metadata_proxy_socket": "/run/metadata.sock",
            "report_interval": 1,
            **options,
        }
        self.settings_file = folder / "agent.toml"
        transport = f'transport_options = {{ url = "{url or server.url}" }}'
        self._ours = f'[dhcpcore]\ncontrol_socket = "{self.control}"\n{transport}\n'
        self.write_settings(**settings)
        argv = [sys.executable, "-m", "dhcpcore_adapters.cli", "agent", "--config", str(self.settings_file)]
        super().__init__([*prefix, *argv, *arguments], folder / "agent.log")

    def write_settings(self, **settings: Any) -> None:
        """Write the settings file anew; the agent reads it at its start, and at SIGHUP."""
        self.settings = settings
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
        self.settings_file.write_text("".join(lines) + self._ours)

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it; it has seen the host and been told its networks, and the server knows it, when this returns."""
        self.launch()
        until("the agent is in step", self._in_step, told=lambda: self.log[-5000:])

    def _in_step(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            status = self.status()
        except Exception:
            return False
        # Reports go over a connection of their own, and networks only to an agent that has reported.
        answers = (status["sync"]["answered_seconds_ago"], status["heartbeat"]["answered_seconds_ago"])
        return bool(status["agent"]["host_observed"]) and None not in answers

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        status: dict[str, Any] = ask(self.control, {"command": "status"})
        return status

    def directory(self, network_id: str) -> Path:
        """Where the files of a network's instance are."""
        return self.state / "dhcp" / network_id

    def dnsmasq_pid(self, network_id: str) -> int:
        """As its pid file has it."""
        return int((self.directory(network_id) / "pid").read_text())

    def wait_for_another_dnsmasq(self, network_id: str, than: int) -> int:
        """Wait until a network is served by another process than this one; its pid."""

        def another() -> int:
            try:
                pid = self.dnsmasq_pid(network_id)
            except (OSError, ValueError):
                return 0  # between two of them
            return 0 if pid == than else pid

        return until("another dnsmasq runs", another)


def bridge(network_id: str) -> str:
    """The bridge that the interface driver plugs a network's devices into."""
    return f"brq{network_id[:11]}"


def address(port: Mapping[str, Any], number: int = 0) -> str:
    """One of a port's addresses."""
    found_address: str = port["fixed_ips"][number]["ip_address"]
    return found_address


def targets(networks: Sequence[Mapping[str, Any]]) -> list[Target]:
    """The first port of each network, for a prober."""
    return [
        Target(
            name=network["id"],
            device=bridge(network["id"]),
            mac=network["ports"][0]["mac_address"],
            expected=address(network["ports"][0]),
        )
        for network in networks
    ]


@contextmanager
def running(folder: Path, *server_arguments: str, **options: Any) -> Iterator[tuple[Server, AgentProgram]]:
    """A server and an agent, in step with each other; when this ends there is nothing left in the host.

    Args:
        options: the agent's, Neutron's by name.
    """
    try:
        with (
            Server(folder / "server", *server_arguments) as server,
            AgentProgram(folder / "agent", server, **options) as agent,
        ):
            yield server, agent
    finally:
        hosts.clear()


def dnsmasq_pids() -> list[int]:
    """All that live in this host."""
    ran = subprocess.run([found("pgrep") or "pgrep", "-x", "dnsmasq"], capture_output=True, text=True, timeout=20)
    return sorted(int(pid) for pid in ran.stdout.split() if _lives(int(pid)))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
