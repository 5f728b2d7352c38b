"""``dhcpcore render``: the files of one network, or answers to a stream of requests."""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from dhcpcore import (
    AssumedHost,
    DnsmasqCapabilities,
    HostCapabilities,
    Network,
    PayloadError,
    RenderedInstance,
    RenderedNetwork,
    SettingsError,
    parse_network,
    render_network,
    settings_of_host,
)
from dhcpcore_adapters.cli.arguments import add_host_options
from dhcpcore_adapters.cli.documents import read_json, read_text, remove_file, write_text
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.jsonl import answer_lines
from dhcpcore_adapters.cli.terminal import Terminal

_EPILOG = """\
files below DIR, named as Neutron names them:
  host, addn_hosts, opts, leases   what dnsmasq reads
  cmdline                          its command line, quoted for a shell; its paths are those of the settings
  haproxy.conf                     the metadata proxy's configuration, where the network needs one
A routed network has one dnsmasq for each segment: the files are then in DIR/<segmentation id>/<network id>/, and
those for its subnets of no known segment, where it has such, in DIR/<network id>/.

exit codes: 0 done; 1 error; with --jsonl errors in requests are answers, and the code stays 0

examples:
  dhcpcore render network.json --out files
  dhcpcore render - --out files --settings settings.json --host network-1 < network.json
  echo '{"network": {"id": "n", "subnets": [{"id": "s", "cidr": "10.0.0.0/24"}]}}' | dhcpcore render --jsonl
"""


#: What the parser's namespace holds besides arguments.
_OURS: Final = ("run", "usage_error")


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "render",
        help="render dnsmasq's files and command lines",
        description="Render dnsmasq's files and command lines for networks in wire form. Starts and changes nothing.",
        epilog=_EPILOG,
    )
    parser.add_argument("network", nargs="?", metavar="network.json", help="one network in wire form; - for stdin")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to write the files")
    parser.add_argument("--jsonl", action="store_true", help="answer requests on stdin, one JSON object a line")
    add_host_options(parser)
    parser.add_argument("--interface-name", metavar="NAME", help="the DHCP device (default: that of the DHCP port)")
    parser.add_argument(
        "--interface-address",
        metavar="CIDR",
        action="append",
        help="an address of the DHCP device, may be repeated (default: those of the DHCP port)",
    )
    parser.add_argument("--previous-leases", metavar="FILE", help="the leases file that is replaced")
    parser.add_argument("--unbridged", action="store_true", help="taps are not on a bridge")
    parser.add_argument("--no-host-tags", action="store_true", help="dnsmasq is older than 2.81")
    parser.add_argument("--no-ipv6", action="store_true", help="the host has no IPv6")
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    if options.jsonl:
        _refuse_others(options)
        # What was imported stays; of what a request makes, next to nothing refers to itself: a quarter less time.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        answer_lines(sys.stdin.buffer, sys.stdout.buffer, terminal)
        return 0
    if options.network is None or options.out is None:
        options.usage_error("give a network.json and --out DIR, or --jsonl")
    with terminal.progress() as progress:
        network = _network(options.network)
        progress.show(f"rendering {len(network.ports):,} ports")
        host = _host(options, network)
        rendered = _rendered(options, network, host)
    for name in host.unknown:
        terminal.say(f"{options.settings}: option {name} is not known here and has no effect")
    _write(options.out, network, rendered, terminal)
    return 0


def _refuse_others(options: argparse.Namespace) -> None:
    others = sorted(name for name, value in vars(options).items() if value and name not in ("jsonl", *_OURS))
    if others:
        names = ", ".join("network.json" if name == "network" else f"--{name.replace('_', '-')}" for name in others)
        options.usage_error(f"--jsonl takes everything from the requests; leave out {names}")


def _network(path: str) -> Network:
    try:
        return parse_network(read_json(path))
    except PayloadError as error:
        raise CommandError([f"{path}: {error}; correct the file and run again"]) from None


def _host(options: argparse.Namespace, network: Network) -> AssumedHost:
    mapping = {} if options.settings is None else read_json(options.settings)
    try:
        return settings_of_host(mapping, host=options.host, current=[network])
    except SettingsError as error:
        raise CommandError([f"{options.settings or '--host'}: {error}; correct it and run again"]) from None


def _rendered(options: argparse.Namespace, network: Network, host: AssumedHost) -> RenderedNetwork:
    capabilities = HostCapabilities(
        dnsmasq=DnsmasqCapabilities(host_tags=not options.no_host_tags),
        ipv6_enabled=not options.no_ipv6,
        bridged=not options.unbridged,
    )
    try:
        return render_network(
            network,
            host.settings,
            capabilities,
            interface_name=options.interface_name,
            interface_addresses=options.interface_address,
            previous_leases=read_text(options.previous_leases) if options.previous_leases is not None else None,
        )
    except PayloadError as error:
        option = f"--{error.path.partition('[')[0].replace('_', '-').removesuffix('es')}"
        message = f"{option}: expected {error.expected}, got {error.got}; correct it and run again"
        raise CommandError([message]) from None


def _write(out: Path, network: Network, rendered: RenderedNetwork, terminal: Terminal) -> None:
    routed = len(rendered.instances) > 1 or rendered.instances[0].key.segmentation is not None
    for instance in rendered.instances:
        directory = out / instance.key.directory if routed else out
        for name, text in _files(instance):
            write_text(directory / name, text)
            terminal.result(str(directory / name))
    if rendered.proxy is not None:
        write_text(out / "haproxy.conf", rendered.proxy.config)
        terminal.result(str(out / "haproxy.conf"))
    else:
        remove_file(out / "haproxy.conf")  # of an earlier run: it would look as if there was a proxy
    for warning in [w for instance in rendered.instances for w in instance.warnings] + list(rendered.warnings):
        terminal.say(f"warning: {warning.subject}: {warning.message} ({warning.code})")


def _files(instance: RenderedInstance) -> list[tuple[str, str]]:
    return [
        ("host", instance.host),
        ("addn_hosts", instance.addn_hosts),
        ("opts", instance.opts),
        ("leases", instance.leases),
        ("cmdline", shlex.join(instance.argv) + "\n"),
    ]
