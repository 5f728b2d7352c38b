"""Which processes are ours: every dnsmasq and haproxy whose command line shows the agent's paths, whoever started it.

Knows the agent's directories and /proc; remembers nothing.  A dnsmasq forks a child for each DNS query over TCP, with
its own command line (src/dnsmasq.c, check_dns_listeners); such a child serves no DHCP and is no instance, also when it
has outlived its parent: then the pid file tells another process's id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise

from attrs import evolve, frozen

from dhcpcore import InstanceKey, ObservedProcess, parse_command_line
from dhcpcore_adapters.process import proc
from dhcpcore_adapters.process.namespaces import NamedNamespaces, namespace_of_process

DNSMASQ = "dnsmasq"
HAPROXY = "haproxy"


@frozen(kw_only=True)
class Found:
    """A live process of ours.

    Attributes:
        seen: as it is told; its namespace is left out.
        is_main: it is the one that serves, no child for a query.
    """

    seen: ObservedProcess
    is_main: bool = True


class ProcessTable:
    """Looks for our processes on the host.

    Args:
        dhcp_confs, proxy_config_dir: the agent's directories, absolute.
    """

    def __init__(self, *, dhcp_confs: str, proxy_config_dir: str, namespaces: NamedNamespaces) -> None:
        self._dhcp_confs = dhcp_confs.rstrip("/")
        self._proxy_config_dir = proxy_config_dir.rstrip("/")
        self._namespaces = namespaces

    def instance(self, key: InstanceKey) -> list[Found]:
        """The processes of one instance, its children for queries among them."""
        return self._of(DNSMASQ, key.directory, f"{self._dhcp_confs}/{key.directory}/")

    def proxy(self, proxy_id: str) -> list[Found]:
        """The processes of one proxy."""
        return self._of(HAPROXY, proxy_id, f"{self._proxy_config_dir}/{proxy_id}.conf")

    def observe(self) -> Sequence[ObservedProcess]:
        """Everything that serves, in order of pids, with its namespace."""
        names = self._namespaces.names()
        observed = []
        for each in self._main(self._candidates((DNSMASQ, HAPROXY), "/")):
            if each.is_main:
                identity = namespace_of_process(each.seen.pid)
                observed.append(evolve(each.seen, namespace=names.get(identity) if identity else None))
        return observed

    def _of(self, program: str, owner: str, path: str) -> list[Found]:
        return self._main(each for each in self._candidates((program,), path) if each[0].owner == owner)

    def _candidates(self, programs: Sequence[str], path: str) -> Iterable[tuple[ObservedProcess, int, str | None]]:
        """Live processes, with the id of their parent and the path of their pid file.

        Args:
            path: stands in their command lines; hundreds of others need not be taken apart then.
        """
        for pid, argv in proc.command_lines(programs, path):
            program = os.path.basename(argv[0])
            owner, pid_file = self._owner(program, argv)
            now = proc.status(pid) if owner is not None else None
            if owner is not None and now is not None and now.is_alive:
                seen = ObservedProcess(program=program, owner=owner, pid=pid, argv=argv, started=now.started)
                yield seen, now.parent, pid_file

    def _owner(self, program: str, argv: tuple[str, ...]) -> tuple[str | None, str | None]:
        if program == DNSMASQ:
            line = parse_command_line(argv)
            key = line.instance_key(self._dhcp_confs)
            return (None if key is None else key.directory), line.pid_file
        for option, path in pairwise(argv):
            directory, _, name = path.rpartition("/")
            if option == "-f" and directory == self._proxy_config_dir and name.endswith(".conf"):
                return name.removesuffix(".conf"), None
        return None, None

    def _main(self, candidates: Iterable[tuple[ObservedProcess, int, str | None]]) -> list[Found]:
        found = sorted(candidates, key=lambda each: each[0].pid)
        owners = {seen.pid: (seen.program, seen.owner) for seen, _, _ in found}
        return [
            Found(
                seen=seen,
                is_main=owners.get(parent) != (seen.program, seen.owner)
                and (pid_file is None or _is_in_pid_file(seen.pid, pid_file)),
            )
            for seen, parent, pid_file in found
        ]


def _is_in_pid_file(pid: int, path: str) -> bool:
    """Whether a pid file tells this process; one that is missing or says nothing tells nothing against it."""
    try:
        with open(path, "rb") as file:
            text = file.read(32).strip()
    except OSError:
        return True
    return not text.isdigit() or int(text) in proc.pids_as_seen_inside(pid)
