"""What each kind of bad input gets: the rows of docs/bad-input.md, one test each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from dhcpcore.errors import PayloadError, SettingsError
from dhcpcore.model.settings import Settings
from dhcpcore.wire import parse_event, parse_networks, parse_port, parse_subnet
from support.bad_payloads import MEGABYTE, network, port, refusal, subnet

FILES: Final = (Path(__file__), Path(__file__).with_name("test_wire_huge_input.py"))
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "bad-input.md"


def test_every_row_of_the_document_has_its_test() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ") and "`test_" in line]
    named = {word.strip("`") for row in rows for word in row.rsplit("|", 2)[1].split() if "`test_" in word}
    assert len(rows) >= 20
    tests = {name for file in FILES for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}
    assert named == {name for name in tests if not name.startswith("test_every_row")}


@pytest.mark.parametrize("payload", [None, [], "net", 7, True, 1.5])
def test_not_an_object(payload: Any) -> None:
    assert refusal(payload).path == ""
    assert refusal(network(ports=[payload])).path == "ports[0]"
    assert refusal(network(subnets=[subnet(), payload])).path == "subnets[1]"
    assert refusal(network(segments=[payload])).path == "segments[0]"
    assert refusal(network(ports=[port(fixed_ips=[payload])])).path == "ports[0].fixed_ips[0]"
    assert refusal(network(ports=[port(extra_dhcp_opts=[payload])])).path == "ports[0].extra_dhcp_opts[0]"
    assert refusal(network(ports=[port(dns_assignment=[payload])])).path == "ports[0].dns_assignment[0]"
    assert refusal(network(subnets=[subnet(host_routes=[payload])])).path == "subnets[0].host_routes[0]"


@pytest.mark.parametrize("payload", [{}, "ports", 7, True, 0, False, ""])
def test_not_a_list(payload: Any) -> None:
    for name in ("ports", "subnets", "non_local_subnets", "segments"):
        assert refusal(network(**{name: payload})).path == name
    for name in ("fixed_ips", "extra_dhcp_opts", "dns_assignment"):
        assert refusal(network(ports=[port(**{name: payload})])).path == f"ports[0].{name}"
    for name in ("host_routes", "dns_nameservers"):
        assert refusal(network(subnets=[subnet(**{name: payload})])).path == f"subnets[0].{name}"


@pytest.mark.parametrize(
    "holder, name, path",
    [
        (network(), "id", "id"),
        (port(), "id", "ports[0].id"),
        (port(), "mac_address", "ports[0].mac_address"),
        (subnet(), "id", "subnets[0].id"),
        (subnet(), "cidr", "subnets[0].cidr"),
    ],
)
def test_a_missing_member(holder: dict[str, Any], name: str, path: str) -> None:
    del holder[name]
    whole = holder if path == "id" else network(**{path.partition("[")[0]: [holder]})
    error = refusal(whole)
    assert (error.path, error.got) == (path, "nothing")
    holder[name] = None
    assert (refusal(whole).path, refusal(whole).got) == (path, "None")


def test_a_missing_member_of_a_member() -> None:
    assert refusal(network(ports=[port(fixed_ips=[{"subnet_id": "sub"}])])).path == "ports[0].fixed_ips[0].ip_address"
    assert refusal(network(ports=[port(fixed_ips=[{"ip_address": "::1"}])])).path == "ports[0].fixed_ips[0].subnet_id"
    assert refusal(network(ports=[port(extra_dhcp_opts=[{"opt_name": "mtu"}])])).got == "nothing"
    assert refusal(network(subnets=[subnet(host_routes=[{"nexthop": "10.0.0.1"}])])).got == "nothing"
    assert (
        refusal(network(ports=[port(dns_assignment=[{"fqdn": "a."}])])).path == "ports[0].dns_assignment[0].ip_address"
    )


@pytest.mark.parametrize(
    "name, value",
    [
        ("mac_address", 7),
        ("device_id", 7),
        ("device_owner", ["compute:nova"]),
        ("admin_state_up", "true"),
        ("admin_state_up", 1),
        ("status", 1.5),
        ("binding:host_id", {}),
        ("binding:vif_type", False),
        ("revision_number", "7"),
        ("revision_number", True),
        ("revision_number", False),
        ("revision_number", -1),
        ("network_id", 7),
    ],
)
def test_wrong_types_in_a_port(name: str, value: Any) -> None:
    error = refusal(network(ports=[port(id="first"), port(**{name: value})]))
    assert error.path == f"ports[1].{name}"


@pytest.mark.parametrize(
    "name, value",
    [
        ("ip_version", 5),
        ("ip_version", "4"),
        ("ip_version", True),
        ("ip_version", 6),
        ("enable_dhcp", "yes"),
        ("gateway_ip", ""),
        ("gateway_ip", "fd00::1"),
        ("gateway_ip", 167772161),
        ("ipv6_ra_mode", "dhcp"),
        ("ipv6_address_mode", []),
        ("segment_id", 7),
        ("subnetpool_id", 7),
        ("revision_number", 1.0),
    ],
)
def test_wrong_types_in_a_subnet(name: str, value: Any) -> None:
    error = refusal(network(non_local_subnets=[subnet(**{name: value})], subnets=[]))
    # A version that contradicts the range is a fault of the range.
    assert error.path == ("non_local_subnets[0].cidr" if value == 6 else f"non_local_subnets[0].{name}")


@pytest.mark.parametrize(
    "name, value",
    [("mtu", "1500"), ("mtu", -1), ("mtu", True), ("mtu", 1500.0), ("admin_state_up", 0), ("project_id", 7)],
)
def test_wrong_types_in_a_network(name: str, value: Any) -> None:
    assert refusal(network(**{name: value})).path == name


@pytest.mark.parametrize(
    "option, path",
    [
        ({"opt_name": None, "opt_value": "x"}, "opt_name"),
        ({"opt_name": True, "opt_value": "x"}, "opt_name"),
        ({"opt_name": -61, "opt_value": "x"}, "opt_name"),
        ({"opt_name": 1 << 5000, "opt_value": "x"}, "opt_name"),
        ({"opt_name": "mtu", "opt_value": 1400}, "opt_value"),
        ({"opt_name": "mtu", "opt_value": ["1400"]}, "opt_value"),
        ({"opt_name": "mtu", "opt_value": "x", "ip_version": 5}, "ip_version"),
        ({"opt_name": "mtu", "opt_value": "x", "ip_version": "IPv4"}, "ip_version"),
        ({"opt_name": "mtu", "opt_value": "x", "ip_version": [4]}, "ip_version"),
    ],
)
def test_wrong_types_in_an_option(option: dict[str, Any], path: str) -> None:
    fine = {"opt_name": "router", "opt_value": "10.0.0.1"}
    assert refusal(network(ports=[port(extra_dhcp_opts=[fine, option])])).path == f"ports[0].extra_dhcp_opts[1].{path}"


BAD_IDS: Final[tuple[Any, ...]] = (
    "", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "a\nb", "a\n", "a\0", "a b", " ", "a,b", "a:b", "a#b", 'a"b',
    "tag:x", "a\x85b", "a\u2028b", "é", "\ud800", "x" * 201, "x" * MEGABYTE, 7, 0, True, None, [], {}, 1.5,
)  # fmt: skip


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda bad: repr(bad)[:20])
def test_an_id_that_is_not_safe(bad: Any) -> None:
    assert refusal(network(id=bad)).path == "id"
    assert refusal(network(ports=[port(id=bad)])).path == "ports[0].id"
    assert refusal(network(subnets=[subnet(id=bad)])).path == "subnets[0].id"
    assert refusal(network(segments=[{"id": bad}])).path == "segments[0].id"
    assert refusal(network(ports=[port(fixed_ips=[{"subnet_id": bad, "ip_address": "10.0.0.5"}])])).path == (
        "ports[0].fixed_ips[0].subnet_id"
    )
    for method, name in (("network_delete_end", "network_id"), ("port_delete_end", "port_id")):
        with pytest.raises(PayloadError) as caught:
            parse_event(method, {name: bad})
        assert caught.value.path == name


def test_an_old_name_of_a_member_is_told_as_it_was_sent() -> None:
    for sent in ({"tenant_id": 5}, {"tenant_id": 5, "project_id": None}):
        assert (refusal(network(**sent)).path, refusal(network(**sent)).got) == ("tenant_id", "5")
    assert (refusal(network(project_id=5, tenant_id="t")).path) == "project_id"


@pytest.mark.parametrize("bad", ["../x", "a/b", "", -1, True, 1.5, [], 1 << 70])
def test_a_segmentation_id_that_is_no_directory(bad: Any) -> None:
    assert refusal(network(segments=[{"id": "s", "segmentation_id": bad}])).path == "segments[0].segmentation_id"


@pytest.mark.parametrize(
    "bad",
    [
        "10.0.0.300",
        "010.0.0.5",
        "10.0.0",
        "10.0.0.5/24",
        "10.0.0.5\n",
        "fe80::1%eth0",
        "[::1]",
        "::1 ",
        "1" * MEGABYTE,
        "",
    ],
    ids=lambda bad: repr(bad)[:20],
)
def test_an_address_that_is_none(bad: str) -> None:
    assert refusal(network(ports=[port(fixed_ips=[{"subnet_id": "s", "ip_address": bad}])])).path == (
        "ports[0].fixed_ips[0].ip_address"
    )
    assert (
        refusal(network(subnets=[subnet(dns_nameservers=["10.0.0.53", bad])])).path == "subnets[0].dns_nameservers[1]"
    )
    assert refusal(network(subnets=[subnet(gateway_ip=bad)])).path == "subnets[0].gateway_ip"
    route = {"destination": "10.1.0.0/16", "nexthop": bad}
    assert refusal(network(subnets=[subnet(host_routes=[route])])).path == "subnets[0].host_routes[0].nexthop"


@pytest.mark.parametrize(
    "bad", ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "x", "fd00::/129", "10.0.0.0/24\n", "::/٣", 7]
)
def test_a_range_that_is_none(bad: Any) -> None:
    assert refusal(network(subnets=[subnet(cidr=bad)])).path == "subnets[0].cidr"
    without_version = {"id": "sub", "network_id": "net", "cidr": bad}
    assert refusal(network(subnets=[without_version])).path == "subnets[0].cidr"
    route = {"destination": bad, "nexthop": "10.0.0.1"}
    assert refusal(network(subnets=[subnet(host_routes=[route])])).path == "subnets[0].host_routes[0].destination"


@pytest.mark.parametrize(
    "bad",
    ["zz:zz", "fa-16-3e-00-00-01", "fa16.3e00.0001", "fa:16:3e:00:00", "fa:16:3e:00:00:01\n", "fa:16:3e:00:00:*", ""],
)
def test_a_mac_address_that_is_none(bad: str) -> None:
    assert refusal(network(ports=[port(mac_address=bad)])).path == "ports[0].mac_address"


def test_control_characters_in_free_text_are_kept() -> None:
    """What text may do in a file is the renderer's business: it is kept here, byte for byte."""
    evil = "a\n\r\0\x1b\x85\u2028,#b"
    kept = parse_port(
        port(
            device_id=evil,
            device_owner=evil,
            dns_assignment=[{"ip_address": "10.0.0.5", "hostname": evil, "fqdn": evil}],
            extra_dhcp_opts=[{"opt_name": evil, "opt_value": evil}],
        )
    )
    assert kept.dns_assignment is not None
    assert kept.device_id == kept.device_owner == kept.dns_assignment[0].hostname == evil
    assert kept.extra_dhcp_opts[0].opt_value == evil


def test_control_characters_do_not_reach_an_error() -> None:
    error = refusal(network(ports=[port(mac_address="a\n\r\0\x1b\x85\u2028")]))
    assert error.got == r"'a\n\r\x00\x1b\x85\u2028'"


@pytest.mark.parametrize(
    "name, path", [("ports", "ports[1].id"), ("subnets", "subnets[1].id"), ("segments", "segments[1].id")]
)
def test_two_members_of_one_id(name: str, path: str) -> None:
    member = {"ports": port(), "subnets": subnet(), "segments": {"id": "seg"}}[name]
    assert refusal(network(**{name: [member, member]})).path == path


def test_a_subnet_both_local_and_not() -> None:
    assert refusal(network(non_local_subnets=[subnet(id="other"), subnet()])).path == "non_local_subnets[1].id"


def test_two_networks_of_one_id() -> None:
    networks, refused = parse_networks([network(mtu=1400), network(mtu=1500)])
    assert [found.mtu for found in networks] == [1400]
    assert [(one.network_id, one.error.path) for one in refused] == [("net", "networks[1].id")]


@pytest.mark.parametrize("answer", [None, {}, "x", 7, {"networks": []}])
def test_an_answer_that_is_no_list(answer: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_networks(answer)
    assert caught.value.path == "networks"


@pytest.mark.parametrize("method", ["port_explode_end", "", "__class__", None, 7, ["port_create_end"], "x" * MEGABYTE])
def test_an_unknown_method(method: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_event(method, {"port": port()})
    assert caught.value.path == "method"
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "method, payload, path",
    [
        ("port_create_end", None, ""),
        ("port_create_end", {}, "port"),
        ("port_create_end", {"port": None}, "port"),
        ("port_update_end", {"port": port(fixed_ips=[{}])}, "port.fixed_ips[0].subnet_id"),
        ("port_update_end", {"port": {"id": "p", "mac_address": "fa:16:3e:00:00:01"}}, "port.network_id"),
        ("port_delete_end", {"network_id": "n"}, "port_id"),
        ("port_delete_end", {"port_id": "p", "network_id": "../n"}, "network_id"),
        ("port_delete_end", {"port_id": "p", "fixed_ips": [7]}, "fixed_ips[0]"),
        ("subnet_create_end", {"subnet": subnet(cidr="x")}, "subnet.cidr"),
        ("subnet_update_end", {"subnet": []}, "subnet"),
        ("subnet_delete_end", {"subnet_id": "s", "network_id": "../n"}, "network_id"),
        ("network_create_end", {"network": {}}, "network.id"),
        ("network_update_end", {"network": {"id": "n", "mtu": "x"}}, "network.mtu"),
        ("network_update_end", {"network": {"id": "n", "admin_state_up": None}}, "network.admin_state_up"),
        ("network_update_end", {"network": {"id": "n", "subnets": ["s", 7]}}, "network.subnets[1]"),
        ("network_update_end", {"network": {"id": "n", "subnets": [{"id": "../s"}]}}, "network.subnets[0].id"),
        ("network_delete_end", {"network": {"id": "n"}}, "network_id"),
        ("agent_updated", {}, "admin_state_up"),
        ("agent_updated", {"admin_state_up": 1}, "admin_state_up"),
    ],
)
def test_a_notification_that_does_not_fit_its_method(method: str, payload: Any, path: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_event(method, payload)
    assert caught.value.path == path


def test_texts_that_are_no_utf8_are_told_in_ascii() -> None:
    error = refusal(network(ports=[port(mac_address="\ud800")]))
    assert json.dumps(str(error)).isascii()
    str(error).encode()


def test_a_bad_setting() -> None:
    for name, value in (("dhcp_lease_duration", -2), ("dns_domain", "a\nb"), ("force_metadata", "perhaps")):
        with pytest.raises(SettingsError) as caught:
            Settings.from_mapping({name: value})
        assert caught.value.option == name


def test_a_bad_member_of_a_subnet_alone() -> None:
    with pytest.raises(PayloadError) as caught:
        parse_subnet(subnet(host_routes=[{"destination": "10.0.0.0/8", "nexthop": "x"}]))
    assert caught.value.path == "host_routes[0].nexthop"
