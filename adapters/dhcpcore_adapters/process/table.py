"""Which processes are ours: every dnsmasq and haproxy whose command line shows the agent's paths, whoever started it.

Knows the agent's directories and /proc; remembers only whose each process is, so that hundreds of others need not be
read to find one instance's.  A dnsmasq forks a child for each DNS query over TCP, with
its own command line (src/dnsmasq.c, check_dns_listeners); such a child serves no DHCP and is no instance, also when it
has outlived its parent: then the pid file tells another process's id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from attrs import evolve, frozen

from dhcpcore import InstanceKey, ObservedProcess, parse_command_line
from dhcpcore_adapters.plain_files import opened_plain
from dhcpcore_adapters.process import proc
from dhcpcore_adapters.process.namespaces import NamedNamespaces, name_for, namespace_of_process
from dhcpcore_adapters.process.stopped import those_that_stay

DNSMASQ = "dnsmasq"
HAPROXY = "haproxy"

#: Program and owner.
Whose = tuple[str, str]


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
        self._whose: Mapping[proc.Entry, Whose] = {}

    def instance(self, key: InstanceKey) -> list[Found]:
        """The processes of one instance, its children for queries among them."""
        return self._main(self._candidates((DNSMASQ, key.directory)))

    def proxy(self, proxy_id: str) -> list[Found]:
        """The processes of one proxy."""
        return self._main(self._candidates((HAPROXY, proxy_id)))

    def observe(self) -> Sequence[ObservedProcess]:
        """Everything that serves, in order of pids, with its namespace."""
        names = self._namespaces.names()
        found = self._main(self._candidates())
        stopped = those_that_stay(each.seen.pid for each in found if each.seen.stopped)
        observed = []
        for each in found:
            if each.is_main:
                identity = namespace_of_process(each.seen.pid)
                # An instance's owner ends with its network's id; a proxy's is that, or a router's.
                network_id = each.seen.owner.rpartition("/")[2]
                name = name_for(names.get(identity, ()), network_id) if identity else None
                pid = each.seen.pid
                seen = evolve(each.seen, namespace=name, replaced=proc.is_replaced(pid), stopped=pid in stopped)
                observed.append(seen)
        return observed

    def _candidates(self, wanted: Whose | None = None) -> list[tuple[ObservedProcess, int, str | None]]:
        """Live processes of ours, with the id of their parent and the path of their pid file.

        Args:
            wanted: whose; default everybody's.
        """
        before, whose, found = self._whose, dict[proc.Entry, Whose](), []
        for entry in proc.entries():
            its = before.get(entry)
            # One that is an instance's never becomes another's. What it may become is no instance's at all (dnsmasq
            # runs scripts), so those that are wanted are read, whatever is remembered; and so are all unknown ones.
            if its is None or wanted in (None, its):
                argv = proc.command_line(entry[0])
                program = os.path.basename(argv[0]) if argv else ""
                owner, pid_file = self._owner(program, argv)
                if owner is None:
                    continue
                its = program, owner
                now = proc.status(entry[0]) if wanted in (None, its) else None
                if now is not None and now.is_alive:
                    seen = ObservedProcess(
                        program=program,
                        owner=owner,
                        pid=entry[0],
                        argv=argv,
                        started=now.started,
                        stopped=now.is_stopped,
                    )
                    found.append((seen, now.parent, pid_file))
            whose[entry] = its
        # Another thread's is as good: what is forgotten is read again.
        self._whose = whose
        return found

    def _owner(self, program: str, argv: tuple[str, ...]) -> tuple[str | None, str | None]:
        if program not in (DNSMASQ, HAPROXY):
            return None, None
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
        with opened_plain(path) as descriptor:
            text = os.read(descriptor, 32).strip() if descriptor is not None else b""
    except (OSError, ValueError):
        return True
    return not text.isdigit() or int(text) in proc.pids_as_seen_inside(pid)
