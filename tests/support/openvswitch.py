"""An Open vSwitch of a test's own: ovsdb-server and ovs-vswitchd, started in a host of a test's own, and ended with it.

Its files are under /run/openvswitch, where everybody looks for them; /run is the test's own there.  The datapath is the
one in user space (datapath_type=netdev), which needs nothing of the kernel but tap devices.  Looks past the adapter:
with ovs-vsctl, and as an L2 agent does.  Knows Open vSwitch; knows nothing of DHCP.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from support.namespace import found

FOLDER: Final = Path("/run/openvswitch")
SOCKET: Final = FOLDER / "db.sock"
SCHEMA: Final = Path("/usr/share/openvswitch/vswitch.ovsschema")
BRIDGE: Final = "br-int"
_PROGRAMS: Final = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl")
_PATIENCE: Final = 20.0


def missing() -> str | None:
    """Why there is no Open vSwitch here, for `pytest.skip`; None where there is."""
    for program in _PROGRAMS:
        if found(program) is None:
            return f"there is no {program} here: apt-get install openvswitch-switch"
    if not SCHEMA.exists():
        return f"there is no {SCHEMA} here: apt-get install openvswitch-switch"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun here: modprobe tun"
    return None


def _with_the_test() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class OpenVSwitch:
    """A context manager; at its end both daemons are gone.

    Args:
        bridge: whether there is a bridge br-int.
    """

    def __init__(self, *, bridge: bool = True) -> None:
        self._bridge = bridge
        self._database: subprocess.Popen[bytes] | None = None
        self._switch: subprocess.Popen[bytes] | None = None
        self._stations: list[str] = []

    def __enter__(self) -> Self:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for left in FOLDER.iterdir():
            left.unlink()
        self._run("ovsdb-tool", "create", str(FOLDER / "conf.db"), str(SCHEMA))
        try:
            self.start_database()
            self.vsctl("--no-wait", "init")
            self.start_switch()
            if self._bridge:
                self.vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_switch()
        self.kill_database()
        # Tap devices outlive it.
        for device in (*self._stations, BRIDGE, "ovs-netdev"):
            subprocess.run([found("ip") or "ip", "link", "delete", device], capture_output=True, check=False)

    # -- the daemons

    def start_database(self) -> None:
        """Start ovsdb-server; it answers when this returns."""
        where = [str(FOLDER / "conf.db"), f"--remote=punix:{SOCKET}", f"--unixctl={FOLDER}/ovsdb.ctl"]
        self._database = self._start("ovsdb-server", *where)
        self._until("the database answers", lambda: self._answers(self._database))

    def start_switch(self) -> None:
        """Start ovs-vswitchd; what the database has is there when this returns."""
        self._switch = self._start(
            "ovs-vswitchd", f"unix:{SOCKET}", "--disable-system", f"--unixctl={FOLDER}/vswitchd.ctl"
        )
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:started={time.monotonic_ns()}")

    def kill_database(self) -> None:
        """kill -9."""
        self._kill(self._database)
        SOCKET.unlink(missing_ok=True)

    def kill_switch(self) -> None:
        """kill -9."""
        self._kill(self._switch)

    def pause_database(self, *, paused: bool) -> None:
        """Let it answer nobody, or go on."""
        assert self._database is not None
        self._database.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    # -- a look at it, and an L2 agent's work

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl, which must succeed; it returns when ovs-vswitchd has done it."""
        return self._run("ovs-vsctl", "--timeout=15", f"--db=unix:{SOCKET}", *arguments)

    def row(self, table: str, name: str) -> dict[str, Any] | None:
        """A row by its name: values by column, as ovs-vsctl writes JSON; None: there is none."""
        told = json.loads(self.vsctl("--no-wait", "--format=json", "find", table, f"name={name}"))
        rows = [dict(zip(told["headings"], data, strict=True)) for data in told["data"]]
        return rows[0] if rows else None

    def external_ids(self, name: str) -> dict[str, str]:
        """Those of an interface."""
        row = self.row("Interface", name)
        assert row is not None, name
        return dict(row["external_ids"][1])

    def ports(self) -> list[str]:
        """The names of the bridge's ports, sorted."""
        return sorted(self.vsctl("list-ports", BRIDGE).split())

    def wire(self, name: str, tag: int) -> None:
        """Give a port its VLAN, as an L2 agent does (Neutron: port_bound)."""
        self.vsctl(
            *("set", "Port", name, f"tag={tag}", f"other_config:tag={tag}", "other_config:physical_network=none"),
            *("--", "clear", "Port", name, "vlan_mode", "--", "clear", "Port", name, "trunks"),
        )

    def wired(self, name: str) -> tuple[Any, ...]:
        """What an L2 agent sets of a port."""
        row = self.row("Port", name)
        assert row is not None, name
        return tuple(row[column] for column in ("_uuid", "tag", "vlan_mode", "trunks", "other_config"))

    def station(self, name: str, tag: int) -> str:
        """A virtual machine's place on a VLAN: the name of its device, which is beside Open vSwitch's."""
        outer = f"{name}-ovs"
        self._stations.append(name)
        self._run("ip", "link", "add", name, "type", "veth", "peer", "name", outer)
        for device in (name, outer):
            Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1")
            self._run("ip", "link", "set", device, "up")
        self.vsctl("add-port", BRIDGE, outer, "--", "set", "Port", outer, f"tag={tag}")
        return name

    # -- how

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        path = found(program)
        assert path is not None
        with (FOLDER / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                preexec_fn=_with_the_test,
            )

    def _run(self, program: str, *arguments: str) -> str:
        argv = [found(program) or program, *arguments]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=self._environment(), check=False)
        assert ran.returncode == 0, f"{' '.join(argv)}: {ran.stderr}{self._logs()}"
        return ran.stdout

    def _environment(self) -> dict[str, str]:
        folders = dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"), str(FOLDER))
        return os.environ | folders

    def _answers(self, daemon: subprocess.Popen[bytes] | None) -> bool:
        assert daemon is not None
        assert daemon.poll() is None, self._logs()
        return SOCKET.exists()

    def _until(self, what: str, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not look():
            assert time.monotonic() < deadline, f"{what}, and it does not: {self._logs()}"
            time.sleep(0.01)

    def _kill(self, daemon: subprocess.Popen[bytes] | None) -> None:
        if daemon is not None and daemon.poll() is None:
            daemon.kill()
            daemon.wait(_PATIENCE)

    def _logs(self) -> str:
        return "".join(f"\n{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(FOLDER.glob("*.log")))
