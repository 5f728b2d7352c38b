"""A real dnsmasq reads whatever we render, valid or hostile, without a word of complaint.

Networks come from the generator of the parity tests: half of them as Neutron sends them, half with things put in that
no renderer should trust. What we refuse to take in at all is not rendered, so not counted. One property draws from
dhcpcore.testing as well, so that a failure is made small.
DHCPCORE_DNSMASQ_READS: how many networks (2,000); DHCPCORE_DNSMASQ_SEED: which ones (any number).
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.errors import PayloadError, SettingsError
from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.render.files import RenderedFiles, render_files
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.views import instance_views
from dhcpcore.testing import Flavour, strategies
from dhcpcore.wire import parse_network
from draw import Draw
from generate import requests
from support import dnsmasq_oracle
from support import namespace as namespaces
from support.dnsmasq_oracle import DnsmasqOracle, check_arguments
from support.namespace import Namespace
from support.running_dnsmasq import plug, relocated, start

COUNT: Final = int(os.environ.get("DHCPCORE_DNSMASQ_READS", "2000"))
# Parts of each test, for as many processes as there may be; odd ones are hostile.
SHARDS: Final = 8
#: One network in so many is really started.
_STARTED: Final = 20
#: So many networks' leases are put to dnsmasq at once.
_AT_ONCE: Final = 25
_SEED: Final = 1000 * int(os.environ.get("DHCPCORE_DNSMASQ_SEED", "10"))

# Warnings about names, not about lines: an owner may give one name to two ports, or to two addresses. dnsmasq looks a
# reservation's name up in addn_hosts for the address of the other family (src/dhcp-common.c, dhcp_update_configs), and
# lets no lease have a name that another address has there. The bytes are Neutron's; every line is read as it is meant.
_NAMES_SHARED: Final = re.compile(
    r"duplicate IP address \S+ \(\S+\) in dhcp-config directive|"
    r"\S+ has more than one address in hostsfile, using \S+ for DHCP|"
    r"not giving name \S+ to the DHCP lease of \S+ because the name exists in \S+ with address \S+"
).fullmatch
_EVERYDAY: Final = re.compile(
    r"started, version |compile time options: |DNS service limited to local subnets|read \S+|reading \S+|cleared cache|"
    r"warning: no upstream servers configured|using nameserver \S+|using only locally-known addresses for |"
    r"DHCP(v6)?, static leases only on |query\[TXT\] version\.bind from 127\.0\.0\.1|config version\.bind is <TXT>"
).match


_LEASE_LINES: Final = (
    "1900000000 1 ADDRESS * 00:01:00:01:aa", "0 T4294967295 ADDRESS name 0:1", "1900000000 1 ADDRESS a name 00:01",
    "1900000000 1 ADDRESS *", "1900000000 1 ADDRESS * 00:01 more", "x 1 ADDRESS * 00:01", "-1 1 ADDRESS * 00:01",
    "1900000000 x ADDRESS * 00:01", "1900000000 1 ADDRESS * zz:zz", "1900000000 1 ADDRESS * 0", "1 1 ADDRESS  00:01",
    "1900000000 1 ADDRESS * " + "00:" * 300 + "00", "1900000000 1 ADDRESS " + "n" * 300 + " 00:01",
    "1900000000 " + "9" * 300 + " ADDRESS * 00:01", "1900000000\t1 ADDRESS * 00:01", "1900000000 1 [ADDRESS] * 00:01",
)  # fmt: skip


@frozen(kw_only=True)
class Instance:
    """One rendered instance; `name` says where its network came from."""

    name: str
    request: dict[str, Any]
    files: RenderedFiles
    leases: str
    directory: str


@pytest.fixture(scope="module")
def oracle() -> Iterator[DnsmasqOracle]:
    _need_dnsmasq()
    _need_namespaces()
    with DnsmasqOracle() as asked:
        yield asked


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    _need_dnsmasq()
    _need_namespaces()
    with Namespace() as entered:
        yield entered


def _need_dnsmasq() -> None:
    if dnsmasq_oracle.dnsmasq_version() is None:
        pytest.skip("there is no dnsmasq here: apt-get install dnsmasq-base")


def _need_namespaces() -> None:
    if reason := namespaces.missing() or dnsmasq_oracle.missing():
        pytest.skip(reason)


# -- networks


@cache
def instances(shard: int) -> tuple[Instance, ...]:
    """One part of the networks, rendered: the first of the generator's that we take in."""
    wanted = COUNT // SHARDS + (shard < COUNT % SHARDS)
    mode = "hostile" if shard % 2 else "valid"
    draw = Draw(_SEED + shard)
    found: list[Instance] = []
    networks = 0
    for index, request in enumerate(requests(_SEED + shard, 5 * wanted + 20, mode)):
        if networks == wanted:
            break
        try:
            if mode == "hostile" and index % 2:
                request["previous_leases"] = _damaged_leases(draw, parse_network(request["network"]))
            found += _rendered(f"{mode} seed {_SEED + shard}, request {index}", request, request["settings"])
            networks += 1
        except (PayloadError, SettingsError):
            continue
    assert networks == wanted, "the generator draws too few networks that can be taken in"
    return tuple(found)


def _rendered(name: str, request: dict[str, Any], options: dict[str, Any]) -> list[Instance]:
    network, settings = parse_network(request["network"]), Settings.from_mapping(options)
    found = []
    for view in instance_views(network):
        files = render_files(
            view,
            settings=settings,
            interface_name=request.get("interface_name", "tap0"),
            interface_addresses=request.get("interface_addresses", ()),
            bridged=request.get("bridged", True),
            capabilities=DnsmasqCapabilities(host_tags=request.get("host_tag_support", True)),
        )
        leases, _ = render_initial_leases(view, settings=settings, previous=request.get("previous_leases"))
        directory = f"{settings.confs_dir}/{view.key.directory}"
        found.append(Instance(name=name, request=request, files=files, leases=leases, directory=directory))
    return found


def _damaged_leases(draw: Draw, network: Network) -> str:
    """A leases file with a line for each IPv6 address of the network; most would lose the others, or break dnsmasq."""
    addresses = [fixed.ip_address for port in network.ports for fixed in port.fixed_ips if ":" in fixed.ip_address]
    ends = ("\n", "\n", "\n", "\r\n", "")
    lines = [draw.one(_LEASE_LINES).replace("ADDRESS", address) + draw.one(ends) for address in addresses]
    return "duid 00:01:00:01:aa:bb\n" + "".join(lines)


# -- hosts, names, options


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_line_of_every_file_is_read(oracle: DnsmasqOracle, shard: int) -> None:
    """Law: for every network that we take in, dnsmasq refuses no line of host, addn_hosts and opts, and warns of
    nothing but names that their owners gave twice.
    """
    complaints = [
        f"{instance.name}: {complaint}"
        for instance in instances(shard)
        for complaint in _complaints(oracle, instance.files)
    ]
    assert not complaints, _told(complaints)


_FLAVOURS: Final = st.sampled_from(Flavour)


@given(network=_FLAVOURS.flatmap(strategies.networks), settings=_FLAVOURS.flatmap(strategies.settings))
def test_every_line_of_any_network_is_read(oracle: DnsmasqOracle, network: Network, settings: Settings) -> None:
    """Law: the same holds for every network and all settings that our models can hold, whoever made them."""
    for view in instance_views(network):
        files = render_files(view, settings=settings, interface_name="tap0", interface_addresses=())
        assert _complaints(oracle, files) == []


def _complaints(oracle: DnsmasqOracle, files: RenderedFiles) -> list[str]:
    problems = oracle.check_files(host=files.host, addn_hosts=files.addn_hosts, opts=files.opts)
    complaints = [said for said in problems.other if not _NAMES_SHARED(said)]
    for name in ("host", "addn_hosts", "opts"):
        lines = getattr(files, name).split("\n")
        for number, reason in getattr(problems, name):
            complaints.append(f"{name} line {number}, {lines[number - 1]!r}: {reason}")
    return complaints


def _told(complaints: list[str]) -> str:
    return f"{len(complaints)} complaints:\n" + "\n".join(complaints[:20])


# -- command lines


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_command_line_is_accepted(shard: int) -> None:
    """Law: dnsmasq finds no fault with the command line of any network that we take in."""
    _need_dnsmasq()
    complaints: list[str] = []
    for instance in instances(shard):
        # Some options may be given once only, so several command lines cannot be put to it at once.
        reason = check_arguments(_arguments(instance))
        if reason is not None:
            complaints.append(f"{instance.name}: {list(instance.files.argv)}: {reason}")
    assert not complaints, _told(complaints)


def _arguments(instance: Instance) -> list[str]:
    # Which file an operator names is no matter of syntax, but it would be opened.
    arguments = instance.files.argv[1:]
    return ["--conf-file=/dev/null" if one.startswith("--conf-file=") else one for one in arguments]


# -- leases


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_lease_is_read(namespace: Namespace, shard: int, tmp_path: Path) -> None:
    """Law: dnsmasq has read every lease of every leases file as it is written, and there are never more of them than
    its own command line lets it have.

    It logs nothing about its leases file where anybody could look, but writes the file anew once a lease has expired.
    So the files of some networks are put between one lease that has, and one that must come out again at the end.
    """
    every = instances(shard)
    complaints = [complaint for instance in every for complaint in _too_many_leases(instance)]
    for at in range(0, len(every), _AT_ONCE):
        some = every[at : at + _AT_ONCE]
        if not _lost_leases(namespace, tmp_path, some):
            continue
        lost = [
            f"{instance.name}: {complaint}"
            for instance in some
            for complaint in _lost_leases(namespace, tmp_path, [instance])
        ]
        assert lost, "leases are lost together and not one by one"
        complaints += lost
    assert not complaints, _told(complaints)


def _too_many_leases(instance: Instance) -> list[str]:
    # Without a range there is no DHCP, and the file is not read.
    if not any(argument.startswith("--dhcp-range=") for argument in instance.files.argv):
        return []
    (most,) = (
        int(argument.partition("=")[2]) for argument in instance.files.argv if argument.startswith("--dhcp-lease-max=")
    )
    count = sum(not line.startswith("duid ") for line in instance.leases.splitlines())
    return [f"{instance.name}: {count} leases and --dhcp-lease-max={most}"] if count > most else []


def _lost_leases(namespace: Namespace, folder: Path, some: Sequence[Instance]) -> list[str]:
    """What dnsmasq did not read as it is written in the leases of these instances, one after another."""
    expired, last = "1 06:00:00:00:00:09 198.18.0.9 * *\n", "0 06:00:00:00:00:0a 198.18.0.10 * *\n"
    text = expired + "".join(instance.leases for instance in some) + last
    directory = folder / "leases"
    argv = ["dnsmasq", "--no-hosts", "--no-resolv", "--bind-dynamic", f"--conf-file={folder}/dnsmasq.conf",
            f"--pid-file={directory}/pid", f"--dhcp-leasefile={directory}/leases", "--dhcp-lease-max=10000000",
            "--dhcp-range=198.18.0.0,static", "--dhcp-range=2001:db8:ffff::,static,64"]  # fmt: skip
    _plugged(namespace)
    start(namespace, folder, argv, {"leases": text}, directory=str(directory))
    written = (directory / "leases").read_text()
    return _differences(text, written, may_lack=[expired])


def _plugged(namespace: Namespace) -> None:
    """Begin anew, with a device: a DHCPv6 server makes itself an id from what it finds on one."""
    namespace.renew()
    plug(namespace, "tap0", "06:00:00:00:00:02", 1500, [])


def _differences(text: str, written: str, *, may_lack: Sequence[str] = ()) -> list[str]:
    """How the leases file that dnsmasq wrote differs from the one it was given; leases may have expired."""
    given, got = Counter(map(_lease, _leases(text))), Counter(map(_lease, _leases(written)))
    now = time.time()
    lost = [lease for lease in (given - got) if not 0 < lease[0] <= now]
    told = [f"the lease {lease} was lost" for lease in lost]
    told += [f"the lease {lease} was made up" for lease in got - given]
    # Of several the last counts; where there is none dnsmasq makes itself one.
    if (duids := _duids(text)) and duids[-1:] != _duids(written):
        told.append(f"the server's DUID {duids[-1]} was lost")
    if any(line in written for line in may_lack):
        told.append("dnsmasq has not written its leases")
    return told


def _leases(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("duid ")]


def _duids(text: str) -> list[tuple[int, ...]]:
    return [_bytes(line.removeprefix("duid ")) for line in text.splitlines() if line.startswith("duid ")]


def _lease(line: str) -> tuple[int, object, object, object]:
    """A lease as dnsmasq keeps it: expiry, whose, address, client id. The name is its own business."""
    expiry, owner, text, _, client = line.split(" ")
    address = ip_address(text)
    if address.version == 4:
        whose: object = _bytes(owner)
    else:
        # An IPv6 address that a server has put into an IPv4 subnet comes with a MAC address where an IAID belongs, as
        # in Neutron's file; dnsmasq takes the number that it begins with (src/lease.c, strtoul).
        digits = re.match("[0-9]*", owner.removeprefix("T"))
        whose = (owner[:1] == "T", int(digits[0] or "0") % 2**32 if digits else 0)
    return min(int(expiry), 2**63 - 1), whose, address, client if client == "*" else _bytes(client)


def _bytes(text: str) -> tuple[int, ...]:
    return tuple(int(part, 16) for part in text.split(":"))


# -- everything at once


@pytest.mark.parametrize("shard", range(SHARDS))
def test_dnsmasq_starts_with_all_of_it(namespace: Namespace, shard: int, tmp_path: Path) -> None:
    """Law: dnsmasq starts with our command line and all our files as they are (their paths apart), says nothing that it
    does not say every day, answers, and lives.
    """
    complaints: list[str] = []
    for instance in instances(shard)[::_STARTED]:
        options = relocated(instance.request["settings"], tmp_path)
        for moved in _rendered(instance.name, instance.request, options):
            complaints += [f"{moved.name}: {complaint}" for complaint in _started(namespace, tmp_path, moved)]
    assert not complaints, _told(complaints)


def _started(namespace: Namespace, folder: Path, instance: Instance) -> list[str]:
    files = instance.files
    texts = {"host": files.host, "addn_hosts": files.addn_hosts, "opts": files.opts, "leases": instance.leases}
    _plugged(namespace)
    running = start(namespace, folder, files.argv, texts, directory=instance.directory)
    complaints = [said for said in running.said() if not (_EVERYDAY(said) or _NAMES_SHARED(said))]
    if any(argument.startswith("--dhcp-range=") for argument in files.argv):
        complaints += _differences(instance.leases, (Path(instance.directory) / "leases").read_text())
    if not running.is_alive:
        complaints.append("it has died")
    return complaints
