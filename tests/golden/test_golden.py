"""Every folder beside this file is a case: a network, settings, facts about the host, and the texts to expect.

The expected texts are what Neutron 29.0.0's DHCP agent wrote for the same input, byte for byte.  Argument lists are
kept one argument a line.

    network.json     the network in wire form
    settings.json    options under Neutron's names
    host.json        interface_name; optional: interface_addresses, segment (wire form), bridged, host_tag_support
    previous_leases  optional: the leases file that is replaced
    expected/        host, addn_hosts, opts, leases, argv; haproxy.conf and haproxy_argv where there is a metadata proxy
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.render.files import render_files
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import metadata_bind_interface, render_metadata_proxy, wants_metadata_proxy
from dhcpcore.render.views import segment_view
from dhcpcore.wire import parse_network, parse_segment

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/network.json"))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_bytes(folder: Path) -> dict[str, str]:
    """Text of every file in a folder; universal newlines would hide a difference."""
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}


def rendered(case: Path) -> dict[str, str]:
    network = parse_network(read_json(case / "network.json"))
    settings = Settings.from_mapping(read_json(case / "settings.json"))
    facts = read_json(case / "host.json")
    segment = facts.get("segment")
    view = segment_view(network, None if segment is None else parse_segment(segment))
    previous = case / "previous_leases"
    files = render_files(
        view,
        settings=settings,
        interface_name=facts["interface_name"],
        interface_addresses=facts.get("interface_addresses", []),
        bridged=facts.get("bridged", True),
        capabilities=DnsmasqCapabilities(host_tags=facts.get("host_tag_support", True)),
    )
    leases, lease_warnings = render_initial_leases(
        view, settings=settings, previous=previous.read_text(encoding="utf-8") if previous.exists() else None
    )
    assert files.warnings + lease_warnings == (), "a golden case is valid input"
    texts = {
        "host": files.host,
        "addn_hosts": files.addn_hosts,
        "opts": files.opts,
        "leases": leases,
        "argv": "".join(f"{argument}\n" for argument in files.argv),
    }
    if wants_metadata_proxy(network, settings):
        proxy = render_metadata_proxy(
            network, settings=settings, bind_interface=metadata_bind_interface(network, settings)
        )
        texts["haproxy.conf"] = proxy.config
        texts["haproxy_argv"] = "".join(f"{argument}\n" for argument in proxy.argv)
    return texts


def test_there_are_cases() -> None:
    assert len(CASES) >= 17


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Path) -> None:
    """What is rendered for valid input is what Neutron 29.0.0 writes, byte for byte."""
    expected = read_bytes(case / "expected")
    texts = rendered(case)
    assert texts.keys() == expected.keys()
    for name, text in expected.items():
        assert texts[name] == text, name
