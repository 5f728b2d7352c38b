"""What the installed dnsmasq itself says about configuration text: the judge of every test on syntax.

One dnsmasq lives in a network namespace of its own, logs to a pipe, and is told by SIGHUP to read three files that
the oracle has written. It answers in about a millisecond, reports every bad line and never sees a packet. A command
line argument is put to `dnsmasq --test`.

Knows how dnsmasq 2.90 words its complaints (option.c read_file, cache.c read_hostsfile); knows nothing of dhcpcore.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Self

Text = str | bytes
Problem = tuple[int, str]

_HOSTS_OR_OPTIONS: Final = re.compile(rb"(.*) at line (\d+) of ")
_ADDN: Final = re.compile(rb"(bad address|bad name) at .* line (\d+)")
_PREFIX: Final = re.compile(rb"dnsmasq(?:-\w+)?\[\d+\]: ")
# SIGUSR1 makes dnsmasq log its statistics (cache.c dump_cache). The first line is ours to wait for.
_STATISTICS: Final = re.compile(rb"time \d+$")
_EVERYDAY: Final = re.compile(
    rb"(read|time|cache size|cleared cache|queries|DNSSEC|pool memory|child processes|server) |"
    rb"(started|compile time options|DHCP, static leases|DHCP, sockets|inotify|warning: no upstream servers)"
)
# dnsmasq reads its files with fgets into 1025 bytes: a longer line is read as several (option.c read_file, MAXDNAME).
_LONGEST_LINE: Final = 1024
_ANSWER_SECONDS: Final = 60.0


class OracleDied(RuntimeError):
    """dnsmasq ended, or stopped answering, while it read the files. The next question starts a new one."""


@dataclass(frozen=True, kw_only=True)
class FileProblems:
    """Every complaint about one set of files: (line number from 1, reason), in the order dnsmasq found them."""

    host: list[Problem] = field(default_factory=list)
    addn_hosts: list[Problem] = field(default_factory=list)
    opts: list[Problem] = field(default_factory=list)
    #: What was logged without a line number, warnings mostly: a name that addn_hosts gives to another host's address.
    other: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether a line was refused. Warnings do not count: the stock agent's dual-stack hosts cause them too."""
        return bool(self.host or self.addn_hosts or self.opts)


@cache
def _found(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


@cache
def _namespace_command() -> tuple[str, ...] | None:
    """The command prefix that gives a new network namespace here, or None: as an ordinary user first, then as root."""
    unshare = _found("unshare")
    if unshare is None:
        return None
    for flags in ("-rn", "-n"):
        prefix = (unshare, flags)
        tried = subprocess.run([*prefix, "true"], capture_output=True, timeout=20, check=False)
        if tried.returncode == 0:
            return prefix
    return None


@cache
def dnsmasq_version() -> tuple[int, ...] | None:
    """(2, 90) for dnsmasq 2.90; None where there is no dnsmasq."""
    dnsmasq = _found("dnsmasq")
    if dnsmasq is None:
        return None
    said = subprocess.run([dnsmasq, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"version (\d+(?:\.\d+)*)", said)
    return tuple(map(int, found[1].split("."))) if found else ()


def missing() -> str | None:
    """Why there can be no oracle here, for `pytest.skip`; None when there can."""
    if dnsmasq_version() is None:
        return "dnsmasq is not installed"
    if _namespace_command() is None:
        return "no network namespace can be made here (unshare -rn and unshare -n both failed)"
    return None


def _as_bytes(text: Text) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _join(lines: Iterable[Text], *, split_long: bool) -> tuple[bytes, list[int]]:
    """One file of `lines`, and for each line as dnsmasq counts them the number (from 1) of the line it came from."""
    numbers: list[int] = []
    encoded = [_as_bytes(line) for line in lines]
    for number, line in enumerate(encoded, 1):
        for part in line.split(b"\n"):
            # With its newline a line of 1024 bytes is read as 1024 bytes and an empty rest.
            pieces = -(-(len(part) + 1) // _LONGEST_LINE) if split_long else 1
            numbers.extend([number] * pieces)
    return b"".join(line + b"\n" for line in encoded), numbers


class DnsmasqOracle:
    """A dnsmasq to ask. Use it as a context manager; it serves any number of questions, one after another.

    Attributes:
        locale: what dnsmasq gets as LC_ALL. It decides the fate of names that are not ASCII: refused in `C`, put
            into their IDNA form in `C.UTF-8` (libidn2 converts from the encoding of the locale).

    The process ends with the block, with the interpreter, and (where there is `setpriv`) with the thread that
    started it, however that ends.
    """

    def __init__(self, *, locale: str = "C.UTF-8") -> None:
        self.locale = locale
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        if reason := missing():
            raise OracleDied(reason)
        self._folder = Path(tempfile.mkdtemp(prefix="dnsmasq-oracle-"))
        atexit.register(self.close)
        self._ask({})
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove its files. May be called again."""
        atexit.unregister(self.close)
        self._stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def check_hosts(self, lines: Sequence[Text]) -> list[Problem]:
        """The refused lines of one --dhcp-hostsfile: (line number from 1, reason). Lines come without newlines."""
        text, numbers = _join(lines, split_long=True)
        return _renumbered(self.check_files(host=text).host, numbers)

    def check_options(self, lines: Sequence[Text]) -> list[Problem]:
        """The refused lines of one --dhcp-optsfile: (line number from 1, reason). Lines come without newlines."""
        text, numbers = _join(lines, split_long=True)
        return _renumbered(self.check_files(opts=text).opts, numbers)

    def check_addn(self, lines: Sequence[Text]) -> list[Problem]:
        """The lines of one --addn-hosts file with a refused address or name, once for each refused name."""
        text, numbers = _join(lines, split_long=False)
        return _renumbered(self.check_files(addn_hosts=text).addn_hosts, numbers)

    def check_files(self, host: Text = b"", addn_hosts: Text = b"", opts: Text = b"") -> FileProblems:
        """Put three whole files to dnsmasq. Line numbers are dnsmasq's own: a line over 1024 bytes counts as several.

        Raises:
            OracleDied: dnsmasq crashed, or gave no answer in a minute.
        """
        files = {"host": _as_bytes(host), "addn_hosts": _as_bytes(addn_hosts), "opts": _as_bytes(opts)}
        return self._sorted(self._ask(files))

    def _sorted(self, log: list[bytes]) -> FileProblems:
        problems = FileProblems()
        folder = str(self._folder).encode()
        for line in log:
            said = _PREFIX.sub(b"", line, count=1)
            if (found := _ADDN.match(said)) and folder + b"/addn_hosts" in said:
                problems.addn_hosts.append((int(found[2]), found[1].decode()))
            elif (found := _HOSTS_OR_OPTIONS.match(said)) and folder in said:
                into = problems.host if said.endswith(b"/host") else problems.opts
                into.append((int(found[2]), found[1].decode("utf-8", "replace")))
            elif not _EVERYDAY.match(said):
                problems.other.append(said.decode("utf-8", "replace"))
        return problems

    def _ask(self, files: dict[str, bytes]) -> list[bytes]:
        assert self._folder is not None, "the oracle is used inside its with block"
        for name in ("host", "addn_hosts", "opts"):
            (self._folder / name).write_bytes(files.get(name, b""))
        if self._process is None:
            self._process = self._start()
        else:
            self._process.send_signal(signal.SIGHUP)
        try:
            log = self._read_log(f"read {self._folder}/opts".encode())
            # Names of addn_hosts are held against the hosts only after the last file is read (dhcp-common.c
            # dhcp_update_configs). Signals are handled in turn, so what it warns of comes before the statistics.
            self._process.send_signal(signal.SIGUSR1)
            return log + self._read_log(_STATISTICS)
        except OracleDied:
            self._stop()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        namespace = _namespace_command()
        dnsmasq = _found("dnsmasq")
        assert namespace is not None
        assert dnsmasq is not None
        assert self._folder is not None
        # Orders the kernel to end dnsmasq together with us, even when we are killed.
        setpriv = _found("setpriv")
        leash = (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
        arguments = [
            "--keep-in-foreground",
            "--log-facility=-",
            "--conf-file=/dev/null",
            # Inside a user namespace there is one user and no other group to change to.
            "--user=root",
            "--group=",
            "--no-resolv",
            "--no-hosts",
            # Names are read for DNS only, so it must be on. Nobody can reach it: no device of the namespace is up.
            "--port=53",
            "--bind-dynamic",
            "--no-ping",
            "--pid-file=",
            "--leasefile-ro",
            "--dhcp-range=198.18.0.0,static",
            f"--dhcp-hostsfile={self._folder}/host",
            f"--addn-hosts={self._folder}/addn_hosts",
            f"--dhcp-optsfile={self._folder}/opts",
        ]
        self._unread = b""
        return subprocess.Popen(
            [*namespace, *leash, dnsmasq, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(self.locale),
        )

    def _read_log(self, last: bytes | re.Pattern[bytes]) -> list[bytes]:
        """The lines logged from here up to one that ends in `last`, or in which it is found."""
        assert self._process is not None
        assert self._process.stderr is not None
        pipe = self._process.stderr.fileno()
        ends = re.compile(re.escape(last) + b"$").search if isinstance(last, bytes) else last.search
        deadline = time.monotonic() + _ANSWER_SECONDS
        log: list[bytes] = []
        while True:
            *lines, self._unread = self._unread.split(b"\n")
            for at, line in enumerate(lines):
                log.append(line)
                if ends(line):
                    self._unread = b"\n".join([*lines[at + 1 :], self._unread])
                    return log
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OracleDied(f"no answer in {_ANSWER_SECONDS:.0f} s; last said {log[-1:]!r}")
            part = os.read(pipe, 1 << 16)
            if not part:
                code = self._process.wait(timeout=10)
                raise OracleDied(f"dnsmasq ended with {code}; last said {log[-3:]!r}")
            self._unread += part

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(timeout=10)
        if process.stderr is not None:
            process.stderr.close()


def _renumbered(problems: list[Problem], numbers: list[int]) -> list[Problem]:
    return [(numbers[line - 1], reason) for line, reason in problems]


def check_arguments(arguments: Sequence[str], *, locale: str = "C.UTF-8") -> str | None:
    """Why `dnsmasq --test` refuses this command line, in its own words, or None.

    It opens no socket and changes nothing, but it looks up a server that is given by name: so it runs in a namespace
    where there is nobody to ask.
    """
    dnsmasq, namespace = _found("dnsmasq"), _namespace_command()
    assert dnsmasq is not None
    assert namespace is not None
    said = subprocess.run(
        [*namespace, dnsmasq, "--test", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        env=_environment(locale),
    )
    if said.returncode == 0:
        return None
    words = said.stderr.decode("utf-8", "replace").strip().removeprefix("dnsmasq: ")
    return words.removeprefix("bad command line options: ").removesuffix(".") or f"exit code {said.returncode}"


def option_names(family: str) -> dict[str, int]:
    """The names that `dnsmasq --help dhcp` (or dhcp6) lists, with their numbers."""
    dnsmasq = _found("dnsmasq")
    assert dnsmasq is not None
    said = subprocess.run([dnsmasq, "--help", family], capture_output=True, text=True, timeout=20, check=True).stdout
    return {name: int(code) for code, name in re.findall(r"^ *(\d+) (\S+)$", said, re.MULTILINE)}


def _environment(locale: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return kept | {"LC_ALL": locale}
