"""Mutants of reading: what comes over the wire, and files that are read back."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant, edit

_ARGV: Final = "render/argv.py"
_UNIT: Final = "tests/unit"

READING: Final = (
    # -- reading back
    Mutant(
        name="a-damaged-lease-line-raises",
        bugs=("1788556",),
        museum=("PARSE",),
        brings_back="a lease line with missing fields raises, and all networks are synced again",
        edits=edit(
            "render/syntax/leases.py",
            """    if len(words) != 5:
        return "a lease has five words: dnsmasq would misread every lease that follows"
""",
            "",
        ),
        killer=f"{_UNIT}/test_readback_leases.py::TestParse::test_damage_does_not_spread",
        fails_with="ValueError",
    ),
    Mutant(
        name="a-tag-in-front-is-not-expected",
        bugs=("1884105", "1465330"),
        museum=("PARSE",),
        brings_back="a tag in front of a host line's name makes the line unreadable",
        edits=edit(
            "render/readback/hosts.py",
            """            elif prefix == "tag:":
                tags.append(field[4:])
""",
            "",
        ),
        killer=f"{_UNIT}/test_readback.py::TestHosts::test_fields_are_told_by_their_form_wherever_they_stand",
    ),
    Mutant(
        name="brackets-are-kept",
        bugs=("1619463", "1398380"),
        museum=("PARSE",),
        brings_back="IPv6 addresses are read back with their brackets, and equal no lease's",
        edits=edit("render/readback/hosts.py", "addresses.append(field[1:-1])", "addresses.append(field)"),
        killer=f"{_UNIT}/test_readback.py::TestHosts::test_fields_are_told_by_their_form_wherever_they_stand",
    ),
    # -- models and the wire
    Mutant(
        name="an-unknown-mtu-is-compared",
        bugs=("1534197",),
        museum=("CRASH",),
        brings_back="a network without an MTU is served by nobody: None is not greater than 0",
        edits=edit(_ARGV, "if view.network.mtu:", "if view.network.mtu > 0:"),
        killer=f"{_UNIT}/test_render_argv.py::test_an_unknown_mtu_is_not_announced",
        fails_with="TypeError",
    ),
    Mutant(
        name="an-extension-that-is-not-there",
        bugs=("1219893",),
        museum=("CRASH",),
        brings_back="without the extension extra_dhcp_opts no port is served: its field is missing",
        edits=edit(
            "wire/reading.py",
            """    value = payload.get(name)
    if value is None:
        return ()
""",
            """    value = payload[name]
    if value is None:
        return ()
""",
        ),
        killer=f"{_UNIT}/test_wire_tolerance.py::test_absent_and_null_members_of_a_port",
        fails_with="KeyError",
    ),
    Mutant(
        name="revisions-under-an-old-name",
        bugs=("1625867",),
        museum=("CACHE",),
        brings_back="the revision is read under a name that the server no longer uses: nothing is stale any more",
        edits=edit("wire/port.py", 'get("revision_number")', 'get("revision")'),
        killer=f"{_UNIT}/test_wire_fixtures.py::test_port_create_end",
    ),
    Mutant(
        name="floating-ips-reload",
        bugs=("1913269",),
        museum=("HUP",),
        brings_back="ports that get no reservation reload dnsmasq: floating IPs come and go all day",
        edits=edit(
            "model/port.py",
            '{"network:router_ha_interface", "network:floatingip", DEVICE_OWNER_DHCP',
            '{"network:router_ha_interface", DEVICE_OWNER_DHCP',
        ),
        killer="tests/property/test_museum_state.py::test_ports_without_a_reservation_reload_nothing",
    ),
)
