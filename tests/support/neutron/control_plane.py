"""A real Neutron 29 server on one machine: RabbitMQ, MariaDB, neutron's API and its RPC server.

    with ControlPlane(folder) as server:
        network = server.network(ports=1)

It has the methods of the reference server's stand (`support.site.Server`): create, update, delete, list, port, agent,
wait_active and so on, through Neutron's REST API.  Made inside a host of a test's own (`support.host`) only, where
everything ends with process 1, however the test ends. No sudo, no rootwrap, no keystone; layer 2 is a stand-in
(`l2_stand_in`): ports are bound and plugged without an Open vSwitch.

Parts may be hurt: `broker.restart()`, `mariadb.stand_still(5)`, `restart_rpc()`, `restart_api()`.
"""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from support.neutron.broker import Broker
from support.neutron.daemon import STARTING, VENV, Daemon, ini
from support.neutron.database import Database
from support.site import Program, Server, until

#: Whose ports and networks they are; without keystone nobody says so.
PROJECT: Final = "d1c0ffee00000000000000000000c0de"
#: Where `Server.port` binds its ports.
COMPUTE: Final = "compute-1"


class ControlPlane(Server):
    """A Neutron server; a context manager, at whose end all of its processes are gone.

    Args:
        folder: an empty directory, for its files and logs.
        hosts: on which ports can be bound, beside `COMPUTE`: those of the agents. ``<host>=physnet1`` is a host that is
            on that physical network only; the others are on both, ``physnet1`` and ``physnet2``.
        agent_down_time: seconds without a report until an agent counts as dead.
        service_plugins: more than ``router``, for example ``segments``.
        periodic_workers: whether networks are moved away from dead agents, and the like.
        options: Neutron's, by section and name; more than what is set here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        hosts: Sequence[str] = ("host-1",),
        agent_down_time: int = 75,
        service_plugins: Sequence[str] = (),
        periodic_workers: bool = False,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.socket = Path(f"/run/server-{folder.name[:40]}.sock")
        self._connection = None
        self.broker = Broker(folder / "broker")
        self.mariadb = Database(folder / "database")
        self._write_settings(agent_down_time, service_plugins, options or {})
        files = ["--config-file", str(folder / "neutron.conf"), "--config-file", str(folder / "ml2_conf.ini")]
        # neutron reads our command line as its own, so nothing is on it (neutron/server/__init__.py).
        api = {"OS_NEUTRON_CONFIG_DIR": f"{folder}", "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini"}
        api["GUNICORN_CMD_ARGS"] = f"--config {folder}/gunicorn.py"
        self.api = Daemon([str(VENV / "bin/gunicorn")], folder / "api.log", api)
        self.rpc = Daemon([str(VENV / "bin/neutron-rpc-server"), *files], folder / "rpc.log")
        workers = [str(VENV / "bin/neutron-periodic-workers"), *files]
        self.workers = Daemon(workers, folder / "workers.log") if periodic_workers else None
        self._layer2 = _Layer2(folder, self._all(hosts), max(1.0, agent_down_time / 4))
        Program.__init__(self, [], folder / "api.log")

    def _write_settings(
        self, down_time: int, service_plugins: Sequence[str], more: Mapping[str, Mapping[str, Any]]
    ) -> None:
        folder = self.folder
        (folder / "state").mkdir()
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "core_plugin": "ml2",
                # The extension driver ``dns`` wants routers to be known.
                "service_plugins": ",".join(["router", *service_plugins]),
                "auth_strategy": "noauth",
                "transport_url": self.broker.url(),
                "state_path": folder / "state",
                "api_paste_config": VENV / "etc/neutron/api-paste.ini",
                "notify_nova_on_port_status_changes": False,
                "notify_nova_on_port_data_changes": False,
                "rpc_workers": 1,
                "rpc_state_report_workers": 1,
                "agent_down_time": down_time,
                "dns_domain": "example.org.",
            },
            "database": {"connection": self.mariadb.url, "max_retries": -1},
            "oslo_concurrency": {"lock_path": folder / "state/lock"},
            "oslo_policy": {"enforce_scope": False, "enforce_new_defaults": False},
            "quotas": {f"quota_{kind}": -1 for kind in ("network", "subnet", "port")},
        }
        for section, options in more.items():
            sections.setdefault(section, {}).update(options)
        (folder / "neutron.conf").write_text(ini(sections))
        ml2: dict[str, Any] = {
            "type_drivers": "local,flat,vlan,vxlan",
            "project_network_types": "vxlan",
            "mechanism_drivers": "openvswitch",
            "extension_drivers": "port_security,dns",
            "path_mtu": 1550,
        }
        types: dict[str, dict[str, Any]] = {
            "ml2": ml2,
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vlan": {"network_vlan_ranges": "physnet1:100:199,physnet2:200:299"},
            "ml2_type_vxlan": {"vni_ranges": "1:100000"},
            # Without it the bulk creation of ports ends with an error (500) in Neutron 29.0.0.
            "securitygroup": {"enable_security_group": True},
        }
        (folder / "ml2_conf.ini").write_text(ini(types))
        threads = 'workers = 1\nworker_class = "gthread"\nthreads = 8\ntimeout = 120\ngraceful_timeout = 2\n'
        (folder / "gunicorn.py").write_text(
            f'wsgi_app = "neutron.wsgi.api:application"\nbind = "unix:{self.socket}"\n{threads}'
        )

    @staticmethod
    def _all(hosts: Sequence[str]) -> list[str]:
        named = {host.partition("=")[0] for host in hosts}
        return [*hosts, *([] if COMPUTE in named else [COMPUTE])]

    # -- processes

    def start(self) -> None:
        """Start everything; when this returns the API answers, and so does the RPC server."""
        self.broker.launch()
        self.mariadb.launch()
        self.mariadb.wait()
        # They take seconds to import themselves, and wait for the broker by themselves.
        self.rpc.launch()
        self.api.launch()
        if self.workers is not None:
            self.workers.launch()
        self.broker.wait()
        self._layer2.launch()
        self.wait_for_api()
        # An API that answers says nothing of the RPC server.
        self._layer2.wait(self.rpc)

    def wait_for_api(self) -> None:
        """Wait until the API answers.

        Raises:
            AssertionError: it ended, or does not in time; with the end of its log.
        """
        until("the API answers", self._answers, STARTING, told=lambda: self.api.log[-3000:])

    def _answers(self) -> bool:
        assert self.api.is_running, self.api.log[-3000:]
        try:
            return bool(self.list("networks", "fields=id") is not None)
        except OSError:
            return False

    def restart_api(self) -> None:
        """SIGKILL the API, start it again and wait for it."""
        self.api.kill()
        self.api.launch()
        self.wait_for_api()

    def restart_rpc(self) -> None:
        """SIGKILL the RPC server and start it again; it answers when this returns."""
        self.rpc.kill()
        self.rpc.launch()
        self._layer2.close()
        self._layer2.launch()
        self._layer2.wait(self.rpc)

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        self._layer2.close()
        for daemon in (self.api, self.rpc, self.workers):
            if daemon is not None:
                daemon.kill()
        self.broker.kill()
        self.mariadb.daemon.kill()

    # -- REST

    def another_client(self) -> Self:
        """The same server, by a connection of its own, for another thread; for REST only. `disconnect` ends it."""
        other = copy.copy(self)
        other._connection = None
        return other

    def disconnect(self) -> None:
        """Close the connection, until the next request."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def create(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Create a network, subnet, port or segment; what the server says of it."""
        owner = {} if kind == "segment" else {"project_id": PROJECT}
        return super().create(kind, **(owner | attributes))

    def port(self, network_id: str, **attributes: Any) -> dict[str, Any]:
        """A port that waits for DHCP: bound to a compute host, and plugged there."""
        port = super().port(network_id, **attributes)
        self.plug(port)
        return port

    def served(self, cidr: str = "10.0.0.0/24", ports: int = 0, **subnet: Any) -> dict[str, Any]:
        """Like `network`; all its ports are ACTIVE when this returns, and it has one at least.

        The server makes a port wait for DHCP only where an agent has the network already, so the DHCP port comes first.
        """
        made = self.network(cidr, **subnet)
        self.wait_for_dhcp_ports(made["id"])
        made["ports"] = [self.port(made["id"]) for _ in range(max(1, ports))]
        self.wait_active(made["id"])
        return made

    def wait_for_dhcp_ports(self, network_id: str, number: int = 1) -> None:
        """Wait until so many agents have claimed their ports on a network."""

        def claimed() -> bool:
            return sum(1 for port in self.dhcp_ports(network_id) if port["device_id"].startswith("dhcp")) >= number

        until("the agents have claimed their DHCP ports", claimed, 60)

    def wait_active(self, *network_ids: str) -> None:
        """Wait until all bound ports of these networks are ACTIVE; the stock agent's first takes it half a minute."""
        until("all ports are ACTIVE", lambda: self.active(*network_ids), 90)

    def ports(self, network_id: str, number: int, **attributes: Any) -> list[dict[str, Any]]:
        """So many of them in one request; they are not plugged (`plug` does that)."""
        one = {"network_id": network_id, "project_id": PROJECT, "binding:host_id": COMPUTE, **attributes}
        created: list[dict[str, Any]] = self.rest("POST", "ports", {"ports": [one] * number})["ports"]
        return created

    def plug(self, port: Mapping[str, Any]) -> None:
        """Say for the host's layer 2 agent that a port is plugged; with DHCP ready it becomes ACTIVE then."""
        if port["binding:host_id"]:
            self._layer2.up(port["id"], port["binding:host_id"])

    def bind(self, port: Mapping[str, Any]) -> None:
        """Bind a port anew whose binding failed, as it does while the layer 2 agent counts as dead."""
        host = port["binding:host_id"]
        self.update("port", port["id"], binding__host_id="")
        self.update("port", port["id"], binding__host_id=host)

    def active(self, *network_ids: str) -> bool:
        """Whether all bound ports of these networks are ACTIVE; DHCP ports aside, which nobody has plugged."""
        ports = [port for network_id in network_ids for port in self.list("ports", f"network_id={network_id}")]
        waiting = [port for port in ports if port["binding:host_id"] and port["device_owner"] != "network:dhcp"]
        return all(port["status"] == "ACTIVE" for port in waiting)

    def hosted(self, host: str) -> list[dict[str, Any]]:
        """The networks that are scheduled to a host's DHCP agent."""
        agent = self.agent(host)
        assert agent is not None
        networks: list[dict[str, Any]] = self.rest("GET", f"agents/{agent['id']}/dhcp-networks")["networks"]
        return networks

    def schedule(self, host: str, network_id: str) -> None:
        """Give a network to a host's DHCP agent."""
        agent = self.agent(host)
        assert agent is not None
        self.rest("POST", f"agents/{agent['id']}/dhcp-networks", {"network_id": network_id})

    def unschedule(self, host: str, network_id: str) -> None:
        """Take a network from a host's DHCP agent."""
        agent = self.agent(host)
        assert agent is not None
        self.rest("DELETE", f"agents/{agent['id']}/dhcp-networks/{network_id}")

    def dhcp_ports(self, network_id: str) -> list[dict[str, Any]]:
        """The DHCP ports of a network, reserved ones among them."""
        return self.list("ports", f"network_id={network_id}&device_owner=network:dhcp")

    def agent(self, host: str) -> dict[str, Any] | None:
        """A host's DHCP agent, as the server's database has it."""
        return next(iter(self.list("agents", f"binary=neutron-dhcp-agent&host={host}")), None)

    def wait_alive(self, host: str) -> dict[str, Any]:
        """Wait until a host's DHCP agent counts as alive; what the server says of it."""

        def alive() -> dict[str, Any] | None:
            agent = self.agent(host)
            return agent if agent is not None and agent["alive"] else None

        return until(f"the agent of {host} is alive", alive, 60)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self


class _Layer2:
    """The stand-in for layer 2 agents, as a process."""

    def __init__(self, folder: Path, hosts: Sequence[str], every: float) -> None:
        program = Path(__file__).with_name("l2_stand_in.py")
        self._argv = [str(VENV / "bin/python"), str(program), str(folder / "neutron.conf"), str(every), *hosts]
        self._log = folder / "layer2.log"
        self._process: subprocess.Popen[str] | None = None

    def launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def wait(self, rpc: Daemon) -> None:
        said = self._said()
        assert said == "ready", f"{said!r}: {self._log.read_text()[-2000:]}\n{rpc.log[-3000:]}"

    def up(self, port: str, host: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{port} {host}\n")
        self._process.stdin.flush()
        said = self._said()
        assert said == "done", f"{said!r}: {self._log.read_text()[-2000:]}"

    def _said(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            self._process = None
