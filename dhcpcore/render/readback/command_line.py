"""dnsmasq's command line, read back from a plan or from ``/proc/PID/cmdline``.

Total: a command line of somebody else's dnsmasq, or of no dnsmasq at all, only has nothing to tell.  Empty arguments
are dropped, the stock agent leaves one where it wants no ``--no-resolv``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import fields, frozen

from dhcpcore.errors import PayloadError
from dhcpcore.model.checks import check_id
from dhcpcore.model.spec import InstanceKey
from dhcpcore.render.readback.source import as_text

#: Options with a path into the instance's directory, and the file's name there.
_FILES: Final = (
    ("dhcp-hostsfile", "host"),
    ("pid-file", "pid"),
    ("addn-hosts", "addn_hosts"),
    ("dhcp-optsfile", "opts"),
    ("dhcp-leasefile", "leases"),
)


@frozen(kw_only=True)
class DnsmasqCommandLine:
    """A command line, option by option.

    Attributes:
        program: the first argument, empty where there is none.
        options: (name without dashes, value or None) in order; a repeated option comes as often as it is given.
        arguments: what is no option, in order.
    """

    program: str = ""
    options: tuple[tuple[str, str | None], ...] = ()
    arguments: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether the option is given, with a value or without."""
        return any(given == name for given, _ in self.options)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a repeatable option, in order."""
        return tuple(value for given, value in self.options if given == name and value is not None)

    def value(self, name: str) -> str | None:
        """The value of an option, the last one where it is given more than once; None where it has none."""
        return next((value for given, value in reversed(self.options) if given == name), None)

    @property
    def pid_file(self) -> str | None:
        """Path of the pid file."""
        return self.value("pid-file")

    @property
    def hostsfile(self) -> str | None:
        """Path of the DHCP hosts file."""
        return self.value("dhcp-hostsfile")

    @property
    def ranges(self) -> tuple[str, ...]:
        """The values of ``--dhcp-range``."""
        return self.values("dhcp-range")

    @property
    def interface(self) -> str | None:
        """The device it is bound to, from ``--interface`` or the first field of ``--bridge-interface``."""
        bridge = self.value("bridge-interface")
        return self.value("interface") or (bridge.partition(",")[0] if bridge else None) or None

    @property
    def lease_max(self) -> int | None:
        """``--dhcp-lease-max``, None where it is not given or no number."""
        value = self.value("dhcp-lease-max") or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def directory(self) -> str | None:
        """The directory that its files share, without a slash at the end; None where they share none.

        The hosts file must be given and named as the agent names it; of the other files those that are given.
        """
        found: set[str] = set()
        for option, name in _FILES:
            path = self.value(option)
            if path is None:
                if name == "host":
                    return None
                continue
            directory, slash, last = path.rpartition("/")
            if not slash or last != name:
                return None
            found.add(directory)
        return found.pop() if len(found) == 1 else None

    def instance_key(self, dhcp_confs: str) -> InstanceKey | None:
        """Which instance it serves: its directory is ``<dhcp_confs>/[<segmentation>/]<network id>``; None if it is not.

        Args:
            dhcp_confs: the agent's directory of that name, absolute.
        """
        directory = self.directory
        root = dhcp_confs.rstrip("/") + "/"
        if directory is None or not directory.startswith(root):
            return None
        names = directory[len(root) :].split("/")
        if len(names) > 2 or any(name in ("", ".", "..") for name in names):
            return None
        try:
            for name in names:  # of what may be anybody's process; it will name directories of ours
                check_id(None, fields(InstanceKey).network_id, name)
            return InstanceKey(network_id=names[-1], segmentation=names[0] if len(names) == 2 else None)
        except PayloadError:
            return None


def parse_command_line(data: Iterable[str] | str | bytes) -> DnsmasqCommandLine:
    """A command line from its arguments, or from one text with a NUL after each, as /proc has it.  Never raises."""
    arguments = as_text(data).split("\0") if isinstance(data, (str, bytes)) else list(data)
    given = [argument for argument in arguments if argument]
    options: list[tuple[str, str | None]] = []
    others: list[str] = []
    for argument in given[1:]:
        name = argument.lstrip("-")
        if argument.startswith("-") and name:
            name, equals, value = name.partition("=")
            options.append((name, value if equals else None))
        else:
            others.append(argument)
    return DnsmasqCommandLine(program=given[0] if given else "", options=tuple(options), arguments=tuple(others))
